//! `GET /v1/measures`: points of one measure for some organisations, from the board's store.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use domain::measures::{DEFAULT_WINDOWS, Defined, Measure, Number, SeriesKey, Tag, TagKind, TypeTag, Window};
use domain::time::Minute;
use serde::Serialize;

use super::targets::{self, TargetView};
use super::{Board, Refusal, failure, instant, json, no_org, quoted};
use crate::live::Mode;
use crate::read::{Points, Range};

/// How far back an answer goes where `from` is left out.
const DEFAULT_MINUTES: u32 = 240;

/// What is asked for, checked.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    measure: Measure,
    orgs: Vec<String>,
    /// For each name of the measure's tag the texts that are wanted; empty: every one.
    tags: Vec<Vec<String>>,
    /// Empty: every one.
    windows: Vec<Window>,
    /// None where the question leaves it to a store that has no minute yet.
    range: Option<Range>,
    step_minutes: u32,
}

#[derive(Serialize)]
struct Answer {
    measure: &'static str,
    /// `null`, as is `until`, where nothing was asked for and nothing is known yet.
    from: Option<String>,
    until: Option<String>,
    step_minutes: u32,
    /// What stands in each point after its time.
    fields: Vec<&'static str>,
    series: Vec<SeriesView>,
}

#[derive(Serialize)]
struct SeriesView {
    org: String,
    name: String,
    level: &'static str,
    /// `type`, `category`, `area`, …
    #[serde(flatten)]
    tags: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<String>,
    /// The targets that were in force in the time that is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<TargetView>,
    /// Unix seconds, then the fields. A minute without a point says the same as zeros (spec 2.4).
    points: Vec<Vec<Figure>>,
}

/// A number of a point.
#[derive(Serialize)]
#[serde(untagged)]
enum Figure {
    Integer(i64),
    Float(f64),
}

impl From<Number> for Figure {
    fn from(number: Number) -> Figure {
        match number {
            Number::Integer(value) => Figure::Integer(value),
            Number::Float(value) => Figure::Float(value),
        }
    }
}

