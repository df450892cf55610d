//! Whether model, replay and live engine are right, in examples worked out by hand from the specification: one row an
//! edge, told in the language of `scenario.rs`. Times of departure are chosen so that the sum can be done in the head.

use acceptance::model::{Model, Settings, nearest_rank};
use acceptance::places::{LITTLE_ENGLAND, organisations, reference};
use acceptance::scenario::{check, check_all};
use domain::event::{Attendance, Event, Fact, Statement};
use domain::time::rfc3339;

#[test]
fn minutes_are_floored_before_they_are_subtracted() {
    for (arrival, departure, expected) in [
        // Both ends floored: 10:00 to 14:00 is 240, whatever the seconds.
        ("10:00:59", "14:00:00", "departed=1 within=1 over_12h=0 implausible=0"),
        ("10:00:00", "14:00:59", "departed=1 within=1 over_12h=0 implausible=0"),
        ("10:00:59", "14:01:00", "departed=1 within=0 over_12h=0 implausible=0"), // 241, though 240 min 1 s by the watch
        ("02:30:00", "14:30:59", "departed=1 within=0 over_12h=0 implausible=0"), // 720
        ("02:30:59", "14:31:00", "departed=1 within=0 over_12h=1 implausible=0"), // 721
        ("14:00:59", "14:00:00", "departed=1 within=1 over_12h=0 implausible=0"), // 0: within one minute nothing is negative
        ("14:01:00", "14:00:59", "departed=0 within=0 over_12h=0 implausible=1"), // -1
        ("2026-11-07/14:00", "14:00", "departed=1 within=0 over_12h=1 implausible=0"), // 20,160 minutes: 14 days
        ("2026-11-07/13:59", "14:00", "departed=0 within=0 over_12h=0 implausible=1"), // 20,161
    ] {
        let story = format!(
            "20:00 state A1 arrived_at={arrival} department_type=1\n\
             20:00 state A1 departed_at={departure} disposal=discharged\n\
             15:00 expect four_hour type1 1h {expected}"
        );
        check(&format!("{arrival} to {departure}"), &story);
    }
}

#[test]
fn a_window_at_m_covers_the_minutes_from_m_minus_w_up_to_but_not_m() {
    check_all(&[
        (
            "1h",
            "06:00 arrive A1 type1   10:00:30 depart A1 left
             10:00 expect four_hour type1 1h = 0/0
             10:01 expect four_hour type1 1h = 1/1
             11:00 expect four_hour type1 1h = 1/1
             11:01 expect four_hour type1 1h = 0/0",
        ),
        (
            "4h, 8h and 24h, by the start of the clock",
            "06:00 arrive A1 type1
             10:00 expect arrivals type1 4h arrived=1   10:01 expect arrivals type1 4h arrived=0
             14:00 expect arrivals type1 8h arrived=1   14:01 expect arrivals type1 8h arrived=0
             date 2026-11-22
             06:00 expect arrivals type1 24h arrived=1  06:01 expect arrivals type1 24h arrived=0",
        ),
        (
            "7d, every fifteen minutes",
            "06:00 arrive A1 type1
             06:01 expect arrivals type1 7d arrived=0
             06:14 expect arrivals type1 7d arrived=0
             06:15 expect arrivals type1 7d arrived=1
             date 2026-11-28
             06:00 expect arrivals type1 7d arrived=1
             06:15 expect arrivals type1 7d arrived=0",
        ),
        (
            "the point stamped 00:00 is the whole previous day",
            "00:00 arrive A1 type1   23:59:59 arrive A2 type1
             00:00 expect arrivals type1 today arrived=0
             00:01 expect arrivals type1 today arrived=1
             date 2026-11-22
             00:00 expect arrivals type1 today arrived=2
             00:01 expect arrivals type1 today arrived=0",
        ),
        (
            "in summer the day begins at 23:00 UTC",
            "date 2026-07-01
             22:59Z arrive A1 type1   23:00Z arrive A2 type1
             23:00Z expect arrivals type1 today arrived=1
             23:01Z expect arrivals type1 today arrived=1
             date 2026-07-02
             22:00Z expect arrivals type1 today arrived=1
             23:01Z expect arrivals type1 today arrived=0",
        ),
    ]);
}

