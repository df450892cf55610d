//! The body of a post: unpacked within its bound and taken apart into events, without reading them.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::value::RawValue;

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
    /// It is larger than it may be, unpacked.
    #[error("the body has more than {0} bytes after unpacking; send it in parts")]
    TooLarge(usize),
    /// It has more events than one post may have.
    #[error("the body has more than {0} events; send it in parts")]
    TooMany(usize),
}

/// How the events of a body are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One event, or an array of events.
    Json,
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

/// Unpacks gzip, at most `max` bytes of it.
pub(crate) fn gunzip(packed: &[u8], max: usize) -> Result<Vec<u8>, BodyError> {
    let mut unpacked = Vec::with_capacity(packed.len().saturating_mul(4).min(max));
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed).take(bound).read_to_end(&mut unpacked).map_err(|_| BodyError::NotGzip)?;
    if unpacked.len() > max { Err(BodyError::TooLarge(max)) } else { Ok(unpacked) }
}

/// The bytes of each event, at most `max` of them. NDJSON is cut at its line ends and not looked into; blank lines are
/// no events. An array is checked to be JSON as a whole.
pub(crate) fn events(body: &[u8], form: Form, max: usize) -> Result<Vec<&[u8]>, BodyError> {
    let events: Vec<&[u8]> = match form {
        Form::Lines => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            lines.filter(|line| !line.is_empty()).take(max.saturating_add(1)).collect()
        }
        Form::Json if body.trim_ascii_start().first() == Some(&b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| BodyError::NotJson)?;
            elements.into_iter().map(|element| element.get().as_bytes()).collect()
        }
        Form::Json => {
            let object: &RawValue = serde_json::from_slice(body).map_err(|_| BodyError::NotJson)?;
            if !object.get().starts_with('{') {
                return Err(BodyError::NotJson);
            }
            vec![object.get().as_bytes()]
        }
    };
    if events.len() > max { Err(BodyError::TooMany(max)) } else { Ok(events) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_packed_body_is_unpacked_within_its_bound() {
        let body = vec![b' '; 1_000];
        assert_eq!(gunzip(&gzip(&body), 1_000), Ok(body.clone()));
        assert_eq!(gunzip(&gzip(&body), 999), Err(BodyError::TooLarge(999)));
        // A bomb is not unpacked to its end.
        assert_eq!(gunzip(&gzip(&vec![0; 50_000_000]), 1_000), Err(BodyError::TooLarge(1_000)));
        let two = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(gunzip(&two, 10), Ok(b"ab".to_vec()));
        for bad in [&b""[..], b"{}", &gzip(&body)[..20], &gzip(b"abc")[..gzip(b"abc").len() - 1]] {
            assert_eq!(gunzip(bad, 1_000), Err(BodyError::NotGzip), "{bad:?}");
        }
    }

    #[test]
    fn bodies_are_taken_apart() {
        use Form::{Json, Lines};
        for (form, body, expected) in [
            (Json, "{}", &["{}"][..]),
            (Json, " \n{\"a\":[1,2]}\n ", &["{\"a\":[1,2]}"]),
            (Json, "[]", &[]),
            (Json, " [ {} , {\"a\":\"]\"} ] ", &["{}", "{\"a\":\"]\"}"]),
            (Json, "[1,null,\"x\",[[]]]", &["1", "null", "\"x\"", "[[]]"]),
            (Lines, "", &[]),
            (Lines, "\n \n\r\n\t\n", &[]),
            (Lines, "{}\n{\"a\":1}", &["{}", "{\"a\":1}"]),
            (Lines, "{}\r\n\r\nnonsense\n", &["{}", "nonsense"]),
        ] {
            let expected: Vec<&[u8]> = expected.iter().map(|event| event.as_bytes()).collect();
            assert_eq!(events(body.as_bytes(), form, 10), Ok(expected), "{body:?}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_is_refused_as_a_whole() {
        for bad in [
            "", " ", "nonsense", "{", "[{}", "[{},]", "{}{}", "[]{}", "1", "null", "\"{}\"", "[{}] x",
            "{\"a\"}",
        ] {
            assert_eq!(events(bad.as_bytes(), Form::Json, 10), Err(BodyError::NotJson), "{bad:?}");
        }
        assert_eq!(events(b"[\"\xff\"]", Form::Json, 10), Err(BodyError::NotJson));
        assert_eq!(events(b"{\"a\":\"\xff\"}", Form::Json, 10), Err(BodyError::NotJson));
    }

    #[test]
    fn a_deep_array_costs_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(events(deep.as_bytes(), Form::Json, 10).map(|events| events.len()), Ok(1));
    }

    #[test]
    fn a_post_has_a_bounded_number_of_events() {
        assert_eq!(events(b"1\n2\n3", Form::Lines, 2), Err(BodyError::TooMany(2)));
        assert_eq!(events(b"[1,2,3]", Form::Json, 2), Err(BodyError::TooMany(2)));
        assert!(events(b"1\n2\n\n", Form::Lines, 2).is_ok());
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
}
