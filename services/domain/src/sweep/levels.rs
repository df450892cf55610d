//! What is counted at a minute: who is in a department, in an area, in a queue.

use super::{ALL_OF_FIVE, Sweep};
use crate::area::AreaStay;
use crate::attendance::{CountedType, FOUR_HOURS, Stay, TWELVE_HOURS};
use crate::figures::{Leaf, Span, Spans};
use crate::ids::OrgId;
use crate::journey::{DAY_SECONDS, Wait};
use crate::measures::{MAX_FIELDS, Measure, Tag};
use crate::organisations::Organisations;
use crate::sweep::observed::tags_of;
use crate::time::Minute;

/// A span of a measure at a minute.
pub(crate) trait Covering: Span {
    const MEASURE: Measure;
    fn spans(leaf: &mut Leaf) -> &mut Spans<Self>;
    /// Those of a leaf that count where the sweep stands.
    fn active(sweep: &mut Sweep, leaf: OrgId) -> &mut Vec<Self>;
    /// Hands the tags under which it counts to `each`.
    fn seen(&self, orgs: &Organisations, leaf: OrgId, each: &mut impl FnMut(&[Tag]));
    /// The organisations where what is at a leaf counts.
    fn places(orgs: &Organisations, leaf: OrgId) -> &[OrgId] {
        orgs.adds_to(leaf)
    }
}

impl Covering for Stay {
    const MEASURE: Measure = Measure::AeDepartment;

    fn spans(leaf: &mut Leaf) -> &mut Spans<Stay> {
        &mut leaf.stays
    }

    fn active(sweep: &mut Sweep, leaf: OrgId) -> &mut Vec<Stay> {
        &mut sweep.stays[leaf.index()]
    }

    fn seen(&self, _: &Organisations, _: OrgId, each: &mut impl FnMut(&[Tag])) {
        each(tags_of(self.department_type));
    }
}

impl Covering for AreaStay {
    const MEASURE: Measure = Measure::AeArea;

    fn spans(leaf: &mut Leaf) -> &mut Spans<AreaStay> {
        &mut leaf.areas
    }

    fn active(sweep: &mut Sweep, leaf: OrgId) -> &mut Vec<AreaStay> {
        &mut sweep.area_stays[leaf.index()]
    }

    fn seen(&self, orgs: &Organisations, leaf: OrgId, each: &mut impl FnMut(&[Tag])) {
        each(&[orgs.area_tag(leaf, usize::from(self.area)).0]);
    }

    fn places(orgs: &Organisations, leaf: OrgId) -> &[OrgId] {
        orgs.adds_to(leaf).get(..1).unwrap_or(&[])
    }
}

impl Covering for Wait {
    const MEASURE: Measure = Measure::AmbQueue;

    fn spans(leaf: &mut Leaf) -> &mut Spans<Wait> {
        &mut leaf.waits
    }

    fn active(sweep: &mut Sweep, leaf: OrgId) -> &mut Vec<Wait> {
        &mut sweep.waits[leaf.index()]
    }

    fn seen(&self, _: &Organisations, _: OrgId, each: &mut impl FnMut(&[Tag])) {
        each(&[Tag::None]);
    }
}

/// Where `longest_minutes` stands in `ae_department`, and `longest_s` in `amb_queue`.
pub(super) const LONGEST_IN_DEPARTMENT: usize = 8;
pub(super) const LONGEST_IN_QUEUE: usize = 5;

/// Counts add up; the longest is the longest.
pub(super) fn add_levels(sum: &mut [i64; MAX_FIELDS], own: &[i64; MAX_FIELDS], longest: usize) {
    let longest_yet = sum[longest].max(own[longest]);
    for (sum, own) in sum.iter_mut().zip(own) {
        *sum += own;
    }
    sum[longest] = longest_yet;
}

/// `ae_department` of one site at `m`, by type.
pub(super) fn department(stays: &[Stay], m: Minute) -> [[i64; MAX_FIELDS]; 5] {
    let mut by_type = [[0i64; MAX_FIELDS]; 5];
    for stay in stays {
        let fields = &mut by_type[stay.department_type as usize];
        if stay.is_present(m) {
            fields[0] += 1;
            if stay.decided < m {
                fields[1] += 1;
                fields[2] += i64::from(m.0 - stay.decided.0 > TWELVE_HOURS);
            }
        }
        if let Some(elapsed) = stay.on_clock(m) {
            fields[3] += 1;
            fields[4] += i64::from(elapsed > FOUR_HOURS);
            fields[5] += i64::from(elapsed > TWELVE_HOURS);
            fields[6] += i64::from(elapsed <= FOUR_HOURS && FOUR_HOURS < elapsed + 30);
            fields[7] += i64::from(elapsed <= FOUR_HOURS && FOUR_HOURS < elapsed + 60);
            fields[LONGEST_IN_DEPARTMENT] = fields[LONGEST_IN_DEPARTMENT].max(i64::from(elapsed));
        }
        fields[9] += i64::from(stay.is_unclosed(m));
    }
    let mut all = [0; MAX_FIELDS];
    for by_type in &by_type[..CountedType::Five as usize] {
        add_levels(&mut all, by_type, LONGEST_IN_DEPARTMENT);
    }
    by_type[ALL_OF_FIVE] = all;
    by_type
}

/// `amb_queue` of one site at `m`.
pub(super) fn queue(waits: &[Wait], m: Minute) -> [i64; MAX_FIELDS] {
    let mut fields = [0i64; MAX_FIELDS];
    for seconds in waits.iter().filter_map(|wait| wait.seconds(m)) {
        if seconds > DAY_SECONDS {
            fields[6] += 1;
            continue;
        }
        fields[0] += 1;
        for (field, minutes) in [(1, 15), (2, 30), (3, 45), (4, 60)] {
            fields[field] += i64::from(seconds > minutes * 60);
        }
        fields[LONGEST_IN_QUEUE] = fields[LONGEST_IN_QUEUE].max(i64::from(seconds));
    }
    fields
}

/// How many are in each area of a site at the minute where `stays` count; the last is that of every other area.
pub(super) fn areas(stays: &[AreaStay], counts: &mut [i64]) {
    for stay in stays {
        counts[usize::from(stay.area)] += 1;
    }
}
