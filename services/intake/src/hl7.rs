//! HL7 v2 messages, borrowed from the bytes that came: segments are found once, fields when they are asked for.
//!
//! Responsible for: taking any bytes, never panicking, and losing nothing silently: every byte of a message is in a
//! segment or ends one, or the message is an error that says where. It knows no event and no feed (that is [`adt`]).
//!
//! - Separators are those of MSH-1 and MSH-2, also the five of v2.7 (`^~\&#`); one that MSH-2 leaves out is none.
//! - Segments end in CR, LF or CRLF. Where they end in CR, a line after a lone LF that has no field separator and is no
//!   segment is text that goes on (a line break in a comment), but not after MSH; everything else that is no segment is
//!   an error.
//! - Characters: separators, numbers and codes are ASCII in every encoding that we take (Windows-1252, which is assumed
//!   without MSH-18, ISO 8859, UTF-8), and only ASCII is read into values. So nothing is decoded.
//! - An empty field says nothing; `""` retracts.

pub mod adt;
pub mod answer;
pub mod time;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use domain::event::Fact;
use memchr::{memchr, memchr2};

use crate::feed::path::{Path, is_segment_name};

/// The characters between the parts of a message; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Separators {
    /// Between fields; MSH-1.
    pub field: u8,
    /// Between components.
    pub component: u8,
    /// Between repetitions of a field.
    pub repetition: u8,
    /// Before and after an escape.
    pub escape: u8,
    /// Between subcomponents.
    pub subcomponent: u8,
}

impl Separators {
    /// `|^~\&`
    pub const USUAL: Separators =
        Separators { field: b'|', component: b'^', repetition: b'~', escape: b'\\', subcomponent: b'&' };
}

/// Why bytes are no message. It holds positions, never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It does not begin with MSH and a separator.
    #[error("the message does not begin with MSH and a field separator")]
    NoHeader,
    /// MSH-2 is not one to five different characters that can separate.
    #[error("MSH-2 must hold one to five different punctuation characters, such as ^~\\&")]
    Separators,
    /// It begins as a batch or a file of batches.
    #[error("a batch (FHS, BHS) is not taken: send each of its messages in a frame of its own")]
    Batch,
    /// A second MSH: two messages whose boundary was lost, of which only one could be answered.
    #[error("line {line} (at byte {byte}) begins a second message: send each in a frame of its own")]
    SecondHeader {
        /// From 1; empty lines are counted.
        line: usize,
        /// From 0.
        byte: usize,
    },
    /// A line that is no segment.
    #[error(
        "line {line} (at byte {byte}) is no segment: it must begin with its three-character name and a field separator"
    )]
    NoSegment {
        /// From 1; empty lines are counted.
        line: usize,
        /// From 0.
        byte: usize,
    },
}

/// A message whose segments are known.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    separators: Separators,
    segments: Vec<Span>,
    continued: usize,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    name: [u8; 3],
    start: usize,
    end: usize,
}

/// One segment of a message.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    bytes: &'a [u8],
    separators: Separators,
}

impl<'a> Message<'a> {
    /// Finds the segments. Blank lines, also at the end, are passed over.
    pub fn scan(bytes: &'a [u8]) -> Result<Message<'a>, ScanError> {
        let separators = separators(bytes)?;
        let mut message = Message { bytes, separators, segments: Vec::with_capacity(16), continued: 0 };
        message.find_segments()?;
        Ok(message)
    }

    fn find_segments(&mut self) -> Result<(), ScanError> {
        let bytes = self.bytes;
        let (mut start, mut line, mut after_lone_lf, mut cr_ends) = (0, 1, false, false);
        while start < bytes.len() {
            let length = memchr2(b'\r', b'\n', &bytes[start..]).unwrap_or(bytes.len() - start);
            let end = start + length;
            let text = &bytes[start..end];
            if let Some(name) = segment_name(text, self.separators.field) {
                if name == *b"MSH" && !self.segments.is_empty() {
                    return Err(ScanError::SecondHeader { line, byte: start });
                }
                self.segments.push(Span { name, start, end });
            } else if !text.is_empty() {
                // The header holds no text: it is repeated in the answer.
                let after_header = self.segments.len() == 1;
                let has_field = memchr(self.separators.field, text).is_some();
                let goes_on = after_lone_lf && cr_ends && !after_header && !has_field;
                match self.segments.last_mut() {
                    Some(last) if goes_on => last.end = end,
                    Some(_) | None => return Err(ScanError::NoSegment { line, byte: start }),
                }
                self.continued += 1;
            }
            let is_lf = bytes.get(end) == Some(&b'\n');
            let is_crlf = !is_lf && bytes.get(end + 1) == Some(&b'\n');
            cr_ends |= bytes.get(end) == Some(&b'\r');
            after_lone_lf = is_lf;
            start = end + if is_crlf { 2 } else { 1 };
            line += 1;
        }
        Ok(())
    }

    /// The separators.
    pub fn separators(&self) -> Separators {
        self.separators
    }

    /// MSH.
    pub fn header(&self) -> Segment<'a> {
        // A message without it was not scanned.
        self.segments
            .first()
            .map_or(Segment { bytes: &[], separators: self.separators }, |span| self.at(span))
    }

