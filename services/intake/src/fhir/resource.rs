//! The elements of a FHIR R4 Encounter and Bundle that are read. What is not here (names, addresses, subjects, text,
//! reasons) is passed over and never becomes a value.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

type Text<'a> = Option<Cow<'a, str>>;

/// What stands in JSON as an object and as nothing else: alone, a struct is read from an array too.
#[derive(Debug, Default)]
pub(crate) struct Object<T>(pub(crate) T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Object)
    }
}

/// What kind of resource it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Kind<'a> {
    #[serde(borrow, default, rename = "resourceType")]
    pub(crate) resource_type: Text<'a>,
}

/// An Encounter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Encounter<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) meta: Object<Meta<'a>>,
    #[serde(borrow, default)]
    pub(crate) identifier: Vec<Object<Identifier<'a>>>,
    #[serde(borrow, default)]
    pub(crate) status: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) status_history: Vec<Object<StatusHistory<'a>>>,
    #[serde(borrow, default)]
    pub(crate) class: Object<Coding<'a>>,
    #[serde(borrow, default)]
    pub(crate) priority: Object<Concept<'a>>,
    #[serde(borrow, default)]
    pub(crate) period: Object<Period<'a>>,
    #[serde(borrow, default)]
    pub(crate) location: Vec<Object<Location<'a>>>,
    #[serde(borrow, default)]
    pub(crate) hospitalization: Object<Hospitalization<'a>>,
    #[serde(borrow, default)]
    pub(crate) service_provider: Object<Reference<'a>>,
    #[serde(borrow, default)]
    pub(crate) extension: Vec<Object<Extension<'a>>>,
    #[serde(default)]
    pub(crate) modifier_extension: Vec<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta<'a> {
    #[serde(borrow, default)]
    pub(crate) version_id: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) last_updated: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Identifier<'a> {
    #[serde(borrow, default)]
    pub(crate) system: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) value: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StatusHistory<'a> {
    #[serde(borrow, default)]
    pub(crate) status: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) period: Object<Period<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Period<'a> {
    #[serde(borrow, default)]
    pub(crate) start: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) end: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Coding<'a> {
    #[serde(borrow, default)]
    pub(crate) code: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Concept<'a> {
    #[serde(borrow, default)]
    pub(crate) coding: Vec<Object<Coding<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Reference<'a> {
    #[serde(borrow, default)]
    pub(crate) reference: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) identifier: Object<Identifier<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Location<'a> {
    #[serde(borrow, default)]
    pub(crate) location: Object<Reference<'a>>,
    #[serde(borrow, default)]
    pub(crate) status: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) period: Object<Period<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hospitalization<'a> {
    #[serde(borrow, default)]
    pub(crate) discharge_disposition: Object<Concept<'a>>,
    #[serde(borrow, default)]
    pub(crate) extension: Vec<Object<Extension<'a>>>,
}

/// An extension with a value, or with extensions inside.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Extension<'a> {
    #[serde(borrow, default)]
    pub(crate) url: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) extension: Vec<Object<Extension<'a>>>,
    #[serde(borrow, default)]
    pub(crate) value_codeable_concept: Option<Object<Concept<'a>>>,
    #[serde(borrow, default)]
    pub(crate) value_coding: Option<Object<Coding<'a>>>,
    #[serde(borrow, default)]
    pub(crate) value_code: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) value_string: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) value_identifier: Option<Object<Identifier<'a>>>,
    #[serde(borrow, default)]
    pub(crate) value_date_time: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) value_instant: Text<'a>,
    #[serde(default)]
    pub(crate) value_boolean: Option<bool>,
}

impl Extension<'_> {
    /// Its value as text, whichever of its forms it has: of a concept the first of its codes.
    pub(crate) fn text(&self) -> Option<&str> {
        self.concept().and_then(|concept| concept.codes().next()).or_else(|| self.plain())
    }

    fn concept(&self) -> Option<&Concept<'_>> {
        self.value_codeable_concept.as_deref()
    }

    /// Its codes, translations of each other: those of a concept, else its value.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> + Clone {
        let plain = if self.concept().is_some() { None } else { self.plain() };
        self.concept().into_iter().flat_map(Concept::codes).chain(plain)
    }

    fn plain(&self) -> Option<&str> {
        let coding = self.value_coding.as_ref().and_then(|coding| coding.code.as_deref());
        let identifier = self.value_identifier.as_ref().and_then(|one| one.value.as_deref());
        let flag = self.value_boolean.map(|flag| if flag { "true" } else { "false" });
        let texts = [&self.value_code, &self.value_string, &self.value_date_time, &self.value_instant];
        let text = texts.into_iter().find_map(|text| text.as_deref());
        coding.or(identifier).or(flag).or(text)
    }
}

impl Concept<'_> {
    /// Its codes: FHIR lists translations of one thing.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> + Clone {
        self.coding.iter().filter_map(|coding| coding.code.as_deref())
    }
}

/// Entries of one Bundle at most.
pub(crate) const ENTRIES_MAX: usize = 10_000;

/// A Bundle; its resources are not read yet.
#[derive(Debug, Deserialize)]
pub(crate) struct Bundle<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(crate) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) timestamp: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) entry: Entries<'a>,
}

/// The entries of a Bundle, no more than one over [`ENTRIES_MAX`]: an entry takes many times the bytes of its `{}`.
#[derive(Debug, Default)]
pub(crate) struct Entries<'a>(pub(crate) Vec<Object<Entry<'a>>>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Vec<Object<Entry<'de>>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while entries.len() <= ENTRIES_MAX {
                    match array.next_element()? {
                        Some(entry) => entries.push(entry),
                        None => return Ok(entries),
                    }
                }
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(entries)
            }
        }

        deserializer.deserialize_seq(Each).map(Entries)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Entry<'a> {
    #[serde(borrow, default)]
    pub(crate) resource: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) request: Option<Object<EntryRequest<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EntryRequest<'a> {
    #[serde(borrow, default)]
    pub(crate) method: Text<'a>,
}
