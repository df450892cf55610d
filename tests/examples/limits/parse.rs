//! The limit of reading: every line by serde_json into a struct of all fields, borrowed, unknown ones refused. Nothing
//! is checked beyond the JSON type: instants stay text.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;

use runtime::clock::{Clock, SystemClock};
use serde::Deserialize;

use crate::Outcome;
use crate::process::report;

/// Bytes read at once.
const BLOCK: usize = 1 << 20;

/// Every field of every kind of event (spec 1).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the limit is to fill the fields")]
pub(crate) struct Event<'a> {
    id: &'a str,
    source: &'a str,
    recorded_at: &'a str,
    #[serde(borrow)]
    pub(crate) attendance: Option<Attendance<'a>>,
    pub(crate) ambulance: Option<Journey<'a>>,
    pub(crate) beds: Option<Beds<'a>>,
    standard: Option<Return<'a>>,
    escalation: Option<Escalation<'a>>,
    heartbeat: Option<Heartbeat>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the limit is to fill the fields")]
pub(crate) struct Attendance<'a> {
    pub(crate) site: &'a str,
    r#ref: &'a str,
    department_type: Option<u8>,
    planned: Option<bool>,
    child: Option<bool>,
    acuity: Option<u8>,
    arrival_mode: Option<&'a str>,
    ambulance: Option<JourneyName<'a>>,
    arrived_at: Option<&'a str>,
    assessed_at: Option<&'a str>,
    treated_at: Option<&'a str>,
    referred_at: Option<&'a str>,
    decided_to_admit_at: Option<&'a str>,
    clock_stopped_at: Option<&'a str>,
    departed_at: Option<&'a str>,
    disposal: Option<&'a str>,
    location: Option<Location<'a>>,
    void: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the limit is to fill the fields")]
struct JourneyName<'a> {
    service: &'a str,
    r#ref: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the limit is to fill the fields")]
struct Location<'a> {
    area: Option<&'a str>,
    since: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the limit is to fill the fields")]
pub(crate) struct Journey<'a> {
    pub(crate) service: &'a str,
    r#ref: &'a str,
    category: Option<&'a str>,
    call_at: Option<&'a str>,
    clock_started_at: Option<&'a str>,
    responded_at: Option<&'a str>,
    destination: Option<&'a str>,
    arrived_at: Option<&'a str>,
    handed_over_at: Option<&'a str>,
    cleared_at: Option<&'a str>,
    void: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the limit is to fill the fields")]
pub(crate) struct Beds<'a> {
    pub(crate) site: &'a str,
    as_of: &'a str,
    open: Option<u32>,
    occupied: Option<u32>,
    escalation_open: Option<u32>,
    no_criteria_to_reside: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the limit is to fill the fields")]
struct Return<'a> {
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
#[expect(dead_code, reason = "the limit is to fill the fields")]
struct Escalation<'a> {
    org: &'a str,
    scale: &'a str,
    since: &'a str,
    level: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Heartbeat {}

/// Parses every line of a file.
pub(crate) fn run(file: &str) -> Outcome {
    let clock = SystemClock::new();
    let (mut count, mut bytes) = (0u64, 0u64);
    each_line(&mut File::open(file)?, &mut |line| {
        let event: Event<'_> = serde_json::from_slice(line)?;
        black_box(&event);
        count += 1;
        bytes += line.len() as u64;
        Ok(())
    })?;
    report("parse", count, bytes, clock.monotonic());
    Ok(())
}

/// Hands every line to `each`, read in blocks of 1 MiB; a line must fit into one.
pub(crate) fn each_line(input: &mut dyn Read, each: &mut dyn FnMut(&[u8]) -> Outcome) -> Outcome {
    let mut buffer = vec![0u8; 2 * BLOCK];
    let mut held = 0;
    loop {
        let read = input.read(&mut buffer[held..held + BLOCK])?;
        if read == 0 {
            return Ok(());
        }
        let filled = held + read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            each(&buffer[start..end])?;
            start = end + 1;
        }
        buffer.copy_within(start..filled, 0);
        held = filled - start;
        if held > BLOCK {
            return Err("a line is longer than 1 MiB".into());
        }
    }
}
