//! From the text of a story to its steps: lines, items, times, expectations. What a source says is read in
//! [`super::statement`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::event::{Category, Disposal, Event, Outcome};
use domain::measures::Window;
use domain::organisations::{Level, Organisations};
use domain::time::{DAY, Millis, Second, rfc3339};

use super::{Action, Expectation, Scenario, ScenarioError, Step, statement};
use crate::london;
use crate::model::{Area, Group, Measure, Period, Reports, Series, Settings, Standard};
use crate::places::{LITTLE_ENGLAND, organisations};

/// What is wrong with a line.
pub(super) type Wrong = String;

pub(super) fn scenario(text: &str) -> Result<Scenario, ScenarioError> {
    let lines = || text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let (orgs, settings) = setting(lines())?;
    let mut reader = Reader {
        orgs: &orgs,
        settings: &settings,
        day: None,
        live: lines().any(|(_, line)| line == "live"),
        said: BTreeMap::new(),
        count: 0,
        steps: Vec::new(),
    };
    for (line, content) in lines() {
        reader.line(line, content).map_err(|what| ScenarioError { line, what })?;
    }
    let steps = reader.steps;
    Ok(Scenario { orgs, settings, steps })
}

/// The organisations and the configuration, from the lines that say them.
fn setting<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<(Organisations, Settings), ScenarioError> {
    let mut table = LITTLE_ENGLAND.to_owned();
    let mut settings = Settings::default();
    for (line, content) in lines {
        if let Some(place) = content.strip_prefix("place ") {
            table.push_str(place);
            table.push('\n');
        }
        if let Some(words) = content.strip_prefix("area ") {
            let (site, area) = words.split_once(' ').ok_or_else(|| {
                let what = "an area of which site, called what?".to_owned();
                ScenarioError { line, what }
            })?;
            settings.areas.push(Area { site: site.to_owned(), area: area.trim().to_owned() });
        }
        if let Some(words) = content.strip_prefix("group ") {
            let mut words = words.split_whitespace().map(str::to_owned);
            let code = words.next().unwrap_or_default();
            settings.groups.push(Group { code, members: words.collect() });
        }
        if let Some(words) = content.strip_prefix("standard ") {
            let what = || format!("\"{words}\" is no standard");
            let standard = standard(words).ok_or_else(|| ScenarioError { line, what: what() })?;
            settings.standards.push(standard);
        }
        for disposal in content.strip_prefix("exclude ").unwrap_or_default().split_whitespace() {
            let disposal = Disposal::parse(disposal).ok_or_else(|| {
                let what = format!("\"{disposal}\" is no disposal");
                ScenarioError { line, what }
            })?;
            settings.exclude_disposals.push(disposal);
        }
    }
    let orgs = organisations(&table).map_err(|error| ScenarioError { line: 0, what: error.to_string() })?;
    Ok((orgs, settings))
}

/// `ID week|month|quarter LEVEL|CODE,CODE… [FIRST..LAST]`: the days between which the collection was paused.
fn standard(words: &str) -> Option<Standard> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let [id, period, reports, pauses @ ..] = words.as_slice() else { return None };
    let period = match *period {
        "week" => Period::Week,
        "month" => Period::Month,
        "quarter" => Period::Quarter,
        _ => return None,
    };
    let reports = match Level::parse(reports) {
        Some(level) => Reports::Level(level),
        None => Reports::Orgs(reports.split(',').map(str::to_owned).collect()),
    };
    let pause = |text: &&str| {
        let (first, last) = text.split_once("..")?;
        Some((days(day(first)?), days(day(last)?)))
    };
    let paused = pauses.iter().map(pause).collect::<Option<Vec<_>>>()?;
    Some(Standard { id: (*id).to_owned(), period, reports, paused })
}

/// A date as days since 1970-01-01.
pub(super) fn days((year, month, day): Day) -> u32 {
    london::minute_of(year, month, day).0 / DAY
}

struct Reader<'a> {
    orgs: &'a Organisations,
    settings: &'a Settings,
    day: Option<Day>,
    live: bool,
    said: BTreeMap<String, Event<'static>>,
    /// How many events were said: the next one's id, unless it says one.
    count: u32,
    steps: Vec<Step>,
}

/// Year, month, day.
pub(super) type Day = (u32, u32, u32);

