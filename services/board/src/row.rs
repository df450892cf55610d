//! One organisation at one minute as the store keeps it: what stands of each series, and its bytes.
//!
//! Responsible for the law by which writings of an org-minute merge (spec 2.6: of each series the highest revision that
//! carries it stands) and for the compact form. Not for files, transactions or who asks.

use domain::event::Category;
use domain::measures::{
    Freshness, MAX_FIELDS, Measure, OrgMinute, Revision, Series, SeriesKey, Tag, TypeTag, Values, Window,
};
use domain::organisations::Level;
use domain::time::Minute;

/// A series of an org-minute with the revision that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which series.
    pub key: SeriesKey,
    /// The writing that it comes from.
    pub revision: Revision,
    /// Its fields.
    pub values: Values,
}

/// What stands of an org-minute after all its writings so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The highest revision seen, whether or not a series of it still stands.
    pub revision: Revision,
    /// How fresh that highest revision said the facts were.
    pub freshness: Freshness,
    /// Rising by key, each key once.
    pub series: Vec<Standing>,
}

impl Row {
    /// The row of a first writing.
    pub fn new(writing: &OrgMinute) -> Row {
        let mut row = Row { revision: writing.revision, freshness: writing.freshness, series: Vec::new() };
        row.merge(writing);
        row
    }

    /// Takes in another writing of the same org-minute: of each series the higher revision stands. Of two equal ones
    /// the later stands, so that a second backfill (epoch 0) replaces the first.
    pub fn merge(&mut self, writing: &OrgMinute) {
        if writing.revision >= self.revision {
            self.revision = writing.revision;
            self.freshness = writing.freshness;
        }
        for series in &writing.series {
            let standing = Standing { key: series.key, revision: writing.revision, values: series.values };
            match self.series.binary_search_by(|held| held.key.cmp(&series.key)) {
                Ok(at) if self.series[at].revision <= writing.revision => self.series[at] = standing,
                Ok(_) => {}
                Err(at) => self.series.insert(at, standing),
            }
        }
    }

    /// The fields of a series; `None` if no writing carried it, which says the same as zeros (spec 2.4).
    pub fn values(&self, key: &SeriesKey) -> Option<&Values> {
        let at = self.series.binary_search_by(|held| held.key.cmp(key)).ok()?;
        Some(&self.series[at].values)
    }

    /// The org-minute that these series make, with the highest revision.
    pub fn to_org_minute(&self, level: Level, org: &str, minute: Minute) -> OrgMinute {
        OrgMinute {
            level,
            org: org.to_owned(),
            minute,
            revision: self.revision,
            freshness: self.freshness,
            restated: false,
            series: self.series.iter().map(|held| Series { key: held.key, values: held.values }).collect(),
        }
    }
}

/// Which series a row holds and how many fields each has: written once for many rows.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    pub(crate) columns: Vec<(SeriesKey, usize)>,
}

