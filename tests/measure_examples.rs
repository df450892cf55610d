//! Whether model, replay and live engine are right about treatment, admission, areas, responses, beds, groups, returns
//! and declarations, in examples worked out by hand from the specification (spec 1.4, 1.6, 2.2–2.5): one row an edge,
//! told in the language of `scenario.rs`.

use acceptance::model::median;
use acceptance::scenario::{check, check_all};

#[test]
fn a_time_to_treatment_counts_from_no_minutes_to_a_day() {
    for (arrival, treatment, expected) in [
        ("10:00:59", "10:30:00", "treated=1 median_minutes=30 p90_minutes=30"),
        ("10:00:59", "10:00:00", "treated=1 median_minutes=0 p90_minutes=0"),
        ("10:01:00", "10:00:59", "treated=0 median_minutes=0 p90_minutes=0"),
        ("2026-11-20/10:00:59", "10:00:00", "treated=1 median_minutes=1440 p90_minutes=1440"),
        ("2026-11-20/09:59:59", "10:00:00", "treated=0 median_minutes=0 p90_minutes=0"),
    ] {
        let story = format!(
            "20:00 state A1 arrived_at={arrival} department_type=1 treated_at={treatment}
             10:31 expect treatment type1 1h {expected}   10:31 expect treatment all 1h at=ENG {expected}"
        );
        check(&format!("{arrival} to {treatment}"), &story);
    }
    check_all(&[
        (
            "from the clock start, which the journey decides, and by the minute of treatment",
            "10:00 reach J1 General   10:30 arrive A1 type1 by J1   10:45 treat A1
             10:45 expect treatment type1 1h treated=0
             10:46 expect treatment type1 1h treated=1 median_minutes=30
             11:45 expect treatment type1 1h treated=1
             11:46 expect treatment type1 1h treated=0
             11:46 expect treatment type1 today treated=1
             11:46 expect treatment type1 7d treated=0
             12:00 expect treatment type1 7d treated=1",
        ),
        (
            "not planned ones, not type 5, not void ones, not those that nobody registered",
            "10:00 arrive A1 type1 planned   10:00 arrive A2 type5   10:00 arrive A3 type1
             10:05 treat A1   10:05 treat A2   10:05 treat A3   10:05 treat A4   10:06 void A3
             10:10 expect treatment type1 1h treated=0   expect treatment all 1h treated=0",
        ),
        (
            "an implausible stay counts here as any; so does a patient who has left",
            "10:00 arrive A1 type1   10:10 treat A1   09:00 depart A1
             10:00 arrive A2 type2   10:20 treat A2   10:15 depart A2
             10:30 expect treatment all 1h treated=2 median_minutes=15 p90_minutes=20",
        ),
        (
            "a correction, a retraction",
            "10:00 arrive A1 type1   10:10 treat A1   10:20 state A1 treated_at=10:15
             10:15 expect treatment type1 1h treated=0   10:16 expect treatment type1 1h median_minutes=15
             10:30 state A1 treated_at=null
             10:16 expect treatment type1 1h treated=0",
        ),
    ]);
}

#[test]
fn a_median_is_taken_over_the_merged_observations() {
    for (observations, expected) in [
        (&[][..], 0.0),
        (&[7], 7.0),
        (&[8, 3], 5.5),
        (&[9, 1, 4], 4.0),
        (&[9, 1, 4, 5], 4.5),
        (&[2, 2, 0, 9], 2.0),
    ] {
        assert_eq!(median(observations), expected, "{observations:?}");
    }
    // General 10, 20 and 30 minutes; Royal 40 and 41; both: 10 20 30 40 41. With the minor injuries' 31: 30.5.
    check(
        "merged, not averaged",
        "10:00 arrive A1 type1   10:10 treat A1   10:00 arrive A2 type1   10:20 treat A2
         10:00 arrive A3 type2   10:30 treat A3
         10:00 arrive A4 site=Royal   10:40 treat A4 site=Royal   10:00 arrive A5 site=Royal   10:41 treat A5 site=Royal
         11:00 expect treatment type1 1h median_minutes=15      expect treatment all 1h median_minutes=20
         11:00 expect treatment type1 1h at=Royal treated=2 median_minutes=40.5 p90_minutes=41
         11:00 expect treatment all 1h at=System treated=5 median_minutes=30 p90_minutes=41
         11:00 expect treatment type1 1h at=System treated=4 median_minutes=30
         11:05 arrive A6 site=Minors arrived_at=10:00   11:05 treat A6 site=Minors treated_at=10:31
         11:00 expect treatment all 1h at=System treated=6 median_minutes=30.5
         11:00 expect treatment all 1h at=Trust treated=4 median_minutes=25 p90_minutes=31",
    );
}

