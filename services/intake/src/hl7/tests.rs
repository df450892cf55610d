//! The scanner: clean, odd and damaged messages, and any bytes at all.

use domain::time::Millis;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::hl7::answer::{Answer, Answers, Repeated};
use crate::hl7::time::Reading;

const CLEAN: &str = "MSH|^~\\&|EPR|RXF|SITREP||20261105101500||ADT^A04^ADT_A01|1001|P|2.4\r\
                     EVN|A04|20261105101500||||20261105101200\r\
                     PID|1||4857773456^^^NHS~777^^^RXF&1.2&ISO||SMITHERS^JANE\r\
                     PV1|1|E|AE^MAJ1^^RXF||||G1^DOC~G2^DOC||||||||||||V1001^^^RXF|\"\"|\r";

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn get(message: &str, at: &str) -> Fact<String> {
    let message = Message::scan(message.as_bytes()).unwrap();
    match message.get(path(at)) {
        Fact::Stated(value) => Fact::Stated(String::from_utf8(value.to_vec()).unwrap()),
        Fact::Retracted => Fact::Retracted,
        Fact::Absent => Fact::Absent,
    }
}

#[test]
fn parts_are_found_wherever_they_stand() {
    let mut rng = ChaCha8Rng::seed_from_u64(16);
    for _ in 0..3_000 {
        let length = rng.random_range(0..80);
        let rare = rng.random_range(1..12);
        let text: Vec<u8> =
            (0..length).map(|_| if rng.random_range(0..rare) == 0 { b'|' } else { b'x' }).collect();
        for number in 0..82 {
            let expected = text.split(|byte| *byte == b'|').nth(number).unwrap_or_default();
            let (start, of) = (expected.as_ptr(), String::from_utf8_lossy(&text));
            let found = nth(&text, b'|', number);
            assert_eq!(found, expected, "part {number} of {of}");
            assert!(found.is_empty() || found.as_ptr() == start, "part {number} of {of}");
        }
    }
    assert_eq!((nth(b"a|b", 0, 0), nth(b"a|b", 0, 1)), (&b"a|b"[..], &b""[..]), "no separator");
}

#[test]
fn fields_are_found_where_the_standard_has_them() {
    for (at, value) in [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-3", "EPR"),
        ("MSH-4", "RXF"),
        ("MSH-7", "20261105101500"),
        ("MSH-9", "ADT"),
        ("MSH-9.2", "A04"),
        ("MSH-9.3", "ADT_A01"),
        ("MSH-12", "2.4"),
        ("EVN-6", "20261105101200"),
        ("PID-3", "4857773456"),
        ("PID-3.4", "NHS"),
        ("PV1-3", "AE"),
        ("PV1-3.2", "MAJ1"),
        ("PV1-3.4", "RXF"),
        ("PV1-7.2", "DOC"),
        ("PV1-19", "V1001"),
        ("PV1-19.4", "RXF"),
    ] {
        assert_eq!(get(CLEAN, at), Fact::Stated(value.into()), "{at}");
    }
    for at in ["MSH-8", "MSH-99", "PV1-3.3", "PV1-3.9", "PV1-44", "PV1-21", "ZED-1", "PV1-3.1.2", "EVN-2.5"] {
        assert_eq!(get(CLEAN, at), Fact::Absent, "{at}");
    }
    for at in ["PV1-20", "PV1-20.3", "PV1-20.1.1"] {
        assert_eq!(get(CLEAN, at), Fact::Retracted, "{at}");
    }
    let parts = CLEAN.replace("AE^MAJ1", "AE^\"\"&x");
    assert_eq!(get(&parts, "PV1-3.2"), Fact::Retracted);
    assert_eq!(get(&parts, "PV1-3.2.2"), Fact::Stated("x".into()));
}

#[test]
fn separators_are_those_of_the_header() {
    let message = "MSH$*!?%$EPR$RXF\rPV1$1$E$AE*MAJ1%2!ED";
    assert_eq!(get(message, "MSH-2"), Fact::Stated("*!?%".into()));
    assert_eq!(get(message, "PV1-3.2"), Fact::Stated("MAJ1".into()));
    assert_eq!(get(message, "PV1-3.2.2"), Fact::Stated("2".into()));
    // Those of v2.7, and fewer than four.
    assert_eq!(get("MSH|^~\\&#|EPR|RXF", "MSH-3"), Fact::Stated("EPR".into()));
    assert_eq!(get("MSH|^|EPR|RXF\rPV1|1|E|AE^1~2&3", "PV1-3.2"), Fact::Stated("1~2&3".into()));
    for wrong in ["MSH|^~^&|x", "MSH||x", "MSH|^~\\&#!|x", "MSH|^~\\A|x", "MSH|^~ &|x", "MSH|^~\\\u{e9}|x"] {
        assert_eq!(Message::scan(wrong.as_bytes()).unwrap_err(), ScanError::Separators, "{wrong}");
    }
}

