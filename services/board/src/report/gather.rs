//! Reads what a report needs from the store. Responsible for which rows are a period's, whether events or returns stand
//! for it, and who is below the floor; adding up is [`super::figures`]'s.

use std::collections::{BTreeMap, BTreeSet};

use domain::alert::value::Value;
use domain::ids::OrgId;
use domain::measures::{Measure, TypeTag};
use domain::organisations::{Level, Organisation, Organisations};
use domain::time::{LondonDays, Minute};

use super::escalation::Escalation;
use super::figures::{self, Figures, FourHour, Source};
use super::number::{Better, Share};
use super::period::{self, Period, Span};
use super::standards::{self, Held};
use super::{Below, BelowCount, BelowOne, Place, Report, ReportError, Request, Rules};
use crate::history;
use crate::read::Reader;
use crate::row::Row;

/// How far back a return may lie that is still the newest of its standard: a year and its longest delay.
const RETURNS_BACK_MINUTES: u32 = 500 * 1_440;
/// And one of the year before.
const A_YEAR_MINUTES: u32 = 370 * 1_440;

/// Makes the report.
pub(super) fn gather(
    reader: &mut Reader,
    request: &Request,
    rules: Rules<'_>,
) -> Result<Report, ReportError> {
    let organisations = reader.organisations()?.ok_or(ReportError::NoOrganisations)?;
    let published = reader.published()?;
    let org = subject(&organisations, request.org.as_deref())?;
    // A store whose minutes were emptied still has its history.
    let newest = reader.newest_minute()?.max(reader.newest_daily()?);
    let as_at = newest.ok_or(ReportError::Empty)?;
    let first_day = period::day_of(reader.oldest_of_all()?.ok_or(ReportError::Empty)?);
    let place = place(&organisations, org);
    let days = LondonDays::new();
    let mut gathering =
        Gathering { reader, organisations: &organisations, org, place: &place, as_at, rules, days };
    let (now, members) = gathering.figures(request.period)?;
    let (before, _) = gathering.figures(request.period.before())?;
    let (year_before, members_then) = gathering.figures(request.period.year_before())?;
    let below = gathering.below(request.floor, [&now, &year_before], [&members, &members_then]);
    let standards = gathering.standards(request.period.end(), as_at)?;
    let mut escalations = members.escalations;
    escalations.sort_by(|a, b| b.level().cmp(&a.level()).then_with(|| a.place.code.cmp(&b.place.code)));
    Ok(Report { place, as_at, first_day, published, now, before, year_before, below, standards, escalations })
}

fn subject(organisations: &Organisations, code: Option<&str>) -> Result<OrgId, ReportError> {
    match code {
        Some(code) => organisations.find(code).ok_or_else(|| ReportError::UnknownOrg(code.to_owned())),
        None => {
            let mut nations = organisations.iter().filter(|(_, org)| org.level == Level::Nation);
            nations.next().map(|(id, _)| id).ok_or(ReportError::NoNation)
        }
    }
}

fn place(organisations: &Organisations, id: OrgId) -> Place {
    let org = organisations.get(id);
    Place { code: org.code.clone(), name: org.name.clone(), level: org.level }
}

struct Gathering<'a> {
    reader: &'a mut Reader,
    organisations: &'a Organisations,
    org: OrgId,
    place: &'a Place,
    /// The newest minute that is held.
    as_at: Minute,
    rules: Rules<'a>,
    days: LondonDays,
}

/// What a period's rows say of everybody at or below the organisation.
#[derive(Default)]
struct Members {
    /// Within four hours, all types, of those of the level that the floor is for.
    shares: BTreeMap<OrgId, Share>,
    escalations: Vec<Escalation>,
}

type Rows = Vec<(Minute, Row)>;

