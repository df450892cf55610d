//! When somebody is called (spec 3): rules that watch one number, episodes that open when it stays on the wrong side,
//! and the queue of what has to be told to whom.
//!
//! Responsible for: what a rule means ([`rule`], [`value`], [`template`]), how an episode moves ([`episode`]), in which
//! order and how often a receiver is told ([`outbox`]). Not for: reading files, keeping state on a disk, sending.
//! Nothing here knows the time but as an argument.

pub mod episode;
pub mod outbox;
pub mod rule;
pub mod template;
pub mod value;

use std::fmt;

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// To be read.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody is called out.
    Page,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Page];

    /// The name in rules and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Page => "page",
        }
    }

    /// The severity of that name.
    pub fn parse(text: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.as_str() == text)
    }
}

/// 128 bits of a text, the same in every version and on every machine: FNV-1a. For keys and versions, not for secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Of the bytes of a text.
    pub fn of(text: &str) -> Fingerprint {
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        Fingerprint(text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
    }
}

impl fmt::Display for Fingerprint {
    /// 32 hexadecimal digits; a precision shortens: `{:.8}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:032x}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_fnv_1a() {
        // The published test vectors of the 128-bit variant.
        assert_eq!(Fingerprint::of("").to_string(), "6c62272e07bb014262b821756295c58d");
        assert_eq!(Fingerprint::of("a").to_string(), "d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(format!("{:.8}", Fingerprint::of("a")), "d228cb69");
    }

    #[test]
    fn severities_read_as_they_are_written() {
        for severity in Severity::ALL {
            assert_eq!(Severity::parse(severity.as_str()), Some(severity));
        }
        assert_eq!(Severity::parse("critical"), None);
    }
}
