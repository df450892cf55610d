//! CSV extracts as events, by the columns that a feed names (`[csv]`): `sitrep feed load`. Pure but for the reader that
//! it is given.
//!
//! A row is one attendance as it stands. An empty cell (or `NULL`) says nothing; nothing can be retracted. What is wrong
//! with a row is said with its line and column, never with what stood there, and the other rows are taken.
//!
//! When a row was recorded: its column; without one, the newest instant that the row states, so that the same file loaded
//! again changes nothing. A reading that exists twice when clocks go back is the one nearest to when the row was
//! recorded, unless something would be before the arrival that need not be; then, and without that column, the first
//! that is not before the arrival.

mod file;

use std::borrow::Cow;
use std::io::Read;
use std::str;

use contract::References;
use csv::ByteRecord;
use domain::admission::{FUTURE_TOLERANCE_MS, admit, instants};
use domain::event::{Attendance, Event, Fact, JourneyName, Outcome, Statement};
use domain::ids::Ref;
use domain::organisations::Level;
use domain::standard::Standards;
use domain::time::{Millis, Second, rfc3339};
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime;

use crate::feed::place::{Named, Place};
use crate::feed::zone::Nearest;
use crate::feed::{Column, FactName, Feed, InstantFact};
use crate::hl7::adt::{LeftOut, Surroundings, states};

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// No column of our reference is named.
    #[error("feed {0}: csv.ref: is empty; name the column that holds the attendance's number")]
    NoReference(String),
    /// It has no byte.
    #[error("the file is empty; its first line must name its columns")]
    Empty,
    /// Two bytes a character.
    #[error("the file is UTF-16: save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\")")]
    Utf16,
    /// A spreadsheet's own first line.
    #[error("the first line is the sep= of a spreadsheet and names no column: take it out")]
    SeparatorLine,
    /// The header is one column that holds another separator.
    #[error("the header is one column with {0} in it: write csv.delimiter = \"{0}\" in the feed")]
    Delimiter(&'static str),
    /// The header reaches over lines and nothing comes after it.
    #[error("no row was found, and the header goes over several lines: is a quote in it not closed?")]
    HeaderOnly,
    /// Columns of the feed are not in the header.
    #[error("the header has no column {}; the feed names it in [csv]", .0.join(", no column "))]
    Columns(Vec<String>),
    /// The file broke off, or is no CSV.
    #[error("the file cannot be read")]
    Csv(#[from] csv::Error),
}

/// Why a row is refused: its line is known to whoever reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {place}{what}", outcome.as_str())]
pub struct RowFault {
    /// What becomes of it.
    pub outcome: Outcome,
    /// The column's name and `: `; empty for the row as a whole.
    place: String,
    what: &'static str,
}

/// A row that was read.
#[derive(Debug)]
pub struct Row<'r> {
    /// Its line, from 1; the header is line 1.
    pub line: u64,
    /// Its event, or why it is refused.
    pub event: Result<Event<'r>, RowFault>,
    /// Codes that are in no table, and journeys that are not known.
    pub left_out: &'r [LeftOut],
}

/// Where the columns of a feed are in a file.
struct Layout<'f> {
    reference: usize,
    id: Option<usize>,
    site: Option<usize>,
    sender: Option<usize>,
    point_of_care: Option<usize>,
    recorded_at: Option<Position<'f>>,
    /// The arrival first: other times may need it.
    facts: Vec<(FactName, Position<'f>)>,
    width: usize,
}

/// One column, or the two of a date and a time.
struct Position<'f> {
    name: &'f Column,
    first: usize,
    time: Option<usize>,
}

/// Reads every row and hands it to `each`.
pub fn read_rows<R: References>(
    input: impl Read,
    around: Surroundings<'_, R>,
    each: &mut impl FnMut(Row<'_>),
) -> Result<u64, ExtractError> {
    let feed = around.feed;
    let file = file::open(input)?;
    // Lines are counted by LF; the CR before it is trimmed from the last cell.
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(feed.csv.delimiter)
        .terminator(csv::Terminator::Any(b'\n'))
        .flexible(true)
        .has_headers(false)
        .from_reader(file);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record)?;
    let layout = Layout::find(feed, &record)?;
    let is_long =
        record.iter().any(|cell| cell.trim_ascii().iter().any(|byte| matches!(byte, b'\r' | b'\n')));
    let mut rows = 0;
    while reader.read_byte_record(&mut record)? {
        if record.len() == 1 && record[0].trim_ascii().is_empty() {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        rows += 1;
        let mut row = RowReader { around, layout: &layout, record: &record, left_out: Vec::new() };
        let event = row.event(line);
        each(Row { line, event, left_out: &row.left_out });
    }
    if rows == 0 && is_long { Err(ExtractError::HeaderOnly) } else { Ok(rows) }
}

/// What stands between the columns of a header that is one column for us, if it is that.
fn other_delimiter(header: &ByteRecord) -> Option<&'static str> {
    let only = header.get(0).filter(|_| header.len() == 1)?;
    [(b';', ";"), (b'\t', "\\t"), (b'|', "|"), (b',', ",")]
        .into_iter()
        .find_map(|(byte, name)| only.contains(&byte).then_some(name))
}

