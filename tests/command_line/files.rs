//! Files: events that are simulated, and the figures of a file of events.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::model::{MEASURES, Points, Series, put};
use domain::event::Outcome;
use domain::measures::{Measure, Window};
use domain::organisations::Level;
use domain::replay::Replay;
use domain::time::Minute;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::run::{Done, sitrep, sitrep_with};
use crate::world::{World, second, tell};

/// The night in which the clocks go back.
const FROM: &str = "2026-10-24T12:00:00Z";
const UNTIL: &str = "2026-10-25T12:00:00Z";
const FAULTS: &str = "late,duplicate,disordered,corrected,void,silent_feed,clock_skew,clock_change";

/// Events of the little England, everything that can go wrong included.
fn events(world: &World, seed: &str) -> Vec<u8> {
    let organisations = world.path("organisations.csv");
    let done = sitrep(&[
        "simulate",
        "--seed",
        seed,
        "--from",
        FROM,
        "--until",
        UNTIL,
        "--organisations",
        &organisations,
        "--faults",
        FAULTS,
        "--size",
        "1",
    ]);
    done.well().out
}

/// What no feed of a department says: a person declares a level.
const DECLARED: &str = concat!(
    r#"{"id":"1","source":"trust","recorded_at":"2026-10-24T14:00:00Z","escalation":{"org":"Trust","scale":"opel","#,
    r#""since":"2026-10-24T14:00:00Z","level":3}}"#,
    "\n",
);

/// Replays events on standard input in steps of an hour.
fn replay(world: &World, input: &[u8], more: &[&str]) -> Done {
    let organisations = world.path("organisations.csv");
    let mut arguments = vec!["replay", "--organisations", &organisations, "--events", "-"];
    if !more.contains(&"--from") {
        arguments.extend(["--from", FROM, "--until", UNTIL]);
    }
    if !more.contains(&"--step") {
        arguments.extend(["--step", "1h"]);
    }
    arguments.extend(more);
    sitrep_with(&arguments, input).well()
}

/// Of each series and time the last value, zeros dropped.
fn standing(lines: &str) -> BTreeMap<(String, String), String> {
    let mut standing = BTreeMap::new();
    for line in lines.lines() {
        let [series, fields, time] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not line protocol: {line}")
        };
        standing.insert((series.to_owned(), time.to_owned()), fields.to_owned());
    }
    standing.retain(|_, fields| fields.split(',').any(|field| !field.ends_with("=0i")));
    standing
}

/// The lines that have one of these texts.
fn only(lines: &str, texts: &[&str]) -> BTreeSet<String> {
    lines.lines().filter(|line| texts.iter().any(|text| line.contains(text))).map(str::to_owned).collect()
}

