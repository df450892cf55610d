//! Protobuf events (`proto/sitrep/v1/event.proto`): a reader that borrows and counts what it does not know, and the
//! writer. What the generated code would make of the same bytes is compared in the tests.

use std::borrow::Cow;

use domain::event::Event;
use domain::time::{END_SECOND, FIRST_SECOND, Millis, Second};

use crate::event::fields::{Field, RETRACTED};
use crate::event::reading::{self, Choice, Reading};
use crate::event::telling::{self, Telling};
use crate::event::{Complaint, References, Refused, incomplete};
use crate::event_json::DAYS;
use crate::wire::{self, Broken, Fields, Value};

/// Reads an event; fields that are unknown are left out and counted.
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    refs: &impl References,
    unknown_fields: &mut u64,
) -> Result<Event<'a>, Refused> {
    let mut message = Message { value: Held::Value(Value::Bytes(bytes)), unknown_fields: 0 };
    let event = reading::event(&mut message, refs)?;
    *unknown_fields += message.unknown_fields;
    Ok(event)
}

#[derive(Clone, Copy)]
enum Held<'a> {
    /// The number of the field is in the list of retracted facts.
    Retracted,
    Value(Value<'a>),
}

/// Stands at the value of a field.
struct Message<'a> {
    value: Held<'a>,
    unknown_fields: u64,
}

impl<'a> Message<'a> {
    #[inline]
    fn varint(&self, expected: &'static str) -> Result<u64, Complaint> {
        match self.value {
            Held::Value(Value::Varint(number)) => Ok(number),
            Held::Value(Value::Bytes(_) | Value::Foreign) | Held::Retracted => Err(Complaint::new(expected)),
        }
    }

    #[inline]
    fn bytes(&self, expected: &'static str) -> Result<&'a [u8], Complaint> {
        match self.value {
            Held::Value(Value::Bytes(bytes)) => Ok(bytes),
            Held::Value(Value::Varint(_) | Value::Foreign) | Held::Retracted => Err(Complaint::new(expected)),
        }
    }

    /// Tells of each retracted fact; `stated` and `retracted` are bits of the fields' numbers.
    #[cold]
    fn retract<F: Field>(
        &mut self,
        stated: u64,
        retracted: u64,
        mut each: impl FnMut(&mut Self, F) -> Result<(), Complaint>,
    ) -> Result<(), Complaint> {
        for (number, name) in F::ALL.iter().filter(|(number, _)| retracted >> number & 1 == 1) {
            if stated >> number & 1 == 1 {
                return Err(Complaint::new("is both stated and retracted").inside(name));
            }
            self.value = Held::Retracted;
            let field = F::from_number(*number).expect("a number of the table");
            each(self, field).map_err(|complaint| complaint.inside(name))?;
        }
        Ok(())
    }

    /// Unix time in the unit of which a second has `units`.
    fn instant(&self, units: i64, expected: &'static str) -> Result<i64, Complaint> {
        let instant = self.varint(expected)?.cast_signed();
        let range = i64::from(FIRST_SECOND) * units..i64::from(END_SECOND) * units;
        if range.contains(&instant) { Ok(instant) } else { Err(Complaint::new(expected)) }
    }
}

impl From<Broken> for Complaint {
    fn from(_: Broken) -> Complaint {
        Complaint::new("not a protobuf message")
    }
}

impl<'a> Reading<'a> for Message<'a> {
    type Error = Complaint;

    #[inline]
    fn wrong(&self, what: &'static str) -> Complaint {
        Complaint::new(what)
    }

    #[inline]
    fn null(&mut self) -> bool {
        matches!(self.value, Held::Retracted)
    }

