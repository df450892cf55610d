//! The rows of spec 2.4 and 2.5.

use super::{Defined, Definition, Field, Measure, TagKind};
use crate::organisations::Level;
use Defined::{ByRow, ByUs, NotPublishedYet, Publicly};

/// The levels of what is counted at sites.
const OF_SITES: &[Level] =
    &[Level::Site, Level::Trust, Level::System, Level::Region, Level::Nation, Level::Group];
/// Every level.
const EVERY: &[Level] = &Level::ALL;

/// A whole number.
const fn whole(name: &'static str) -> Field {
    Field { name, per_unit: 1 }
}

/// The fields of `ae_department`, whose greatest is not a sum.
const DEPARTMENT: &[Field] = &[
    whole("present"),
    whole("awaiting_admission"),
    whole("awaiting_over_12h"),
    whole("on_clock"),
    whole("over_4h"),
    whole("over_12h"),
    whole("due_30m"),
    whole("due_60m"),
    whole("longest_minutes"),
    whole("unclosed"),
];

const HANDOVER: &[Field] = &[
    whole("completed"),
    whole("over_15m"),
    whole("over_30m"),
    whole("over_45m"),
    whole("over_60m"),
    whole("total_s"),
    whole("p90_s"),
    whole("lost_15m_s"),
    whole("lost_30m_s"),
];

const QUEUE: &[Field] = &[
    whole("waiting"),
    whole("over_15m"),
    whole("over_30m"),
    whole("over_45m"),
    whole("over_60m"),
    whole("longest_s"),
    whole("unclosed"),
];

/// A median of whole minutes is a multiple of a half.
const TREATMENT: &[Field] =
    &[whole("treated"), Field { name: "median_minutes", per_unit: 2 }, whole("p90_minutes")];

const STANDARD: &[Field] = &[
    whole("met"),
    whole("total"),
    whole("count"),
    whole("total_s"),
    whole("p90_s"),
    whole("reporting"),
    whole("expected"),
];

/// The value of a parameter is held in millionths.
const PARAMETER: &[Field] = &[Field { name: "value", per_unit: 1_000_000 }, whole("points"), whole("known")];

/// A measure of the sweep over the minutes.
const fn swept(
    measure: Measure,
    name: &'static str,
    (tag, by_window): (TagKind, bool),
    levels: &'static [Level],
    fields: &'static [Field],
    defined: Defined,
) -> Definition {
    Definition { measure, name, tag, by_window, levels, fields, swept: true, defined }
}

/// A measure that is made otherwise, and has no window.
const fn other(
    measure: Measure,
    name: &'static str,
    tag: TagKind,
    levels: &'static [Level],
    fields: &'static [Field],
    defined: Defined,
) -> Definition {
    Definition { measure, name, tag, by_window: false, levels, fields, swept: false, defined }
}

/// Every measure, in the order of their numbers.
#[rustfmt::skip]
pub const MEASURES: [Definition; 16] = [
    swept(Measure::AeFourHour, "ae_four_hour", (TagKind::Type, true), OF_SITES,
        &[whole("departed"), whole("within"), whole("over_12h"), whole("implausible")],
        Publicly("NHS England, four-hour standard")),
    swept(Measure::AeArrivals, "ae_arrivals", (TagKind::Type, true), OF_SITES,
        &[whole("arrived"), whole("by_ambulance"), whole("planned")], ByUs),
    swept(Measure::AeDepartment, "ae_department", (TagKind::Type, false), OF_SITES, DEPARTMENT,
        Publicly("NHS England, waits since arrival and since the decision to admit")),
    swept(Measure::AmbHandover, "amb_handover", (TagKind::None, true), EVERY, HANDOVER,
        Publicly("NHS contract 2022/23, handover plans of 2025/26")),
    swept(Measure::AmbQueue, "amb_queue", (TagKind::None, false), OF_SITES, QUEUE, ByUs),
    swept(Measure::AeArea, "ae_area", (TagKind::Area, false), &[Level::Site],
        &[whole("present"), whole("capacity")],
        Publicly("patients of designated spaces; the spaces are local configuration")),
    swept(Measure::AeTreatment, "ae_treatment", (TagKind::Type, true), OF_SITES, TREATMENT,
        Publicly("A&E clinical quality indicators, time to treatment")),
    swept(Measure::AeAdmission, "ae_admission", (TagKind::Type, true), OF_SITES,
        &[whole("admitted"), whole("over_4h_decision"), whole("over_12h_decision")],
        Publicly("NHS England, monthly A&E return")),
    swept(Measure::AmbResponse, "amb_response", (TagKind::Category, true), &[Level::Service, Level::Nation],
        &[whole("responses"), whole("total_s"), whole("p90_s")],
        Publicly("ambulance response programme; England's published 90th percentile is made otherwise")),
    swept(Measure::BedState, "bed_state", (TagKind::None, false), OF_SITES,
        &[whole("open"), whole("occupied"), whole("escalation_open"), whole("no_criteria_to_reside")],
        Publicly("urgent and emergency care daily situation report, acute discharge situation report")),
    other(Measure::Standard, "standard", TagKind::Standard, EVERY, STANDARD, ByRow("standards.toml")),
    other(Measure::Escalation, "escalation", TagKind::Scale, EVERY, &[whole("declared")],
        Publicly("OPEL, levels 1 to 4 as declared")),
    other(Measure::Opel, "opel", TagKind::Framework, &[Level::Site, Level::Trust, Level::System],
        &[whole("score"), whole("opel"), whole("missing")], ByRow("opel/*.toml")),
    other(Measure::OpelParameter, "opel_parameter", TagKind::Parameter,
        &[Level::Site, Level::Trust, Level::System], PARAMETER, ByRow("opel/*.toml")),
    other(Measure::FirstKnown, "first_known", TagKind::Type, OF_SITES,
        &[whole("departed"), whole("within"), whole("over_12h")], ByUs),
    // Of the deployment as a whole: it travels with the nation.
    other(Measure::Feed, "feed", TagKind::Source, &[Level::Nation],
        &[whole("age_s"), whole("events_1h"), whole("stale")], NotPublishedYet),
];
