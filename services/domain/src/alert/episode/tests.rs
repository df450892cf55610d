//! Stories, then every sequence up to a depth against a second formulation of spec 3.0.

use super::*;

const FIRST: u32 = 1_000;

/// One letter a minute: B breach, C clear, b between, u unjudged, s stale (and in breach), S stale (and clear),
/// . no publication. Letters in brackets are publications of one minute.
fn tell(track: &mut Track, timing: Timing, first: u32, story: &str) -> String {
    let (mut minute, mut inside, mut told) = (first, false, Vec::new());
    for letter in story.chars() {
        match letter {
            '(' => inside = true,
            ')' => inside = false,
            _ => {
                for transition in
                    letter_point(letter, minute).map(|point| track.step(timing, point)).unwrap_or_default()
                {
                    let (change, start) = (transition.change.as_str(), transition.start.0 - FIRST);
                    told.push(format!("{}:{change}@{start}", minute - FIRST));
                }
            }
        }
        if !inside {
            minute += 1;
        }
    }
    told.join(" ")
}

fn letter_point(letter: char, minute: u32) -> Option<Point> {
    let (judgement, stale) = match letter {
        'B' => (Judgement::Breach, false),
        'C' => (Judgement::Clear, false),
        'b' => (Judgement::Between, false),
        'u' => (Judgement::Unjudged, false),
        's' => (Judgement::Breach, true),
        'S' => (Judgement::Clear, true),
        _ => return None,
    };
    Some(Point { minute: Minute(minute), judgement, stale })
}

fn check(hold: u32, keep: u32, story: &str, told: &str) {
    let got = tell(&mut Track::default(), Timing { hold, keep }, FIRST, story);
    assert_eq!(got, told, "hold {hold} keep {keep} {story}");
}

#[test]
fn fires_after_hold_and_resolves_after_keep() {
    check(2, 1, "CBBBBCCC", "1:pending@1 3:firing@1 5:recovering@1 6:resolved@1");
    check(0, 0, "CBBCB", "1:firing@1 3:resolved@1 4:firing@4");
    check(2, 1, "BBC", "0:pending@0 2:dropped@0");
    check(
        1,
        2,
        "BBCCBCCCB",
        "0:pending@0 1:firing@0 2:recovering@0 4:relapsed@0 5:recovering@0 7:resolved@0 8:pending@8",
    );
}

#[test]
fn between_drops_what_is_pending_and_keeps_what_fires() {
    check(2, 1, "BBb", "0:pending@0 2:dropped@0");
    check(1, 1, "BBbbCbCC", "0:pending@0 1:firing@0 4:recovering@0 5:relapsed@0 6:recovering@0 7:resolved@0");
}

#[test]
fn a_saw_tooth_at_the_threshold_is_one_episode() {
    check(1, 2, "BBbBbBbBbBCCC", "0:pending@0 1:firing@0 10:recovering@0 12:resolved@0");
    check(
        1,
        2,
        "BbBbBbBb",
        "0:pending@0 1:dropped@0 2:pending@2 3:dropped@2 4:pending@4 5:dropped@4 6:pending@6 7:dropped@6",
    );
}

#[test]
fn minutes_without_a_judgement_count_for_neither_side() {
    check(2, 2, "BuBuB", "0:pending@0 4:firing@0");
    check(2, 2, "B.B.B", "0:pending@0 4:firing@0");
    check(2, 2, "BBBCuC.C", "0:pending@0 2:firing@0 3:recovering@0 7:resolved@0");
    check(1, 1, "BuuuuuB", "0:pending@0 6:firing@0");
    check(1, 1, "BuuuuuuB", "0:pending@0 6:dropped@0 7:pending@7");
    check(1, 1, "B......B", "0:pending@0 7:dropped@0 7:pending@7");
    check(1, 1, "Buuu...B", "0:pending@0 7:dropped@0 7:pending@7");
    check(2, 1, "BuuuuuBuuuuuB", "0:pending@0 12:firing@0");
}

#[test]
fn missing_data_never_resolves_and_never_pages() {
    check(1, 1, "BBSSSSSSSSSSSSSC", "0:pending@0 1:firing@0 2:frozen@0 15:recovering@0 15:thawed@0");
    check(1, 1, "sssss", "");
    check(1, 0, "Bss", "0:pending@0 1:frozen@0");
    check(1, 1, "Bssssss", "0:pending@0 1:frozen@0 6:dropped@0");
    check(
        1,
        3,
        "BBCSSSSC..........CC",
        "0:pending@0 1:firing@0 2:recovering@0 3:frozen@0 7:thawed@0 19:resolved@0",
    );
}