#[test]
fn durations_are_elapsed_time_on_both_nights_of_change() {
    check_all(&[
        (
            "00:30 BST to 04:30 GMT is 300 minutes",
            "date 2026-10-25
             00:30BST arrive A1 type1   04:30GMT depart A1 discharged
             03:31GMT expect department type1 over_4h=1 longest_minutes=241
             04:31GMT expect four_hour type1 1h = 0/1",
        ),
        (
            "the two readings of 01:30 are an hour apart",
            "date 2026-10-25
             01:30BST arrive A1 type1   01:30GMT arrive A2 type1
             02:00 expect department type1 present=2 longest_minutes=90
             02:00 expect arrivals type1 1h arrived=1",
        ),
        (
            "00:30 GMT to 05:30 BST is 240 minutes",
            "date 2026-03-29
             00:30 arrive A1 type1   05:30 depart A1 discharged
             05:30 expect department type1 over_4h=0 longest_minutes=240
             05:31 expect four_hour type1 1h = 1/1",
        ),
    ]);
}

#[test]
fn the_clock_starts_with_the_journey_if_it_counts() {
    // A1 registers at 10:20 and leaves at 14:10. 250 minutes before 14:10 is 10:00; 241 is 10:09; 240 is 10:10.
    let patient = "10:20 arrive A1 type1 by J1   14:10 depart A1 discharged";
    for (what, journey, expected) in [
        ("no journey is known", "", "1/1"),
        ("arrival + 15 min is 10:10", "09:55 reach J1 General", "1/1"),
        ("arrival + 15 min is 10:09", "09:54 reach J1 General", "0/1"),
        ("seconds are kept until the end", "09:54:59 reach J1 General", "0/1"),
        ("the handover is earlier", "09:55 reach J1 General  10:09 handover J1", "0/1"),
        ("the handover is later", "09:55 reach J1 General  10:19 handover J1", "1/1"),
        ("only the handover is known", "10:09 handover J1 destination=General", "0/1"),
        ("handed over long after", "09:54 reach J1 General  11:00 handover J1", "0/1"),
        ("neither is known", "09:00 call J1 destination=General", "1/1"),
        ("no destination is known", "09:54 state J1 arrived_at=09:54", "1/1"),
        ("its destination was taken back", "09:54 reach J1 General  09:58 state J1 destination=null", "1/1"),
        ("void", "09:54 reach J1 General  09:58 void J1", "1/1"),
        ("no longer void", "09:54 reach J1 General  09:58 void J1  09:59 unvoid J1", "0/1"),
        ("to another site of the same trust", "09:54 reach J1 Minors", "0/1"),
        ("to another trust of the same system", "09:54 reach J1 Royal", "1/1"),
        ("diverted here", "09:54 reach J1 Royal  09:58 send J1 General", "0/1"),
        ("of another service", "09:54 reach J1 General service=Air", "1/1"),
        ("arrival taken back", "09:54 reach J1 General  09:58 state J1 arrived_at=null", "1/1"),
    ] {
        let expect = format!("14:11 expect four_hour type1 4h = {expected}");
        check(what, &format!("{journey}\n{patient}\n{expect}"));
        check(&format!("{what}, told the other way round"), &format!("{patient}\n{journey}\n{expect}"));
    }
}

#[test]
fn a_journey_is_named_by_a_fact_and_belongs_to_a_trust() {
    check(
        "a site without a trust: itself, not another one without a trust",
        "place Alone site ENG 1
         09:54 reach J1 Alone
         10:20 arrive A1 site=Alone by J1   14:10 depart A1 site=Alone left
         10:20 arrive A2 site=Lone by J1    14:10 depart A2 site=Lone left
         14:11 expect four_hour type1 1h at=Alone = 0/1
         14:11 expect four_hour type2 1h at=Lone = 1/1",
    );
    check(
        "another journey after all: named anew, then taken back",
        "09:54 reach J1 General   10:00 reach J2 General
         10:20 arrive A1 type1 by J1   14:10 depart A1 discharged
         14:11 expect four_hour type1 4h = 0/1
         14:12 state A1 ambulance=J2
         14:11 expect four_hour type1 4h = 1/1   expect arrivals type1 8h by_ambulance=1
         14:13 state A1 ambulance=null
         14:11 expect four_hour type1 4h = 1/1   expect arrivals type1 8h by_ambulance=0",
    );
}

