//! The table of spec 2.4 and 2.5 as data: names, tags and fields in one place, used by every reader and writer.
//!
//! A value is always an `i64`. A field that is no whole number is held in fixed point ([`Field::per_unit`]) and becomes a
//! float only where it leaves the program: line protocol, JSON, the threshold of a rule.

mod table;
mod tag;
mod window;

pub use table::MEASURES;
pub use tag::{TEXT_BYTES_MAX, Tag, TagKind, TagText, TypeTag};
pub use window::{DEFAULT_WINDOWS, Window};

use std::fmt;

use crate::organisations::Level;
use crate::time::Minute;

/// The most fields that a measure has.
pub const MAX_FIELDS: usize = 10;

/// A measure. The number is its number on the wire: never changed, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Measure {
    /// Attendances whose clock stopped in a window.
    AeFourHour = 1,
    /// Attendances whose clock started in a window.
    AeArrivals = 2,
    /// The department at a minute.
    AeDepartment = 3,
    /// Journeys handed over in a window.
    AmbHandover = 4,
    /// Ambulances waiting at a minute.
    AmbQueue = 5,
    /// An area of a department at a minute.
    AeArea = 6,
    /// Times to treatment, of those whose treatment began in a window.
    AeTreatment = 7,
    /// Attendances that ended in an admission in a window.
    AeAdmission = 8,
    /// Ambulance responses in a window.
    AmbResponse = 9,
    /// The newest bed states at a minute.
    BedState = 10,
    /// A periodic standard.
    Standard = 11,
    /// A declared escalation at a minute.
    Escalation = 12,
    /// The computed escalation at a minute.
    Opel = 13,
    /// A parameter of the computed escalation.
    OpelParameter = 14,
    /// What the four-hour measure of a day said when it was first published.
    FirstKnown = 15,
    /// A source of events.
    Feed = 16,
}

/// A field of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// 1 for a whole number; else the field is fixed point: a value of `per_unit` is 1.0.
    pub per_unit: i64,
}

impl Field {
    /// The number that a value of this field is, for line protocol and JSON.
    pub fn number(self, value: i64) -> Number {
        match self.per_unit {
            1 => Number::Integer(value),
            per_unit => Number::Float(value as f64 / per_unit as f64),
        }
    }

    /// The value that a number is held as: the reverse of [`Field::number`], to the nearest.
    pub fn held(self, number: f64) -> i64 {
        (number * self.per_unit as f64).round() as i64
    }
}

/// A value as it leaves the program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Of a field of whole numbers.
    Integer(i64),
    /// Of a field in fixed point; finite.
    Float(f64),
}

/// What a measure is called and what its points carry.
#[derive(Debug)]
pub struct Definition {
    /// The measure.
    pub measure: Measure,
    /// Its name in line protocol.
    pub name: &'static str,
    /// Its tag beside `level`, `org` and `window`.
    pub tag: TagKind,
    /// Has a tag `window`.
    pub by_window: bool,
    /// The levels at which it exists.
    pub levels: &'static [Level],
    /// Its fields, in the order in which points hold them.
    pub fields: &'static [Field],
    /// Whether the sweep over the minutes makes it ([`crate::sweep`]); the others are made otherwise, or not yet.
    pub swept: bool,
    /// Who says what it counts.
    pub defined: Defined,
}

/// Who says what a measure counts. What it leaves out as implausible, unclosed or too old is always ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defined {
    /// A public page or publication: which.
    Publicly(&'static str),
    /// Each row of these files of the configuration, with a source of its own.
    ByRow(&'static str),
    /// We do: no public definition was found.
    ByUs,
    /// Nobody: it is in the contract, and nothing publishes it yet.
    NotPublishedYet,
}

impl fmt::Display for Defined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Defined::Publicly(source) => write!(f, "verified ({source})"),
            Defined::ByRow(files) => write!(f, "as each row of {files} says"),
            Defined::ByUs => f.write_str("UNVERIFIED (a definition of ours)"),
            Defined::NotPublishedYet => f.write_str("not published yet"),
        }
    }
}

impl Definition {
    /// Has a tag `type`.
    pub fn by_type(&self) -> bool {
        self.tag == TagKind::Type
    }

    /// Its fields by name, with commas between them: for messages.
    pub fn field_names(&self) -> String {
        self.fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
    }
}

impl Measure {
    /// Every measure.
    pub const ALL: [Measure; 16] = {
        let mut all = [Measure::AeFourHour; 16];
        let mut index = 0;
        while index < all.len() {
            all[index] = MEASURES[index].measure;
            index += 1;
        }
        all
    };

    /// Those that the sweep over the minutes makes, in the order of their numbers.
    pub fn swept() -> impl Iterator<Item = Measure> {
        Measure::ALL.into_iter().filter(|measure| measure.definition().swept)
    }

    /// Its row of the table.
    pub fn definition(self) -> &'static Definition {
        &MEASURES[self as usize - 1]
    }

    /// Its name in line protocol.
    pub fn as_str(self) -> &'static str {
        self.definition().name
    }

    /// The measure of that name.
    pub fn parse(name: &str) -> Option<Measure> {
        Measure::ALL.into_iter().find(|measure| measure.as_str() == name)
    }

    /// The measure of that number on the wire.
    pub fn from_number(number: u32) -> Option<Measure> {
        Measure::ALL.into_iter().find(|measure| *measure as u32 == number)
    }

    /// Where a field stands in a point; `None` if the measure has no such field.
    pub fn field(self, name: &str) -> Option<usize> {
        self.definition().fields.iter().position(|field| field.name == name)
    }

    /// Whether the measure exists at that level.
    pub fn exists_at(self, level: Level) -> bool {
        self.definition().levels.contains(&level)
    }
}