impl<'f> Layout<'f> {
    fn find(feed: &'f Feed, header: &ByteRecord) -> Result<Layout<'f>, ExtractError> {
        let csv = &feed.csv;
        if csv.reference.is_empty() {
            return Err(ExtractError::NoReference(feed.name.clone()));
        }
        let mut missing = Vec::new();
        let mut find = |name: &str| {
            let is_it = |(index, cell): (usize, &[u8])| {
                let cell = if index == 0 { cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell) } else { cell };
                cell.trim_ascii() == name.as_bytes()
            };
            header.iter().enumerate().position(is_it).unwrap_or_else(|| {
                missing.push(name.to_owned());
                0
            })
        };
        let mut at = |column: &'f Column| Position {
            name: column,
            first: find(&column.first),
            time: column.time.as_deref().map(&mut find),
        };
        let recorded_at = csv.recorded_at.as_ref().map(&mut at);
        let mut facts: Vec<_> = csv.columns.iter().map(|(name, column)| (*name, at(column))).collect();
        facts.sort_by_key(|(name, _)| *name != FactName::Instant(InstantFact::ArrivedAt));
        let reference = find(&csv.reference);
        let mut optional = |name: &str| (!name.is_empty()).then(|| find(name));
        let (id, site) = (optional(&csv.id), optional(&csv.site));
        let (sender, point_of_care) = (optional(&csv.sender), optional(&csv.point_of_care));
        if !missing.is_empty() {
            let other = other_delimiter(header).map(ExtractError::Delimiter);
            return Err(other.unwrap_or(ExtractError::Columns(missing)));
        }
        Ok(Layout { reference, id, site, sender, point_of_care, recorded_at, facts, width: header.len() })
    }
}

struct RowReader<'r, 'f, R> {
    around: Surroundings<'f, R>,
    layout: &'r Layout<'f>,
    record: &'r ByteRecord,
    left_out: Vec<LeftOut>,
}

fn fault(outcome: Outcome, column: &str, what: &'static str) -> RowFault {
    let place = if column.is_empty() { String::new() } else { format!("{column}: ") };
    RowFault { outcome, place, what }
}

