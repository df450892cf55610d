//! What is fuzzed, and what must hold for any bytes. Used by cargo-fuzz and by an ordinary test over the corpora.

use std::path::Path;
use std::sync::OnceLock;

use contract::refusal::{Origin, Refusal};
use contract::{Hashed, Required};
use domain::admission::admit;
use domain::event::{Event, Outcome};
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::time::Millis;
use intake::extract::read_rows;
use intake::feed::Feed;
use intake::hl7::adt::{Surroundings, translate};
use intake::hl7::answer::{Answer, Answers, Complaint, Repeated};
use intake::hl7::{Message, messages};
use intake::mllp::{Decoder, Frame};
use intake::pseudonym::Pseudonyms;
use intake::retry::Retry;
use intake::trial::{try_body, try_resource};
use serde_json::value::RawValue;

/// 2026-11-21T14:10:00Z
const NOW: Millis = Millis(1_795_270_200_000);

struct World {
    organisations: Organisations,
    /// The example of HL7 and FHIR, and one of what it leaves out.
    feeds: [Feed; 2],
    ecds: Feed,
    /// The whole way from the bytes of a door to records for the log, with keyed pseudonyms.
    door: Retry,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let here = Path::new(file!()).parent().expect("fuzz/");
        let root =
            [here.join(".."), Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), "..".into(), ".".into()];
        let root = root.into_iter().find(|root| root.join("config/feeds").is_dir()).expect("the tree");
        let csv = std::fs::read(root.join("config/organisations.csv")).expect("a file of the tree");
        let organisations = || contract::organisations::read_csv(&csv).expect("organisations");
        let standards =
            std::fs::read_to_string(root.join("config/standards.toml")).expect("a file of the tree");
        let standards = contract::configuration::read_standards(&standards).expect("standards");
        let feed = |name: &str| Feed::read(&root.join(name), &organisations()).expect("a feed");
        let feeds = || [feed("config/feeds/example-epr.toml"), feed("fuzz/feeds/second.toml")];
        let key = Pseudonyms::new(Some(b"a key for the fuzz targets alone"), true).expect("a key");
        let door = Retry::new(organisations(), standards, key, true, u32::MAX, feeds().into());
        let ecds = feed("config/feeds/example-ecds.toml");
        World { organisations: organisations(), feeds: feeds(), ecds, door }
    })
}

impl World {
    fn around<'w>(&'w self, feed: &'w Feed, received: Option<Millis>) -> Surroundings<'w, Hashed> {
        Surroundings { feed, organisations: &self.organisations, references: &Hashed, received }
    }

    /// What that door makes of bytes: records that can be read, or why there are none.
    fn through(&self, origin: Origin, source: &str, protobuf: bool, bytes: &[u8]) {
        let (reason, detail) = (Outcome::Malformed, String::new());
        let refusal = Refusal::new(reason, detail, source.to_owned(), bytes, protobuf, origin, NOW);
        match self.door.judge(&refusal, bytes, NOW) {
            Ok(records) => {
                for (_, record) in records {
                    let read = contract::parse_protobuf(&record.value, &Required, &mut 0);
                    assert!(read.is_ok() && record.protobuf, "what we wrote is an event");
                }
            }
            Err((outcome, detail)) => assert!(outcome.is_refused() && !detail.is_empty()),
        }
    }
}

/// Frames are the same however the stream is divided; the first byte divides it and says which limit they have. What is
/// in them becomes records or is refused.
pub(crate) fn mllp(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else { return };
    let limit = if *first < 128 { 64 } else { 65_536 };
    let frames = |size: usize| {
        let (mut decoder, mut frames) = (Decoder::new(limit), Vec::new());
        for piece in stream.chunks(size) {
            decoder.push(piece, |frame| {
                frames.push(match frame {
                    Frame::Whole(bytes) => (0, bytes.to_vec(), bytes.len() as u64, [0; 32]),
                    Frame::Broken(bytes) => (1, bytes.to_vec(), bytes.len() as u64, [0; 32]),
                    Frame::TooLarge(head, length, digest) => (2, head.to_vec(), length, digest),
                });
            });
        }
        (frames, decoder.skipped(), decoder.is_inside())
    };
    let whole = frames(stream.len().max(1));
    assert_eq!(whole, frames(usize::from(*first % 128).max(1)));
    assert_eq!(whole, frames(1));
    let held: u64 = whole.0.iter().map(|frame| frame.2).sum();
    assert!(held + whole.1 <= stream.len() as u64, "more came out than went in");
    for (_, bytes, ..) in whole.0.iter().filter(|frame| frame.0 == 0) {
        world().through(Origin::Mllp, &world().feeds[0].source, false, bytes);
    }
}

/// Nothing of a message vanishes; what is made of it can be written and read again.
pub(crate) fn hl7(bytes: &[u8]) {
    let world = world();
    for (_, part) in messages(bytes) {
        let _scanned = Message::scan(part);
    }
    let Ok(message) = Message::scan(bytes) else { return };
    let (mut covered, mut ends) = (0, 0);
    for segment in message.segments() {
        covered += segment.bytes().len();
        ends += segment.bytes().iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
    }
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
    assert_eq!(covered + lines - ends, bytes.len(), "bytes of the message are in no segment");
    let repeated = Repeated::of(&message);
    is_one_answer(&repeated, Answer::Taken, None);
    for (feed, received) in world.feeds.iter().zip([None, Some(NOW)]) {
        let translation = match translate(&message, world.around(feed, received)) {
            Ok(translation) => translation,
            Err(fault) => {
                is_one_answer(&repeated, Answer::Refused, Some(&Complaint::from(&fault)));
                continue;
            }
        };
        assert!((1..=bytes.len()).contains(&translation.events.len()));
        for event in &translation.events {
            written_and_read(event);
            // The translation knows the places; an instant of the future it has refused itself.
            assert_eq!(admit(event, &world.organisations, &Standards::default()), Ok(()));
        }
    }
}

