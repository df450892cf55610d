//! How long an event takes to read: `cargo run --release -p contract --example parse_bench [FILE.ndjson]`.
//!
//! Prints nanoseconds an event for a bare `serde_json` parse into a borrowed struct of all fields, and beside it ours
//! from JSON and from protobuf, checks included. Without a file it makes 200,000 events of a fixed seed. Each figure
//! is the best of several passes, so that what else the machine does is left out.

use std::hint::black_box;
use std::time::Instant;

use contract::{Hashed, parse_json, parse_protobuf, write_json, write_protobuf};
use domain::event::{Attendance, Disposal, Event, Fact, Journey, JourneyName, Location, Statement};
use domain::ids::Ref;
use domain::time::{Millis, Second};
use rand::{Rng, SeedableRng};
use serde::Deserialize;

const EVENTS: u32 = 200_000;
const PASSES: u32 = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => made(),
    };
    let lines: Vec<&[u8]> =
        json.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
    let mut messages = Vec::new();
    let mut refused = 0;
    for line in &lines {
        let mut message = Vec::new();
        match parse_json(line, &Hashed) {
            Ok(event) => write_protobuf(&event, &mut message),
            Err(_) => refused += 1,
        }
        messages.push(message);
    }
    let bytes: usize = lines.iter().map(|line| line.len()).sum();
    let protobuf_bytes: usize = messages.iter().map(Vec::len).sum();
    let mean = |bytes: usize| bytes / lines.len().max(1);
    report(&format!("{} events, {refused} refused", lines.len()));
    report(&format!("bytes an event: JSON {}, protobuf {}", mean(bytes), mean(protobuf_bytes)));

    let bare = nanoseconds(&lines, |line| serde_json::from_slice::<BareEvent<'_>>(line).is_ok());
    let ours = nanoseconds(&lines, |line| parse_json(line, &Hashed).is_ok());
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let protobuf = nanoseconds(&messages, |message| parse_protobuf(message, &Hashed, &mut 0).is_ok());
    report(&format!("bare serde_json   {bare:7.1} ns an event"));
    report(&format!("parse_json        {ours:7.1} ns an event, {:.2} of bare", ours / bare));
    report(&format!("parse_protobuf    {protobuf:7.1} ns an event, {:.2} of bare", protobuf / bare));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
fn nanoseconds(inputs: &[&[u8]], parse: impl Fn(&[u8]) -> bool) -> f64 {
    let pass = || {
        let start = Instant::now();
        for input in inputs {
            black_box(parse(black_box(input)));
        }
        start.elapsed().as_nanos() as f64 / inputs.len().max(1) as f64
    };
    (0..PASSES).map(|_| pass()).fold(f64::INFINITY, f64::min)
}

/// Events as a feed sends them: each says one or two facts about an attendance or a journey.
fn made() -> Vec<u8> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut out = Vec::new();
    for index in 0..EVENTS {
        let at = Second(1_761_955_200 + index * 10);
        let site = format!("R{:02}{:02}", index % 97, index % 7);
        let statement = match rng.random_range(0..10) {
            0 => journey(&mut rng, site.clone(), at),
            choice => attendance(&mut rng, site.clone(), at, choice),
        };
        let event = Event {
            id: format!("{site}-{index:06}-3").into(),
            source: format!("{}.epr", site.to_lowercase()).into(),
            recorded_at: Millis((i64::from(at.0) + 129) * 1000),
            statement,
        };
        write_json(&event, &mut out);
        out.push(b'\n');
    }
    out
}

fn attendance(rng: &mut impl Rng, site: String, at: Second, choice: u32) -> Statement<'static> {
    let mut said = Attendance::new(site, Ref(rng.random()));
    match choice {
        1 | 2 => {
            said.arrived_at = Fact::Stated(at);
            said.child = Fact::Stated(rng.random());
            said.ambulance =
                Fact::Stated(JourneyName { service: "RRU".into(), reference: Ref(rng.random()) });
        }
        3 => said.assessed_at = Fact::Stated(at),
        4 => said.treated_at = Fact::Stated(at),
        5 => said.decided_to_admit_at = Fact::Stated(at),
        6 => said.location = Some(Location { area: Some("majors".into()), since: at }),
        _ => {
            said.departed_at = Fact::Stated(at);
            said.disposal = Fact::Stated(if choice == 7 { Disposal::Discharged } else { Disposal::Admitted });
        }
    }
    Statement::Attendance(said)
}

fn journey(rng: &mut impl Rng, site: String, at: Second) -> Statement<'static> {
    let mut said = Journey::new("RRU", Ref(rng.random()));
    said.destination = Fact::Stated(site.into());
    said.arrived_at = Fact::Stated(at);
    said.handed_over_at = Fact::Stated(Second(at.0 + 900));
    Statement::Ambulance(said)
}

/// Not `Cow`: within an `Option` serde would copy it.
type Text<'a> = Option<&'a str>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareEvent<'a> {
    id: &'a str,
    source: &'a str,
    recorded_at: &'a str,
    #[serde(borrow)]
    attendance: Option<BareAttendance<'a>>,
    #[serde(borrow)]
    ambulance: Option<BareJourney<'a>>,
    #[serde(borrow)]
    beds: Option<BareBeds<'a>>,
    #[serde(borrow)]
    standard: Option<BareReturn<'a>>,
    #[serde(borrow)]
    escalation: Option<BareEscalation<'a>>,
    heartbeat: Option<BareHeartbeat>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BareHeartbeat {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareAttendance<'a> {
    site: &'a str,
    r#ref: &'a str,
    department_type: Option<u8>,
    planned: Option<bool>,
    child: Option<bool>,
    acuity: Option<u8>,
    arrival_mode: Text<'a>,
    #[serde(borrow)]
    ambulance: Option<BareJourneyName<'a>>,
    arrived_at: Text<'a>,
    assessed_at: Text<'a>,
    treated_at: Text<'a>,
    referred_at: Text<'a>,
    decided_to_admit_at: Text<'a>,
    clock_stopped_at: Text<'a>,
    departed_at: Text<'a>,
    disposal: Text<'a>,
    #[serde(borrow)]
    location: Option<BareLocation<'a>>,
    void: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareJourneyName<'a> {
    service: &'a str,
    r#ref: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareLocation<'a> {
    area: Text<'a>,
    since: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareJourney<'a> {
    service: &'a str,
    r#ref: &'a str,
    category: Text<'a>,
    call_at: Text<'a>,
    clock_started_at: Text<'a>,
    responded_at: Text<'a>,
    destination: Text<'a>,
    arrived_at: Text<'a>,
    handed_over_at: Text<'a>,
    cleared_at: Text<'a>,
    void: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareBeds<'a> {
    site: &'a str,
    as_of: &'a str,
    open: Option<u32>,
    occupied: Option<u32>,
    escalation_open: Option<u32>,
    no_criteria_to_reside: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareReturn<'a> {
    standard: &'a str,
    org: &'a str,
    period_start: &'a str,
    met: Option<u64>,
    total: Option<u64>,
    count: Option<u64>,
    total_s: Option<u64>,
    p90_s: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are parsed, not used")]
struct BareEscalation<'a> {
    org: &'a str,
    scale: &'a str,
    since: &'a str,
    level: Option<u8>,
}