#[test]
fn an_admission_counts_from_the_decision() {
    for (decided, expected) in [
        ("10:00", "admitted=1 over_4h_decision=0 over_12h_decision=0"), // 240
        ("09:59:59", "admitted=1 over_4h_decision=1 over_12h_decision=0"), // 241, floored
        ("02:00", "admitted=1 over_4h_decision=1 over_12h_decision=0"), // 720
        ("01:59", "admitted=1 over_4h_decision=1 over_12h_decision=1"), // 721
        ("2026-11-01/14:00", "admitted=1 over_4h_decision=1 over_12h_decision=1"),
        ("14:30", "admitted=1 over_4h_decision=0 over_12h_decision=0"), // after the departure
        ("null", "admitted=1 over_4h_decision=0 over_12h_decision=0"),
    ] {
        let story = format!(
            "09:00 arrive A1 type1   14:00:30 depart A1 admitted
             20:00 state A1 decided_to_admit_at={decided} recorded=20:00
             14:00 expect admission type1 1h admitted=0
             14:01 expect admission type1 1h {expected}   expect admission all 1h at=Region {expected}
             15:01 expect admission type1 1h admitted=0 over_4h_decision=0"
        );
        check(decided, &story);
    }
    check_all(&[
        (
            "those admitted, and nobody else; planned ones too; not type 5; not those that nobody registered",
            "09:00 arrive A1 type1   10:00 depart A1 transferred   09:00 arrive A2 type1   10:00 depart A2
             09:00 arrive A3 type2 planned   10:00 depart A3 admitted
             09:00 arrive A4 type5   10:00 depart A4 admitted   10:00 depart A5 admitted
             10:01 expect admission all 1h admitted=1   expect admission type2 1h admitted=1
             10:01 expect admission type1 1h admitted=0",
        ),
        (
            "disposals that the four-hour measure leaves out are only left out there",
            "exclude admitted
             09:00 arrive A1 type1   10:00 depart A1 admitted
             10:01 expect admission type1 1h admitted=1   expect four_hour type1 1h departed=0",
        ),
        (
            "the stay may be implausible, or the clock stopped long before",
            "11:00 arrive A1 type1   10:00 depart A1 admitted clock_stopped_at=05:00 decided_to_admit_at=05:00
             10:01 expect admission type1 1h admitted=1 over_4h_decision=1   expect four_hour type1 1h implausible=1",
        ),
    ]);
}

#[test]
fn exactly_twelve_hours_are_not_over_and_exactly_a_day_still_waits() {
    check_all(&[
        (
            "since arrival, and since the decision",
            "00:00 arrive A1 type1   00:00 decide A1
             12:00 expect department type1 on_clock=1 over_12h=0 awaiting_admission=1 awaiting_over_12h=0
             12:01 expect department type1 on_clock=1 over_12h=1 awaiting_admission=1 awaiting_over_12h=1",
        ),
        (
            "an ambulance outside",
            "date 2026-11-20
             10:00 reach J1 General
             date 2026-11-21
             10:00 expect queue waiting=1 longest_s=86400 unclosed=0
             10:01 expect queue waiting=0 longest_s=0 unclosed=1",
        ),
    ]);
}