impl Shape {
    pub(crate) fn of(row: &Row) -> Shape {
        let columns = row.series.iter().map(|held| (held.key, held.key.measure.definition().fields.len()));
        Shape { columns: columns.collect() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.columns.len() * 5);
        for (key, fields) in &self.columns {
            bytes.push(key.measure as u8);
            put_tag(&key.tag, &mut bytes);
            put(&mut bytes, key.window.map_or(0, |window| u64::from(window.number()) + 1));
            put(&mut bytes, *fields as u64);
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Shape, RowError> {
        let mut rest = bytes;
        let mut columns = Vec::new();
        while !rest.is_empty() {
            let number = u32::from(take_byte(&mut rest)?);
            let measure = Measure::from_number(number).ok_or(RowError::Measure(number))?;
            let tag = take_tag(&mut rest)?;
            let window = match take(&mut rest)? {
                0 => None,
                number => {
                    let number = u32::try_from(number - 1).map_err(|_| RowError::Cut)?;
                    Some(Window::from_number(number))
                }
            };
            let fields = usize::try_from(take(&mut rest)?).map_err(|_| RowError::Cut)?;
            if fields > MAX_FIELDS {
                return Err(RowError::Fields(fields));
            }
            columns.push((SeriesKey { measure, tag, window }, fields));
        }
        Ok(Shape { columns })
    }

    /// Where a series stands in rows of this shape.
    pub(crate) fn position(&self, key: &SeriesKey) -> Option<usize> {
        self.columns.binary_search_by(|(held, _)| held.cmp(key)).ok()
    }
}

/// Why the bytes of a row make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// They end too early, or a number in them is out of its range.
    #[error("the row is cut short or holds a number out of range")]
    Cut,
    /// They go on after the last series.
    #[error("{0} bytes follow the last series of the row")]
    Rest(usize),
    /// A measure that this version does not know.
    #[error("measure number {0} is not known to this version")]
    Measure(u32),
    /// A value of a tag that this version does not know.
    #[error("tag number {0} is not known to this version")]
    Tag(u8),
    /// A point of more fields than this version can hold.
    #[error("a series of {0} fields; this version holds at most {MAX_FIELDS}")]
    Fields(usize),
    /// The row names a list of series that the store does not have.
    #[error("shape {0} is not in the store")]
    Shape(u64),
}

/// In the place of a tag: there is none.
const NO_TAG: u8 = 255;
/// In the place of a tag: a text follows, after its length.
const TEXT_TAG: u8 = 254;
/// A category is held as this and its position among the categories; a type as its number.
const FIRST_CATEGORY: u8 = 16;

fn put_tag(tag: &Tag, bytes: &mut Vec<u8>) {
    match tag {
        Tag::None => bytes.push(NO_TAG),
        Tag::Type(tag) => bytes.push(*tag as u8),
        Tag::Category(category) => bytes.push(FIRST_CATEGORY + *category as u8),
        Tag::Text(text) => {
            let text = text.as_str().as_bytes();
            bytes.extend([TEXT_TAG, text.len() as u8]);
            bytes.extend_from_slice(text);
        }
    }
}

fn take_tag(rest: &mut &[u8]) -> Result<Tag, RowError> {
    match take_byte(rest)? {
        NO_TAG => Ok(Tag::None),
        TEXT_TAG => {
            let length = usize::from(take_byte(rest)?);
            let (text, others) = rest.split_at_checked(length).ok_or(RowError::Cut)?;
            *rest = others;
            std::str::from_utf8(text).ok().and_then(Tag::text).ok_or(RowError::Cut)
        }
        number => TypeTag::from_number(u32::from(number))
            .map(Tag::Type)
            .or_else(|| {
                let position = number.checked_sub(FIRST_CATEGORY)?;
                Category::ALL.get(usize::from(position)).copied().map(Tag::Category)
            })
            .ok_or(RowError::Tag(number)),
    }
}

const STALE: u8 = 1;
const HAS_AGE: u8 = 2;
const SEVERAL_REVISIONS: u8 = 4;

/// The bytes of a row: flags, age, shape, revisions, then of each series which fields are not 0 and those fields.
pub(crate) fn encode(row: &Row, shape: u64, bytes: &mut Vec<u8>) {
    bytes.clear();
    let several = row.series.iter().any(|held| held.revision != row.revision);
    let flags = (if row.freshness.stale { STALE } else { 0 })
        | (if row.freshness.age_seconds.is_some() { HAS_AGE } else { 0 })
        | (if several { SEVERAL_REVISIONS } else { 0 });
    bytes.push(flags);
    if let Some(age) = row.freshness.age_seconds {
        put(bytes, u64::from(age));
    }
    put(bytes, shape);
    put(bytes, row.revision.epoch);
    put(bytes, u64::from(row.revision.n));
    let revisions = if several { put_revisions(row, bytes) } else { Vec::new() };
    for held in &row.series {
        if several {
            let at = revisions.binary_search(&held.revision).expect("collected from these series");
            put(bytes, at as u64);
        }
        put_values(&held.values[..held.key.measure.definition().fields.len()], bytes);
    }
}

fn put_revisions(row: &Row, bytes: &mut Vec<u8>) -> Vec<Revision> {
    let mut revisions: Vec<Revision> = row.series.iter().map(|held| held.revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    put(bytes, revisions.len() as u64);
    for revision in &revisions {
        put(bytes, revision.epoch);
        put(bytes, u64::from(revision.n));
    }
    revisions
}

/// A mask of the fields that are not 0 (its lowest bit: some are negative), then those fields.
fn put_values(values: &[i64], bytes: &mut Vec<u8>) {
    let negative = values.iter().any(|value| *value < 0);
    let mask = values
        .iter()
        .enumerate()
        .fold(u64::from(negative), |mask, (at, value)| if *value == 0 { mask } else { mask | 2 << at });
    put(bytes, mask);
    for value in values.iter().filter(|value| **value != 0) {
        put(bytes, if negative { ((value << 1) ^ (value >> 63)) as u64 } else { *value as u64 });
    }
}

/// A row's bytes before its shape is known: what comes before the series.
pub(crate) struct Head<'a> {
    pub(crate) shape: u64,
    revision: Revision,
    freshness: Freshness,
    revisions: Vec<Revision>,
    several: bool,
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Head<'a>, RowError> {
        let mut rest = bytes;
        let flags = take_byte(&mut rest)?;
        if flags & !(STALE | HAS_AGE | SEVERAL_REVISIONS) != 0 {
            return Err(RowError::Cut);
        }
        let age_seconds = match flags & HAS_AGE {
            0 => None,
            _ => Some(u32::try_from(take(&mut rest)?).map_err(|_| RowError::Cut)?),
        };
        let shape = take(&mut rest)?;
        let revision = take_revision(&mut rest)?;
        let several = flags & SEVERAL_REVISIONS != 0;
        let mut revisions = Vec::new();
        if several {
            let count = take(&mut rest)?;
            for _ in 0..count {
                revisions.push(take_revision(&mut rest)?);
            }
        }
        let freshness = Freshness { stale: flags & STALE != 0, age_seconds };
        Ok(Head { shape, revision, freshness, revisions, several, rest })
    }

