//! Acknowledgements (ACK): `AA`, the log has it; `AE`, our trouble, send it again; `AR`, no retry can mend it. What is
//! wrong is said with segment and field, in the form of the sender's version. Nothing of the message is said again but
//! its control id (MSA-2), its separators, its version and its trigger event.

use std::io::Write as _;

use domain::event::Fact;
use domain::time::Millis;

use super::adt::{Fault, FaultKind};
use super::{Message, Separators};
use crate::feed::path::Path;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `AA`: the log has it durably.
    Taken,
    /// `AE`: the log could not take it; it may be sent again.
    Later,
    /// `AR`: it is refused and kept; sent again it would be refused again.
    Refused,
}

impl Answer {
    /// Every answer.
    pub const ALL: [Answer; 3] = [Answer::Taken, Answer::Later, Answer::Refused];

    /// MSA-1.
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Taken => "AA",
            Answer::Later => "AE",
            Answer::Refused => "AR",
        }
    }
}

/// What is wrong, for ERR: where if it is known, which kind, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Segment and field.
    pub path: Option<Path>,
    /// Number and text of HL7 table 0357.
    pub code: (&'static str, &'static str),
    /// In words, the field's name before it.
    pub text: String,
}

impl Complaint {
    /// The log is away.
    pub fn away() -> Complaint {
        let text = "the log is not available: send the message again".to_owned();
        Complaint { path: None, code: ("207", "Application internal error"), text }
    }

    /// The bytes are no message.
    pub fn structure(text: String) -> Complaint {
        Complaint { path: None, code: FaultKind::Structure.code(), text }
    }
}

impl From<&Fault> for Complaint {
    fn from(fault: &Fault) -> Complaint {
        Complaint { path: Some(fault.path), code: fault.kind.code(), text: fault.to_string() }
    }
}

/// What an acknowledgement repeats of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    separators: Separators,
    /// MSH-2 as it stood, so that the control id means the same; the trigger event, the version, the control id.
    bytes: Vec<u8>,
    /// Where each of these ends in `bytes`.
    ends: [usize; 4],
}

impl Default for Repeated {
    fn default() -> Repeated {
        Repeated::new(Separators::USUAL, [b"^~\\&", b"", b"2.4", b""])
    }
}

impl Repeated {
    fn new(separators: Separators, parts: [&[u8]; 4]) -> Repeated {
        let (mut bytes, mut ends) = (Vec::with_capacity(parts.iter().map(|part| part.len()).sum()), [0; 4]);
        for (part, end) in parts.iter().zip(&mut ends) {
            bytes.extend_from_slice(part);
            *end = bytes.len();
        }
        Repeated { separators, bytes, ends }
    }

    /// Of a message, as far as it can be read.
    pub fn of(message: &Message<'_>) -> Repeated {
        let header = message.header();
        let short = |path, most: usize, plain: fn(&u8) -> bool| match header.get(path) {
            Fact::Stated(text) if text.len() <= most && text.iter().all(plain) => text,
            Fact::Stated(_) | Fact::Retracted | Fact::Absent => &[],
        };
        let event = short(Path::component(b"MSH", 9, 2), 3, u8::is_ascii_alphanumeric);
        let version = short(Path::component(b"MSH", 12, 1), 5, |byte| byte.is_ascii_digit() || *byte == b'.');
        let version = if version.is_empty() { b"2.4" } else { version };
        // Only its text: a line end or a framing byte would tear the answer apart.
        let id = header.field(10).trim_ascii();
        let text = id.iter().position(u8::is_ascii_control).unwrap_or(id.len());
        let parts = [header.field(2), event, version, &id[..text.min(199)]];
        Repeated::new(message.separators(), parts)
    }

    fn part(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }

    fn encoding(&self) -> &[u8] {
        self.part(0)
    }

    fn event(&self) -> &[u8] {
        self.part(1)
    }

    fn version(&self) -> &[u8] {
        self.part(2)
    }

    fn id(&self) -> &[u8] {
        self.part(3)
    }

    /// From version 2.5 on ERR has fields of its own for place, code and severity.
    fn has_new_errors(&self) -> bool {
        matches!(self.version(), [b'2', b'.', b'5'..=b'9', ..])
    }
}

