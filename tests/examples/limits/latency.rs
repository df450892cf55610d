//! How long from the answer to a POST until the embedded store holds the restated newest point: 100 arrivals a second for
//! 30 seconds to a running `sitrep up`, each of two minutes ago, so that the newest minute is restated.
//!
//! The arrivals go round sites that have no figures yet (with the demo: those that it leaves out), so that the nth of a
//! site is there when its newest minute says `arrived` = n over 24 hours.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use board::read::Reader;
use domain::measures::{Measure, Tag, TypeTag, Window};
use domain::organisations::Level;
use domain::time::{Millis, Second};
use runtime::clock::{Clock, SystemClock};

use crate::Outcome;

const EVENTS: usize = 3_000;
const INTERVAL: Duration = Duration::from_millis(10);
const SITES: usize = 100;
/// Connections that post in turn, so that one slow answer does not hold up the next event.
const POSTERS: usize = 4;
/// Between two looks at the store.
const LOOK: Duration = Duration::from_millis(3);
/// Nothing may take this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// An event that was answered: which, and when.
type Answered = (usize, Duration);

/// Posts, watches, prints the percentiles.
pub(crate) fn run(address: &str, dir: &str) -> Outcome {
    let clock = SystemClock::new();
    let mut reader = Reader::open(Path::new(dir))?;
    let sites = silent_sites(&mut reader)?;
    let (sender, answered) = mpsc::channel();
    let outcome = std::thread::scope(|scope| {
        let mut posters = Vec::new();
        for poster in 0..POSTERS {
            let (sites, sender) = (&sites, sender.clone());
            posters.push(scope.spawn(move || post(&clock, address, sites, poster, &sender)));
        }
        drop(sender);
        let delays = watch(&clock, &mut reader, &sites, &answered);
        let mut took = Vec::new();
        for poster in posters {
            took.extend(poster.join().map_err(|_| "a poster crashed")?.map_err(|error| error.to_string())?);
        }
        Ok::<_, Box<dyn std::error::Error>>((delays?, took))
    });
    let (delays, took) = outcome?;
    tell("post", took);
    tell("post_to_store", delays);
    Ok(())
}

/// Sites of which the store says nothing: their counts are ours alone.
fn silent_sites(reader: &mut Reader) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let orgs = contract::organisations::read_csv(include_bytes!("../../../config/organisations.csv"))?;
    let mut sites = Vec::new();
    for (_, org) in orgs.iter().filter(|(_, org)| org.level == Level::Site) {
        if sites.len() < SITES && count(reader, &org.code)? == 0 {
            sites.push(org.code.clone());
        }
    }
    if sites.len() < SITES {
        return Err(format!("only {} sites are without figures", sites.len()).into());
    }
    Ok(sites)
}

/// `arrived` of the last 24 hours as the site's newest minute has it.
fn count(reader: &mut Reader, site: &str) -> Result<i64, board::store::StoreError> {
    let series = reader.newest(site)?.map(|newest| newest.series).unwrap_or_default();
    let arrived = series.iter().find(|series| {
        series.key.measure == Measure::AeArrivals
            && series.key.tag == Tag::Type(TypeTag::All)
            && series.key.window == Window::parse("24h")
    });
    Ok(arrived.map_or(0, |series| series.values[0]))
}

/// Posts every [`POSTERS`]th event when it is due; returns how long the answers took.
fn post(
    clock: &SystemClock,
    address: &str,
    sites: &[String],
    poster: usize,
    answered: &Sender<Answered>,
) -> std::io::Result<Vec<Duration>> {
    let mut connection = BufReader::new(TcpStream::connect(address)?);
    connection.get_ref().set_nodelay(true)?;
    let (_never, pause) = mpsc::channel::<()>();
    let mut took = Vec::new();
    for number in (poster..EVENTS).step_by(POSTERS) {
        let due = INTERVAL * number as u32;
        // A time-out is the only end of this wait.
        let _ = pause.recv_timeout(due.saturating_sub(clock.monotonic()));
        let body = arrival(clock.now_ms(), &sites[number % sites.len()], number);
        let sent = clock.monotonic();
        write!(
            connection.get_mut(),
            "POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        read_answer(&mut connection)?;
        let now = clock.monotonic();
        took.push(now - sent);
        // The watcher has gone only if it failed, and then it says so.
        let _ = answered.send((number, now));
    }
    Ok(took)
}

fn arrival(now_ms: i64, site: &str, number: usize) -> String {
    let recorded_at = Millis(now_ms).second();
    let arrived_at = Second(recorded_at.0 - 120);
    format!(
        r#"{{"id":"latency-{now_ms}-{number}","source":"limits.epr","recorded_at":"{recorded_at}","attendance":{{"site":"{site}","ref":"{now_ms:024x}{number:08x}","arrived_at":"{arrived_at}"}}}}"#
    )
}

/// Reads an answer to its end; anything but 200 or 202 is an error.
fn read_answer(connection: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let (mut status, mut length, mut line) = (String::new(), 0usize, String::new());
    connection.read_line(&mut status)?;
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    let taken = ["200", "202"].iter().any(|code| status.split(' ').nth(1) == Some(code));
    if taken && !body.contains("\"refused\":1") {
        return Ok(());
    }
    Err(std::io::Error::other(format!("{} {body}", status.trim())))
}

/// Looks at the store until it holds every event that was answered; returns how long each took.
fn watch(
    clock: &SystemClock,
    reader: &mut Reader,
    sites: &[String],
    answered: &Receiver<Answered>,
) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    // For each site when its events were answered, the oldest first, and how many the store has shown.
    let mut waiting: Vec<VecDeque<Duration>> = vec![VecDeque::new(); sites.len()];
    let mut seen = vec![0i64; sites.len()];
    let (mut delays, mut posting) = (Vec::new(), true);
    while posting || waiting.iter().any(|one| !one.is_empty()) {
        match answered.recv_timeout(LOOK) {
            Ok((number, at)) => waiting[number % sites.len()].push_back(at),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => posting = false,
        }
        waiting_more(answered, &mut waiting, sites.len());
        for (site, waiting) in waiting.iter_mut().enumerate().filter(|(_, waiting)| !waiting.is_empty()) {
            let shown = count(reader, &sites[site])?;
            let now = clock.monotonic();
            while seen[site] < shown {
                let Some(at) = waiting.pop_front() else { break };
                seen[site] += 1;
                delays.push(now.saturating_sub(at));
            }
            if waiting.front().is_some_and(|at| now.saturating_sub(*at) > PATIENCE) {
                return Err(format!("{} does not show an event that was answered", sites[site]).into());
            }
        }
    }
    Ok(delays)
}

fn waiting_more(answered: &Receiver<Answered>, waiting: &mut [VecDeque<Duration>], sites: usize) {
    for (number, at) in answered.try_iter() {
        waiting[number % sites].push_back(at);
    }
}

fn tell(what: &str, mut all: Vec<Duration>) {
    all.sort();
    let at = |share: f64| {
        let rank = (share * all.len() as f64).ceil() as usize;
        all.get(rank.saturating_sub(1)).map_or(f64::NAN, |one| one.as_secs_f64() * 1e3)
    };
    println!(
        "{what} count={} p50_ms={:.1} p90_ms={:.1} p99_ms={:.1} max_ms={:.1}",
        all.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}
