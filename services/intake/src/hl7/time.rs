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
        let sign = text.iter().position(|byte| matches!(byte, b'+' | b'-'));
        let (stamp, zone) = text.split_at(sign.unwrap_or(text.len()));
        let offset_seconds = match zone {
            [] => None,
            [sign, digits @ ..] if digits.len() == 4 => {
                let (hours, minutes) = (number(&digits[..2])?, number(&digits[2..])?);
                let seconds = i32::from(hours) * 3_600 + i32::from(minutes) * 60;
                let fits = hours <= 14 && minutes <= 59;
                Some(if *sign == b'-' { -seconds } else { seconds }).filter(|_| fits)
            }
            _ => return None,
        };
        if offset_seconds.is_none() && !zone.is_empty() {
            return None;
        }
        let dot = stamp.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = stamp.split_at(dot.unwrap_or(stamp.len()));
        if !matches!(whole.len(), 8 | 10 | 12 | 14) || (dot.is_some() && whole.len() != 14) {
            return None;
        }
        let part = |at: usize| {
            whole.get(at..at + 2).map_or(Some(0), number).and_then(|part| i8::try_from(part).ok())
        };
        let year = i16::try_from(number(&whole[..4])?).ok()?;
        let nanos = millis(fraction)?.checked_mul(1_000_000)?;
        let local = DateTime::new(year, part(4)?, part(6)?, part(8)?, part(10)?, part(12)?, nanos).ok()?;
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

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |value: u16, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u16::from(digit))
    })
}

/// `.5` is 500; what is finer is cut off.
fn millis(fraction: &[u8]) -> Option<i32> {
    let Some((_, digits)) = fraction.split_first() else { return Some(0) };
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let three = [0, 1, 2].map(|at| digits.get(at).map_or(0, |digit| i32::from(digit - b'0')));
    Some(three[0] * 100 + three[1] * 10 + three[2])
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
