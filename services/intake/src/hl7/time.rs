//! HL7 times (TS, DTM): `YYYYMMDD[HH[MM[SS[.S…]]]][±ZZZZ]`. What is left out is its start.

use domain::time::Millis;
use jiff::civil::DateTime;

use crate::feed::zone::{Nearest, Zone, with_offset};

/// What a time says, before a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the clock showed, to the millisecond.
    pub local: DateTime,
    /// Its offset in seconds east of UTC, if stated.
    pub offset_seconds: Option<i32>,
}

impl Reading {
    /// Reads a time; `None` for anything that is none.
    pub fn parse(text: &[u8]) -> Option<Reading> {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (whole, rest) = text.split_at(digits);
        if !matches!(whole.len(), 8 | 10 | 12 | 14) {
            return None;
        }
        let (millis, zone) = match rest {
            [b'.', rest @ ..] if whole.len() == 14 => fraction(rest)?,
            zone => (0, zone),
        };
        let offset_seconds = match zone {
            [] => None,
            [sign @ (b'+' | b'-'), digits @ ..] => {
                let [first, second, third, fourth] = digits.try_into().ok()?;
                let (hours, minutes) = (two(first, second)?, two(third, fourth)?);
                if hours > 14 || minutes > 59 {
                    return None;
                }
                let seconds = i32::from(hours) * 3_600 + i32::from(minutes) * 60;
                Some(if *sign == b'-' { -seconds } else { seconds })
            }
            _ => return None,
        };
        let part = |at: usize| whole.get(at..at + 2).map_or(Some(0), |pair| two(pair[0], pair[1]));
        let year = i16::from(part(0)?) * 100 + i16::from(part(2)?);
        let (month, day) = (part(4)?, part(6)?);
        let local =
            DateTime::new(year, month, day, part(8)?, part(10)?, part(12)?, millis * 1_000_000).ok()?;
        Some(Reading { local, offset_seconds })
    }

    /// The instant: by its own offset, else by `default_offset` seconds, else by the zone.
    pub fn instant(&self, zone: &Zone, default_offset: Option<i32>, nearest: Nearest) -> Option<Millis> {
        match self.offset_seconds.or(default_offset) {
            Some(offset) => with_offset(self.local, offset),
            None => zone.instant(self.local, nearest),
        }
    }
}

/// A number of two digits.
fn two(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then_some((byte & 0x0f) as i8);
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// What stands behind the point, in milliseconds (`5` is 500; what is finer is cut off), and what follows it.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let three = [0, 1, 2].map(|at| digits.get(at).map_or(0, |digit| i32::from(digit - b'0')));
    (1..=9).contains(&digits.len()).then_some((three[0] * 100 + three[1] * 10 + three[2], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_their_precision() {
        for (text, local, offset) in [
            ("20261121", "2026-11-21T00:00:00", None),
            ("2026112114", "2026-11-21T14:00:00", None),
            ("202611211407", "2026-11-21T14:07:00", None),
            ("20261121140709", "2026-11-21T14:07:09", None),
            ("20261121140709.5", "2026-11-21T14:07:09.5", None),
            ("20261121140709.1239", "2026-11-21T14:07:09.123", None),
            ("202611211407+0100", "2026-11-21T14:07:00", Some(3_600)),
            ("20261121140709.25-0430", "2026-11-21T14:07:09.25", Some(-16_200)),
            ("20240229", "2024-02-29T00:00:00", None),
        ] {
            let expected = Reading { local: local.parse().unwrap(), offset_seconds: offset };
            assert_eq!(Reading::parse(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026",
            "202611",
            "2026112",
            "20261121140",
            "20261301",
            "20261132",
            "20260229",
            "2026112124",
            "202611211460",
            "20261121140760",
            "20261121140709.",
            "202611211407.5",
            "20261121140709+01",
            "20261121140709+0160",
            "20261121140709+1500",
            "20261121140709Z",
            "2026-11-21",
            "20261121T1407",
            "2026112114 7",
            "20261121140709.5x",
            "\"\"",
            "99999999999999",
            "+0100",
            "00000000",
        ] {
            assert_eq!(Reading::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Reading::parse(b"2026\xff121"), None);
    }
}
