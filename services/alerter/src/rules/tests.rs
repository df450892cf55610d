//! The shipped files, a rule in every detail, and what is refused with which words.

use domain::alert::Severity;
use domain::measures::{DEFAULT_WINDOWS, TypeTag, Window};
use domain::organisations::Level;

use super::*;
use crate::testing;

const CHANNELS: &str = r#"
[channel.log]
type = "log"
[channel.control-room]
type = "alertmanager"
url = "http://127.0.0.1:9093/prefix/"
"#;

const RULE: &str = r#"
[[rule]]
id = "four-hour"
level = "site"
orgs = ["S1"]
series = { type = "1", window = "4h" }
value = "ae_four_hour.within / ae_four_hour.departed"
at_least = { "ae_four_hour.departed" = 20 }
breach = "< 0.76"
clear = ">= 0.78"
hold = "15m"
keep = "1h"
severity = "warning"
channels = ["control-room", "log"]
escalate = [{ after = "15m", channels = ["log"] }]
summary = "{name}: {value:%}"
"#;

fn load(text: &str) -> Result<RuleSet, RulesError> {
    let organisations = testing::organisations();
    let (targets, frameworks) = (testing::targets(), testing::frameworks());
    let (windows, organisations) = (&DEFAULT_WINDOWS[..], &*organisations);
    load_rules(text, Surroundings { organisations, windows, targets: &targets, frameworks: &frameworks })
}

/// The rule with the line of a key replaced; an empty line takes the key out.
fn with(key: &str, line: &str) -> String {
    let mut found = false;
    let lines = RULE.lines().map(|old| {
        let is_it = old.starts_with(&format!("{key} ="));
        found |= is_it;
        if is_it { line } else { old }
    });
    let text = format!("{CHANNELS}{}\n", lines.collect::<Vec<_>>().join("\n"));
    if found { text } else { format!("{text}{line}\n") }
}

