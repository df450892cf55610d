//! Each fault does what the table of `faults` says, at its rate, and nothing else.

use super::*;

/// Of every statement of a run without faults, in the same seed: when it was received, and with a fault.
struct Compared {
    /// Milliseconds later than without the fault, one for each statement that was said in both.
    later: Vec<i64>,
    /// Of the statements received twice: milliseconds between.
    again: Vec<i64>,
    /// Statements without the fault.
    plain: usize,
}

impl Compared {
    fn share(&self, count: usize) -> f64 {
        count as f64 / self.plain as f64
    }

    fn delayed(&self) -> Vec<i64> {
        self.later.iter().copied().filter(|later| *later > 0).collect()
    }
}

/// Runs with and without a fault of transport, which must not change a word.
fn compared(fault: Fault) -> Compared {
    let base = some_sites(9, 72);
    let plain = by_content(&run(&base));
    let mut faulty = run(&with(fault, &base));
    // Calls from before the beginning, which are not heard without faults, may come late.
    faulty.retain(|(_, event)| event.recorded_at.0 >= Millis::from(base.from).0 + 360_000);
    let faulty = by_content(&faulty);
    let unknown = faulty.keys().filter(|said| !plain.contains_key(*said)).count();
    assert_eq!(unknown, 0, "{fault:?} says something new");
    assert!(plain.values().all(|at| at.len() == 1), "said twice without faults");
    let both = faulty.iter().map(|(said, at)| (at, plain[said][0]));
    Compared {
        later: both.clone().map(|(at, plain)| at.iter().min().expect("received") - plain).collect(),
        again: both.filter(|(at, _)| at.len() > 1).map(|(at, _)| at[1] - at[0]).collect(),
        plain: plain.len(),
    }
}

#[test]
fn late_statements_come_hours_later() {
    let compared = compared(Fault::Late);
    let delayed = compared.delayed();
    assert!((0.006..0.013).contains(&compared.share(delayed.len())), "{}", delayed.len());
    assert!(delayed.iter().all(|later| (3_600_000..=43_200_000).contains(later)), "1–12 h");
    assert!(compared.again.is_empty());
}

#[test]
fn duplicates_are_the_same_words_within_an_hour() {
    let compared = compared(Fault::Duplicate);
    assert!(compared.delayed().is_empty());
    assert!((0.006..0.013).contains(&compared.share(compared.again.len())), "{}", compared.again.len());
    assert!(compared.again.iter().all(|later| (1_000..=3_600_000).contains(later)));
}

#[test]
fn disordered_statements_are_overtaken_by_what_followed() {
    let compared = compared(Fault::Disordered);
    let delayed = compared.delayed();
    assert!((0.03..0.06).contains(&compared.share(delayed.len())), "{}", delayed.len());
    assert!(delayed.iter().all(|later| (60_000..=1_200_000).contains(later)), "1–20 min");
    assert!(compared.again.is_empty());
    let base = some_sites(9, 24);
    let overtaken = |events: &[Received]| {
        let mut newest: HashMap<[u8; 16], i64> = HashMap::new();
        let mut count = 0;
        for (_, event) in events {
            let Some(reference) = reference_of(event) else { continue };
            let newest = newest.entry(reference).or_default();
            count += u32::from(event.recorded_at.0 < *newest);
            *newest = event.recorded_at.0.max(*newest);
        }
        count
    };
    let (plain, faulty) = (overtaken(&run(&base)), overtaken(&run(&with(Fault::Disordered, &base))));
    assert!(faulty > plain + 100, "{faulty} overtaken, {plain} without the fault");
}

#[test]
fn a_silent_feed_is_silent_and_then_says_all() {
    let words = compared(Fault::SilentFeed);
    assert!(words.again.is_empty());
    let delayed = words.delayed();
    assert!((0.001..0.1).contains(&words.share(delayed.len())), "{}", delayed.len());
    assert!(delayed.iter().all(|later| *later <= 21_600_000), "6 h");

    let base = SimulationSettings { largest: Some(200), ..some_sites(10, 48) };
    let mut silent = Simulation::new(with(Fault::SilentFeed, &base), &england()).unwrap();
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut gaps = BTreeSet::new();
    while let Some(Delivered { at, event }) = silent.next_event() {
        if let Some(before) = last.insert(event.source.to_string(), at.0) {
            let minutes = (at.0 - before) / 60_000;
            if minutes > 10 {
                gaps.insert((minutes, event.source.to_string()));
            }
        }
    }
    assert!(gaps.len() > 2, "some of 130 sources in two days: {gaps:?}");
    assert!(gaps.iter().all(|(minutes, _)| (119..=361).contains(minutes)), "{gaps:?}");
}