pub(super) async fn measures(
    State(board): State<Arc<Board>>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Response {
    let timer = board.metrics.question_seconds.clone();
    let begun = board.clock.0.monotonic();
    let newest = match board.live.mode() {
        Mode::AsAt(minute) => Ok(Some(minute)),
        Mode::Live => board.read(|reader| reader.newest_minute()).await,
    };
    let newest = match newest {
        Ok(newest) => newest,
        Err(error) => return failure(&error),
    };
    let question = match Question::parse(&asked, newest, &board) {
        Ok(question) => question,
        Err(refusal) => return refusal.into_response(),
    };
    let for_answer = Arc::clone(&board);
    let answer = board
        .read(move |reader| {
            let mut series = Vec::new();
            if let Some(range) = question.range {
                for org in &question.orgs {
                    let points = reader.matching(org, range, &|key| question.wants(key))?;
                    series.extend(views(org, points, range, &for_answer));
                }
            }
            Ok(question.answer(series))
        })
        .await;
    timer.observe((board.clock.0.monotonic() - begun).as_secs_f64());
    match answer {
        Ok(answer) => json(&answer),
        Err(error) => failure(&error),
    }
}

impl Question {
    /// `newest`: the minute that the board shows, the default of `until`.
    fn parse(asked: &[(String, String)], newest: Option<Minute>, board: &Board) -> Result<Question, Refusal> {
        for (name, _) in asked {
            if !PARAMETERS.contains(&name.as_str()) {
                let message = format!("is not a parameter of this; it has {}", PARAMETERS.join(", "));
                return Err(Refusal::new(name, message));
            }
        }
        let measure = measure(asked)?;
        let orgs = orgs(asked, measure, board)?;
        let tags = texts(asked, measure)?;
        let windows = windows(asked, measure, &board.tables.windows)?;
        let (range, step_minutes) = range(asked, newest)?;
        let question = Question { measure, orgs, tags, windows, range, step_minutes };
        question.check_size(board.limits.answer_points)?;
        Ok(question)
    }

    /// `most`: points of one answer.
    fn check_size(&self, most: u64) -> Result<(), Refusal> {
        let Some(range) = self.range else { return Ok(()) };
        let several = |given: usize, by: bool, all: usize| match (given, by) {
            (_, false) => 1,
            (0, true) => all as u64,
            (given, true) => given as u64,
        };
        let definition = self.measure.definition();
        let series = self.orgs.len() as u64
            * self.tags.iter().map(|wanted| several(wanted.len(), true, TAGS_EXPECTED)).product::<u64>()
            * several(self.windows.len(), definition.by_window, DEFAULT_WINDOWS.len());
        let points = series * range.points();
        if points <= most {
            return Ok(());
        }
        let advice = match smallest_step(range, most / series) {
            Some(step) => format!("take {step}m or more,"),
            None => format!("no step of at most {LONGEST_STEP_MINUTES}m is enough: take"),
        };
        Err(Refusal::new(
            "step",
            format!(
                "makes up to {points} points, more than the {most} of one answer: \
                 {advice} a shorter time, fewer organisations, or name a tag and a window"
            ),
        ))
    }

    fn wants(&self, key: &SeriesKey) -> bool {
        key.measure == self.measure
            && key
                .tags()
                .zip(&self.tags)
                .all(|((_, text), wanted)| wanted.is_empty() || wanted.iter().any(|one| one == text))
            && (self.windows.is_empty() || key.window.is_some_and(|window| self.windows.contains(&window)))
    }

    fn answer(&self, series: Vec<SeriesView>) -> Answer {
        Answer {
            measure: self.measure.as_str(),
            from: self.range.map(|range| range.from.to_string()),
            until: self.range.map(|range| range.until.to_string()),
            step_minutes: self.step_minutes,
            fields: self.measure.definition().fields.iter().map(|field| field.name).collect(),
            series,
        }
    }
}

/// The longest step, as [`Window::parse`] reads it: 14 days.
const LONGEST_STEP_MINUTES: u64 = 20_160;

/// The shortest step with which a range has at most so many points wherever its minutes fall; `None`: it would be too
/// long a step.
fn smallest_step(range: Range, points: u64) -> Option<u64> {
    let minutes = u64::from(range.until.0 - range.from.0);
    let step = minutes.checked_div(points)? + 1;
    (step <= LONGEST_STEP_MINUTES).then_some(step)
}

const PARAMETERS: [&str; 14] = [
    "measure",
    "org",
    "type",
    "category",
    "area",
    "standard",
    "scale",
    "framework",
    "parameter",
    "source",
    "window",
    "from",
    "until",
    "step",
];

/// How many values a tag that is left open is expected to have: as many as tag `type`.
const TAGS_EXPECTED: usize = TypeTag::ALL_TAGS.len();

fn measure(asked: &[(String, String)]) -> Result<Measure, Refusal> {
    let published = || Measure::ALL.into_iter().filter(|measure| is_published(*measure));
    let names = || published().map(Measure::as_str).collect::<Vec<_>>().join(", ");
    match once(asked, "measure")?.map(|name| (name, Measure::parse(name))) {
        None => Err(Refusal::new("measure", format!("is missing: one of {}", names()))),
        Some((_, Some(measure))) if is_published(measure) => Ok(measure),
        Some((name, Some(_))) => Err(Refusal::new("measure", format!("{name} is not published yet"))),
        Some((name, None)) => {
            Err(Refusal::new("measure", format!("{} is none of {}", quoted(name), names())))
        }
    }
}

fn is_published(measure: Measure) -> bool {
    measure.definition().defined != Defined::NotPublishedYet
}

fn orgs(asked: &[(String, String)], measure: Measure, board: &Board) -> Result<Vec<String>, Refusal> {
    let mut orgs: Vec<String> = Vec::new();
    for code in values(asked, "org") {
        let Some(id) = board.organisations().find(code) else {
            return Err(no_org(code));
        };
        let level = board.organisations().get(id).level;
        if !measure.exists_at(level) {
            let message = format!("{code} is a {}, which has no {}", level.as_str(), measure.as_str());
            return Err(Refusal::new("org", message));
        }
        if !orgs.iter().any(|held| held == code) {
            orgs.push(code.to_owned());
        }
    }
    if orgs.is_empty() {
        return Err(Refusal::new("org", "is missing: one or more codes of /v1/organisations, with commas"));
    }
    Ok(orgs)
}

/// The texts of the measure's tag that are wanted, by its names.
fn texts(asked: &[(String, String)], measure: Measure) -> Result<Vec<Vec<String>>, Refusal> {
    let kind = measure.definition().tag;
    let all = TagKind::ALL.into_iter().flat_map(|kind| kind.names());
    for name in all.filter(|name| !kind.names().contains(name)) {
        if values(asked, name).next().is_some() {
            return Err(no_tag(name, measure));
        }
    }
    let hint = match kind {
        TagKind::Type => "all, 1, 2, 3 or 5",
        TagKind::Category => "C1, C2, C3, C4 or C5",
        TagKind::None
        | TagKind::Area
        | TagKind::Standard
        | TagKind::Scale
        | TagKind::Framework
        | TagKind::Parameter
        | TagKind::Source => "1 to 64 bytes of text",
    };
    let mut tags = Vec::new();
    for name in kind.names() {
        let mut wanted: Vec<String> = Vec::new();
        for text in values(asked, name) {
            let is_one = match kind {
                TagKind::Parameter => Tag::text(text).is_some(),
                TagKind::None
                | TagKind::Type
                | TagKind::Category
                | TagKind::Area
                | TagKind::Standard
                | TagKind::Scale
                | TagKind::Framework
                | TagKind::Source => kind.parse(&[text]).is_some(),
            };
            if !is_one {
                return Err(Refusal::new(name, format!("{} must be {hint}", quoted(text))));
            }
            if !wanted.iter().any(|held| held == text) {
                wanted.push(text.to_owned());
            }
        }
        tags.push(wanted);
    }
    Ok(tags)
}

fn no_tag(name: &str, measure: Measure) -> Refusal {
    Refusal::new(name, format!("is not a tag of {}: leave it out", measure.as_str()))
}

/// `published`: empty where that is not known.
fn windows(
    asked: &[(String, String)],
    measure: Measure,
    published: &[Window],
) -> Result<Vec<Window>, Refusal> {
    let mut windows = Vec::new();
    for text in values(asked, "window") {
        if !measure.definition().by_window {
            return Err(no_tag("window", measure));
        }
        let is_published = |window: &Window| published.is_empty() || published.contains(window);
        match Window::parse(text).filter(is_published) {
            Some(window) if windows.contains(&window) => {}
            Some(window) => windows.push(window),
            None => {
                let known = if published.is_empty() { &DEFAULT_WINDOWS } else { published };
                let known: Vec<String> = known.iter().map(ToString::to_string).collect();
                let message = format!("{} is none of {}", quoted(text), known.join(", "));
                return Err(Refusal::new("window", message));
            }
        }
    }
    Ok(windows)
}

/// What is asked for and its step; no range where its end is left to a store that knows no minute.
fn range(asked: &[(String, String)], newest: Option<Minute>) -> Result<(Option<Range>, u32), Refusal> {
    let time = |name| once(asked, name)?.map(|text| instant(name, text)).transpose();
    let (from, until) = (time("from")?, time("until")?.or(newest));
    let step_minutes = match once(asked, "step")? {
        None => 1,
        Some(text) => match Window::parse(text) {
            Some(Window::Rolling(minutes)) => minutes,
            Some(Window::Today) | None => {
                let message =
                    format!("{} must be a number of m, h or d, such as 15m; at most 14d", quoted(text));
                return Err(Refusal::new("step", message));
            }
        },
    };
    let Some(until) = until else { return Ok((None, step_minutes)) };
    let from = from.unwrap_or(until.minus(DEFAULT_MINUTES));
    if from > until {
        return Err(Refusal::new("from", format!("{from} is after until, {until}")));
    }
    Ok((Some(Range { from, until, step_minutes }), step_minutes))
}

/// The value of a parameter that may stand once.
fn once<'a>(asked: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut given = asked.iter().filter(|(held, _)| held == name).map(|(_, value)| value.as_str());
    match (given.next(), given.next()) {
        (_, Some(_)) => Err(Refusal::new(name, "stands twice")),
        (value, None) => Ok(value),
    }
}

/// The values of a parameter that may be repeated and may have commas.
fn values<'a>(asked: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    let name = name.to_owned();
    asked.iter().filter(move |(held, _)| *held == name).flat_map(|(_, value)| value.split(','))
}

fn views(org: &str, points: Points, range: Range, board: &Board) -> Vec<SeriesView> {
    let table = board.organisations();
    let Some(found) = table.find(org).map(|id| table.get(id)) else { return Vec::new() };
    let view = |(key, points): (SeriesKey, Vec<(Minute, domain::measures::Values)>)| {
        let fields = key.measure.definition().fields;
        let row = |(minute, values): (Minute, domain::measures::Values)| {
            let figures = fields.iter().zip(values).map(|(field, value)| field.number(value).into());
            std::iter::once(Figure::Integer(i64::from(minute.start().0))).chain(figures).collect()
        };
        SeriesView {
            org: org.to_owned(),
            name: found.name.clone(),
            level: found.level.as_str(),
            tags: key.tags().map(|(name, text)| (name, text.to_owned())).collect(),
            window: key.window.map(|window| window.to_string()),
            targets: targets::in_force(board, found.level, &key, range),
            points: points.into_iter().map(row).collect(),
        }
    };
    points.into_iter().map(view).collect()
}
