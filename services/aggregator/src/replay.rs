//! Reading a file of events (NDJSON): line by line, nothing copied that is not kept, every line with one outcome.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use contract::{Hashed, MAX_EVENT_BYTES, Refused, parse_json};
use domain::event::{Event, Outcome};
use domain::replay::Replay;
use self_cell::self_cell;

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
/// Events that the ledger is told of at once, before they are taken: enough that their waits for memory overlap, few
/// enough that the first are still in the processor's caches.
pub(crate) const TOGETHER: usize = 32;

/// Lines that go from the thread that parses to the ledger's at once, and how many such batches may wait for it.
const HANDED_OVER: usize = 1_024;
const BATCHES_WAITING: usize = 8;

/// Reads every event of `input` into the replay. `refused` is told each line that was refused, `progress` the bytes
/// read so far, after each block. With two `threads` or more, one reads and parses beside this one.
pub fn read_events(
    input: &mut (dyn Read + Send),
    threads: usize,
    replay: &mut Replay,
    refused: &mut dyn FnMut(RefusedLine<'_>),
    progress: &mut dyn FnMut(u64),
) -> io::Result<ReadReport> {
    let mut taking = Taking { replay, refused, report: ReadReport::default() };
    if threads > 1 {
        read_beside(input, &mut taking, progress)?;
    } else {
        each_block(input, progress, &mut |lines| {
            for lines in lines.chunks(TOGETHER) {
                let events: Events<'_> = lines.iter().map(|(_, line)| parse(*line)).collect();
                taking.take(lines.iter().map(|(number, _)| *number), &events);
            }
        })?;
    }
    Ok(taking.report)
}

type Events<'a> = Vec<Result<Event<'a>, Refused>>;

/// Where events go.
struct Taking<'a> {
    replay: &'a mut Replay,
    refused: &'a mut dyn FnMut(RefusedLine<'_>),
    report: ReadReport,
}

impl Taking<'_> {
    /// Takes some dozens of events with the numbers of their lines.
    fn take(&mut self, numbers: impl Iterator<Item = u64>, events: &[Result<Event<'_>, Refused>]) {
        self.replay.expect(events.iter().flatten());
        for (line, event) in numbers.zip(events) {
            let (outcome, detail) = match event {
                Ok(event) => self.replay.take(event),
                Err(error) => (error.outcome, &*error.detail),
            };
            if outcome.is_refused() {
                (self.refused)(RefusedLine { line, outcome, detail });
            }
            self.report.count(outcome);
        }
    }
}

/// Lines, copied from the reader's buffer: for each its number and its bytes, none if it is too long.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    lines: Vec<(u64, Option<std::ops::Range<usize>>)>,
}

self_cell!(
    /// Lines with the events that they are.
    struct Parsed {
        owner: Lines,
        #[covariant]
        dependent: Events,
    }
);

impl Lines {
    fn copied(lines: &[NumberedLine<'_>]) -> Lines {
        let mut copied = Lines::default();
        for (number, line) in lines {
            let bytes = match line {
                Line::TooLong => None,
                Line::Whole(line) => {
                    let start = copied.bytes.len();
                    copied.bytes.extend_from_slice(line);
                    Some(start..copied.bytes.len())
                }
            };
            copied.lines.push((*number, bytes));
        }
        copied
    }

    fn parse(&self) -> Events<'_> {
        let line = |bytes: &Option<std::ops::Range<usize>>| match bytes {
            None => Line::TooLong,
            Some(range) => Line::Whole(&self.bytes[range.clone()]),
        };
        self.lines.iter().map(|(_, bytes)| parse(line(bytes))).collect()
    }
}

/// Reads and parses on another thread, in the same order.
fn read_beside(
    input: &mut (dyn Read + Send),
    taking: &mut Taking<'_>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let (sender, batches) = mpsc::sync_channel(BATCHES_WAITING);
    let read = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new().name("parse".into()).spawn_scoped(scope, || {
            each_block(input, &mut |bytes| read.store(bytes, Ordering::Relaxed), &mut |lines| {
                for lines in lines.chunks(HANDED_OVER) {
                    // Nobody takes them only after a panic, which is told when the threads are joined.
                    let _ended = sender.send(Parsed::new(Lines::copied(lines), Lines::parse));
                }
            })?;
            drop(sender);
            Ok(())
        })?;
        for batch in batches {
            batch.with_dependent(|lines, events| {
                for (lines, events) in lines.lines.chunks(TOGETHER).zip(events.chunks(TOGETHER)) {
                    taking.take(lines.iter().map(|(number, _)| *number), events);
                }
            });
            progress(read.load(Ordering::Relaxed));
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A line that is not blank.
#[derive(Clone, Copy)]
enum Line<'a> {
    Whole(&'a [u8]),
    TooLong,
}

/// A line with its number, from 1.
type NumberedLine<'a> = (u64, Line<'a>);

fn parse(line: Line<'_>) -> Result<Event<'_>, Refused> {
    match line {
        Line::Whole(line) => parse_json(line, &Hashed),
        Line::TooLong => Err(Refused {
            outcome: Outcome::TooLarge,
            detail: "the line is longer than 65,536 bytes".to_owned(),
        }),
    }
}

/// Hands the lines of each block that are not blank to `each` with their numbers; the last one may lack its newline.
fn each_block(
    input: &mut dyn Read,
    progress: &mut dyn FnMut(u64),
    each: &mut dyn FnMut(&[NumberedLine<'_>]),
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
        let (mut start, mut lines) = (0, Vec::new());
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            if !std::mem::take(&mut skipping) {
                number += 1;
                lines.extend(line(number, &buffer[start..end]));
            }
            start = end + 1;
        }
        if read == 0 {
            if !skipping {
                lines.extend(line(number + 1, &buffer[start..filled]));
            }
            each(&lines);
            return Ok(());
        }
        if !skipping && filled - start > MAX_EVENT_BYTES + 1 {
            number += 1;
            lines.push((number, Line::TooLong));
            skipping = true;
        }
        each(&lines);
        progress(total);
        if skipping {
            held = 0;
            continue;
        }
        buffer.copy_within(start..filled, 0);
        held = filled - start;
    }
}

fn line(number: u64, line: &[u8]) -> Option<NumberedLine<'_>> {
    let line = line.trim_ascii();
    let whole = if line.len() > MAX_EVENT_BYTES { Line::TooLong } else { Line::Whole(line) };
    (!line.is_empty()).then_some((number, whole))
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
        each_block(&mut Dribble(text, at_a_time), &mut |_| {}, &mut |lines| {
            found.extend(lines.iter().map(|(number, line)| match line {
                Line::Whole(line) => (*number, Some(line.len())),
                Line::TooLong => (*number, None),
            }));
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
