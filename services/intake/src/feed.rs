//! A feed: what one sender's places, codes and fields mean, as data (`config/feeds/*.toml`, laid over
//! `config/feed-defaults.toml`). HL7 v2, FHIR and CSV share it, so that a code means the same by whichever door it comes.
//!
//! Responsible for: reading and checking such a file, and the questions that a translator asks of it. It knows no
//! message: the translators are `hl7::adt`, `fhir` and `extract`.

pub mod codes;
pub mod path;
pub mod place;
mod raw;
pub mod zone;

#[cfg(test)]
mod tests;

use contract::References;
use domain::event::{Attendance, Fact};
use domain::ids::Ref;
use domain::organisations::Organisations;
use domain::time::Second;
use hashbrown::HashMap;
use runtime::config::ConfigError;

use self::codes::{CodeSet, Codes};
use self::path::Path;
use self::place::{Named, Place, Row};
use self::raw::RawFeed;
use self::zone::Zone;

const DEFAULTS: &str = include_str!("../../../config/feed-defaults.toml");

/// One sender.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The file's name without `.toml`.
    pub name: String,
    /// The source of its events.
    pub source: String,
    /// The zone of its local times.
    pub zone: Zone,
    /// It may speak for the sites at or below these; empty: for all.
    pub orgs: Vec<String>,
    /// The site where no place says which.
    pub site: Option<String>,
    places: Vec<Row>,
    /// What is HL7's alone.
    pub hl7: Hl7,
    /// What its codes mean.
    pub codes: Codes,
    /// What is FHIR's alone.
    pub fhir: Fhir,
    /// What is CSV's alone.
    pub csv: Csv,
}

/// How FHIR resources of a feed are read.
#[derive(Clone, Debug)]
pub struct Fhir {
    /// The system of the identifier that is our reference; empty: there is only one.
    pub identifier: String,
    /// Facts, and the URLs of the extensions that state them.
    pub extensions: Vec<(String, FactName)>,
}

/// How HL7 v2 messages of a feed are read.
#[derive(Clone, Debug)]
pub struct Hl7 {
    /// Which number is our reference.
    pub reference: ReferenceField,
    /// Whether its assigning authority is part of it.
    pub authority: bool,
    /// Where an A12 repeats the time of the move that it cancels.
    pub transfer_since: Path,
    /// MSH-11: what is taken.
    pub processing: Vec<String>,
    /// PV1-2.
    pub classes: HashMap<String, Class>,
    /// Facts beyond base HL7 v2.
    pub facts: Vec<MappedFact>,
}

/// Which number of an HL7 message is our reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceField {
    /// PV1-19, else PV1-50; the merged one is MRG-5.
    Visit,
    /// PID-18; the merged one is MRG-3.
    Account,
}

/// What a patient class means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An A&E attendance.
    Emergency,
    /// An admitted patient.
    Inpatient,
}

/// A fact and where it stands in an HL7 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedFact {
    /// The fact.
    pub name: FactName,
    /// Where it stands.
    pub path: Path,
    /// Of several segments, those in which this holds that.
    pub condition: Option<(Path, String)>,
}

/// How CSV files of a feed are read.
#[derive(Clone, Debug)]
pub struct Csv {
    /// Between two cells.
    pub delimiter: u8,
    /// How dates are written (strftime).
    pub date: String,
    /// How times are written (strftime).
    pub time: String,
    /// When a row was recorded; none: its newest instant.
    pub recorded_at: Option<Column>,
    /// The column of the event's id; empty: the number of the line.
    pub id: String,
    /// The column that `[[place]]` calls `sender`; empty: none.
    pub sender: String,
    /// The column that `[[place]]` calls `point_of_care`; empty: none.
    pub point_of_care: String,
    /// The column of the site's code; empty: none.
    pub site: String,
    /// The column of our reference.
    pub reference: String,
    /// Facts and their columns.
    pub columns: Vec<(FactName, Column)>,
}

/// The column of a value, or the two of a date and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The value, or the date.
    pub first: String,
    /// The time, where it has a column of its own.
    pub time: Option<String>,
}

/// A fact of an attendance that a feed can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactName {
    /// An instant.
    Instant(InstantFact),
    /// A code, by its set.
    Code(CodeSet),
    /// The ambulance service of the journey that brought the patient.
    AmbulanceService,
    /// That journey's reference.
    AmbulanceRef,
}

/// An instant of an attendance (spec 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstantFact {
    /// `arrived_at`
    ArrivedAt,
    /// `assessed_at`
    AssessedAt,
    /// `treated_at`
    TreatedAt,
    /// `referred_at`
    ReferredAt,
    /// `decided_to_admit_at`
    DecidedToAdmitAt,
    /// `clock_stopped_at`
    ClockStoppedAt,
    /// `departed_at`
    DepartedAt,
}

