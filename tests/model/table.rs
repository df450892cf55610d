//! The measures of spec 2.4 and 2.5, their tags and fields, written down once more: what the engine calls them is held
//! against this.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use domain::measures::Window;

/// A measure: its name, its tags beside `level` and `org`, its fields.
#[derive(Debug)]
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// The one tag that only this kind of measure has.
    pub tag: Option<&'static str>,
    /// Whether it has a tag `window`.
    pub by_window: bool,
    /// Its fields, without `capacity`, which is configuration and not compared (spec 2.6).
    pub fields: &'static [&'static str],
}

/// Every measure that is a function of the events (spec 2.6 names those that are not).
pub const MEASURES: [Measure; 12] = [
    Measure {
        name: "ae_four_hour",
        tag: Some("type"),
        by_window: true,
        fields: &["departed", "within", "over_12h", "implausible"],
    },
    Measure {
        name: "ae_arrivals",
        tag: Some("type"),
        by_window: true,
        fields: &["arrived", "by_ambulance", "planned"],
    },
    Measure {
        name: "ae_department",
        tag: Some("type"),
        by_window: false,
        fields: &[
            "present",
            "awaiting_admission",
            "awaiting_over_12h",
            "on_clock",
            "over_4h",
            "over_12h",
            "due_30m",
            "due_60m",
            "longest_minutes",
            "unclosed",
        ],
    },
    Measure { name: "ae_area", tag: Some("area"), by_window: false, fields: &["present"] },
    Measure {
        name: "ae_treatment",
        tag: Some("type"),
        by_window: true,
        fields: &["treated", "median_minutes", "p90_minutes"],
    },
    Measure {
        name: "ae_admission",
        tag: Some("type"),
        by_window: true,
        fields: &["admitted", "over_4h_decision", "over_12h_decision"],
    },
    Measure {
        name: "amb_handover",
        tag: None,
        by_window: true,
        fields: &[
            "completed",
            "over_15m",
            "over_30m",
            "over_45m",
            "over_60m",
            "total_s",
            "p90_s",
            "lost_15m_s",
            "lost_30m_s",
        ],
    },
    Measure {
        name: "amb_queue",
        tag: None,
        by_window: false,
        fields: &["waiting", "over_15m", "over_30m", "over_45m", "over_60m", "longest_s", "unclosed"],
    },
    Measure {
        name: "amb_response",
        tag: Some("category"),
        by_window: true,
        fields: &["responses", "total_s", "p90_s"],
    },
    Measure {
        name: "bed_state",
        tag: None,
        by_window: false,
        fields: &["open", "occupied", "escalation_open", "no_criteria_to_reside"],
    },
    Measure {
        name: "standard",
        tag: Some("standard"),
        by_window: false,
        fields: &["met", "total", "count", "total_s", "p90_s", "reporting", "expected"],
    },
    Measure { name: "escalation", tag: Some("scale"), by_window: false, fields: &["declared"] },
];

impl Measure {
    /// The measure of that name, or of the name without what stands before its first `_`.
    pub fn named(name: &str) -> Option<&'static Measure> {
        let short = |full: &'static str| full.split_once('_').map(|(_, short)| short);
        MEASURES.iter().find(|one| one.name == name || short(one.name) == Some(name))
    }

    /// The field as the table spells it.
    pub fn field(&self, name: &str) -> Option<&'static str> {
        self.fields.iter().find(|field| **field == name).copied()
    }
}

/// A series of a place: the measure and its tags but `level` and `org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The measure's name.
    pub measure: &'static str,
    /// The value of [`Measure::tag`]; empty if there is no such tag.
    pub tag: Cow<'static, str>,
    /// The window, where the measure has one.
    pub window: Option<Window>,
}

impl Series {
    /// A series of a measure, by the texts of its tags; `None` if there is no such measure or window, or it has other
    /// tags.
    pub fn told<'a>(measure: &str, tag: impl Fn(&str) -> Option<&'a str>) -> Option<Series> {
        let row = MEASURES.iter().find(|row| row.name == measure)?;
        let window = tag("window").map(|text| Window::parse(text).ok_or(())).transpose().ok()?;
        let tags = MEASURES.iter().filter_map(|row| row.tag);
        let others = tags.filter(|name| Some(*name) != row.tag).any(|name| tag(name).is_some());
        let own = row.tag.map(|name| tag(name).ok_or(())).transpose().ok()?.unwrap_or_default();
        let fits = window.is_some() == row.by_window && !others;
        fits.then(|| Series { measure: row.name, tag: Cow::Owned(own.to_owned()), window })
    }
}

/// The fields of a point that are not 0: a missing point and a point of zeros say the same (spec 2.4). A median of an
/// even count has a half.
pub type Fields = BTreeMap<&'static str, f64>;

/// Every point of a moment that is not all zeros, by the code of the place and the series.
pub type Points = BTreeMap<(Arc<str>, Series), Fields>;

/// Takes out what says nothing: who had to report a standard is configuration, and `expected` alone is no point,
/// whether it was written or not.
pub fn without_expected_alone(points: &mut Points) {
    points.retain(|(_, series), fields| series.measure != "standard" || !fields.keys().eq([&"expected"]));
}

/// Puts a field of a point that something else showed beside those that were shown before; `capacity` is left out.
///
/// # Panics
/// If the measure has no such field.
pub fn put(points: &mut Points, code: &str, series: &Series, field: &str, value: f64) {
    if field == "capacity" && series.measure == "ae_area" {
        return;
    }
    let measure = Measure::named(series.measure).expect("made from the table");
    let field = measure.field(field).unwrap_or_else(|| panic!("{} has no {field}", measure.name));
    if value != 0.0 {
        points.entry((code.into(), series.clone())).or_default().insert(field, value);
    }
}
