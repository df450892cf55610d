//! What a source says in a story: the words of an item as an event.

use std::borrow::Cow;

use domain::event::{
    ArrivalMode, Attendance, Beds, Category, DepartmentType, Disposal, Escalation, Event, Fact, Journey,
    JourneyName, Location, Return, Statement,
};
use domain::time::Millis;

use super::read::{Pairs, Time, Wrong, day, days};
use crate::places::reference;

/// A fact and its value, as they would be written `name=value`.
type Pair<'a> = (&'a str, &'a str);

/// The event behind the words of an item.
pub(super) fn event(
    id: String,
    recorded_at: Millis,
    at: Time<'_>,
    words: &[&str],
    mut said: Pairs<'_>,
) -> Result<Event<'static>, Wrong> {
    let source = said.take("source").map(str::to_owned);
    let (statement, default_source) = match words {
        ["heartbeat"] => (Statement::Heartbeat, "ed"),
        ["beds"] => (Statement::Beds(beds(at, &mut said)?), "beds"),
        ["declare", org, level] => (Statement::Escalation(escalation(at, org, level, &mut said)?), "sitrep"),
        ["return", org, standard, start] => {
            (Statement::Standard(a_return(org, standard, start, &mut said)?), "returns")
        }
        [verb, name, words @ ..] if name.starts_with('J') => {
            (Statement::Ambulance(journey(at, verb, name, words, &mut said)?), "cad")
        }
        [verb, name, words @ ..] if name.starts_with('A') => {
            (Statement::Attendance(attendance(at, verb, name, words, &mut said)?), "ed")
        }
        words => return Err(format!("what is \"{}\"?", words.join(" "))),
    };
    if let Some((name, _)) = said.0.first() {
        return Err(format!("\"{name}\" is not said of this"));
    }
    let source = source.unwrap_or_else(|| default_source.to_owned());
    Ok(Event { id: id.into(), source: source.into(), recorded_at, statement })
}

fn attendance(
    at: Time<'_>,
    verb: &str,
    name: &str,
    words: &[&str],
    said: &mut Pairs<'_>,
) -> Result<Attendance<'static>, Wrong> {
    let site = said.take("site").unwrap_or("General").to_owned();
    let service = said.take("service").unwrap_or("Ambulances");
    let mut the = Attendance::new(site, reference(name));
    let mut facts = attendance_verb(at, verb, words)?;
    facts.extend(std::mem::take(&mut said.0));
    for (fact, value) in facts {
        state_attendance(&mut the, at, service, fact, value).map_err(|why| format!("{fact}: {why}"))?;
    }
    Ok(the)
}

/// What a verb says of an attendance, with the words behind it.
fn attendance_verb<'a>(at: Time<'a>, verb: &'a str, words: &[&'a str]) -> Result<Vec<Pair<'a>>, Wrong> {
    let now = at.text;
    match (verb, words) {
        ("arrive", words) => {
            let mut facts = arrival(words)?;
            facts.push(("arrived_at", now));
            Ok(facts)
        }
        ("assess", []) => Ok(vec![("assessed_at", now)]),
        ("treat", []) => Ok(vec![("treated_at", now)]),
        ("refer", []) => Ok(vec![("referred_at", now)]),
        ("decide", []) => Ok(vec![("decided_to_admit_at", now)]),
        ("stop", []) => Ok(vec![("clock_stopped_at", now)]),
        ("depart", []) => Ok(vec![("departed_at", now)]),
        ("depart", [disposal]) => Ok(vec![("departed_at", now), ("disposal", disposal)]),
        ("move", [area]) => Ok(vec![("location", area)]),
        ("void", []) => Ok(vec![("void", "true")]),
        ("unvoid", []) => Ok(vec![("void", "false")]),
        ("state", []) => Ok(Vec::new()),
        _ => Err(format!("an attendance cannot \"{verb} {}\"", words.join(" "))),
    }
}

fn arrival<'a>(words: &[&'a str]) -> Result<Vec<Pair<'a>>, Wrong> {
    let mut facts = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        facts.push(match *word {
            "planned" => ("planned", "true"),
            "child" => ("child", "true"),
            "by" => ("ambulance", *words.next().ok_or("by which journey?")?),
            word => {
                let number = word.strip_prefix("type").ok_or_else(|| format!("what is \"{word}\"?"))?;
                ("department_type", number)
            }
        });
    }
    Ok(facts)
}

