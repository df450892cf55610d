//! The table of spec 2.4 as data: names, tags and fields in one place, used by every reader and writer.

use std::fmt;

use crate::organisations::Level;
use crate::time::{LondonDays, Minute};

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
}

/// What a measure is called and what its points carry.
#[derive(Debug)]
pub struct Definition {
    /// The measure.
    pub measure: Measure,
    /// Its name in line protocol.
    pub name: &'static str,
    /// Has a tag `type`.
    pub by_type: bool,
    /// Has a tag `window`.
    pub by_window: bool,
    /// Its fields, in the order in which points hold them. All are integers.
    pub fields: &'static [&'static str],
    /// Whether it exists at level `service`.
    pub at_service: bool,
}

/// Every measure, in the order of their numbers.
pub const MEASURES: [Definition; 5] = [
    Definition {
        measure: Measure::AeFourHour,
        name: "ae_four_hour",
        by_type: true,
        by_window: true,
        fields: &["departed", "within", "over_12h", "implausible"],
        at_service: false,
    },
    Definition {
        measure: Measure::AeArrivals,
        name: "ae_arrivals",
        by_type: true,
        by_window: true,
        fields: &["arrived", "by_ambulance", "planned"],
        at_service: false,
    },
    Definition {
        measure: Measure::AeDepartment,
        name: "ae_department",
        by_type: true,
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
        at_service: false,
    },
    Definition {
        measure: Measure::AmbHandover,
        name: "amb_handover",
        by_type: false,
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
        at_service: true,
    },
    Definition {
        measure: Measure::AmbQueue,
        name: "amb_queue",
        by_type: false,
        by_window: false,
        fields: &["waiting", "over_15m", "over_30m", "over_45m", "over_60m", "longest_s", "unclosed"],
        at_service: false,
    },
];

impl Measure {
    /// Every measure.
    pub const ALL: [Measure; 5] = [
        Measure::AeFourHour,
        Measure::AeArrivals,
        Measure::AeDepartment,
        Measure::AmbHandover,
        Measure::AmbQueue,
    ];

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
        self.definition().fields.iter().position(|field| *field == name)
    }

    /// Whether the measure exists at that level.
    pub fn exists_at(self, level: Level) -> bool {
        level != Level::Service || self.definition().at_service
    }
}

/// The values of tag `type`. The number is the number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TypeTag {
    /// Types 1, 2, 3 and 4 together.
    All = 0,
    /// Type 1.
    One = 1,
    /// Type 2.
    Two = 2,
    /// Types 3 and 4.
    Three = 3,
    /// Type 5: in `ae_department` and `ae_arrivals` only, never in `all`.
    Five = 5,
}

impl TypeTag {
    /// Every value of the tag.
    pub const ALL_TAGS: [TypeTag; 5] =
        [TypeTag::All, TypeTag::One, TypeTag::Two, TypeTag::Three, TypeTag::Five];

    /// The text of the tag.
    pub fn as_str(self) -> &'static str {
        match self {
            TypeTag::All => "all",
            TypeTag::One => "1",
            TypeTag::Two => "2",
            TypeTag::Three => "3",
            TypeTag::Five => "5",
        }
    }

    /// The tag of that text.
    pub fn parse(text: &str) -> Option<TypeTag> {
        TypeTag::ALL_TAGS.into_iter().find(|tag| tag.as_str() == text)
    }

    /// The tag of that number on the wire.
    pub fn from_number(number: u32) -> Option<TypeTag> {
        TypeTag::ALL_TAGS.into_iter().find(|tag| *tag as u32 == number)
    }
}

/// A window over the past (spec 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// [m − n, m) for n minutes.
    Rolling(u32),
    /// From the Europe/London midnight of the day that contains m − 1 min.
    Today,
}

/// The windows that are published unless the configuration says otherwise.
pub const DEFAULT_WINDOWS: [Window; 6] = [
    Window::Rolling(60),
    Window::Rolling(240),
    Window::Rolling(480),
    Window::Rolling(1_440),
    Window::Today,
    Window::Rolling(10_080),
];

impl Window {
    /// The first minute that the window covers at `m`; it covers up to `m`, which it does not contain.
    pub fn start(self, m: Minute, days: &LondonDays) -> Minute {
        match self {
            Window::Rolling(minutes) => m.minus(minutes),
            Window::Today => days.midnight(m.minus(1)),
        }
    }

    /// The last m at which the window still covers `minute`.
    pub fn last_covering(self, minute: Minute, days: &LondonDays) -> Minute {
        match self {
            Window::Rolling(minutes) => minute.plus(minutes),
            Window::Today => days.next_midnight(minute),
        }
    }

    /// The step at which it is published, in minutes: a window of more than a day every 15 minutes.
    pub fn step(self) -> u32 {
        match self {
            Window::Rolling(minutes) if minutes > 1_440 => 15,
            Window::Rolling(_) | Window::Today => 1,
        }
    }

    /// Its number on the wire: its minutes, 0 for today.
    pub fn number(self) -> u32 {
        match self {
            Window::Rolling(minutes) => minutes,
            Window::Today => 0,
        }
    }

    /// The window of that number on the wire.
    pub fn from_number(number: u32) -> Window {
        if number == 0 { Window::Today } else { Window::Rolling(number) }
    }

    /// Reads `4h`, `90m`, `7d` or `today`; at most 14 days, so that what is held covers it at every minute that is not final.
    pub fn parse(text: &str) -> Option<Window> {
        if text == "today" {
            return Some(Window::Today);
        }
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let number: u32 = number.parse().ok().filter(|n| (1..=20_160).contains(n))?;
        let minutes = match unit {
            "m" => number,
            "h" => number * 60,
            "d" => number * 1_440,
            _ => return None,
        };
        (minutes <= 20_160).then_some(Window::Rolling(minutes))
    }
}

impl fmt::Display for Window {
    /// The text of the tag: `4h`, `7d`, `today`. 24 hours are `24h`, whole days beyond are days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Today => f.write_str("today"),
            Window::Rolling(n) if n % 1_440 == 0 && *n > 1_440 => write!(f, "{}d", n / 1_440),
            Window::Rolling(n) if n % 60 == 0 => write!(f, "{}h", n / 60),
            Window::Rolling(n) => write!(f, "{n}m"),
        }
    }
}

/// Which series of an organisation: a measure and its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The measure.
    pub measure: Measure,
    /// Tag `type`, where the measure has it.
    pub department_type: Option<TypeTag>,
    /// Tag `window`, where the measure has it.
    pub window: Option<Window>,
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
    /// The value of a field; `None` if the measure has no such field.
    pub fn field(&self, name: &str) -> Option<i64> {
        self.key.measure.field(name).map(|index| self.values[index])
    }

    /// The fields by name, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
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

    #[test]
    fn the_table_is_in_the_order_of_the_numbers_and_fits() {
        for (index, definition) in MEASURES.iter().enumerate() {
            assert_eq!(definition.measure as usize, index + 1);
            assert!(definition.fields.len() <= MAX_FIELDS);
            assert_eq!(Measure::parse(definition.name), Some(definition.measure));
        }
    }

    #[test]
    fn windows_read_as_they_are_written() {
        for text in ["1h", "4h", "8h", "24h", "7d", "90m", "today"] {
            assert_eq!(Window::parse(text).map(|w| w.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "h", "0h", "-1h", "4", "4w", "15d", "99999d", "+4h ", "4é", "Today"] {
            assert_eq!(Window::parse(bad), None, "{bad}");
        }
        assert_eq!(Window::Rolling(10_080).step(), 15);
        assert_eq!(Window::Rolling(1_440).step(), 1);
    }
}