#[test]
fn the_clock_stops_by_the_disposal() {
    // In at 09:00; the episode ended at 12:00, the patient left at 14:00: 180 or 300 minutes.
    for (disposal, expected) in [
        ("discharged", "1/1"),
        ("left", "1/1"),
        ("died", "1/1"),
        ("streamed", "1/1"),
        ("null", "1/1"),
        ("admitted", "0/1"),
        ("transferred", "0/1"),
    ] {
        let story = format!(
            "09:00 arrive A1 type1   12:00 stop A1   14:00 depart A1   14:05 state A1 disposal={disposal}
             15:00 expect four_hour type1 8h = {expected}"
        );
        check(disposal, &story);
    }
    check(
        "admitted, not left yet: no clock has stopped",
        "09:00 arrive A1 type1   12:00 stop A1 disposal=admitted
         15:00 expect four_hour type1 8h = 0/0   expect department type1 on_clock=1 over_4h=1",
    );
    check("a departure alone counts nowhere", "12:00 depart A1 left   12:01 expect four_hour type1 1h = 0/0");
}

#[test]
fn presence_and_the_clock_are_two_machines() {
    check_all(&[
        (
            "handed over: from then, also if that is later than m or than the clearing",
            "10:00 reach J1 General  10:05 clear J1  10:30 handover J1  10:02 arrive A1 type1 by J1
             10:10 expect department type1 present=0 on_clock=0
             10:16 expect department type1 present=0 on_clock=1
             10:30 expect department type1 present=0
             10:31 expect department type1 present=1",
        ),
        (
            "cleared without a handover: from the clearing, although the clock starts later",
            "10:00 reach J1 General  10:05 clear J1  10:02 arrive A1 type1 by J1
             10:05 expect department type1 present=0 on_clock=0
             10:06 expect department type1 present=1 on_clock=0
             10:15 expect department type1 present=1 on_clock=0
             10:16 expect department type1 present=1 on_clock=1 longest_minutes=1",
        ),
        (
            "neither: still in the queue",
            "10:00 reach J1 General   10:02 arrive A1 type1 by J1
             11:00 expect department type1 present=0 on_clock=1   expect queue waiting=1",
        ),
        (
            "a journey that has not arrived: the own arrival",
            "10:00 call J1 destination=General   10:02 arrive A1 type1 by J1
             10:03 expect department type1 present=1 on_clock=1",
        ),
        (
            "handed over, but never registered",
            "10:00 reach J1 General  10:10 handover J1   10:20 state A1 ambulance=J1
             10:11 expect department type1 present=1 on_clock=1   expect arrivals type1 1h arrived=1",
        ),
    ]);
}

#[test]
fn over_time_an_attendance_is_due_then_over_and_then_a_fault_of_the_data() {
    check_all(&[
        (
            "72 h after the clock start, of which the journey decides",
            "date 2026-11-18
             09:00 reach J1 General  11:00 handover J1  11:05 arrive A1 type1 by J1
             date 2026-11-21
             09:15 expect department type1 present=1 on_clock=1 unclosed=0
             09:16 expect department type1 present=0 on_clock=0 unclosed=1",
        ),
        (
            "the hour before four hours",
            "09:00 arrive A1 type1
             12:00 expect department type1 due_60m=0 due_30m=0
             12:01 expect department type1 due_60m=1 due_30m=0
             12:30 expect department type1 due_60m=1 due_30m=0
             12:31 expect department type1 due_60m=1 due_30m=1
             13:00 expect department type1 due_60m=1 due_30m=1 over_4h=0
             13:01 expect department type1 due_60m=0 due_30m=0 over_4h=1",
        ),
        (
            "unclosed: any type, planned or not, on the clock or not",
            "date 2026-11-17
             09:00 arrive A1 type5   09:00 arrive A2 type1 planned   09:00 arrive A3 type4   09:30 stop A3
             date 2026-11-21
             09:00 expect department type5 unclosed=1   expect department all unclosed=2
             09:00 expect department type1 unclosed=1   expect department type3 unclosed=1 present=0",
        ),
        (
            "only those present await admission",
            "09:00 arrive A1 type1   09:30 decide A1   09:40 depart A1 admitted
             08:00 decide A2         09:00 arrive A2 type1
             09:41 expect department type1 present=1 awaiting_admission=1",
        ),
    ]);
}

