//! The engine: makes hours of arrivals as they are needed and hands out what is said in the order in which the log
//! would receive it. It holds what is under way (attendances that are open or about to come), never a history, so it
//! can run for ever. Not a clock: the caller says how far.

use std::fmt::Write;

use domain::event::{DepartmentType, Event, Statement};
use domain::organisations::Organisations;
use domain::time::{END_SECOND, FIRST_SECOND, Millis, Second};
use jiff::tz::TimeZone;

use crate::arrivals::{LocalHour, arrivals, local_hour, london};
use crate::beds::beds;
use crate::calls;
use crate::drill::Drill;
use crate::faults::Faults;
use crate::journeys::LEAD_SECONDS_MAX;
use crate::organisations::Places;
use crate::queue::{Deliverable, Queue};
use crate::random::{Draws, Purpose};
use crate::script::{self, Line, STATEMENTS_MAX, STATEMENTS_MIN, Speaker, Step};
use crate::settings::{BedStates, SimulationSettings};
use crate::statements::{self, Said};
use crate::stays::{self, Visit};

/// How long after its arrival an attendance can still be spoken of: the longest stay and what follows it, and with
/// faults what comes late.
const SPOKEN_OF_SECONDS: u32 = 60 * 3600;
const SPOKEN_OF_SECONDS_WITH_FAULTS: u32 = 110 * 3600;
const HEARTBEAT_SECONDS: u32 = 300;

/// Why a simulation cannot begin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SimulationError {
    /// Nothing to simulate.
    #[error("until ({until}) must be after from ({from})")]
    Period {
        /// As stated.
        from: Second,
        /// As stated.
        until: Second,
    },
    /// Instants that no event may state.
    #[error("from must be at least 2000-01-02T00:00:00Z and until at most 2100-01-01T00:00:00Z")]
    OutOfRange,
    /// No site takes part.
    #[error(
        "the organisations have no site of the types asked for: at least one row of level site is needed"
    )]
    NoSites,
    /// Too few or too many statements.
    #[error("statements is {0}: 2 to 16 of an attendance are possible")]
    Statements(u8),
    /// No number, or none of use.
    #[error("size must be a number above 0 and at most 10")]
    Size,
    /// The drill's site does not take part or is no major department.
    #[error("the drill's site \"{0}\" is not a type 1 site of this simulation")]
    DrillSite(String),
}

/// An event and when the log would receive it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered<'a> {
    /// When it is received.
    pub at: Millis,
    /// What is received.
    pub event: Event<'a>,
}

/// A running simulation.
pub struct Simulation {
    settings: SimulationSettings,
    places: Places,
    faults: Faults,
    zone: TimeZone,
    /// Start of the next hour whose arrivals are to be made.
    next_hour: Second,
    /// Nothing that is received before it is handed out.
    deliver_from: i64,
    queue: Queue<Message>,
    visits: Visits,
    lines: Vec<Line>,
    id: String,
    handed_out: u64,
}

/// One message under way.
#[derive(Clone, Copy, Debug)]
struct Message {
    at: i64,
    order: u64,
    recorded_at: i64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Visit { slot: u32, step: Step, number: u8 },
    Beds { site: u16, as_of: Second },
    Call { service: u16, number: u32, call_at: Second, step: calls::Step },
    Heartbeat { source: u16 },
}

impl Deliverable for Message {
    fn at(&self) -> i64 {
        self.at
    }

    fn order(&self) -> u64 {
        self.order
    }
}

impl Simulation {
    /// Begins at `settings.from`.
    pub fn new(
        settings: SimulationSettings,
        organisations: &Organisations,
    ) -> Result<Simulation, SimulationError> {
        let from = Millis::from(settings.from);
        Simulation::resume(settings, organisations, Millis(from.0 - 1))
    }

    /// Takes up a simulation that was stopped: what [`Simulation::new`] with the same settings would give, without the
    /// events that are received at or before `after`; `events_max` counts from here. Costs the making of the last days
    /// before `after`, not of all since `from`.
    pub fn resume(
        settings: SimulationSettings,
        organisations: &Organisations,
        after: Millis,
    ) -> Result<Simulation, SimulationError> {
        let places = check(&settings, organisations)?;
        let faults = Faults::new(&settings.faults, settings.seed, &places);
        let spoken_of = if faults.any() { SPOKEN_OF_SECONDS_WITH_FAULTS } else { SPOKEN_OF_SECONDS };
        let deliver_from = after.0.saturating_add(1).max(Millis::from(settings.from).0);
        let earliest = Millis(deliver_from).second().0.saturating_sub(spoken_of).max(settings.from.0);
        Ok(Simulation {
            next_hour: Second(earliest / 3600 * 3600),
            deliver_from,
            queue: Queue::new(deliver_from),
            visits: Visits::default(),
            lines: Vec::new(),
            id: String::new(),
            handed_out: 0,
            zone: london(),
            settings,
            places,
            faults,
        })
    }

