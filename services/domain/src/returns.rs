//! The returns that stand, added up (spec 2.5): an organisation's own return goes before the sum of those below it, and
//! each figure says how many of those who had to report have. Also which returns are overdue.
//!
//! It holds what the ledger's merge law decided; it decides nothing about which statement stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::date::Date;
use crate::ids::OrgId;
use crate::organisations::Organisations;
use crate::standard::{Standard, Standards};
use crate::time::{LondonDays, Minute};

/// What one return says: met, total, count, seconds, 90th percentile; `None` where nothing is stated.
pub type Amounts = [Option<u64>; 5];

/// The fields of `standard` in their order: met, total, count, total_s, p90_s, reporting, expected.
pub type StandardPoint = [i64; 7];

/// Where the 90th percentile stands among the [`Amounts`]: it is not added up.
const P90: usize = 4;

/// A period of a standard: the standard's position in [`Standards`], and the first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeriodKey {
    /// Which standard.
    pub standard: u16,
    /// The first day of the period.
    pub start: Date,
}

/// A return that should be there and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Which standard, and for which period.
    pub period: PeriodKey,
    /// Who has to report.
    pub org: OrgId,
    /// For how many days, from 1.
    pub days: u32,
}

/// A return that is longer overdue than this is not asked for any more.
pub const OVERDUE_DAYS_MAX: u32 = 366;

/// Every return that stands.
#[derive(Clone, Debug)]
pub struct Returns {
    orgs: Arc<Organisations>,
    standards: Arc<Standards>,
    days: Arc<LondonDays>,
    periods: BTreeMap<PeriodKey, BTreeMap<OrgId, Amounts>>,
    /// For each standard and organisation how many at or below it have to report.
    expected: Vec<Vec<u16>>,
}

impl Returns {
    /// None yet.
    pub fn new(orgs: Arc<Organisations>, standards: Arc<Standards>, days: Arc<LondonDays>) -> Returns {
        let expected = standards.standards.iter().map(|standard| expected(standard, &orgs)).collect();
        Returns { orgs, standards, days, periods: BTreeMap::new(), expected }
    }

    /// The standard of a period.
    pub fn standard(&self, period: PeriodKey) -> &Standard {
        &self.standards.standards[usize::from(period.standard)]
    }

    /// The period of a standard that begins at a day.
    pub fn period(&self, standard: &str, start: Date) -> Option<PeriodKey> {
        let (index, _) = self.standards.find(standard)?;
        Some(PeriodKey { standard: u16::try_from(index).ok()?, start })
    }

    /// The period of a standard whose point is stamped with a minute.
    pub fn period_stamped(&self, standard: &str, stamp: Minute) -> Option<PeriodKey> {
        let (_, found) = self.standards.find(standard)?;
        let start = found.period.start(self.days.date(stamp.minus(1)));
        self.period(standard, start).filter(|period| self.stamp(*period) == stamp)
    }

    /// The minute with which the points of a period are stamped: its end, local midnight, exclusive.
    pub fn stamp(&self, period: PeriodKey) -> Minute {
        self.days.start_of(self.standard(period).period.end(period.start))
    }

    /// What stands of a return has changed; `None`: no fact of it stands.
    pub fn set(&mut self, period: PeriodKey, org: OrgId, amounts: Option<Amounts>) {
        match amounts {
            Some(amounts) => {
                self.periods.entry(period).or_default().insert(org, amounts);
            }
            None => {
                if let Some(held) = self.periods.get_mut(&period) {
                    held.remove(&org);
                    if held.is_empty() {
                        self.periods.remove(&period);
                    }
                }
            }
        }
    }