impl Reader<'_> {
    fn line(&mut self, line: usize, content: &str) -> Result<(), Wrong> {
        let content = content.split_once('#').map_or(content, |(before, _)| before).trim();
        let tokens: Vec<&str> = content.split_whitespace().collect();
        match tokens.first().copied() {
            None | Some("live" | "place" | "exclude" | "area" | "group" | "standard") => Ok(()),
            Some("date") => {
                let text = tokens.get(1).copied().unwrap_or_default();
                self.day = Some(day(text).ok_or_else(|| format!("\"{text}\" is no date"))?);
                Ok(())
            }
            Some("rule") => Err("alert rules are not run here".to_owned()),
            Some(_) => self.items(line, &tokens),
        }
    }

    fn items(&mut self, line: usize, tokens: &[&str]) -> Result<(), Wrong> {
        for item in items(tokens)? {
            let day = self.day.ok_or("say a date first")?;
            let at = Time { day, text: item.time };
            let action = match item.words.as_slice() {
                [] => return Err(format!("nothing happens at {}", item.time)),
                ["expect", words @ ..] => Action::Expect(self.expectation(at, words)?),
                words => self.say(at, words)?,
            };
            self.steps.push(Step { line, action });
        }
        Ok(())
    }

    fn say(&mut self, at: Time<'_>, words: &[&str]) -> Result<Action, Wrong> {
        let (words, mut said) = split_pairs(words)?;
        let outcome = match said.take("outcome") {
            None => Outcome::Accepted,
            Some(text) => Outcome::parse(text).ok_or_else(|| format!("\"{text}\" is no outcome"))?,
        };
        let logged = said.take("logged").map(|text| at.other(text)).transpose()?;
        let recorded = match said.take("recorded") {
            None => Millis::from(at.second()?),
            Some(text) => at.other_millis(text)?,
        };
        let event = match words.as_slice() {
            ["again", id] => {
                let event = self.said.get(*id).ok_or_else(|| format!("no event has the id {id} so far"))?;
                event.clone()
            }
            words => {
                self.count += 1;
                let id = said.take("id").map_or_else(|| self.count.to_string(), str::to_owned);
                let event = statement::event(id, recorded, at, words, said)?;
                self.said.insert(event.id.to_string(), event.clone());
                event
            }
        };
        let log_time = match logged {
            Some(second) => Some(Millis::from(second)),
            None => self.live.then_some(event.recorded_at),
        };
        Ok(Action::Say { event: Box::new(event), log_time, outcome })
    }

    fn expectation(&self, at: Time<'_>, words: &[&str]) -> Result<Expectation, Wrong> {
        let (name, words) = words.split_first().ok_or("expect what?")?;
        let measure = Measure::named(name)
            .ok_or_else(|| format!("\"{name}\" is no measure that can be expected here"))?;
        let series = Series { measure: measure.name, tag: Cow::Borrowed(""), window: None };
        let (place, minute) = ("General".to_owned(), at.second()?.minute());
        let mut expected =
            Expected { measure, expectation: Expectation { place, series, minute, fields: Vec::new() } };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "=" => expected.within_of_departed(words.next().copied().unwrap_or_default())?,
                word => self.expected(&mut expected, word)?,
            }
        }
        expected.checked()
    }

    fn expected(&self, expected: &mut Expected, word: &str) -> Result<(), Wrong> {
        let series = &mut expected.expectation.series;
        if let Some(tag) = ["1", "2", "3", "5"].into_iter().find(|tag| word.strip_prefix("type") == Some(tag))
        {
            series.tag = Cow::Borrowed(tag);
        } else if word == "all" {
            series.tag = Cow::Borrowed("all");
        } else if Category::parse(word).is_some() {
            series.tag = Cow::Owned(word.to_owned());
        } else if let Some((name, tag)) = word.split_once('=')
            && Some(name) == expected.measure.tag
        {
            series.tag = Cow::Owned(tag.replace('_', " "));
        } else if let Some(window) = Window::parse(word) {
            series.window = Some(window);
        } else if let Some(code) = word.strip_prefix("at=") {
            let is_group = self.settings.groups.iter().any(|group| group.code == code);
            if !is_group && self.orgs.find(code).is_none() {
                return Err(format!("there is no place {code}"));
            }
            code.clone_into(&mut expected.expectation.place);
        } else {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("what is \"{word}\"?"))?;
            expected.field(name, value)?;
        }
        Ok(())
    }
}

/// An expectation that is being read.
struct Expected {
    measure: &'static Measure,
    expectation: Expectation,
}

impl Expected {
    fn within_of_departed(&mut self, text: &str) -> Result<(), Wrong> {
        if self.measure.name != "ae_four_hour" {
            return Err("only four_hour is a share".to_owned());
        }
        let (within, departed) = text.split_once('/').ok_or("a share is within/departed")?;
        self.field("within", within)?;
        self.field("departed", departed)
    }

    fn field(&mut self, name: &str, value: &str) -> Result<(), Wrong> {
        let fields = self.measure.fields.join(", ");
        let name = self.measure.field(name).ok_or_else(|| format!("the measure has only {fields}"))?;
        let value = value.parse().map_err(|_| format!("\"{value}\" is no number"))?;
        self.expectation.fields.push((name, value));
        Ok(())
    }

    fn checked(self) -> Result<Expectation, Wrong> {
        let (measure, series) = (self.measure, &self.expectation.series);
        if measure.tag.is_some() == series.tag.is_empty() {
            let tag = measure.tag.unwrap_or("tag");
            return Err(format!("{} and its {tag}: name it or leave it out", measure.name));
        }
        if measure.by_window != series.window.is_some() {
            return Err(format!("{} and its window: name it or leave it out", measure.name));
        }
        if self.expectation.fields.is_empty() {
            return Err("nothing is expected".to_owned());
        }
        Ok(self.expectation)
    }
}