#[test]
fn an_area_holds_who_is_present_and_last_went_there() {
    check_all(&[
        (
            "the newest move that happened",
            "area General Majors
             area General Resus
             09:00 arrive A1 type1   09:10 move A1 Majors   09:20:59 move A1 Resus
             09:10 expect area area=Majors present=0
             09:11 expect area area=Majors present=1
             09:20 expect area area=Majors present=1   expect area area=Resus present=0
             09:21 expect area area=Majors present=0   expect area area=Resus present=1",
        ),
        (
            "of two moves of one minute the later",
            "area General Majors
             area General Resus
             09:00 arrive A1 type1   09:10:30 move A1 Majors   09:10:20 move A1 Resus
             09:11 expect area area=Majors present=1   expect area area=Resus present=0",
        ),
        (
            "a move that is taken back: the one before, or none",
            "area General Majors
             area General Resus
             09:00 arrive A1 type1   09:10 move A1 Majors   09:20 move A1 Resus
             09:20 state A1 location=null recorded=10:00
             09:21 expect area area=Majors present=1   expect area area=Resus present=0
             09:10 state A1 location=null recorded=10:00
             09:21 expect area area=Majors present=0   expect area area=other present=0",
        ),
        (
            "what areas.csv does not have for this site is other",
            "area General Majors
             area Royal Resus
             09:00 arrive A1 type1   09:10 move A1 Resus   09:00 arrive A2 type1   09:10 move A2 majors
             09:11 expect area area=other present=2   expect area area=Resus present=0   expect area area=Majors present=0",
        ),
        (
            "type 5, planned, off the clock: all of them fill a space",
            "area General Majors
             09:00 arrive A1 type5   09:00 arrive A2 planned   09:00 arrive A3 type1   09:30 stop A3
             09:05 move A1 Majors   09:05 move A2 Majors   09:05 move A3 Majors
             10:00 expect area area=Majors present=3",
        ),
        (
            "present only: not before the arrival, not after the departure, not in the ambulance, not after 72 h",
            "area General Majors
             date 2026-11-18
             10:00 arrive A4 type1   10:01 move A4 Majors
             date 2026-11-21
             09:00 arrive A1 type1   08:50 move A1 Majors   09:30 depart A1 left   09:40 move A1 Majors
             09:00 reach J1 General   09:00 arrive A2 type1 by J1   09:00 move A2 Majors
             09:00 expect area area=Majors present=1
             09:01 expect area area=Majors present=2
             09:31 expect area area=Majors present=1
             10:00 expect area area=Majors present=1
             10:01 expect area area=Majors present=0
             10:05 handover J1
             10:06 expect area area=Majors present=1",
        ),
        (
            "at the site only",
            "area General Majors
             09:00 arrive A1 type1   09:10 move A1 Majors
             09:11 expect area at=Trust area=Majors present=0   expect area at=ENG area=Majors present=0",
        ),
    ]);
}