    /// The whole row.
    pub(crate) fn row(mut self, shape: &Shape) -> Result<Row, RowError> {
        let mut series = Vec::with_capacity(shape.columns.len() + 4);
        for (key, fields) in &shape.columns {
            let revision = self.series_revision()?;
            let values = take_values(&mut self.rest, *fields)?;
            series.push(Standing { key: *key, revision, values });
        }
        if !self.rest.is_empty() {
            return Err(RowError::Rest(self.rest.len()));
        }
        Ok(Row { revision: self.revision, freshness: self.freshness, series })
    }

    /// Hands the series at the wanted positions (rising) to `each`, by their index in `positions`.
    pub(crate) fn pick(
        mut self,
        shape: &Shape,
        positions: &[usize],
        each: &mut dyn FnMut(usize, Values),
    ) -> Result<(), RowError> {
        let mut at = 0;
        for (index, position) in positions.iter().enumerate() {
            while at < *position {
                self.series_revision()?;
                skip_values(&mut self.rest)?;
                at += 1;
            }
            self.series_revision()?;
            each(index, take_values(&mut self.rest, shape.columns[*position].1)?);
            at += 1;
        }
        Ok(())
    }

    fn series_revision(&mut self) -> Result<Revision, RowError> {
        if !self.several {
            return Ok(self.revision);
        }
        let at = usize::try_from(take(&mut self.rest)?).map_err(|_| RowError::Cut)?;
        self.revisions.get(at).copied().ok_or(RowError::Cut)
    }
}

fn take_values(rest: &mut &[u8], fields: usize) -> Result<Values, RowError> {
    let mask = take(rest)?;
    if mask >> 1 >> fields != 0 {
        return Err(RowError::Cut);
    }
    let mut values = [0i64; MAX_FIELDS];
    for (at, value) in values.iter_mut().enumerate().take(fields) {
        if mask & (2 << at) != 0 {
            let raw = take(rest)?;
            *value = if mask & 1 != 0 { (raw >> 1) as i64 ^ -((raw & 1) as i64) } else { raw as i64 };
        }
    }
    Ok(values)
}

