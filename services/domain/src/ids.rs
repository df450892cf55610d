//! Names that are parsed once at the edge and are small inside: organisations, references.
//! There are no raw strings for either beyond the door.

/// An organisation of any level, as its position in [`crate::organisations::Organisations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgId(pub u16);

impl OrgId {
    /// The position as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A patient's or a journey's reference: a keyed pseudonym of 16 bytes (spec 4.3).
///
/// It deliberately has no `Display` and a `Debug` that shows nothing: it must reach no log, label or alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref(pub [u8; 16]);

impl Ref {
    /// The bytes behind 32 hexadecimal digits; `None` for any other text.
    pub fn from_hex(text: &[u8]) -> Option<Ref> {
        let digits: &[u8; 32] = text.try_into().ok()?;
        // Every event has one: without branches the compiler looks at sixteen digits at once.
        let (mut values, mut wrong) = ([0u8; 32], false);
        for (value, digit) in values.iter_mut().zip(digits) {
            let decimal = digit.wrapping_sub(b'0');
            let letter = (digit | 0x20).wrapping_sub(b'a');
            wrong |= (decimal >= 10) & (letter >= 6);
            *value = if decimal < 10 { decimal } else { letter.wrapping_add(10) };
        }
        let mut bytes = [0u8; 16];
        for (byte, pair) in bytes.iter_mut().zip(values.chunks_exact(2)) {
            *byte = pair[0] << 4 | (pair[1] & 15);
        }
        if wrong { None } else { Some(Ref(bytes)) }
    }

    /// 32 lower-case hexadecimal digits: the form on the wire.
    pub fn to_hex(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    /// The first eight bytes as a number, for hash tables: a pseudonym is already spread evenly.
    pub fn low64(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl std::fmt::Debug for Ref {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ref(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_its_hexadecimal_form_and_nothing_else_is_one() {
        let reference = Ref([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xff]);
        assert_eq!(Ref::from_hex(&reference.to_hex()), Some(reference));
        assert_eq!(Ref::from_hex(&reference.to_hex().to_ascii_uppercase()), Some(reference));
        for bad in ["", "00", "000102030405060708090a0b0c0d0e0", "000102030405060708090a0b0c0d0e0g"] {
            assert_eq!(Ref::from_hex(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_reference_is_not_shown() {
        assert_eq!(format!("{:?}", Ref([7; 16])), "Ref(..)");
    }
}