#[test]
fn arrivals_by_ambulance_are_those_who_say_so() {
    check_all(&[
        (
            "a journey that nobody knows",
            "09:00 arrive A1 type1 by J1   09:01 expect arrivals all 1h arrived=1 by_ambulance=1",
        ),
        (
            "a void journey",
            "08:00 void J1  09:00 arrive A1 type1 by J1   09:01 expect arrivals all 1h by_ambulance=1",
        ),
        (
            "by mode",
            "09:00 arrive A1 type1 arrival_mode=ambulance   09:01 expect arrivals all 1h by_ambulance=1",
        ),
        (
            "on foot",
            "09:00 arrive A1 type1 arrival_mode=walk_in   09:01 expect arrivals all 1h by_ambulance=0",
        ),
        (
            "planned ones are not of these",
            "09:00 arrive A1 type1 planned by J1   09:01 expect arrivals all 1h arrived=0 by_ambulance=0 planned=1",
        ),
        (
            "a fault of the clock arrives as any",
            "09:00 arrive A1 type1   08:00 depart A1   09:01 expect arrivals all 1h arrived=1",
        ),
    ]);
}

#[test]
fn handovers_are_measured_in_seconds() {
    for (delay, expected) in [
        ("10:00:00", "completed=1 over_15m=0 total_s=0 p90_s=0"),
        ("10:15:00", "completed=1 over_15m=0 total_s=900 lost_15m_s=0"),
        ("10:15:01", "completed=1 over_15m=1 over_30m=0 total_s=901 lost_15m_s=1 lost_30m_s=0"),
        ("10:30:00", "completed=1 over_15m=1 over_30m=0 lost_15m_s=900 lost_30m_s=0"),
        ("10:30:01", "completed=1 over_30m=1 over_45m=0 lost_30m_s=1"),
        ("10:45:01", "completed=1 over_45m=1 over_60m=0"),
        ("11:00:00", "completed=1 over_60m=0"),
        ("11:00:01", "completed=1 over_60m=1 total_s=3601 p90_s=3601 lost_15m_s=2701 lost_30m_s=1801"),
        ("09:59:59", "completed=0 total_s=0 p90_s=0 lost_15m_s=0"),
        ("2026-11-22/10:00:00", "completed=1 total_s=86400"),
        ("2026-11-22/10:00:01", "completed=0 total_s=0"),
    ] {
        let at = if delay.starts_with("2026") { "date 2026-11-22\n10:30" } else { "11:59" };
        let story = format!(
            "10:00:00 reach J1 General
             12:00 state J1 handed_over_at={delay} recorded=2026-11-23/12:00
             {at} expect handover 4h {expected}   expect handover 4h at=Ambulances {expected}"
        );
        check(delay, &story);
    }
    check(
        "a service counts all of its own, a site those that came to it",
        "10:00 reach J1   10:10 handover J1
         10:00 reach J2 Royal   10:20 handover J2
         10:00 reach J3 Royal service=Air   10:30 handover J3 service=Air
         10:31 expect handover 1h at=Ambulances completed=2 total_s=1800
         10:31 expect handover 1h at=Air completed=1 total_s=1800
         10:31 expect handover 1h at=Royal completed=2 total_s=3000
         10:31 expect handover 1h at=ENG completed=2 total_s=3000",
    );
}

