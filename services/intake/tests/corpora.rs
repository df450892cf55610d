//! The fuzz targets over their committed corpora (`fuzz/corpus`), and over mutations of these: an ordinary test. It runs
//! for `SITREP_FUZZ_SECONDS` each, by default for a short time; `SITREP_SEED` repeats the mutations of a run.

#[path = "../../../fuzz/targets.rs"]
mod targets;

use std::path::Path;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use runtime::clock::{Clock, SystemClock};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a file")).collect()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
}

/// A few bytes changed, a piece of another file put in, a piece repeated or taken out.
fn mutated(random: &mut ChaCha8Rng, corpus: &[Vec<u8>], alphabet: &[u8]) -> Vec<u8> {
    let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..8) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        let until = (at + random.random_range(1..40)).min(bytes.len());
        match random.random_range(0..7) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] = alphabet[random.random_range(0..alphabet.len())],
            2 => bytes.insert(at, alphabet[random.random_range(0..alphabet.len())]),
            3 => drop(bytes.drain(at..until)),
            4 => {
                let piece = bytes[at..until].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                let piece = other[from..(from + 60).min(other.len())].to_vec();
                bytes.splice(at..until, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[expect(clippy::print_stderr, reason = "how much was tried is the result of a long run")]
fn fuzz(name: &str, alphabet: &[u8], target: fn(&[u8])) {
    let corpus = corpus(name);
    assert!(corpus.len() >= 5, "{name}: {} files", corpus.len());
    corpus.iter().for_each(|bytes| target(bytes));
    let (clock, seed) = (SystemClock::new(), setting("SITREP_SEED", 20_261_122));
    let (mut random, mut runs) = (ChaCha8Rng::seed_from_u64(seed), 0_u64);
    let until = clock.monotonic() + Duration::from_secs(setting("SITREP_FUZZ_SECONDS", 1));
    while clock.monotonic() < until {
        let bytes = mutated(&mut random, &corpus, alphabet);
        let failed = std::panic::catch_unwind(|| target(&bytes)).is_err();
        assert!(!failed, "{name}, SITREP_SEED={seed}, run {runs}: {}", bytes.escape_ascii());
        runs += 1;
    }
    eprintln!("{name}: {runs} mutations of {} files", corpus.len());
}

#[test]
fn mllp() {
    fuzz("mllp", b"\x0b\x1c\rMSH|", targets::mllp);
}

#[test]
fn hl7() {
    fuzz("hl7", b"|^~\\&\"\r\n0123456789AEIPV", targets::hl7);
}

#[test]
fn csv() {
    fuzz("csv", b",\"\r\n-:0123456789 N", targets::csv);
}

#[test]
fn fhir() {
    fuzz("fhir", b"{}[]\",:\\0123456789TZ-+.nul", targets::fhir);
}

#[test]
fn event_json() {
    fuzz("event_json", b"{}[]\",:\\0123456789TZ-+.nul", targets::event_json);
}
