//! A report as JSON, for programs. Fields are added, never changed or used again; shares are beside the counts that they
//! are made of, `null` where nothing is held. The form is described in docs/report.md.

use domain::measures::{Number, SeriesKey, TypeTag};
use serde_json::{Map, Value, json};

use super::escalation::{Computed, Escalation, Levels};
use super::figures::{Figures, FourHour, Source, Tally};
use super::number::Share;
use super::standards::{Returned, StandardLine};
use super::{BelowCount, BelowOne, Place, Report, Target, period};

/// The name and version of this form.
pub const FORMAT: &str = "sitrep-report/1";

/// The report, indented, with a line end.
pub fn write(report: &Report) -> String {
    let document = report.document();
    let [now, before, year_before] = report.periods().map(figures);
    let below = &report.below;
    let value = json!({
        "format": FORMAT,
        "organisation": place(&report.place),
        "as_at": report.as_at.to_string(),
        "published": report.published.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
        "labels": document.labels,
        "summary": document.summary,
        "periods": { "now": now, "before": before, "year_before": year_before },
        "below_floor": {
            "floor": below.floor,
            "level": below.level.as_str(),
            "type": TypeTag::All.as_str(),
            "now": below.now.map(below_count),
            "year_before": below.year_before.map(below_count),
            "organisations": below.organisations.iter().map(below_one).collect::<Vec<_>>(),
        },
        "standards": report.standards.iter().map(standard).collect::<Vec<_>>(),
        "escalation": report.escalations.iter().map(escalation).collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&value).expect("a tree of JSON values is written");
    text.push('\n');
    text
}

fn place(place: &Place) -> Value {
    json!({ "code": place.code, "name": place.name, "level": place.level.as_str() })
}

fn below_count(found: BelowCount) -> Value {
    json!({ "below": found.below, "of": found.of })
}

fn below_one(found: &BelowOne) -> Value {
    json!({
        "organisation": place(&found.place),
        "departed": found.now.whole,
        "within": found.now.part,
        "share": ratio(found.now),
        "year_before_share": found.year_before.and_then(ratio),
    })
}

fn standard(line: &StandardLine) -> Value {
    json!({
        "standard": line.id,
        "title": line.title,
        "kind": line.kind.as_str(),
        "better": line.better.as_str(),
        "last": period::day_of(line.end).to_string(),
        "newest": returned(line.newest),
        "target": line.target.as_ref().map(target),
        "misses": line.misses(),
        "year_before": line.year_before.map(returned),
        "overdue": line.overdue.map(|(end, missing)| {
            json!({ "last": period::day_of(end).to_string(), "missing": missing })
        }),
    })
}

fn returned(found: Returned) -> Value {
    json!({
        "met": found.met,
        "total": found.total,
        "count": found.count,
        "total_s": found.total_s,
        "p90_s": (found.p90_s > 0).then_some(found.p90_s),
        "reporting": found.reporting,
        "expected": found.expected,
    })
}

fn escalation(found: &Escalation) -> Value {
    let levels = |levels: &Levels| json!({ "at_end": levels.at_end, "highest": levels.highest });
    let computed = |one: &Computed| {
        let value = json!({ "level": levels(&one.levels), "score": one.score, "missing": one.missing });
        (one.framework.clone(), value)
    };
    json!({
        "organisation": place(&found.place),
        "declared": found.declared.iter().map(|(scale, held)| (scale.clone(), levels(held))).collect::<Map<_, _>>(),
        "computed": found.computed.iter().map(computed).collect::<Map<_, _>>(),
    })
}

fn target(target: &Target) -> Value {
    json!({ "value": target.value, "verified": target.verified })
}

fn figures(figures: &Figures) -> Value {
    let four_hour: Map<String, Value> = [TypeTag::All, TypeTag::One, TypeTag::Two, TypeTag::Three]
        .into_iter()
        .filter_map(|tag| Some((tag.as_str().to_owned(), four_hour(figures.four_hour(tag)?))))
        .collect();
    json!({
        "span": figures.period.span.as_str(),
        "title": figures.period.title(),
        "first": figures.period.first.to_string(),
        "last": figures.period.last.to_string(),
        "days": figures.days,
        "days_held": figures.held,
        "so_far": figures.so_far.map(|at| at.to_string()),
        "source": figures.source.as_str(),
        "target": figures.target.as_ref().map(target),
        "feeds": { "site_days": figures.feeds.site_days, "stale": figures.feeds.stale },
        "four_hour": if figures.source == Source::NotHeld { Value::Null } else { Value::Object(four_hour) },
        "series": figures.series().map(|(key, tally)| series(key, tally)).collect::<Vec<_>>(),
    })
}

fn four_hour(found: FourHour) -> Value {
    json!({
        "departed": found.departed,
        "within": found.within,
        "over_4h": found.over(),
        "share": ratio(found.share()),
        "over_12h_since_arrival": found.over_12h,
    })
}

/// Every field of a series: the highest of a day, and its sum over the days where it adds up.
fn series(key: &SeriesKey, tally: &Tally) -> Value {
    let fields: Map<String, Value> = key
        .measure
        .definition()
        .fields
        .iter()
        .map(|field| {
            let highest = tally.highest(field.name);
            let value = json!({
                "sum": Tally::adds_up(field.name).then(|| number(field.number(tally.total(field.name)))),
                "highest": number(field.number(highest.value)),
                "highest_on": period::day_of(highest.at).to_string(),
            });
            (field.name.to_owned(), value)
        })
        .collect();
    json!({
        "measure": key.measure.as_str(),
        "tags": key.tags().map(|(name, text)| (name.to_owned(), json!(text))).collect::<Map<_, _>>(),
        "points": tally.points,
        "fields": fields,
    })
}

fn number(number: Number) -> Value {
    match number {
        Number::Integer(number) => json!(number),
        Number::Float(number) => json!(number),
    }
}

/// To six decimals.
fn ratio(share: Share) -> Option<f64> {
    share.ratio().map(|ratio| (ratio * 1e6).round() / 1e6)
}
