//! What the windows are made of: how an observation is added to a window of an organisation, and taken away.

use super::{ALL_OF_FIVE, ALL_OF_FOUR, Sweep};
use crate::attendance::{Admission, Arrival, Arrived, Closed, Closing, CountedType, Decided, Treatment};
use crate::event::Category;
use crate::figures::Leaf;
use crate::ids::OrgId;
use crate::journey::{Handover, Response};
use crate::measures::{Measure, Tag, TypeTag};
use crate::organisations::Organisations;
use crate::timeline::{Timed, Timeline};

/// An observation of a windowed measure.
pub(crate) trait Observed: Timed {
    const MEASURE: Measure;
    fn timeline(leaf: &mut Leaf) -> &mut Timeline<Self>;
    fn line(leaf: &Leaf) -> &Timeline<Self>;
    /// Adds it (`sign` 1) to a window of an organisation or takes it away (−1).
    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64);
    /// The tags under which it counts.
    fn tags(&self) -> &'static [Tag];
    /// The organisations where what is observed at a leaf counts.
    fn places(orgs: &Organisations, leaf: OrgId) -> &[OrgId] {
        orgs.adds_to(leaf)
    }
    /// The same as positions in the sweep.
    fn positions(sweep: &Sweep, leaf: usize) -> &[u16] {
        &sweep.paths[leaf]
    }
}

/// The types under which an observation of a department type counts.
pub(crate) fn tags_of(department_type: CountedType) -> &'static [Tag] {
    match department_type {
        CountedType::One => &[Tag::Type(TypeTag::One), Tag::Type(TypeTag::All)],
        CountedType::Two => &[Tag::Type(TypeTag::Two), Tag::Type(TypeTag::All)],
        CountedType::Three => &[Tag::Type(TypeTag::Three), Tag::Type(TypeTag::All)],
        CountedType::Five => &[Tag::Type(TypeTag::Five)],
    }
}

/// Adds the fields, `sign` times, to the sums of a type and of all types.
fn add_of_four<const N: usize>(
    sums: &mut [[i64; N]; 4],
    department_type: CountedType,
    fields: [i64; N],
    sign: i64,
) {
    for by_type in [department_type as usize, ALL_OF_FOUR] {
        for (sum, field) in sums[by_type].iter_mut().zip(fields) {
            *sum += sign * field;
        }
    }
}

impl Observed for Closing {
    const MEASURE: Measure = Measure::AeFourHour;

    fn timeline(leaf: &mut Leaf) -> &mut Timeline<Closing> {
        &mut leaf.closings
    }

    fn line(leaf: &Leaf) -> &Timeline<Closing> {
        &leaf.closings
    }

    fn tags(&self) -> &'static [Tag] {
        tags_of(self.department_type)
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        // departed, within, over_12h, implausible
        let fields = match self.closed {
            Closed::Within => [1, 1, 0, 0],
            Closed::OverFour => [1, 0, 0, 0],
            Closed::OverTwelve => [1, 0, 1, 0],
            Closed::Implausible => [0, 0, 0, 1],
        };
        add_of_four(&mut sweep.four_hour[cell], self.department_type, fields, sign);
    }
}

impl Observed for Arrival {
    const MEASURE: Measure = Measure::AeArrivals;

    fn timeline(leaf: &mut Leaf) -> &mut Timeline<Arrival> {
        &mut leaf.arrivals
    }

    fn line(leaf: &Leaf) -> &Timeline<Arrival> {
        &leaf.arrivals
    }

    fn tags(&self) -> &'static [Tag] {
        tags_of(self.department_type)
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        // arrived, by_ambulance, planned
        let fields: [i64; 3] = match self.arrived {
            Arrived::Otherwise => [1, 0, 0],
            Arrived::ByAmbulance => [1, 1, 0],
            Arrived::Planned => [0, 0, 1],
        };
        let all = (self.department_type != CountedType::Five).then_some(ALL_OF_FIVE);
        for by_type in [Some(self.department_type as usize), all].into_iter().flatten() {
            for (sum, field) in sweep.arrivals[cell][by_type].iter_mut().zip(fields) {
                *sum += sign * field;
            }
        }
    }
}

