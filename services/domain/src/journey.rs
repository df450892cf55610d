//! An ambulance journey: from its facts to its response, its handover and its time in the queue (spec 1.3, 2.4).

use crate::attendance::{say_instant, say_small};
use crate::event::{Category, Fact, Journey};
use crate::fact::{LINK, Link, RETRACTED, Record, SMALL, SMALL_BASE, Said};
use crate::ids::{OrgId, Ref};
use crate::time::{Minute, Second};

/// A handover counts where 0 ≤ delay ≤ this many seconds; an ambulance waits at most so long.
pub const DAY_SECONDS: u32 = 86_400;
/// An ambulance that nobody closed counts as unclosed for so long.
pub const FOURTEEN_DAYS_SECONDS: u32 = 14 * DAY_SECONDS;

/// The slots of a journey in its [`Record`].
pub(crate) mod slot {
    pub(crate) const CALL: usize = 0;
    pub(crate) const CLOCK_STARTED: usize = 1;
    pub(crate) const RESPONDED: usize = 2;
    pub(crate) const ARRIVED: usize = 3;
    pub(crate) const HANDED_OVER: usize = 4;
    pub(crate) const CLEARED: usize = 5;
    pub(crate) const CATEGORY: usize = 7;
    pub(crate) const VOID: usize = 13;
}

/// How many values each small fact has in its slot, counted from 0; see [`crate::fact::Shape`].
pub(crate) const SMALLS: [u8; SMALL] = [Category::ALL.len() as u8, 0, 0, 0, 0, 0, 2];

/// What an attendance needs of its journey, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JourneyTimes {
    pub(crate) arrived: Option<u32>,
    pub(crate) handed_over: Option<u32>,
    pub(crate) cleared: Option<u32>,
}

/// A handover: for `amb_handover`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// ⌊handed_over_at⌋
    pub minute: Minute,
    /// handed_over_at − arrived_at, in seconds; at most a day.
    pub delay_seconds: u32,
}

/// A response that stopped the clock: for `amb_response`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// ⌊responded_at⌋
    pub minute: Minute,
    /// responded_at − clock_started_at, in seconds; at most a day.
    pub delay_seconds: u32,
    /// How urgent the call is.
    pub category: Category,
}

/// An ambulance that waits: for `amb_queue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// When it arrived.
    pub arrived: Second,
    /// The first minute at which it no longer waits.
    pub until: Minute,
}

impl Wait {
    /// The first minute at which it waits.
    pub fn begin(&self) -> Minute {
        self.arrived.minute().plus(1)
    }

    /// From this minute on it counts nowhere.
    pub fn end(&self) -> Minute {
        self.until.min(Second(self.arrived.0 + FOURTEEN_DAYS_SECONDS).minute().plus(1))
    }

    /// Seconds waited at `m`, if it is there.
    pub fn seconds(&self, m: Minute) -> Option<u32> {
        (self.begin() <= m && m < self.end()).then(|| m.0 * 60 - self.arrived.0)
    }
}

/// What one journey adds to the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The service whose journey it is.
    pub service: OrgId,
    /// The site that it goes to, if known.
    pub destination: Option<OrgId>,
    /// To `amb_handover`.
    pub handover: Option<Handover>,
    /// To `amb_queue` of the destination.
    pub wait: Option<Wait>,
    /// To `amb_response` of the service.
    pub response: Option<Response>,
}

/// What the journey adds; nothing if it is void.
pub(crate) fn contribution(record: &Record) -> Option<Contribution> {
    if is_void(record) {
        return None;
    }
    let times = times(record);
    Some(Contribution {
        service: OrgId(record.place),
        destination: destination(record),
        handover: handover(times),
        wait: wait(times),
        response: response(record),
    })
}

/// Spec 2.4, `amb_response`: without a category it is in no series.
fn response(record: &Record) -> Option<Response> {
    let responded = record.instant(slot::RESPONDED)?;
    let delay_seconds = responded.checked_sub(record.instant(slot::CLOCK_STARTED)?)?;
    let category = *Category::ALL.get(usize::from(record.small(slot::CATEGORY)?))?;
    let counts = delay_seconds <= DAY_SECONDS;
    counts.then_some(Response { minute: Second(responded).minute(), delay_seconds, category })
}

pub(crate) fn is_void(record: &Record) -> bool {
    record.small(slot::VOID) == Some(1)
}

pub(crate) fn destination(record: &Record) -> Option<OrgId> {
    record.stated_link().map(|link| OrgId(link.place))
}

pub(crate) fn times(record: &Record) -> JourneyTimes {
    JourneyTimes {
        arrived: record.instant(slot::ARRIVED),
        handed_over: record.instant(slot::HANDED_OVER),
        cleared: record.instant(slot::CLEARED),
    }
}

fn handover(times: JourneyTimes) -> Option<Handover> {
    let (handed_over, arrived) = (times.handed_over?, times.arrived?);
    let delay_seconds = handed_over.checked_sub(arrived).filter(|delay| *delay <= DAY_SECONDS)?;
    Some(Handover { minute: Second(handed_over).minute(), delay_seconds })
}

/// Arrived, not handed over, not cleared.
fn wait(times: JourneyTimes) -> Option<Wait> {
    let arrived = Second(times.arrived?);
    let gone = [times.handed_over, times.cleared].into_iter().flatten().min();
    let until = gone.map_or(Minute(u32::MAX), |seconds| Second(seconds).minute().plus(1));
    Some(Wait { arrived, until }).filter(|wait| wait.begin() < wait.end())
}

/// Puts the statement into slots. `place` is the destination that it names.
pub(crate) fn said(journey: &Journey<'_>, place: Option<OrgId>) -> Said {
    let mut said = Said::default();
    let instants = [
        (slot::CALL, journey.call_at),
        (slot::CLOCK_STARTED, journey.clock_started_at),
        (slot::RESPONDED, journey.responded_at),
        (slot::ARRIVED, journey.arrived_at),
        (slot::HANDED_OVER, journey.handed_over_at),
        (slot::CLEARED, journey.cleared_at),
    ];
    for (slot, fact) in instants {
        say_instant(&mut said, slot, fact);
    }
    say_small(&mut said, slot::CATEGORY, journey.category, |one| one as u8);
    say_small(&mut said, slot::VOID, journey.void, u8::from);
    match (&journey.destination, place) {
        (Fact::Retracted, _) => said.say(LINK, RETRACTED),
        (Fact::Stated(_), Some(site)) => {
            said.say(LINK, SMALL_BASE);
            said.link = Link { place: site.0, reference: Ref([0; 16]) };
        }
        (Fact::Stated(_), None) | (Fact::Absent, _) => {}
    }
    said
}