    #[inline]
    fn text(&mut self) -> Result<Cow<'a, str>, Complaint> {
        let bytes = self.bytes("must be text")?;
        std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Complaint::new("must be UTF-8"))
    }

    #[inline]
    fn millis(&mut self) -> Result<Millis, Complaint> {
        self.instant(1000, "must be Unix milliseconds within 2000 to 2099").map(Millis)
    }

    #[inline]
    fn second(&mut self) -> Result<Second, Complaint> {
        let seconds = self.instant(1, "must be Unix seconds within 2000 to 2099")?;
        Ok(Second(u32::try_from(seconds).expect("2000–2099 fits")))
    }

    #[inline]
    fn date(&mut self) -> Result<u32, Complaint> {
        let expected = "must be days since 1970-01-01 within 2000 to 2099";
        let days = u32::try_from(self.varint(expected)?).ok().filter(|days| DAYS.contains(days));
        days.ok_or_else(|| Complaint::new(expected))
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, Complaint> {
        self.varint("must be a bool").map(|flag| flag != 0)
    }

    #[inline]
    fn whole(&mut self) -> Result<u64, Complaint> {
        self.varint("must be a whole number")
    }

    #[inline]
    fn choice<T: Choice>(&mut self) -> Result<T, Complaint> {
        // An enum on the wire is 32 bits, whatever was written before them.
        let number = self.varint(T::EXPECTED)? as i32;
        T::from_number(number).ok_or_else(|| Complaint::new(T::EXPECTED))
    }

    #[inline]
    fn object<F: Field>(
        &mut self,
        mut each: impl FnMut(&mut Self, F) -> Result<(), Complaint>,
    ) -> Result<(), Complaint> {
        let mut fields = Fields::of(self.bytes("must be a message")?);
        let (mut stated, mut retracted) = (0u64, 0u64);
        while let Some((number, value)) = fields.next()? {
            if let Some(field) = F::from_number(number) {
                stated |= 1 << number;
                self.value = Held::Value(value);
                each(self, field).map_err(|complaint| complaint.inside(field.name()))?;
            } else if number == RETRACTED {
                wire::each_varint(value, |number| {
                    match F::from_number(number as u32) {
                        Some(field) => retracted |= 1 << field.number(),
                        None => self.unknown_fields += 1,
                    }
                    Ok(())
                })?;
            } else {
                self.unknown_fields += 1;
            }
        }
        if retracted != 0 {
            self.retract(stated, retracted, each)?;
        }
        incomplete::<F>(stated | retracted).map_or(Ok(()), |what| Err(Complaint::new(what)))
    }
}

/// Appends the event as a protobuf message.
pub(crate) fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    telling::event(&mut Writer { out, retracted: 0 }, event);
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Bits of the numbers that are retracted in the message that is being written.
    retracted: u64,
}

impl Telling for Writer<'_> {
    fn text(&mut self, field: impl Field, text: &str) {
        wire::put_bytes(field.number(), text.as_bytes(), self.out);
    }

    fn millis(&mut self, field: impl Field, instant: Millis) {
        wire::put_number(field.number(), instant.0.cast_unsigned(), self.out);
    }

    fn second(&mut self, field: impl Field, instant: Second) {
        wire::put_number(field.number(), u64::from(instant.0), self.out);
    }

    fn date(&mut self, field: impl Field, days: u32) {
        wire::put_number(field.number(), u64::from(days), self.out);
    }

    fn flag(&mut self, field: impl Field, flag: bool) {
        wire::put_number(field.number(), u64::from(flag), self.out);
    }

    fn whole(&mut self, field: impl Field, number: u64) {
        wire::put_number(field.number(), number, self.out);
    }

    fn choice(&mut self, field: impl Field, choice: impl Choice) {
        wire::put_number(field.number(), choice.number(), self.out);
    }

    fn null(&mut self, field: impl Field) {
        self.retracted |= 1 << field.number();
    }

    fn object(&mut self, field: impl Field, inside: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.retracted);
        let start = wire::open(field.number(), self.out);
        inside(self);
        let retracted = std::mem::replace(&mut self.retracted, outer);
        if retracted != 0 {
            wire::put_message(RETRACTED, self.out, |out| {
                (1..RETRACTED).filter(|n| retracted >> n & 1 == 1).for_each(|n| out.push(n as u8));
            });
        }
        wire::close(start, self.out);
    }
}