#[test]
fn a_newer_publication_of_the_newest_minute_replaces_the_older() {
    check(1, 1, "(BC)B", "0:pending@0 0:dropped@0 1:pending@1");
    check(1, 1, "(CB)B", "0:pending@0 1:firing@0");
    check(1, 1, "B(BBB)", "0:pending@0 1:firing@0");
    check(2, 1, "B(BCB)B", "0:pending@0 1:dropped@0 1:pending@0 2:firing@0");
    check(2, 1, "B(uB)B", "0:pending@0 2:firing@0");
    check(2, 1, "B(Bu)BB", "0:pending@0 3:firing@0");
    check(1, 2, "BBC(BC)C", "0:pending@0 1:firing@0 2:recovering@0 3:relapsed@0 3:recovering@0 4:resolved@0");
}

#[test]
fn what_somebody_was_told_is_not_taken_back() {
    check(1, 1, "B(BC)C", "0:pending@0 1:firing@0 1:recovering@0 2:resolved@0");
    check(1, 1, "BBC(CBB)BB", "0:pending@0 1:firing@0 2:recovering@0 3:resolved@0 4:pending@4 5:firing@4");
    check(0, 0, "(BCBCB)B", "0:firing@0 0:resolved@0 1:firing@1");
}

#[test]
fn an_older_minute_changes_nothing() {
    let timing = Timing { hold: 1, keep: 1 };
    let mut track = Track::default();
    tell(&mut track, timing, FIRST, "BB");
    let before = track;
    assert_eq!(tell(&mut track, timing, FIRST, "C"), "");
    assert_eq!(track, before);
}

#[test]
fn a_person_ends_only_what_cannot_end_by_itself() {
    let timing = Timing { hold: 0, keep: 1 };
    for (story, silent, closed) in
        [("B", false, false), ("Bs", false, true), ("Bu", false, true), ("B", true, true), ("C", true, false)]
    {
        let mut track = Track::default();
        tell(&mut track, timing, FIRST, story);
        assert_eq!(
            track.close(silent).map(|transition| transition.change),
            closed.then_some(Change::Closed),
            "{story}"
        );
        assert_eq!(track.close(silent), None);
    }
    let mut track = Track::default();
    tell(&mut track, timing, FIRST, "Bs");
    track.close(false);
    assert_eq!(
        tell(&mut track, timing, FIRST + 1, "B"),
        "",
        "the minute in which it was closed opens no other"
    );
    assert_eq!(tell(&mut track, timing, FIRST + 2, "B"), "2:firing@2");
}

#[test]
fn a_withdrawn_rule_ends_its_episode() {
    for (story, change) in [("C", None), ("B", Some(Change::Dropped)), ("BBs", Some(Change::Withdrawn))] {
        let mut track = Track::default();
        tell(&mut track, Timing { hold: 1, keep: 1 }, FIRST, story);
        assert_eq!(track.withdraw().map(|transition| transition.change), change, "{story}");
        assert_eq!(track.now, Phase::Inactive);
    }
}

// ---- the second formulation: hold and keep are counted over the minutes that could be judged ----

#[derive(Clone, Copy)]
struct Counted {
    minute: u32,
    letter: u8,
    /// More than five minutes without a judgement lie before it.
    after_gap: bool,
}

/// Phase and start after a story of single publications whose last letter is not a missing one.
fn model(story: &[u8], timing: Timing, counted: &mut Vec<Counted>) -> (&'static str, Option<u32>) {
    counted.clear();
    let mut idle = 0;
    for (minute, letter) in story.iter().enumerate() {
        if matches!(letter, b'B' | b'C' | b'b') {
            counted.push(Counted { minute: minute as u32, letter: *letter, after_gap: idle > 5 });
            idle = 0;
        } else {
            idle += 1;
        }
    }
    let (mut open, mut floor) = (None, 0);
    for index in 0..counted.len() {
        let seen = &counted[floor..=index];
        if open.is_none() {
            let run = breach_run(seen);
            if run.len() as u32 > timing.hold {
                open = Some(run[0].minute);
            }
        } else if seen.iter().rev().take_while(|point| point.letter == b'C').count() as u32 > timing.keep {
            (open, floor) = (None, index + 1);
        }
    }
    let run = breach_run(&counted[floor..]);
    match (open, counted.last()) {
        (Some(start), Some(Counted { letter: b'C', .. })) => ("recovering", Some(start)),
        (Some(start), _) => ("firing", Some(start)),
        (None, _) if !run.is_empty() && idle <= 5 => ("pending", Some(run[0].minute)),
        (None, _) => ("inactive", None),
    }
}

