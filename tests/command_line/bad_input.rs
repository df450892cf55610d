//! What is no event, and what becomes of it: in a file here, by HTTP in `door`.

use domain::event::Outcome;
use domain::time::Millis;

use crate::run::sitrep_with;
use crate::world::{World, attendance, now};

/// Stands in every bad input, as text or as a number: it must not be said again anywhere.
pub(crate) const PLANTED: [&str; 2] = ["Zanzibar", "9434765919"];

/// An input that is refused.
pub(crate) struct Bad {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) outcome: Outcome,
}

/// A good event about a patient of that number, who came an hour ago.
pub(crate) fn good(number: usize, now: Millis) -> String {
    let arrived = Millis(now.0 - 3_600_000).second();
    attendance(
        &format!("good-{number}"),
        "General",
        &format!("good-{number}"),
        now,
        &format!(r#""arrived_at":"{arrived}""#),
    )
}

/// The list, with planted references; `now` is when it was recorded.
pub(crate) fn all(now: Millis) -> Vec<Bad> {
    let (second, tomorrow) = (now.second(), Millis(now.0 + 86_400_000).second());
    let [name, number] = PLANTED;
    let event = |site: &str, facts: &str| attendance("bad", site, &format!("{name}-{number}"), now, facts);
    let arrived = format!(r#""arrived_at":"{second}""#);
    let right = event("General", &arrived);
    let change = |from: &str, to: &str| {
        let changed = right.replacen(from, to, 1);
        assert_ne!(changed, right, "{from}");
        changed
    };
    let reference = format!(r#""ref":"{name}-{number}""#);
    let deep = format!("{}{name}{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    let deep_location = format!(r#""location":{}"{name}"{}"#, "[".repeat(100), "]".repeat(100));
    let mut not_utf8 = right.clone().into_bytes();
    let at = right.find(name).expect("it is planted");
    not_utf8[at] = 0xff;
    let returned = |org: &str, start: &str, facts: &str| {
        format!(
            r#"{{"id":"{name}-{number}","source":"epr","recorded_at":"{second}","standard":{{"standard":"rtt-18-weeks","org":"{org}","period_start":"{start}",{facts}}}}}"#
        )
    };
    let bad = |name, text: String, outcome| Bad { name, bytes: text.into_bytes(), outcome };
    use Outcome::{FutureDated, Malformed, TooLarge, UnknownPlace, UnknownStandard};
    vec![
        bad("not JSON", format!("patient {name} {number}"), Malformed),
        bad("a text", format!(r#""{name}""#), Malformed),
        bad("an array", format!("[{right}]"), Malformed),
        bad("truncated", right[..right.len() - 20].to_owned(), Malformed),
        bad("two in a line", format!("{right}{right}"), Malformed),
        bad("65 KiB", change(",", &format!(",{}", " ".repeat(65 * 1024))), TooLarge),
        bad("65 KiB that is no JSON", name.repeat(65 * 1024 / name.len() + 1), TooLarge),
        bad("unknown field", event("General", &format!(r#""arived_at":"{name}""#)), Malformed),
        bad(
            "unknown field beside",
            change(r#""source""#, &format!(r#""mood":"{name}","source""#)),
            Malformed,
        ),
        bad("unknown kind", change(r#""attendance""#, r#""attendence""#), Malformed),
        bad("unknown site", event(name, &arrived), UnknownPlace),
        bad("a trust as site", event("Trust", &arrived), UnknownPlace),
        bad("an instant tomorrow", event("General", &format!(r#""arrived_at":"{tomorrow}""#)), FutureDated),
        bad(
            "an instant without offset",
            event("General", r#""arrived_at":"2026-01-01T00:00:00""#),
            Malformed,
        ),
        bad(
            "an instant of another century",
            event("General", r#""arrived_at":"1926-01-01T00:00:00Z""#),
            Malformed,
        ),
        bad("null for a reference", change(&reference, r#""ref":null"#), Malformed),
        bad("null for a site", change(r#""site":"General""#, r#""site":null"#), Malformed),
        bad("null for an id", change(r#""id":"bad""#, r#""id":null"#), Malformed),
        bad("no id", change(r#""id":"bad","#, ""), Malformed),
        bad("an empty reference", change(&reference, r#""ref":"""#), Malformed),
        bad("a number for a text", change(&reference, &format!(r#""ref":{number}"#)), Malformed),
        bad("a text for a number", event("General", &format!(r#""acuity":"{name}""#)), Malformed),
        bad("a fraction for a number", event("General", r#""acuity":1.0"#), Malformed),
        bad("a number out of range", event("General", &format!(r#""acuity":{number}"#)), Malformed),
        bad("an unknown disposal", event("General", &format!(r#""disposal":"{name}""#)), Malformed),
        bad("a source in capitals", change(r#""source":"epr""#, &format!(r#""source":"{name}""#)), Malformed),
        bad("a key twice", event("General", &format!(r#"{arrived},"arrived_at":"{second}""#)), Malformed),
        bad("a key and no fact", change(&format!(",{arrived}"), ""), Malformed),
        bad("two kinds", change(r#""attendance""#, r#""heartbeat":{},"attendance""#), Malformed),
        bad("100 levels of nesting", deep, Malformed),
        bad("100 levels in a fact", event("General", &deep_location), Malformed),
        bad(
            "an unknown standard",
            format!(
                r#"{{"id":"bad","source":"epr","recorded_at":"{second}","standard":{{"standard":"{name}","org":"ENG","period_start":"2025-10-01","met":1,"total":2}}}}"#
            ),
            UnknownStandard,
        ),
        bad("met > total", returned("Trust", "2025-10-01", r#""met":3,"total":2"#), Malformed),
        bad("a negative count", returned("Trust", "2025-10-01", r#""met":-1,"total":2"#), Malformed),
        bad("an absurd count", returned("Trust", "2025-10-01", r#""total":10000000001"#), Malformed),
        bad(
            "a period of another standard",
            returned("Trust", "2025-10-06", r#""met":1,"total":2"#),
            Malformed,
        ),
        bad("a return of nobody", returned(name, "2025-10-01", r#""met":1,"total":2"#), UnknownPlace),
        Bad { name: "invalid UTF-8", bytes: not_utf8, outcome: Malformed },
    ]
}

/// Panics if a text says again what was planted.
pub(crate) fn says_nothing(what: &str, text: &[u8]) {
    for planted in PLANTED {
        let says = text.windows(planted.len()).any(|window| window == planted.as_bytes());
        assert!(!says, "{what} says {planted}");
    }
}

fn replay(world: &World, input: &[u8]) -> String {
    let organisations = world.path("organisations.csv");
    let from = now().second().to_string();
    let arguments = [
        "replay",
        "--organisations",
        &organisations,
        "--events",
        "-",
        "--from",
        &from,
        "--until",
        &from,
        "--out",
        "-",
    ];
    sitrep_with(&arguments, input).well().err
}

#[test]
fn each_bad_line_has_its_outcome_and_harms_no_other() {
    let (world, now) = (World::new(), now());
    for bad in all(now) {
        // The last line has no line break.
        let input = [good(1, now).as_bytes(), b"\n", &bad.bytes, b"\r\n\n", good(2, now).as_bytes()].concat();
        let said = replay(&world, &input);
        let outcome = bad.outcome.as_str();
        let summary =
            format!("3 read: 2 accepted, 0 duplicate, 1 refused, 1 {outcome}; 2 attendances, 0 journeys");
        assert!(said.contains(&summary), "{}: {said}", bad.name);
        assert!(said.contains(&format!("line 2: {outcome}: ")), "{}: {said}", bad.name);
        says_nothing(bad.name, said.as_bytes());
    }
}

#[test]
fn many_bad_lines_are_counted_and_a_few_are_told() {
    let (world, now) = (World::new(), now());
    let bad = all(now);
    let mut input = Vec::new();
    for (number, bad) in bad.iter().enumerate() {
        input.extend([good(number, now).as_bytes(), b"\n", &bad.bytes, b"\n"].concat());
    }
    // The last line breaks off.
    input.extend(&good(99, now).as_bytes()[..50]);
    let said = replay(&world, &input);
    let (good, refused) = (bad.len(), bad.len() + 1);
    let read = good + refused;
    let summary = format!("{read} read: {good} accepted, 0 duplicate, {refused} refused, ");
    assert!(said.contains(&summary), "{said}");
    for outcome in Outcome::ALL.iter().filter(|outcome| outcome.is_refused()) {
        let count = bad.iter().filter(|bad| bad.outcome == *outcome).count();
        let count = count + usize::from(*outcome == Outcome::Malformed);
        let told = format!(", {count} {}", outcome.as_str());
        assert_eq!(said.contains(&told), count > 0, "{told}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("line ")).count(), 10, "{said}");
    assert!(said.contains(&format!("… and {} more refused lines\n", refused - 10)), "{said}");
    says_nothing("all together", said.as_bytes());
}