impl Gathering<'_> {
    fn figures(&mut self, period: Period) -> Result<(Figures, Members), ReportError> {
        let mut figures = Figures::new(period);
        let midnights = period.midnights();
        let rows = self.rows(self.org, period)?;
        for (at, row) in &rows {
            figures.add(*at, row);
        }
        let mut held = of_midnights(&rows, &midnights, &|row| has_days(row));
        // A quiet organisation has no row of a day on which the country has one.
        let root = self.root();
        if root != self.org && held.len() < midnights.len() {
            held.extend(of_midnights(&self.rows(root, period)?, &midnights, &|row| has_days(row)));
        }
        figures.held = held.len();
        figures.so_far = self.running_day(period).map(|_| self.as_at);
        figures.returned = returned(&Held::of(&rows), period);
        figures.source = if !figures.is_whole() && figures.returned.contains_key(&TypeTag::All) {
            Source::Returns
        } else if held.is_empty() && figures.so_far.is_none() {
            Source::NotHeld
        } else {
            Source::Days
        };
        let value = Value::ratio(Measure::AeFourHour, "within", "departed");
        let series = (Measure::AeFourHour, TypeTag::All.into());
        figures.target = standards::in_force(self.rules, self.place, value, series, period.end(), &self.days);
        let members = self.members(&mut figures, &midnights)?;
        Ok((figures, members))
    }

    /// What is kept of the period's days, and the newest of a day that is not over.
    fn rows(&mut self, org: OrgId, period: Period) -> Result<Rows, ReportError> {
        let (first, last) = period.bounds();
        let code = &self.organisations.get(org).code;
        let mut rows = self.reader.daily(code, first, last)?;
        if let Some(begin) = self.running_day(period) {
            let newest = self.reader.newest_until(code, self.as_at)?.filter(|newest| newest.minute > begin);
            rows.extend(newest.map(|newest| (newest.minute, Row::new(&history::so_far(newest)))));
        }
        Ok(rows)
    }

    /// The midnight with which the day began that is not over, if that is one of the period's.
    fn running_day(&self, period: Period) -> Option<Minute> {
        let begin = self.days.midnight(self.as_at);
        let is_in = begin < self.as_at && period.days().any(|day| day == period::day_of(self.as_at));
        is_in.then_some(begin)
    }

    /// The nation of the organisation; of a group that of its first member.
    fn root(&self) -> OrgId {
        let member = self.organisations.members(self.org).first().copied().unwrap_or(self.org);
        self.organisations.path(member).last().copied().unwrap_or(self.org)
    }

    /// Everybody at or below the organisation or the members of the group; counts the days of sites on which feeds were
    /// silent.
    fn members(&mut self, figures: &mut Figures, midnights: &[Minute]) -> Result<Members, ReportError> {
        let level = self.level_of_floor();
        let mut members = Members::default();
        let ids: Vec<OrgId> = self.organisations.iter().map(|(id, _)| id).collect();
        for id in ids {
            if !self.organisations.reaches(id).contains(&self.org) {
                continue;
            }
            let rows = self.rows(id, figures.period)?;
            let own = self.organisations.get(id).level;
            if own == Level::Site {
                let heard = of_midnights(&rows, midnights, &|row| has_days(row));
                let stale = of_midnights(&rows, midnights, &|row| has_days(row) && row.freshness.stale);
                figures.feeds.site_days += heard.len();
                figures.feeds.stale += stale.len();
            }
            if own == level {
                members.shares.insert(id, share(&rows, figures));
            }
            members.escalations.extend(Escalation::of(place(self.organisations, id), &rows));
        }
        Ok(members)
    }

    /// Trusts below the organisation; of a trust its sites, and of a group that holds no whole trust.
    fn level_of_floor(&self) -> Level {
        let is_trust_of = |(id, org): (OrgId, &Organisation)| {
            org.level == Level::Trust && self.organisations.reaches(id).contains(&self.org)
        };
        match self.place.level {
            Level::Group if !self.organisations.iter().any(is_trust_of) => Level::Site,
            Level::Nation | Level::Region | Level::System | Level::Group => Level::Trust,
            Level::Trust | Level::Site | Level::Service => Level::Site,
        }
    }

    fn below(&self, floor: f64, figures: [&Figures; 2], members: [&Members; 2]) -> Below {
        // Of nobody with attendances nobody is below the floor, and saying so would say something.
        let counted = |at: usize| {
            let shares = members[at].shares.values();
            let below = shares.clone().filter(|share| share.misses(floor, Better::Higher)).count();
            let of = shares.filter(|share| share.whole > 0).count();
            (figures[at].source != Source::NotHeld && of > 0).then_some(BelowCount { below, of })
        };
        let earlier = |id: &OrgId| members[1].shares.get(id).copied().filter(|share| share.whole > 0);
        let mut organisations: Vec<BelowOne> = members[0]
            .shares
            .iter()
            .filter(|(_, share)| share.misses(floor, Better::Higher))
            .map(|(id, share)| BelowOne {
                place: place(self.organisations, *id),
                now: *share,
                year_before: earlier(id),
            })
            .collect();
        organisations.sort_by(|a, b| {
            let rate = |one: &BelowOne| one.now.ratio().unwrap_or(1.0);
            let order = rate(a).total_cmp(&rate(b)).then(b.now.whole.cmp(&a.now.whole));
            order.then_with(|| a.place.code.cmp(&b.place.code))
        });
        Below { level: self.level_of_floor(), floor, now: counted(0), year_before: counted(1), organisations }
    }

    fn standards(&mut self, end: Minute, as_at: Minute) -> Result<Vec<standards::StandardLine>, ReportError> {
        let first = end.minus(RETURNS_BACK_MINUTES + A_YEAR_MINUTES);
        // What came after the period tells which of its returns are overdue by now.
        let rows = self.reader.daily(&self.place.code, first, end.max(as_at))?;
        let oldest = end.minus(RETURNS_BACK_MINUTES);
        let lines = Held::of(&rows).lines(self.place, self.rules, end, as_at);
        Ok(lines.into_iter().filter(|line| line.end >= oldest).collect())
    }
}

