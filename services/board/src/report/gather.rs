//! Reads what a report needs from the store. Responsible for which rows are a period's, and for who is below the
//! floor; adding up is [`super::figures`]'s.

use std::collections::BTreeSet;

use domain::ids::OrgId;
use domain::measures::{Measure, TypeTag};
use domain::organisations::{Level, Organisations};
use domain::time::Minute;

use super::figures::{self, Figures, Source};
use super::number::{Better, Share};
use super::period::Period;
use super::{Below, BelowCount, BelowOne, Place, Report, ReportError, Request, Targets};
use crate::read::Reader;
use crate::row::Row;

/// Makes the report.
pub(super) fn gather(
    reader: &mut Reader,
    request: &Request,
    targets: &Targets,
) -> Result<Report, ReportError> {
    let organisations = reader.organisations()?.ok_or(ReportError::NoOrganisations)?;
    let published = reader.published()?;
    let org = subject(&organisations, request.org.as_deref())?;
    let as_at = reader.newest_minute()?.ok_or(ReportError::Empty)?;
    let mut gathering = Gathering { reader, organisations: &organisations, org, targets };
    let now = gathering.figures(request.period)?;
    let before = gathering.figures(request.period.before())?;
    let year_before = gathering.figures(request.period.year_before())?;
    let below = gathering.below(request.floor, &now, &year_before)?;
    let place = place(&organisations, org);
    Ok(Report { place, as_at, published, now, before, year_before, below })
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
    targets: &'a Targets<'a>,
}

impl Gathering<'_> {
    fn figures(&mut self, period: Period) -> Result<Figures, ReportError> {
        let mut figures = Figures::new(period);
        let midnights = period.midnights();
        let rows = self.rows(self.org, period)?;
        for (at, row) in &rows {
            figures.add(*at, row);
        }
        let mut held = of_midnights(&rows, &midnights);
        // A quiet organisation has no row of a day on which the country has one.
        let root = self.organisations.path(self.org).last().copied().unwrap_or(self.org);
        if root != self.org && held.len() < midnights.len() {
            held.extend(of_midnights(&self.rows(root, period)?, &midnights));
        }
        figures.held = held.len();
        figures.source = if held.is_empty() { Source::NotHeld } else { Source::Days };
        figures.target = (self.targets)(&place(self.organisations, self.org), period.end());
        for site in self.organisations.sites_below(self.org).to_vec() {
            for (at, row) in self.rows(site, period)? {
                if midnights.binary_search(&at).is_ok() {
                    figures.feeds.site_days += 1;
                    figures.feeds.stale += usize::from(row.freshness.stale);
                }
            }
        }
        Ok(figures)
    }

    fn rows(&mut self, org: OrgId, period: Period) -> Result<Vec<(Minute, Row)>, ReportError> {
        let (first, last) = period.bounds();
        Ok(self.reader.daily(&self.organisations.get(org).code, first, last)?)
    }

    /// Trusts below the organisation; of a trust its sites.
    fn below(&mut self, floor: f64, now: &Figures, year_before: &Figures) -> Result<Below, ReportError> {
        let level = match self.organisations.get(self.org).level {
            Level::Nation | Level::Region | Level::System | Level::Group => Level::Trust,
            Level::Trust | Level::Site | Level::Service => Level::Site,
        };
        let mut below = Below { level, floor, now: None, year_before: None, organisations: Vec::new() };
        let members: Vec<OrgId> = self.organisations.iter().map(|(id, _)| id).collect();
        for id in members {
            if self.organisations.get(id).level != level || !self.organisations.path(id).contains(&self.org) {
                continue;
            }
            let share = self.share(id, now)?;
            let earlier = self.share(id, year_before)?;
            count(&mut below.now, share, floor);
            count(&mut below.year_before, earlier, floor);
            if let Some(now) = share.filter(|share| share.misses(floor, Better::Higher)) {
                let earlier = earlier.filter(|share| share.whole > 0);
                let place = place(self.organisations, id);
                below.organisations.push(BelowOne { place, now, year_before: earlier });
            }
        }
        below.organisations.sort_by(|a, b| {
            let rate = |one: &BelowOne| one.now.ratio().unwrap_or(1.0);
            let order = rate(a).total_cmp(&rate(b)).then(b.now.whole.cmp(&a.now.whole));
            order.then_with(|| a.place.code.cmp(&b.place.code))
        });
        Ok(below)
    }

    /// Within four hours, all types, of an organisation in a period; `None` where that period is not held at all.
    fn share(&mut self, org: OrgId, period: &Figures) -> Result<Option<Share>, ReportError> {
        match period.source {
            Source::NotHeld => Ok(None),
            Source::Returns | Source::Days => {
                let key = figures::daily(Measure::AeFourHour, TypeTag::All.into());
                let mut share = Share::default();
                for (_, row) in self.rows(org, period.period)? {
                    if let Some([departed, within, ..]) = row.values(&key) {
                        share = Share::of(share.part + within, share.whole + departed);
                    }
                }
                Ok(Some(share))
            }
        }
    }
}

fn of_midnights(rows: &[(Minute, Row)], midnights: &[Minute]) -> BTreeSet<Minute> {
    rows.iter().map(|(at, _)| *at).filter(|at| midnights.binary_search(at).is_ok()).collect()
}

/// Counts an organisation among those with departures, and among those below.
fn count(counts: &mut Option<BelowCount>, share: Option<Share>, floor: f64) {
    let Some(share) = share else { return };
    let counts = counts.get_or_insert(BelowCount { below: 0, of: 0 });
    counts.of += usize::from(share.whole > 0);
    counts.below += usize::from(share.misses(floor, Better::Higher));
}
