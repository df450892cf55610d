//! Bodies, whole and in pieces.

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Events = Result<Vec<Vec<u8>>, BodyError>;

/// The events of a body that comes in chunks of this size, JSON checked as the door does.
fn chunked(
    body: &[u8],
    form: Form,
    packed: bool,
    (bytes_max, events_max): (usize, usize),
    size: usize,
) -> Events {
    let mut events = Vec::new();
    let mut each = |piece: Piece<'_>| {
        if let Some(fault) = piece.fault().filter(|_| form != Form::Lines) {
            return Err(fault);
        }
        events.push(piece.bytes.to_vec());
        Ok(())
    };
    let mut body_of = Body::new(form, packed, bytes_max, events_max);
    for chunk in body.chunks(size) {
        body_of.push(chunk, &mut each)?;
    }
    body_of.finish(&mut each)?;
    Ok(events)
}

/// The same however it is cut.
fn events(body: &[u8], form: Form, packed: bool, bounds: (usize, usize)) -> Events {
    let whole = chunked(body, form, packed, bounds, body.len().max(1));
    for size in [1, 2, 3, 7, 64] {
        if body.len() <= 2_000 || size == 64 {
            assert_eq!(chunked(body, form, packed, bounds, size), whole, "in chunks of {size}");
        }
    }
    whole
}

const WIDE: (usize, usize) = (1 << 20, 10);

#[test]
fn a_packed_body_is_unpacked_within_its_bound() {
    let line = [&[b'x'; 999][..], b"\n"].concat();
    let lines = |packed: &[u8], max| events(packed, Form::Lines, true, (max, 10));
    assert_eq!(lines(&gzip(&line), 1_000), Ok(vec![vec![b'x'; 999]]));
    assert_eq!(lines(&gzip(&line), 999), Err(BodyError::TooLarge(999)));
    // A bomb is not unpacked to its end.
    assert_eq!(lines(&gzip(&vec![0; 50_000_000]), 1_000), Err(BodyError::TooLarge(1_000)));
    let two = [gzip(b"a"), gzip(b"b")].concat();
    assert_eq!(lines(&two, 10), Ok(vec![b"ab".to_vec()]));
    for bad in [
        &b""[..],
        b"{}",
        &gzip(&line)[..20],
        &gzip(b"abc")[..gzip(b"abc").len() - 1],
        &[&gzip(b"abc")[..], b"more"].concat(),
        &[&gzip(b"abc")[..], b"more than ten bytes of a header"].concat(),
    ] {
        assert_eq!(lines(bad, 1_000), Err(BodyError::NotGzip), "{bad:?}");
    }
    let mut wrong = gzip(b"abc");
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    assert_eq!(lines(&wrong, 1_000), Err(BodyError::NotGzip), "a wrong checksum");
}

#[test]
fn bodies_are_taken_apart() {
    use Form::{Json, Lines};
    for (form, body, expected) in [
        (Json, "{}", &["{}"][..]),
        (Json, " \n{\"a\":[1,2]}\n ", &["{\"a\":[1,2]}"]),
        (Json, "[]", &[]),
        (Json, " [ ] ", &[]),
        (Json, " [ {} , {\"a\":\"]\"} ] ", &["{}", "{\"a\":\"]\"}"]),
        (
            Json,
            "[{\"a\":\"\\\"}\\\\\"},{\"}\":[{},\"[\"]}]",
            &["{\"a\":\"\\\"}\\\\\"}", "{\"}\":[{},\"[\"]}"],
        ),
        (Json, "[1,null,\"x\",[[]],-1.5e3 ,true]", &["1", "null", "\"x\"", "[[]]", "-1.5e3", "true"]),
        (Lines, "", &[]),
        (Lines, "\n \n\r\n\t\n", &[]),
        (Lines, "{}\n{\"a\":1}", &["{}", "{\"a\":1}"]),
        (Lines, " {}\r\n\r\nnonsense \n", &["{}", "nonsense"]),
    ] {
        let expected: Vec<Vec<u8>> = expected.iter().map(|event| event.as_bytes().to_vec()).collect();
        assert_eq!(events(body.as_bytes(), form, false, WIDE), Ok(expected.clone()), "{body:?}");
        assert_eq!(events(&gzip(body.as_bytes()), form, true, WIDE), Ok(expected), "{body:?} packed");
    }
}

#[test]
fn a_body_that_is_no_json_is_refused_as_a_whole() {
    for bad in [
        "",
        " ",
        "nonsense",
        "{",
        "[{}",
        "[{},]",
        "[,{}]",
        "[{}{}]",
        "[{},,{}]",
        "{}{}",
        "[]{}",
        "1",
        "null",
        "\"{}\"",
        "[{}] x",
        "{\"a\"}",
        "[{]",
        "[}]",
        "[{}}",
        "[\"a]",
        "[nonsense]",
        "[1 2]",
        "[{\"a\":1]}",
        "]",
        "[\"\\\"]",
        "[\u{c}]",
        "[1,\u{c},2]",
        "[\u{c}1]",
    ] {
        let error = events(bad.as_bytes(), Form::Json, false, WIDE).unwrap_err();
        assert!(matches!(error, BodyError::NotJson | BodyError::Broken(_)), "{bad:?}: {error}");
    }
    assert_eq!(events(b"[\"\xff\"]", Form::Json, false, WIDE), Err(BodyError::NotJson));
}

