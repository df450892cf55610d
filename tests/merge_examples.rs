//! Whether model, replay and live engine obey the merge law and give the right outcomes (spec 1.1, 1.2, 1.7), in examples
//! worked out by hand, told in the language of `scenario.rs`.

use acceptance::model::{Model, Settings};
use acceptance::places::{LITTLE_ENGLAND, organisations, reference};
use acceptance::scenario::{Action, Scenario, check, check_all};
use domain::event::{Attendance, Event, Location, Outcome, Statement};
use domain::time::{Millis, Minute, Second, rfc3339};

#[test]
fn the_statement_with_the_greatest_stamp_stands() {
    for (what, lesser, greater) in [
        ("recorded later", "recorded=10:00 id=99", "recorded=10:01 id=1"),
        ("a millisecond later", "recorded=10:00:00.001 id=99", "recorded=10:00:00.002 id=1"),
        ("ids by length", "id=9", "id=10"),
        ("ids by length, then as bytes", "id=19", "id=20"),
        ("ids as bytes, capitals first", "id=Z9", "id=a0"),
        ("sources as bytes", "id=1 source=ed", "id=1 source=ed2"),
        ("sources after ids", "id=1 source=z", "id=2 source=a"),
        ("sources not by length", "id=1 source=zz", "id=1 source=zzz"),
        ("b after aa", "id=1 source=aa", "id=1 source=b"),
    ] {
        let story = format!(
            "12:00 state A1 arrived_at=09:00 {lesser}
             12:00 state A1 arrived_at=08:00 {greater}
             12:00 state A2 arrived_at=08:00 {greater}
             12:00 state A2 arrived_at=09:00 {lesser} outcome=duplicate
             12:00 state A3 arrived_at=null {greater}
             12:00 state A3 arrived_at=09:00 {lesser} outcome=duplicate
             08:01 expect arrivals type1 1h arrived=2
             09:02 expect arrivals type1 1h arrived=0"
        );
        check(what, &story);
    }
}

#[test]
fn of_one_stamp_the_greater_value_stands() {
    for (fact, lesser, greater) in [
        ("arrived_at", "null", "09:00"),
        ("arrived_at", "09:00", "09:00:01"),
        ("departed_at", "09:00", "2026-11-22/08:00"),
        ("planned", "null", "false"),
        ("void", "false", "true"),
        ("department_type", "2", "5"),
        ("acuity", "null", "1"),
        ("disposal", "admitted", "died"),
        ("disposal", "died", "discharged"),
        ("disposal", "left", "streamed"),
        ("disposal", "streamed", "transferred"),
        ("arrival_mode", "other", "walk_in"),
        ("ambulance", "null", "J1"),
        ("ambulance", "J1", "J2"),
        ("location", "null", "Majors"),
        ("location", "Majors", "Resus"),
    ] {
        let story = format!(
            "12:00 state A1 {fact}={lesser} id=1 recorded=2026-11-23/12:00
             12:00 state A1 {fact}={greater} id=1 recorded=2026-11-23/12:00
             12:00 state A1 {fact}={greater} id=1 recorded=2026-11-23/12:00 outcome=duplicate
             12:00 state A2 {fact}={greater} id=1 recorded=2026-11-23/12:00
             12:00 state A2 {fact}={lesser} id=1 recorded=2026-11-23/12:00 outcome=duplicate"
        );
        check(&format!("{fact}: {lesser} and {greater}"), &story);
    }
    for (fact, lesser, greater) in [
        ("destination", "General", "Minors"),
        ("destination", "null", "General"),
        ("category", "C1", "C2"),
        ("cleared_at", "null", "09:00"),
    ] {
        let story = format!(
            "12:00 state J1 {fact}={greater} id=1
             12:00 state J1 {fact}={lesser} id=1 outcome=duplicate
             12:00 state J2 {fact}={lesser} id=1
             12:00 state J2 {fact}={greater} id=1"
        );
        check(&format!("{fact}: {lesser} and {greater}"), &story);
    }
    check(
        "a journey's name by its service first",
        "12:00 state A1 ambulance=J9 service=Air id=1
         12:00 state A1 ambulance=J1 service=Ambulances id=1
         12:00 state A1 ambulance=J9 service=Air id=1 outcome=duplicate",
    );
}

