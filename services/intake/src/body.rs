//! The body of a post, taken apart into events while it comes, without reading them: what is held is the piece of one
//! event that has not ended, never the body.

use std::fmt;
use std::io::Write;

use contract::MAX_EVENT_BYTES;
use flate2::write::MultiGzDecoder;
use memchr::{memchr, memchr_iter, memchr2, memrchr};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Packed bytes are unpacked this many at a time: gzip makes at most about a thousand of one.
const PACKED_STEP: usize = 512;

/// Why a body cannot be taken apart; nothing of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It says that it is gzip and is not.
    #[error("the body is not whole gzip, as its content-encoding says")]
    NotGzip,
    /// It is neither a JSON object nor an array, or ends too early.
    #[error(
        "the body is not one JSON event or an array of them; for one event a line send application/x-ndjson"
    )]
    NotJson,
    /// Its one event is no JSON there.
    #[error("the body is not JSON at {0}")]
    Broken(Position),
    /// Its one event has bytes there that are no UTF-8.
    #[error("the body is not UTF-8 at {0}")]
    NotUtf8(Position),
    /// It is larger than it may be, unpacked.
    #[error("the body has more than {0} bytes after unpacking; send it in parts")]
    TooLarge(usize),
    /// It has more events than one post may have.
    #[error("the body has more than {0} events; send it in parts")]
    TooMany(usize),
}

/// A place in a body, from 1; columns are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    line: usize,
    column: usize,
}

impl Position {
    const START: Position = Position { line: 1, column: 1 };

    /// The place that is this one for a text that begins here.
    fn then(self, inside: Position) -> Position {
        let column = if inside.line == 1 { self.column + inside.column - 1 } else { inside.column };
        Position { line: self.line + inside.line - 1, column }
    }

