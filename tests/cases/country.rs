//! The organisations of a case, their areas, and how they are grouped.

use domain::organisations::{Level, Organisations, Row};
use domain::time::DAY;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::stories::AREAS;
use crate::london::minute_of;
use crate::model::{Area, Group, Period, Reports, Settings, Standard};

/// Organisations, and which codes stand where.
pub(super) struct Country {
    pub(super) orgs: Organisations,
    pub(super) sites: Vec<String>,
    pub(super) services: Vec<String>,
    /// Every code, whatever its level.
    pub(super) all: Vec<String>,
}

impl Country {
    pub(super) fn random(rng: &mut ChaCha8Rng) -> Country {
        let mut rows = vec![row("ENG", "nation", "", "")];
        let region = maybe(rng, 0.8, &mut rows, "Y1", "region", "ENG");
        let system = maybe(rng, 0.8, &mut rows, "Q1", "system", region);
        let other_system = maybe(rng, 0.4, &mut rows, "Q2", "system", region);
        let trusts = ["T1", "T2", "T3"];
        let trusts = &trusts[..rng.random_range(1..=3)];
        for trust in trusts {
            let parent = [system, other_system, region].choose(rng).copied().unwrap_or("ENG");
            rows.push(row(trust, "trust", parent, ""));
        }
        let without_trust = if rng.random_bool(0.2) { 0.6 } else { 0.1 };
        let mut sites = Vec::new();
        for number in 0..rng.random_range(2..=8) {
            let code = format!("S{number}");
            let kind = ["1", "1", "1", "2", "3", "4", "5"].choose(rng).copied().unwrap_or("1");
            let mut parent = trusts.choose(rng).copied().unwrap_or("ENG");
            if rng.random_bool(without_trust) {
                parent = [system, region].choose(rng).copied().unwrap_or("ENG");
            }
            rows.push(row(&code, "site", parent, kind));
            sites.push(code);
        }
        let services: Vec<String> =
            ["A1", "A2"].iter().take(rng.random_range(1..=2)).map(|code| (*code).to_owned()).collect();
        rows.extend(services.iter().map(|code| row(code, "service", "ENG", "")));
        rows.shuffle(rng);
        let all = rows.iter().map(|row| row.code.clone()).collect();
        let orgs = Organisations::new(&rows).expect("every parent is of a higher level");
        Country { orgs, sites, services, all }
    }

    /// The settings with what depends on the organisations: areas, groups, standards.
    pub(super) fn settings(&self, settings: Settings, rng: &mut ChaCha8Rng) -> Settings {
        let mut settings = settings;
        for site in &self.sites {
            let some = AREAS.iter().filter(|_| rng.random_bool(0.6));
            settings.areas.extend(some.map(|area| Area { site: site.clone(), area: (*area).to_owned() }));
        }
        for number in 0..rng.random_range(0..=3) {
            settings.groups.push(Group { code: format!("G{number}"), members: self.members(rng) });
        }
        settings.standards = self.standards(rng);
        settings
    }

    /// Some organisations, each once; often one that is below another of them.
    fn members(&self, rng: &mut ChaCha8Rng) -> Vec<String> {
        let services = &self.services;
        let mut members: Vec<String> =
            self.all.iter().filter(|code| !services.contains(code)).cloned().collect();
        members.shuffle(rng);
        members.truncate(rng.random_range(1..=4));
        let below: Vec<&String> =
            self.sites.iter().filter(|code| self.parent(code) == members.first()).collect();
        if let Some(below) = below.choose(rng)
            && !members.contains(below)
        {
            members.push((*below).clone());
        }
        members
    }

    fn parent(&self, code: &str) -> Option<&String> {
        let parent = self.orgs.get(self.orgs.find(code)?).parent?;
        Some(&self.orgs.get(parent).code)
    }

    /// Standards of every period, returned at various levels or by some organisations; at times suspended.
    fn standards(&self, rng: &mut ChaCha8Rng) -> Vec<Standard> {
        let some = (0..3).filter_map(|_| self.all.choose(rng).cloned()).collect();
        let rows = [
            ("rtt-18-weeks", Period::Month, Reports::Level(Level::Trust)),
            ("four-hours-weekly", Period::Week, Reports::Level(Level::Trust)),
            ("ambulance-c1", Period::Month, Reports::Level(Level::Service)),
            ("eating-disorders", Period::Quarter, Reports::Orgs(some)),
        ];
        rows.map(|(id, period, reports)| {
            let mut paused = Vec::new();
            if rng.random_bool(0.2) {
                let (year, month) = (rng.random_range(2026..=2028), rng.random_range(1..=12));
                let from = minute_of(year, month, 1).0 / DAY;
                paused.push((from, from + rng.random_range(0..60)));
            }
            Standard { id: id.to_owned(), period, reports, paused }
        })
        .into()
    }
}

/// Perhaps one more organisation; the lowest that there then is.
fn maybe<'a>(
    rng: &mut ChaCha8Rng,
    probability: f64,
    rows: &mut Vec<Row>,
    code: &'a str,
    level: &str,
    parent: &'a str,
) -> &'a str {
    if !rng.random_bool(probability) {
        return parent;
    }
    rows.push(row(code, level, parent, ""));
    code
}

fn row(code: &str, level: &str, parent: &str, department_type: &str) -> Row {
    Row {
        code: code.to_owned(),
        name: format!("The {level} {code}"),
        level: level.to_owned(),
        parent: parent.to_owned(),
        department_type: department_type.to_owned(),
    }
}
