//! Trials judge as the alerter does, and a wrong file says what would be right.

use super::*;
use crate::testing;

const RULES: &str = r#"
[channel.desk]
type = "log"
[channel.director]
type = "log"
[[rule]]
id = "low"
level = "site"
series = { type = "1", window = "4h" }
value = "ae_four_hour.within / ae_four_hour.departed"
at_least = { "ae_four_hour.departed" = 20 }
breach = "< 0.76"
clear = ">= 0.78"
hold = "2m"
keep = "1m"
severity = "warning"
channels = ["desk"]
escalate = [{ after = "5m", channels = ["director"] }]
summary = "{name}: {value:%} ({within} of {departed})"
[[rule]]
id = "full"
level = "site"
value = "ae_department.present"
breach = "> 90"
hold = "0m"
keep = "0m"
severity = "info"
channels = ["desk"]
summary = "{present}"
[[rule]]
id = "answer"
level = "service"
value = "amb_response.total_s / amb_response.responses"
breach = "> 2400"
hold = "0m"
keep = "0m"
severity = "info"
channels = ["desk"]
summary = "{total_s} {responses}"
[[silence]]
rule = "low"
from = 2026-01-01T00:00:00Z
until = 2026-12-31T00:00:00Z
who = "A. Person"
why = "a real night"
"#;

const SOUND: &str = r#"
[[test]]
name = "up and down"
rule = "low"
org = "S1"
expect = [
  { at = "3m", is = "pending", told = [] },
  { at = "5m", is = "firing", told = ["desk"], says = "St Elsewhere: 75.0 % (75 of 100)" },
  { at = "7m", is = "recovering" },
  { at = "8m", is = "relapsed", told = [] },
  { at = "10m", is = "escalated", told = ["director"] },
  { at = "11m", is = "frozen" },
  { at = "13m", is = "thawed" },
  { at = "13m", is = "recovering" },
  { at = "14m", is = "resolved", told = ["desk", "director"] },
  { at = "15m", is = "pending" },
  { at = "16m", is = "dropped" },
]
stale = "0*11 1*2 0*4"
[test.values]
"ae_four_hour.departed" = "100*17"
"ae_four_hour.within" = "80*3 75*4 80 75*5 80*2 75 77"
"#;

fn faults_of(text: &str) -> Vec<String> {
    let (rules, organisations) = (testing::rules(RULES), testing::organisations());
    let trials = read(text, Surroundings { rules: &rules, organisations: &organisations }).unwrap();
    trials.iter().flat_map(|trial| trial.faults(&rules, &organisations, &testing::config(""))).collect()
}

#[test]
fn a_trial_sees_every_change_and_whoever_would_be_told() {
    assert_eq!(faults_of(SOUND), [""; 0]);
}

#[test]
fn what_is_not_as_expected_is_told() {
    for (from, to, expected) in [
        ("{ at = \"3m\", is = \"pending\", told = [] },", "", vec!["3m pending: not expected"]),
        (
            "at = \"7m\"",
            "at = \"6m\"",
            vec!["expected 6m recovering: it did not happen", "7m recovering: not expected"],
        ),
        (
            "told = [\"desk\"], says",
            "told = [\"desk\", \"director\"], says",
            vec![
                "5m firing, desk told \"St Elsewhere: 75.0 % (75 of 100)\": expected desk and director told",
            ],
        ),
        (
            "75.0 %",
            "74.9 %",
            vec![
                "5m firing, desk told \"St Elsewhere: 75.0 % (75 of 100)\": expected \"St Elsewhere: 74.9 % (75 of 100)\"",
            ],
        ),
        (
            "told = [\"director\"]",
            "told = []",
            vec!["10m escalated, director told \"St Elsewhere: 75.0 % (75 of 100)\": expected nobody told"],
        ),
    ] {
        assert_ne!(SOUND.replacen(from, to, 1), SOUND, "{from}");
        assert_eq!(faults_of(&SOUND.replacen(from, to, 1)), expected, "{to}");
    }
}

#[test]
fn a_tag_that_the_rule_leaves_open_is_written_and_minutes_may_be_missing() {
    let full = r#"
[[test]]
name = "one type"
rule = "full"
org = "S2"
tags = { type = "3" }
expect = [{ at = "3m", is = "firing" }, { at = "7m", is = "resolved", says = "90" }]
[test.values]
"ae_department.present" = "88+1*4 _*2 91-1*3 0"
"#;
    assert_eq!(faults_of(full), [""; 0]);
    let one_later = full.replacen("_*2", "_*3", 1);
    let expected = ["expected 7m resolved: it did not happen", "8m resolved, desk told \"90\": not expected"];
    assert_eq!(faults_of(&one_later), expected);
}

#[test]
fn other_tags_are_written_too() {
    let answer = r#"
[[test]]
name = "category 2"
rule = "answer"
org = "A1"
tags = { category = "C2", window = "4h" }
expect = [{ at = "1m", is = "firing", says = "24010 10" }]
[test.values]
"amb_response.responses" = "10*3"
"amb_response.total_s" = "24000+10*3"
"#;
    assert_eq!(faults_of(answer), [""; 0]);
}

