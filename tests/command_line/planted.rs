//! What is planted, where, and whether it was found.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

/// What no figure needs and nobody may find: an NHS number, a name, an address and the number of a visit.
const PLANTED: [&str; 4] = ["4857773456", "QUIXOTIC", "PLACEHOLDERLANE", "VISIT90210"];

/// All of them in one text, which is no word of ours.
pub(crate) const TEXT: &str = "4857773456/QUIXOTIC/PLACEHOLDERLANE/VISIT90210";

/// The NHS number as a number, and as a text of itself.
pub(crate) const NUMBER: u64 = 4_857_773_456;
pub(crate) const NUMBER_TEXT: &str = "4857773456";

/// Where something planted was found, each place once.
#[derive(Default)]
pub(crate) struct Found(BTreeSet<String>);

impl Found {
    /// Looks through bytes, whatever the case of their letters.
    pub(crate) fn look(&mut self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).to_ascii_uppercase();
        let says = PLANTED.into_iter().filter(|planted| text.contains(planted));
        self.0.extend(says.map(|planted| format!("{place} says {planted}")));
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Panics, with every place, where something was found.
    pub(crate) fn is_nothing(&self) {
        assert!(self.is_empty(), "{:#?}", self.0);
    }
}

/// The document with each thing in the place of each of its values, one at a time, and as a key beside each of its keys;
/// the values at the `spared` pointers are left alone.
pub(crate) fn planted_in(whole: &Json, spared: &[&str], things: &[Json]) -> Vec<Json> {
    let mut places = Vec::new();
    values(whole, String::new(), &mut places);
    let mut planted = Vec::new();
    for place in places.iter().filter(|place| !spared.contains(&place.as_str())) {
        for thing in things {
            let mut one = whole.clone();
            *one.pointer_mut(place).expect("a place of it") = thing.clone();
            planted.push(one);
        }
        let mut one = whole.clone();
        if let Some(Json::Object(object)) = one.pointer_mut(place) {
            object.extend(Map::from_iter([(TEXT.to_owned(), json!(TEXT))]));
            planted.push(one);
        }
    }
    planted
}

/// The pointers of a value and of all that is in it.
fn values(json: &Json, at: String, places: &mut Vec<String>) {
    match json {
        Json::Object(object) => {
            object.iter().for_each(|(key, value)| values(value, format!("{at}/{key}"), places));
        }
        Json::Array(array) => {
            array
                .iter()
                .enumerate()
                .for_each(|(index, value)| values(value, format!("{at}/{index}"), places));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
    places.push(at);
}