    /// The next event, to the end of the simulation.
    pub fn next_event(&mut self) -> Option<Delivered<'_>> {
        self.next_before(Millis(i64::MAX))
    }

    /// The next event that is received before `limit`; `None` when there is none *yet*.
    pub fn next_before(&mut self, limit: Millis) -> Option<Delivered<'_>> {
        if self.settings.events_max.is_some_and(|max| self.handed_out >= max) {
            return None;
        }
        let limit = limit.0.min(Millis::from(self.settings.until).0);
        let message = self.pop_before(limit)?;
        self.handed_out += 1;
        Some(Delivered { at: Millis(message.at), event: self.event(message) })
    }

    /// How many events were handed out.
    pub fn handed_out(&self) -> u64 {
        self.handed_out
    }

    /// The names of the sources that speak, as in `Event::source`.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.places.sources.iter().map(String::as_str)
    }

    /// The codes of the sites that take part, each with its mean attendances a day.
    pub fn sites(&self) -> impl Iterator<Item = (&str, f64)> {
        self.places.sites.iter().map(|site| (site.code.as_str(), site.daily))
    }

    fn pop_before(&mut self, limit: i64) -> Option<Message> {
        loop {
            // What is received before this is all made: a call precedes the arrival by at most LEAD_SECONDS_MAX.
            let made = Millis::from(Second(self.next_hour.0 - LEAD_SECONDS_MAX)).0;
            if let Some(message) = self.queue.pop_before(limit.min(made)) {
                return Some(message);
            }
            if made >= limit {
                return None;
            }
            self.make_hour();
        }
    }

    fn make_hour(&mut self) {
        let start = self.next_hour;
        let local = local_hour(&self.zone, start);
        for site in 0..self.places.sites.len() {
            self.make_arrivals(site as u16, start, local);
            self.make_bed_state(site as u16, start, local);
        }
        if self.settings.calls {
            for service in 0..self.places.services.len() {
                self.make_calls(service as u16, start, local);
            }
        }
        if self.settings.heartbeats {
            self.make_heartbeats(start);
        }
        self.next_hour = Second(start.0 + 3600);
    }

    fn make_arrivals(&mut self, index: u16, start: Second, local: LocalHour) {
        let site = &self.places.sites[usize::from(index)];
        let hour = u64::from(start.0 / 3600);
        let stream = |purpose| Draws::new(self.settings.seed, purpose, site.key, hour);
        let (mut draws, mut fault_draws) = (stream(Purpose::Visits), stream(Purpose::Faults));
        let mut drill_draws = stream(Purpose::Drill);
        let drill = self.settings.drill.as_ref().filter(|drill| drill.site == site.code);
        let first_number = (start.0 - FIRST_SECOND) / 3600 * 1000;
        for (n, came) in arrivals(site, start, local, &mut draws).into_iter().enumerate() {
            let key = (index, first_number + n as u32);
            let drill = drill.map(|drill: &Drill| (drill, &mut drill_draws));
            let mut visit = stays::visit(site, key, (came, local.ahead_minutes), &mut draws, drill);
            let mut lines = std::mem::take(&mut self.lines);
            let statements = self.settings.statements;
            script::script(&mut visit, statements, &self.faults, &mut fault_draws, &mut lines);
            if came >= self.settings.from {
                let slot = self.visits.insert(visit);
                let mut sender = Sender {
                    seed: self.settings.seed,
                    places: &self.places,
                    faults: &self.faults,
                    queue: &mut self.queue,
                    deliver_from: self.deliver_from,
                };
                let sent = sender.send_visit(&visit, slot, &lines, &mut fault_draws);
                self.visits.expect(slot, sent);
            }
            self.lines = lines;
        }
    }

    fn make_calls(&mut self, index: u16, start: Second, local: LocalHour) {
        let service = &self.places.services[usize::from(index)];
        let (seed, source) = (self.settings.seed, service.source);
        let stream = |purpose| Draws::new(seed, purpose, service.key, u64::from(start.0 / 3600));
        let (mut draws, mut fault_draws) = (stream(Purpose::Calls), stream(Purpose::Faults));
        let first_number = (start.0 - FIRST_SECOND) / 3600 * 1000;
        for (n, call_at) in calls::calls(service, start, local, &mut draws).into_iter().enumerate() {
            let number = first_number + n as u32;
            let call = calls::call(seed, service, number, call_at);
            for step in calls::Step::ALL {
                let recorded_at = Millis::from(call.when(step)).0 + i64::from(draws.below(120_000));
                let at = recorded_at + i64::from(draws.below(60_000));
                let at = self.faults.received(at, &mut fault_draws);
                let again = self.faults.received_again(at, &mut fault_draws);
                for (at, again) in [(Some(at), false), (again, true)] {
                    let Some(at) = at.filter(|_| call_at >= self.settings.from) else { continue };
                    let at = self.faults.silent_until(source, at).unwrap_or(at);
                    if at >= self.deliver_from {
                        let order = order(index, number, step.number(), 4, again);
                        let what = What::Call { service: index, number, call_at, step };
                        self.queue.push(Message { at, order, recorded_at, what });
                    }
                }
            }
        }
    }

    fn make_bed_state(&mut self, index: u16, start: Second, local: LocalHour) {
        let site = &self.places.sites[usize::from(index)];
        let due = match self.settings.beds {
            BedStates::None => false,
            BedStates::Daily => local.hour == 8,
            BedStates::Hourly => true,
        };
        if !due || site.kind != DepartmentType::Major || start < self.settings.from {
            return;
        }
        let source = site.source;
        let mut draws = Draws::new(self.settings.seed, Purpose::Feeds, site.key, u64::from(start.0));
        let recorded_at = Millis::from(start).0 + i64::from(draws.below(300_000));
        let at = recorded_at + i64::from(draws.below(60_000));
        let order = order(index, start.0, 0, 2, false);
        let what = What::Beds { site: index, as_of: start };
        self.queue_plain(source, Message { at, order, recorded_at, what });
    }

    fn make_heartbeats(&mut self, start: Second) {
        for source in 0..self.places.sources.len() as u16 {
            for n in 0..3600 / HEARTBEAT_SECONDS {
                let beat = Millis::from(Second(start.0 + n * HEARTBEAT_SECONDS)).0;
                // Sources do not beat in step.
                let recorded_at = beat + i64::from(source) * 997 % 300_000;
                if self.faults.silent_until(source, recorded_at).is_none() {
                    let order = order(source, start.0, n as u8, 3, false);
                    let (at, what) = (recorded_at + 1_000, What::Heartbeat { source });
                    self.queue_plain(source, Message { at, order, recorded_at, what });
                }
            }
        }
    }

    fn queue_plain(&mut self, source: u16, message: Message) {
        let at = self.faults.silent_until(source, message.at).unwrap_or(message.at);
        if at >= self.deliver_from {
            self.queue.push(Message { at, ..message });
        }
    }

    fn event(&mut self, message: Message) -> Event<'_> {
        self.id.clear();
        let recorded_at = Millis(message.recorded_at);
        let source_of = |index: u16| self.places.sources[usize::from(index)].as_str();
        let error = |index| self.faults.clock_error_seconds(index, recorded_at);
        match message.what {
            What::Visit { slot, step, number } => {
                let visit = self.visits.take(slot);
                let site = &self.places.sites[usize::from(visit.site)];
                let service = site.service.map(|index| &self.places.services[usize::from(index)]);
                write!(self.id, "{}-{}-{}", site.code, visit.number, number).expect("a String takes all");
                let source = match (step.speaker(), service) {
                    (Speaker::AmbulanceService, Some(service)) => service.source,
                    (Speaker::AmbulanceService, None) | (Speaker::Department, _) => site.source,
                };
                let said = Said {
                    id: &self.id,
                    source: source_of(source),
                    recorded_at,
                    clock_error_seconds: error(source),
                };
                let seed = self.settings.seed;
                let by_service = service
                    .filter(|_| step.speaker() == Speaker::AmbulanceService)
                    .and_then(|service| statements::journey(seed, site, service, &visit, step, said));
                by_service.unwrap_or_else(|| statements::attendance(seed, site, service, &visit, step, said))
            }
            What::Beds { site, as_of } => {
                let site = &self.places.sites[usize::from(site)];
                write!(self.id, "{}-BEDS-{}", site.code, as_of.0 / 60).expect("a String takes all");
                let clock_error_seconds = error(site.source);
                let said =
                    Said { id: &self.id, source: source_of(site.source), recorded_at, clock_error_seconds };
                statements::beds(site, as_of, beds(self.settings.seed, site, as_of), said)
            }
            What::Call { service, number, call_at, step } => {
                let seed = self.settings.seed;
                let service = &self.places.services[usize::from(service)];
                write!(self.id, "{}-CALL-{number}-{}", service.code, step.number())
                    .expect("a String takes all");
                let clock_error_seconds = error(service.source);
                let said = Said {
                    id: &self.id,
                    source: source_of(service.source),
                    recorded_at,
                    clock_error_seconds,
                };
                let call = calls::call(seed, service, number, call_at);
                calls::statement(seed, service, (number, call), step, said)
            }
            What::Heartbeat { source } => {
                write!(self.id, "HEARTBEAT-{}", message.recorded_at / 1000).expect("a String takes all");
                let clock_error_seconds = error(source);
                let said = Said { id: &self.id, source: source_of(source), recorded_at, clock_error_seconds };
                said.event(Statement::Heartbeat)
            }
        }
    }
}

