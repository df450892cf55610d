//! A binary that runs until it is stopped: `sitrep up`, `sitrep board --store`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use acceptance::binary;
use acceptance::model::{Points, Reading, Series, put};
use acceptance::program::measures;
use domain::organisations::Organisations;
use domain::time::{Minute, Second};
use serde_json::Value as Json;

use crate::http::{self, Answer};
use crate::patience::{SOON, eventually};
use crate::process::Process;

/// A running process with a web server.
pub(crate) struct Running {
    process: Process,
    address: SocketAddr,
}

impl Running {
    /// Starts it on a free port and waits until it says where it listens.
    pub(crate) fn start(arguments: &[&str]) -> Running {
        Running::start_within(arguments, SOON)
    }

    /// As [`Running::start`], with a deadline.
    pub(crate) fn start_within(arguments: &[&str], within: Duration) -> Running {
        let mut all = arguments.to_vec();
        all.extend(["--set", "http.listen=127.0.0.1:0"]);
        // An empty variable is none.
        let no_secrets = [("SITREP_TOKEN", String::new()), ("SITREP_PSEUDONYM_KEY", String::new())];
        let mut process = Process::start("sitrep", binary::sitrep().as_os_str(), &all, &no_secrets);
        let address = eventually("it says where it listens", within, || {
            if let Some(status) = process.ended() {
                panic!("it ended by itself: {status}");
            }
            process.lines().iter().find_map(|line| listening(line)).ok_or("it has not said so".to_owned())
        });
        Running { process, address }
    }

    /// SIGTERM: it drains and ends by itself with exit code 0. Returns what it printed.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.process.signal("TERM");
        let status = self.process.wait(SOON);
        assert!(status.success(), "it was asked to stop and ended with {status}");
        self.process.lines()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        assert!(self.process.ended().is_none(), "it had ended by itself");
        self.process.kill();
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has printed so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// `GET`.
    pub(crate) fn get(&self, path: &str) -> Answer {
        http::ask(self.address, "GET", path, &[], b"").expect("it answers")
    }

    /// `GET` of JSON.
    pub(crate) fn json(&self, path: &str) -> Json {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// `POST /v1/events`; the status and the answer.
    pub(crate) fn post(&self, content_type: &str, body: &[u8]) -> (u16, Json) {
        self.post_with(&[format!("Content-Type: {content_type}")], body)
    }

    /// `POST /v1/events` with these header lines.
    pub(crate) fn post_with(&self, headers: &[String], body: &[u8]) -> (u16, Json) {
        let answer = http::ask(self.address, "POST", "/v1/events", headers, body).expect("it answers");
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Json::Null))
    }

    /// `POST` to any path.
    pub(crate) fn post_to(&self, path: &str, headers: &[String], body: &[u8]) -> Answer {
        http::ask(self.address, "POST", path, headers, body).expect("it answers")
    }

    /// Posts events that must all be taken.
    pub(crate) fn tell(&self, lines: &[String]) {
        let answer = self.post("application/x-ndjson", lines.join("\n").as_bytes());
        assert_eq!(answer, (200, serde_json::json!({"taken": lines.len(), "refused": []})));
    }

    /// Waits until `/readyz` says so.
    pub(crate) fn ready(&self) {
        eventually("it is ready", SOON, || {
            let answer = self.get("/readyz");
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        });
    }

    /// The sum of the series of a metric.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let series = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        let values = series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        values.reduce(|a, b| a + b).unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// One series of a metric.
    pub(crate) fn metric_of(&self, series: &str) -> u64 {
        let text = self.get("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no metric {series}"))
    }

    /// Every point that is not all zeros, of every minute of the last hours; and which minutes these are. `None` as
    /// long as the board shows nothing.
    pub(crate) fn points(&self, orgs: &Organisations) -> Option<(Minute, Minute, BTreeMap<Minute, Points>)> {
        let newest = self.json("/v1/measures?measure=ae_department&org=ENG");
        let range = (instant(&newest["from"])?, instant(&newest["until"])?);
        let mut points: BTreeMap<Minute, Points> = BTreeMap::new();
        for definition in measures().into_iter().map(|measure| measure.definition()) {
            let has = |org: &&str| {
                let org = orgs.get(orgs.find(org).expect("one of ours"));
                definition.measure.exists_at(org.level)
            };
            let codes: Vec<&str> = orgs.iter().map(|(_, org)| org.code.as_str()).filter(has).collect();
            let (name, codes) = (definition.name, codes.join(","));
            let (from, until) = (text(&newest["from"]), text(&newest["until"]));
            let path = format!("/v1/measures?measure={name}&org={codes}&from={from}&until={until}");
            for series in self.json(&path)["series"].as_array().expect("series") {
                let tag = |name: &str| series.get(name).map(text);
                let key =
                    Series::told(name, tag).unwrap_or_else(|| panic!("not a series of {name}: {series}"));
                for point in series["points"].as_array().expect("points") {
                    let numbers: Vec<f64> =
                        point.as_array().expect("numbers").iter().filter_map(Json::as_f64).collect();
                    assert_eq!(numbers.len(), definition.fields.len() + 1, "{path}");
                    let points = points.entry(Second(numbers[0] as u32).minute()).or_default();
                    for (field, number) in definition.fields.iter().zip(&numbers[1..]) {
                        put(points, text(&series["org"]), &key, field.name, *number);
                    }
                }
            }
        }
        Some((range.0, range.1, points))
    }

    /// Waits until every point of the last four hours is what the model says; returns the newest minute.
    pub(crate) fn equals(&self, reading: &Reading<'_>, orgs: &Organisations) -> Minute {
        eventually("every point is what the model says", SOON, || {
            let (from, until, held) = self.points(orgs).ok_or("the board shows nothing")?;
            let newest = (self.metric("sitrep_aggregate_newest_minute_timestamp_seconds") / 60) as u32;
            if until.0 != newest {
                return Err(format!("the board shows {until}, the aggregator is at {}", Minute(newest)));
            }
            for minute in (from.0..=until.0).rev().map(Minute) {
                let held = held.get(&minute).cloned().unwrap_or_default();
                let wanted = reading.points(minute);
                if let Some(key) =
                    held.keys().chain(wanted.keys()).find(|key| held.get(key) != wanted.get(key))
                {
                    let ((code, series), held, wanted) = (key, held.get(key), wanted.get(key));
                    return Err(format!("{minute} {code} {series:?}: shows {held:?}, not {wanted:?}"));
                }
            }
            Ok(until)
        })
    }
}

/// A text of an answer.
pub(crate) fn text(json: &Json) -> &str {
    json.as_str().expect("a text")
}

/// A minute of an answer; `None` where it is that of a board that knows none.
fn instant(json: &Json) -> Option<Minute> {
    let text = json.as_str()?;
    (!text.starts_with("1970-"))
        .then(|| domain::time::rfc3339(text.as_bytes()).expect("an instant").second().minute())
}

/// The address in the line that says where the board is.
fn listening(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("the board is at http://")?.split('/').next()?.parse().ok()
}
