//! Frames, however the stream is divided.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// A frame in words, so that it can be kept.
fn words(frame: Frame<'_>) -> String {
    match frame {
        Frame::Whole(bytes) => format!("whole {}", bytes.escape_ascii()),
        Frame::Broken(bytes) => format!("broken {}", bytes.escape_ascii()),
        Frame::TooLarge(head, length, digest) => {
            format!("too large {} of {length} {:02x}{:02x}", head.escape_ascii(), digest[0], digest[1])
        }
    }
}

fn frames_of(chunks: &[&[u8]], max: usize) -> (Vec<String>, u64, bool) {
    let (mut decoder, mut frames) = (Decoder::new(max), Vec::new());
    for chunk in chunks {
        decoder.push(chunk, |frame| frames.push(words(frame)));
    }
    (frames, decoder.skipped(), decoder.is_inside())
}

const MAX: usize = 12;

/// A stream, its frames, the bytes outside frames, and whether a frame is under way at its end.
type Case = (&'static [u8], &'static [&'static str], u64, bool);

const STREAMS: &[Case] = &[
    (b"", &[], 0, false),
    (b"\x0bMSH|1\x1c\r", &["whole MSH|1"], 0, false),
    (b"\x0bMSH|1\x1c\r\x0bMSH|2\x1c\r", &["whole MSH|1", "whole MSH|2"], 0, false),
    (b"\x0b\x1c\r", &[], 3, false),
    (b"\x0b\x1c\r\x0b\x1c\x0bMSH|1\x1c\r", &["whole MSH|1"], 5, false),
    (b"noise\r\n\x0bMSH|1\x1c\r\r\nmore", &["whole MSH|1"], 13, false),
    (b"\x1c\r\x0b", &[], 2, true),
    (b"\x0bMSH|1", &[], 0, true),
    // The end's CR is missing before the next frame.
    (b"\x0bMSH|1\x1c\x0bMSH|2\x1c\r", &["whole MSH|1", "whole MSH|2"], 0, false),
    // A sender that broke off came back; twice at once.
    (b"\x0bMSH|1\x0bMSH|2\x1c\r", &["broken MSH|1", "whole MSH|2"], 0, false),
    (b"\x0b\x0b\x0bMSH|2\x1c\r", &["broken \\x0b", "whole MSH|2"], 0, false),
    (b"\x0b\x0bMSH|2\x1c\r", &["whole MSH|2"], 0, false),
    (b"\x0bjunk\x0bMSH|2\x1c\r", &["broken junk", "whole MSH|2"], 0, false),
    // A vertical tab and a file separator in a text.
    (b"\x0bMSH|a\x0bb\x1c\r", &["whole MSH|a\\x0bb"], 0, false),
    (b"\x0bMSH|\x0bMS\x1c\r", &["whole MSH|\\x0bMS"], 0, false),
    (b"\x0bMSH|a\x1cb\x1c\r", &["whole MSH|a\\x1cb"], 0, false),
    (b"\x0bMSH|1\x1c\x1c\r", &["whole MSH|1\\x1c"], 0, false),
    // Exactly the limit, and over it.
    (b"\x0bMSH|45678901\x1c\r", &["whole MSH|45678901"], 0, false),
    (
        b"\x0bMSH|456789012\x1c\r\x0bMSH|2\x1c\r",
        &["too large MSH|45678901 of 13 9069", "whole MSH|2"],
        0,
        false,
    ),
    (
        b"\x0bMSH|4567890123456789\x0bMSH|2\x1c\r",
        &["too large MSH|45678901 of 20 ec8a", "whole MSH|2"],
        0,
        false,
    ),
];

#[test]
fn streams_are_cut_into_frames() {
    for (stream, frames, skipped, inside) in STREAMS {
        let (found, passed, is_inside) = frames_of(&[stream], MAX);
        assert_eq!(found, *frames, "{}", stream.escape_ascii());
        assert_eq!((passed, is_inside), (*skipped, *inside), "{}", stream.escape_ascii());
    }
}

/// Two and three pieces at every place, and single bytes.
#[test]
fn every_division_of_a_stream_gives_the_same_frames() {
    let all = STREAMS.iter().flat_map(|(stream, ..)| stream.iter().copied()).collect::<Vec<u8>>();
    let streams = STREAMS.iter().map(|(stream, ..)| *stream).chain([all.as_slice()]);
    for stream in streams {
        let expected = frames_of(&[stream], MAX);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(
                    frames_of(&pieces, MAX),
                    expected,
                    "{} at {first}, {second}",
                    stream.escape_ascii()
                );
            }
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(frames_of(&single, MAX), expected, "{}", stream.escape_ascii());
    }
}

#[test]
fn any_bytes_in_any_division_give_the_same_frames() {
    let mut random = ChaCha8Rng::seed_from_u64(20_261_122);
    let alphabet = b"\x0b\x0b\x1c\x1c\r\rMMSSHH|x";
    for round in 0..5_000 {
        let length = random.random_range(0..60);
        let stream: Vec<u8> = (0..length).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect();
        let (mut pieces, mut rest) = (Vec::new(), stream.as_slice());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.random_range(1..=rest.len()));
            pieces.push(piece);
            rest = after;
        }
        assert_eq!(
            frames_of(&pieces, MAX),
            frames_of(&[&stream], MAX),
            "round {round}: {}",
            stream.escape_ascii()
        );
    }
}

/// A frame of a gigabyte would be no more memory than one of the limit, and costs one look at each byte.
#[test]
fn a_frame_without_end_takes_no_more_than_the_limit() {
    let mut decoder = Decoder::new(1_000);
    decoder.push(b"\x0bMSH|", |_| panic!("no frame has ended"));
    for _ in 0..1_000 {
        decoder.push(&[b'x'; 4_096], |_| panic!("no frame has ended"));
        assert!(decoder.buffer().len() <= 1_000);
    }
    let mut found = None;
    decoder.push(b"\x1c\r", |frame| found = Some(words(frame)));
    assert!(found.unwrap().contains("of 4096004 "));
}