/// The minutes in breach up to the last, back to one that is not or to a gap.
fn breach_run(points: &[Counted]) -> &[Counted] {
    let mut first = points.len();
    while first > 0 && points[first - 1].letter == b'B' {
        first -= 1;
        if points[first].after_gap {
            break;
        }
    }
    &points[first..]
}

struct Explorer {
    timing: Timing,
    depth: usize,
    story: Vec<u8>,
    counted: Vec<Counted>,
    states: u64,
}

impl Explorer {
    fn explore(&mut self, track: Track) {
        if self.story.len() == self.depth {
            return;
        }
        for letter in b"BCbuS." {
            self.story.push(*letter);
            // A restart: what goes on is made anew from the parts.
            let Track { newest, before, now, ended, stale, idle } = track;
            let mut next = Track { newest, before, now, ended, stale, idle };
            let minute = FIRST + self.story.len() as u32 - 1;
            if let Some(point) = letter_point(char::from(*letter), minute) {
                next.step(self.timing, point);
                let got = (next.now.as_str(), next.now.start().map(|start| start.0 - FIRST));
                let want = model(&self.story, self.timing, &mut self.counted);
                assert_eq!(got, want, "{:?} {}", self.timing, String::from_utf8_lossy(&self.story));
            }
            self.states += 1;
            self.explore(next);
            self.story.pop();
        }
    }
}

#[test]
fn every_sequence_agrees_with_the_second_formulation() {
    for (hold, keep, depth) in [(1, 1, 9), (0, 0, 7), (2, 1, 8), (1, 3, 8), (0, 2, 7)] {
        let timing = Timing { hold, keep };
        let mut explorer = Explorer { timing, depth, story: vec![], counted: vec![], states: 0 };
        explorer.explore(Track::default());
        assert_eq!(explorer.states, (1..=depth as u32).map(|n| 6u64.pow(n)).sum::<u64>());
    }
}

/// Every story in which each minute is published once or twice: an episode fires and resolves at most once, in that
/// order; and where no first publication called anybody, the second alone would have led to the same phase.
#[test]
fn publications_that_told_nobody_leave_no_trace() {
    const MINUTES: usize = 5;
    let timing = Timing { hold: 1, keep: 1 };
    let letters: Vec<(Option<char>, char)> = "BCbS"
        .chars()
        .flat_map(|last| {
            std::iter::once(None).chain("BCbS".chars().map(Some)).map(move |first| (first, last))
        })
        .collect();
    let mut compared = 0u64;
    for number in 0..letters.len().pow(MINUTES as u32) {
        let (mut track, mut last_only) = (Track::default(), Track::default());
        let (mut told, mut taken_back) = (Vec::new(), false);
        for index in 0..MINUTES {
            let (first, last) = letters[number / letters.len().pow(index as u32) % letters.len()];
            let minute = FIRST + index as u32;
            for (letter, is_last) in first.map(|letter| (letter, false)).into_iter().chain([(last, true)]) {
                let transitions = track.step(timing, letter_point(letter, minute).unwrap());
                let public =
                    transitions.into_iter().filter(|t| matches!(t.change, Change::Fired | Change::Resolved));
                for transition in public {
                    taken_back |= !is_last;
                    assert!(!told.contains(&transition), "{number}: told twice");
                    let fired = Transition { change: Change::Fired, start: transition.start };
                    assert!(transition.change == Change::Fired || told.contains(&fired), "{number}");
                    told.push(transition);
                }
            }
            last_only.step(timing, letter_point(last, minute).unwrap());
            if taken_back {
                break;
            }
            assert_eq!(track.now, last_only.now, "{number}");
            compared += 1;
        }
    }
    assert!(compared > 1_000_000, "{compared}");
}
