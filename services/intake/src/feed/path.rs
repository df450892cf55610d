//! Where in an HL7 v2 message a value stands: `PV1-19`, `PV1-3.1`, `OBX-5.1.2`.

use std::fmt;

/// A segment, its field, and the component and subcomponent in it, all counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Three characters.
    pub segment: [u8; 3],
    /// From 1; of MSH the field separator is field 1.
    pub field: u16,
    /// From 1; none: the first.
    pub component: Option<u16>,
    /// From 1; none: the first.
    pub subcomponent: Option<u16>,
}

impl Path {
    /// A field as a whole.
    pub const fn field(segment: &[u8; 3], field: u16) -> Path {
        Path { segment: *segment, field, component: None, subcomponent: None }
    }

    /// One component of a field.
    pub const fn component(segment: &[u8; 3], field: u16, component: u16) -> Path {
        Path { segment: *segment, field, component: Some(component), subcomponent: None }
    }

    /// Reads `PV1-3.1`; `None` for anything that is no path.
    pub fn parse(text: &str) -> Option<Path> {
        let (segment, rest) = text.split_once('-')?;
        let segment: [u8; 3] = segment.as_bytes().try_into().ok()?;
        if !is_segment_name(&segment) {
            return None;
        }
        let mut numbers = rest.split('.').map(|number| {
            let plain = number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse::<u16>().ok().filter(|value| plain && (1..=999).contains(value))
        });
        let field = numbers.next()??;
        let (component, subcomponent) = (numbers.next(), numbers.next());
        if numbers.next().is_some() || component == Some(None) || subcomponent == Some(None) {
            return None;
        }
        Some(Path { segment, field, component: component.flatten(), subcomponent: subcomponent.flatten() })
    }

    /// The segment's name.
    pub fn segment_name(&self) -> &str {
        std::str::from_utf8(&self.segment).unwrap_or("???")
    }
}

/// A capital letter, then capital letters and digits.
pub(crate) fn is_segment_name(name: &[u8; 3]) -> bool {
    name[0].is_ascii_uppercase() && name[1..].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.segment_name(), self.field)?;
        for part in [self.component, self.subcomponent].into_iter().flatten() {
            write!(f, ".{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_written() {
        for text in ["PV1-19", "PV1-3.1", "OBX-5.1.2", "ZU1-12", "MSH-9.2"] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "PV1",
            "PV1-",
            "PV1-0",
            "PV-1",
            "pv1-3",
            "PV1-3.",
            "PV1-3.0",
            "PV1-3.1.1.1",
            "PV1-1000",
            "PV1 3",
            "PV1-3.x",
            "PV1-+3",
            "1V1-3",
            "PV11-3",
        ] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
