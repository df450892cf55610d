//! The stream of a simulation: the same for the same seed wherever it is cut, at England's rates, and with each fault
//! what its table says.

mod faults;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::event::{ArrivalMode, Fact};
use domain::ids::Ref;
use domain::time::rfc3339;

use super::*;
use crate::Fault;
use crate::organisations::{largest_major, tests::england};

fn at(text: &str) -> Second {
    rfc3339(text.as_bytes()).unwrap().second()
}

/// A Wednesday in winter.
const MORNING: &str = "2026-01-14T00:00:00Z";

fn settings(seed: u64, hours: u32) -> SimulationSettings {
    println!("seed {seed}");
    let from = at(MORNING);
    SimulationSettings::new(seed, from, Second(from.0 + hours * 3600))
}

fn some_sites(seed: u64, hours: u32) -> SimulationSettings {
    SimulationSettings {
        largest: Some(12),
        heartbeats: true,
        beds: BedStates::Hourly,
        ..settings(seed, hours)
    }
}

/// When it was received, and what.
type Received = (i64, Event<'static>);

fn owned(event: Event<'_>) -> Event<'static> {
    let statement = match event.statement {
        Statement::Attendance(a) => {
            let ambulance = match a.ambulance {
                Fact::Stated(name) => Fact::Stated(domain::event::JourneyName {
                    service: name.service.into_owned().into(),
                    reference: name.reference,
                }),
                Fact::Retracted => Fact::Retracted,
                Fact::Absent => Fact::Absent,
            };
            let location = a.location.map(|location| domain::event::Location {
                area: location.area.map(|area| area.into_owned().into()),
                since: location.since,
            });
            Statement::Attendance(domain::event::Attendance {
                site: a.site.into_owned().into(),
                ambulance,
                location,
                reference: a.reference,
                department_type: a.department_type,
                planned: a.planned,
                child: a.child,
                acuity: a.acuity,
                arrival_mode: a.arrival_mode,
                arrived_at: a.arrived_at,
                assessed_at: a.assessed_at,
                treated_at: a.treated_at,
                referred_at: a.referred_at,
                decided_to_admit_at: a.decided_to_admit_at,
                clock_stopped_at: a.clock_stopped_at,
                departed_at: a.departed_at,
                disposal: a.disposal,
                void: a.void,
            })
        }
        Statement::Ambulance(j) => Statement::Ambulance(domain::event::Journey {
            service: j.service.into_owned().into(),
            destination: match j.destination {
                Fact::Stated(code) => Fact::Stated(code.into_owned().into()),
                Fact::Retracted => Fact::Retracted,
                Fact::Absent => Fact::Absent,
            },
            reference: j.reference,
            category: j.category,
            call_at: j.call_at,
            clock_started_at: j.clock_started_at,
            responded_at: j.responded_at,
            arrived_at: j.arrived_at,
            handed_over_at: j.handed_over_at,
            cleared_at: j.cleared_at,
            void: j.void,
        }),
        Statement::Beds(b) => Statement::Beds(domain::event::Beds {
            site: b.site.into_owned().into(),
            as_of: b.as_of,
            open: b.open,
            occupied: b.occupied,
            escalation_open: b.escalation_open,
            no_criteria_to_reside: b.no_criteria_to_reside,
        }),
        Statement::Heartbeat => Statement::Heartbeat,
        Statement::Standard(_) | Statement::Escalation(_) => panic!("not simulated"),
    };
    Event {
        id: event.id.into_owned().into(),
        source: event.source.into_owned().into(),
        recorded_at: event.recorded_at,
        statement,
    }
}

fn drain(mut simulation: Simulation) -> Vec<Received> {
    let mut events = Vec::new();
    while let Some(delivered) = simulation.next_event() {
        events.push((delivered.at.0, owned(delivered.event)));
    }
    events
}

fn run(settings: &SimulationSettings) -> Vec<Received> {
    drain(Simulation::new(settings.clone(), &england()).unwrap())
}

fn with(fault: Fault, base: &SimulationSettings) -> SimulationSettings {
    SimulationSettings { faults: vec![fault], ..base.clone() }
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_others() {
    let first = run(&some_sites(1, 30));
    assert_eq!(first, run(&some_sites(1, 30)));
    assert_ne!(first, run(&some_sites(2, 30)));
    assert!(first.is_sorted_by_key(|(at, _)| *at), "in order of delivery");
    let (from, until) = (i64::from(at(MORNING).0) * 1000, i64::from(at(MORNING).0 + 30 * 3600) * 1000);
    assert!(first.iter().all(|(at, _)| (from..until).contains(at)));
}

#[test]
fn a_longer_run_begins_with_the_shorter_one_and_can_be_cut_anywhere() {
    let all = SimulationSettings { faults: Fault::ALL.to_vec(), ..some_sites(3, 60) };
    let long = run(&all);
    let until = Second(all.from.0 + 20 * 3600 + 17);
    let short = run(&SimulationSettings { until, ..all.clone() });
    assert!(short.len() > 5_000);
    assert_eq!(short, long[..short.len()]);
    assert!(long[short.len()].0 >= Millis::from(until).0);
    for limit in [0, 1, 4_000] {
        let some = run(&SimulationSettings { events_max: Some(limit), ..all.clone() });
        assert_eq!(some, long[..limit as usize]);
    }

    // Told minute by minute, as live, it says the same.
    let mut live = Simulation::new(all.clone(), &england()).unwrap();
    let mut told = Vec::new();
    for minute in 0..60 * 60 {
        let now = Millis::from(Second(all.from.0 + minute * 60 + 31));
        while let Some(delivered) = live.next_before(now) {
            assert!(delivered.at < now);
            told.push((delivered.at.0, owned(delivered.event)));
        }
    }
    assert_eq!(told, long[..told.len()]);
    assert!(long.len() - told.len() < 2_000);
}

#[test]
fn a_simulation_that_was_stopped_is_taken_up_where_it_was() {
    for faults in [Vec::new(), Fault::ALL.to_vec()] {
        // Long enough that what is made again does not reach back to the beginning.
        let settings = SimulationSettings {
            faults,
            largest: Some(3),
            types: vec![DepartmentType::Major],
            ..some_sites(4, 24 * 7)
        };
        let all = run(&settings);
        for hours in [0, 3, 24 * 6] {
            let after = Millis::from(Second(settings.from.0 + hours * 3600 + 1_234));
            let rest = drain(Simulation::resume(settings.clone(), &england(), after).unwrap());
            let expected = all.iter().position(|(at, _)| *at > after.0).unwrap();
            assert!(rest == all[expected..], "taken up after {hours} h");
        }
    }
}

/// What becomes known of an attendance.
#[derive(Default, Debug)]
struct Known {
    kind: Option<DepartmentType>,
    arrived: Option<u32>,
    departed: Option<u32>,
    stopped: Option<u32>,
    planned: bool,
    by_ambulance: Option<Ref>,
    statements: u32,
}

fn known(events: &[Received]) -> HashMap<(String, Ref), Known> {
    let mut all: HashMap<(String, Ref), Known> = HashMap::new();
    for (_, event) in events {
        let Statement::Attendance(says) = &event.statement else { continue };
        let known = all.entry((says.site.to_string(), says.reference)).or_default();
        let seconds = |fact: Fact<Second>| fact.value().map(|second| second.0);
        known.kind = known.kind.or(says.department_type.value());
        known.arrived = known.arrived.or(seconds(says.arrived_at));
        known.departed = known.departed.or(seconds(says.departed_at));
        known.stopped = known.stopped.or(seconds(says.clock_stopped_at));
        known.planned |= says.planned == Fact::Stated(true);
        if let Fact::Stated(name) = &says.ambulance {
            assert_eq!(says.arrival_mode, Fact::Stated(ArrivalMode::Ambulance));
            known.by_ambulance = Some(name.reference);
        }
        known.statements += 1;
    }
    all
}

#[test]
fn england_comes_at_its_rates() {
    // A whole week of a tenth of England's patients: the mean of the weekdays.
    let week = SimulationSettings { size: 0.1, ..settings(5, 24 * 7 + 48) };
    let events = run(&week);
    let known = known(&events);
    let from = week.from.0;
    let in_week = |known: &&Known| known.arrived.is_some_and(|arrived| arrived < from + 7 * 86_400);
    let of = |kind| known.values().filter(in_week).filter(move |known| known.kind == Some(kind));
    for (kind, daily, within) in [
        (DepartmentType::Major, 4_780.0, 0.60),
        (DepartmentType::SingleSpecialty, 177.0, 0.95),
        (DepartmentType::Other, 2_790.0, 0.97),
    ] {
        let count = of(kind).count() as f64 / 7.0;
        let tolerance = 0.01 + 3.0 / f64::sqrt(7.0 * daily);
        assert!((count / daily - 1.0).abs() < tolerance, "{kind:?}: {count} a day");
        let minutes = |known: &Known| {
            let stop = known.stopped.or(known.departed).unwrap();
            stop / 60 - known.arrived.unwrap() / 60
        };
        let ended: Vec<u32> = of(kind).filter(|k| !k.planned && k.departed.is_some()).map(minutes).collect();
        let share = ended.iter().filter(|minutes| **minutes <= 240).count() as f64 / ended.len() as f64;
        assert!((share - within).abs() < 0.025, "{kind:?}: {share} within four hours");
    }
    let (all, ambulance) = (of(DepartmentType::Major).count(), {
        of(DepartmentType::Major).filter(|known| known.by_ambulance.is_some()).count()
    });
    let share = ambulance as f64 / all as f64;
    assert!((0.23..0.27).contains(&share), "{share} by ambulance");
    let planned = known.values().filter(|known| known.planned).count() as f64 / known.len() as f64;
    assert!((0.015..0.025).contains(&planned), "{planned} planned");
    let statements =
        events.iter().filter(|(_, event)| !matches!(event.statement, Statement::Beds(_))).count();
    let each = statements as f64 / known.len() as f64;
    assert!((5.0..7.0).contains(&each), "{each} statements an attendance, journeys included");

    let journeys: HashSet<Ref> = events
        .iter()
        .filter_map(|(_, event)| match &event.statement {
            Statement::Ambulance(journey) => Some(journey.reference),
            _ => None,
        })
        .collect();
    assert!(known.values().filter_map(|known| known.by_ambulance).all(|name| journeys.contains(&name)));
    let beds = events.iter().filter(|(_, event)| matches!(event.statement, Statement::Beds(_))).count();
    assert_eq!(beds, 121 * 9, "each major department's hospital once a day");
}

#[test]
fn services_answer_calls_of_every_category_and_about_half_convey_somebody() {
    let day = SimulationSettings { size: 0.2, ..settings(16, 36) };
    let (mut categories, mut responded, mut conveyed) = (BTreeMap::new(), HashSet::new(), HashSet::new());
    for (_, event) in run(&day) {
        let Statement::Ambulance(journey) = event.statement else { continue };
        let key = (journey.service.to_string(), journey.reference);
        if let Fact::Stated(category) = journey.category {
            categories.insert(key.clone(), category);
        }
        if journey.responded_at.is_said() {
            responded.insert(key.clone());
        }
        if journey.destination.is_said() {
            conveyed.insert(key);
        }
    }
    let mut counts = BTreeMap::new();
    for key in responded.iter().filter(|key| categories.contains_key(*key)) {
        let is_conveyed = conveyed.contains(key);
        let count = counts.entry(categories[key]).or_insert([0u32; 2]);
        count[usize::from(is_conveyed)] += 1;
    }
    assert_eq!(counts.len(), 5, "{counts:?}");
    for (category, [alone, conveyed]) in &counts {
        let expected = *category != domain::event::Category::C5;
        assert_eq!((*alone > 50, *conveyed > 50), (true, expected), "{category:?}: {alone} {conveyed}");
    }
    let sum = |index: usize| counts.values().map(|count| f64::from(count[index])).sum::<f64>();
    let for_each = sum(0) / sum(1);
    assert!((0.8..1.1).contains(&for_each), "{for_each} calls for each journey");
    let none = run(&SimulationSettings { calls: false, size: 0.01, ..settings(16, 12) });
    assert!(none.iter().all(|(_, event)| !event.id.contains("-CALL-")));
}

#[test]
fn what_is_said_gives_every_measure_something_to_count() {
    let events = run(&SimulationSettings { heartbeats: true, ..some_sites(17, 48) });
    let mut said: BTreeMap<&str, u32> = BTreeMap::new();
    let mut areas = BTreeSet::new();
    for (_, event) in &events {
        let mut count =
            |what: &'static str, is_said: bool| *said.entry(what).or_default() += u32::from(is_said);
        match &event.statement {
            Statement::Attendance(a) => {
                count("planned", a.planned == Fact::Stated(true));
                count("treated_at", a.treated_at.is_said());
                count("referred_at", a.referred_at.is_said());
                count("decided_to_admit_at", a.decided_to_admit_at.is_said());
                count("clock_stopped_at", a.clock_stopped_at.is_said());
                count("admitted", a.disposal == Fact::Stated(domain::event::Disposal::Admitted));
                count("ambulance", a.ambulance.is_said());
                areas.extend(a.location.iter().filter_map(|location| location.area.clone()));
            }
            Statement::Ambulance(j) => {
                count("responded_at", j.responded_at.is_said());
                count("handed_over_at", j.handed_over_at.is_said());
            }
            Statement::Beds(b) => {
                let [open, occupied, escalation, waiting] =
                    [b.open, b.occupied, b.escalation_open, b.no_criteria_to_reside]
                        .map(|fact| fact.value().expect("stated"));
                assert!(occupied <= open && escalation < open && waiting < occupied, "{b:?}");
                count("no_criteria_to_reside", waiting > 0);
                count("escalation_open", escalation > 0);
            }
            Statement::Heartbeat => count("heartbeat", true),
            Statement::Standard(_) | Statement::Escalation(_) => panic!("not simulated"),
        }
    }
    let few: Vec<_> = said.iter().filter(|(_, count)| **count < 20).collect();
    assert_eq!(few, [], "{said:?}");
    let areas: Vec<&str> = areas.iter().map(AsRef::as_ref).collect();
    assert_eq!(areas, ["majors", "minors", "paeds", "resus", "utc", "waiting"]);
}

#[test]
fn mondays_and_late_mornings_are_busiest() {
    let week = SimulationSettings { largest: Some(60), ambulances: false, ..settings(6, 24 * 7 + 1) };
    let (mut hours, mut days) = ([0u32; 24], [0u32; 7]);
    for (_, event) in run(&week) {
        let Statement::Attendance(says) = event.statement else { continue };
        if let Fact::Stated(arrived) = says.arrived_at {
            let since = (arrived.0 - week.from.0) / 3600;
            hours[(since % 24) as usize] += 1;
            days[((since / 24 + 2) % 7) as usize] += 1;
        }
    }
    let busiest = |counts: &[u32]| (0..counts.len()).max_by_key(|index| counts[*index]).unwrap();
    assert!((10..12).contains(&busiest(&hours)), "{hours:?}");
    assert_eq!(busiest(&days), 0, "{days:?}");
    assert!(hours[4] < hours[11] / 4, "{hours:?}");
}

#[test]
fn every_event_can_be_told_apart_and_no_instant_lies_ahead_of_its_record() {
    let events = run(&SimulationSettings { faults: Fault::ALL.to_vec(), ..some_sites(7, 48) });
    let mut seen: HashMap<(String, String), Event<'static>> = HashMap::new();
    for (_, event) in events {
        let mut bytes = Vec::new();
        contract::write_json(&event, &mut bytes);
        assert_eq!(contract::parse_json(&bytes, &contract::Required).as_ref(), Ok(&event), "on the wire");
        let limit = event.recorded_at.0 + 600_000;
        for instant in instants(&event) {
            assert!(i64::from(instant.0) * 1000 <= limit, "{event:?}");
        }
        assert!(
            event.source.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        );
        let key = (event.source.to_string(), event.id.to_string());
        if let Some(first) = seen.insert(key, event.clone()) {
            assert_eq!(first, event, "an id with two meanings");
        }
    }
}

fn instants(event: &Event<'_>) -> Vec<Second> {
    let facts = match &event.statement {
        Statement::Attendance(a) => vec![
            a.arrived_at,
            a.assessed_at,
            a.treated_at,
            a.referred_at,
            a.decided_to_admit_at,
            a.clock_stopped_at,
            a.departed_at,
        ],
        Statement::Ambulance(j) => {
            vec![j.call_at, j.clock_started_at, j.responded_at, j.arrived_at, j.handed_over_at, j.cleared_at]
        }
        Statement::Beds(b) => vec![Fact::Stated(b.as_of)],
        Statement::Heartbeat => Vec::new(),
        Statement::Standard(_) | Statement::Escalation(_) => panic!("not simulated"),
    };
    facts.into_iter().filter_map(Fact::value).collect()
}

#[test]
fn statements_can_be_counted_out() {
    for wanted in [2, 5, 10, 16] {
        let settings = SimulationSettings { statements: Some(wanted), ..some_sites(8, 80) };
        let from = settings.from.0;
        let early = |known: &&Known| known.arrived.is_some_and(|arrived| arrived < from + 12 * 3600);
        let known = known(&run(&settings));
        assert!(known.values().filter(early).count() > 1_000);
        for known in known.values().filter(early) {
            assert_eq!(known.statements, u32::from(wanted), "{known:?}");
        }
    }
}

/// Identity of an event and its content, when each copy was received.
fn by_content(events: &[Received]) -> BTreeMap<String, Vec<i64>> {
    let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (at, event) in events {
        all.entry(format!("{event:?} {:?}", reference_of(event))).or_default().push(*at);
    }
    all
}

fn reference_of(event: &Event<'_>) -> Option<[u8; 16]> {
    match &event.statement {
        Statement::Attendance(says) => Some(says.reference.0),
        Statement::Ambulance(says) => Some(says.reference.0),
        Statement::Beds(_) | Statement::Standard(_) | Statement::Escalation(_) | Statement::Heartbeat => None,
    }
}

/// Share within four hours of the departures of a site in the four hours before an instant, by arrival at the door.
fn compliance(events: &[Received], site: &str, until: Second) -> f64 {
    let ended: Vec<u32> = known(events)
        .into_iter()
        .filter(|((code, _), known)| code == site && !known.planned)
        .filter_map(|(_, known)| {
            let stop = known.stopped.or(known.departed)?;
            (until.0 - 14_400..until.0).contains(&stop).then_some(stop / 60 - known.arrived? / 60)
        })
        .collect();
    assert!(ended.len() >= 20, "{} departures", ended.len());
    ended.iter().filter(|minutes| **minutes <= 240).count() as f64 / ended.len() as f64
}

#[test]
fn the_drill_makes_one_department_go_wrong_at_any_hour_and_no_other() {
    let england = england();
    let site = england.get(largest_major(&england).unwrap()).code.clone();
    for hour in [1, 5, 9, 13, 17, 21] {
        let types = vec![DepartmentType::Major];
        let base = SimulationSettings { largest: Some(5), types, ..settings(13, 24 + hour + 6) };
        let from = Second(base.from.0 + (24 + hour) * 3600);
        let drill = Some(Drill { site: site.clone(), from });
        let (plain, bad) = (run(&base), run(&SimulationSettings { drill, ..base.clone() }));
        let after = |minutes: u32| Second(from.0 + minutes * 60);
        let course = [0, 60, 120, 180, 240].map(|minutes| compliance(&bad, &site, after(minutes)));
        println!("{site} from {from}: {course:.2?}");
        assert_eq!(compliance(&plain, &site, from), course[0], "nothing before it begins");
        assert!(course[3] < 0.55 && course[4] < 0.35, "{course:?}");
        assert!(compliance(&plain, &site, after(240)) > 0.4, "bad without a drill");
        let others = |events: &[Received]| {
            let of_others = |event: &Event<'_>| !event.id.starts_with(&format!("{site}-"));
            events.iter().filter(|(_, event)| of_others(event)).cloned().collect::<Vec<_>>()
        };
        assert!(others(&plain) == others(&bad));
    }
}

#[test]
fn what_cannot_be_simulated_is_refused_with_what_would_be_right() {
    let base = settings(14, 1);
    let drill = |site: &str| Some(Drill { site: site.into(), from: base.from });
    for (settings, message) in [
        (
            SimulationSettings { until: base.from, ..base.clone() },
            "until (2026-01-14T00:00:00Z) must be after from (2026-01-14T00:00:00Z)",
        ),
        (
            SimulationSettings { from: Second(FIRST_SECOND), ..base.clone() },
            "from must be at least 2000-01-02T00:00:00Z and until at most 2100-01-01T00:00:00Z",
        ),
        (
            SimulationSettings { until: Second(u32::MAX), ..base.clone() },
            "from must be at least 2000-01-02T00:00:00Z and until at most 2100-01-01T00:00:00Z",
        ),
        (
            SimulationSettings { types: vec![DepartmentType::WalkInCentre], ..base.clone() },
            "the organisations have no site of the types asked for: at least one row of level site is needed",
        ),
        (
            SimulationSettings { largest: Some(0), ..base.clone() },
            "the organisations have no site of the types asked for: at least one row of level site is needed",
        ),
        (
            SimulationSettings { statements: Some(1), ..base.clone() },
            "statements is 1: 2 to 16 of an attendance are possible",
        ),
        (
            SimulationSettings { statements: Some(17), ..base.clone() },
            "statements is 17: 2 to 16 of an attendance are possible",
        ),
        (SimulationSettings { size: 0.0, ..base.clone() }, "size must be a number above 0 and at most 10"),
        (
            SimulationSettings { size: f64::NAN, ..base.clone() },
            "size must be a number above 0 and at most 10",
        ),
        (
            SimulationSettings { drill: drill("RXF-T3"), ..base.clone() },
            "the drill's site \"RXF-T3\" is not a type 1 site of this simulation",
        ),
        (
            SimulationSettings { drill: drill("RXF"), ..base.clone() },
            "the drill's site \"RXF\" is not a type 1 site of this simulation",
        ),
    ] {
        let error = Simulation::new(settings, &england()).err().expect(message);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_benchmark_is_as_many_events_as_asked_for() {
    let settings = SimulationSettings::benchmark(15, at(MORNING), 60_000);
    let mut simulation = Simulation::new(settings, &england()).unwrap();
    assert_eq!(simulation.sites().count(), 200);
    let mut bytes = Vec::new();
    let mut longest = 0;
    while let Some(delivered) = simulation.next_event() {
        bytes.clear();
        contract::write_json(&delivered.event, &mut bytes);
        longest = longest.max(bytes.len());
    }
    assert_eq!(simulation.handed_out(), 60_000);
    assert!((200..1_000).contains(&longest), "{longest}");
}