impl Observed for Treatment {
    const MEASURE: Measure = Measure::AeTreatment;

    fn timeline(leaf: &mut Leaf) -> &mut Timeline<Treatment> {
        &mut leaf.treatments
    }

    fn line(leaf: &Leaf) -> &Timeline<Treatment> {
        &leaf.treatments
    }

    fn tags(&self) -> &'static [Tag] {
        tags_of(self.department_type)
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        for by_type in [self.department_type as usize, ALL_OF_FOUR] {
            let bag = &mut sweep.treatments[cell][by_type];
            if sign > 0 { bag.add(self.minutes) } else { bag.remove(self.minutes) }
        }
    }
}

impl Observed for Admission {
    const MEASURE: Measure = Measure::AeAdmission;

    fn timeline(leaf: &mut Leaf) -> &mut Timeline<Admission> {
        &mut leaf.admissions
    }

    fn line(leaf: &Leaf) -> &Timeline<Admission> {
        &leaf.admissions
    }

    fn tags(&self) -> &'static [Tag] {
        tags_of(self.department_type)
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        // admitted, over_4h_decision, over_12h_decision
        let fields = match self.decided {
            Decided::InTime => [1, 0, 0],
            Decided::OverFour => [1, 1, 0],
            Decided::OverTwelve => [1, 1, 1],
        };
        add_of_four(&mut sweep.admissions[cell], self.department_type, fields, sign);
    }
}

impl Observed for Handover {
    const MEASURE: Measure = Measure::AmbHandover;

    fn timeline(leaf: &mut Leaf) -> &mut Timeline<Handover> {
        &mut leaf.handovers
    }

    fn line(leaf: &Leaf) -> &Timeline<Handover> {
        &leaf.handovers
    }

    fn tags(&self) -> &'static [Tag] {
        &[Tag::None]
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        let delay = i64::from(self.delay_seconds);
        let over = |minutes: i64| i64::from(delay > minutes * 60);
        let lost = |minutes: i64| (delay - minutes * 60).max(0);
        let fields = [1, over(15), over(30), over(45), over(60), delay, lost(15), lost(30)];
        let filling = sweep.filling;
        let handovers = &mut sweep.handovers[cell];
        for (sum, field) in handovers.sums.iter_mut().zip(fields) {
            *sum += sign * field;
        }
        handovers.delays.change(self.delay_seconds, sign, filling);
    }
}

impl Observed for Response {
    const MEASURE: Measure = Measure::AmbResponse;

    fn timeline(leaf: &mut Leaf) -> &mut Timeline<Response> {
        &mut leaf.responses
    }

    fn line(leaf: &Leaf) -> &Timeline<Response> {
        &leaf.responses
    }

    fn tags(&self) -> &'static [Tag] {
        match self.category {
            Category::C1 => &[Tag::Category(Category::C1)],
            Category::C2 => &[Tag::Category(Category::C2)],
            Category::C3 => &[Tag::Category(Category::C3)],
            Category::C4 => &[Tag::Category(Category::C4)],
            Category::C5 => &[Tag::Category(Category::C5)],
        }
    }

    fn places(orgs: &Organisations, leaf: OrgId) -> &[OrgId] {
        orgs.responses_to(leaf)
    }

    fn positions(sweep: &Sweep, leaf: usize) -> &[u16] {
        &sweep.response_paths[leaf]
    }

    fn fold(&self, sweep: &mut Sweep, cell: usize, sign: i64) {
        let filling = sweep.filling;
        let responses = &mut sweep.responses[cell][self.category as usize];
        // responses, total_s
        for (sum, field) in responses.sums.iter_mut().zip([1, i64::from(self.delay_seconds)]) {
            *sum += sign * field;
        }
        responses.delays.change(self.delay_seconds, sign, filling);
    }
}
