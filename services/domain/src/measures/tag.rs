//! The tags of a series beside `level`, `org` and `window`: a department type, a category of calls, or a text that is
//! data (an area, a standard, a framework). A tag is a small value without allocation, compared and copied as one.

use std::fmt;

use crate::event::Category;

/// The values of tag `type`. The number is the number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TypeTag {
    /// Types 1, 2, 3 and 4 together.
    All = 0,
    /// Type 1.
    One = 1,
    /// Type 2.
    Two = 2,
    /// Types 3 and 4.
    Three = 3,
    /// Type 5: in `ae_department` and `ae_arrivals` only, never in `all`.
    Five = 5,
}

impl TypeTag {
    /// Every value of the tag.
    pub const ALL_TAGS: [TypeTag; 5] =
        [TypeTag::All, TypeTag::One, TypeTag::Two, TypeTag::Three, TypeTag::Five];

    /// The text of the tag.
    pub fn as_str(self) -> &'static str {
        match self {
            TypeTag::All => "all",
            TypeTag::One => "1",
            TypeTag::Two => "2",
            TypeTag::Three => "3",
            TypeTag::Five => "5",
        }
    }

    /// The tag of that text.
    pub fn parse(text: &str) -> Option<TypeTag> {
        TypeTag::ALL_TAGS.into_iter().find(|tag| tag.as_str() == text)
    }

    /// The tag of that number on the wire.
    pub fn from_number(number: u32) -> Option<TypeTag> {
        TypeTag::ALL_TAGS.into_iter().find(|tag| *tag as u32 == number)
    }
}

/// The most bytes of a text in a tag: a source has as many.
pub const TEXT_BYTES_MAX: usize = 64;

/// What stands between the two texts of `opel_parameter`: framework, then parameter.
const BETWEEN: char = '/';

/// A text in a tag, held in place: 1 to 64 bytes, without control characters and backslashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagText {
    /// Zeros follow the text; it holds none.
    bytes: [u8; TEXT_BYTES_MAX],
}

impl TagText {
    /// The text as a tag holds it; `None` if it is empty, too long, or could not stand in line protocol.
    pub fn new(text: &str) -> Option<TagText> {
        let plain = !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == b'\\');
        if text.is_empty() || text.len() > TEXT_BYTES_MAX || !plain {
            return None;
        }
        let mut bytes = [0; TEXT_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(TagText { bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let length = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(TEXT_BYTES_MAX);
        std::str::from_utf8(&self.bytes[..length]).expect("made of a text")
    }
}

impl fmt::Debug for TagText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl std::hash::Hash for TagText {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// The value of a series' tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tag {
    /// The measure has none.
    #[default]
    None,
    /// Tag `type`.
    Type(TypeTag),
    /// Tag `category`.
    Category(Category),
    /// Every other: `area`, `standard`, `scale`, `framework`, `framework` and `parameter`, `source`.
    Text(TagText),
}

impl Tag {
    /// A text; `None` if it cannot be one ([`TagText::new`]).
    pub fn text(text: &str) -> Option<Tag> {
        TagText::new(text).map(Tag::Text)
    }

    /// The tags `framework` and `parameter`; neither holds a `/`.
    pub fn parameter(framework: &str, parameter: &str) -> Option<Tag> {
        Tag::text(&format!("{framework}{BETWEEN}{parameter}")).filter(|tag| TagKind::Parameter.takes(*tag))
    }

    /// Tag `type`, if it is one.
    pub fn department_type(self) -> Option<TypeTag> {
        match self {
            Tag::Type(tag) => Some(tag),
            Tag::None | Tag::Category(_) | Tag::Text(_) => None,
        }
    }

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self == Tag::None
    }
}

impl From<Option<TypeTag>> for Tag {
    fn from(tag: Option<TypeTag>) -> Tag {
        tag.map_or(Tag::None, Tag::Type)
    }
}

impl From<TypeTag> for Tag {
    fn from(tag: TypeTag) -> Tag {
        Tag::Type(tag)
    }
}

impl From<Category> for Tag {
    fn from(category: Category) -> Tag {
        Tag::Category(category)
    }
}

/// Which tag a measure has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagKind {
    /// None.
    None,
    /// `type`
    Type,
    /// `category`
    Category,
    /// `area`
    Area,
    /// `standard`
    Standard,
    /// `scale`
    Scale,
    /// `framework`
    Framework,
    /// `framework` and `parameter`
    Parameter,
    /// `source`
    Source,
}

impl TagKind {
    /// Whether it is a tag other than `type`.
    pub fn is_other(self) -> bool {
        !matches!(self, TagKind::None | TagKind::Type)
    }