/// One item of a line: its time and its words.
struct Item<'a> {
    time: &'a str,
    words: Vec<&'a str>,
}

/// An item begins at a time, or at `expect`, which then is about the time before it.
fn items<'a>(tokens: &[&'a str]) -> Result<Vec<Item<'a>>, Wrong> {
    let mut items: Vec<Item<'a>> = Vec::new();
    for token in tokens {
        if is_time(token) {
            items.push(Item { time: token, words: Vec::new() });
            continue;
        }
        let item = items.last_mut().ok_or_else(|| format!("\"{token}\" stands before a time"))?;
        if *token == "expect" && !item.words.is_empty() {
            let time = item.time;
            items.push(Item { time, words: vec![token] });
        } else {
            item.words.push(token);
        }
    }
    Ok(items)
}

/// `name=value` words and the others, each in their order.
fn split_pairs<'a>(words: &[&'a str]) -> Result<(Vec<&'a str>, Pairs<'a>), Wrong> {
    let mut plain = Vec::new();
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for word in words {
        match word.split_once('=') {
            None => plain.push(*word),
            Some((name, _)) if pairs.iter().any(|(known, _)| *known == name) => {
                return Err(format!("{name} is said twice"));
            }
            Some(pair) => pairs.push(pair),
        }
    }
    Ok((plain, Pairs(pairs)))
}

/// What an item says as `name=value`.
pub(super) struct Pairs<'a>(pub(super) Vec<(&'a str, &'a str)>);

impl<'a> Pairs<'a> {
    /// Takes a value out, if it was said.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a str> {
        let index = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(index).1)
    }
}

/// A time of day as it was written, on its day.
#[derive(Clone, Copy)]
pub(super) struct Time<'a> {
    day: Day,
    pub(super) text: &'a str,
}

impl Time<'_> {
    /// The instant.
    pub(super) fn second(self) -> Result<Second, Wrong> {
        instant(self.day, self.text)
    }

    /// Another time that the same item names: of the same day, or `2026-11-22/09:00`.
    pub(super) fn other(self, text: &str) -> Result<Second, Wrong> {
        match text.split_once('/') {
            None => instant(self.day, text),
            Some((date, time)) => {
                let day = day(date).ok_or_else(|| format!("\"{date}\" is no date"))?;
                instant(day, time)
            }
        }
    }

    /// The same, to the millisecond: `09:00:00.250`.
    pub(super) fn other_millis(self, text: &str) -> Result<Millis, Wrong> {
        let (text, millis) = text.split_once('.').unwrap_or((text, "0"));
        let millis: i64 = millis.parse().map_err(|_| format!("\"{millis}\" is no number of milliseconds"))?;
        Ok(Millis(Millis::from(self.other(text)?).0 + millis))
    }
}

fn is_time(token: &str) -> bool {
    let bytes = token.as_bytes();
    bytes.len() >= 5 && bytes[2] == b':' && bytes[0].is_ascii_digit()
}

pub(super) fn day(text: &str) -> Option<Day> {
    let mut numbers = text.split('-').map(|number| number.parse::<u32>().ok());
    let day = (numbers.next()??, numbers.next()??, numbers.next()??);
    let exists = rfc3339(format!("{text}T00:00:00Z").as_bytes()).is_some();
    (exists && numbers.next().is_none()).then_some(day)
}

/// The instant at which London clocks (or those of the zone that is written behind it) show that time of that day.
fn instant((year, month, date): Day, text: &str) -> Result<Second, Wrong> {
    let wrong = || format!("\"{text}\" is no time of day");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_uppercase());
    let zone = &text[digits.len()..];
    let numbers: Option<Vec<u32>> = digits.split(':').map(|number| number.parse().ok()).collect();
    let (hour, minute, second) = match numbers.as_deref() {
        Some([hour @ 0..24, minute @ 0..60]) => (*hour, *minute, 0),
        Some([hour @ 0..24, minute @ 0..60, second @ 0..60]) => (*hour, *minute, *second),
        _ => return Err(wrong()),
    };
    let clock = london::minute_of(year, month, date).plus(hour * 60 + minute);
    let (summer, winter) = (clock.minus(60), clock);
    let minute = match zone {
        "Z" | "GMT" => winter,
        "BST" => summer,
        "" => match (london::offset(summer) == 60, london::offset(winter) == 0) {
            (true, false) => summer,
            (false, true) => winter,
            (true, true) => return Err(format!("{text} is there twice: write BST or GMT behind it")),
            (false, false) => return Err(format!("{text} is not there: the clocks go forward")),
        },
        _ => return Err(wrong()),
    };
    Ok(Second(minute.start().0 + second))
}