/// What is damaged is an error that says where, or is read whole: no byte of it vanishes.
#[test]
fn damaged_messages_are_whole_or_an_error() {
    let no_segment = |line, byte| Some(ScanError::NoSegment { line, byte });
    for (bytes, error) in [
        (&b""[..], Some(ScanError::NoHeader)),
        (b"MSH", Some(ScanError::NoHeader)),
        (b"MS", Some(ScanError::NoHeader)),
        (b"\rMSH|^~\\&|", Some(ScanError::NoHeader)),
        (b"PID|1", Some(ScanError::NoHeader)),
        (b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|", Some(ScanError::Batch)),
        (b"BHS|^~\\&\rMSH|^~\\&|", Some(ScanError::Batch)),
        // Two messages in one frame: only one could be answered.
        (b"MSH|^~\\&|\rPID|1\rMSH|^~\\&|\rPID|1", Some(ScanError::SecondHeader { line: 3, byte: 16 })),
        (b"MSH1^~\\&|x", Some(ScanError::NoHeader)),
        (b"MSH\xe9^~\\&|x", Some(ScanError::NoHeader)),
        (b"MSH|", Some(ScanError::Separators)),
        (b"MSH|\r", Some(ScanError::Separators)),
        (b"MSH|^~\\&", None),
        (b"MSH|^~\\&\r", None),
        (b"MSH|^~\\&|\r\r\rPID|1\r\r", None),
        (b"MSH|^~\\&|\r\n\r\nPID|1\r\n", None),
        (b"MSH|^~\\&|\nPID|1\n", None),
        (b"MSH|^~\\&|\nPID|1\rPV1|1\r\n", None),
        (b"MSH|^~\\&|\rPID", None),
        (b"MSH|^~\\&|\rPI|1\rPV1|1", no_segment(2, 10)),
        (b"MSH|^~\\&|\rPIDX|1", no_segment(2, 10)),
        (b"MSH|^~\\&|\rpid|1", no_segment(2, 10)),
        (b"MSH|^~\\&|\rPID^1", no_segment(2, 10)),
        (b"MSH|^~\\&|\nPI|1\nPV1|1", no_segment(2, 10)),
        (b"MSH|^~\\&|\n\nfree text\nPV1|1", no_segment(3, 11)),
        (b"MSH|^~\\&|\r\n\nfree text\rPV1|1", no_segment(3, 12)),
        // A line break in a comment of a message whose segments end in CR, and what only looks like one.
        (b"MSH|^~\\&|\rNTE|1||two\nlines\rPV1|1", None),
        (b"MSH|^~\\&|\rPV1|1\n|E|AE\r", no_segment(3, 16)),
        (b"MSH|^~\\&|\rPV\n1|1\r", no_segment(2, 10)),
        (b"MSH|^~\\&|\r\x00\x01\x02\rPV1|1", no_segment(2, 10)),
        (b"MSH|^~\\&|\rPID|1||\xc4\xd6\xff\x80^\xe9\r", None),
    ] {
        let scanned = Message::scan(bytes);
        assert_eq!(scanned.as_ref().err().copied(), error, "{}", bytes.escape_ascii());
        if let Ok(message) = scanned {
            whole(bytes, &message);
        }
    }
    let message = Message::scan(b"MSH|^~\\&|\rNTE|1||two\nlines\rPV1|1|E").unwrap();
    assert_eq!(message.get(path("NTE-3")), Fact::Stated(&b"two\nlines"[..]));
    assert_eq!((message.continued(), message.get(path("PV1-2"))), (1, Fact::Stated(&b"E"[..])));
}

/// Every byte is in a segment or is a line's end between them.
fn whole(bytes: &[u8], message: &Message<'_>) {
    let mut at = 0;
    for segment in message.segments() {
        let start = segment.bytes().as_ptr() as usize - bytes.as_ptr() as usize;
        assert!(bytes[at..start].iter().all(|byte| matches!(byte, b'\r' | b'\n')));
        at = start + segment.bytes().len();
    }
    assert!(bytes[at..].iter().all(|byte| matches!(byte, b'\r' | b'\n')), "{}", bytes.escape_ascii());
}

/// Everything that a message can be asked: nothing of it may panic.
fn ask_everything(bytes: &[u8]) {
    if let Ok(message) = Message::scan(bytes) {
        whole(bytes, &message);
        for segment in message.segments() {
            for field in 0..60 {
                let value = segment.field(field);
                unescape(value, message.separators());
                Reading::parse(value);
                for part in [None, Some(1), Some(2), Some(9)] {
                    let name = *segment.bytes().first_chunk().unwrap();
                    let _said =
                        segment.get(Path { segment: name, field, component: part, subcomponent: part });
                }
            }
        }
    }
    for (_, message) in messages(bytes) {
        let _scanned = Message::scan(message);
    }
}

#[test]
fn no_bytes_make_it_panic_or_lose_any() {
    let seed = 20_261_122;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let alphabet = b"MSHPIDVEN|^~\\&#\r\n\x0b\x1c\"0123456789A\xc3\xff ";
    for round in 0..20_000 {
        let mut bytes = CLEAN.as_bytes().to_vec();
        for _ in 0..random.random_range(1..12) {
            if bytes.len() < 2 {
                break;
            }
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = alphabet[random.random_range(0..alphabet.len())],
                1 => bytes.insert(at, alphabet[random.random_range(0..alphabet.len())]),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if round % 4 == 0 {
            bytes = (0..random.random_range(0..80))
                .map(|_| alphabet[random.random_range(0..alphabet.len())])
                .collect();
        }
        ask_everything(&bytes);
    }
}

#[test]
fn escapes_are_read_and_what_is_none_stays() {
    for (value, text) in [
        ("plain", "plain"),
        ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
        ("\\X41\\\\X4243\\", "ABC"),
        ("\\P\\", "#"),
        ("\\.br\\", "\\.br\\"),
        ("\\X4\\", "\\X4\\"),
        ("\\XZZ\\", "\\XZZ\\"),
        ("C:\\temp", "C:\\temp"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        ("\\H\\bold\\N\\ \\T\\", "\\H\\bold\\N\\ &"),
    ] {
        assert_eq!(unescape(value.as_bytes(), Separators::USUAL), text.as_bytes(), "{value}");
    }
    let none = Separators { escape: 0, ..Separators::USUAL };
    assert_eq!(unescape(b"\\F\\", none), &b"\\F\\"[..]);
}

#[test]
fn a_file_is_cut_at_its_headers() {
    let cut = |file: &str| {
        messages(file.as_bytes())
            .iter()
            .map(|(line, text)| format!("{line}:{}", text.escape_ascii()))
            .collect::<Vec<_>>()
    };
    assert_eq!(cut("MSH|1\rPID|1\rMSH|2\r"), ["1:MSH|1\\rPID|1", "3:MSH|2"]);
    assert_eq!(cut("\u{b}MSH|1\rPID\r\u{1c}\r\u{b}MSH|2\r\u{1c}\r"), ["1:MSH|1\\rPID", "4:MSH|2"]);
    assert_eq!(cut("FHS|\nBHS|\nMSH|1\nBTS|1\nFTS|1\n"), ["3:MSH|1"]);
    assert_eq!(cut("no message\nMSHX\n"), Vec::<String>::new());
    assert_eq!(cut(""), Vec::<String>::new());
}

#[test]
fn an_answer_repeats_the_text_of_a_control_id() {
    for (id, repeated) in [
        ("M-1", "M-1"),
        (" M-1 ", "M-1"),
        ("", ""),
        ("M\u{b}MSH|", "M"),
        ("M\u{1c}", "M"),
        ("M\u{1c}\u{b}", "M"),
    ] {
        let bytes = format!("MSH|^~\\&|A|B|C|D|20261121140709||ADT^A04|{id}");
        let message = Message::scan(bytes.as_bytes()).unwrap();
        let mut answers = Answers::new(Millis(1_795_270_200_000), 1);
        answers.add(&Repeated::of(&message), Answer::Taken, None, 7);
        let expected = format!(
            "\u{b}MSH|^~\\&|SITREP||||20261121141000+0000||ACK^A04|1795270200000-7|P|2.4\rMSA|AA|{repeated}\r\u{1c}\r"
        );
        assert_eq!(String::from_utf8_lossy(answers.bytes()), expected, "{id:?}");
    }
}