    /// Every kind.
    pub const ALL: [TagKind; 9] = [
        TagKind::None,
        TagKind::Type,
        TagKind::Category,
        TagKind::Area,
        TagKind::Standard,
        TagKind::Scale,
        TagKind::Framework,
        TagKind::Parameter,
        TagKind::Source,
    ];

    /// The names of its tags in line protocol, in queries and in rules.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            TagKind::None => &[],
            TagKind::Type => &["type"],
            TagKind::Category => &["category"],
            TagKind::Area => &["area"],
            TagKind::Standard => &["standard"],
            TagKind::Scale => &["scale"],
            TagKind::Framework => &["framework"],
            TagKind::Parameter => &["framework", "parameter"],
            TagKind::Source => &["source"],
        }
    }

    /// Whether the value is one of this kind.
    pub fn takes(self, tag: Tag) -> bool {
        match (self, tag) {
            (TagKind::None, Tag::None)
            | (TagKind::Type, Tag::Type(_))
            | (TagKind::Category, Tag::Category(_)) => true,
            (TagKind::Parameter, Tag::Text(text)) => {
                let mut parts = text.as_str().split(BETWEEN);
                let some = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
                some(parts.next()) && some(parts.next()) && parts.next().is_none()
            }
            (
                TagKind::Area | TagKind::Standard | TagKind::Scale | TagKind::Framework | TagKind::Source,
                Tag::Text(_),
            ) => true,
            (
                TagKind::None
                | TagKind::Type
                | TagKind::Category
                | TagKind::Area
                | TagKind::Standard
                | TagKind::Scale
                | TagKind::Framework
                | TagKind::Parameter
                | TagKind::Source,
                Tag::None | Tag::Type(_) | Tag::Category(_) | Tag::Text(_),
            ) => false,
        }
    }

    /// Each of [`TagKind::names`] with its text; nothing is allocated.
    pub fn tags<'a>(self, tag: &'a Tag) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
        let texts: [Option<&'a str>; 2] = match (self, tag) {
            (_, Tag::None) => [None, None],
            (_, Tag::Type(tag)) => [Some(tag.as_str()), None],
            (_, Tag::Category(category)) => [Some(category.as_str()), None],
            (TagKind::Parameter, Tag::Text(text)) => match text.as_str().split_once(BETWEEN) {
                Some((framework, parameter)) => [Some(framework), Some(parameter)],
                None => [Some(text.as_str()), None],
            },
            (
                TagKind::None
                | TagKind::Type
                | TagKind::Category
                | TagKind::Area
                | TagKind::Standard
                | TagKind::Scale
                | TagKind::Framework
                | TagKind::Source,
                Tag::Text(text),
            ) => [Some(text.as_str()), None],
        };
        self.names().iter().copied().zip(texts.into_iter().flatten())
    }

    /// The tag of these texts, one for each of [`TagKind::names`]; `None` if they are no value of this kind.
    pub fn parse(self, texts: &[&str]) -> Option<Tag> {
        match (self, texts) {
            (TagKind::None, []) => Some(Tag::None),
            (TagKind::Type, [text]) => TypeTag::parse(text).map(Tag::Type),
            (TagKind::Category, [text]) => Category::parse(text).map(Tag::Category),
            (TagKind::Parameter, [framework, parameter]) => Tag::parameter(framework, parameter),
            (
                TagKind::Area | TagKind::Standard | TagKind::Scale | TagKind::Framework | TagKind::Source,
                [text],
            ) => Tag::text(text),
            (
                TagKind::None
                | TagKind::Type
                | TagKind::Category
                | TagKind::Area
                | TagKind::Standard
                | TagKind::Scale
                | TagKind::Framework
                | TagKind::Parameter
                | TagKind::Source,
                _,
            ) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_held_whole_or_not_at_all() {
        let longest = "é".repeat(TEXT_BYTES_MAX / 2);
        for text in ["a", "Majors 2", "acute-2023-24", longest.as_str()] {
            assert_eq!(TagText::new(text).unwrap().as_str(), text);
        }
        for bad in ["", "a\n", "a\\", "\u{7f}", "a\0b", "é".repeat(33).as_str()] {
            assert_eq!(TagText::new(bad), None, "{bad:?}");
        }
        assert!(TagText::new("a") < TagText::new("ab") && TagText::new("ab") < TagText::new("b"));
    }

    #[test]
    fn a_parameter_is_two_texts() {
        let tag = Tag::parameter("acute-2023-24", "beds").unwrap();
        assert_eq!(TagKind::Parameter.parse(&["acute-2023-24", "beds"]), Some(tag));
        for (framework, parameter) in [("", "b"), ("a", ""), ("a/b", "c"), ("a", "b/c")] {
            assert_eq!(Tag::parameter(framework, parameter), None, "{framework} {parameter}");
        }
        assert!(!TagKind::Parameter.takes(Tag::text("acute").unwrap()));
    }
}
