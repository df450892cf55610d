//! The real binary: one service of it as a process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use crate::http;
use crate::patience::{SOON, eventually};
use crate::process::Process;
use crate::servers::INFLUX_TOKEN;

/// The binary: `SITREP_BIN`, or what `cargo build --release -p sitrep` leaves in the target folder.
pub(crate) fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SITREP_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().expect("this test is a file");
    let folder = test.parent().and_then(Path::parent).expect("target/release/deps");
    folder.join("sitrep")
}

/// A running service.
pub(crate) struct Service {
    name: String,
    process: Process,
    address: Option<SocketAddr>,
}

impl Service {
    /// Starts `sitrep` with these arguments; it listens on a port that the kernel chooses.
    pub(crate) fn start(name: &str, arguments: &[String]) -> Service {
        let environment = [("SITREP_INFLUX_TOKEN", INFLUX_TOKEN.to_owned())];
        let process = Process::start(name, binary().as_os_str(), arguments, &environment);
        Service { name: name.to_owned(), process, address: None }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.must_run();
        self.process.kill();
    }

    /// SIGTERM: it drains and ends by itself with exit code 0.
    pub(crate) fn stop(mut self) {
        self.must_run();
        self.process.signal("TERM");
        let status = self.process.wait(SOON);
        assert!(status.success(), "{} was asked to stop and ended with {status}", self.name);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// Panics if it has ended.
    pub(crate) fn must_run(&mut self) {
        if let Some(status) = self.process.ended() {
            panic!("{} ended by itself: {status}", self.name);
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, within: Duration) -> std::process::ExitStatus {
        self.process.wait(within)
    }

    /// What it logged.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// How often it logged a text.
    pub(crate) fn said(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Where it listens.
    pub(crate) fn address(&mut self) -> SocketAddr {
        if let Some(address) = self.address {
            return address;
        }
        let what = format!("{} listens", self.name);
        let address = eventually(&what, SOON, || {
            self.must_run();
            self.process
                .lines()
                .iter()
                .find_map(|line| listening(line))
                .ok_or("it has not said so".to_owned())
        });
        *self.address.insert(address)
    }

    /// Asks its web server.
    pub(crate) fn get(&mut self, path: &str) -> Result<http::Answer, String> {
        let address = self.address();
        http::get(address, path, &[])
    }

    /// What `/readyz` says; `None` when it is ready.
    pub(crate) fn waits_for(&mut self) -> Result<Option<String>, String> {
        let answer = self.get("/readyz")?;
        match answer.status {
            200 => Ok(None),
            503 => Ok(Some(answer.text())),
            status => panic!("/readyz of {} says {status}", self.name),
        }
    }

    /// Waits until it is ready.
    pub(crate) fn ready(&mut self) {
        let what = format!("{} is ready", self.name);
        eventually(&what, SOON, || {
            self.must_run();
            self.waits_for()?.map_or(Ok(()), Err)
        });
    }

    /// The sum of a metric's series of which the text begins so.
    pub(crate) fn metric(&mut self, beginning: &str) -> Result<f64, String> {
        let text = self.get("/metrics")?.text();
        let lines = text.lines().filter(|line| line.starts_with(beginning));
        let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        values.reduce(|a, b| a + b).ok_or(format!("no metric {beginning}"))
    }
}

/// The address in the line of a service that says where it listens.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: Json = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    (fields.get("message")?.as_str()? == "listening").then_some(())?;
    fields.get("address")?.as_str()?.parse().ok()
}
