//! What a random case reaches that a mistake could hide in: named, so that `cases_are_rich` can say what is missing.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::{Event, Fact, Outcome, Statement};
use domain::time::{Millis, Minute, Second};

use crate::cases::Case;
use crate::model::{Group, Model, Points, Reading};

/// Every situation that the cases must reach.
pub const SITUATIONS: [&str; 22] = [
    "a median over an even count across two sites, with a half",
    "a median over an odd count across two sites",
    "a 90th percentile of handovers that is not the greatest",
    "a 90th percentile of times to treatment that is not the greatest",
    "a 90th percentile of responses that is not the greatest",
    "a bed state that expires",
    "bed states of two sites added up",
    "a bed state taken back as a whole, so that the one before stands",
    "a move taken back",
    "an area that areas.csv does not have",
    "a type 5 patient in an area",
    "a group whose members overlap, with patients at the site that is in it twice",
    "a group of sites of two trusts, each with patients",
    "a decision to admit corrected",
    "a response corrected",
    "a response of a category that was corrected",
    "an unclosed record that is closed later",
    "returns of a trust and of what it belongs to for the same period",
    "a return taken back",
    "a late return, after its period was published",
    "a declaration taken back, so that the one before stands",
    "a treatment that counts in one window and not in another",
];

/// How many events of a case are tried as the example of a situation.
const TRIES: u32 = 3;

/// Those that a case reaches.
pub fn reached(case: &Case) -> BTreeSet<&'static str> {
    let model = case.model();
    let seen = Seen { case, reading: &model.read() };
    let mut reached: BTreeSet<&'static str> = BTreeSet::new();
    for m in case.edges().into_iter().step_by(5) {
        let points = seen.reading.points(m);
        seen.medians(&points, &mut reached);
        seen.groups(&points, &mut reached);
        seen.windows(&points, &mut reached);
    }
    seen.ends(&mut reached);
    seen.events(&mut reached);
    reached
}

struct Seen<'a> {
    case: &'a Case,
    reading: &'a Reading<'a>,
}