fn set(lines: &str) -> BTreeSet<String> {
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_wherever_they_go() {
    let world = World::new();
    let first = events(&world, "3");
    assert!(first.iter().filter(|byte| **byte == b'\n').count() > 300, "{} bytes", first.len());
    assert_eq!(first, events(&world, "3"));
    assert_ne!(first, events(&world, "4"));
    let (organisations, file) = (world.path("organisations.csv"), world.path("events"));
    for out in [&file, "-"] {
        let done = sitrep(&[
            "simulate",
            "--seed",
            "3",
            "--from",
            FROM,
            "--until",
            UNTIL,
            "--organisations",
            &organisations,
            "--faults",
            FAULTS,
            "--size",
            "1",
            "--out",
            out,
        ])
        .well();
        let written = if out == "-" { done.out } else { std::fs::read(out).expect("it was written") };
        assert_eq!(written, first);
    }
}

#[test]
fn a_day_in_which_everything_goes_wrong_gives_what_the_model_gives() {
    let world = World::new();
    let mut events = events(&world, "5");
    events.extend_from_slice(DECLARED.as_bytes());
    let done = replay(&world, &events, &["--step", "15m"]);
    let lines: Vec<String> = std::str::from_utf8(&events).expect("JSON").lines().map(str::to_owned).collect();
    let mut model = world.model();
    let outcomes = tell(&mut model, &lines, None);
    let count = |outcome: Outcome| outcomes.iter().filter(|one| **one == outcome).count();
    let (accepted, duplicate) = (count(Outcome::Accepted), count(Outcome::Duplicate));
    let said =
        format!("{} read: {accepted} accepted, {duplicate} duplicate, ", outcomes.len()).replace(',', "");
    assert!(done.err.replace(',', "").contains(&said.replace(',', "")), "{}is not\n{said}", done.err);
    assert!(duplicate > 0, "there are duplicates");
    let held = points(&world, done.text());
    let reading = model.read();
    let (from, until) = (second(FROM).minute(), second(UNTIL).minute());
    let mut count = 0;
    for minute in (from.0..=until.0).step_by(15).map(Minute) {
        let (wanted, nothing) = (reading.points(minute), Points::new());
        let held = held.get(&minute).unwrap_or(&nothing);
        count += wanted.len();
        let different = held.keys().chain(wanted.keys()).find(|key| held.get(*key) != wanted.get(*key));
        assert!(different.is_none(), "{minute}: {different:?}");
    }
    assert!(count > 1_000, "{count} points");
}

/// The points of line protocol by minute, zeros left out. Each must carry every field of its measure.
fn points(world: &World, lines: &str) -> BTreeMap<Minute, Points> {
    let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
    for ((series, time), fields) in standing(lines) {
        let (measure, tags) = series.split_once(',').expect("every series has tags");
        let tag = |name: &str| {
            tags.split(',')
                .find_map(|tag| tag.split_once('=').filter(|(tag, _)| *tag == name))
                .map(|(_, text)| text)
        };
        let key = Series::told(measure, tag).unwrap_or_else(|| panic!("not one of our series: {series}"));
        let code = tag("org").expect("every series has an org");
        let level = world.orgs.find(code).map(|org| world.orgs.get(org).level.as_str());
        assert_eq!(tag("level"), level, "{series}");
        let (second, fields) = (time.strip_suffix("000000000").expect("whole seconds"), fields.split(','));
        let minute = Minute(second.parse::<u32>().expect("a number") / 60);
        let of_minute = points.entry(minute).or_default();
        let mut names = Vec::new();
        for (name, value) in fields.filter_map(|field| field.split_once('=')) {
            put(of_minute, code, &key, name, value.trim_end_matches('i').parse().expect("a number"));
            names.push(name);
        }
        names.retain(|name| *name != "capacity");
        let all = MEASURES.iter().find(|row| row.name == measure).expect("one of ours").fields;
        assert_eq!(names, all, "{series}");
    }
    points
}

#[test]
fn another_order_gives_the_same_figures() {
    let world = World::new();
    let events = events(&world, "6");
    let wanted = standing(replay(&world, &events, &[]).text());
    for seed in 0..3 {
        let mut lines: Vec<&[u8]> = events.split_inclusive(|byte| *byte == b'\n').collect();
        lines.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let shuffled = lines.concat();
        assert_ne!(shuffled, events);
        assert!(standing(replay(&world, &shuffled, &[]).text()) == wanted, "order {seed}");
    }
}

#[test]
fn a_part_of_the_points_is_the_same_points() {
    let world = World::new();
    let events = events(&world, "7");
    let all = replay(&world, &events, &[]);
    for (arguments, texts) in [
        (&["--only", "ae_four_hour"][..], &["ae_four_hour,"][..]),
        (&["--only", "ae_department,amb_queue"], &["ae_department,", "amb_queue,"]),
        (&["--levels", "nation"], &["level=nation,"]),
        (&["--levels", "site,service"], &["level=site,", "level=service,"]),
        // What has no window is not left out by its window.
        (
            &["--windows", "4h,today"],
            &[
                "window=4h ",
                "window=today ",
                "ae_department,",
                "amb_queue,",
                "ae_area,",
                "bed_state,",
                "escalation,",
                "standard,",
            ],
        ),
    ] {
        let part = replay(&world, &events, arguments);
        let wanted = only(all.text(), texts);
        assert!(!wanted.is_empty() && set(part.text()) == wanted, "{arguments:?}");
    }
    let several =
        replay(&world, &events, &["--only", "ae_four_hour", "--levels", "trust", "--windows", "24h"]);
    let wanted: BTreeSet<String> = only(all.text(), &["ae_four_hour,level=trust,"]);
    let wanted: BTreeSet<String> = wanted.into_iter().filter(|line| line.contains("window=24h ")).collect();
    assert!(!wanted.is_empty() && set(several.text()) == wanted);
    let everything = [
        ["--only", &Replay::measures().map(Measure::as_str).collect::<Vec<_>>().join(",")],
        ["--levels", &Level::ALL.map(Level::as_str).join(",")],
        ["--windows", &domain::measures::DEFAULT_WINDOWS.map(|window: Window| window.to_string()).join(",")],
    ];
    assert!(set(replay(&world, &events, &everything.concat()).text()) == set(all.text()));
}

#[test]
fn points_are_at_the_multiples_of_the_step_both_ends_included() {
    let world = World::new();
    let events = events(&world, "8");
    let day = second("2026-10-25T00:00:00Z").0;
    for (from, until, step, wanted) in [
        ("10:00:00Z", "11:00:00Z", "15m", &["10:00", "10:15", "10:30", "10:45", "11:00"][..]),
        ("10:00:01Z", "10:59:59Z", "15m", &["10:15", "10:30", "10:45"]),
        ("11:00:00+01:00", "10:02:00Z", "1m", &["10:00", "10:01", "10:02"]),
        ("09:30:00Z", "11:30:00Z", "1h", &["10:00", "11:00"]),
        ("10:00:00Z", "10:00:00Z", "5m", &["10:00"]),
        ("10:01:00Z", "10:04:00Z", "5m", &[]),
    ] {
        let (from, until) = (format!("2026-10-25T{from}"), format!("2026-10-25T{until}"));
        let done = replay(&world, &events, &["--from", &from, "--until", &until, "--step", step]);
        let times: BTreeSet<u32> = done
            .text()
            .lines()
            .map(|line| line.rsplit(' ').next().expect("a time").strip_suffix("000000000").expect("ns"))
            .map(|seconds| seconds.parse().expect("a number"))
            .collect();
        let clock = |time: &u32| format!("{:02}:{:02}", (time - day) / 3600, (time - day) / 60 % 60);
        assert_eq!(times.iter().map(clock).collect::<Vec<_>>(), wanted, "{from} {until} {step}");
    }
}

#[test]
fn files_and_standard_streams_are_the_same() {
    let world = World::new();
    let events = events(&world, "9");
    let wanted = replay(&world, &events, &[]).out;
    let (file, out) = (world.write("events", &events), world.path("points"));
    let organisations = world.path("organisations.csv");
    for out in [&out, "-"] {
        let done = sitrep(&[
            "replay",
            "--organisations",
            &organisations,
            "--events",
            &file,
            "--from",
            FROM,
            "--until",
            UNTIL,
            "--step",
            "1h",
            "--out",
            out,
        ])
        .well();
        let written = if out == "-" { done.out } else { std::fs::read(out).expect("it was written") };
        assert!(!written.is_empty() && written == wanted);
    }
    let nothing = replay(&world, b"", &[]);
    assert_eq!(nothing.text(), "");
    assert!(nothing.err.ends_with("there was no event in the file\n"), "{}", nothing.err);
}

#[test]
fn points_that_could_not_be_written_are_told_before_anything_is_read() {
    // The file of events is not there either: nobody looked.
    let out = ["--out", "/nowhere/points"];
    let done =
        sitrep(&[&["replay", "--events", "nowhere", "--from", FROM, "--until", UNTIL][..], &out].concat());
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.starts_with("sitrep: /nowhere/points cannot be made"), "{}", done.err);
}

#[test]
fn a_second_thread_changes_nothing() {
    let world = World::new();
    let events = events(&world, "8");
    let mut broken = events.clone();
    broken.extend_from_slice(b"\nno event\n\n{\"id\":1}\n");
    let one = replay(&world, &broken, &[]);
    let two = replay(&world, &broken, &["--threads", "2"]);
    assert!(one.out == two.out);
    let told = |done: &Done| -> Vec<String> {
        done.err.lines().filter(|line| line.starts_with("line ")).map(str::to_owned).collect()
    };
    assert_eq!(told(&one), told(&two));
    assert!(told(&one).len() >= 2, "{}", one.err);
}
