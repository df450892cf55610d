//! Measures with their windows, numbered, and the first minutes of series: what is marked, read and begun together.

use crate::dirty::Slot;
use crate::event::Category;
use crate::ids::OrgId;
use crate::measures::{Measure, Tag, TagKind, TypeTag, Window};
use crate::organisations::Organisations;
use crate::organisations::areas::OTHER;

/// The most windows that can be computed: a slot is a number of eight bits.
pub const WINDOWS_MAX: usize = 40;

/// How many swept measures have windows.
const WINDOWED: usize = 6;

/// Measures with their windows, numbered: what is marked and read together.
#[derive(Clone, Debug)]
pub struct Slots {
    windows: Vec<Window>,
}

impl Slots {
    /// The slots of these windows, at most [`WINDOWS_MAX`].
    pub fn new(windows: &[Window]) -> Slots {
        assert!(windows.len() <= WINDOWS_MAX, "the configuration allows {WINDOWS_MAX} windows");
        Slots { windows: windows.to_vec() }
    }

    /// The windows.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The slot of a measure, and of its window (by position) if it has windows; `None` if it is not swept.
    pub(crate) fn of(&self, measure: Measure, window: usize) -> Option<Slot> {
        let windowed = |position: usize| position * self.windows.len() + window;
        let at_a_minute = |position: usize| WINDOWED * self.windows.len() + position;
        let number = match measure {
            Measure::AeFourHour => windowed(0),
            Measure::AeArrivals => windowed(1),
            Measure::AmbHandover => windowed(2),
            Measure::AeTreatment => windowed(3),
            Measure::AeAdmission => windowed(4),
            Measure::AmbResponse => windowed(5),
            Measure::AeDepartment => at_a_minute(0),
            Measure::AmbQueue => at_a_minute(1),
            Measure::AeArea => at_a_minute(2),
            Measure::BedState => at_a_minute(3),
            Measure::Escalation => at_a_minute(4),
            Measure::Standard
            | Measure::Opel
            | Measure::OpelParameter
            | Measure::FirstKnown
            | Measure::Feed => return None,
        };
        Some(number as Slot)
    }

    /// Every slot: its measure and the position of its window.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Slot, Measure, Option<usize>)> + '_ {
        Measure::swept().flat_map(move |measure| {
            let by_window = measure.definition().by_window;
            let windows = if by_window { self.windows.len() } else { 1 };
            (0..windows).filter_map(move |window| {
                Some((self.of(measure, window)?, measure, by_window.then_some(window)))
            })
        })
    }

    /// The step of a slot in minutes.
    pub(crate) fn step(&self, window: Option<usize>) -> u32 {
        window.map_or(1, |window| self.windows[window].step())
    }
}

/// Where a series stands among those of its measure at an organisation: that of its tag. `None`: no such series is
/// computed there.
pub(crate) fn ordinal(orgs: &Organisations, org: OrgId, measure: Measure, tag: Tag) -> Option<usize> {
    match (measure.definition().tag, tag) {
        (TagKind::None, Tag::None) => Some(0),
        (TagKind::Type, Tag::Type(tag)) => TypeTag::ALL_TAGS.iter().position(|one| *one == tag),
        (TagKind::Category, Tag::Category(category)) => Some(category as usize),
        (TagKind::Area, Tag::Text(text)) => {
            let position = orgs.area(org, text.as_str());
            (position < orgs.areas(org).len() || text.as_str() == OTHER).then_some(position)
        }
        (
            TagKind::None
            | TagKind::Type
            | TagKind::Category
            | TagKind::Area
            | TagKind::Standard
            | TagKind::Scale
            | TagKind::Framework
            | TagKind::Parameter
            | TagKind::Source,
            Tag::None | Tag::Type(_) | Tag::Category(_) | Tag::Text(_),
        ) => None,
    }
}

/// How many series (and windows) a measure has at an organisation, those of all its windows counted as one.
pub(crate) fn ordinals(orgs: &Organisations, org: OrgId, measure: Measure) -> usize {
    match measure.definition().tag {
        TagKind::None => 1,
        TagKind::Type => TypeTag::ALL_TAGS.len(),
        TagKind::Category => Category::ALL.len(),
        TagKind::Area => orgs.areas(org).len() + 1,
        TagKind::Standard | TagKind::Scale | TagKind::Framework | TagKind::Parameter | TagKind::Source => 0,
    }
}