fn check(settings: &SimulationSettings, organisations: &Organisations) -> Result<Places, SimulationError> {
    let (from, until) = (settings.from, settings.until);
    if until <= from {
        return Err(SimulationError::Period { from, until });
    }
    // A day for calls that precede the first arrival, and a source's wrong clock.
    if from.0 < FIRST_SECOND + 86_400 || until.0 > END_SECOND {
        return Err(SimulationError::OutOfRange);
    }
    if let Some(statements) = settings.statements
        && !(STATEMENTS_MIN..=STATEMENTS_MAX).contains(&statements)
    {
        return Err(SimulationError::Statements(statements));
    }
    if !(settings.size > 0.0 && settings.size <= 10.0) {
        return Err(SimulationError::Size);
    }
    let SimulationSettings { types, largest, size, ambulances, .. } = settings;
    let places = Places::new(organisations, types, *largest, *size, *ambulances);
    if places.sites.is_empty() {
        return Err(SimulationError::NoSites);
    }
    if let Some(drill) = &settings.drill {
        let is_it =
            |site: &crate::organisations::Site| site.code == drill.site && site.kind == DepartmentType::Major;
        if !places.sites.iter().any(is_it) {
            return Err(SimulationError::DrillSite(drill.site.clone()));
        }
    }
    Ok(places)
}