    /// Every period with the organisations whose returns stand.
    pub fn periods(&self) -> impl Iterator<Item = (PeriodKey, impl Iterator<Item = OrgId> + '_)> + '_ {
        self.periods.iter().map(|(period, held)| (*period, held.keys().copied()))
    }

    /// The organisations whose points a return of `org` touches.
    pub fn touched(&self, org: OrgId) -> &[OrgId] {
        self.orgs.reaches(org)
    }

    /// The point of an organisation for a period.
    pub fn point(&self, period: PeriodKey, org: OrgId) -> StandardPoint {
        let nobody = BTreeMap::new();
        let held = self.periods.get(&period).unwrap_or(&nobody);
        let mut point = StandardPoint::default();
        if let Some(own) = held.get(&org) {
            add(&mut point, own);
        } else {
            for (_, amounts) in held.iter().filter(|(below, _)| self.is_topmost_below(held, **below, org)) {
                let mut amounts = *amounts;
                amounts[P90] = None;
                add(&mut point, &amounts);
            }
        }
        let standard = self.standard(period);
        let reporting = held
            .keys()
            .filter(|one| self.touched(**one).contains(&org) && standard.reports.has(self.orgs.get(**one)));
        point[5] = reporting.count() as i64;
        // Of what nobody reported there is no point, whoever had to: a point of zeros says the same (spec 2.4).
        if standard.is_collected(period.start) && point.iter().any(|field| *field != 0) {
            point[6] = i64::from(self.expected[usize::from(period.standard)][org.index()]);
        }
        point
    }

    /// Whether `below` lies below `org`, or is at or below a member of the group `org`, with no other return between the two:
    /// what that one says holds for all below it.
    fn is_topmost_below(&self, held: &BTreeMap<OrgId, Amounts>, below: OrgId, org: OrgId) -> bool {
        let path = self.orgs.path(below);
        let is_end = |one: &OrgId| *one == org || self.orgs.members(org).contains(one);
        let Some(end) = path.iter().rposition(is_end) else { return false };
        !path[1..=end].iter().any(|between| held.contains_key(between))
    }

    /// The returns that are overdue on a day: of every standard of which anybody ever sent one, from the first period
    /// that was returned on; nothing of periods that are paused, retired or not begun, nor what was due over a year ago.
    pub fn overdue(&self, today: Date) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        for (index, standard) in self.standards.standards.iter().enumerate() {
            let key = |start| PeriodKey { standard: index as u16, start };
            let Some(first) = self.periods.range(key(Date(0))..).next().map(|(period, _)| *period) else {
                continue;
            };
            if usize::from(first.standard) != index {
                continue;
            }
            let due = due_periods(standard, today).filter(|start| *start >= first.start);
            for start in due {
                let days = today.0 - standard.overdue_from(start).0 + 1;
                overdue.extend(self.missing(key(start)).map(|org| Overdue { period: key(start), org, days }));
            }
        }
        overdue
    }

    /// The periods whose returns can be overdue on a day.
    pub fn due(&self, today: Date) -> Vec<PeriodKey> {
        let all = self.standards.standards.iter().enumerate();
        all.flat_map(|(index, standard)| {
            due_periods(standard, today).map(move |start| PeriodKey { standard: index as u16, start })
        })
        .collect()
    }

    /// Who has to report for a period and has not.
    fn missing(&self, period: PeriodKey) -> impl Iterator<Item = OrgId> + '_ {
        let held = self.periods.get(&period);
        let standard = self.standard(period);
        self.orgs
            .iter()
            .filter(move |(org, row)| {
                standard.reports.has(row) && held.is_none_or(|held| !held.contains_key(org))
            })
            .map(|(org, _)| org)
    }
}

/// The first days of the periods of which returns were due in the year before a day.
fn due_periods(standard: &Standard, today: Date) -> impl Iterator<Item = Date> + '_ {
    let earliest = standard.period.start(today.minus(OVERDUE_DAYS_MAX + standard.due_days + 92));
    let starts = std::iter::successors(Some(earliest), |start| Some(standard.period.end(*start)));
    starts
        .take_while(move |start| standard.overdue_from(*start) <= today)
        .filter(move |start| today.0 - standard.overdue_from(*start).0 < OVERDUE_DAYS_MAX)
        .filter(|start| standard.is_collected(*start))
}