    /// After these bytes.
    fn after(bytes: &[u8]) -> Position {
        let line = 1 + memchr_iter(b'\n', bytes).count();
        Position { line, column: bytes.len() - memrchr(b'\n', bytes).map_or(0, |at| at + 1) + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// How the events of a body are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One event, or an array of events.
    Json,
    /// One object.
    One,
    /// One event a line.
    Lines,
}

impl Form {
    /// The form that a content type names. Anything but NDJSON is read as JSON, whatever it calls itself.
    pub(crate) fn of(content_type: Option<&str>) -> Form {
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-ndjson") { Form::Lines } else { Form::Json }
    }
}

/// The bytes of one event. Of one over 64 KiB only the first 64 KiB are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The bytes, or the first of them.
    pub(crate) bytes: &'a [u8],
    /// Where they are only the first: how many the whole had, and its SHA-256.
    pub(crate) cut: Option<(u64, [u8; 32])>,
    /// Where it begins, if it is the one event of its body.
    pub(crate) alone: Option<Position>,
}

impl<'a> Piece<'a> {
    /// A whole event, wherever it comes from.
    pub(crate) fn whole(bytes: &'a [u8]) -> Piece<'a> {
        Piece { bytes, cut: None, alone: None }
    }

    /// Why it is not one JSON value, if so. Of one that was cut off nobody knows.
    pub(crate) fn fault(&self) -> Option<BodyError> {
        if self.cut.is_some() || is_json(self.bytes) {
            return None;
        }
        Some(self.alone.map_or(BodyError::NotJson, |start| broken(self.bytes, start)))
    }
}

/// Where bytes that begin there are no JSON.
fn broken(bytes: &[u8], start: Position) -> BodyError {
    if let Err(error) = str::from_utf8(bytes) {
        return BodyError::NotUtf8(start.then(Position::after(&bytes[..error.valid_up_to()])));
    }
    match serde_json::from_slice::<&RawValue>(bytes) {
        Ok(_) => BodyError::NotJson,
        Err(error) => {
            BodyError::Broken(start.then(Position { line: error.line(), column: error.column().max(1) }))
        }
    }
}

/// What is done with each event.
pub(crate) trait Each<E: From<BodyError>>: FnMut(Piece<'_>) -> Result<(), E> {}
impl<E: From<BodyError>, F: FnMut(Piece<'_>) -> Result<(), E>> Each<E> for F {}

/// Unpacks and takes apart a body that comes in chunks.
pub(crate) struct Body {
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    cutter: Cutter,
    bytes: usize,
    bytes_max: usize,
}

impl Body {
    /// `bytes_max`: of the body, packed and unpacked; `events_max`: of the events in it.
    pub(crate) fn new(form: Form, packed: bool, bytes_max: usize, events_max: usize) -> Body {
        let gzip = packed.then(|| MultiGzDecoder::new(Vec::new()));
        Body { gzip, cutter: Cutter::new(form, events_max), bytes: 0, bytes_max }
    }

    /// Takes a chunk; hands every event that ends in it to `each`.
    pub(crate) fn push<E: From<BodyError>>(
        &mut self,
        chunk: &[u8],
        each: &mut impl Each<E>,
    ) -> Result<(), E> {
        let Some(gzip) = &mut self.gzip else {
            self.bytes = self.bytes.saturating_add(chunk.len());
            if self.bytes > self.bytes_max {
                return Err(BodyError::TooLarge(self.bytes_max).into());
            }
            return self.cutter.push(chunk, each);
        };
        for step in chunk.chunks(PACKED_STEP) {
            gzip.write_all(step).map_err(|_| BodyError::NotGzip)?;
            unpacked(gzip.get_mut(), &mut self.bytes, self.bytes_max, &mut self.cutter, each)?;
        }
        Ok(())
    }

    /// The body has ended.
    pub(crate) fn finish<E: From<BodyError>>(mut self, each: &mut impl Each<E>) -> Result<(), E> {
        if let Some(gzip) = &mut self.gzip {
            gzip.try_finish().map_err(|_| BodyError::NotGzip)?;
            unpacked(gzip.get_mut(), &mut self.bytes, self.bytes_max, &mut self.cutter, each)?;
        }
        self.cutter.finish(each)
    }
}

/// A body that must be held whole: a FHIR Bundle.
pub(crate) struct Whole {
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    bytes: Vec<u8>,
    max: usize,
}

impl Whole {
    pub(crate) fn new(packed: bool, max: usize) -> Whole {
        Whole { gzip: packed.then(|| MultiGzDecoder::new(Vec::new())), bytes: Vec::new(), max }
    }

    /// Takes a chunk; how many bytes are held more than before.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<usize, BodyError> {
        let before = self.bytes.len();
        match &mut self.gzip {
            None => self.bytes.extend_from_slice(chunk),
            Some(gzip) => {
                for step in chunk.chunks(PACKED_STEP) {
                    gzip.write_all(step).map_err(|_| BodyError::NotGzip)?;
                    self.bytes.append(gzip.get_mut());
                    if self.bytes.len() > self.max {
                        return Err(BodyError::TooLarge(self.max));
                    }
                }
            }
        }
        if self.bytes.len() > self.max {
            Err(BodyError::TooLarge(self.max))
        } else {
            Ok(self.bytes.len() - before)
        }
    }

    /// The body has ended: its bytes.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, BodyError> {
        if let Some(gzip) = &mut self.gzip {
            gzip.try_finish().map_err(|_| BodyError::NotGzip)?;
            self.bytes.append(gzip.get_mut());
        }
        if self.bytes.len() > self.max { Err(BodyError::TooLarge(self.max)) } else { Ok(self.bytes) }
    }
}

fn unpacked<E: From<BodyError>>(
    out: &mut Vec<u8>,
    bytes: &mut usize,
    bytes_max: usize,
    cutter: &mut Cutter,
    each: &mut impl Each<E>,
) -> Result<(), E> {
    *bytes = bytes.saturating_add(out.len());
    if *bytes > bytes_max {
        return Err(BodyError::TooLarge(bytes_max).into());
    }
    cutter.push(out, each)?;
    out.clear();
    out.shrink_to(MAX_EVENT_BYTES);
    Ok(())
}

/// Finds where events begin and end.
struct Cutter {
    form: Form,
    state: State,
    held: Held,
    /// Where the next byte stands, before the first event; where the body's one event begins, after.
    start: Position,
    /// A carriage return comes after what is held, if the line goes on.
    returned: bool,
    events: usize,
    events_max: usize,
}

/// Where in the JSON the next byte stands. Whether what stands between the ends of a value is JSON is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte.
    Start,
    /// After `[`: a value or `]`.
    First,
    /// After `,`: a value.
    Next,
    /// In a value: how deep, whether in a string, whether after a backslash in it; `alone`: it is no element.
    Value { depth: usize, text: bool, escaped: bool, alone: bool },
    /// In a number or a word.
    Word,
    /// After a value: `,` or `]`.
    After,
    /// Only white space may follow.
    End,
}

impl Cutter {
    fn new(form: Form, events_max: usize) -> Cutter {
        let (state, start) = (State::Start, Position::START);
        Cutter { form, state, start, held: Held::default(), returned: false, events: 0, events_max }
    }