impl<'r, 'f, R: References> RowReader<'r, 'f, R>
where
    Self: 'r,
{
    fn event(&mut self, line: u64) -> Result<Event<'r>, RowFault> {
        if self.record.len() != self.layout.width {
            let what = "the row has more or fewer cells than the header";
            return Err(fault(Outcome::Malformed, "", what));
        }
        let recorded = match &self.layout.recorded_at {
            None => None,
            Some(position) => {
                let stated = self.instant(position, Nearest::First)?;
                let missing = || {
                    fault(Outcome::Malformed, &position.name.first, "when the row was recorded is missing")
                };
                Some(stated.ok_or_else(missing)?)
            }
        };
        let place = self.place();
        let site = self.site(place)?;
        let reference = self.reference(&site)?;
        let mut attendance = Attendance::new(site, reference);
        self.facts(recorded, &mut attendance)?;
        let is_of_site = |place: &&Place| place.site.as_deref().is_none_or(|own| own == attendance.site);
        let kind =
            place.filter(|place| !place.outside).filter(is_of_site).and_then(|place| place.department_type);
        if !states(&attendance) {
            return Err(fault(Outcome::Malformed, "", "the row states no fact"));
        }
        if let (Some(kind), Fact::Absent) = (kind, attendance.department_type) {
            attendance.department_type = Fact::Stated(kind);
        }
        let statement = Statement::Attendance(attendance);
        let mut newest = None;
        instants(&statement, &mut |instant| newest = newest.max(Some(Millis::from(instant))));
        let nothing = "the row states no instant, so it cannot be said when it was recorded";
        let recorded_at = recorded.or(newest).ok_or_else(|| fault(Outcome::Malformed, "", nothing))?;
        let source = Cow::Owned(self.around.feed.source.clone());
        let event = Event { id: self.id(line)?, source, recorded_at, statement };
        admit(&event, self.around.organisations, &Standards::default())
            .map_err(|(outcome, what)| fault(outcome, "", what))?;
        Ok(event)
    }

    /// A cell; empty and `NULL` are none.
    fn cell(&self, index: usize) -> Option<&'r [u8]> {
        let cell = self.record.get(index).unwrap_or_default().trim_ascii();
        (!cell.is_empty() && cell != b"NULL").then_some(cell)
    }

    fn text(&self, index: usize, column: &str) -> Result<Option<&'r str>, RowFault> {
        let text = self.cell(index).map(str::from_utf8).transpose();
        text.map_err(|_| fault(Outcome::Malformed, column, "is not UTF-8"))
    }

    fn id(&self, line: u64) -> Result<Cow<'r, str>, RowFault> {
        let csv = &self.around.feed.csv;
        let Some(index) = self.layout.id else { return Ok(Cow::Owned(format!("line-{line}"))) };
        let id = self.text(index, &csv.id)?.unwrap_or_default();
        if (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Cow::Borrowed(id))
        } else {
            Err(fault(Outcome::Malformed, &csv.id, "must be 1 to 128 ASCII characters without spaces"))
        }
    }

    /// What the feed's rows say of where the patient was. A CSV row does not say since when, so no area is stated.
    fn place(&self) -> Option<&'f Place> {
        let cell = |index: Option<usize>| index.and_then(|index| self.cell(index)).unwrap_or_default();
        let (sender, point_of_care) = (cell(self.layout.sender), cell(self.layout.point_of_care));
        self.around.feed.place(&Named { sender, point_of_care, ..Named::default() })
    }

    fn site(&self, place: Option<&Place>) -> Result<Cow<'r, str>, RowFault> {
        let (feed, layout) = (self.around.feed, self.layout);
        let own = layout.site.map(|index| self.text(index, &feed.csv.site)).transpose()?.flatten();
        let site = match own {
            Some(site) => Cow::Borrowed(site),
            None => {
                let what = "no column, no [[place]] and not the feed says which site this is";
                Cow::Owned(
                    place
                        .and_then(|place| place.site.clone())
                        .or_else(|| feed.site.clone())
                        .ok_or_else(|| fault(Outcome::UnknownPlace, &feed.csv.site, what))?,
                )
            }
        };
        if self.around.organisations.find_at(&site, Level::Site).is_none() {
            let what = "is not the code of a site in organisations.csv";
            return Err(fault(Outcome::UnknownPlace, &feed.csv.site, what));
        }
        if !feed.may_speak_for(&site, self.around.organisations) {
            let what = "the feed may not speak for this site (its orgs)";
            return Err(fault(Outcome::NotAllowed, &feed.csv.site, what));
        }
        Ok(site)
    }

    fn reference(&self, site: &str) -> Result<Ref, RowFault> {
        let feed = self.around.feed;
        let column = &feed.csv.reference;
        let number = self.text(self.layout.reference, column)?;
        let number = number.ok_or_else(|| fault(Outcome::Malformed, column, "is empty"))?;
        if let Some(what) = mangled(number) {
            return Err(fault(Outcome::Malformed, column, what));
        }
        let reference = feed.reference(self.around.references, site, "", number);
        reference.ok_or_else(|| fault(Outcome::Malformed, column, "must have at most 64 bytes"))
    }

    fn facts(&mut self, recorded: Option<Millis>, attendance: &mut Attendance<'r>) -> Result<(), RowFault> {
        let (feed, layout) = (self.around.feed, self.layout);
        self.times(recorded, attendance)?;
        let mut coded = feed.codes.coded();
        let (mut service, mut number) = (None, None);
        for (name, position) in &layout.facts {
            let column = position.name.first.as_str();
            match name {
                FactName::Instant(_) => {}
                FactName::Code(set) => {
                    let code = self.text(position.first, column)?;
                    coded.read(*set, code.map_or(Fact::Absent, Fact::Stated), attendance);
                }
                FactName::AmbulanceService => service = self.text(position.first, column)?,
                FactName::AmbulanceRef => number = self.text(position.first, column)?,
            }
        }
        if coded.disposal().is_said() {
            attendance.disposal = coded.disposal();
        }
        self.left_out.extend(coded.unknown().iter().map(|set| LeftOut::Code(*set)));
        if service.is_some() || number.is_some() {
            match self.journey(service, number) {
                Some(journey) => attendance.ambulance = Fact::Stated(journey),
                None => self.left_out.push(LeftOut::Journey),
            }
        }
        Ok(())
    }

    /// The instants of the row, where the clock showed a reading twice by what the row says of itself.
    fn times(&self, recorded: Option<Millis>, attendance: &mut Attendance<'r>) -> Result<(), RowFault> {
        let by_arrival = |arrived: Option<Millis>| arrived.map_or(Nearest::First, Nearest::NotBefore);
        let Some(recorded) = recorded else { return self.read_times(&by_arrival, attendance) };
        let mut later = attendance.clone();
        self.read_times(&|_| Nearest::To(recorded), &mut later)?;
        if is_before_arrival(&mut later) {
            let mut earlier = attendance.clone();
            self.read_times(&by_arrival, &mut earlier)?;
            let newest = stated(&mut earlier).max().map(Millis::from);
            let is_future = newest > Some(Millis(recorded.0 + FUTURE_TOLERANCE_MS));
            if !is_future && !is_before_arrival(&mut earlier) {
                later = earlier;
            }
        }
        *attendance = later;
        Ok(())
    }

    /// Reads them by a rule that is told the arrival, once it is known.
    fn read_times(
        &self,
        rule: &dyn Fn(Option<Millis>) -> Nearest,
        attendance: &mut Attendance<'r>,
    ) -> Result<(), RowFault> {
        for (name, position) in &self.layout.facts {
            if let FactName::Instant(fact) = name
                && let Some(millis) =
                    self.instant(position, rule(attendance.arrived_at.value().map(Millis::from)))?
            {
                *fact.of(attendance) = Fact::Stated(millis.second());
            }
        }
        Ok(())
    }

    fn journey(&self, service: Option<&'r str>, number: Option<&'r str>) -> Option<JourneyName<'r>> {
        let (service, number) = (service?, number?);
        if number.len() > 64 || mangled(number).is_some() {
            return None;
        }
        self.around.organisations.find_at(service, Level::Service)?;
        let reference = self.around.references.reference(service, number)?;
        Some(JourneyName { service: Cow::Borrowed(service), reference })
    }

    /// An instant: with its offset as RFC 3339 has it, else a local reading in the feed's zone.
    fn instant(&self, position: &Position<'_>, nearest: Nearest) -> Result<Option<Millis>, RowFault> {
        let column = &position.name.first;
        let Some(text) = self.text(position.first, column)? else { return Ok(None) };
        let time = match (position.time, &position.name.time) {
            (Some(index), Some(name)) => {
                let missing = || fault(Outcome::Malformed, name, "is empty beside a date");
                Some((self.text(index, name)?.ok_or_else(missing)?, name.as_str()))
            }
            _ => None,
        };
        let csv = &self.around.feed.csv;
        let local = match time {
            None if rfc3339(text.as_bytes()).is_some() => return Ok(rfc3339(text.as_bytes())),
            None => local(text, csv.date.as_str(), csv.time.as_str()),
            Some((time, name)) => {
                // Some tools export a date as midnight of it.
                let date = text.split([' ', 'T']).next().unwrap_or_default();
                let date = parse_date(date, &csv.date);
                let time = parse_time(time, &csv.time)
                    .ok_or_else(|| fault(Outcome::Malformed, name, "is no time as csv.time has it"))?;
                date.map(|date| DateTime::from_parts(date, time))
            }
        };
        let wrong = || fault(Outcome::Malformed, column, "is no date as csv.date and csv.time have it");
        let instant = self.around.feed.zone.instant(local.ok_or_else(wrong)?, nearest);
        let century = || fault(Outcome::Malformed, column, "is not from 2000 to 2099");
        instant.map(Some).ok_or_else(century)
    }
}