fn state_attendance(
    the: &mut Attendance<'static>,
    at: Time<'_>,
    service: &str,
    fact: &str,
    value: &str,
) -> Result<(), Wrong> {
    let instant = || read(value, |text| at.other(text).ok());
    match fact {
        "department_type" => {
            the.department_type =
                read(value, |text| text.parse().ok().and_then(DepartmentType::from_number))?;
        }
        "planned" => the.planned = flag(value)?,
        "child" => the.child = flag(value)?,
        "acuity" => the.acuity = read(value, |text| text.parse().ok().filter(|n| (1..=5).contains(n)))?,
        "arrival_mode" => the.arrival_mode = read(value, ArrivalMode::parse)?,
        "ambulance" => {
            the.ambulance = read(value, |text| {
                let service = Cow::Owned(service.to_owned());
                Some(JourneyName { service, reference: reference(text) })
            })?;
        }
        "arrived_at" => the.arrived_at = instant()?,
        "assessed_at" => the.assessed_at = instant()?,
        "treated_at" => the.treated_at = instant()?,
        "referred_at" => the.referred_at = instant()?,
        "decided_to_admit_at" => the.decided_to_admit_at = instant()?,
        "clock_stopped_at" => the.clock_stopped_at = instant()?,
        "departed_at" => the.departed_at = instant()?,
        "disposal" => the.disposal = read(value, Disposal::parse)?,
        "location" => {
            let area = (value != "null").then(|| Cow::Owned(value.to_owned()));
            the.location = Some(Location { area, since: at.second()? });
        }
        "void" => the.void = flag(value)?,
        _ => return Err("not a fact of an attendance".to_owned()),
    }
    Ok(())
}

fn journey(
    at: Time<'_>,
    verb: &str,
    name: &str,
    words: &[&str],
    said: &mut Pairs<'_>,
) -> Result<Journey<'static>, Wrong> {
    let service = said.take("service").unwrap_or("Ambulances").to_owned();
    let mut the = Journey::new(service, reference(name));
    let now = at.text;
    let mut facts = match (verb, words) {
        ("call", []) => vec![("call_at", now)],
        ("start", []) => vec![("clock_started_at", now)],
        ("respond", []) => vec![("responded_at", now)],
        ("send", [site]) => vec![("destination", *site)],
        ("reach", []) => vec![("arrived_at", now)],
        ("reach", [site]) => vec![("arrived_at", now), ("destination", *site)],
        ("handover", []) => vec![("handed_over_at", now)],
        ("clear", []) => vec![("cleared_at", now)],
        ("void", []) => vec![("void", "true")],
        ("unvoid", []) => vec![("void", "false")],
        ("state", []) => Vec::new(),
        _ => return Err(format!("a journey cannot \"{verb} {}\"", words.join(" "))),
    };
    facts.extend(std::mem::take(&mut said.0));
    for (fact, value) in facts {
        state_journey(&mut the, at, fact, value).map_err(|why| format!("{fact}: {why}"))?;
    }
    Ok(the)
}

fn state_journey(the: &mut Journey<'static>, at: Time<'_>, fact: &str, value: &str) -> Result<(), Wrong> {
    let instant = || read(value, |text| at.other(text).ok());
    match fact {
        "category" => the.category = read(value, Category::parse)?,
        "call_at" => the.call_at = instant()?,
        "clock_started_at" => the.clock_started_at = instant()?,
        "responded_at" => the.responded_at = instant()?,
        "destination" => the.destination = read(value, |text| Some(Cow::Owned(text.to_owned())))?,
        "arrived_at" => the.arrived_at = instant()?,
        "handed_over_at" => the.handed_over_at = instant()?,
        "cleared_at" => the.cleared_at = instant()?,
        "void" => the.void = flag(value)?,
        _ => return Err("not a fact of a journey".to_owned()),
    }
    Ok(())
}

fn beds(at: Time<'_>, said: &mut Pairs<'_>) -> Result<Beds<'static>, Wrong> {
    let site = Cow::Owned(said.take("site").unwrap_or("General").to_owned());
    let mut number = |name| match said.take(name) {
        None => Ok(Fact::Absent),
        Some(value) => read(value, |text| text.parse().ok()),
    };
    Ok(Beds {
        site,
        as_of: at.second()?,
        open: number("open")?,
        occupied: number("occupied")?,
        escalation_open: number("escalation_open")?,
        no_criteria_to_reside: number("no_criteria_to_reside")?,
    })
}

