//! Reading a file of events (NDJSON): line by line, nothing copied that is not kept, every line with one outcome.

use std::io::{self, Read};

use contract::{Hashed, MAX_EVENT_BYTES, parse_json};
use domain::event::Outcome;
use domain::replay::Replay;

/// What became of the lines of a file. `accepted + duplicate + refused = read`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Lines that are not blank.
    pub read: u64,
    counts: [u64; Outcome::ALL.len()],
}

impl ReadReport {
    /// How many had that outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.read - self.of(Outcome::Accepted) - self.of(Outcome::Duplicate)
    }

    fn count(&mut self, outcome: Outcome) {
        self.read += 1;
        self.counts[outcome as usize] += 1;
    }
}

/// A line that was refused, as it is told: never with a value of the event.
#[derive(Clone, Copy, Debug)]
pub struct RefusedLine<'a> {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub outcome: Outcome,
    /// What is wrong, where, what would be right.
    pub detail: &'a str,
}

/// Bytes read at once.
const BLOCK: usize = 1 << 20;

/// Reads every event of `input` into the replay. `refused` is told each line that was refused, `progress` the bytes
/// read so far, after each block.
pub fn read_events(
    input: &mut dyn Read,
    replay: &mut Replay,
    refused: &mut dyn FnMut(RefusedLine<'_>),
    progress: &mut dyn FnMut(u64),
) -> io::Result<ReadReport> {
    let mut report = ReadReport::default();
    each_line(input, progress, &mut |number, line| {
        let outcome = match line {
            Line::Whole(line) => match parse_json(line, &Hashed) {
                Ok(event) => {
                    let (outcome, detail) = replay.take(&event);
                    if outcome.is_refused() {
                        refused(RefusedLine { line: number, outcome, detail });
                    }
                    outcome
                }
                Err(error) => {
                    refused(RefusedLine { line: number, outcome: error.outcome, detail: &error.detail });
                    error.outcome
                }
            },
            Line::TooLong => {
                let detail = "the line is longer than 65,536 bytes";
                refused(RefusedLine { line: number, outcome: Outcome::TooLarge, detail });
                Outcome::TooLarge
            }
        };
        report.count(outcome);
    })?;
    Ok(report)
}

/// A line that is not blank.
enum Line<'a> {
    Whole(&'a [u8]),
    TooLong,
}

/// Hands every line that is not blank to `each` with its number; the last one may lack its newline.
fn each_line(
    input: &mut dyn Read,
    progress: &mut dyn FnMut(u64),
    each: &mut dyn FnMut(u64, Line<'_>),
) -> io::Result<()> {
    let mut buffer = vec![0u8; BLOCK + MAX_EVENT_BYTES + 2];
    let (mut held, mut total, mut number) = (0, 0u64, 0u64);
    let mut skipping = false;
    loop {
        let read = match input.read(&mut buffer[held..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += read as u64;
        let filled = held + read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            if !std::mem::take(&mut skipping) {
                number += 1;
                tell(number, &buffer[start..end], each);
            }
            start = end + 1;
        }
        if read == 0 {
            if !skipping && start < filled {
                tell(number + 1, &buffer[start..filled], each);
            }
            return Ok(());
        }
        progress(total);
        if skipping {
            held = 0;
            continue;
        }
        if filled - start > MAX_EVENT_BYTES + 1 {
            number += 1;
            each(number, Line::TooLong);
            (skipping, held) = (true, 0);
            continue;
        }
        buffer.copy_within(start..filled, 0);
        held = filled - start;
    }
}

fn tell(number: u64, line: &[u8], each: &mut dyn FnMut(u64, Line<'_>)) {
    let line = line.trim_ascii();
    if line.is_empty() {
        return;
    }
    each(number, if line.len() > MAX_EVENT_BYTES { Line::TooLong } else { Line::Whole(line) });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn lines(text: &[u8], at_a_time: usize) -> Vec<(u64, Option<usize>)> {
        let mut found = Vec::new();
        each_line(&mut Dribble(text, at_a_time), &mut |_| {}, &mut |number, line| {
            found.push((
                number,
                match line {
                    Line::Whole(line) => Some(line.len()),
                    Line::TooLong => None,
                },
            ));
        })
        .unwrap();
        found
    }

    #[test]
    fn lines_are_found_however_the_bytes_come() {
        let long = "x".repeat(3 << 20);
        let text =
            format!("a\n\n  \r\nbb\r\n{}\n{long}\nccc\n{}\nlast", "y".repeat(65_536), "z".repeat(65_537));
        let expected =
            [(1, Some(1)), (4, Some(2)), (5, Some(65_536)), (6, None), (7, Some(3)), (8, None), (9, Some(4))];
        for at_a_time in [1 << 22, 100_000, 4_096, 7] {
            assert_eq!(lines(text.as_bytes(), at_a_time), expected, "{at_a_time} at a time");
        }
        assert_eq!(lines(b"", 10), []);
        assert_eq!(lines(b"\n\n", 10), []);
    }
}