fn stated(attendance: &mut Attendance<'_>) -> impl Iterator<Item = Second> {
    InstantFact::ALL.into_iter().filter_map(|fact| fact.of(attendance).value())
}

/// Whether anything happened before the patient came.
fn is_before_arrival(attendance: &mut Attendance<'_>) -> bool {
    let arrived = attendance.arrived_at.value();
    arrived.is_some_and(|arrived| stated(attendance).any(|at| at < arrived))
}

/// What a spreadsheet has left of a reference, if it has: it would be that of several patients.
fn mangled(reference: &str) -> Option<&'static str> {
    let is_error = reference.starts_with('#')
        && (reference.ends_with(['!', '?', '#']) || reference.eq_ignore_ascii_case("#N/A"));
    if is_error {
        return Some("is an error of a spreadsheet: mend the column and export it again");
    }
    let (number, power) = reference.split_once("E+").or_else(|| reference.split_once("e+"))?;
    let is_number = number.starts_with(|first: char| first.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
        && !power.is_empty()
        && power.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some("looks like a number that a spreadsheet has rounded: export the column as text")
}

/// A date and a time in one cell, a space or T between.
fn local(text: &str, date: &str, time: &str) -> Option<DateTime> {
    let (first, second) = text.split_once([' ', 'T'])?;
    Some(DateTime::from_parts(parse_date(first, date)?, parse_time(second.trim(), time)?))
}

fn parse_date(text: &str, format: &str) -> Option<Date> {
    strtime::parse(format, text).ok()?.to_date().ok()
}

/// Seconds may be left out where the format has them, and may have a fraction, which is cut off.
fn parse_time(text: &str, format: &str) -> Option<Time> {
    let text = text.split_once('.').map_or(text, |(whole, _)| whole);
    let parse = |format: &str| strtime::parse(format, text).ok()?.to_time().ok();
    parse(format).or_else(|| parse(format.strip_suffix(":%S")?))
}