/// However it is cut into chunks.
#[test]
fn where_a_body_of_one_event_is_broken_is_said() {
    for (bad, said) in [
        (&b"{\"a\"}"[..], "not JSON at line 1 column 5"),
        (b"{\"a\":1,\n \"b\": nul}", "not JSON at line 2 column 10"),
        (b" \n  {\"a\"}", "not JSON at line 2 column 7"),
        (b"\n{\n\"a\":1,\n}", "not JSON at line 4 column 1"),
        (b"{\n\"a\":1", "not JSON at line 2 column 5"),
        (b"{", "not JSON at line 1 column 1"),
        (b"{\"a\":\n \"\xff\"}", "not UTF-8 at line 2 column 3"),
        (b"  {\"a\":\"\xff\"}", "not UTF-8 at line 1 column 9"),
        (b"{\"a\":\"\xff", "not UTF-8 at line 1 column 7"),
    ] {
        for form in [Form::Json, Form::One] {
            let form_said = events(bad, form, false, WIDE).map_err(|error| error.to_string());
            let text = String::from_utf8_lossy(bad);
            assert_eq!(form_said, Err(format!("the body is {said}")), "{text} {form:?}");
        }
    }
}

/// What serde takes as an array of values, or as one object, this takes apart into the same; and nothing else.
#[test]
fn any_text_is_taken_apart_as_serde_would() {
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let parts = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "1",
        "null",
        " ",
        "\"a\"",
        "{}",
        "[]",
        "{\"a\":[1]}",
        "\n",
        "\u{c}",
    ];
    let mut good = 0;
    for _ in 0..200_000 {
        let mut text: String = (0..random(9)).map(|_| parts[random(parts.len())]).collect();
        if random(2) == 0 {
            text = format!("[{text}]");
        }
        let array = serde_json::from_str::<Vec<&RawValue>>(&text).ok();
        let object =
            serde_json::from_str::<&RawValue>(&text).ok().filter(|value| value.get().starts_with('{'));
        let expected = array.or(object.map(|object| vec![object]));
        good += usize::from(expected.is_some());
        let expected =
            expected.map(|all| all.iter().map(|one| one.get().as_bytes().to_vec()).collect::<Vec<_>>());
        let found = chunked(text.as_bytes(), Form::Json, false, WIDE, 1 + random(8));
        assert_eq!(found.ok(), expected, "{text:?}");
    }
    assert!(good > 1_000, "{good}");
}

#[test]
fn a_deep_array_costs_no_stack() {
    let deep = format!("[{}{}]", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(events(deep.as_bytes(), Form::Json, false, WIDE).map(|events| events.len()), Ok(1));
}

#[test]
fn a_post_has_a_bounded_number_of_events() {
    let of = |body: &str, form| events(body.as_bytes(), form, false, (100, 2)).map(|events| events.len());
    assert_eq!(of("1\n2\n3", Form::Lines), Err(BodyError::TooMany(2)));
    assert_eq!(of("[1,2,3]", Form::Json), Err(BodyError::TooMany(2)));
    assert_eq!(of("1\n2\n\n", Form::Lines), Ok(2));
    let long = " ".repeat(101);
    assert_eq!(of(&long, Form::Lines), Err(BodyError::TooLarge(100)));
    assert_eq!(of(&long, Form::Json), Err(BodyError::TooLarge(100)));
}

#[test]
fn of_an_event_over_its_bound_the_first_part_is_held_with_length_and_digest() {
    let most = MAX_EVENT_BYTES;
    for (length, is_cut) in [(most - 1, false), (most, false), (most + 1, true), (3 * most, true)] {
        let event = format!("\"{}\"", "x".repeat(length - 2));
        for (form, body) in [(Form::Lines, format!(" {event}\r\n1")), (Form::Json, format!("[ {event} ,1]"))]
        {
            for size in [1, 1_000, most, 10 * most] {
                let mut pieces = Vec::new();
                let mut each = |piece: Piece<'_>| {
                    pieces.push((piece.bytes.to_vec(), piece.cut));
                    Ok::<(), BodyError>(())
                };
                let mut parts = Body::new(form, false, 1 << 20, 10);
                body.as_bytes().chunks(size).for_each(|chunk| parts.push(chunk, &mut each).unwrap());
                parts.finish(&mut each).unwrap();
                let digest = (event.len() as u64, Sha256::digest(&event).into());
                let first = event.as_bytes()[..length.min(most)].to_vec();
                assert_eq!(
                    pieces,
                    [(first, is_cut.then_some(digest)), (b"1".to_vec(), None)],
                    "{form:?} {length} {size}"
                );
            }
        }
    }
}

#[test]
fn the_content_type_chooses_the_form() {
    for (text, form) in [
        (Some("application/x-ndjson"), Form::Lines),
        (Some("Application/X-NDJSON; charset=utf-8"), Form::Lines),
        (Some("application/json"), Form::Json),
        (Some("text/plain"), Form::Json),
        (None, Form::Json),
    ] {
        assert_eq!(Form::of(text), form, "{text:?}");
    }
}
