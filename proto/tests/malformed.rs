//! What is refused, and with which words (spec 1 and 1.7). The words name fields and what would be right; they never
//! repeat a value of the event.

use contract::{Hashed, MAX_EVENT_BYTES, References, Required, parse_json, parse_protobuf};
use domain::event::{Event, Outcome, Statement};
use domain::ids::Ref;

const HEAD: &str = r#""id":"1","source":"a.b","recorded_at":"2026-11-21T14:07:09Z""#;

/// An event whose statement is this text.
fn with(statement: &str) -> String {
    format!("{{{HEAD},{statement}}}")
}

/// An attendance with these members after its key.
fn attendance(members: &str) -> String {
    with(&format!(r#""attendance":{{"site":"RXF05","ref":"A1",{members}}}"#))
}

fn detail(bytes: &[u8]) -> String {
    let refused = parse_json(bytes, &Hashed).expect_err("refused");
    assert_eq!(refused.outcome, Outcome::Malformed);
    refused.detail
}

const KINDS: &str =
    "exactly one of attendance, ambulance, beds, standard, escalation, heartbeat must be there";
const INSTANT: &str =
    "must be an instant of 2000 to 2099: YYYY-MM-DDThh:mm:ss with an offset such as Z or +01:00";
const WHOLE: &str = "must be a whole number, written without quotes, fraction or exponent";
const CODE: &str = "must be a code: text of 1 to 32 printable ASCII characters";
const AREA: &str = "must be null or text of 1 to 32 of A–Z, a–z, 0–9, ' ', '.', '_', '-'";

#[test]
fn facts_that_are_wrong() {
    for (members, expected) in [
        (r#""arrived_at":"1999-12-31T23:59:59Z""#, format!("attendance.arrived_at: {INSTANT}")),
        (r#""arrived_at":"2100-01-01T00:00:00Z""#, format!("attendance.arrived_at: {INSTANT}")),
        (r#""arrived_at":"2026-11-21T14:07:09""#, format!("attendance.arrived_at: {INSTANT}")),
        (r#""arrived_at":1795270029"#, format!("attendance.arrived_at: {INSTANT}")),
        (r#""acuity":1.0"#, format!("attendance.acuity: {WHOLE}")),
        (r#""acuity":1e0"#, format!("attendance.acuity: {WHOLE}")),
        (r#""acuity":"1""#, format!("attendance.acuity: {WHOLE}")),
        (r#""acuity":-1"#, format!("attendance.acuity: {WHOLE}")),
        (r#""acuity":-0"#, format!("attendance.acuity: {WHOLE}")),
        (r#""acuity":true"#, format!("attendance.acuity: {WHOLE}")),
        (r#""acuity":[1]"#, format!("attendance.acuity: {WHOLE}")),
        (r#""acuity":0"#, "attendance.acuity: must be a whole number of 1 to 5".into()),
        (r#""acuity":6"#, "attendance.acuity: must be a whole number of 1 to 5".into()),
        (r#""acuity":257"#, "attendance.acuity: must be a whole number of 1 to 5".into()),
        (r#""department_type":0"#, "attendance.department_type: must be a whole number of 1 to 5".into()),
        (r#""department_type":6"#, "attendance.department_type: must be a whole number of 1 to 5".into()),
        (r#""void":1"#, "attendance.void: must be true or false".into()),
        (r#""void":"true""#, "attendance.void: must be true or false".into()),
        (
            r#""arrival_mode":"Ambulance""#,
            "attendance.arrival_mode: must be one of ambulance, other, walk_in".into(),
        ),
        (
            r#""disposal":"""#,
            "attendance.disposal: must be one of admitted, died, discharged, left, streamed, transferred"
                .into(),
        ),
        (
            r#""disposal":{}"#,
            "attendance.disposal: must be one of admitted, died, discharged, left, streamed, transferred"
                .into(),
        ),
        (r#""ambulance":{}"#, "attendance.ambulance: service is missing".into()),
        (r#""ambulance":"RX8""#, "attendance.ambulance: must be an object".into()),
        (r#""ambulance":{"service":"RX8"}"#, "attendance.ambulance: ref is missing".into()),
        (
            r#""ambulance":{"service":null,"ref":"A1"}"#,
            format!("attendance.ambulance.service: {}", "must be text"),
        ),
        (r#""ambulance":{"service":"RX8","ref":null}"#, "attendance.ambulance.ref: must be text".into()),
        (r#""location":null"#, "attendance.location: must be an object".into()),
        (r#""location":{"area":"Majors"}"#, "attendance.location: since is missing".into()),
        (r#""location":{"since":"2026-11-21T14:07:09Z"}"#, "attendance.location: area is missing".into()),
        (r#""location":{"area":"Majors","since":null}"#, format!("attendance.location.since: {INSTANT}")),
        (
            r#""location":{"area":"","since":"2026-11-21T14:07:09Z"}"#,
            format!("attendance.location.area: {AREA}"),
        ),
        (
            r#""location":{"area":"<b>","since":"2026-11-21T14:07:09Z"}"#,
            format!("attendance.location.area: {AREA}"),
        ),
        (
            r#""location":{"area":"Majorsé","since":"2026-11-21T14:07:09Z"}"#,
            format!("attendance.location.area: {AREA}"),
        ),
        (
            r#""location":{"area":"123456789012345678901234567890123","since":"2026-11-21T14:07:09Z"}"#,
            format!("attendance.location.area: {AREA}"),
        ),
        (r#""void":true,"void":true"#, "attendance.void: stands twice in one object".into()),
        (r#""void":true,"void":null"#, "attendance.void: stands twice in one object".into()),
        (r#""void":true,"v\u006fid":true"#, "attendance.void: stands twice in one object".into()),
        (
            r#""ambulance":{"service":"RX8","service":"RX8","ref":"A"}"#,
            "attendance.ambulance.service: stands twice in one object".into(),
        ),
    ] {
        assert_eq!(detail(attendance(members).as_bytes()), expected, "{members}");
    }
}

#[test]
fn keys_that_are_wrong_and_events_that_say_nothing() {
    for (statement, expected) in [
        (
            r#""attendance":{"site":"RXF05","ref":"A1"}"#,
            "attendance: states no fact: at least one beside site and ref must be there".to_owned(),
        ),
        (r#""attendance":{"ref":"A1","void":true}"#, "attendance: site is missing".into()),
        (r#""attendance":{"site":"RXF05","void":true}"#, "attendance: ref is missing".into()),
        (r#""attendance":{"site":null,"ref":"A1","void":true}"#, "attendance.site: must be text".into()),
        (r#""attendance":{"site":7,"ref":"A1","void":true}"#, "attendance.site: must be text".into()),
        (r#""attendance":{"site":"","ref":"A1","void":true}"#, format!("attendance.site: {CODE}")),
        (r#""attendance":{"site":"RXF05\n","ref":"A1","void":true}"#, format!("attendance.site: {CODE}")),
        (r#""attendance":{"site":"RXFé","ref":"A1","void":true}"#, format!("attendance.site: {CODE}")),
        (
            r#""attendance":{"site":"RXF05","ref":"","void":true}"#,
            "attendance.ref: must be text of 1 to 64 bytes".into(),
        ),
        (
            r#""attendance":{"site":"RXF05","ref":"12345678901234567890123456789012345678901234567890123456789012345","void":true}"#,
            "attendance.ref: must be text of 1 to 64 bytes".into(),
        ),
        (r#""attendance":null"#, "attendance: must be an object".into()),
        (r#""attendance":[]"#, "attendance: must be an object".into()),
        (
            r#""ambulance":{"service":"RX8","ref":"A1"}"#,
            "ambulance: states no fact: at least one beside service and ref must be there".into(),
        ),
        (
            r#""ambulance":{"service":"RX8","ref":"A1","category":"C6"}"#,
            "ambulance.category: must be one of C1, C2, C3, C4, C5".into(),
        ),
        (
            r#""ambulance":{"service":"RX8","ref":"A1","destination":""}"#,
            format!("ambulance.destination: {CODE}"),
        ),
        (
            r#""beds":{"site":"RXF05","as_of":"2026-11-21T08:00:00Z"}"#,
            "beds: states no fact: at least one beside site and as_of must be there".into(),
        ),
        (r#""beds":{"site":"RXF05","as_of":null,"open":1}"#, format!("beds.as_of: {INSTANT}")),
        (
            r#""beds":{"site":"RXF05","as_of":"2026-11-21T08:00:00Z","open":4294967296}"#,
            "beds.open: must be a whole number of 0 to 4294967295".into(),
        ),
        (
            r#""standard":{"standard":"rtt","org":"RXF","period_start":"2026-10-01"}"#,
            "standard: states no fact: at least one beside standard, org and period_start must be there"
                .into(),
        ),
        (
            r#""standard":{"standard":"rtt","org":"RXF","period_start":"2026-02-29","met":1}"#,
            "standard.period_start: must be a date of 2000 to 2099: YYYY-MM-DD".into(),
        ),
        (
            r#""standard":{"standard":"rtt","org":"RXF","period_start":"2100-01-01","met":1}"#,
            "standard.period_start: must be a date of 2000 to 2099: YYYY-MM-DD".into(),
        ),
        (
            r#""standard":{"standard":"rtt","org":"RXF","period_start":"2026-10-01","met":9007199254740993}"#,
            "standard.met: must be a whole number of 0 to 2^53".into(),
        ),
        (
            r#""standard":{"standard":"rtt","org":"RXF","period_start":"2026-10-01","met":18446744073709551616}"#,
            format!("standard.met: {WHOLE}"),
        ),
        (
            r#""escalation":{"org":"RXF","scale":"opel","since":"2026-11-21T08:00:00Z"}"#,
            "escalation: states no fact: level must be there, a number or null".into(),
        ),
        (
            r#""escalation":{"org":"RXF","scale":"opel","since":"2026-11-21T08:00:00Z","level":5}"#,
            "escalation.level: must be a whole number of 1 to 4, or null".into(),
        ),
        (r#""heartbeat":{"level":1}"#, "heartbeat: must be {}".into()),
        (r#""heartbeat":null"#, "heartbeat: must be an object".into()),
        (r#""heartbeat":{},"beds":null"#, format!("beds: {KINDS}")),
        (r#""heartbeat":{},"heartbeat":{}"#, "heartbeat: stands twice in one object".into()),
        (
            r#""void":true"#,
            "the event: key number 4 is unknown; the keys are id, source, recorded_at, attendance, \
                            ambulance, beds, standard, escalation, heartbeat"
                .into(),
        ),
    ] {
        assert_eq!(detail(with(statement).as_bytes()), expected, "{statement}");
    }
}

#[test]
fn heads_that_are_wrong() {
    let (id, source) =
        ("must be text of 1 to 128 bytes", "must be text of 1 to 64 of a–z, 0–9, '.', '_', '-'");
    let long_id = format!(r#""id":"{}","source":"a","recorded_at":"2026-11-21T14:07:09Z""#, "é".repeat(65));
    let long_source =
        format!(r#""id":"1","source":"{}","recorded_at":"2026-11-21T14:07:09Z""#, "a".repeat(65));
    for (head, expected) in [
        ("", "the event: id is missing".to_owned()),
        (r#""id":"1","source":"a""#, "the event: recorded_at is missing".into()),
        (r#""id":"","source":"a","recorded_at":"2026-11-21T14:07:09Z""#, format!("id: {id}")),
        (r#""id":1,"source":"a","recorded_at":"2026-11-21T14:07:09Z""#, "id: must be text".into()),
        (&long_id, format!("id: {id}")),
        (r#""id":"1","source":"","recorded_at":"2026-11-21T14:07:09Z""#, format!("source: {source}")),
        (r#""id":"1","source":"A","recorded_at":"2026-11-21T14:07:09Z""#, format!("source: {source}")),
        (r#""id":"1","source":"a b","recorded_at":"2026-11-21T14:07:09Z""#, format!("source: {source}")),
        (&long_source, format!("source: {source}")),
        (r#""id":"1","source":"a","recorded_at":"tomorrow""#, format!("recorded_at: {INSTANT}")),
        (r#""id":"1","source":"a","recorded_at":null"#, format!("recorded_at: {INSTANT}")),
    ] {
        let comma = if head.is_empty() { "" } else { "," };
        assert_eq!(detail(format!(r#"{{{head}{comma}"heartbeat":{{}}}}"#).as_bytes()), expected, "{head}");
    }
    assert_eq!(detail(format!("{{{HEAD}}}").as_bytes()), format!("the event: {KINDS}"));
}

#[test]
fn what_is_no_json_object() {
    let deep = with(&format!(r#""attendance":{}{}"#, "[".repeat(100), "]".repeat(100)));
    let deeper = with(&format!(r#""attendance":{}{}"#, r#"{"a":"#.repeat(200), "}".repeat(200)));
    let heartbeat = with(r#""heartbeat":{}"#);
    for (bytes, expected) in [
        (&b""[..], "not JSON: EOF while parsing a value at line 1 column 0"),
        (b"  ", "not JSON: EOF while parsing a value at line 1 column 2"),
        (b"null", "the event: must be an object"),
        (b"[]", "the event: must be an object"),
        (b"{", "not JSON: EOF while parsing an object at line 1 column 1"),
        (b"{\"id\":\"1\"", "not JSON: EOF while parsing an object at line 1 column 9"),
        (b"{id:1}", "not JSON: key must be a string at line 1 column 2"),
        (b"{\"id\":\"\xff\"}", "not UTF-8 at byte 7"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"{\"id\":\"\\ud800\"}", "not JSON: unexpected end of hex escape at line 1 column 14"),
        (
            b"{\"id\":\"a\nb\"}",
            "not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
        (deep.as_bytes(), "attendance: must be an object"),
        (deeper.as_bytes(), "not JSON: recursion limit exceeded at line 1 column 706"),
        (format!("{heartbeat}{heartbeat}").as_bytes(), "not JSON: trailing characters at line 1 column 78"),
        (format!("{heartbeat},").as_bytes(), "not JSON: trailing characters at line 1 column 78"),
        (format!("{heartbeat}\0").as_bytes(), "not JSON: trailing characters at line 1 column 78"),
        (format!("\u{feff}{heartbeat}").as_bytes(), "not JSON: expected value at line 1 column 1"),
    ] {
        assert_eq!(detail(bytes), expected, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn an_event_may_have_64_kibibytes_and_not_one_more() {
    let event = with(r#""heartbeat":{}"#);
    let most = format!("{event}{}", " ".repeat(MAX_EVENT_BYTES - event.len()));
    assert!(parse_json(most.as_bytes(), &Hashed).is_ok());
    let refused = parse_json(format!("{most} ").as_bytes(), &Hashed).unwrap_err();
    assert_eq!(refused.outcome, Outcome::TooLarge);
    assert_eq!(refused.detail, "65537 bytes; an event has at most 65536");
    let refused = parse_protobuf(&[0; MAX_EVENT_BYTES + 1], &Hashed, &mut 0).unwrap_err();
    assert_eq!(refused.outcome, Outcome::TooLarge);
}

#[test]
fn what_is_taken_although_it_looks_odd() {
    for text in [
        attendance(r#""void":null"#),
        attendance(r#""ambulance":null"#),
        attendance(r#""location":{"since":"2026-11-21T14:07:09+00:00","area":null}"#),
        attendance(r#" "void" : true , "child":false"#),
        format!("\n\t {{{HEAD}, \"heartbeat\" : {{ }} }}\r\n"),
        with(r#""\u0068eartbeat":{}"#),
        format!(r#"{{"heartbeat":{{}},{HEAD}}}"#),
        with(r#""escalation":{"org":"RXF","scale":"opel","since":"2026-11-21T08:00:00Z","level":null}"#),
        with(r#""attendance":{"void":true,"ref":"\u0000é","site":"RX F05"}"#),
        r#"{"id":"\u0000\n\"é","source":"a","recorded_at":"2026-11-21t14:07:09.999999z","heartbeat":{}}"#
            .into(),
    ] {
        assert!(parse_json(text.as_bytes(), &Hashed).is_ok(), "{text}");
    }
}

fn reference_of(text: &str) -> Ref {
    let json = with(&format!(r#""attendance":{{"ref":"{text}","void":true,"site":"RXF05"}}"#));
    match parse_json(json.as_bytes(), &Hashed).expect("an event").statement {
        Statement::Attendance(said) => said.reference,
        other => panic!("{other:?}"),
    }
}

#[test]
fn references_are_pseudonyms_or_are_hashed_with_their_place() {
    let digits = "00112233445566778899aabbccddeeFF";
    assert_eq!(Some(reference_of(digits)), Ref::from_hex(digits.as_bytes()));
    assert_eq!(Some(reference_of("A1")), Hashed.reference("RXF05", "A1"));
    assert_ne!(Hashed.reference("RXF05", "A1"), Hashed.reference("RXF06", "A1"));
    assert_ne!(Hashed.reference("RXF0", "5A1"), Hashed.reference("RXF05", "A1"));
    // As the hash of these bytes is everywhere: files written by one version are read by the next.
    let expected = xxhash_rust::xxh3::xxh3_128(b"RXF05\x1fA1").to_be_bytes();
    assert_eq!(Hashed.reference("RXF05", "A1"), Some(Ref(expected)));
    for text in ["A1", "", "00112233445566778899aabbccddeeg0", "00112233445566778899aabbccddeef"] {
        assert_eq!(Required.reference("RXF05", text), None, "{text}");
        let json = with(&format!(r#""attendance":{{"site":"RXF05","ref":"{text}","void":true}}"#));
        let refused = parse_json(json.as_bytes(), &Required).unwrap_err();
        assert!(refused.detail.starts_with("attendance"), "{}", refused.detail);
    }
}

/// Every byte position of every example is overwritten with an identifier in several forms: no detail repeats it.
#[test]
fn no_detail_repeats_a_value() {
    const PLANTED: &str = "9434765919";
    let mut refused = 0;
    for golden in [
        include_str!("../golden/event-attendance.json"),
        include_str!("../golden/event-ambulance.json"),
        include_str!("../golden/event-beds.json"),
        include_str!("../golden/event-standard.json"),
        include_str!("../golden/event-escalation.json"),
        include_str!("../golden/event-heartbeat.json"),
    ] {
        for start in (0..golden.len()).filter(|at| golden.is_char_boundary(*at)) {
            for planted in [PLANTED.to_owned(), format!("\"{PLANTED}\""), format!("{PLANTED}\":\"{PLANTED}")]
            {
                for end in [start, golden.len().min(start + 12)] {
                    let text = format!("{}{planted}{}", &golden[..start], &golden[end..]);
                    if let Err(error) = parse_json(text.as_bytes(), &Required) {
                        refused += 1;
                        assert!(!error.detail.contains(PLANTED), "{}", error.detail);
                    }
                }
            }
        }
    }
    assert!(refused > 5_000, "{refused}");
}

fn parsed(message: &[u8]) -> Result<(Event<'_>, u64), String> {
    let mut unknown = 0;
    parse_protobuf(message, &Hashed, &mut unknown)
        .map(|event| (event, unknown))
        .map_err(|refused| refused.detail)
}

/// An event in protobuf: its head, then these bytes.
fn message(rest: &[u8]) -> Vec<u8> {
    let mut message = b"\x0a\x011\x12\x01a\x18".to_vec();
    message.extend([0xc0, 0xa1, 0xd2, 0x9f, 0xa0, 0x34]);
    message.extend(rest);
    message
}

#[test]
fn protobuf_that_is_refused() {
    let site_ref = b"\x0a\x02R1\x12\x02A1";
    let attendance = |rest: &[u8]| {
        let inside = [site_ref, rest].concat();
        message(&[&[0x22, inside.len() as u8], inside.as_slice()].concat())
    };
    for (bytes, expected) in [
        (Vec::new(), "the event: id is missing".to_owned()),
        (b"\x0a".to_vec(), "the event: not a protobuf message".into()),
        (message(b""), format!("the event: {KINDS}")),
        (message(b"\x52\x00"), format!("the event: {KINDS}")),
        (message(b"\x4a\x00\x4a\x00"), format!("heartbeat: {KINDS}")),
        (message(b"\x48\x01"), "heartbeat: must be a message".into()),
        (message(b"\x4a\x01\x08"), "heartbeat: not a protobuf message".into()),
        (
            attendance(b""),
            "attendance: states no fact: at least one beside site and ref must be there".into(),
        ),
        (attendance(b"\x30\x00"), "attendance.acuity: must be a whole number of 1 to 5".into()),
        (attendance(b"\x32\x01\x01"), "attendance.acuity: must be a whole number".into()),
        (attendance(b"\x48\x01"), "attendance.arrived_at: must be Unix seconds within 2000 to 2099".into()),
        (
            attendance(b"\x80\x01\x00"),
            "attendance.disposal: must be one of admitted, died, discharged, left, streamed, transferred"
                .into(),
        ),
        (
            attendance(b"\x80\x01\x07"),
            "attendance.disposal: must be one of admitted, died, discharged, left, streamed, transferred"
                .into(),
        ),
        (attendance(b"\xfa\x03\x01\x01"), "attendance.site: is both stated and retracted".into()),
        (attendance(b"\x20\x01\xf8\x03\x04"), "attendance.planned: is both stated and retracted".into()),
        (attendance(b"\xfa\x03\x01\x11"), "attendance.location: must be a message".into()),
        (attendance(b"\xfa\x03\x01\x80"), "attendance: not a protobuf message".into()),
        (
            attendance(b"\xfa\x03\x01\x63"),
            "attendance: states no fact: at least one beside site and ref must be there".into(),
        ),
        (attendance(b"\x8a\x01\x00"), "attendance.location: area is missing".into()),
        (
            attendance(b"\x42\x08\x0a\x02R1\x12\x02A1\x42\x08\x0a\x02R1\x12\x02A1"),
            "attendance.ambulance: must be there once only".into(),
        ),
        (message(b"\x22\x0b\x12\x02A1\x90\x01\x01\xfa\x03\x01\x01"), "attendance.site: must be text".into()),
        (message(b"\x22\x09\x0a\x02R\xff\x12\x02A1\x20"), "attendance.site: must be UTF-8".into()),
    ] {
        assert_eq!(parsed(&bytes).unwrap_err(), expected, "{bytes:x?}");
    }
}

#[test]
fn unknown_protobuf_fields_are_left_out_and_counted() {
    for (rest, expected) in [
        (&b"\x4a\x00"[..], 0),
        (b"\x50\x01\x4a\x00", 1),
        (b"\x4a\x02\x08\x01\x5a\x00", 2),
        (b"\x22\x10\x0a\x02R1\x12\x02A1\x98\x01\x01\xfa\x03\x02\x04\x13", 2),
        (b"\x22\x10\x0a\x02R1\x12\x02A1\x9d\x01\x00\x00\x00\x00\x20\x00", 1),
    ] {
        let bytes = message(rest);
        assert_eq!(parsed(&bytes).map(|(_, unknown)| unknown), Ok(expected), "{rest:x?}");
    }
    let mut unknown = 7;
    assert!(parse_protobuf(&message(b"\x50\x01"), &Hashed, &mut unknown).is_err());
    assert_eq!(unknown, 7, "a refused event is counted as refused, not here");
}