    fn push<E: From<BodyError>>(&mut self, chunk: &[u8], each: &mut impl Each<E>) -> Result<(), E> {
        match self.form {
            Form::Lines => self.push_lines(chunk, each),
            Form::Json | Form::One => self.push_json(chunk, each),
        }
    }

    fn finish<E: From<BodyError>>(mut self, each: &mut impl Each<E>) -> Result<(), E> {
        match (self.form, self.state) {
            (Form::Lines, _) => self.end(b"", None, each),
            (Form::Json | Form::One, State::End) => Ok(()),
            (Form::Json | Form::One, State::Value { alone: true, .. }) if self.held.large.is_none() => {
                Err(broken(&self.held.first, self.start).into())
            }
            (Form::Json | Form::One, _) => Err(BodyError::NotJson.into()),
        }
    }

    /// NDJSON is cut at its line ends and not looked into; blank lines are no events.
    fn push_lines<E: From<BodyError>>(&mut self, chunk: &[u8], each: &mut impl Each<E>) -> Result<(), E> {
        let mut rest = chunk;
        while let Some(at) = memchr(b'\n', rest) {
            self.end(&rest[..at], None, each)?;
            rest = &rest[at + 1..];
        }
        self.hold(rest);
        Ok(())
    }

    fn hold(&mut self, bytes: &[u8]) {
        let is_start = self.form == Form::Lines && self.held.is_empty();
        let bytes = if is_start { bytes.trim_ascii_start() } else { bytes };
        if bytes.is_empty() {
            return;
        }
        // A carriage return may belong to the line's end.
        let line = if self.form == Form::Lines { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes };
        if std::mem::replace(&mut self.returned, line.len() < bytes.len()) {
            self.held.add(b"\r");
        }
        self.held.add(line);
    }

