//! Child processes that end with their owner: also when a test panics, and when the test itself is killed.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::patience::eventually;

/// How many lines of a process that ran when the test failed are shown.
const SHOWN: usize = 40;

/// A process of ours. Killed when it is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts a program; what it prints is kept.
    pub(crate) fn start<S: AsRef<OsStr>>(
        name: &str,
        program: &OsStr,
        arguments: &[S],
        environment: &[(&str, String)],
    ) -> Process {
        // setpriv becomes the program, which the kernel then kills when we are gone: there is no other way to keep a
        // promise after SIGKILL.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take().expect("it is piped"), &lines);
        keep(child.stderr.take().expect("it is piped"), &lines);
        Process { name: name.to_owned(), child, lines }
    }

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Sends a signal, such as STOP.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} does not take signal {signal}", self.name);
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        let name = self.name.clone();
        eventually(&format!("{name} ends"), within, || self.ended().ok_or("it runs".to_owned()))
    }

    /// What it has printed so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn keep(output: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = lines.clone();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "what the processes of a failed test said is what is needed")]
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let lines = self.lines();
            eprintln!("--- {} (the last of {} lines)", self.name, lines.len());
            lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|line| eprintln!("{line}"));
        }
    }
}
