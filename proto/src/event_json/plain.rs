//! The fast way for JSON as machines write it: one pass, nothing allocated. It knows no escapes, no negative or
//! fractional numbers and no mistakes: at anything unusual it gives up, and the authority above it decides.
//! Where it answers, the authority gives the equal event (a property test).

use std::borrow::Cow;

use domain::event::Event;
use domain::time::{Millis, Second, rfc3339};

use super::date;
use crate::event::References;
use crate::event::fields::Field;
use crate::event::reading::{self, Choice, Reading};

/// Reads an event from one JSON text, or gives up.
pub(crate) fn read<'a>(text: &'a str, refs: &impl References) -> Option<Event<'a>> {
    let mut plain = Plain { text, at: 0 };
    plain.skip_space();
    let event = reading::event(&mut plain, refs).ok()?;
    plain.skip_space();
    (plain.at == text.len()).then_some(event)
}

/// Something unusual: no reason is given.
#[derive(Debug)]
struct GivenUp;

/// Stands at the byte `at` of the text.
struct Plain<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Plain<'a> {
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), GivenUp> {
        if self.byte() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(GivenUp)
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// What stands between quotes, if it holds no escape.
    #[inline]
    fn quoted(&mut self) -> Result<&'a str, GivenUp> {
        self.expect(b'"')?;
        let start = self.at;
        let end = start + end_of_text(&self.text.as_bytes()[start..]).ok_or(GivenUp)?;
        self.at = end + 1;
        self.text.get(start..end).ok_or(GivenUp)
    }

    /// `"YYYY-MM-DDThh:mm:ssZ"` is read where it stands; other forms take the longer way.
    #[inline]
    fn instant(&mut self) -> Result<Millis, GivenUp> {
        let rest = &self.text.as_bytes()[self.at..];
        if let Some([b'"', instant @ .., b'"']) = rest.get(..22) {
            self.at += 22;
            return rfc3339(instant).ok_or(GivenUp);
        }
        rfc3339(self.quoted()?.as_bytes()).ok_or(GivenUp)
    }
}

/// Where the text ends: the first quote, with no escape and no control character before it.
#[inline]
fn end_of_text(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const SLASHES: u64 = ONES * b'\\' as u64;
    let mut start = 0;
    // Eight bytes at a time: a top bit is set for each byte of interest. Those above the lowest may be wrong.
    for eight in bytes.chunks_exact(8) {
        let eight = u64::from_le_bytes(eight.try_into().ok()?);
        let quotes = eight ^ QUOTES;
        let slashes = eight ^ SLASHES;
        let controls = eight.wrapping_sub(ONES * 0x20) & !eight;
        let found =
            (quotes.wrapping_sub(ONES) & !quotes | slashes.wrapping_sub(ONES) & !slashes | controls) & TOPS;
        if found != 0 {
            let at = start + found.trailing_zeros() as usize / 8;
            return (bytes[at] == b'"').then_some(at);
        }
        start += 8;
    }
    let rest = bytes.get(start..)?;
    let at = start + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    (bytes[at] == b'"').then_some(at)
}

impl<'a> Reading<'a> for Plain<'a> {
    type Error = GivenUp;

    #[inline]
    fn wrong(&self, _what: &'static str) -> GivenUp {
        GivenUp
    }

    #[inline]
    fn null(&mut self) -> bool {
        self.byte() == Some(b'n') && self.word(b"null")
    }

    #[inline]
    fn text(&mut self) -> Result<Cow<'a, str>, GivenUp> {
        self.quoted().map(Cow::Borrowed)
    }

    #[inline]
    fn millis(&mut self) -> Result<Millis, GivenUp> {
        self.instant()
    }

    #[inline]
    fn second(&mut self) -> Result<Second, GivenUp> {
        self.instant().map(Millis::second)
    }

    fn date(&mut self) -> Result<u32, GivenUp> {
        date(self.quoted()?.as_bytes()).ok_or(GivenUp)
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, GivenUp> {
        if self.word(b"true") {
            Ok(true)
        } else if self.word(b"false") {
            Ok(false)
        } else {
            Err(GivenUp)
        }
    }

    /// At most 18 digits, which fit without a check; no zero in front; what follows is checked by the object.
    #[inline]
    fn whole(&mut self) -> Result<u64, GivenUp> {
        let start = self.at;
        let mut number = 0;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            number = number * 10 + u64::from(digit - b'0');
            self.at += 1;
            if self.at - start > 18 {
                return Err(GivenUp);
            }
        }
        let length = self.at - start;
        let zero_in_front = length > 1 && self.text.as_bytes()[start] == b'0';
        if length == 0 || zero_in_front { Err(GivenUp) } else { Ok(number) }
    }

    #[inline]
    fn choice<T: Choice>(&mut self) -> Result<T, GivenUp> {
        T::from_text(self.quoted()?).ok_or(GivenUp)
    }

    #[inline]
    fn object<F: Field>(
        &mut self,
        mut each: impl FnMut(&mut Self, F) -> Result<(), GivenUp>,
    ) -> Result<(), GivenUp> {
        self.expect(b'{')?;
        self.skip_space();
        let mut seen = 0u64;
        if self.byte() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let field = F::from_name(self.quoted()?).ok_or(GivenUp)?;
                let bit = 1 << field.number();
                if seen & bit != 0 {
                    return Err(GivenUp);
                }
                seen |= bit;
                self.skip_space();
                self.expect(b':')?;
                self.skip_space();
                each(self, field)?;
                self.skip_space();
                if self.byte() == Some(b'}') {
                    self.at += 1;
                    break;
                }
                self.expect(b',')?;
                self.skip_space();
            }
        }
        let complete = F::KEYS & !seen == 0 && (F::FACTS == 0 || F::FACTS & seen != 0);
        if complete { Ok(()) } else { Err(GivenUp) }
    }
}
