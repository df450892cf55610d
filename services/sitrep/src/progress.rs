//! What is said to a person on the terminal: progress of long work, results, the last error. Standard error, so that
//! standard output holds data only.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use runtime::clock::Clock;

/// Says one line.
pub(crate) fn say(line: &str) {
    // Nobody can be told that standard error is closed.
    let _nobody = writeln!(std::io::stderr().lock(), "{line}");
}

/// Progress of long work: redrawn on a terminal, a line every ten seconds elsewhere.
pub(crate) struct Progress<'a> {
    clock: &'a dyn Clock,
    what: &'static str,
    began: Duration,
    told: Duration,
    terminal: bool,
}

impl<'a> Progress<'a> {
    /// Work that begins now.
    pub(crate) fn new(clock: &'a dyn Clock, what: &'static str) -> Progress<'a> {
        let now = clock.monotonic();
        Progress { clock, what, began: now, told: now, terminal: std::io::stderr().is_terminal() }
    }

    /// How far it is; `state` is asked only when something is said.
    pub(crate) fn at(&mut self, state: impl FnOnce() -> String) {
        let now = self.clock.monotonic();
        let pause = if self.terminal { Duration::from_millis(250) } else { Duration::from_secs(10) };
        if now - self.told < pause {
            return;
        }
        self.told = now;
        let seconds = (now - self.began).as_secs();
        let line = format!("{}: {} ({seconds} s)", self.what, state());
        if self.terminal {
            let _nobody = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
        } else {
            say(&line);
        }
    }

    /// It is done.
    pub(crate) fn done(&self, state: &str) {
        let seconds = (self.clock.monotonic() - self.began).as_secs_f64();
        let begin = if self.terminal { "\r\x1b[K" } else { "" };
        say(&format!("{begin}{}: {state} in {seconds:.1} s", self.what));
    }
}

/// A number with its thousands apart: 2,401,266.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (2_401_266, "2,401,266")] {
            assert_eq!(thousands(number), text);
        }
    }
}
