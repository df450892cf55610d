//! The live picture: the newest figures of each organisation, the last hours of a few, the open episodes; and who is
//! told when they change.
//!
//! It merges nothing: it is handed what stands ([`crate::row::Row`]) by the store. Every message to a browser is
//! rendered once, however many watch. A browser gets a snapshot first and then deltas whose numbers rise by one; who has
//! missed one gets a snapshot again.

mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::alert::AlertRecord;
use domain::event::DepartmentType;
use domain::ids::OrgId;
use domain::measures::{Freshness, Measure, OrgMinute, SeriesKey, TypeTag, Window};
use domain::organisations::{Level, Organisations};
use domain::target::Target;
use domain::time::{LondonDays, Minute};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::alerts::{AlertView, Episodes};
use crate::read::Reader;
use crate::row::Row;
use crate::store::StoreError;

/// Every how many minutes a sparkline has a point, and over how many minutes it goes.
const SPARK_STEP: u32 = 5;
const SPARK_MINUTES: u32 = 240;

/// How many deltas a slow browser may be behind before it gets a snapshot instead.
const DELTAS_HELD: usize = 64;

const FOUR_HOURS: Window = Window::Rolling(240);

/// A figure of an organisation on the page.
#[derive(Debug)]
struct Column {
    /// Its name in messages: the contract with `static/*.js`.
    name: &'static str,
    measure: Measure,
    department_type: Option<TypeTag>,
    window: Option<Window>,
    field: &'static str,
}

const fn column(
    name: &'static str,
    measure: Measure,
    department_type: Option<TypeTag>,
    window: Option<Window>,
    field: &'static str,
) -> Column {
    Column { name, measure, department_type, window, field }
}

const ONE: Option<TypeTag> = Some(TypeTag::One);
const ALL: Option<TypeTag> = Some(TypeTag::All);
const LAST_4H: Option<Window> = Some(FOUR_HOURS);
const LAST_1H: Option<Window> = Some(Window::Rolling(60));
const TODAY: Option<Window> = Some(Window::Today);

/// The figures of an organisation in messages, after its minute, whether it is stale, and the age of its facts.
#[rustfmt::skip]
const COLUMNS: &[Column] = &[
    column("t1_departed_4h", Measure::AeFourHour, ONE, LAST_4H, "departed"),
    column("t1_within_4h", Measure::AeFourHour, ONE, LAST_4H, "within"),
    column("t1_departed_today", Measure::AeFourHour, ONE, TODAY, "departed"),
    column("t1_within_today", Measure::AeFourHour, ONE, TODAY, "within"),
    column("all_departed_4h", Measure::AeFourHour, ALL, LAST_4H, "departed"),
    column("all_within_4h", Measure::AeFourHour, ALL, LAST_4H, "within"),
    column("all_departed_today", Measure::AeFourHour, ALL, TODAY, "departed"),
    column("all_within_today", Measure::AeFourHour, ALL, TODAY, "within"),
    column("all_over_12h_today", Measure::AeFourHour, ALL, TODAY, "over_12h"),
    column("all_implausible_today", Measure::AeFourHour, ALL, TODAY, "implausible"),
    column("arrived_1h", Measure::AeArrivals, ALL, LAST_1H, "arrived"),
    column("by_ambulance_1h", Measure::AeArrivals, ALL, LAST_1H, "by_ambulance"),
    column("arrived_today", Measure::AeArrivals, ALL, TODAY, "arrived"),
    column("t1_present", Measure::AeDepartment, ONE, None, "present"),
    column("t1_over_4h", Measure::AeDepartment, ONE, None, "over_4h"),
    column("present", Measure::AeDepartment, ALL, None, "present"),
    column("awaiting_admission", Measure::AeDepartment, ALL, None, "awaiting_admission"),
    column("awaiting_over_12h", Measure::AeDepartment, ALL, None, "awaiting_over_12h"),
    column("over_4h", Measure::AeDepartment, ALL, None, "over_4h"),
    column("over_12h", Measure::AeDepartment, ALL, None, "over_12h"),
    column("due_30m", Measure::AeDepartment, ALL, None, "due_30m"),
    column("due_60m", Measure::AeDepartment, ALL, None, "due_60m"),
    column("longest_minutes", Measure::AeDepartment, ALL, None, "longest_minutes"),
    column("unclosed", Measure::AeDepartment, ALL, None, "unclosed"),
    column("handovers_1h", Measure::AmbHandover, None, LAST_1H, "completed"),
    column("handover_total_s_1h", Measure::AmbHandover, None, LAST_1H, "total_s"),
    column("handovers_over_30m_1h", Measure::AmbHandover, None, LAST_1H, "over_30m"),
    column("handovers_over_60m_1h", Measure::AmbHandover, None, LAST_1H, "over_60m"),
    column("queue", Measure::AmbQueue, None, None, "waiting"),
    column("queue_over_30m", Measure::AmbQueue, None, None, "over_30m"),
    column("queue_longest_s", Measure::AmbQueue, None, None, "longest_s"),
];

