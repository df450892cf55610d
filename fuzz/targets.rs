//! What is fuzzed, and what must hold for any bytes. Used by cargo-fuzz and by an ordinary test over the corpora.

use std::path::Path;
use std::sync::OnceLock;

use contract::{Hashed, Required};
use domain::admission::admit;
use domain::event::Event;
use domain::organisations::Organisations;
use domain::standard::Standards;
use domain::time::Millis;
use intake::extract::read_rows;
use intake::feed::Feed;
use intake::hl7::adt::{Surroundings, translate};
use intake::hl7::{Message, messages};
use intake::mllp::{Decoder, Frame};
use intake::trial::try_encounter;

struct World {
    organisations: Organisations,
    epr: Feed,
    ecds: Feed,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let here = Path::new(file!()).parent().expect("fuzz/");
        let root =
            [here.join(".."), Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), "..".into(), ".".into()];
        let root = root.into_iter().find(|root| root.join("config/feeds").is_dir()).expect("the tree");
        let csv = std::fs::read(root.join("config/organisations.csv")).expect("a file of the tree");
        let organisations = contract::organisations::read_csv(&csv).expect("organisations");
        let feed =
            |name: &str| Feed::read(&root.join("config/feeds").join(name), &organisations).expect("a feed");
        let (epr, ecds) = (feed("example-epr.toml"), feed("example-ecds.toml"));
        World { organisations, epr, ecds }
    })
}

/// Frames are the same however the stream is divided; the first byte divides it.
pub(crate) fn mllp(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else { return };
    let frames = |size: usize| {
        let (mut decoder, mut frames) = (Decoder::new(64), Vec::new());
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
    assert_eq!(whole, frames(usize::from(*first).max(1)));
    assert_eq!(whole, frames(1));
    let held: u64 = whole.0.iter().map(|frame| frame.2).sum();
    assert!(held + whole.1 <= stream.len() as u64, "more came out than went in");
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
    let around = Surroundings {
        feed: &world.epr,
        organisations: &world.organisations,
        references: &Hashed,
        received: None,
    };
    let Ok(translation) = translate(&message, around) else { return };
    assert!((1..=bytes.len()).contains(&translation.events.len()));
    for event in &translation.events {
        let admitted = admit(event, &world.organisations, &Standards::default());
        let (mut protobuf, mut json) = (Vec::new(), Vec::new());
        contract::write_protobuf(event, &mut protobuf);
        contract::write_json(event, &mut json);
        let read = contract::parse_protobuf(&protobuf, &Required, &mut 0).expect("what we wrote is an event");
        assert_eq!(read, *event);
        assert_eq!(contract::parse_json(&json, &Required).expect("what we wrote is an event"), *event);
        // The translation knows the places; an instant of the future it has refused itself.
        assert_eq!(admitted, Ok(()));
    }
}

/// Every row is an event that can be written and read again, or is refused.
pub(crate) fn csv(bytes: &[u8]) {
    let world = world();
    let around = Surroundings {
        feed: &world.ecds,
        organisations: &world.organisations,
        references: &Hashed,
        received: None,
    };
    let _unreadable = read_rows(bytes, around, &mut |row| {
        if let Ok(event) = &row.event {
            let mut json = Vec::new();
            contract::write_json(event, &mut json);
            assert_eq!(contract::parse_json(&json, &Required).expect("what we wrote is an event"), *event);
        }
    });
}

/// An Encounter becomes events that can be written and read again, or is refused by its element.
pub(crate) fn fhir(bytes: &[u8]) {
    let world = world();
    let around = Surroundings {
        feed: &world.epr,
        organisations: &world.organisations,
        references: &Hashed,
        received: Some(Millis(1_795_270_200_000)),
    };
    match try_encounter(bytes, around) {
        Ok(events) => {
            assert!((1..=bytes.len()).contains(&events.len()));
            events.iter().for_each(written_and_read);
        }
        Err(why) => assert!(why.contains(": "), "{why}"),
    }
}

/// What is read as an event can be written and read again.
pub(crate) fn event_json(bytes: &[u8]) {
    match contract::parse_json(bytes, &Hashed) {
        Ok(event) => written_and_read(&event),
        Err(refused) => assert!(refused.outcome.is_refused() && !refused.detail.is_empty()),
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
