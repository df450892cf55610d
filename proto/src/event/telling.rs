//! How an event is written, whatever the wire form: the reverse of [`super::reading`], field by field in the order of
//! the tables in spec 1.

use domain::event::{
    Attendance, Beds, Escalation, Event, Fact, Journey, JourneyName, Location, Return, Statement,
};
use domain::ids::Ref;
use domain::time::{Millis, Second};

use super::fields::{
    AttendanceField, BedsField, EscalationField, EventField, Field, JourneyField, JourneyNameField,
    LocationField, ReturnField,
};
use super::reading::Choice;

/// Writes one field after the other.
pub(crate) trait Telling {
    fn text(&mut self, field: impl Field, text: &str);
    fn millis(&mut self, field: impl Field, instant: Millis);
    fn second(&mut self, field: impl Field, instant: Second);
    fn date(&mut self, field: impl Field, days: u32);
    fn flag(&mut self, field: impl Field, flag: bool);
    fn whole(&mut self, field: impl Field, number: u64);
    fn choice(&mut self, field: impl Field, choice: impl Choice);
    fn null(&mut self, field: impl Field);
    fn object(&mut self, field: impl Field, inside: impl FnOnce(&mut Self));
}

/// Writes the fields of an event.
pub(crate) fn event<W: Telling>(w: &mut W, event: &Event<'_>) {
    w.text(EventField::Id, &event.id);
    w.text(EventField::Source, &event.source);
    w.millis(EventField::RecordedAt, event.recorded_at);
    match &event.statement {
        Statement::Attendance(said) => w.object(EventField::Attendance, |w| attendance(w, said)),
        Statement::Ambulance(said) => w.object(EventField::Ambulance, |w| journey(w, said)),
        Statement::Beds(said) => w.object(EventField::Beds, |w| beds(w, said)),
        Statement::Standard(said) => w.object(EventField::Standard, |w| periodic_return(w, said)),
        Statement::Escalation(said) => w.object(EventField::Escalation, |w| escalation(w, said)),
        Statement::Heartbeat => w.object(EventField::Heartbeat, |_| ()),
    }
}

fn attendance<W: Telling>(w: &mut W, said: &Attendance<'_>) {
    use AttendanceField as F;
    w.text(F::Site, &said.site);
    reference(w, F::Reference, said.reference);
    fact(w, F::DepartmentType, said.department_type, |w, f, v| w.whole(f, u64::from(v.number())));
    fact(w, F::Planned, said.planned, W::flag);
    fact(w, F::Child, said.child, W::flag);
    fact(w, F::Acuity, said.acuity, |w, f, v| w.whole(f, u64::from(v)));
    fact(w, F::ArrivalMode, said.arrival_mode, W::choice);
    fact(w, F::Ambulance, as_ref(&said.ambulance), |w, f, v| w.object(f, |w| journey_name(w, v)));
    fact(w, F::ArrivedAt, said.arrived_at, W::second);
    fact(w, F::AssessedAt, said.assessed_at, W::second);
    fact(w, F::TreatedAt, said.treated_at, W::second);
    fact(w, F::ReferredAt, said.referred_at, W::second);
    fact(w, F::DecidedToAdmitAt, said.decided_to_admit_at, W::second);
    fact(w, F::ClockStoppedAt, said.clock_stopped_at, W::second);
    fact(w, F::DepartedAt, said.departed_at, W::second);
    fact(w, F::Disposal, said.disposal, W::choice);
    if let Some(said) = &said.location {
        w.object(F::Location, |w| location(w, said));
    }
    fact(w, F::Void, said.void, W::flag);
}

fn journey_name<W: Telling>(w: &mut W, said: &JourneyName<'_>) {
    w.text(JourneyNameField::Service, &said.service);
    reference(w, JourneyNameField::Reference, said.reference);
}

fn location<W: Telling>(w: &mut W, said: &Location<'_>) {
    match &said.area {
        Some(area) => w.text(LocationField::Area, area),
        None => w.null(LocationField::Area),
    }
    w.second(LocationField::Since, said.since);
}

fn journey<W: Telling>(w: &mut W, said: &Journey<'_>) {
    use JourneyField as F;
    w.text(F::Service, &said.service);
    reference(w, F::Reference, said.reference);
    fact(w, F::Category, said.category, W::choice);
    fact(w, F::CallAt, said.call_at, W::second);
    fact(w, F::ClockStartedAt, said.clock_started_at, W::second);
    fact(w, F::RespondedAt, said.responded_at, W::second);
    fact(w, F::Destination, as_ref(&said.destination), |w, f, v| w.text(f, v));
    fact(w, F::ArrivedAt, said.arrived_at, W::second);
    fact(w, F::HandedOverAt, said.handed_over_at, W::second);
    fact(w, F::ClearedAt, said.cleared_at, W::second);
    fact(w, F::Void, said.void, W::flag);
}

fn beds<W: Telling>(w: &mut W, said: &Beds<'_>) {
    w.text(BedsField::Site, &said.site);
    w.second(BedsField::AsOf, said.as_of);
    let mut number = |field, number| fact(w, field, number, |w, f, v| w.whole(f, u64::from(v)));
    number(BedsField::Open, said.open);
    number(BedsField::Occupied, said.occupied);
    number(BedsField::EscalationOpen, said.escalation_open);
    number(BedsField::NoCriteriaToReside, said.no_criteria_to_reside);
}

fn periodic_return<W: Telling>(w: &mut W, said: &Return<'_>) {
    w.text(ReturnField::Standard, &said.standard);
    w.text(ReturnField::Org, &said.org);
    w.date(ReturnField::PeriodStart, said.period_start);
    fact(w, ReturnField::Met, said.met, W::whole);
    fact(w, ReturnField::Total, said.total, W::whole);
    fact(w, ReturnField::Count, said.count, W::whole);
    fact(w, ReturnField::TotalS, said.total_s, W::whole);
    fact(w, ReturnField::P90S, said.p90_s, W::whole);
}

fn escalation<W: Telling>(w: &mut W, said: &Escalation<'_>) {
    w.text(EscalationField::Org, &said.org);
    w.text(EscalationField::Scale, &said.scale);
    w.second(EscalationField::Since, said.since);
    fact(w, EscalationField::Level, said.level, |w, f, v| w.whole(f, u64::from(v)));
}

fn reference<W: Telling>(w: &mut W, field: impl Field, reference: Ref) {
    let digits = reference.to_hex();
    w.text(field, std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII"));
}

fn as_ref<T>(fact: &Fact<T>) -> Fact<&T> {
    match fact {
        Fact::Absent => Fact::Absent,
        Fact::Retracted => Fact::Retracted,
        Fact::Stated(value) => Fact::Stated(value),
    }
}

fn fact<W: Telling, F: Field, T>(w: &mut W, field: F, fact: Fact<T>, write: impl FnOnce(&mut W, F, T)) {
    match fact {
        Fact::Absent => (),
        Fact::Retracted => w.null(field),
        Fact::Stated(value) => write(w, field, value),
    }
}