/// An acknowledgement is one frame and in it one message: MSH, MSA and, of a complaint, ERR.
fn is_one_answer(repeated: &Repeated, answer: Answer, complaint: Option<&Complaint>) {
    let mut answers = Answers::new(NOW, 1);
    answers.add(repeated, answer, complaint, 1);
    let mut frames = Vec::new();
    Decoder::new(65_536).push(answers.bytes(), |frame| match frame {
        Frame::Whole(bytes) => frames.push(bytes.to_vec()),
        Frame::Broken(_) | Frame::TooLarge(..) => panic!("an answer is not a whole frame"),
    });
    assert_eq!(frames.len(), 1, "an answer is not one frame");
    let message = Message::scan(&frames[0]).expect("an answer is a message");
    let names: Vec<&[u8]> = message.segments().map(|segment| &segment.bytes()[..3]).collect();
    let expected: &[&[u8]] = &[b"MSH", b"MSA", b"ERR"];
    assert_eq!(names, expected[..if complaint.is_some() { 3 } else { 2 }]);
    assert_eq!(message.continued(), 0, "an answer has stray lines");
}

/// Every row is an event that can be written and read again, or is refused.
pub(crate) fn csv(bytes: &[u8]) {
    let world = world();
    for feed in [&world.ecds, &world.feeds[1]] {
        let _unreadable = read_rows(bytes, world.around(feed, None), &mut |row| {
            if let Ok(event) = &row.event {
                written_and_read(event);
            }
        });
    }
}

/// An Encounter, or each in a Bundle, becomes events that can be written and read again, or is refused by its element.
pub(crate) fn fhir(bytes: &[u8]) {
    let world = world();
    for feed in &world.feeds {
        for resource in try_resource(bytes, world.around(feed, Some(NOW))) {
            match resource {
                Ok(events) => {
                    assert!((1..=bytes.len()).contains(&events.len()));
                    events.iter().for_each(written_and_read);
                }
                Err(why) => assert!(why.contains(": "), "{why}"),
            }
        }
        world.through(Origin::Fhir, &feed.source, false, bytes);
    }
}

/// What is read as an event, from JSON by HTTP and from JSON or protobuf by the log, can be written and read again; a body
/// is the same events however it comes in pieces.
pub(crate) fn event_json(bytes: &[u8]) {
    let world = world();
    let log = || Origin::Log { topic: "sitrep.events.v1".to_owned(), partition: 0, offset: 0 };
    // The tag of a protobuf event's id.
    if bytes.starts_with(b"\n") {
        if let Ok(event) = contract::parse_protobuf(bytes, &Hashed, &mut 0) {
            written_and_read(&event);
        }
        world.through(log(), "", true, bytes);
    }
    match contract::parse_json(bytes, &Hashed) {
        Ok(event) => written_and_read(&event),
        Err(refused) => assert!(refused.outcome.is_refused() && !refused.detail.is_empty()),
    }
    if let Some(escaped) = escaped(bytes) {
        let (fast, slow) = (contract::parse_json(bytes, &Hashed), contract::parse_json(&escaped, &Hashed));
        assert_eq!(fast.ok(), slow.ok(), "the fast way and the authority differ");
    }
    world.through(log(), "", false, bytes);
    world.through(Origin::Http, "", false, bytes);
    body(bytes);
}

/// The same JSON with the first character of its first text escaped, which the fast way does not read.
fn escaped(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = 1 + bytes.iter().position(|byte| *byte == b'"')?;
    let first = bytes.get(at).filter(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))?;
    Some([&bytes[..at], format!("\\u{first:04x}").as_bytes(), &bytes[at + 1..]].concat())
}

fn body(bytes: &[u8]) {
    let packed = bytes.starts_with(b"\x1f");
    for kind in ["application/json", "application/x-ndjson"] {
        let pieces = |size: usize| try_body(kind, packed, bytes.chunks(size));
        let whole = pieces(bytes.len().max(1));
        assert_eq!(whole.as_ref().ok(), pieces(7).as_ref().ok());
        assert_eq!(whole.as_ref().ok(), pieces(1).as_ref().ok());
        if !packed {
            assert_eq!(whole.ok(), expected(kind, bytes));
        }
    }
}

/// What a body must be taken apart into, by who reads it whole.
fn expected(kind: &str, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let trimmed = bytes.trim_ascii();
    if kind == "application/x-ndjson" {
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii().to_vec());
        Some(lines.filter(|line| !line.is_empty()).collect())
    } else if trimmed.starts_with(b"[") {
        let elements: Vec<&RawValue> = serde_json::from_slice(bytes).ok()?;
        Some(elements.into_iter().map(|element| element.get().as_bytes().to_vec()).collect())
    } else {
        let one: &RawValue = serde_json::from_slice(bytes).ok()?;
        one.get().starts_with('{').then(|| vec![one.get().as_bytes().to_vec()])
    }
}

fn written_and_read(event: &Event<'_>) {
    let (mut protobuf, mut json) = (Vec::new(), Vec::new());
    contract::write_protobuf(event, &mut protobuf);
    contract::write_json(event, &mut json);
    let read = contract::parse_protobuf(&protobuf, &Required, &mut 0).expect("what we wrote is an event");
    assert_eq!(read, *event);
    assert_eq!(contract::parse_json(&json, &Required).expect("what we wrote is an event"), *event);
}
