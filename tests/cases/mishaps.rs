//! What goes wrong in a case: duplicates, stamps used twice, wrong codes, wrong clocks, records of long ago.

use std::borrow::Cow;

use domain::event::{Attendance, Category, Disposal, Event, Fact, Journey, Statement};
use domain::time::{Millis, Second};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::stories::{Teller, shifted};
use crate::model::stated_instants;

/// 14 days and a little, in seconds: by how much a record of long ago is older.
const LONG_AGO: i64 = 14 * 86_400 + 7_200;

impl Teller<'_> {
    /// A few more events beside those that there are (at least one).
    pub(super) fn mishap(&mut self, events: &[Event<'static>]) -> Vec<Event<'static>> {
        let event = events.choose(self.rng).cloned().expect("a story was told before");
        match self.rng.random_range(0..11) {
            0 | 1 => vec![event],
            2 => self.stamp_used_twice(&event),
            3 => self.nine_and_ten(&event),
            4 => self.corrected_twice(&event),
            5 => vec![self.misplaced(event)],
            6 => vec![self.ahead_of_its_record(event)],
            7 => self.long_ago(&event).into_iter().collect(),
            8 => vec![self.heartbeat(&event)],
            9 => self.back_and_forth(&event),
            _ => self.story(),
        }
    }

    /// The same id and the same `recorded_at`, other contents: the greater value stands.
    fn stamp_used_twice(&mut self, event: &Event<'static>) -> Vec<Event<'static>> {
        (0..2).map(|_| Event { statement: self.otherwise(&event.statement), ..event.clone() }).collect()
    }

    /// The same facts with other values, or taken back; perhaps with a void, that all of them may disagree about.
    fn otherwise(&mut self, statement: &Statement<'static>) -> Statement<'static> {
        let mut statement = statement.clone();
        let flags = [Fact::Stated(true), Fact::Stated(false), Fact::Retracted, Fact::Absent, Fact::Absent];
        match &mut statement {
            Statement::Attendance(the) => {
                instants_of_attendance(the).into_iter().for_each(|fact| self.change(fact));
                the.void = *flags.choose(self.rng).expect("not empty");
                the.planned = *flags.choose(self.rng).expect("not empty");
                if the.disposal.is_said() {
                    let disposal = Fact::Stated(*Disposal::ALL.choose(self.rng).expect("not empty"));
                    the.disposal = *[Fact::Retracted, disposal].choose(self.rng).expect("not empty");
                }
            }
            Statement::Ambulance(the) => {
                instants_of_journey(the).into_iter().for_each(|fact| self.change(fact));
                the.void = *flags.choose(self.rng).expect("not empty");
                if the.destination.is_said() {
                    the.destination = Fact::Stated(Cow::Owned(self.site()));
                }
                if the.category.is_said() {
                    let category = Fact::Stated(*Category::ALL.choose(self.rng).expect("not empty"));
                    the.category = *[Fact::Retracted, category].choose(self.rng).expect("not empty");
                }
            }
            Statement::Beds(the) => *the = self.about_beds(&the.site, the.as_of),
            Statement::Standard(the) => *the = self.a_return(&the.standard, &the.org, the.period_start),
            Statement::Escalation(the) => {
                let level = Fact::Stated(self.rng.random_range(1..=4));
                the.level = *[Fact::Retracted, level, level].choose(self.rng).expect("not empty");
            }
            Statement::Heartbeat => {}
        }
        statement
    }

    fn change(&mut self, fact: &mut Fact<Second>) {
        if let Fact::Stated(at) = *fact {
            let earlier = Fact::Stated(shifted(at, -60 * self.rng.random_range(0..5)));
            *fact = *[Fact::Retracted, earlier, earlier, *fact].choose(self.rng).expect("not empty");
        }
    }

    /// Messages of one moment that disagree: "10" is the latest; of those with id "9" the source decides.
    fn nine_and_ten(&mut self, event: &Event<'static>) -> Vec<Event<'static>> {
        [("9", "epr"), ("10", "epr"), ("9", "pas"), ("9", "cad")]
            .into_iter()
            .map(|(id, source)| {
                let statement = self.otherwise(&event.statement);
                Event { id: id.into(), source: source.into(), statement, ..event.clone() }
            })
            .collect()
    }

    /// The same facts again, recorded later and (which must lose) earlier.
    fn corrected_twice(&mut self, event: &Event<'static>) -> Vec<Event<'static>> {
        let mut events = Vec::new();
        for after in [60_000, -60_000] {
            if let Some(statement) = self.again(&event.statement) {
                let recorded_at = Millis(event.recorded_at.0 + after);
                events.push(Event { recorded_at, statement, ..event.clone() });
            }
        }
        events
    }

    /// An ambulance is sent elsewhere, and elsewhere, and back.
    fn back_and_forth(&mut self, event: &Event<'static>) -> Vec<Event<'static>> {
        let Statement::Ambulance(journey) = &event.statement else { return self.story() };
        let (first, other) = (self.site(), self.site());
        let mut events = Vec::new();
        for (minutes, site) in [(1, first.clone()), (2, other), (3, first)] {
            let mut journey = journey.clone();
            journey.destination = Fact::Stated(Cow::Owned(site));
            let recorded_at = Millis(event.recorded_at.0 + minutes * 60_000);
            let id = Cow::Owned(format!("{}-{minutes}", event.id));
            events.push(Event { id, recorded_at, statement: Statement::Ambulance(journey), ..event.clone() });
        }
        events
    }

    /// A code that no organisation has, or one of another level.
    fn misplaced(&mut self, event: Event<'static>) -> Event<'static> {
        let mut code = "NOWHERE".to_owned();
        if self.rng.random_bool(0.6) {
            code = self.country.all.choose(self.rng).expect("there are places").clone();
        }
        let code = Cow::Owned(code);
        let mut event = event;
        match &mut event.statement {
            Statement::Attendance(the) => match &mut the.ambulance {
                Fact::Stated(journey) if self.rng.random_bool(0.5) => journey.service = code,
                Fact::Stated(_) | Fact::Retracted | Fact::Absent => the.site = code,
            },
            Statement::Ambulance(the) => {
                if self.rng.random_bool(0.5) {
                    the.destination = Fact::Stated(code);
                } else {
                    the.service = code;
                }
            }
            Statement::Beds(the) => the.site = code,
            Statement::Standard(the) => the.org = code,
            Statement::Escalation(the) => the.org = code,
            Statement::Heartbeat => {}
        }
        event
    }

    /// Recorded ten minutes before something that it states, or a little more.
    fn ahead_of_its_record(&mut self, mut event: Event<'static>) -> Event<'static> {
        let newest = stated_instants(&event.statement).into_iter().max().filter(|at| *at > self.earliest);
        let by = *[600_000, 600_001, 601_000, 3_600_000].choose(self.rng).expect("not empty");
        if let Some(newest) = newest {
            event.recorded_at = Millis(newest.0 - by);
        }
        event
    }

    /// The same two weeks ago.
    fn long_ago(&mut self, event: &Event<'static>) -> Option<Event<'static>> {
        let mut event = event.clone();
        let by = if self.rng.random_bool(0.5) { LONG_AGO } else { 10 * 86_400 };
        let earlier = |fact: &mut Fact<Second>| {
            if let Fact::Stated(at) = fact {
                *at = shifted(*at, -by);
            }
        };
        match &mut event.statement {
            Statement::Attendance(the) => {
                instants_of_attendance(the).into_iter().for_each(earlier);
                if let Some(location) = &mut the.location {
                    location.since = shifted(location.since, -by);
                }
            }
            Statement::Ambulance(the) => instants_of_journey(the).into_iter().for_each(earlier),
            Statement::Beds(the) => the.as_of = shifted(the.as_of, -by),
            Statement::Standard(_) | Statement::Escalation(_) | Statement::Heartbeat => return None,
        }
        event.id = Cow::Owned(format!("{}-old", event.id));
        if self.rng.random_bool(0.8) {
            event.recorded_at = Millis(event.recorded_at.0 - by * 1000);
        }
        let newest = stated_instants(&event.statement).into_iter().chain([event.recorded_at]).max();
        newest.is_some_and(|newest| newest > self.earliest).then_some(event)
    }

    fn heartbeat(&mut self, event: &Event<'static>) -> Event<'static> {
        let after = *[-1, 0, 1, 60_000].choose(self.rng).expect("not empty");
        let recorded_at = Millis(event.recorded_at.0 + after);
        Event { id: "beat".into(), recorded_at, statement: Statement::Heartbeat, ..event.clone() }
    }
}

fn instants_of_attendance<'a>(the: &'a mut Attendance<'static>) -> [&'a mut Fact<Second>; 7] {
    [
        &mut the.arrived_at,
        &mut the.assessed_at,
        &mut the.treated_at,
        &mut the.referred_at,
        &mut the.decided_to_admit_at,
        &mut the.clock_stopped_at,
        &mut the.departed_at,
    ]
}

fn instants_of_journey<'a>(the: &'a mut Journey<'static>) -> [&'a mut Fact<Second>; 6] {
    [
        &mut the.call_at,
        &mut the.clock_started_at,
        &mut the.responded_at,
        &mut the.arrived_at,
        &mut the.handed_over_at,
        &mut the.cleared_at,
    ]
}
