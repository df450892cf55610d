//! What is told in a case besides single patients and ambulances: bed states, a rush, returns, declarations; some name
//! what is not configured.

use std::borrow::Cow;

use domain::event::{Attendance, Beds, Category, Escalation, Event, Fact, Journey, Return, Statement};
use domain::time::{DAY, Second};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::stories::{Teller, shifted};
use crate::model::Standard;
use crate::places::reference;

/// How long before a minute of the case a bed state was made, in minutes: at and around the 48 hours that it holds.
const BEDS_BEFORE: [i64; 10] = [0, 0, 0, 1, 60, 1_440, 2_820, 2_879, 2_880, 2_881];

/// From one bed state or declaration of a place to its next, in seconds.
const NEXT: [i64; 7] = [0, 1, 30, 60, 3_600, 18_000, 40_000];

/// How long before a minute of the case something was declared, in minutes.
const DECLARED_BEFORE: [i64; 7] = [0, 0, 1, 60, 1_440, 14_400, 43_200];

impl Teller<'_> {
    /// The bed states of a site, one after the other; some are corrected, some taken back.
    pub(super) fn beds(&mut self) -> Vec<Event<'static>> {
        let site = self.site();
        let moment = self.moment();
        let before = *BEDS_BEFORE.choose(self.rng).expect("not empty");
        let mut as_of = self.after(moment, -before);
        let mut events = Vec::new();
        for _ in 0..self.rng.random_range(1..=4) {
            let state = self.bed_state(&site, as_of);
            events.push(self.told("beds", Statement::Beds(state)));
            if self.rng.random_bool(0.35) {
                let again = self.about_beds(&site, as_of);
                events.push(self.told("beds", Statement::Beds(again)));
            }
            as_of = shifted(as_of, *NEXT.choose(self.rng).expect("not empty"));
        }
        events
    }

    fn bed_state(&mut self, site: &str, as_of: Second) -> Beds<'static> {
        let facts = [0; 4].map(|_| match self.rng.random_range(0..10) {
            0 | 1 => Fact::Absent,
            2 => Fact::Retracted,
            _ => Fact::Stated(self.rng.random_range(0..20)),
        });
        let [open, occupied, escalation_open, no_criteria_to_reside] = facts;
        let site = Cow::Owned(site.to_owned());
        let open = if open.is_said() { open } else { Fact::Stated(7) };
        Beds { site, as_of, open, occupied, escalation_open, no_criteria_to_reside }
    }

    /// Another word on a bed state: some facts anew, or all of them taken back.
    pub(super) fn about_beds(&mut self, site: &str, as_of: Second) -> Beds<'static> {
        let mut state = self.bed_state(site, as_of);
        if self.rng.random_bool(0.5) {
            state.open = Fact::Retracted;
            state.occupied = Fact::Retracted;
            state.escalation_open = Fact::Retracted;
            state.no_criteria_to_reside = Fact::Retracted;
        }
        state
    }

    /// A rush at two hospitals: so many patients and ambulances within an hour that a 90th percentile is not the
    /// greatest. Each is told at once.
    pub(super) fn rush(&mut self) -> Vec<Event<'static>> {
        let sites = [self.site(), self.site()];
        let (service, moment) = (self.service(), self.moment());
        let many = self.rng.random_range(9..=22);
        let mut events = Vec::new();
        for number in 0..many {
            let site = sites.choose(self.rng).expect("two").clone();
            let after = self.rng.random_range(0..20);
            let arrived = self.after(moment, after);
            let later = |minutes: u32| Fact::Stated(shifted(arrived, i64::from(minutes) * 60));
            let name = reference(&format!("rush {number}"));
            if self.rng.random_bool(0.5) {
                let mut the = Attendance::new(site, name);
                the.arrived_at = Fact::Stated(arrived);
                the.treated_at = later(self.rng.random_range(0..40));
                events.push(self.told("epr", Statement::Attendance(the)));
            } else {
                let mut the = Journey::new(service.clone(), name);
                the.destination = Fact::Stated(site.into());
                the.category = Fact::Stated(Category::C2);
                the.clock_started_at = Fact::Stated(shifted(arrived, -2_400));
                the.responded_at = Fact::Stated(shifted(arrived, -self.rng.random_range(1_200..2_400)));
                the.arrived_at = Fact::Stated(arrived);
                the.handed_over_at = later(self.rng.random_range(0..40));
                events.push(self.told("cad", Statement::Ambulance(the)));
            }
        }
        events
    }

    /// The declarations of an organisation, one after the other; some are taken back.
    pub(super) fn declarations(&mut self) -> Vec<Event<'static>> {
        let org = self.country.all.choose(self.rng).expect("there are places").clone();
        let scale = if self.rng.random_bool(0.9) { "opel" } else { "reap" };
        let moment = self.moment();
        let before = *DECLARED_BEFORE.choose(self.rng).expect("not empty");
        let mut since = self.after(moment, -before);
        let mut events = Vec::new();
        for _ in 0..self.rng.random_range(1..=4) {
            let level = Fact::Stated(self.rng.random_range(1..=4));
            let mut levels = vec![level];
            if self.rng.random_bool(0.4) {
                levels.push(*[Fact::Retracted, Fact::Retracted, Fact::Stated(4)].choose(self.rng).expect(""));
            }
            for level in levels {
                let (org, scale) = (Cow::Owned(org.clone()), Cow::Borrowed(scale));
                let statement = Statement::Escalation(Escalation { org, scale, since, level });
                events.push(self.told("control", statement));
            }
            since = shifted(since, *NEXT.choose(self.rng).expect("not empty"));
        }
        events
    }

    /// The returns for a period: of somebody, and perhaps of whom they belong to.
    pub(super) fn returns(&mut self) -> Vec<Event<'static>> {
        let standard = self.standards.choose(self.rng).expect("there are standards").clone();
        let start = self.period_start(&standard);
        let id = if self.rng.random_bool(0.95) { standard.id.clone() } else { "no-such".to_owned() };
        let orgs = &self.country.orgs;
        let some = self.country.all.choose(self.rng).expect("there are places");
        let trusts: Vec<&String> = self.country.all.iter().filter(|code| code.starts_with('T')).collect();
        let code = if self.rng.random_bool(0.6) { trusts.choose(self.rng).copied() } else { None };
        let mut org = orgs.find(code.unwrap_or(some)).expect("one of ours");
        let mut events = Vec::new();
        for _ in 0..self.rng.random_range(1..=3) {
            for _ in 0..self.rng.random_range(1..=2) {
                let one = self.a_return(&id, &orgs.get(org).code, start);
                events.push(self.told("returns", Statement::Standard(one)));
            }
            match orgs.get(org).parent {
                Some(parent) if self.rng.random_bool(0.6) => org = parent,
                Some(_) | None => {}
            }
        }
        events
    }

    /// The first day of a period that ends in the case, or shortly before or after it; rarely another day.
    fn period_start(&mut self, standard: &Standard) -> u32 {
        let last = self.until.0 / DAY + 1;
        let days = last - 200..=last;
        let starts: Vec<u32> = days.rev().filter(|day| standard.period.begins_on(*day)).take(3).collect();
        let start = *starts.choose(self.rng).expect("every period begins");
        if self.rng.random_bool(0.04) { start + 1 } else { start }
    }

    /// A return; perhaps one that takes everything back.
    pub(super) fn a_return(&mut self, standard: &str, org: &str, period_start: u32) -> Return<'static> {
        let total = self.rng.random_range(0..50);
        let taken_back = self.rng.random_bool(0.2);
        let said = |fact| {
            if taken_back || self.rng.random_bool(0.1) { Fact::Retracted } else { fact }
        };
        let [met, total, count, total_s, p90_s] =
            [total / 2, total, total / 3, total * 60, total * 7].map(Fact::Stated).map(said);
        let met = if self.rng.random_bool(0.03) { Fact::Stated(51) } else { met };
        let p90_s = if taken_back || self.rng.random_bool(0.5) { p90_s } else { Fact::Absent };
        let org = Cow::Owned(org.to_owned());
        Return {
            standard: Cow::Owned(standard.to_owned()),
            org,
            period_start,
            met,
            total,
            count,
            total_s,
            p90_s,
        }
    }
}
