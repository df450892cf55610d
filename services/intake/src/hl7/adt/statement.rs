//! What each event states of an attendance.

use std::borrow::Cow;
use std::str;

use contract::References;
use domain::event::{Attendance, Disposal, Fact, JourneyName, Location};
use domain::ids::Ref;
use domain::organisations::Level;
use domain::time::Second;

use super::read::{Reader, Visit, Where};
use super::{Fault, LeftOut, Trigger, states, trigger};
use crate::feed::path::Path;
use crate::feed::{Class, FactName, InstantFact, MappedFact};

impl<'m, R: References> Reader<'_, 'm, R> {
    /// Says what the event states of attendances by this visit: of none, of one, for a merge of two.
    pub(super) fn attendances(
        &mut self,
        event: &[u8],
        visit: &Visit<'m>,
        say: &mut impl FnMut(Attendance<'m>),
    ) -> Result<(), Fault> {
        let Some(class) = self.class(visit) else {
            self.leave_out(LeftOut::Class);
            return Ok(());
        };
        let trigger = trigger(event, Some(class), self.around.feed.hl7.reference);
        let mut attendance = Attendance::new("", Ref([0; 16]));
        match trigger {
            Trigger::Register => self.register(visit, &mut attendance)?,
            Trigger::Admit => {
                self.mapped(visit, class, &mut attendance)?;
                self.depart_as_admitted(visit, &mut attendance)?;
            }
            Trigger::Transfer | Trigger::Swap => self.transfer(visit, class, &mut attendance)?,
            Trigger::End => self.end(visit, class, &mut attendance)?,
            Trigger::Update | Trigger::Merge => self.update(visit, class, &mut attendance)?,
            Trigger::Cancel | Trigger::Delete => attendance.void = Fact::Stated(true),
            Trigger::CancelTransfer => self.cancel_transfer(visit, class, &mut attendance)?,
            Trigger::CancelEnd if class == Class::Inpatient => self.leave_out(LeftOut::Inpatient),
            Trigger::CancelEnd => {
                retract_departure(&mut attendance);
                attendance.clock_stopped_at = Fact::Retracted;
            }
            Trigger::BackFromInpatient => retract_departure(&mut attendance),
            Trigger::Nothing => {}
        }
        let is_said = states(&attendance);
        if is_said || trigger == Trigger::Merge {
            let site = self.site(visit)?;
            attendance.site = Cow::Borrowed(site);
            attendance.reference = self.reference(visit, site)?;
            if trigger == Trigger::Merge {
                for merged in self.merged_references(visit, site)? {
                    if merged != attendance.reference {
                        let mut ended = Attendance::new(site, merged);
                        ended.void = Fact::Stated(true);
                        say(ended);
                    }
                }
            }
        }
        if is_said {
            say(attendance);
        } else if self.left_out.is_empty() && trigger != Trigger::Merge {
            self.leave_out(LeftOut::Empty);
        }
        Ok(())
    }

    fn register(&mut self, visit: &Visit<'m>, attendance: &mut Attendance<'m>) -> Result<(), Fault> {
        self.mapped(visit, Class::Emergency, attendance)?;
        attendance.arrived_at = Fact::Stated(self.happened(visit, Some(44))?);
        let place = self.place(visit, 3);
        self.department(place, attendance);
        attendance.location = self.location(place, self.happened(visit, None)?);
        if place.is_named && attendance.location.is_none() && !place.is_inside() {
            self.leave_out(LeftOut::Place);
        }
        Ok(())
    }

    fn department(&self, place: Where<'m>, attendance: &mut Attendance<'m>) {
        let stated = place.place.filter(|place| !place.outside).and_then(|place| place.department_type);
        if let (Some(stated), Fact::Absent) = (stated, attendance.department_type) {
            attendance.department_type = Fact::Stated(stated);
        }
    }

    fn location(&self, at: Where<'m>, since: Second) -> Option<Location<'m>> {
        let area = at.place.filter(|place| !place.outside)?.area.as_deref()?;
        at.is_named.then_some(Location { area: Some(Cow::Borrowed(area)), since })
    }

    fn depart_as_admitted(&self, visit: &Visit<'m>, attendance: &mut Attendance<'m>) -> Result<(), Fault> {
        attendance.departed_at = Fact::Stated(self.happened(visit, Some(45))?);
        attendance.disposal = Fact::Stated(Disposal::Admitted);
        Ok(())
    }

    /// A move. From the department to a place that is not in it: the patient has left it, as admitted.
    fn transfer(
        &mut self,
        visit: &Visit<'m>,
        class: Class,
        attendance: &mut Attendance<'m>,
    ) -> Result<(), Fault> {
        let (to, from) = (self.place(visit, 3), self.place(visit, 6));
        if self.is_outside(to) {
            // Between wards, long after: what the attendance's departure was is said already.
            let was_outside = if from.is_named { self.is_outside(from) } else { class == Class::Inpatient };
            if was_outside {
                self.leave_out(LeftOut::Inpatient);
                return Ok(());
            }
            self.mapped(visit, class, attendance)?;
            return self.depart_as_admitted(visit, attendance);
        }
        self.mapped(visit, class, attendance)?;
        // Back from an X-ray that is no place of the department: the departure that the way there implied was none.
        if class == Class::Emergency && from.is_named && self.is_outside(from) {
            retract_departure(attendance);
        }
        attendance.location = self.location(to, self.happened(visit, None)?);
        if attendance.location.is_none() {
            self.leave_out(if to.is_inside() { LeftOut::Area } else { LeftOut::Place });
        }
        Ok(())
    }

    /// Whether a place that is named is not in the department. Where no row describes the department, only rows that
    /// say so are outside.
    fn is_outside(&self, place: Where<'m>) -> bool {
        match place.place {
            Some(place) => place.outside,
            None => place.is_named && self.around.feed.knows_department(),
        }
    }

    fn end(&mut self, visit: &Visit<'m>, class: Class, attendance: &mut Attendance<'m>) -> Result<(), Fault> {
        if class == Class::Inpatient {
            self.leave_out(LeftOut::Inpatient);
            return Ok(());
        }
        self.mapped(visit, class, attendance)?;
        attendance.departed_at = Fact::Stated(self.happened(visit, Some(45))?);
        Ok(())
    }

    /// What stands now. Of an inpatient PV1-44, PV1-45 and the disposal are the ward's and not the department's.
    fn update(
        &mut self,
        visit: &Visit<'m>,
        class: Class,
        attendance: &mut Attendance<'m>,
    ) -> Result<(), Fault> {
        self.mapped(visit, class, attendance)?;
        if class == Class::Inpatient {
            if !states(attendance) {
                self.leave_out(LeftOut::Inpatient);
            }
            return Ok(());
        }
        for (field, fact) in [(44, InstantFact::ArrivedAt), (45, InstantFact::DepartedAt)] {
            let path = Path::field(b"PV1", field);
            let instant = self.instant(path, visit.pv1.as_ref().map_or(Fact::Absent, |pv1| pv1.get(path)))?;
            if instant.is_said() {
                *fact.of(attendance) = instant;
            }
        }
        self.department(self.place(visit, 3), attendance);
        Ok(())
    }

    /// The move never was: its location is taken back, and the departure that it implied if it led, or may have led,
    /// from the department out of it.
    fn cancel_transfer(
        &mut self,
        visit: &Visit<'m>,
        class: Class,
        attendance: &mut Attendance<'m>,
    ) -> Result<(), Fault> {
        let (now, cancelled) = (self.place(visit, 3), self.place(visit, 6));
        if class == Class::Inpatient && self.is_outside(now) {
            self.leave_out(LeftOut::Inpatient);
            return Ok(());
        }
        let path = self.around.feed.hl7.transfer_since;
        match self.instant(path, self.get(path))? {
            Fact::Stated(since) => attendance.location = Some(Location { area: None, since }),
            Fact::Absent | Fact::Retracted => {
                // The move cannot be found: but from now on the patient is where this message says.
                self.leave_out(LeftOut::Unmatched);
                attendance.location = self.location(now, self.recorded_at.second());
            }
        }
        let may_have_left = !cancelled.is_named && self.around.feed.knows_places();
        if !self.is_outside(now) && (may_have_left || self.is_outside(cancelled)) {
            retract_departure(attendance);
        }
        Ok(())
    }

    /// The facts that the feed maps. Of an inpatient those of PV1 are the ward's.
    fn mapped(
        &mut self,
        visit: &Visit<'m>,
        class: Class,
        attendance: &mut Attendance<'m>,
    ) -> Result<(), Fault> {
        let feed = self.around.feed;
        let mut coded = feed.codes.coded();
        let (mut service, mut number) = (Fact::Absent, Fact::Absent);
        for fact in &feed.hl7.facts {
            if class == Class::Inpatient && fact.path.segment == *b"PV1" {
                continue;
            }
            let value = self.value(visit, fact);
            match fact.name {
                FactName::Instant(instant) => {
                    let stated = self.instant(fact.path, value)?;
                    if stated.is_said() {
                        *instant.of(attendance) = stated;
                    }
                }
                // What is no UTF-8 is no code of ours, and counted as any that is unknown.
                FactName::Code(set) => coded.read(set, text(value), attendance),
                FactName::AmbulanceService => service = text(value),
                FactName::AmbulanceRef => number = text(value),
            }
        }
        let disposal = coded.disposal();
        if disposal.is_said() {
            attendance.disposal = disposal;
        }
        for set in coded.unknown() {
            self.leave_out(LeftOut::Code(*set));
        }
        attendance.ambulance = self.journey(service, number);
        Ok(())
    }

    /// Where a mapped fact stands: in the first segment of the visit that has it and meets its condition.
    fn value(&self, visit: &Visit<'m>, fact: &MappedFact) -> Fact<&'m [u8]> {
        match (&fact.path.segment, &visit.pv1, visit.pid) {
            (b"PV1", Some(pv1), _) => met(fact, |path| pv1.get(path)),
            (b"PID", _, Some(pid)) => met(fact, |path| pid.get(path)),
            (name, ..) => {
                let all = self.segments_of(visit, name);
                let mut values = all.map(|segment| met(fact, |path| segment.get(path)));
                values.find(Fact::is_said).unwrap_or_default()
            }
        }
    }

    fn journey(&mut self, service: Fact<&'m str>, number: Fact<&'m str>) -> Fact<JourneyName<'m>> {
        let known = |service: &&str| self.around.organisations.find_at(service, Level::Service).is_some();
        let named = match (service, number) {
            (Fact::Absent, Fact::Absent) => return Fact::Absent,
            (Fact::Retracted, _) | (_, Fact::Retracted) => return Fact::Retracted,
            (Fact::Stated(service), Fact::Stated(number)) if number.len() <= 64 => {
                Some((service, number)).filter(|(service, _)| known(service))
            }
            (Fact::Stated(_), Fact::Stated(_))
            | (Fact::Absent, Fact::Stated(_))
            | (Fact::Stated(_), Fact::Absent) => None,
        };
        let journey = named.and_then(|(service, number)| {
            let reference = self.around.references.reference(service, number)?;
            Some(JourneyName { service: Cow::Borrowed(service), reference })
        });
        match journey {
            Some(journey) => Fact::Stated(journey),
            None => {
                self.leave_out(LeftOut::Journey);
                Fact::Absent
            }
        }
    }
}

/// What stands at a fact's path in a segment that meets its condition.
fn met<'m>(fact: &MappedFact, get: impl Fn(Path) -> Fact<&'m [u8]>) -> Fact<&'m [u8]> {
    match &fact.condition {
        Some((path, is)) if get(*path) != Fact::Stated(is.as_bytes()) => Fact::Absent,
        Some(_) | None => get(fact.path),
    }
}

fn retract_departure(attendance: &mut Attendance<'_>) {
    attendance.departed_at = Fact::Retracted;
    attendance.disposal = Fact::Retracted;
}

fn text(value: Fact<&[u8]>) -> Fact<&str> {
    match value {
        Fact::Stated(bytes) => Fact::Stated(str::from_utf8(bytes).unwrap_or("\u{fffd}")),
        Fact::Retracted => Fact::Retracted,
        Fact::Absent => Fact::Absent,
    }
}