#[test]
fn a_wrong_file_says_where_and_what_would_be_right() {
    let (rules, organisations) = (testing::rules(RULES), testing::organisations());
    let error = |text: &str| {
        read(text, Surroundings { rules: &rules, organisations: &organisations }).unwrap_err().to_string()
    };
    for (from, to, expected) in [
        (
            "rule = \"low\"",
            "rule = \"lo\"",
            "test \"up and down\" rule: there is no rule \"lo\"; there are low, full, answer",
        ),
        ("org = \"S1\"", "org = \"R1\"", "test \"up and down\" org: \"R1\" is no site that the rule watches"),
        (
            "org = \"S1\"",
            "org = \"S1\"\nfrom = \"nine\"",
            "test \"up and down\" from: \"nine\" is no instant such as 2026-01-14T09:00:00Z",
        ),
        (
            "org = \"S1\"",
            "org = \"S1\"\ntags = { type = \"2\" }",
            "test \"up and down\" tags.type: the rule does not leave this tag open: leave it out",
        ),
        (
            "rule = \"low\"",
            "rule = \"full\"",
            "test \"up and down\" tags.type: is missing: the rule leaves it open",
        ),
        (
            "rule = \"low\"",
            "rule = \"full\"\ntags = { type = \"9\" }",
            "test \"up and down\" tags.type: \"9\" is no type",
        ),
        (
            "rule = \"low\"",
            "rule = \"answer\"\ntags = { category = \"C9\", window = \"4h\" }",
            "test \"up and down\" org: \"S1\" is no service that the rule watches",
        ),
        (
            "rule = \"low\"\norg = \"S1\"",
            "rule = \"answer\"\norg = \"A1\"\ntags = { category = \"C9\", window = \"4h\" }",
            "test \"up and down\" tags: [\"C9\"] is no category",
        ),
        (
            "rule = \"low\"\norg = \"S1\"",
            "rule = \"answer\"\norg = \"A1\"\ntags = { category = \"C2\", window = \"4 hours\" }",
            "test \"up and down\" tags.window: \"4 hours\" is no window",
        ),
        (
            "rule = \"low\"\norg = \"S1\"",
            "rule = \"answer\"\norg = \"A1\"\ntags = { category = \"C2\", window = \"4h\" }",
            "test \"up and down\" values \"ae_four_hour.departed\": the rule does not look at this measure",
        ),
        (
            "stale = \"0*11 1*2 0*4\"",
            "stale = \"0*11\"",
            "test \"up and down\" stale: 11 minutes, the values have 17",
        ),
        (
            "stale = \"0*11 1*2 0*4\"",
            "stale = \"2*17\"",
            "test \"up and down\" stale: write 0 for fresh and 1 for stale",
        ),
        (
            "at = \"3m\"",
            "at = \"17m\"",
            "test \"up and down\" expect 1: at must be whole minutes, less than the 17 of the values",
        ),
        (
            "at = \"3m\"",
            "at = \"90s\"",
            "test \"up and down\" expect 1: at must be whole minutes, less than the 17 of the values",
        ),
        (
            "is = \"frozen\"",
            "is = \"cold\"",
            "test \"up and down\" expect 6: \"cold\" is none of pending, dropped, firing, recovering, relapsed, resolved, frozen, thawed, escalated",
        ),
        (
            "100*17",
            "100*16",
            "test \"up and down\" values: 17 minutes in one and 16 in another: as many in each",
        ),
        (
            "100*17",
            "1OO*17",
            "test \"up and down\" values \"ae_four_hour.departed\": \"1OO*17\" is none of 40, 40*10, 40+2*10, 40-2*10, _ and _*3",
        ),
        (
            "100*17",
            "100*0",
            "test \"up and down\" values \"ae_four_hour.departed\": \"100*0\": 1 to 10080 minutes are possible",
        ),
        (
            "100*17",
            "",
            "test \"up and down\" values \"ae_four_hour.departed\": no minute: write values such as 40*10",
        ),
        (
            "\"ae_four_hour.departed\" = \"100*17\"\n",
            "",
            "test \"up and down\" values: \"ae_four_hour.departed\" is missing: the rule looks at it",
        ),
        (
            "\"ae_four_hour.departed\"",
            "\"amb_queue.waiting\"",
            "test \"up and down\" values \"amb_queue.waiting\": the rule does not look at this measure",
        ),
        ("expect = [", "expects = [", "test \"up and down\" expects: unknown field `expects`"),
        ("[[test]]", "[[tests]]", "the file: "),
    ] {
        let text = SOUND.replacen(from, to, 1);
        assert_ne!(text, SOUND, "{from}");
        let got = error(&text);
        assert!(got.starts_with(expected), "{got}\nis not\n{expected}");
    }
    assert_eq!(error(""), "the file: no [[test]] in it: write at least one");
}