#[test]
fn a_response_is_measured_in_seconds_by_category() {
    for (responded, expected) in [
        ("10:00:00", "responses=1 total_s=0 p90_s=0"),
        ("10:07:01", "responses=1 total_s=421 p90_s=421"),
        ("2026-11-22/10:00:00", "responses=1 total_s=86400 p90_s=86400"),
        ("2026-11-22/10:00:01", "responses=0 total_s=0 p90_s=0"),
        ("09:59:59", "responses=0 total_s=0 p90_s=0"),
    ] {
        let at = if responded.starts_with("2026") { "date 2026-11-22\n10:30" } else { "10:30" };
        let story = format!(
            "10:00 start J1 category=C2
             12:00 state J1 responded_at={responded} recorded=2026-11-23/12:00
             {at} expect response at=Ambulances C2 1h {expected}
             {at} expect response at=ENG C2 1h {expected}
             {at} expect response at=ENG C1 1h responses=0"
        );
        check(responded, &story);
    }
    check_all(&[
        (
            "without a category, a start or a response in no series; with one, from then on",
            "10:00 start J1   10:05 respond J1   10:00 start J2 category=C1   10:05 respond J3 category=C1
             10:00 start J4 category=C1   10:05 respond J4   10:06 void J4
             10:10 expect response at=Ambulances C1 1h responses=0
             10:20 state J1 category=C1
             10:10 expect response at=Ambulances C1 1h responses=1 total_s=300
             10:21 state J1 category=C3
             10:10 expect response at=Ambulances C1 1h responses=0   expect response at=ENG C3 1h responses=1
             10:22 state J1 category=null
             10:10 expect response at=Ambulances C3 1h responses=0",
        ),
        (
            "of its service and the nation, wherever it went; nobody else's",
            "10:00 start J1 category=C1   10:05 respond J1   10:20 reach J1 General
             10:00 start J2 category=C1 service=Air   10:01 respond J2 service=Air
             10:10 expect response at=Ambulances C1 1h responses=1 p90_s=300
             10:10 expect response at=Air C1 1h responses=1 p90_s=60
             10:10 expect response at=ENG C1 1h responses=2 total_s=360 p90_s=300
             10:10 expect response C1 1h responses=0   expect response at=System C1 1h responses=0",
        ),
        (
            "by the minute of the response",
            "10:00 start J1 category=C5   10:05:59 respond J1
             10:05 expect response at=ENG C5 1h responses=0   10:06 expect response at=ENG C5 1h responses=1
             11:05 expect response at=ENG C5 1h responses=1   11:06 expect response at=ENG C5 1h responses=0",
        ),
    ]);
}

#[test]
fn a_bed_state_holds_as_a_whole_until_the_next_and_at_most_48_h() {
    check_all(&[
        (
            "from its own minute on",
            "08:00:59 beds open=20 occupied=19 escalation_open=2 no_criteria_to_reside=30
             08:00 expect bed_state open=0
             08:01 expect bed_state open=20 occupied=19 escalation_open=2 no_criteria_to_reside=30",
        ),
        (
            "as a whole: what the newest does not state is 0",
            "08:00 beds open=20 occupied=19   09:00 beds occupied=18
             09:00 expect bed_state open=20 occupied=19   09:01 expect bed_state open=0 occupied=18",
        ),
        (
            "48 h, to the minute at which it began",
            "08:00 beds open=20   08:00:01 beds site=Royal open=7
             date 2026-11-23
             08:00 expect bed_state open=20   expect bed_state at=System open=27
             08:01 expect bed_state open=0   expect bed_state at=Royal open=0   expect bed_state at=System open=0",
        ),
        (
            "one with every fact taken back does not exist; one of zeros does",
            "08:00 beds open=20   09:00 beds open=10 occupied=3
             09:00 beds open=null recorded=10:00
             09:01 expect bed_state open=0 occupied=3
             09:00 beds occupied=null recorded=10:01
             09:01 expect bed_state open=20 occupied=0
             10:00 beds open=0
             10:01 expect bed_state open=0",
        ),
        (
            "the newest by its own time, not by when it was told",
            "09:00 beds open=10   08:00 beds open=20 recorded=10:00
             08:30 expect bed_state open=20   10:30 expect bed_state open=10",
        ),
        (
            "a newest that is too old leaves nothing, the sum of the others stands",
            "date 2026-11-19
             08:00 beds open=20
             date 2026-11-20
             08:00 beds site=Royal open=7
             date 2026-11-21
             08:00 expect bed_state at=ENG open=27   08:01 expect bed_state at=ENG open=7",
        ),
    ]);
}