#[test]
fn a_ninetieth_percentile_is_the_nearest_rank_of_the_merged_observations() {
    for (count, rank) in [(1, 1), (2, 2), (5, 5), (9, 9), (10, 9), (11, 10), (20, 18), (21, 19), (100, 90)] {
        let observations: Vec<i64> = (1..=count).rev().collect();
        assert_eq!(nearest_rank(&observations), rank, "of 1 to {count}");
    }
    assert_eq!(nearest_rank(&[]), 0);

    // General: ten handovers of 1 to 10 minutes, the 9th is 540 s. Royal: ten of 11 to 20, the 9th is 1,140 s.
    // Both: of twenty the 18th is 18 minutes, 1,080 s; the mean of the two percentiles would be 840 s.
    let mut story = String::new();
    for minutes in 1..=20 {
        let site = if minutes <= 10 { "General" } else { "Royal" };
        story += &format!("10:00 reach J{minutes} {site}   10:{minutes:02} handover J{minutes}\n");
    }
    story += "10:30 expect handover 1h p90_s=540 completed=10
              10:30 expect handover 1h at=Royal p90_s=1140
              10:30 expect handover 1h at=System p90_s=1080
              10:30 expect handover 1h at=Ambulances p90_s=1080";
    check("merged, not averaged", &story);
}

#[test]
fn a_queue_holds_who_arrived_and_was_neither_handed_over_nor_cleared() {
    check_all(&[
        (
            "edges of the wait, in seconds up to the start of minute m",
            "10:00:30 reach J1 General
             10:00 expect queue waiting=0 unclosed=0   10:01 expect queue waiting=1 longest_s=30
             10:15 expect queue over_15m=0 longest_s=870   10:16 expect queue over_15m=1 longest_s=930
             11:01 expect queue over_30m=1 over_45m=1 over_60m=1 longest_s=3630",
        ),
        (
            "in the minute of its arrival it does not wait, nor when that was on the minute",
            "10:00 reach J1 General
             10:00 expect queue waiting=0 unclosed=0   10:01 expect queue waiting=1 longest_s=60",
        ),
        (
            "the earlier of handover and clearing ends the wait",
            "10:00 reach J1 General   10:10 clear J1   10:20 handover J1
             10:10 expect queue waiting=1   10:11 expect queue waiting=0   10:20 expect queue waiting=0",
        ),
        ("no destination: in nobody's queue", "10:00 reach J1   10:10 expect queue at=ENG waiting=0"),
        (
            "handed over before it arrived",
            "10:00 reach J1 General  09:00 handover J1   10:10 expect queue waiting=0",
        ),
        (
            "a day and fourteen days",
            "date 2026-11-07
             10:00:01 reach J1 General
             date 2026-11-08
             10:00 expect queue waiting=1 unclosed=0 longest_s=86399
             10:01 expect queue waiting=0 unclosed=1 over_60m=0 longest_s=0
             date 2026-11-21
             10:00 expect queue unclosed=1
             10:01 expect queue unclosed=0",
        ),
    ]);
}

#[test]
fn of_several_types_and_sites_the_longest_is_the_longest_and_not_the_sum() {
    check_all(&[
        (
            "in the department",
            "09:00 arrive A1 type1   09:10 arrive A2 type2   09:20 arrive A3 type1 site=Royal
             10:00 expect department all on_clock=2 longest_minutes=60
             10:00 expect department at=System type1 on_clock=2 longest_minutes=60
             10:00 expect department at=ENG all on_clock=3 longest_minutes=60",
        ),
        (
            "in the queue",
            "09:00 reach J1 General   09:10 reach J2 General   09:20 reach J3 Royal
             10:00 expect queue waiting=2 longest_s=3600   expect queue at=ENG waiting=3 longest_s=3600",
        ),
    ]);
}

#[test]
fn a_configured_window_is_counted_and_no_other() {
    let orgs = organisations(LITTLE_ENGLAND).unwrap();
    let windows = vec![domain::measures::Window::Rolling(90)];
    let mut model = Model::new(&orgs, Settings { windows, ..Settings::default() });
    let arrived = rfc3339(b"2026-11-21T09:00:00Z").unwrap();
    let mut the = Attendance::new("General", reference("A1"));
    the.arrived_at = Fact::Stated(arrived.second());
    let statement = Statement::Attendance(the);
    model.take(Event { id: "1".into(), source: "ed".into(), recorded_at: arrived, statement }, None);
    let at = arrived.second().minute();
    let windows = |m| model.points(m).into_keys().filter_map(|(_, series)| series.window).collect::<Vec<_>>();
    assert_eq!(windows(at.plus(90)).len(), 10, "five levels, two tags");
    assert!(windows(at.plus(91)).is_empty());
}