    fn push_json<E: From<BodyError>>(&mut self, chunk: &[u8], each: &mut impl Each<E>) -> Result<(), E> {
        // Where the value that is under way begins in this chunk.
        let (mut from, mut at) = (0, 0);
        while at < chunk.len() {
            let byte = chunk[at];
            match self.state {
                State::Value { depth, text, escaped, alone } => {
                    let inside = Inside { depth, text, escaped };
                    let (after, inside) = inside.go(&chunk[at..]);
                    at += after;
                    match inside {
                        Some(Inside { depth, text, escaped }) => {
                            self.state = State::Value { depth, text, escaped, alone };
                        }
                        None => {
                            self.state = if alone { State::End } else { State::After };
                            self.end(&chunk[from..at], alone.then_some(self.start), each)?;
                        }
                    }
                    continue;
                }
                State::Word if !matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r') => {}
                State::Word => {
                    self.state = State::After;
                    self.end(&chunk[from..at], None, each)?;
                    continue;
                }
                State::Start if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => {
                    self.start = self.start.then(Position::after(&[byte]));
                }
                _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => {}
                State::Start => match byte {
                    b'[' if self.form == Form::Json => self.state = State::First,
                    b'{' => {
                        from = at;
                        self.state = State::Value { depth: 0, text: false, escaped: false, alone: true };
                        continue;
                    }
                    _ => return Err(BodyError::NotJson.into()),
                },
                State::First if byte == b']' => self.state = State::End,
                State::First | State::Next => {
                    from = at;
                    self.state = match byte {
                        b'{' | b'[' | b'"' => {
                            State::Value { depth: 0, text: false, escaped: false, alone: false }
                        }
                        b',' | b']' | b'}' => return Err(BodyError::NotJson.into()),
                        _ => State::Word,
                    };
                    continue;
                }
                State::After => match byte {
                    b',' => self.state = State::Next,
                    b']' => self.state = State::End,
                    _ => return Err(BodyError::NotJson.into()),
                },
                State::End => return Err(BodyError::NotJson.into()),
            }
            at += 1;
        }
        if matches!(self.state, State::Value { .. } | State::Word) {
            self.hold(&chunk[from..]);
        }
        Ok(())
    }

    /// The event under way ends with these bytes.
    fn end<E: From<BodyError>>(
        &mut self,
        last: &[u8],
        alone: Option<Position>,
        each: &mut impl Each<E>,
    ) -> Result<(), E> {
        let direct = self.held.is_empty() && last.len() <= MAX_EVENT_BYTES;
        if !direct {
            self.hold(last);
            self.returned = false;
        }
        let mut piece = if direct { Piece::whole(last) } else { self.held.piece() };
        piece.alone = alone;
        // In JSON an element is as long as it is: a form feed is no white space there, and would vanish.
        if self.form == Form::Lines && piece.cut.is_none() {
            piece.bytes = piece.bytes.trim_ascii();
        }
        if !piece.bytes.is_empty() {
            self.events += 1;
            if self.events > self.events_max {
                return Err(BodyError::TooMany(self.events_max).into());
            }
            each(piece)?;
        }
        if !direct {
            self.held = Held::default();
        }
        Ok(())
    }
}

/// Inside a value that is an object, an array or a text.
#[derive(Clone, Copy)]
struct Inside {
    depth: usize,
    text: bool,
    escaped: bool,
}

impl Inside {
    /// Goes on to the end of the value or of the bytes; how many were passed, and where it stands if it has not ended.
    fn go(mut self, bytes: &[u8]) -> (usize, Option<Inside>) {
        let mut at = 0;
        while at < bytes.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
                continue;
            }
            if self.text {
                let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) else { break };
                at += found + 1;
                self.escaped = bytes[at - 1] == b'\\';
                self.text = self.escaped;
            } else {
                let byte = bytes[at];
                at += 1;
                match byte {
                    b'"' => self.text = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => continue,
                }
            }
            if self.depth == 0 && !self.text {
                return (at, None);
            }
        }
        (bytes.len(), Some(self))
    }
}

/// The beginning of an event whose end has not come yet.
#[derive(Default)]
struct Held {
    first: Vec<u8>,
    /// Of an event over 64 KiB.
    large: Option<(u64, Sha256)>,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.large.is_none() && self.first.len() + bytes.len() > MAX_EVENT_BYTES {
            self.large = Some((self.first.len() as u64, Sha256::new_with_prefix(&self.first)));
        }
        if let Some((length, digest)) = &mut self.large {
            *length += bytes.len() as u64;
            digest.update(bytes);
        }
        let room = MAX_EVENT_BYTES - self.first.len();
        self.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn piece(&self) -> Piece<'_> {
        match &self.large {
            None => Piece::whole(&self.first),
            Some((length, digest)) => {
                Piece { cut: Some((*length, digest.clone().finalize().into())), ..Piece::whole(&self.first) }
            }
        }
    }
}

/// Whether bytes are one JSON value.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

#[cfg(test)]
mod tests;