#[test]
fn a_group_is_the_union_of_the_sites_under_its_members() {
    check_all(&[
        (
            "members of several levels that overlap: each site once",
            "group Worst Trust General Royal
             group Region-1 Region Trust Lone
             group Stations Ambulances
             09:00 arrive A1 type1   09:00 arrive A2 site=Minors   09:00 arrive A3 site=Royal   09:00 arrive A4 site=Lone
             09:00 reach J1 General   09:10 handover J1
             09:30 expect department all at=Worst present=3 on_clock=3   expect department type1 at=Worst present=2
             09:30 expect arrivals all 1h at=Region-1 arrived=4   expect department type2 at=Region-1 present=1
             09:30 expect handover 1h at=Worst completed=1 total_s=600   expect handover 1h at=Stations completed=0",
        ),
        (
            "medians and percentiles over the merged observations, beds added up",
            "group Two General Royal
             09:00 arrive A1 type1   09:10 treat A1   09:00 arrive A2 site=Royal   09:21 treat A2 site=Royal
             09:00 beds open=5   09:00 beds site=Royal open=6   09:00 beds site=Minors open=7
             09:30 expect treatment type1 1h at=Two treated=2 median_minutes=15.5 p90_minutes=21
             09:30 expect bed_state at=Two open=11",
        ),
        (
            "responses, areas and declarations are no group's",
            "group All ENG Ambulances
             area General Majors
             09:00 start J1 category=C1   09:05 respond J1   09:00 arrive A1   09:05 move A1 Majors
             09:00 declare ENG 3
             09:30 expect response C1 1h at=All responses=0   expect area area=Majors at=All present=0
             09:30 expect escalation scale=opel at=All declared=0",
        ),
    ]);
}

#[test]
fn a_declaration_holds_until_the_next_one() {
    check_all(&[
        (
            "from its own minute on, at its own organisation",
            "10:00:30 declare Trust 3
             10:00 expect escalation at=Trust scale=opel declared=0   10:01 expect escalation at=Trust scale=opel declared=3
             10:01 expect escalation scale=opel declared=0   expect escalation at=System scale=opel declared=0
             date 2026-12-31
             10:00 expect escalation at=Trust scale=opel declared=3",
        ),
        (
            "standing down is level 1; taken back, the one before holds",
            "10:00 declare Trust 4   11:00 declare Trust 1
             11:00 expect escalation at=Trust scale=opel declared=4   11:01 expect escalation at=Trust scale=opel declared=1
             11:00 declare Trust null recorded=12:00
             11:01 expect escalation at=Trust scale=opel declared=4
             10:00 declare Trust null recorded=12:00
             11:01 expect escalation at=Trust scale=opel declared=0",
        ),
        (
            "of one minute the later; of one instant the later told",
            "10:00:10 declare Trust 2   10:00:20 declare Trust 3
             10:01 expect escalation at=Trust scale=opel declared=3
             10:00:20 declare Trust 4 recorded=10:05
             10:01 expect escalation at=Trust scale=opel declared=4",
        ),
        (
            "a service declares too",
            "10:00 declare Ambulances 2
             10:01 expect escalation at=Ambulances scale=opel declared=2",
        ),
    ]);
}