/// Acknowledgements that are written together, each in its MLLP frame.
#[derive(Debug)]
pub struct Answers {
    /// MSH-7.
    time: String,
    /// The beginning of our own control ids.
    own: String,
    bytes: Vec<u8>,
}

impl Answers {
    /// None yet; `now` is their time.
    pub fn new(now: Millis, expected: usize) -> Answers {
        let digits: String = now.second().to_string().chars().filter(char::is_ascii_digit).collect();
        let bytes = Vec::with_capacity(expected * 128);
        Answers { time: digits + "+0000", own: format!("{}-", now.0), bytes }
    }

    /// The bytes of all.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds one; `number` makes its own control id.
    pub fn add(&mut self, repeated: &Repeated, answer: Answer, complaint: Option<&Complaint>, number: u64) {
        let Separators { field, component, .. } = repeated.separators;
        let out = &mut self.bytes;
        out.extend_from_slice(b"\x0bMSH");
        out.push(field);
        out.extend_from_slice(repeated.encoding());
        fields(out, field, &[b"SITREP", b"", b"", b"", self.time.as_bytes(), b"", b"ACK"]);
        if !repeated.event().is_empty() {
            out.push(component);
            out.extend_from_slice(repeated.event());
        }
        fields(out, field, &[self.own.as_bytes()]);
        write!(out, "{number}").expect("a vector takes all");
        fields(out, field, &[b"P", repeated.version()]);
        out.extend_from_slice(b"\rMSA");
        fields(out, field, &[answer.as_str().as_bytes(), repeated.id()]);
        if let Some(complaint) = complaint {
            let text = escaped(&complaint.text, repeated.separators);
            fields(out, field, &[&text]);
            out.extend_from_slice(b"\rERR");
            error(repeated, complaint, &text, out);
        }
        out.extend_from_slice(b"\r\x1c\r");
    }
}

fn fields(out: &mut Vec<u8>, separator: u8, texts: &[&[u8]]) {
    for text in texts {
        out.push(separator);
        out.extend_from_slice(text);
    }
}

/// The fields of ERR.
fn error(repeated: &Repeated, complaint: &Complaint, text: &[u8], out: &mut Vec<u8>) {
    let Separators { field, component, subcomponent, .. } = repeated.separators;
    let (code, name) = complaint.code;
    let mut place = Vec::new();
    if let Some(path) = complaint.path {
        place.extend_from_slice(&path.segment);
        place.push(component);
        place.push(b'1');
        place.push(component);
        place.extend_from_slice(path.field.to_string().as_bytes());
    }
    out.push(field);
    if repeated.has_new_errors() {
        out.push(field);
        out.extend_from_slice(&place);
        if let Some(part) = complaint.path.and_then(|path| path.component) {
            out.extend_from_slice(&[component, b'1', component]);
            out.extend_from_slice(part.to_string().as_bytes());
        }
        out.push(field);
        out.extend_from_slice(code.as_bytes());
        for part in [name, "HL70357"] {
            out.push(component);
            out.extend_from_slice(part.as_bytes());
        }
        out.push(field);
        out.push(b'E');
        out.extend_from_slice(&[field; 4]);
        out.extend_from_slice(text);
        return;
    }
    out.extend_from_slice(&place);
    if place.is_empty() {
        out.extend_from_slice(&[component; 2]);
    }
    out.push(component);
    out.extend_from_slice(code.as_bytes());
    if subcomponent != 0 {
        for part in [name, "HL70357"] {
            out.push(subcomponent);
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Our words with their separators escaped; without an escape character they become spaces.
fn escaped(text: &str, separators: Separators) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.bytes().map(|byte| if byte.is_ascii() { byte } else { b'?' }) {
        let name = match byte {
            byte if byte == separators.field => b'F',
            byte if byte == separators.component => b'S',
            byte if byte == separators.repetition => b'R',
            byte if byte == separators.escape => b'E',
            byte if byte == separators.subcomponent => b'T',
            byte => {
                out.push(byte);
                continue;
            }
        };
        if separators.escape == 0 {
            out.push(b' ');
        } else {
            out.extend_from_slice(&[separators.escape, name, separators.escape]);
        }
    }
    out
}
