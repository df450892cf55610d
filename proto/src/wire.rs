//! The protobuf wire format without copies: fields one after the other, and the few ways to write one.
//! What the fields mean is said in [`crate::event`] and [`crate::measure`].

/// The bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// Groups within groups deeper than this are refused: nobody sends them.
const MAX_GROUPS: u32 = 100;

/// A field's value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Fixed width or a group: no field of ours has these.
    Foreign,
}

/// Hands out the fields of a message in the order in which they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    /// The next field's number and value; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Broken> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, kind) = self.tag()?;
        self.value(number, kind, 0).map(|value| Some((number, value)))
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u32), Broken> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Broken)?;
        let (number, kind) = (tag >> 3, tag & 7);
        if number == 0 { Err(Broken) } else { Ok((number, kind)) }
    }

    #[inline]
    fn value(&mut self, number: u32, kind: u32, depth: u32) -> Result<Value<'a>, Broken> {
        match kind {
            0 => self.varint().map(Value::Varint),
            1 => self.take(8).map(|_| Value::Foreign),
            2 => {
                let length = self.varint()?;
                self.take(length).map(Value::Bytes)
            }
            3 if depth < MAX_GROUPS => self.group(number, depth + 1),
            5 => self.take(4).map(|_| Value::Foreign),
            _ => Err(Broken),
        }
    }

    fn group(&mut self, opened: u32, depth: u32) -> Result<Value<'a>, Broken> {
        loop {
            let (number, kind) = self.tag()?;
            if kind == 4 {
                return if number == opened { Ok(Value::Foreign) } else { Err(Broken) };
            }
            self.value(number, kind, depth)?;
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(length).map_err(|_| Broken)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Broken)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Broken> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                if index == 9 && *byte > 1 {
                    return Err(Broken);
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(Broken)
    }
}

/// Each number of a packed or single repeated varint field.
pub(crate) fn each_varint(
    value: Value<'_>,
    mut each: impl FnMut(u64) -> Result<(), Broken>,
) -> Result<(), Broken> {
    match value {
        Value::Varint(number) => each(number),
        Value::Bytes(bytes) => {
            let mut numbers = Fields::of(bytes);
            while !numbers.rest.is_empty() {
                each(numbers.varint()?)?;
            }
            Ok(())
        }
        Value::Foreign => Err(Broken),
    }
}

/// Writes a bare varint.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a varint field.
pub(crate) fn put_number(field: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(field << 3), out);
    put_varint(value, out);
}

/// Writes a field of bytes or text.
pub(crate) fn put_bytes(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(field << 3 | 2), out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Writes a field whose content `inside` writes.
pub(crate) fn put_message(field: u32, out: &mut Vec<u8>, inside: impl FnOnce(&mut Vec<u8>)) {
    let start = open(field, out);
    inside(out);
    close(start, out);
}

/// Begins a field of unknown length; what is appended until [`close`] is its content.
pub(crate) fn open(field: u32, out: &mut Vec<u8>) -> usize {
    put_varint(u64::from(field << 3 | 2), out);
    out.push(0);
    out.len()
}

/// Puts the length in front of what was appended since [`open`].
pub(crate) fn close(start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start;
    if length < 0x80 {
        out[start - 1] = length as u8;
    } else {
        let mut prefix = Vec::with_capacity(10);
        put_varint(length as u64, &mut prefix);
        out.splice(start - 1..start, prefix);
    }
}

/// A signed number as an unsigned one that is small where the number is (proto `sint64`).
pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The reverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_wire() {
        for value in [0, 1, 127, 128, 300, 16_384, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
            let mut out = Vec::new();
            put_number(19, value, &mut out);
            assert_eq!(Fields::of(&out).next(), Ok(Some((19, Value::Varint(value)))));
        }
        for value in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_message_of_any_length_gets_its_length() {
        for length in [0usize, 1, 127, 128, 20_000] {
            let mut out = vec![9];
            put_message(3, &mut out, |out| out.extend(std::iter::repeat_n(7, length)));
            let content = vec![7; length];
            assert_eq!(Fields::of(&out[1..]).next(), Ok(Some((3, Value::Bytes(&content)))));
        }
    }

    #[test]
    fn what_is_no_message_is_broken() {
        let deep = [0x0b; 200];
        let cases: [&[u8]; 11] = [
            &[0x08],
            &[0x00, 0x00],
            &[0x08, 0x80],
            &[0x0a, 0x05, 1, 2],
            &[0x0f],
            &[0x0c],
            &[0x0b, 0x14],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x0d, 1, 2, 3],
            &deep,
        ];
        for bytes in cases {
            assert_eq!(Fields::of(bytes).next(), Err(Broken), "{bytes:x?}");
        }
    }

    #[test]
    fn foreign_fields_are_stepped_over() {
        let bytes =
            [0x0d, 1, 2, 3, 4, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0b, 0x08, 1, 0x13, 0x14, 0x0c, 0x10, 5];
        let mut fields = Fields::of(&bytes);
        for expected in [(1, Value::Foreign), (1, Value::Foreign), (1, Value::Foreign), (2, Value::Varint(5))]
        {
            assert_eq!(fields.next(), Ok(Some(expected)));
        }
        assert_eq!(fields.next(), Ok(None));
    }
}