fn skip_values(rest: &mut &[u8]) -> Result<(), RowError> {
    let fields = (take(rest)? >> 1).count_ones();
    for _ in 0..fields {
        take(rest)?;
    }
    Ok(())
}

fn take_revision(rest: &mut &[u8]) -> Result<Revision, RowError> {
    let epoch = take(rest)?;
    let n = u32::try_from(take(rest)?).map_err(|_| RowError::Cut)?;
    Ok(Revision { epoch, n })
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(rest: &mut &[u8]) -> Result<u64, RowError> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return if shift == 63 && byte > 1 { Err(RowError::Cut) } else { Ok(number) };
        }
    }
    Err(RowError::Cut)
}

fn take_byte(rest: &mut &[u8]) -> Result<u8, RowError> {
    let (first, others) = rest.split_first().ok_or(RowError::Cut)?;
    *rest = others;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tag: TypeTag, window: u32) -> SeriesKey {
        SeriesKey { measure: Measure::AeFourHour, tag: tag.into(), window: Some(Window::from_number(window)) }
    }

    fn writing(epoch: u64, n: u32, series: &[(SeriesKey, i64)]) -> OrgMinute {
        OrgMinute {
            level: Level::Site,
            org: "S".to_owned(),
            minute: Minute(29_000_000),
            revision: Revision { epoch, n },
            freshness: Freshness { stale: n.is_multiple_of(2), age_seconds: (n > 1).then_some(n * 60) },
            restated: false,
            series: series
                .iter()
                .map(|(key, value)| Series {
                    key: *key,
                    values: std::array::from_fn(|at| {
                        if at < key.measure.definition().fields.len() { value * at as i64 } else { 0 }
                    }),
                })
                .collect(),
        }
    }

    #[test]
    fn of_each_series_the_highest_revision_that_carries_it_stands() {
        let (one, all, today) = (key(TypeTag::One, 240), key(TypeTag::All, 240), key(TypeTag::All, 0));
        let writings = [
            writing(7, 1, &[(one, 1), (all, 2), (today, 3)]),
            writing(7, 2, &[(all, 20)]),
            writing(9, 1, &[(one, 300)]),
            writing(8, 5, &[(one, 4000), (all, 5000)]),
        ];
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
        for order in orders {
            let mut row = Row::new(&writings[order[0]]);
            order[1..].iter().for_each(|at| row.merge(&writings[*at]));
            row.merge(&writings[order[0]]);
            assert_eq!(row.revision, Revision { epoch: 9, n: 1 }, "{order:?}");
            assert_eq!(row.freshness, writings[2].freshness);
            let first = |key| row.values(&key).unwrap()[1];
            assert_eq!([first(one), first(all), first(today)], [300, 5000, 3], "{order:?}");
        }
    }

    #[test]
    fn a_row_survives_its_bytes_and_no_shorter_or_longer_bytes_are_one() {
        let series = [(key(TypeTag::One, 240), 70), (key(TypeTag::All, 240), -3), (key(TypeTag::All, 0), 0)];
        let mut row = Row::new(&writing(u64::MAX, u32::MAX, &series));
        row.merge(&writing(
            3,
            2,
            &[(key(TypeTag::Two, 60), i64::MAX / 3), (key(TypeTag::Two, 61), i64::MIN / 3)],
        ));
        let area = SeriesKey::new(Measure::AeArea, Tag::text("Resus 1").unwrap(), None);
        let response = SeriesKey::new(Measure::AmbResponse, Category::C5, Some(Window::Today));
        row.merge(&writing(4, 1, &[(area, 3), (response, 4)]));
        let shape = Shape::of(&row);
        assert_eq!(Shape::decode(&shape.encode()).unwrap(), shape);
        let mut bytes = Vec::new();
        encode(&row, 5, &mut bytes);
        let read = |bytes: &[u8]| Head::read(bytes).and_then(|head| head.row(&shape));
        assert_eq!(read(&bytes).unwrap(), row);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "cut to {length}");
        }
        bytes.push(0);
        assert_eq!(read(&bytes), Err(RowError::Rest(1)));
    }
}