/// Whether a row has the figures of a day, and not only returns, which come for months of which nothing else is held.
fn has_days(row: &Row) -> bool {
    row.series.is_empty() || row.series.iter().any(|series| series.key.measure != Measure::Standard)
}

fn of_midnights(rows: &Rows, midnights: &[Minute], wanted: &dyn Fn(&Row) -> bool) -> BTreeSet<Minute> {
    let is_wanted = |(at, row): &&(Minute, Row)| midnights.binary_search(at).is_ok() && wanted(row);
    rows.iter().filter(is_wanted).map(|(at, _)| *at).collect()
}

/// Within four hours, all types, of an organisation.
fn share(rows: &Rows, figures: &Figures) -> Share {
    match figures.source {
        Source::NotHeld => Share::default(),
        Source::Returns => {
            let returned = returned(&Held::of(rows), figures.period);
            returned.get(&TypeTag::All).copied().unwrap_or_default().share()
        }
        Source::Days => {
            let key = figures::daily(Measure::AeFourHour, TypeTag::All.into());
            let values = rows.iter().filter_map(|(_, row)| row.values(&key));
            values.fold(Share::default(), |share, [departed, within, ..]| {
                Share::of(share.part + within, share.whole + departed)
            })
        }
    }
}

/// What was returned of a period as a whole: its four-hour figures by type.
fn returned(held: &Held, period: Period) -> BTreeMap<TypeTag, FourHour> {
    let standard = match period.span {
        Span::Day => return BTreeMap::new(),
        Span::Week => "ae-four-hours-weekly",
        Span::Month => "ae-four-hours-monthly",
    };
    let types = [
        (TypeTag::All, ""),
        (TypeTag::One, "-type-1"),
        (TypeTag::Two, "-type-2"),
        (TypeTag::Three, "-type-3"),
    ];
    let of = |(tag, suffix): (TypeTag, &str)| {
        let found = held.get(&format!("{standard}{suffix}"), period.end())?;
        Some((tag, FourHour { departed: found.total, within: found.met, over_12h: None }))
    };
    types.into_iter().filter_map(of).collect()
}