/// Puts statements on their way.
struct Sender<'a> {
    seed: u64,
    places: &'a Places,
    faults: &'a Faults,
    queue: &'a mut Queue<Message>,
    deliver_from: i64,
}

impl Sender<'_> {
    /// Queues every line; how many messages that were. Department and service number their own lines from 1.
    fn send_visit(&mut self, visit: &Visit, slot: u32, lines: &[Line], draws: &mut Draws) -> u32 {
        let site = &self.places.sites[usize::from(visit.site)];
        let service = site.service.map(|index| &self.places.services[usize::from(index)]);
        let mut delays = Draws::new(self.seed, Purpose::Delays, site.key, u64::from(visit.number));
        let (mut sent, mut numbers) = (0, [0u8; 2]);
        for line in lines {
            let speaker = line.step.speaker();
            let (source, stream) = match (speaker, service) {
                (Speaker::AmbulanceService, Some(service)) => (service.source, 1),
                (Speaker::AmbulanceService, None) | (Speaker::Department, _) => (site.source, 0),
            };
            numbers[stream] += 1;
            let number = numbers[stream];
            let recorded_at = Millis::from(line.when).0 + i64::from(delays.below(300_000));
            let at = self.faults.received(recorded_at + i64::from(delays.below(60_000)), draws);
            let again = self.faults.received_again(at, draws);
            for (at, again) in [(Some(at), false), (again, true)] {
                let Some(at) = at else { continue };
                let at = self.faults.silent_until(source, at).unwrap_or(at);
                if at >= self.deliver_from {
                    let order = order(visit.site, visit.number, number, stream as u8, again);
                    let what = What::Visit { slot, step: line.step, number };
                    self.queue.push(Message { at, order, recorded_at, what });
                    sent += 1;
                }
            }
        }
        sent
    }
}

/// A place among messages of one millisecond that depends on what they are, not on when they were made.
fn order(place: u16, number: u32, statement: u8, stream: u8, again: bool) -> u64 {
    u64::from(place) << 48
        | u64::from(number) << 16
        | u64::from(statement) << 8
        | u64::from(stream) << 1
        | u64::from(again)
}

/// The attendances of which something is still to be said.
#[derive(Default)]
struct Visits {
    slots: Vec<(Visit, u32)>,
    free: Vec<u32>,
}

impl Visits {
    fn insert(&mut self, visit: Visit) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = (visit, 0);
                slot
            }
            None => {
                self.slots.push((visit, 0));
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// So many messages will be taken.
    fn expect(&mut self, slot: u32, messages: u32) {
        self.slots[slot as usize].1 = messages;
        if messages == 0 {
            self.free.push(slot);
        }
    }

    /// The visit of a message; its slot is free after the last one.
    fn take(&mut self, slot: u32) -> Visit {
        let (visit, left) = &mut self.slots[slot as usize];
        *left -= 1;
        if *left == 0 {
            self.free.push(slot);
        }
        *visit
    }
}

#[cfg(test)]
mod tests;