impl InstantFact {
    /// Every instant.
    pub const ALL: [InstantFact; 7] = [
        InstantFact::ArrivedAt,
        InstantFact::AssessedAt,
        InstantFact::TreatedAt,
        InstantFact::ReferredAt,
        InstantFact::DecidedToAdmitAt,
        InstantFact::ClockStoppedAt,
        InstantFact::DepartedAt,
    ];

    /// Its name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            InstantFact::ArrivedAt => "arrived_at",
            InstantFact::AssessedAt => "assessed_at",
            InstantFact::TreatedAt => "treated_at",
            InstantFact::ReferredAt => "referred_at",
            InstantFact::DecidedToAdmitAt => "decided_to_admit_at",
            InstantFact::ClockStoppedAt => "clock_stopped_at",
            InstantFact::DepartedAt => "departed_at",
        }
    }

    /// Where an attendance keeps it.
    pub fn of<'s>(self, attendance: &'s mut Attendance<'_>) -> &'s mut Fact<Second> {
        match self {
            InstantFact::ArrivedAt => &mut attendance.arrived_at,
            InstantFact::AssessedAt => &mut attendance.assessed_at,
            InstantFact::TreatedAt => &mut attendance.treated_at,
            InstantFact::ReferredAt => &mut attendance.referred_at,
            InstantFact::DecidedToAdmitAt => &mut attendance.decided_to_admit_at,
            InstantFact::ClockStoppedAt => &mut attendance.clock_stopped_at,
            InstantFact::DepartedAt => &mut attendance.departed_at,
        }
    }
}

impl FactName {
    /// Every fact that a feed can name.
    pub fn all() -> impl Iterator<Item = FactName> {
        let instants = InstantFact::ALL.into_iter().map(FactName::Instant);
        let codes = CodeSet::ALL.into_iter().map(FactName::Code);
        instants.chain(codes).chain([FactName::AmbulanceService, FactName::AmbulanceRef])
    }

    /// Its name in a feed.
    pub fn as_str(self) -> &'static str {
        match self {
            FactName::Instant(instant) => instant.as_str(),
            FactName::Code(set) => set.as_str(),
            FactName::AmbulanceService => "ambulance_service",
            FactName::AmbulanceRef => "ambulance_ref",
        }
    }

    fn parse(text: &str) -> Option<FactName> {
        FactName::all().find(|name| name.as_str() == text)
    }
}

/// Why a feed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The file cannot be read, is no TOML, or has an unknown key or a value of a wrong type.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A value is not what it must be.
    #[error("feed {feed}: {key}: {what}")]
    Key {
        /// The feed's name.
        feed: String,
        /// The key's path in the file.
        key: String,
        /// What is wrong and what would be right.
        what: String,
    },
}

impl Feed {
    /// Reads a feed's file and checks it; its name is the file's.
    pub fn read(file: &std::path::Path, organisations: &Organisations) -> Result<Feed, FeedError> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let raw: RawFeed = runtime::config::load(DEFAULTS, Some(file), &[])?;
        raw.parse(&name, organisations)
    }

    /// What a place is; none where no row fits: it is outside the department.
    pub fn place(&self, named: &Named<'_>) -> Option<&Place> {
        self.places.iter().find(|row| row.fits(named)).map(|row| &row.place)
    }

    /// Whether any row describes the department. Else only what a row calls outside is outside.
    pub fn knows_department(&self) -> bool {
        self.places.iter().any(|row| !row.place.outside)
    }

    /// Whether any row says what a place is. Else no place is outside the department.
    pub fn knows_places(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether it may speak for that site.
    pub fn may_speak_for(&self, site: &str, organisations: &Organisations) -> bool {
        self.orgs.is_empty()
            || organisations.find(site).is_some_and(|site| {
                let above = organisations.path(site).iter().map(|org| organisations.get(*org).code.as_str());
                above.into_iter().any(|code| self.orgs.iter().any(|ours| ours == code))
            })
    }

    /// The pseudonym of a number of its assigning authority. With an authority the text is `authority|number`, the same
    /// by every door. `None`: longer than 64 bytes together, or empty.
    pub fn reference(
        &self,
        references: &impl References,
        site: &str,
        authority: &str,
        number: &str,
    ) -> Option<Ref> {
        let with_authority = self.hl7.authority && !authority.is_empty();
        let text = if with_authority { &*format!("{authority}|{number}") } else { number };
        if number.is_empty() || text.len() > 64 { None } else { references.reference(site, text) }
    }
}