fn message(text: &str) -> String {
    match load(text) {
        Ok(_) => "(taken)".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_shipped_files_are_right() {
    for (text, rules) in [
        (include_str!("../../../../config/alerts.toml"), 6),
        (include_str!("../../../../config/demo-alerts.toml"), 2),
    ] {
        let set = load(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(set.rules.len(), rules);
        assert_eq!(set.fallback.as_deref(), Some("log"));
    }
    let demo = load(include_str!("../../../../config/demo-alerts.toml")).unwrap();
    assert_eq!(demo.rule("four-hour-type-1").map(|rule| rule.hold), Some(2));
}

#[test]
fn a_rule_means_what_it_says() {
    let set = load(&with("none", "")).unwrap();
    let rule = set.rule("four-hour").unwrap();
    assert_eq!((rule.level, rule.orgs.as_slice()), (Level::Site, ["S1".to_owned()].as_slice()));
    assert_eq!(rule.series.department_type, Some(TypeTag::One));
    assert_eq!(rule.series.window, Some(Window::Rolling(240)));
    assert_eq!((rule.hold, rule.keep, rule.severity), (15, 60, Severity::Warning));
    assert_eq!(
        (rule.breach.to_string(), rule.clear.to_string()),
        ("< 0.76".to_owned(), ">= 0.78".to_owned())
    );
    assert_eq!(rule.at_least[0].1, 20);
    assert_eq!(rule.escalations[0].after_ms, 900_000);
    let base = "http://127.0.0.1:9093/prefix".to_owned();
    assert_eq!(set.channels["control-room"], Channel::Alertmanager { url: base, token: None });
    let clear = load(&with("clear", "")).unwrap().rules.remove(0).clear;
    assert_eq!(clear.to_string(), ">= 0.76", "left out, it is the negation of breach");
}

#[test]
fn a_rule_compares_with_the_dated_target() {
    let text = with("breach", "breach = \"< target\"");
    for clear in ["clear = \">= target\"", "clear = \">=target\""] {
        let rule = load(&text.replace("clear = \">= 0.78\"", clear)).unwrap().rules.remove(0);
        assert!(rule.against_target);
    }
    let without = text.replace("clear = \">= 0.78\"\n", "");
    assert!(load(&without).unwrap().rules.remove(0).against_target);
    let other =
        without.replace("ae_four_hour.within / ", "ae_four_hour.over_12h / ").replace("{value:%}", "");
    assert_eq!(
        load(&other).unwrap_err().to_string(),
        "rule \"four-hour\" breach: there is no target of ae_four_hour.over_12h / ae_four_hour.departed in targets.toml"
    );
}

#[test]
fn a_framework_with_unverified_numbers_calls_nobody_unless_the_rule_says_so() {
    const OPEL: &str = "[channel.log]\ntype = \"log\"\n[[rule]]\nid = \"opel\"\nlevel = \"trust\"\nseries = { framework = \"unsure\" }\n\
        value = \"opel.opel\"\nbreach = \">= 4\"\nhold = \"5m\"\nkeep = \"5m\"\nseverity = \"page\"\nchannels = [\"log\"]\nsummary = \"{name}\"\n";
    let unverified = "rule \"opel\" channels: the framework \"unsure\" has unverified numbers: write unverified = true to \
                      call somebody on them all the same, or leave channels empty";
    let escalate = "channels = []\nescalate = [{ after = \"5m\", channels = [\"log\"] }]";
    let parameter = ("value = \"opel.opel\"", "value = \"opel_parameter.points\"");
    for (right, changed, error) in [
        ("", "", Some(unverified)),
        ("channels = [\"log\"]", escalate, Some(unverified)),
        ("series = { framework = \"unsure\" }\n", "", Some(unverified)),
        (parameter.0, parameter.1, Some("rule \"opel\" series: [\"unsure\"] is no framework and parameter")),
        ("unsure", "sure", None),
        ("channels = [\"log\"]", "channels = []", None),
        ("severity", "unverified = true\nseverity", None),
        (
            "unsure",
            "old",
            Some(
                "rule \"opel\" series.framework: \"old\" is not computed; opel in the configuration names: sure, unsure",
            ),
        ),
        ("opel.opel", "opel.score / opel.missing", Some(unverified)),
    ] {
        let found = load(&OPEL.replacen(right, changed, 1)).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(found.err().as_deref(), error, "{right} {changed}");
    }
    let periodic =
        OPEL.replace("framework = \"unsure\"", "").replace("opel.opel", "standard.met / standard.total");
    assert_eq!(
        load(&periodic).unwrap_err().to_string(),
        "rule \"opel\" value: rules do not judge standard: it is never a newest minute"
    );
}

#[test]
fn an_edit_changes_the_version_and_a_reordering_does_not() {
    let version = |text: &str| load(text).unwrap().rules.remove(0).version;
    let plain = version(&with("none", ""));
    assert_eq!(plain.len(), 16);
    assert_ne!(version(&with("summary", "summary = \"{org}\"")), plain);
    let lines: Vec<&str> = RULE.lines().collect();
    let reordered: Vec<&str> = lines[..2].iter().chain(lines[2..].iter().rev()).copied().collect();
    assert_eq!(version(&format!("{CHANNELS}{}\n", reordered.join("\n"))), plain);
}

/// A key, the line in its place, and the error.
const WRONG_RULES: &[(&str, &str, &str)] = &[
    ("id", "", "rule 1 id: missing field `id`"),
    ("id", "id = \"\"", "rule \"\" id: must be 1 to 200 of A–Z, a–z, 0–9, -, _ and ."),
    ("id", "id = \"a b\"", "rule \"a b\" id: must be 1 to 200 of A–Z, a–z, 0–9, -, _ and ."),
    ("id", "id = 3", "rule 1 id: invalid type: integer `3`, expected a string"),
    (
        "level",
        "level = \"ward\"",
        "rule \"four-hour\" level: \"ward\" is no level: one of site, service, trust, system, region, nation, group",
    ),
    ("level", "level = \"group\"", "rule \"four-hour\" orgs: \"S1\" is no group of organisations.csv"),
    ("level", "level = \"trust\"", "rule \"four-hour\" orgs: \"S1\" is no trust of organisations.csv"),
    ("orgs", "orgs = [\"S9\"]", "rule \"four-hour\" orgs: \"S9\" is no site of organisations.csv"),
    ("orgs", "orgs = [\"S1\", \"S1\"]", "rule \"four-hour\" orgs: \"S1\" stands twice"),
    ("orgs", "orgs = \"S1\"", "rule \"four-hour\" orgs: invalid type: string \"S1\", expected a sequence"),
    (
        "series",
        "series = { type = \"4\" }",
        "rule \"four-hour\" series.type: \"4\" is no type: one of \"all\", \"1\", \"2\", \"3\" (with 4 in it), \"5\"",
    ),
    (
        "series",
        "series = { type = \"5\" }",
        "rule \"four-hour\" series.type: ae_four_hour does not count type 5",
    ),
    (
        "series",
        "series = { type = 1 }",
        "rule \"four-hour\" series.type: invalid type: integer `1`, expected a string",
    ),
    (
        "series",
        "series = { window = \"3h\" }",
        "rule \"four-hour\" series.window: \"3h\" is not published: one of 1h, 4h, 8h, 24h, today, 7d",
    ),
    (
        "series",
        "series = { area = \"x\" }",
        "rule \"four-hour\" series.area: no measure of this rule has a tag area: leave it out",
    ),
    (
        "value",
        "value = \"ae_four_hour.in\"",
        "rule \"four-hour\" value: ae_four_hour has no field \"in\": one of departed, within, over_12h, implausible",
    ),
    (
        "at_least",
        "at_least = { \"ae_four_hour.departed\" = 0 }",
        "rule \"four-hour\" at_least: 0 for ae_four_hour.departed asks for nothing: write at least 1",
    ),
    (
        "at_least",
        "at_least = { departed = 20 }",
        "rule \"four-hour\" at_least: \"departed\" is not a field: write measure.field, such as ae_four_hour.within",
    ),
    (
        "breach",
        "breach = \"0.76\"",
        "rule \"four-hour\" breach: \"0.76\" is not a condition: write <, <=, > or >= and a number with at most 9 decimals, such as \"< 0.76\"",
    ),
    (
        "breach",
        "breach = \"< target\"",
        "rule \"four-hour\" clear: breach compares with the target: leave clear out, or write \">= target\"",
    ),
    (
        "clear",
        "clear = \">= target\"",
        "rule \"four-hour\" clear: \">= target\" compares with the dated target: breach and clear must both do, or neither",
    ),
    (
        "value",
        "value = \"standard.met / standard.total\"",
        "rule \"four-hour\" value: rules do not judge standard: it is never a newest minute",
    ),
    (
        "clear",
        "clear = \">= 0.75\"",
        "rule \"four-hour\" clear: \">= 0.75\" must lie on the other side of breach \"< 0.76\" and share no number with it",
    ),
    (
        "hold",
        "hold = \"90s\"",
        "rule \"four-hour\" hold: must be whole minutes, at most 7 days, such as \"15m\"",
    ),
    (
        "hold",
        "hold = \"8d\"",
        "rule \"four-hour\" hold: must be whole minutes, at most 7 days, such as \"15m\"",
    ),
    (
        "hold",
        "hold = 15",
        "rule \"four-hour\" hold: invalid type: integer `15`, expected a duration such as \"4h\", \"15m\", \"1h30m\" or \"250ms\"",
    ),
    ("keep", "", "rule \"four-hour\" keep: missing field `keep`"),
    (
        "severity",
        "severity = \"critical\"",
        "rule \"four-hour\" severity: \"critical\" is no severity: one of info, warning, page",
    ),
    (
        "channels",
        "channels = [\"pager\"]",
        "rule \"four-hour\" channels: channel \"pager\" is not there; there are: control-room, log",
    ),
    (
        "channels",
        "channels = [\"log\", \"log\"]",
        "rule \"four-hour\" channels: channel \"log\" stands twice",
    ),
    (
        "escalate",
        "escalate = [{ after = \"15m\", channels = [\"x\"] }]",
        "rule \"four-hour\" escalate: channel \"x\" is not there; there are: control-room, log",
    ),
    (
        "escalate",
        "escalate = [{ after = \"15m\", channels = [] }]",
        "rule \"four-hour\" escalate: each step needs a channel and a longer after than the step before",
    ),
    (
        "escalate",
        "escalate = [{ after = \"15m\", channels = [\"log\"] }, { after = \"15m\", channels = [\"log\"] }]",
        "rule \"four-hour\" escalate: each step needs a channel and a longer after than the step before",
    ),
    (
        "summary",
        "summary = \"{patient}\"",
        "rule \"four-hour\" summary: {patient} is no placeholder: one of {name} {org} {level} {value} {value:%} {threshold} {threshold:%} {type} {window} {minute} {link} {within} {departed}",
    ),
    (
        "kind",
        "kind = \"feed-silent\"",
        "rule \"four-hour\" kind: \"feed-silent\" is not supported yet: leave kind out",
    ),
    ("kind", "kind = \"x\"", "rule \"four-hour\" kind: \"x\" is no kind of rule: leave kind out"),
];

#[test]
fn a_wrong_rule_names_itself_its_key_and_what_would_be_right() {
    for (key, line, wanted) in WRONG_RULES {
        assert_eq!(message(&with(key, line)), *wanted, "{line}");
    }
    let misspelt = message(&with("brech", "brech = \"< 1\""));
    assert!(
        misspelt.starts_with("rule \"four-hour\" brech: unknown field `brech`, expected one of"),
        "{misspelt}"
    );
}

#[test]
fn a_measure_must_exist_at_the_level_and_have_the_tag() {
    let text = with("orgs", "").replace("level = \"site\"", "level = \"service\"");
    assert_eq!(message(&text), "rule \"four-hour\" level: ae_four_hour does not exist at level service");
    let text = with("value", "value = \"amb_queue.waiting\"")
        .replace("at_least = { \"ae_four_hour.departed\" = 20 }", "")
        .replace("{value:%}", "{value}");
    assert_eq!(
        message(&text),
        "rule \"four-hour\" series.type: no measure of this rule has a tag type: leave it out"
    );
    let text = text.replace("type = \"1\", ", "");
    assert_eq!(
        message(&text),
        "rule \"four-hour\" series.window: no measure of this rule has a tag window: leave it out"
    );
    assert_eq!(message(&text.replace("series = { window = \"4h\" }", "")), "(taken)");
}

/// What stands behind the rule, and the error.
const WRONG_FILES: &[(&str, &str)] = &[
    (RULE, "rule \"four-hour\" id: stands twice: each rule needs its own"),
    (
        "[alert]\n",
        "alerts alert: unknown field `alert`, expected one of `alerts`, `channel`, `rule`, `silence`",
    ),
    (
        "[alerts]\nfallback = \"x\"\n",
        "alerts fallback: channel \"x\" is not there; there are: control-room, log",
    ),
    (
        "[channel.p]\ntype = \"pagerduty\"\nkey = \"k\"\n",
        "channel.p type: \"pagerduty\" is not supported yet: one of alertmanager, log",
    ),
    (
        "[channel.p]\ntype = \"webhook\"\n",
        "channel.p type: \"webhook\" is not supported yet: one of alertmanager, log",
    ),
    (
        "[channel.p]\ntype = \"email\"\n",
        "channel.p type: \"email\" is not supported yet: one of alertmanager, log",
    ),
    (
        "[channel.p]\ntype = \"pigeon\"\n",
        "channel.p type: \"pigeon\" is no type of channel: one of alertmanager, log",
    ),
    ("[channel.p]\n", "channel.p type: missing: one of alertmanager, log"),
    ("[channel.p]\ntype = \"log\"\nurl = \"x\"\n", "channel.p url: unknown field `url`, expected `type`"),
    ("[channel.p]\ntype = \"alertmanager\"\n", "channel.p url: missing field `url`"),
    (
        "[channel.p]\ntype = \"alertmanager\"\nurl = \"am:9093\"\n",
        "channel.p url: is no address: write http://HOST:PORT or https://HOST:PORT, with a path if it has one",
    ),
    (
        "[channel.p]\ntype = \"alertmanager\"\nurl = \"http://u:p@am\"\n",
        "channel.p url: holds a password: use token = { env = \"NAME\" }",
    ),
    (
        "[channel.p]\ntype = \"alertmanager\"\nurl = \"http://am/?a=b\"\n",
        "channel.p url: has a ? or #: write http://HOST:PORT or https://HOST:PORT, with a path if it has one",
    ),
    (
        "[channel.p]\ntype = \"alertmanager\"\nurl = \"http://am/api/v2\"\n",
        "channel.p url: ends with the API's own path: leave /api/v2 out",
    ),
];

#[test]
fn a_wrong_file_says_where() {
    let rule = with("none", "");
    for (rest, wanted) in WRONG_FILES {
        assert_eq!(message(&format!("{rule}{rest}")), *wanted, "{rest}");
    }
    assert!(message("[[rule]").starts_with("alerts: TOML parse error"), "{}", message("[[rule]"));
    assert_eq!(message(""), "(taken)");
}

#[test]
fn a_wrong_silence_says_where() {
    let rule = with("none", "");
    for (text, wanted) in [
        (
            format!(
                "{rule}[[silence]]\nfrom = 2026-11-21T14:00:00Z\nuntil = 2026-11-21T15:00:00Z\nwho = \"A\"\nwhy = \"b\"\n"
            ),
            "silence 1: needs a rule, an org, or both",
        ),
        (
            silence(&rule, "rule = \"x\"", "2026-11-21T15:00:00Z", "A"),
            "silence 1 rule: \"x\" is no rule of this file",
        ),
        (
            silence(&rule, "org = \"X\"", "2026-11-21T15:00:00Z", "A"),
            "silence 1 org: \"X\" is not in organisations.csv",
        ),
        (silence(&rule, "org = \"S1\"", "2026-11-21T14:00:00Z", "A"), "silence 1 until: must be after from"),
        (
            silence(&rule, "org = \"S1\"", "2026-11-21T15:00:00", "A"),
            "silence 1 until: 2026-11-21T15:00:00 is no instant with an offset, such as 2026-11-21T14:00:00Z",
        ),
        (
            silence(&rule, "org = \"S1\"", "2026-11-21T15:00:00Z", " "),
            "silence 1: needs who and why: somebody will ask",
        ),
        (silence(&rule, "org = \"S1\"", "\"2026-11-21T15:00:00+00:00\"", "A"), "(taken)"),
    ] {
        assert_eq!(message(&text), wanted, "{text}");
    }
}

fn silence(rule: &str, whom: &str, until: &str, who: &str) -> String {
    format!(
        "{rule}[[silence]]\n{whom}\nfrom = 2026-11-21T14:00:00Z\nuntil = {until}\nwho = \"{who}\"\nwhy = \"b\"\n"
    )
}

#[test]
fn a_silence_covers_what_it_names_from_and_until() {
    let text = silence(&with("none", ""), "rule = \"four-hour\"\norg = \"S1\"", "2026-11-21T15:00:00Z", "A");
    let silence = load(&text).unwrap().silences.remove(0);
    let (from_ms, until_ms) = (silence.from.0, silence.until.0);
    for (rule, org, now_ms, covered) in [
        ("four-hour", "S1", from_ms, true),
        ("four-hour", "S1", until_ms - 1, true),
        ("four-hour", "S1", from_ms - 1, false),
        ("four-hour", "S1", until_ms, false),
        ("other", "S1", from_ms, false),
        ("four-hour", "S2", from_ms, false),
    ] {
        assert_eq!(covers(&silence, rule, org, now_ms), covered, "{rule} {org} {now_ms}");
    }
}
