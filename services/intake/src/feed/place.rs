//! Which site and which area a place of a sender is, and whether it is in the department at all.

use domain::event::DepartmentType;

/// A place as a message names it. HL7: MSH-4.1 and the components of PV1-3; FHIR and CSV fill what they have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    /// Who sends: MSH-4.1, the organisation, the provider.
    pub sender: &'a [u8],
    /// PV1-3.1, the location.
    pub point_of_care: &'a [u8],
    /// PV1-3.2.
    pub room: &'a [u8],
    /// PV1-3.3.
    pub bed: &'a [u8],
    /// PV1-3.4.
    pub facility: &'a [u8],
    /// PV1-3.9.
    pub description: &'a [u8],
}

impl Named<'_> {
    /// Whether any place is named, the sender apart.
    pub fn is_empty(&self) -> bool {
        let parts = [self.point_of_care, self.room, self.bed, self.facility, self.description];
        parts.iter().all(|part| part.is_empty())
    }
}

/// What a place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The site; none: the feed's.
    pub site: Option<String>,
    /// The area within the department.
    pub area: Option<String>,
    /// What it states of an attendance that is registered there.
    pub department_type: Option<DepartmentType>,
    /// Not in the department.
    pub outside: bool,
}

/// A row of `[[place]]`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) sender: Patterns,
    pub(crate) point_of_care: Patterns,
    pub(crate) room: Patterns,
    pub(crate) bed: Patterns,
    pub(crate) facility: Patterns,
    pub(crate) description: Patterns,
    pub(crate) place: Place,
}

impl Row {
    pub(crate) fn fits(&self, named: &Named<'_>) -> bool {
        self.sender.fit(named.sender)
            && self.point_of_care.fit(named.point_of_care)
            && self.room.fit(named.room)
            && self.bed.fit(named.bed)
            && self.facility.fit(named.facility)
            && self.description.fit(named.description)
    }
}

/// Texts, of which one must fit; none fit everything. Capital and small letters are the same.
#[derive(Clone, Debug)]
pub(crate) struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    /// It ends in `*`: the beginning is enough.
    beginning: bool,
}

impl Patterns {
    pub(crate) fn new(texts: &[String]) -> Patterns {
        let pattern = |text: &String| match text.strip_suffix('*') {
            Some(beginning) => Pattern { text: beginning.to_owned(), beginning: true },
            None => Pattern { text: text.clone(), beginning: false },
        };
        Patterns(texts.iter().map(pattern).collect())
    }

    fn fit(&self, given: &[u8]) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.fits(given))
    }
}

impl Pattern {
    fn fits(&self, given: &[u8]) -> bool {
        let text = self.text.as_bytes();
        if self.beginning {
            given.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
        } else {
            given.eq_ignore_ascii_case(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_wholes_and_beginnings() {
        let patterns =
            |texts: &[&str]| Patterns::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        for (texts, given, fits) in [
            (&[][..], "anything", true),
            (&["AE"], "AE", true),
            (&["AE"], "ae", true),
            (&["AE"], "AE1", false),
            (&["AE"], "", false),
            (&["AE*"], "AE1", true),
            (&["AE*"], "A", false),
            (&["UTC", "AE*"], "utc", true),
            (&["*"], "", true),
        ] {
            assert_eq!(patterns(texts).fit(given.as_bytes()), fits, "{texts:?} {given}");
        }
        assert!(patterns(&["ÄE*"]).fit("ÄE".as_bytes()) && !patterns(&["ÄE*"]).fit(b"\xc4E"));
    }
}