fn a_return(org: &str, standard: &str, start: &str, said: &mut Pairs<'_>) -> Result<Return<'static>, Wrong> {
    let period_start = days(day(start).ok_or_else(|| format!("\"{start}\" is no date"))?);
    let mut number = |name| match said.take(name) {
        None => Ok(Fact::Absent),
        Some(value) => read(value, |text| text.parse().ok()),
    };
    Ok(Return {
        standard: Cow::Owned(standard.to_owned()),
        org: Cow::Owned(org.to_owned()),
        period_start,
        met: number("met")?,
        total: number("total")?,
        count: number("count")?,
        total_s: number("total_s")?,
        p90_s: number("p90_s")?,
    })
}

fn escalation(
    at: Time<'_>,
    org: &str,
    level: &str,
    said: &mut Pairs<'_>,
) -> Result<Escalation<'static>, Wrong> {
    Ok(Escalation {
        org: Cow::Owned(org.to_owned()),
        scale: Cow::Owned(said.take("scale").unwrap_or("opel").to_owned()),
        since: at.second()?,
        level: read(level, |text| text.parse().ok().filter(|n| (1..=4).contains(n)))?,
    })
}

fn flag(value: &str) -> Result<Fact<bool>, Wrong> {
    read(value, |text| text.parse().ok())
}

/// `null` retracts; anything else must be a value.
fn read<T>(value: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Fact<T>, Wrong> {
    if value == "null" {
        return Ok(Fact::Retracted);
    }
    parse(value).map(Fact::Stated).ok_or_else(|| format!("what is \"{value}\"?"))
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;

    #[test]
    fn a_text_that_is_no_story_says_where_and_why() {
        for (text, message) in [
            ("09:00 arrive A1 type1", "line 1: say a date first"),
            ("date 2026-02-30", "line 1: \"2026-02-30\" is no date"),
            ("date 2026-11-21\narrive A1", "line 2: \"arrive\" stands before a time"),
            ("date 2026-11-21\n09:00", "line 2: nothing happens at 09:00"),
            ("date 2026-11-21\n25:00 arrive A1", "line 2: \"25:00\" is no time of day"),
            ("date 2026-10-25\n01:30 arrive A1", "line 2: 01:30 is there twice: write BST or GMT behind it"),
            ("date 2026-03-29\n01:30 arrive A1", "line 2: 01:30 is not there: the clocks go forward"),
            ("date 2026-11-21\n09:00 arrive A1 type6", "line 2: department_type: what is \"6\"?"),
            ("date 2026-11-21\n09:00 depart A1 home", "line 2: disposal: what is \"home\"?"),
            ("date 2026-11-21\n09:00 arrive B1", "line 2: what is \"arrive B1\"?"),
            ("date 2026-11-21\n09:00 reach A1", "line 2: an attendance cannot \"reach \""),
            ("date 2026-11-21\n09:00 arrive A1 id=1 id=2", "line 2: id is said twice"),
            ("date 2026-11-21\n09:00 state J1 disposal=died", "line 2: disposal: not a fact of a journey"),
            ("date 2026-11-21\n09:00 again 7", "line 2: no event has the id 7 so far"),
            (
                "date 2026-11-21\n09:00 expect four_hour 4h = 1/2",
                "line 2: ae_four_hour and its type: name it or leave it out",
            ),
            (
                "date 2026-11-21\n09:00 expect queue 4h waiting=1",
                "line 2: amb_queue and its window: name it or leave it out",
            ),
            ("date 2026-11-21\n09:00 expect queue", "line 2: nothing is expected"),
            (
                "date 2026-11-21\n09:00 expect alert x firing",
                "line 2: \"alert\" is no measure that can be expected here",
            ),
            ("rule four-hour", "line 1: alert rules are not run here"),
            ("exclude home", "line 1: \"home\" is no disposal"),
            ("standard rtt year trust", "line 1: \"rtt year trust\" is no standard"),
            ("date 2026-11-21\n09:00 return Trust rtt today met=1", "line 2: \"today\" is no date"),
            (
                "date 2026-11-21\n09:00 expect area present=1",
                "line 2: ae_area and its area: name it or leave it out",
            ),
            ("date 2026-11-21\n09:00 expect queue at=Worst waiting=1", "line 2: there is no place Worst"),
        ] {
            assert_eq!(Scenario::read(text).unwrap_err().to_string(), message);
        }
    }
}