impl Seen<'_> {
    fn is_site(&self, code: &str) -> bool {
        self.case.orgs.find(code).is_some_and(|org| self.case.orgs.get(org).department_type.is_some())
    }

    /// The sites that show a field of a series, with its values.
    fn sites<'p>(&self, points: &'p Points, of: &crate::model::Series, field: &str) -> Vec<(&'p str, f64)> {
        let shown = points.iter().filter(|((code, series), _)| series == of && self.is_site(code));
        shown.filter_map(|((code, _), fields)| Some((&**code, *fields.get(field)?))).collect()
    }

    fn medians(&self, points: &Points, reached: &mut BTreeSet<&'static str>) {
        for ((code, series), fields) in points {
            let field = |name: &str| fields.get(name).copied().unwrap_or_default();
            if series.measure == "ae_treatment" && !self.is_site(code) {
                let sites = self.sites(points, series, "treated");
                let across = sites.len() > 1 && sites.iter().all(|(_, treated)| *treated < field("treated"));
                if across && field("treated") % 2.0 == 0.0 && field("median_minutes") % 1.0 != 0.0 {
                    reached.insert("a median over an even count across two sites, with a half");
                }
                if across && field("treated") % 2.0 == 1.0 && field("median_minutes") > 0.0 {
                    reached.insert("a median over an odd count across two sites");
                }
            }
            if field("completed") >= 10.0 {
                reached.insert("a 90th percentile of handovers that is not the greatest");
            }
            if field("treated") >= 10.0 {
                reached.insert("a 90th percentile of times to treatment that is not the greatest");
            }
            if field("responses") >= 10.0 {
                reached.insert("a 90th percentile of responses that is not the greatest");
            }
            if series.measure == "ae_area" && series.tag == "other" {
                reached.insert("an area that areas.csv does not have");
            }
            if series.measure == "bed_state"
                && !self.is_site(code)
                && self.sites(points, series, "open").len() > 1
            {
                reached.insert("bed states of two sites added up");
            }
        }
    }

    fn groups(&self, points: &Points, reached: &mut BTreeSet<&'static str>) {
        for group in &self.case.settings.groups {
            for ((_, series), fields) in points.iter().filter(|((code, _), _)| **code == *group.code) {
                if series.measure != "ae_department" || !fields.contains_key("present") {
                    continue;
                }
                let sites = self.sites(points, series, "present");
                let in_it: Vec<(&str, usize)> =
                    sites.iter().map(|(site, _)| (*site, self.members_above(group, site))).collect();
                if in_it.iter().any(|(_, members)| *members > 1) {
                    reached.insert(
                        "a group whose members overlap, with patients at the site that is in it twice",
                    );
                }
                let trusts: BTreeSet<_> =
                    in_it.iter().filter(|(_, n)| *n > 0).map(|(site, _)| self.parent(site)).collect();
                if trusts.len() > 1 {
                    reached.insert("a group of sites of two trusts, each with patients");
                }
            }
        }
    }

    fn parent(&self, code: &str) -> Option<String> {
        let org = self.case.orgs.get(self.case.orgs.find(code)?);
        org.parent.map(|parent| self.case.orgs.get(parent).code.clone())
    }

    /// How many members of a group a site is or is below.
    fn members_above(&self, group: &Group, site: &str) -> usize {
        let mut above = vec![site.to_owned()];
        while let Some(parent) = above.last().and_then(|code| self.parent(code)) {
            above.push(parent);
        }
        group.members.iter().filter(|member| above.contains(member)).count()
    }

    fn windows(&self, points: &Points, reached: &mut BTreeSet<&'static str>) {
        let mut counts: BTreeMap<(&str, &str), BTreeSet<u64>> = BTreeMap::new();
        for ((code, series), fields) in
            points.iter().filter(|((_, series), _)| series.measure == "ae_treatment")
        {
            let treated = fields.get("treated").copied().unwrap_or_default() as u64;
            counts.entry((code, &series.tag)).or_default().insert(treated);
        }
        if counts.values().any(|counts| counts.len() > 1) {
            reached.insert("a treatment that counts in one window and not in another");
        }
    }

    /// What is shown at a minute, and not at the next.
    fn ends(&self, reached: &mut BTreeSet<&'static str>) {
        for event in &self.case.events {
            let (end, measure, situation) = match &event.statement {
                Statement::Beds(beds) => {
                    (Some(beds.as_of.minute().plus(2_880)), "bed_state", "a bed state that expires")
                }
                Statement::Attendance(the) => {
                    let departed = the.departed_at.value().map(Second::minute);
                    (departed, "ae_department", "an unclosed record that is closed later")
                }
                _ => continue,
            };
            let Some(end) = end.filter(|end| self.case.from <= *end && *end <= self.case.until) else {
                continue;
            };
            if reached.contains(situation) {
                continue;
            }
            let (before, after) = (self.reading.points(end), self.reading.points(end.plus(1)));
            let field = if measure == "bed_state" { "open" } else { "unclosed" };
            let shows =
                |points: &Points, key| points.get(key).is_some_and(|fields| fields.contains_key(field));
            let mut of_measure = before.keys().filter(|(_, series)| series.measure == measure);
            if of_measure.any(|key| shows(&before, key) && !shows(&after, key)) {
                reached.insert(situation);
            }
        }
    }

    /// Events without which a measure would say something else.
    fn events(&self, reached: &mut BTreeSet<&'static str>) {
        let mut tried: BTreeMap<&str, u32> = BTreeMap::new();
        for (index, event) in self.case.events.iter().enumerate() {
            for (situation, measure) in self.candidates(event) {
                let tries = tried.entry(situation).or_insert(0);
                if *tries < TRIES && !reached.contains(situation) {
                    *tries += 1;
                    if self.matters(index, measure) {
                        reached.insert(situation);
                    }
                }
            }
        }
        self.returns(reached);
    }

    /// What an event could be the example of, and in which measure it then shows.
    fn candidates(&self, event: &Event<'static>) -> Vec<(&'static str, &'static str)> {
        let mut candidates = Vec::new();
        match &event.statement {
            Statement::Attendance(the) => {
                if the.location.as_ref().is_some_and(|moved| moved.area.is_none()) {
                    candidates.push(("a move taken back", "ae_area"));
                }
                if matches!(the.department_type, Fact::Stated(kind) if kind.number() == 5) {
                    candidates.push(("a type 5 patient in an area", "ae_area"));
                }
                if the.decided_to_admit_at.is_said() && self.is_said_before(event) {
                    candidates.push(("a decision to admit corrected", "ae_admission"));
                }
            }
            Statement::Ambulance(the) => {
                if the.responded_at.is_said() && self.is_said_before(event) {
                    candidates.push(("a response corrected", "amb_response"));
                }
                if the.category.is_said() && self.is_said_before(event) {
                    candidates.push(("a response of a category that was corrected", "amb_response"));
                }
            }
            Statement::Beds(the) => {
                let facts = [the.open, the.occupied, the.escalation_open, the.no_criteria_to_reside];
                if facts.iter().all(|fact| matches!(fact, Fact::Retracted)) {
                    let what = "a bed state taken back as a whole, so that the one before stands";
                    candidates.push((what, "bed_state"));
                }
            }
            Statement::Standard(the) => {
                if [the.met, the.total, the.count].iter().any(|fact| matches!(fact, Fact::Retracted)) {
                    candidates.push(("a return taken back", "standard"));
                }
            }
            Statement::Escalation(the) => {
                if matches!(the.level, Fact::Retracted) {
                    let what = "a declaration taken back, so that the one before stands";
                    candidates.push((what, "escalation"));
                }
            }
            Statement::Heartbeat => {}
        }
        candidates
    }

    /// Whether another event states the same fact of the same entity.
    fn is_said_before(&self, event: &Event<'static>) -> bool {
        self.case.events.iter().any(|other| match (&event.statement, &other.statement) {
            (Statement::Attendance(one), Statement::Attendance(other)) => {
                (&one.site, one.reference) == (&other.site, other.reference)
                    && other.decided_to_admit_at.is_said()
                    && other.decided_to_admit_at != one.decided_to_admit_at
            }
            (Statement::Ambulance(one), Statement::Ambulance(other)) => {
                (&one.service, one.reference) == (&other.service, other.reference)
                    && (other.responded_at.is_said() && other.responded_at != one.responded_at
                        || other.category.is_said() && other.category != one.category)
            }
            _ => false,
        })
    }

    /// Whether a measure says something else without an event, at a minute where both say something of that place.
    fn matters(&self, index: usize, measure: &str) -> bool {
        let mut without = Model::new(&self.case.orgs, self.case.settings.clone());
        for (other, event) in self.case.events.iter().enumerate() {
            if other != index {
                without.take(event.clone(), None);
            }
        }
        let without = without.read();
        let mut minutes: Vec<Minute> = self.case.edges().into_iter().step_by(12).collect();
        if measure == "standard" {
            minutes = without.standard_minutes();
        }
        minutes.into_iter().any(|m| {
            let of = |points: Points| -> Points {
                points.into_iter().filter(|((_, series), _)| series.measure == measure).collect()
            };
            let (with, without) = (of(self.reading.points(m)), of(without.points(m)));
            with != without && !with.is_empty() && !without.is_empty()
        })
    }

    fn returns(&self, reached: &mut BTreeSet<&'static str>) {
        let mut of_period: BTreeMap<(&str, u32), BTreeSet<&str>> = BTreeMap::new();
        let mut live = Model::new(&self.case.orgs, self.case.settings.clone());
        let deliveries = self.case.live();
        for delivery in &deliveries {
            let outcome = live.take(delivery.event.clone(), Some(delivery.log_time));
            let Statement::Standard(the) = &delivery.event.statement else { continue };
            let standard = self.case.settings.standards.iter().find(|one| one.id == the.standard);
            let Some(standard) = standard.filter(|_| outcome == Outcome::Accepted) else { continue };
            of_period.entry((&the.standard, the.period_start)).or_default().insert(&the.org);
            let stamp = standard.period.stamp(the.period_start);
            if self.case.from <= stamp && delivery.log_time > Millis::from(stamp.plus(1).start()) {
                reached.insert("a late return, after its period was published");
            }
        }
        let together = |orgs: &BTreeSet<&str>| {
            orgs.iter().any(|org| {
                org.starts_with('T') && self.parent(org).is_some_and(|parent| orgs.contains(parent.as_str()))
            })
        };
        if of_period.values().any(together) {
            reached.insert("returns of a trust and of what it belongs to for the same period");
        }
    }
}