/// What the figures on the board are: those of now, or those of a minute of a filled store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They change as the topic is read.
    Live,
    /// They stand still.
    AsAt(Minute),
}

/// What the board says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Status {
    /// Records of the measures topic that are not taken in yet, where they are many.
    pub behind_records: Option<u64>,
    /// The log is away: nothing new can come.
    pub log_away: bool,
}

/// What a watcher is told.
#[derive(Clone, Debug)]
pub enum Message {
    /// Something changed.
    Delta {
        /// One more than the one before.
        seq: u64,
        /// A JSON object.
        json: Arc<str>,
    },
    /// The process stops: the stream ends.
    Closed,
}

/// A snapshot and what comes after it.
#[derive(Debug)]
pub struct Watch {
    /// The number of the snapshot: the first delta has the next.
    pub seq: u64,
    /// A JSON object.
    pub json: String,
    /// The deltas. One that lags is to be replaced by a new [`Live::watch`].
    pub deltas: broadcast::Receiver<Message>,
}

/// The live picture. Shared by the thread that reads the topic and the tasks that serve browsers.
#[derive(Debug)]
pub struct Live {
    organisations: Arc<Organisations>,
    days: LondonDays,
    columns: Vec<(SeriesKey, usize)>,
    mode: Mode,
    target: Option<Target>,
    state: Mutex<State>,
    sender: broadcast::Sender<Message>,
}

#[derive(Debug, Default)]
struct State {
    seq: u64,
    head: Option<Minute>,
    figures: Vec<Option<Figures>>,
    sparks: Vec<BTreeMap<Minute, Spark>>,
    episodes: Episodes,
    status: Status,
    changed: Changed,
    /// The rendered snapshot of `seq`, until something changes.
    snapshot: Option<Arc<str>>,
    closed: bool,
}

/// What has changed since the last delta.
#[derive(Debug, Default)]
struct Changed {
    orgs: BTreeSet<OrgId>,
    sparks: BTreeSet<(OrgId, Minute)>,
    episodes: bool,
    status: bool,
}

impl Changed {
    fn nothing(&self) -> bool {
        self.orgs.is_empty() && self.sparks.is_empty() && !self.episodes && !self.status
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Figures {
    minute: Minute,
    freshness: Freshness,
    values: Vec<i64>,
}

/// A point of the two small lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spark {
    /// Within four hours of those who departed in the last four, in thousandths, rounded down; none departed: `None`.
    within_permille: Option<i64>,
    present: i64,
}

impl Live {
    /// An empty picture. `target`: what the within-four-hours figures of all types are held against, by its days.
    pub fn new(organisations: Arc<Organisations>, mode: Mode, target: Option<Target>) -> Live {
        let columns = COLUMNS.iter().map(|column| {
            let Column { measure, department_type, window, field, .. } = *column;
            let key = SeriesKey::new(measure, department_type, window);
            (key, measure.field(field).expect("the table names fields of spec 2.4"))
        });
        let state = State {
            figures: vec![None; organisations.len()],
            sparks: vec![BTreeMap::new(); organisations.len()],
            ..State::default()
        };
        Live {
            columns: columns.collect(),
            organisations,
            days: LondonDays::new(),
            mode,
            target,
            state: Mutex::new(state),
            sender: broadcast::channel(DELTAS_HELD).0,
        }
    }

    /// The organisations that are shown.
    pub fn organisations(&self) -> &Arc<Organisations> {
        &self.organisations
    }