/// Which series of an organisation: a measure and its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The measure.
    pub measure: Measure,
    /// The tag beside the window; of the kind that the measure has ([`Definition::tag`]).
    pub tag: Tag,
    /// Tag `window`, where the measure has it.
    pub window: Option<Window>,
}

impl SeriesKey {
    /// A series.
    pub fn new(measure: Measure, tag: impl Into<Tag>, window: Option<Window>) -> SeriesKey {
        SeriesKey { measure, tag: tag.into(), window }
    }

    /// Whether it has the tags that its measure has.
    pub fn is_sound(&self) -> bool {
        let definition = self.measure.definition();
        definition.tag.takes(self.tag) && definition.by_window == self.window.is_some()
    }

    /// Name and text of each tag but `level`, `org` and `window`.
    pub fn tags(&self) -> impl Iterator<Item = (&'static str, &str)> + use<'_> {
        self.measure.definition().tag.tags(&self.tag)
    }
}

/// The fields of a point in the order of [`Definition::fields`]; what is beyond them is 0.
pub type Values = [i64; MAX_FIELDS];

/// One series of an org-minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Which.
    pub key: SeriesKey,
    /// Its fields.
    pub values: Values,
}

impl Series {
    /// The value of a field; `None` if the measure has no such field. In units of [`Field::per_unit`].
    pub fn field(&self, name: &str) -> Option<i64> {
        self.key.measure.field(name).map(|index| self.values[index])
    }

    /// The fields with their values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, i64)> + '_ {
        self.key.measure.definition().fields.iter().copied().zip(self.values)
    }
}

/// Which writing of an org-minute this is: of each series the highest that carries it stands (spec 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision {
    /// 1 + the offset of the publisher's record on the control topic; 0 for a backfill.
    pub epoch: u64,
    /// Counts the writings of this org-minute within the epoch, from 1.
    pub n: u32,
}

/// How fresh the facts behind a figure are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Freshness {
    /// A feed that the figure depends on is silent: grey on the board, alerts frozen (spec 3.1).
    pub stale: bool,
    /// Seconds since the newest `recorded_at` of the sources behind it; `None`: never heard.
    pub age_seconds: Option<u32>,
}

/// The unit that travels: one organisation at one minute, all its series or those that were touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgMinute {
    /// The level of the organisation.
    pub level: Level,
    /// Its code.
    pub org: String,
    /// The minute m with which the points are stamped.
    pub minute: Minute,
    /// Which writing it is.
    pub revision: Revision,
    /// How fresh it is.
    pub freshness: Freshness,
    /// Whether this is a restatement of a minute that is not the newest: it moves no alert (spec 3.0).
    pub restated: bool,
    /// The series, in no promised order, each at most once.
    pub series: Vec<Series>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Category;

    #[test]
    fn the_table_is_in_the_order_of_the_numbers_and_fits() {
        for (index, definition) in MEASURES.iter().enumerate() {
            assert_eq!(definition.measure as usize, index + 1);
            assert_eq!(Measure::ALL[index], definition.measure);
            assert!((1..=MAX_FIELDS).contains(&definition.fields.len()));
            assert!(!definition.levels.is_empty());
            assert!(definition.swept || !definition.by_window);
            assert_eq!(Measure::parse(definition.name), Some(definition.measure));
            assert_eq!(Measure::from_number(definition.measure as u32), Some(definition.measure));
            for (at, field) in definition.fields.iter().enumerate() {
                assert_eq!(definition.measure.field(field.name), Some(at));
            }
        }
    }

    #[test]
    fn a_series_of_each_measure_reads_as_it_is_written() {
        let tag = |kind: TagKind| match kind {
            TagKind::None => Tag::None,
            TagKind::Type => TypeTag::Five.into(),
            TagKind::Category => Category::C2.into(),
            TagKind::Area | TagKind::Standard | TagKind::Scale | TagKind::Framework | TagKind::Source => {
                Tag::text("resus-1").unwrap()
            }
            TagKind::Parameter => Tag::parameter("acute", "beds").unwrap(),
        };
        for definition in &MEASURES {
            let window = definition.by_window.then_some(Window::Today);
            let key = SeriesKey::new(definition.measure, tag(definition.tag), window);
            assert!(key.is_sound());
            let texts: Vec<&str> = key.tags().map(|(_, text)| text).collect();
            let names: Vec<&str> = key.tags().map(|(name, _)| name).collect();
            assert_eq!(names, definition.tag.names());
            assert_eq!(definition.tag.parse(&texts), Some(key.tag));
            for other in TagKind::ALL.into_iter().filter(|kind| !definition.tag.takes(tag(*kind))) {
                assert!(!SeriesKey { tag: tag(other), ..key }.is_sound(), "{} {other:?}", definition.name);
            }
            let other = if definition.by_window { None } else { Some(Window::Today) };
            assert!(!SeriesKey { window: other, ..key }.is_sound());
        }
    }

    #[test]
    fn fixed_point_is_exact_at_the_edge() {
        let median = Measure::AeTreatment.definition().fields[1];
        assert_eq!(median.number(47), Number::Float(23.5));
        assert_eq!(median.held(23.5), 47);
        assert_eq!(Measure::AeTreatment.definition().fields[0].number(47), Number::Integer(47));
        assert_eq!(Measure::OpelParameter.definition().fields[0].number(912_500), Number::Float(0.9125));
    }
}