/// What a fault of content adds: shares of attendances, and the new statements.
fn amended(fault: Fault, rate: f64) -> Vec<Event<'static>> {
    let base = SimulationSettings { largest: Some(40), ..settings(11, 96) };
    let plain: HashSet<String> = by_content(&run(&base)).into_keys().collect();
    let events = run(&with(fault, &base));
    let is_new = |event: &Event<'_>| !plain.contains(&format!("{event:?} {:?}", reference_of(event)));
    let (mut amended, mut new) = (HashSet::new(), Vec::new());
    let mut newest: HashMap<(String, Ref), i64> = HashMap::new();
    for (_, event) in &events {
        let Statement::Attendance(says) = &event.statement else { continue };
        let key = (says.site.to_string(), says.reference);
        if is_new(event) {
            if fault == Fault::Corrected {
                assert!(event.recorded_at.0 > newest.get(&key).copied().unwrap_or(0), "{event:?}");
            }
            amended.insert(key.clone());
            new.push(event.clone());
        }
        let newest = newest.entry(key).or_insert(0);
        *newest = event.recorded_at.0.max(*newest);
    }
    let share = amended.len() as f64 / known(&events).len() as f64;
    assert!((0.75 * rate..1.2 * rate).contains(&share), "{fault:?}: {share}");
    let said: HashSet<String> = by_content(&events).into_keys().collect();
    assert!(plain.is_subset(&said), "{fault:?} takes a word away");
    new
}

#[test]
fn corrections_come_after_what_they_correct_and_some_take_it_back() {
    let new = amended(Fault::Corrected, 0.03);
    let count = |is: &dyn Fn(&domain::event::Attendance<'_>) -> bool| {
        new.iter().filter(|event| matches!(&event.statement, Statement::Attendance(says) if is(says))).count()
    };
    for (what, count) in [
        ("arrival", count(&|says| says.arrived_at.is_said())),
        ("treatment", count(&|says| says.treated_at.is_said())),
        ("departure", count(&|says| matches!(says.departed_at, Fact::Stated(_)))),
        ("disposal", count(&|says| matches!(says.disposal, Fact::Stated(_)) && !says.departed_at.is_said())),
        ("retraction", count(&|says| says.departed_at == Fact::Retracted)),
    ] {
        assert!(count > 20, "{what}: {count} of {}", new.len());
    }
    assert_eq!(count(&|says| says.void.is_said()), 0);
}

#[test]
fn voided_attendances_are_cancelled_within_hours_of_their_arrival() {
    for event in amended(Fault::Void, 0.005) {
        let Statement::Attendance(says) = &event.statement else { panic!("an attendance") };
        assert_eq!(says.void, Fact::Stated(true), "{event:?}");
        assert!(!says.departed_at.is_said() && !says.arrived_at.is_said(), "nothing else");
    }
}

/// By how many minutes each source is wrong with that fault, between two instants.
fn shifted(fault: Fault, from: &str, until: &str) -> BTreeMap<String, Vec<i64>> {
    let base =
        SimulationSettings { from: at(from), until: at(until), largest: Some(150), ..some_sites(12, 1) };
    let key = |event: &Event<'_>| (event.source.to_string(), event.id.to_string());
    let plain: HashMap<_, _> = run(&base).into_iter().map(|(_, event)| (key(&event), event)).collect();
    let mut shifted: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (_, event) in run(&with(fault, &base)) {
        // A heartbeat's id is its time; it is compared by nothing else.
        let Some(right) = plain.get(&key(&event)) else { panic!("{event:?} is new") };
        let error = event.recorded_at.0 - right.recorded_at.0;
        for (wrong, right) in instants(&event).into_iter().zip(instants(right)) {
            assert_eq!((i64::from(wrong.0) - i64::from(right.0)) * 1000, error, "all of it or nothing");
        }
        if error != 0 {
            shifted.entry(event.source.to_string()).or_default().insert(error / 60_000);
        }
    }
    assert!(!shifted.is_empty(), "{fault:?} shifts nobody");
    shifted.into_iter().map(|(source, minutes)| (source, minutes.into_iter().collect())).collect()
}

#[test]
fn a_skewed_clock_is_some_minutes_wrong_all_the_time() {
    for (source, minutes) in shifted(Fault::ClockSkew, "2025-10-25T20:00:00Z", "2025-10-26T12:00:00Z") {
        assert!(minutes.len() == 1 && (2..=9).contains(&minutes[0].abs()), "{source} {minutes:?}");
    }
}

#[test]
fn a_missed_clock_change_is_an_hour_early_in_autumn_and_late_in_spring() {
    for (from, until, expected) in [
        ("2025-10-25T20:00:00Z", "2025-10-26T12:00:00Z", -60),
        ("2026-03-28T20:00:00Z", "2026-03-29T12:00:00Z", 60),
    ] {
        for (source, minutes) in shifted(Fault::ClockChange, from, until) {
            assert_eq!(minutes, [expected], "{source} {from}");
        }
    }
}
