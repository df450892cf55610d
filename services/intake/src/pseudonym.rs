//! References of patients and journeys become pseudonyms at the door (spec 4.3): nothing behind it can name anybody.

mod check;

use std::fmt;

use contract::{Hashed, References};
use domain::ids::Ref;
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub use check::{KeyChangeError, check_key};

/// The shortest key, in bytes.
const SHORTEST_KEY: usize = 16;

/// How references become pseudonyms.
#[derive(Clone)]
pub enum Pseudonyms {
    /// HMAC-SHA256 under the deployment's key.
    Keyed(Box<Hmac<Sha256>>),
    /// Without a key (demo, files): hashed, so that a known reference could be found again by trying.
    Hashed,
}

/// Why there can be no pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PseudonymError {
    /// No key where one is required.
    #[error("a key for pseudonyms is required; set it, or pseudonyms.required = false for a demo")]
    NoKey,
    /// The key is too short to keep anything secret.
    #[error("the key for pseudonyms has {0} bytes, it needs at least {SHORTEST_KEY}")]
    ShortKey(usize),
}

impl Pseudonyms {
    /// With the deployment's key; without one only where none is required (`pseudonyms.required`).
    pub fn new(key: Option<&[u8]>, required: bool) -> Result<Pseudonyms, PseudonymError> {
        match key {
            Some(key) if key.len() < SHORTEST_KEY => Err(PseudonymError::ShortKey(key.len())),
            Some(key) => {
                let keyed = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
                Ok(Pseudonyms::Keyed(Box::new(keyed)))
            }
            None if required => Err(PseudonymError::NoKey),
            None => Ok(Pseudonyms::Hashed),
        }
    }

    /// Tells keys apart and says nothing of them: 16 hexadecimal digits of an HMAC of a fixed text; `none` without a key.
    pub fn fingerprint(&self) -> String {
        match self {
            Pseudonyms::Hashed => "none".to_owned(),
            Pseudonyms::Keyed(keyed) => {
                let mut mac = keyed.as_ref().clone();
                // No reference has such a place: the two cannot be mixed up.
                mac.update(b"\x1fsitrep: which key is this");
                let digest = mac.finalize().into_bytes();
                digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
            }
        }
    }
}

impl References for Pseudonyms {
    /// The first 16 bytes of HMAC-SHA256(key, place ‖ 0x1F ‖ reference).
    fn reference(&self, place: &str, text: &str) -> Option<Ref> {
        match self {
            Pseudonyms::Hashed => Hashed.reference(place, text),
            Pseudonyms::Keyed(keyed) => {
                let mut mac = keyed.as_ref().clone();
                mac.update(place.as_bytes());
                mac.update(&[0x1f]);
                mac.update(text.as_bytes());
                mac.finalize().into_bytes().first_chunk().copied().map(Ref)
            }
        }
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pseudonyms::Keyed(_) => "Keyed(..)",
            Pseudonyms::Hashed => "Hashed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key of a deployment";

    fn keyed(place: &str, text: &str) -> String {
        let reference = Pseudonyms::new(Some(KEY), true).unwrap().reference(place, text).unwrap();
        String::from_utf8(reference.to_hex().to_vec()).unwrap()
    }

    /// The expected value is from another implementation:
    /// `printf 'RXF05\037A000123' | openssl dgst -sha256 -hmac 'a key of a deployment'`.
    #[test]
    fn a_pseudonym_is_what_any_producer_would_compute() {
        assert_eq!(keyed("RXF05", "A000123"), "f80ab53819c34364ccc59be172f50a95");
    }

    #[test]
    fn the_place_and_the_reference_cannot_be_moved_into_each_other() {
        assert_ne!(keyed("RXF05", "A1"), keyed("RXF0", "5A1"));
        assert_ne!(keyed("RXF05", "A1"), keyed("RXF06", "A1"));
        // What looks like a pseudonym is a reference like any other at this door.
        let hexadecimal = "000102030405060708090a0b0c0d0e0f";
        assert_ne!(keyed("RXF05", hexadecimal), hexadecimal);
    }

    #[test]
    fn a_key_is_long_and_there_where_it_is_required_and_is_not_shown() {
        assert_eq!(Pseudonyms::new(None, true).unwrap_err(), PseudonymError::NoKey);
        assert_eq!(Pseudonyms::new(Some(b"short"), false).unwrap_err(), PseudonymError::ShortKey(5));
        assert!(matches!(Pseudonyms::new(None, false), Ok(Pseudonyms::Hashed)));
        assert_eq!(format!("{:?}", Pseudonyms::new(Some(KEY), true).unwrap()), "Keyed(..)");
    }
}