    /// Whether the figures change.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Fills the picture from a store: what was newest at the mode's minute.
    pub fn load(&self, reader: &mut Reader) -> Result<(), StoreError> {
        let until = match self.mode {
            Mode::AsAt(minute) => minute,
            Mode::Live => match reader.newest_minute()? {
                Some(minute) => minute,
                None => return Ok(()),
            },
        };
        for (id, org) in self.organisations.iter() {
            if let Some(newest) = reader.newest_until(&org.code, until)? {
                self.observe_row(id, newest.minute, &Row::new(&newest));
            }
            if self.has_spark(id) {
                // A kept history may have a point an hour only: between two steps the last one stands.
                let stands_for = if self.mode == Mode::Live { 0 } else { 60 };
                let mut last: Option<(Minute, Row)> = None;
                for at in until.minus(SPARK_MINUTES).0.div_ceil(SPARK_STEP)..=until.0 / SPARK_STEP {
                    let minute = Minute(at * SPARK_STEP);
                    if let Some(row) = reader.row(&org.code, minute)? {
                        last = Some((minute, row));
                    }
                    if let Some((since, row)) = &last
                        && minute <= since.plus(stands_for)
                    {
                        self.observe_spark(id, minute, row);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in what now stands of an org-minute. Browsers are told at the next [`Live::flush`].
    pub fn observe(&self, writing: &OrgMinute, row: &Row) {
        let Some(id) = self.organisations.find(&writing.org) else { return };
        self.observe_row(id, writing.minute, row);
        if writing.minute.0.is_multiple_of(SPARK_STEP) && self.has_spark(id) {
            self.observe_spark(id, writing.minute, row);
        }
    }

    /// Takes in a record of the alerts topic.
    pub fn alert(&self, record: &AlertRecord) {
        let mut state = self.state();
        let changed = state.episodes.apply(record);
        state.changed.episodes |= changed;
    }

    /// Takes in what the board says about itself.
    pub fn status(&self, status: Status) {
        let mut state = self.state();
        if state.status != status {
            state.status = status;
            state.changed.status = true;
        }
    }

    /// Episodes that were open at some time from a minute on, the newest first.
    pub fn episodes(&self, from: Minute) -> Vec<AlertView> {
        self.state().episodes.from(from).into_iter().cloned().collect()
    }

    /// The newest minute of any organisation.
    pub fn head(&self) -> Option<Minute> {
        self.state().head
    }

    /// Tells the browsers what changed since the last time; whether there was anything. `now_ms`: the wall clock.
    pub fn flush(&self, now_ms: i64) -> bool {
        let mut state = self.state();
        if state.changed.nothing() {
            return false;
        }
        state.seq += 1;
        state.snapshot = None;
        let changed = std::mem::take(&mut state.changed);
        let json = self.delta(&state, &changed, now_ms);
        // Nobody listening is no error.
        let _listeners = self.sender.send(Message::Delta { seq: state.seq, json: json.into() });
        true
    }

    /// A snapshot and the deltas that follow it, without a gap between them. `now_ms`: the wall clock.
    pub fn watch(&self, now_ms: i64) -> Option<Watch> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let rendered = match &state.snapshot {
            Some(rendered) => rendered.clone(),
            None => {
                let rendered: Arc<str> = self.snapshot(&state).into();
                state.snapshot = Some(rendered.clone());
                rendered
            }
        };
        let json = format!("{{\"now_ms\":{now_ms},{rendered}}}");
        Some(Watch { seq: state.seq, json, deltas: self.sender.subscribe() })
    }

    /// Ends every stream, for good.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let _listeners = self.sender.send(Message::Closed);
    }

    fn observe_row(&self, id: OrgId, minute: Minute, row: &Row) {
        let mut state = self.state();
        state.head = state.head.max(Some(minute));
        let held = &mut state.figures[id.index()];
        if held.as_ref().is_some_and(|held| held.minute > minute) {
            return;
        }
        let value = |(key, field): &(SeriesKey, usize)| row.values(key).map_or(0, |values| values[*field]);
        let figures =
            Figures { minute, freshness: row.freshness, values: self.columns.iter().map(value).collect() };
        if held.as_ref() != Some(&figures) {
            *held = Some(figures);
            state.changed.orgs.insert(id);
        }
    }

    fn observe_spark(&self, id: OrgId, minute: Minute, row: &Row) {
        let four_hour = SeriesKey {
            measure: Measure::AeFourHour,
            tag: self.spark_type(id).into(),
            window: Some(FOUR_HOURS),
        };
        let department = SeriesKey::new(Measure::AeDepartment, TypeTag::All, None);
        let [departed, within, ..] = row.values(&four_hour).copied().unwrap_or_default();
        let present = row.values(&department).map_or(0, |values| values[0]);
        let within_permille = (departed > 0).then(|| within.saturating_mul(1_000) / departed);
        let spark = Spark { within_permille, present };
        let mut state = self.state();
        let oldest = state.head.unwrap_or(minute).minus(SPARK_MINUTES);
        if minute < oldest {
            return;
        }
        let line = &mut state.sparks[id.index()];
        *line = line.split_off(&oldest);
        if line.insert(minute, spark) != Some(spark) {
            state.changed.sparks.insert((id, minute));
        }
    }

    /// The small lines are shown of sites, regions and the nation.
    fn has_spark(&self, id: OrgId) -> bool {
        match self.organisations.get(id).level {
            Level::Site | Level::Region | Level::Nation => true,
            Level::Service | Level::Trust | Level::System | Level::Group => false,
        }
    }

    /// The line of a department of another type than 1 is that of all its types.
    fn spark_type(&self, id: OrgId) -> TypeTag {
        match self.organisations.get(id).department_type {
            None | Some(DepartmentType::Major) => TypeTag::One,
            Some(
                DepartmentType::SingleSpecialty
                | DepartmentType::Other
                | DepartmentType::WalkInCentre
                | DepartmentType::SameDayEmergencyCare,
            ) => TypeTag::All,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
