//! MLLP: `0B` message `1C 0D`, over TCP or TLS. No length and no checksum: a frame is what stands between the two.
//!
//! Responsible for: cutting bytes into frames as they come ([`Decoder`], pure), and the listener that has each frame
//! judged, written to the log and acknowledged in order ([`server`]). What a message says is `hl7`'s business.

mod judged;
pub mod server;

#[cfg(test)]
mod tests;

use memchr::{memchr, memchr2};
use sha2::{Digest, Sha256};

const START: u8 = 0x0b;
const END: u8 = 0x1c;

/// What a decoder finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The bytes of a message.
    Whole(&'a [u8]),
    /// A frame that broke off: another began in its middle. Its bytes so far.
    Broken(&'a [u8]),
    /// A frame over the limit: its first bytes up to the limit, how long the whole was and its digest.
    TooLarge(&'a [u8], u64, [u8; 32]),
}

/// Cuts a stream into frames as its bytes come. A byte is looked at once, however the stream is divided, and a frame is
/// handed out where it lies. Bytes outside frames are passed over and counted, as are frames with nothing in them.
///
/// - A frame ends at `1C 0D`, also at a `1C` before `0B`: some senders leave the `0D` out.
/// - A `0B` before `MSH` within a frame begins a new one: a sender that broke off came back. Any other `0B` within a
///   frame is text: word processors have it as a line break.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Up to here the buffer was handed out or passed over; inside a frame, where the frame begins.
    done: usize,
    /// Up to here it was looked at.
    seen: usize,
    max: usize,
    inside: bool,
    /// Of a frame over the limit, of which the buffer holds the first `max` bytes.
    over: Option<Over>,
    skipped: u64,
}

#[derive(Debug)]
struct Over {
    length: u64,
    digest: Sha256,
}

/// What a byte that could end a frame is.
enum Mark {
    /// The frame's end, of so many bytes.
    End(usize),
    /// The beginning of another.
    Restart,
    /// More bytes must come before it can be said.
    Undecided,
    Text,
}

impl Decoder {
    /// Frames of at most `max` bytes.
    pub fn new(max: usize) -> Decoder {
        Decoder { buffer: Vec::new(), done: 0, seen: 0, max, inside: false, over: None, skipped: 0 }
    }

    /// Takes bytes and hands every frame that they complete to `each`.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        self.buffer().extend_from_slice(bytes);
        while let Some(frame) = self.next_frame() {
            each(frame);
        }
    }

    /// Where the next bytes are to be appended, without a copy between. What was handed out is forgotten.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.done);
        self.seen -= self.done;
        self.done = 0;
        &mut self.buffer
    }

    /// Whether a frame has begun that is not whole yet.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// Bytes that stood outside frames, and empty frames.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next whole frame in the buffer.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        loop {
            if !self.inside && !self.find_start() {
                return None;
            }
            let (end, mark) = self.find_mark();
            let Some((length, is_broken)) = mark else {
                self.wait_for_more(end);
                return None;
            };
            let (start, over) = (self.done, self.over.take());
            self.done = end + length;
            self.seen = self.done;
            self.inside = is_broken;
            let head = start..end.min(start + self.max);
            match over {
                Some(Over { length, mut digest }) => {
                    digest.update(&self.buffer[head.end..end]);
                    let length = length + (end - head.end) as u64;
                    return Some(Frame::TooLarge(&self.buffer[head], length, digest.finalize().into()));
                }
                None if end - start > self.max => {
                    let (length, digest) = ((end - start) as u64, Sha256::digest(&self.buffer[start..end]));
                    return Some(Frame::TooLarge(&self.buffer[head], length, digest.into()));
                }
                None if end > start && is_broken => return Some(Frame::Broken(&self.buffer[head])),
                None if end > start => return Some(Frame::Whole(&self.buffer[head])),
                // Nothing stood between two beginnings.
                None if is_broken => {}
                None => self.skipped += 1 + length as u64,
            }
        }
    }

    fn find_start(&mut self) -> bool {
        let found = memchr(START, &self.buffer[self.done..]);
        let passed = found.unwrap_or(self.buffer.len() - self.done);
        self.skipped += passed as u64;
        self.done += passed + usize::from(found.is_some());
        self.seen = self.done;
        self.inside = found.is_some();
        self.inside
    }

    /// Up to where the bytes belong to the frame, and what is there: how many bytes it takes, and whether it breaks the
    /// frame off.
    fn find_mark(&self) -> (usize, Option<(usize, bool)>) {
        let mut at = self.seen;
        while let Some(offset) = memchr2(START, END, &self.buffer[at..]) {
            at += offset;
            match mark(&self.buffer[at..]) {
                Mark::End(length) => return (at, Some((length, false))),
                Mark::Restart => return (at, Some((1, true))),
                Mark::Undecided => return (at, None),
                Mark::Text => at += 1,
            }
        }
        (self.buffer.len(), None)
    }

    /// The frame's bytes up to `end` were looked at. Of a frame over the limit only the first are kept.
    fn wait_for_more(&mut self, end: usize) {
        self.seen = end;
        let kept = self.done + self.max;
        if end <= kept && self.over.is_none() {
            return;
        }
        let over = self.over.get_or_insert_with(|| {
            let digest = Sha256::new_with_prefix(&self.buffer[self.done..kept]);
            Over { length: self.max as u64, digest }
        });
        over.digest.update(&self.buffer[kept..end]);
        over.length += (end - kept) as u64;
        self.buffer.drain(kept..end);
        self.seen = kept;
    }
}

fn mark(rest: &[u8]) -> Mark {
    match rest {
        [END, b'\r', ..] => Mark::End(2),
        [END, START, ..] => Mark::End(1),
        [END] => Mark::Undecided,
        [START, b'M', b'S', b'H', ..] => Mark::Restart,
        [START, after @ ..] if after.len() < 3 && b"MSH".starts_with(after) => Mark::Undecided,
        _ => Mark::Text,
    }
}