#[test]
fn one_outcome_for_each_event_the_first_that_applies() {
    check_all(&[
        (
            "a statement of it stands that did not stand before",
            "09:00 arrive A1 type1 id=1
             09:00 state A1 department_type=1 acuity=2 id=1
             09:00 state A1 acuity=2 id=1 outcome=duplicate
             09:05 state A1 acuity=2
             09:06 state A1 child=null
             09:02 state A1 acuity=3 outcome=duplicate",
        ),
        (
            "a place before a clock, a clock before a duplicate",
            "09:00 arrive A1 type1 id=1
             09:00 arrive A1 site=Nowhere recorded=08:00 outcome=unknown_place
             09:00 again 1 outcome=duplicate
             09:00 arrive A1 type1 id=1 recorded=08:49 outcome=future_dated
             09:00 arrive A1 site=Ambulances outcome=unknown_place
             09:00 reach J1 service=General outcome=unknown_place
             09:00 reach J1 Trust outcome=unknown_place
             09:00 beds site=Trust open=1 outcome=unknown_place
             09:00 declare Nowhere 2 scale=none outcome=unknown_place
             09:00 declare Trust 2 scale=none recorded=08:00 outcome=unknown_standard",
        ),
        (
            "every instant that is stated, in a key and a move too; a retraction states none",
            "10:00 beds open=1 recorded=09:49 outcome=future_dated
             10:00 beds open=1 recorded=09:50
             10:00 declare Trust 2 recorded=09:49 outcome=future_dated
             10:00 move A1 Majors recorded=09:49 outcome=future_dated
             10:00 state A1 departed_at=null recorded=09:49
             10:00 call J1 recorded=09:49 outcome=future_dated",
        ),
        (
            "too late is when everything is old; never a declaration or a heartbeat",
            "date 2026-11-01
             10:00 arrive A1 type1 logged=2026-11-15/10:00
             10:00 arrive A2 type1 logged=2026-11-15/10:00:01 outcome=too_late
             10:00 void A1 logged=2026-11-15/10:01 outcome=too_late
             10:00 state A1 departed_at=09:00 recorded=10:01 logged=2026-11-15/10:01
             10:00 state A3 departed_at=10:05 recorded=10:00 logged=2026-11-15/10:01
             10:00 beds open=1 logged=2026-11-15/10:01 outcome=too_late
             10:00 reach J1 General logged=2026-11-15/10:01 outcome=too_late
             10:00 declare Trust 2 logged=2026-11-15/10:01
             10:01 heartbeat source=beat logged=2026-11-15/10:02",
        ),
        (
            "what was refused is no news of its source",
            "10:00 arrive A1 site=Nowhere source=x outcome=unknown_place
             09:00 heartbeat source=x
             10:00 arrive A1 source=x
             09:59 heartbeat source=x outcome=duplicate
             10:00 heartbeat source=x outcome=duplicate
             10:00 heartbeat source=x id=999 outcome=duplicate
             10:00:01 heartbeat source=x
             10:00:01 heartbeat source=y",
        ),
    ]);
}

#[test]
fn of_more_than_a_hundred_moves_the_newest_hundred_by_since_are_kept() {
    let orgs = organisations(LITTLE_ENGLAND).unwrap();
    let mut model = Model::new(&orgs, Settings::default());
    let start = rfc3339(b"2026-11-21T00:00:00Z").unwrap().second();
    let mut count = 1_000;
    let mut moved = |number: u32, area: Option<&'static str>| {
        count += 1;
        let mut the = Attendance::new("General", reference("A1"));
        the.location = Some(Location { area: area.map(Into::into), since: Second(start.0 + number) });
        let recorded_at = Millis::from(Second(start.0 + 86_400));
        let id = count.to_string().into();
        model
            .take(Event { id, source: "ed".into(), recorded_at, statement: Statement::Attendance(the) }, None)
    };
    for number in 1..=100 {
        let area = (number % 3 != 0).then_some("Majors");
        assert_eq!(moved(number, area), Outcome::Accepted, "{number}");
    }
    assert_eq!(moved(0, Some("Majors")), Outcome::Duplicate, "older than the hundred");
    assert_eq!(moved(1, Some("Resus")), Outcome::Accepted, "one of the hundred");
    assert_eq!(moved(101, Some("Resus")), Outcome::Accepted, "newer than all");
    assert_eq!(moved(1, Some("Waiting room")), Outcome::Duplicate, "no longer one of the hundred");
}

#[test]
fn every_order_of_seven_messages_gives_the_same_figures() {
    // Registered, updated, admitted and discharged in one second, left after all, cancelled, reinstated.
    let text = "date 2026-11-21
        09:00 arrive A1 type1   09:10 state A1 acuity=2 department_type=2   10:00 depart A1 admitted
        10:00 depart A1 discharged id=10   10:05 depart A1 left   10:06 void A1   10:07 unvoid A1";
    let story = Scenario::read(text).unwrap();
    let events: Vec<Event<'static>> = story
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Say { event, .. } => Some(event.as_ref().clone()),
            Action::Expect(_) => None,
        })
        .collect();
    let minutes: Vec<Minute> = [9, 10, 11]
        .map(|hour| rfc3339(format!("2026-11-21T{hour:02}:06:00Z").as_bytes()).unwrap().closed_minute())
        .into();
    let figures = |order: &[usize]| {
        let mut model = Model::new(&story.orgs, Settings::default());
        for index in order {
            model.take(events[*index].clone(), None);
        }
        minutes.iter().map(|m| model.points(*m)).collect::<Vec<_>>()
    };
    let mut order: Vec<usize> = (0..events.len()).collect();
    assert_eq!(order.len(), 7);
    let expected = figures(&order);
    assert!(expected.iter().all(|points| !points.is_empty()));
    let mut orders = 0;
    each_order(&mut order, 0, &mut |order| {
        orders += 1;
        assert_eq!(figures(order), expected, "in the order {order:?}");
    });
    assert_eq!(orders, 5_040);
}

fn each_order(order: &mut Vec<usize>, from: usize, check: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        return check(order);
    }
    for other in from..order.len() {
        order.swap(from, other);
        each_order(order, from + 1, check);
        order.swap(from, other);
    }
}