    /// Lines that were taken as text that goes on.
    pub fn continued(&self) -> usize {
        self.continued
    }

    /// Every segment, in order. MSH is the first.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + '_ {
        self.segments.iter().map(|span| self.at(span))
    }

    fn at(&self, span: &Span) -> Segment<'a> {
        Segment { bytes: &self.bytes[span.start..span.end], separators: self.separators }
    }

    /// The first segment of that name.
    pub fn segment(&self, name: &[u8; 3]) -> Option<Segment<'a>> {
        self.named(*name).next().map(|(_, segment)| segment)
    }

    /// Every segment of that name, with its number from 0.
    pub fn named(&self, name: [u8; 3]) -> impl Iterator<Item = (usize, Segment<'a>)> {
        let numbered = self.segments.iter().enumerate();
        numbered.filter(move |(_, span)| span.name == name).map(|(number, span)| (number, self.at(span)))
    }

    /// What stands at a path, in the first segment of that name.
    pub fn get(&self, path: Path) -> Fact<&'a [u8]> {
        self.segment(&path.segment).map_or(Fact::Absent, |segment| segment.get(path))
    }
}

impl<'a> Segment<'a> {
    /// Whether it has that name.
    pub fn is(&self, name: &[u8; 3]) -> bool {
        self.bytes.starts_with(name)
    }

    /// Its bytes, without its end.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A field as it stands, all repetitions of it; empty where there is none. From 1; of MSH the separator is 1.
    pub fn field(&self, number: u16) -> &'a [u8] {
        let is_header = self.is(b"MSH");
        if number == 1 && is_header {
            return self.bytes.get(3..4).unwrap_or_default();
        }
        let parts = usize::from(number) - usize::from(is_header && number > 0);
        nth(self.bytes, self.separators.field, parts)
    }

    /// What stands at a path (its segment is not looked at), in the first repetition.
    pub fn get(&self, path: Path) -> Fact<&'a [u8]> {
        let field = self.field(path.field);
        if self.is(b"MSH") && path.field <= 2 { said(field) } else { part(field, self.separators, path) }
    }
}

/// What stands at a component and subcomponent of a field, in its first repetition.
fn part(field: &[u8], separators: Separators, path: Path) -> Fact<&[u8]> {
    if field.is_empty() {
        return Fact::Absent;
    }
    if field == b"\"\"" {
        return Fact::Retracted;
    }
    let repetition = nth(field, separators.repetition, 0);
    let component = nth(repetition, separators.component, index(path.component));
    if component == b"\"\"" {
        return Fact::Retracted;
    }
    said(nth(component, separators.subcomponent, index(path.subcomponent)))
}

fn said(value: &[u8]) -> Fact<&[u8]> {
    match value.trim_ascii() {
        b"" => Fact::Absent,
        b"\"\"" => Fact::Retracted,
        value => Fact::Stated(value),
    }
}

fn index(number: Option<u16>) -> usize {
    usize::from(number.unwrap_or(1)).saturating_sub(1)
}

/// The part with that number, from 0; empty where there is none. Without a separator the whole is part 0.
fn nth(bytes: &[u8], separator: u8, number: usize) -> &[u8] {
    if separator == 0 {
        return if number == 0 { bytes } else { &[] };
    }
    let Some(rest) = behind(bytes, separator, number) else { return &[] };
    let end = rest.iter().position(|byte| *byte == separator);
    end.map_or(rest, |end| &rest[..end])
}

/// What stands behind so many separators. Field 45 is far behind: most pieces are only counted, which is quicker than
/// finding each separator.
fn behind(bytes: &[u8], separator: u8, mut number: usize) -> Option<&[u8]> {
    let mut rest = bytes;
    while number > 0
        && let Some((piece, after)) = rest.split_first_chunk::<16>()
    {
        let found = piece.iter().map(|byte| u8::from(*byte == separator)).sum::<u8>();
        match number.checked_sub(usize::from(found)) {
            Some(left) if left > 0 => (number, rest) = (left, after),
            Some(_) | None => break,
        }
    }
    for _ in 0..number {
        rest = &rest[rest.iter().position(|byte| *byte == separator)? + 1..];
    }
    Some(rest)
}

