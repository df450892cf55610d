//! What is refused and sent again, sealed bytes, tokens and keys: on the command line.

use contract::refusal;
use contract::topics::{EVENTS, REFUSALS};
use serde_json::json;

use crate::bad_input::{PLANTED, says_nothing};
use crate::door::{records, up};
use crate::patience::{SOON, eventually};
use crate::run::{Done, sitrep};
use crate::world::{World, ago, attendance, now};

/// A pair that `age-keygen` could have made; of no use but here.
const PRIVATE: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

fn public() -> &'static str {
    include_str!("../data/age-public-key.txt").trim()
}

/// `sitrep refusals …` on the world's embedded log.
fn refusals(world: &World, what: &[&str], more: &[&str]) -> Done {
    let data = format!("data={}", world.path("data"));
    let organisations = format!("organisations={}", world.path("organisations.csv"));
    let mut arguments = vec!["refusals"];
    arguments.extend(what);
    arguments.extend(["--embedded", "--set", &data, "--set", &organisations]);
    arguments.extend(more);
    sitrep(&arguments)
}

/// An event of a site that is in the table only after the repair, a misspelt one, and one that is too late.
fn bad_posts(now: domain::time::Millis) -> Vec<String> {
    let arrived = format!(r#""arrived_at":"{}""#, ago(now, 60));
    let [name, number] = PLANTED;
    vec![
        attendance("1", "Newsite", &format!("{name}-{number}"), now, &arrived),
        attendance("2", "General", number, now, &format!(r#""arived_at":"{}""#, ago(now, 60))),
    ]
}

#[test]
fn what_was_refused_is_listed_shown_and_sent_again_after_a_repair() {
    let (world, now) = (World::new(), now());
    let up_first = up(&world, &[]);
    let posts = bad_posts(now);
    let (status, answer) = up_first.post("application/x-ndjson", posts.join("\n").as_bytes());
    assert_eq!((status, &answer["taken"]), (200, &json!(0)), "{answer}");
    up_first.stop();

    let listed = refusals(&world, &["list"], &[]).well();
    let lines: Vec<&str> = listed.text().lines().collect();
    assert_eq!(lines.len(), 2, "{}", listed.text());
    assert!(lines[0].contains(" unknown_place epr http ") && lines[1].contains(" malformed epr http "));
    assert!(listed.err.contains("2 refused, 1 malformed, 1 unknown_place"), "{}", listed.err);
    says_nothing("the list", &[listed.out.clone(), listed.err.into_bytes()].concat());
    for (filter, count) in [
        (&["--reason", "malformed"][..], 1),
        (&["--reason", "malformed", "--reason", "unknown_place"], 2),
        (&["--source", "epr"], 2),
        (&["--source", "cad"], 0),
        (&["--since", &ago(now, -60)], 0),
        (&["--until", &ago(now, 60)], 0),
        (&["--since", &ago(now, 60), "--until", &ago(now, -60)], 2),
    ] {
        let listed = refusals(&world, &["list"], filter).well();
        assert_eq!(listed.text().lines().count(), count, "{filter:?}");
    }
    assert_eq!(refusals(&world, &["list"], &["--reason", "silly"]).code, 2);
    assert_eq!(refusals(&world, &["show", "0"], &[]).well().out, posts[0].as_bytes());
    assert_eq!(refusals(&world, &["show", "7"], &[]).code, 2);

    let still = refusals(&world, &["retry"], &[]).well();
    assert!(
        still.err.contains("0 refusals are good now: 0 events sent; 2 are still refused"),
        "{}",
        still.err
    );
    says_nothing("the retry", still.err.as_bytes());
    // The repair: the site is in the table.
    let table = std::fs::read_to_string(world.path("organisations.csv")).expect("ours");
    world.write("organisations.csv", format!("{}\nNewsite,New,site,Trust,1\n", table.trim_end()).as_bytes());
    let tried = refusals(&world, &["retry"], &["--dry-run"]).well();
    assert!(tried.err.contains("1 refusals are good now: 1 events would be sent; 1 are"), "{}", tried.err);
    assert_eq!(records(&world, EVENTS).len(), 0);
    for _ in 0..2 {
        let sent = refusals(&world, &["retry"], &[]).well();
        assert!(sent.err.contains("1 refusals are good now: 1 events sent; 1 are"), "{}", sent.err);
    }
    assert_eq!((records(&world, EVENTS).len(), records(&world, REFUSALS).len()), (2, 2));
    let up_again = up(&world, &[]);
    eventually("the patient counts once", SOON, || {
        let answer = up_again.json("/v1/measures?measure=ae_department&org=Newsite&type=all");
        let newest = answer["series"][0]["points"].as_array().and_then(|points| points.last().cloned());
        let present = newest.as_ref().and_then(|point| point[1].as_i64());
        if present == Some(1) { Ok(()) } else { Err(format!("{newest:?}")) }
    });
    // While it runs nobody else reads its log, and that is said.
    let busy = refusals(&world, &["list"], &[]);
    assert!(busy.code == 1 && busy.err.contains("is in use by process"), "{}", busy.err);
    up_again.stop();
}

#[test]
fn what_the_aggregator_would_refuse_again_is_not_sent_again() {
    let (world, now) = (World::new(), now());
    let up = up(&world, &[]);
    let late = domain::time::Millis(now.0 - 20 * 86_400_000);
    let early = domain::time::Millis(now.0 + 3_600_000);
    let arrived = |at| format!(r#""arrived_at":"{}""#, ago(at, 10));
    up.tell(&[
        attendance("late", "General", "L", late, &arrived(late)),
        attendance("early", "General", "E", early, &arrived(now)),
    ]);
    for outcome in ["too_late", "future_dated"] {
        eventually("the aggregator refuses", SOON, || {
            let of = up.metric_of(&format!("sitrep_aggregate_events_total{{outcome=\"{outcome}\"}}"));
            if of == 1 { Ok(()) } else { Err(format!("{of}")) }
        });
    }
    up.stop();
    assert_eq!((records(&world, EVENTS).len(), records(&world, REFUSALS).len()), (2, 2));
    for more in [&["--dry-run"][..], &[]] {
        let still = refusals(&world, &["retry"], more).well();
        assert!(still.err.contains("0 refusals are good now: 0 events"), "{}", still.err);
        for (number, outcome) in [(0, "too_late"), (1, "future_dated")] {
            assert!(still.err.contains(&format!("{number} is still refused: {outcome}: ")), "{}", still.err);
        }
    }
    assert_eq!((records(&world, EVENTS).len(), records(&world, REFUSALS).len()), (2, 2));
}

#[test]
fn sealed_bytes_are_read_with_the_private_key_alone() {
    let (world, now) = (World::new(), now());
    let seal = format!("refusals.seal_to={}", public());
    let up = up(&world, &["--set", &seal]);
    let posts = bad_posts(now);
    assert_eq!(up.post("application/x-ndjson", posts.join("\n").as_bytes()).0, 200);
    // The aggregator seals too.
    let late = domain::time::Millis(now.0 - 20 * 86_400_000);
    let arrived = format!(r#""arrived_at":"{}""#, ago(late, 10));
    up.tell(&[attendance("late", "General", "L", late, &arrived)]);
    eventually("the aggregator refuses", SOON, || {
        let of = up.metric_of("sitrep_aggregate_events_total{outcome=\"too_late\"}");
        if of == 1 { Ok(()) } else { Err(format!("{of}")) }
    });
    up.stop();
    let kept = records(&world, REFUSALS);
    assert_eq!(kept.len(), 3);
    for one in &kept {
        assert!(refusal::decode(one).expect("a refusal").sealed);
        says_nothing("a sealed refusal", one);
    }
    for file in world.files("data") {
        says_nothing(&file.to_string_lossy(), &std::fs::read(&file).expect("a file of ours"));
    }
    let closed = refusals(&world, &["show", "0"], &[]);
    assert!(closed.code == 2 && closed.err.contains("sealed: --identity FILE opens it"), "{}", closed.err);
    let identity = world.write("identity", format!("# a key\n{PRIVATE}\n").as_bytes());
    assert_eq!(
        refusals(&world, &["show", "0", "--identity", &identity], &[]).well().out,
        posts[0].as_bytes()
    );
    let still = refusals(&world, &["retry", "--identity", &identity], &[]).well();
    assert!(still.err.contains("0 is still refused: unknown_place: "), "{}", still.err);
    let wrong = refusals(&world, &["show", "0", "--identity", &world.path("nowhere")], &[]);
    assert!(wrong.code == 2 && wrong.err.contains("cannot be read"), "{}", wrong.err);
    let check = |set: &str| sitrep(&["check", "--set", set]);
    assert!(check(&seal).well().text().contains("refusals        sealed"));
    assert_eq!(check("refusals.seal_to=age1nonsense").code, 2);
    assert_eq!(check("refusals.alarm_share=1.5").code, 2);
}

#[test]
fn another_key_for_pseudonyms_is_refused_unless_it_is_asked_for() {
    let world = World::new();
    let one = format!("pseudonyms.key={{ file = \"{}\" }}", world.write("one", b"the first key of all\n"));
    let two = format!("pseudonyms.key={{ file = \"{}\" }}", world.write("two", b"another key of them\n"));
    up(&world, &["--set", &one]).stop();
    up(&world, &["--set", &one]).stop();
    let ends = |more: &[&str]| {
        let arguments = world.up(more);
        sitrep(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let listen = ["--set", "http.listen=127.0.0.1:0"];
    let refused = ends(&[&listen[..], &["--set", &two]].concat());
    assert_eq!(refused.code, 2, "{}", refused.err);
    let accept =
        refused.err.split("pseudonyms.accept_new_key = \"").nth(1).and_then(|rest| rest.split('"').next());
    let accept = accept.unwrap_or_else(|| panic!("what to do is said: {}", refused.err));
    assert!(!refused.err.contains("another key of them"), "{}", refused.err);
    // Without a key references are hashed: that is another key too.
    assert_eq!(ends(&listen).code, 2);
    let accept = format!("pseudonyms.accept_new_key={accept}");
    up(&world, &["--set", &two, "--set", &accept]).stop();
    up(&world, &["--set", &two]).stop();
    assert_eq!(ends(&[&listen[..], &["--set", &one]].concat()).code, 2);
}

#[test]
fn a_token_is_made_bound_and_replaced_while_it_runs() {
    let world = World::new();
    let file = world.path("tokens.toml");
    let made = |name: &str, more: &[&str]| {
        let done = sitrep(&[&["token", "new", name, "--file", &file][..], more].concat()).well();
        done.text().trim().to_owned()
    };
    let trust = made("the trust's EPR", &["--source", "epr", "--org", "Trust"]);
    assert!(trust.starts_with("sitrep_") && trust.len() > 60, "{trust}");
    let text = std::fs::read_to_string(&file).expect("it was written");
    assert!(text.contains("name = \"the trust's EPR\"") && !text.contains(&trust), "{text}");
    let up = up(&world, &["--set", &format!("http.tokens={file}")]);
    let now = now();
    let arrived = format!(r#""arrived_at":"{}""#, ago(now, 60));
    let post = |token: &str, site: &str| {
        let bearer = format!("Authorization: Bearer {token}");
        up.post_with(&[bearer], attendance("1", site, "A", now, &arrived).as_bytes())
    };
    assert_eq!(post(&trust, "General"), (200, json!({"taken": 1, "refused": []})));
    assert_eq!(post("nobody's", "General").0, 401);
    let other = made("alerts only", &["--scope", "alerts"]);
    eventually("the new token is known", SOON, || {
        let status = post(&other, "General").0;
        if status == 403 { Ok(()) } else { Err(format!("{status}")) }
    });
    let second = made("the other trust", &["--source", "*", "--org", "ENG"]);
    eventually("the third too", SOON, || {
        let status = post(&second, "General").0;
        if status == 200 { Ok(()) } else { Err(format!("{status}")) }
    });
    // The first is taken out.
    let rows = std::fs::read_to_string(&file).expect("ours");
    let rest = rows.split("[[token]]").skip(2).map(|row| format!("[[token]]{row}")).collect::<String>();
    world.write("tokens.toml", rest.as_bytes());
    eventually("the old token is forgotten", SOON, || {
        let status = post(&trust, "General").0;
        if status == 401 { Ok(()) } else { Err(format!("{status}")) }
    });
    assert_eq!(up.metric("sitrep_access_tokens"), 2);
    for line in up.stop() {
        assert!(!line.contains(&trust) && !line.contains(&second), "{line}");
    }
    for wrong in [
        &["token", "new", "x"][..],
        &["token", "new", "x", "--source", "a"],
        &["token", "new", "x", "--source", "RXF.*", "--org", "RXF"],
        &["token", "new", "x", "--scope", "all"],
    ] {
        assert_eq!(sitrep(wrong).code, 2, "{wrong:?}");
    }
    let wrong = world.write("wrong.toml", b"[[token]]\nname = 1\n");
    assert_eq!(sitrep(&["check", "--set", &format!("http.tokens={wrong}")]).code, 2);
}

#[test]
fn over_tls_the_door_is_the_same() {
    let world = World::new();
    let tls =
        |name: &str| crate::certificates::pem(name).to_str().expect("a path of ours is text").to_owned();
    let set = |key: &str, name: &str| format!("http.tls.{key}={}", tls(name));
    let arguments = [
        "--set",
        &set("certificate", "server.pem"),
        "--set",
        &set("key", "server.key.pem"),
        "--set",
        &set("client_ca", "ca.pem"),
    ];
    let all = world.up(&arguments);
    let up = crate::running::Running::start(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let port = up.address().port();
    let ask = |more: &[&str]| {
        let url = format!("https://localhost:{port}/healthz");
        let output = std::process::Command::new("curl")
            .args(["-sS", "--cacert", &tls("ca.pem"), &url])
            .args(more)
            .output()
            .expect("curl is there");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (client, key) = (tls("client.pem"), tls("client.key.pem"));
    assert_eq!(ask(&["--cert", &client, "--key", &key]), (true, "alive\n".to_owned()));
    assert!(!ask(&[]).0, "a client without a certificate");
    let (stranger, key) = (tls("stranger.pem"), tls("stranger.key.pem"));
    assert!(!ask(&["--cert", &stranger, "--key", &key]).0, "a client that nobody trusts");
    up.stop();
}