#[test]
fn an_own_return_stands_and_without_one_what_was_reported_below_is_added_up() {
    check_all(&[
        (
            "stamped with the local midnight at the end of the period, and nowhere else",
            "standard rtt month trust
             10:00 return Trust rtt 2026-10-01 met=9 total=10 count=3 total_s=600 p90_s=70
             date 2026-11-01
             00:00 expect standard at=Trust standard=rtt met=9 total=10 count=3 total_s=600 p90_s=70 reporting=1 expected=1
             00:01 expect standard at=Trust standard=rtt met=0 reporting=0
             date 2026-10-31
             23:59 expect standard at=Trust standard=rtt met=0",
        ),
        (
            "in summer midnight is at 23:00 UTC; weeks from Monday, quarters of three months",
            "standard weekly week trust
             standard quarterly quarter trust
             10:00 return Trust weekly 2026-06-22 count=1   10:00 return Trust quarterly 2026-04-01 count=2
             date 2026-06-29
             00:00BST expect standard at=ENG standard=weekly count=1
             date 2026-06-30
             23:00Z expect standard at=ENG standard=quarterly count=2",
        ),
        (
            "a roll-up says how many of those who had to have reported; percentiles are not rolled up",
            "standard rtt month trust
             10:00 return Trust rtt 2026-10-01 met=9 total=10 p90_s=70
             date 2026-11-01
             00:00 expect standard at=System standard=rtt met=9 total=10 p90_s=0 reporting=1 expected=2
             00:00 expect standard at=Other-Trust standard=rtt met=0 reporting=0
             00:00 expect standard standard=rtt met=0
             00:00 return Other-Trust rtt 2026-10-01 met=1 total=2
             00:00 expect standard at=System standard=rtt met=10 total=12 reporting=2 expected=2
             00:00 expect standard at=ENG standard=rtt met=10 total=12 reporting=2 expected=2",
        ),
        (
            "a system's own return stands for itself and for what is above it",
            "standard rtt month trust
             10:00 return Trust rtt 2026-10-01 met=9 total=10   10:00 return System rtt 2026-10-01 met=50 total=60 p90_s=7
             date 2026-11-01
             00:00 expect standard at=System standard=rtt met=50 total=60 p90_s=7 reporting=1 expected=2
             00:00 expect standard at=ENG standard=rtt met=50 total=60 p90_s=0 reporting=1 expected=2
             00:00 expect standard at=Trust standard=rtt met=9 total=10
             00:00 return System rtt 2026-10-01 met=null total=null p90_s=null recorded=2026-11-30/10:00
             00:00 expect standard at=System standard=rtt met=9 total=10 p90_s=0 reporting=1 expected=2",
        ),
        (
            "a group adds up what its members say, each once",
            "standard rtt month trust
             group Both System Trust
             group Services Ambulances Air General
             group One Trust
             standard c1 month service
             10:00 return Trust rtt 2026-10-01 met=9 total=10   10:00 return Other-Trust rtt 2026-10-01 met=1 total=2
             10:00 return Air c1 2026-10-01 total=5 total_s=2000   10:00 return Ambulances c1 2026-10-01 total=6 total_s=3000
             date 2026-11-01
             00:00 return Trust rtt 2026-10-01 p90_s=70 recorded=2026-11-30/10:00
             00:00 expect standard at=One standard=rtt met=9 p90_s=0 reporting=1   expect standard at=Trust standard=rtt p90_s=70
             00:00 expect standard at=Both standard=rtt met=10 total=12 reporting=2 expected=2
             00:00 expect standard at=Services standard=c1 total=11 total_s=5000 reporting=2 expected=2",
        ),
        (
            "a member below another member: what the upper one returns holds for both",
            "standard rtt month trust
             group Both System Trust
             10:00 return Trust rtt 2026-10-01 met=9 total=10   10:00 return System rtt 2026-10-01 met=50 total=60
             date 2026-11-01
             00:00 expect standard at=Both standard=rtt met=50 total=60 reporting=1 expected=2",
        ),
        (
            "named reporters, and a pause in which nobody has to",
            "standard dtoc month Trust,Royal 2026-10-31..2026-11-30
             10:00 return Royal dtoc 2026-10-01 count=4   10:00 return Trust dtoc 2026-09-01 count=5
             10:00 return Other-Trust dtoc 2026-09-01 count=6
             date 2026-11-01
             00:00 expect standard at=ENG standard=dtoc count=4 reporting=1 expected=0
             date 2026-10-01
             00:00 expect standard at=ENG standard=dtoc count=11 reporting=1 expected=2",
        ),
        (
            "what cannot be is malformed, before its place is looked at",
            "standard rtt month trust
             standard weekly week trust
             standard quarterly quarter trust
             10:00 return Trust rtt 2026-10-02 met=1 outcome=malformed
             10:00 return Nowhere weekly 2026-11-17 met=1 outcome=malformed
             10:00 return Trust quarterly 2026-11-01 met=1 outcome=malformed
             10:00 return Trust rtt 2026-10-01 met=3 total=2 outcome=malformed
             10:00 return Nowhere rtt 2026-10-01 met=1 outcome=unknown_place
             10:00 return Trust none 2026-10-02 met=1 outcome=unknown_standard
             10:00 return Trust rtt 2026-10-01 met=2 total=2
             10:00 return Trust weekly 2026-11-16 met=1
             10:00 return Trust quarterly 2026-10-01 met=1",
        ),
    ]);
}
