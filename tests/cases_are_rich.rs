//! The random cases are worth running: the model obeys the merge law on them, and they reach every outcome and every
//! field of every measure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use acceptance::cases::{self, Case};
use acceptance::model::{MEASURES, Model};
use acceptance::situations::{SITUATIONS, reached};
use domain::event::{Outcome, Statement};

#[test]
fn any_order_and_any_repetition_gives_the_same_figures() {
    cases::each(60, |case| {
        let one = case.model();
        for order in 0..3 {
            let mut other = Model::new(&case.orgs, case.settings.clone());
            for event in case.shuffled(order) {
                other.take(event, None);
            }
            for m in case.edges().into_iter().step_by(7) {
                assert_eq!(one.points(m), other.points(m), "at {m}");
            }
        }
    });
}

#[test]
fn what_is_read_a_second_time_changes_nothing() {
    cases::each(60, |case| {
        let mut model = case.model();
        for event in &case.events {
            let outcome = model.take(event.clone(), None);
            assert!(outcome != Outcome::Accepted, "{:?} {}", outcome, event.id);
        }
    });
}

#[test]
fn live_and_file_agree_where_nothing_is_refused_for_when_it_came() {
    cases::each(60, |case| {
        let mut live = Model::new(&case.orgs, case.settings.clone());
        let mut file = Model::new(&case.orgs, case.settings.clone());
        for delivery in case.live() {
            let outcome = live.take(delivery.event.clone(), Some(delivery.log_time));
            if !outcome.is_refused() {
                assert_eq!(file.take(delivery.event, None), outcome);
            }
        }
        for m in case.edges().into_iter().step_by(17) {
            assert_eq!(live.points(m), file.points(m), "at {m}");
        }
    });
}

#[test]
fn a_case_is_a_function_of_its_seed() {
    for seed in 0..20 {
        let (one, other) = (Case::random(seed), Case::random(seed));
        assert_eq!(one.events, other.events);
        assert!((5..=120).contains(&one.events.len()), "seed {seed}: {} events", one.events.len());
        let times = |case: &Case| case.live().iter().map(|delivery| delivery.log_time).collect::<Vec<_>>();
        assert_eq!(times(&one), times(&other));
    }
}

#[test]
fn the_cases_reach_every_outcome_and_every_field() {
    let file = Mutex::new(BTreeMap::<Outcome, u64>::new());
    let live = Mutex::new(BTreeMap::<Outcome, u64>::new());
    let kinds = Mutex::new(BTreeSet::new());
    let fields = Mutex::new(BTreeMap::<(&str, &str), u64>::new());
    cases::each(300, |case| {
        let mut model = Model::new(&case.orgs, case.settings.clone());
        for event in &case.events {
            *file.lock().unwrap().entry(model.take(event.clone(), None)).or_default() += 1;
            kinds.lock().unwrap().insert(kind(&event.statement));
        }
        let mut other = Model::new(&case.orgs, case.settings.clone());
        for delivery in case.live() {
            let outcome = other.take(delivery.event, Some(delivery.log_time));
            *live.lock().unwrap().entry(outcome).or_default() += 1;
        }
        let reading = model.read();
        let mut seen = BTreeSet::new();
        for m in case.edges().into_iter().step_by(9).chain(reading.standard_minutes()) {
            for ((_, series), fields) in reading.points(m) {
                seen.extend(fields.keys().map(|field| (series.measure, *field)));
            }
        }
        for field in seen {
            *fields.lock().unwrap().entry(field).or_default() += 1;
        }
    });
    let (file, live, fields) =
        (file.into_inner().unwrap(), live.into_inner().unwrap(), fields.into_inner().unwrap());
    println!("file {file:?}\nlive {live:?}\nin how many cases {fields:?}");
    if std::env::var_os("SITREP_SEED").is_some() {
        return;
    }
    let decided = [
        Outcome::Accepted,
        Outcome::Duplicate,
        Outcome::FutureDated,
        Outcome::UnknownPlace,
        Outcome::UnknownStandard,
    ];
    for outcome in decided {
        assert!(file.contains_key(&outcome), "no event of a file is {}", outcome.as_str());
        assert!(live.contains_key(&outcome), "no live event is {}", outcome.as_str());
    }
    assert!(live.contains_key(&Outcome::TooLate) && !file.contains_key(&Outcome::TooLate));
    assert_eq!(kinds.into_inner().unwrap().len(), 6);
    for row in &MEASURES {
        for field in row.fields {
            assert!(fields.contains_key(&(row.name, *field)), "{} {field} is always 0", row.name);
        }
    }
}

#[test]
fn the_cases_reach_every_situation_in_which_a_mistake_could_hide() {
    let situations = Mutex::new(BTreeMap::<&str, u64>::new());
    cases::each(200, |case| {
        for situation in reached(case) {
            *situations.lock().unwrap().entry(situation).or_default() += 1;
        }
    });
    let situations = situations.into_inner().unwrap();
    println!("in how many cases {situations:#?}");
    if std::env::var_os("SITREP_SEED").is_some() {
        return;
    }
    for situation in SITUATIONS {
        let cases = situations.get(situation).copied().unwrap_or_default();
        assert!(cases >= 3, "{situation}: in {cases} cases");
    }
    assert!(situations.keys().all(|situation| SITUATIONS.contains(situation)));
}

fn kind(statement: &Statement<'_>) -> &'static str {
    match statement {
        Statement::Attendance(_) => "attendance",
        Statement::Ambulance(_) => "ambulance",
        Statement::Beds(_) => "beds",
        Statement::Standard(_) => "standard",
        Statement::Escalation(_) => "escalation",
        Statement::Heartbeat => "heartbeat",
    }
}