fn expected(standard: &Standard, orgs: &Organisations) -> Vec<u16> {
    let mut expected = vec![0; orgs.len()];
    for (org, _) in orgs.iter().filter(|(_, row)| standard.reports.has(row)) {
        for above in orgs.reaches(org) {
            expected[above.index()] += 1;
        }
    }
    expected
}

fn add(point: &mut StandardPoint, amounts: &Amounts) {
    for (sum, amount) in point.iter_mut().zip(amounts) {
        // Each amount is at most 10^13 (`Standard::fault`), and there are at most 65,000 organisations.
        *sum += i64::try_from(amount.unwrap_or(0)).unwrap_or(i64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::Period;
    use crate::organisations::Row;
    use crate::standard::{Kind, Pause, Reports};

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    /// ENG over region R over system Q over trusts T1, T2 and over T3, with a site below T1.
    fn returns(change: impl Fn(&mut Standard)) -> Returns {
        let row = |code: &str, level: &str, parent: &str| Row {
            code: code.into(),
            name: code.into(),
            level: level.into(),
            parent: parent.into(),
            department_type: if level == "site" { "1".into() } else { String::new() },
        };
        let rows = [
            row("ENG", "nation", ""),
            row("R", "region", "ENG"),
            row("Q", "system", "R"),
            row("T1", "trust", "Q"),
            row("T2", "trust", "Q"),
            row("T3", "trust", "R"),
            row("T1-A", "site", "T1"),
        ];
        let mut standard = Standard::new("rtt", Kind::Share, Period::Month);
        change(&mut standard);
        let other = Standard::new("other", Kind::Count, Period::Week);
        let standards = Standards { standards: vec![standard, other], scales: Vec::new() };
        Returns::new(
            Arc::new(Organisations::new(&rows).unwrap()),
            Arc::new(standards),
            Arc::new(LondonDays::new()),
        )
    }

    fn put(returns: &mut Returns, start: &str, org: &str, met: u64, total: u64) {
        let period = returns.period("rtt", date(start)).unwrap();
        let org = returns.orgs.find(org).unwrap();
        returns.set(period, org, Some([Some(met), Some(total), None, None, Some(7)]));
    }

    fn point(returns: &Returns, org: &str) -> [i64; 7] {
        returns.point(returns.period("rtt", date("2025-10-01")).unwrap(), returns.orgs.find(org).unwrap())
    }

    #[test]
    fn an_own_return_goes_before_the_sum_of_those_below() {
        let mut returns = returns(|_| {});
        put(&mut returns, "2025-10-01", "T1", 9, 10);
        put(&mut returns, "2025-10-01", "T3", 1, 2);
        assert_eq!(point(&returns, "T1"), [9, 10, 0, 0, 7, 1, 1]);
        assert_eq!(point(&returns, "T1-A"), [0; 7]);
        assert_eq!(point(&returns, "T2"), [0; 7], "who had to report is no news without a return");
        assert_eq!(point(&returns, "Q"), [9, 10, 0, 0, 0, 1, 2], "percentiles are not rolled up");
        assert_eq!(point(&returns, "R"), [10, 12, 0, 0, 0, 2, 3]);
        assert_eq!(point(&returns, "ENG"), [10, 12, 0, 0, 0, 2, 3]);
        put(&mut returns, "2025-10-01", "Q", 50, 60);
        assert_eq!(point(&returns, "Q"), [50, 60, 0, 0, 7, 1, 2]);
        assert_eq!(point(&returns, "ENG"), [51, 62, 0, 0, 0, 2, 3], "what Q says holds for all below it");
        put(&mut returns, "2025-10-01", "ENG", 100, 200);
        assert_eq!(point(&returns, "ENG"), [100, 200, 0, 0, 7, 2, 3]);
        let (period, t1) =
            (returns.period("rtt", date("2025-10-01")).unwrap(), returns.orgs.find("T1").unwrap());
        returns.set(period, t1, None);
        assert_eq!(point(&returns, "T1"), [0; 7]);
        assert_eq!(point(&returns, "R")[5..], [1, 3]);
    }

    #[test]
    fn in_a_pause_nobody_has_to_report() {
        let pause = Pause { from: date("2025-10-31"), to: date("2025-10-31") };
        let mut returns = returns(|standard| standard.paused = vec![pause]);
        put(&mut returns, "2025-10-01", "T1", 9, 10);
        assert_eq!(point(&returns, "ENG"), [9, 10, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn reporters_may_be_named() {
        let mut returns = returns(|standard| standard.reports = Reports::Orgs(vec!["T1".into(), "Q".into()]));
        put(&mut returns, "2025-10-01", "T2", 9, 10);
        assert_eq!(point(&returns, "ENG"), [9, 10, 0, 0, 0, 0, 2]);
        put(&mut returns, "2025-10-01", "T1", 1, 10);
        assert_eq!(point(&returns, "ENG"), [10, 20, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn points_are_stamped_with_the_local_midnight_of_the_period_s_end() {
        let returns = returns(|_| {});
        for (standard, start, stamp) in [
            ("rtt", "2025-10-01", "2025-11-01T00:00:00Z"),
            ("rtt", "2025-05-01", "2025-05-31T23:00:00Z"),
            ("other", "2025-10-20", "2025-10-27T00:00:00Z"),
        ] {
            let period = returns.period(standard, date(start)).unwrap();
            assert_eq!(returns.stamp(period).to_string(), stamp);
            assert_eq!(returns.period_stamped(standard, returns.stamp(period)), Some(period));
            assert_eq!(returns.period_stamped(standard, returns.stamp(period).plus(1)), None);
        }
        assert_eq!(returns.period("none", date("2025-10-01")), None);
    }

    fn overdue(returns: &Returns, today: &str) -> Vec<(String, String, u32)> {
        let mut all: Vec<_> = returns.overdue(date(today)).into_iter().collect();
        all.sort_by_key(|one| (one.period, one.org));
        all.iter()
            .map(|one| (one.period.start.to_string(), returns.orgs.get(one.org).code.clone(), one.days))
            .collect()
    }

    #[test]
    fn a_return_is_overdue_after_its_day_and_not_in_a_pause() {
        let mut returns = returns(|standard| {
            standard.paused = vec![Pause { from: date("2025-09-01"), to: date("2025-09-30") }];
        });
        assert_eq!(overdue(&returns, "2026-06-01"), [], "of which nobody ever sent one");
        put(&mut returns, "2025-08-01", "T1", 1, 1);
        put(&mut returns, "2025-08-01", "T2", 1, 1);
        put(&mut returns, "2025-10-01", "T1", 1, 1);
        put(&mut returns, "2025-10-01", "T3", 1, 1);
        let late = |start: &str, org: &str, days| (start.to_owned(), org.to_owned(), days);
        assert_eq!(overdue(&returns, "2025-09-30"), []);
        assert_eq!(overdue(&returns, "2025-10-01"), [late("2025-08-01", "T3", 1)]);
        assert_eq!(overdue(&returns, "2025-11-30"), [late("2025-08-01", "T3", 61)]);
        let (august, october) = (late("2025-08-01", "T3", 62), late("2025-10-01", "T2", 1));
        assert_eq!(overdue(&returns, "2025-12-01"), [august, october]);
        assert_eq!(
            overdue(&returns, "2026-10-02").first().map(|one| one.0.clone()),
            Some("2025-10-01".into())
        );
        let last = overdue(&returns, "2026-10-01");
        assert_eq!(last.first(), Some(&late("2025-08-01", "T3", 366)));
        assert!(last.iter().all(|one| one.0 != "2025-09-01"));
    }
}