/// The name of the segment that a line begins; none where it is no segment.
fn segment_name(line: &[u8], field: u8) -> Option<[u8; 3]> {
    let name = line.first_chunk::<3>().filter(|name| is_segment_name(name))?;
    line.get(3).is_none_or(|after| *after == field).then_some(*name)
}

fn separators(bytes: &[u8]) -> Result<Separators, ScanError> {
    let [b'M', b'S', b'H', field, rest @ ..] = bytes else {
        let is_batch = bytes.starts_with(b"FHS") || bytes.starts_with(b"BHS");
        return Err(if is_batch { ScanError::Batch } else { ScanError::NoHeader });
    };
    if !field.is_ascii_punctuation() {
        return Err(ScanError::NoHeader);
    }
    let end = rest.iter().position(|byte| byte == field || matches!(byte, b'\r' | b'\n'));
    let listed = &rest[..end.unwrap_or(rest.len())];
    let different = (0..listed.len()).all(|at| !listed[..at].contains(&listed[at]));
    if !(1..=5).contains(&listed.len()) || !different || !listed.iter().all(u8::is_ascii_punctuation) {
        return Err(ScanError::Separators);
    }
    let of = |index: usize| listed.get(index).copied().unwrap_or(0);
    Ok(Separators { field: *field, component: of(0), repetition: of(1), escape: of(2), subcomponent: of(3) })
}

/// A value without its escapes: `\F\`, `\S\`, `\T\`, `\R\`, `\E\`, `\P\` and `\Xhh…\`. Any other stays as it stands.
pub fn unescape(value: &[u8], separators: Separators) -> Cow<'_, [u8]> {
    let escape = separators.escape;
    if escape == 0 || memchr(escape, value).is_none() {
        return Cow::Borrowed(value);
    }
    let (mut text, mut rest) = (Vec::with_capacity(value.len()), value);
    while let Some(open) = memchr(escape, rest) {
        text.extend_from_slice(&rest[..open]);
        let inside = &rest[open + 1..];
        let meaning = memchr(escape, inside).and_then(|close| {
            escaped(&inside[..close], separators).map(|meaning| (meaning, &inside[close + 1..]))
        });
        match meaning {
            Some((meaning, after)) => {
                text.extend_from_slice(&meaning);
                rest = after;
            }
            None => {
                text.push(escape);
                rest = inside;
            }
        }
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

fn escaped(code: &[u8], separators: Separators) -> Option<Vec<u8>> {
    match code {
        b"F" => Some(vec![separators.field]),
        b"S" => Some(vec![separators.component]),
        b"R" => Some(vec![separators.repetition]),
        b"E" => Some(vec![separators.escape]),
        b"T" => Some(vec![separators.subcomponent]),
        b"P" => Some(vec![b'#']),
        [b'X', digits @ ..] if !digits.is_empty() && digits.len() % 2 == 0 => {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
            digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
        }
        _ => None,
    }
}

/// The messages of a file: in MLLP frames, or one after the other, each from its MSH on. Batch headers and trailers
/// (FHS, BHS, BTS, FTS) are passed over. Every message with the number of its first line.
pub fn messages(file: &[u8]) -> Vec<(usize, &[u8])> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let (mut start, mut line) = (0, 1);
    let mut ends = Vec::new();
    while start < file.len() {
        let end = start + memchr2(b'\r', b'\n', &file[start..]).unwrap_or(file.len() - start);
        let text = &file[start..end];
        let name = text
            .iter()
            .position(|byte| !matches!(byte, 0x0b | 0x1c | b' '))
            .map_or(&[][..], |at| &text[at..]);
        let batch = [&b"FHS"[..], b"BHS", b"BTS", b"FTS"].iter().any(|other| name.starts_with(other));
        if name.starts_with(b"MSH") && name.len() > 3 && !name[3].is_ascii_alphanumeric() || batch {
            ends.push(start);
            if !batch {
                found.push((line, end - name.len()));
            }
        }
        let crlf = file.get(end) == Some(&b'\r') && file.get(end + 1) == Some(&b'\n');
        start = end + if crlf { 2 } else { 1 };
        line += 1;
    }
    ends.push(file.len());
    let cut = |(line, from): (usize, usize)| {
        let until = ends.get(ends.partition_point(|end| *end <= from)).copied().unwrap_or(file.len());
        let text = &file[from..until];
        let last = text.iter().rposition(|byte| !matches!(byte, 0x0b | 0x1c | b'\r' | b'\n' | b' '));
        (line, &text[..last.map_or(0, |at| at + 1)])
    };
    found.into_iter().map(cut).collect()
}
