//! ADT messages as events: what each of A01 … A62 states of an A&E attendance, by the feed's mapping.
//!
//! Responsible for: the table below, when something happened and was recorded, and saying why something was left out.
//! Pure. It reads no name, date of birth, address or NHS number: only the fields of the header, EVN, PV1, PID-18, MRG
//! and what the feed maps; our reference becomes a pseudonym here.
//!
//! | event | states |
//! |---|---|
//! | A04; A01 of class emergency | `arrived_at`, `department_type`, `location`, mapped facts |
//! | A01 of class inpatient, A06 | `departed_at`, `disposal` = admitted |
//! | A02, A17 (both patients) | `location`; out of the department: `departed_at`, `disposal` = admitted; back into it: both null |
//! | A03 | `departed_at`, `disposal`, mapped facts |
//! | A07 | `departed_at`, `disposal` = null |
//! | A08 | PV1-44, PV1-45, `disposal`, mapped facts as they stand now; of class inpatient only mapped facts not of PV1 |
//! | A11, A23 | `void`; A11 of class inpatient: as A07 |
//! | A12 | `location` with no area at the move's time; a departure that the move implied is taken back |
//! | A13 | `departed_at`, `disposal`, `clock_stopped_at` = null |
//! | A42, A50 (A35, A41 where the account is our reference) | `void` for the merged number, as A08 for the other |
//! | any other | nothing: a heartbeat |
//!
//! Of an A17, and of a merge with several patients, each patient has the segments from their PID to the next.
//!
//! Order on arrival is no order: `recorded_at` (EVN-2, else MSH-7) and the merge law sort it out. EVN-6 says when it
//! happened and never orders. Two events of one message have its one id: they speak of two attendances.

mod read;
mod statement;

use std::borrow::Cow;
use std::fmt;

use contract::References;
use domain::event::{Attendance, Event, Fact, Outcome, Statement};
use domain::organisations::Organisations;
use domain::time::Millis;

use self::read::Reader;
use super::Message;
use crate::feed::codes::CodeSet;
use crate::feed::path::Path;
use crate::feed::{Class, Feed, ReferenceField};

/// What a translator needs to know beside the message.
#[derive(Debug)]
pub struct Surroundings<'a, R> {
    /// The sender.
    pub feed: &'a Feed,
    /// The places that there are.
    pub organisations: &'a Organisations,
    /// How references become pseudonyms.
    pub references: &'a R,
    /// When the message came; none for a file.
    pub received: Option<Millis>,
}

impl<R> Clone for Surroundings<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Surroundings<'_, R> {}

/// What became of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation<'m> {
    /// Its events, each with the message's id: one but for swaps and merges.
    pub events: Vec<Event<'m>>,
    /// Why something of it was left out.
    pub left_out: Vec<LeftOut>,
}

/// Why something of a message was left out, or the whole message is a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The event says nothing of an A&E attendance.
    Event,
    /// The patient class (PV1-2) is neither emergency nor inpatient.
    Class,
    /// An inpatient's discharge, its cancelling or a move between wards.
    Inpatient,
    /// No `[[place]]` fits PV1-3: no area.
    Place,
    /// The place is in the department and in no area, which a move to it would have to name.
    Area,
    /// A code that is in no table.
    Code(CodeSet),
    /// A journey without its service or reference, or with a service that is not in organisations.csv.
    Journey,
    /// An A12 that does not say when the move was that it cancels.
    Unmatched,
    /// Lines that were taken as text that goes on.
    Text,
    /// Every field that could have stated something is empty.
    Empty,
}

impl LeftOut {
    /// Every reason, a code as one.
    pub const ALL: [LeftOut; 10] = [
        LeftOut::Event,
        LeftOut::Class,
        LeftOut::Inpatient,
        LeftOut::Place,
        LeftOut::Area,
        LeftOut::Code(CodeSet::Acuity),
        LeftOut::Journey,
        LeftOut::Unmatched,
        LeftOut::Text,
        LeftOut::Empty,
    ];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            LeftOut::Event => "event",
            LeftOut::Class => "class",
            LeftOut::Inpatient => "inpatient",
            LeftOut::Place => "place",
            LeftOut::Area => "area",
            LeftOut::Code(_) => "code",
            LeftOut::Journey => "journey",
            LeftOut::Unmatched => "unmatched",
            LeftOut::Text => "text",
            LeftOut::Empty => "empty",
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            LeftOut::Event => "this event says nothing of an A&E attendance",
            LeftOut::Class => "PV1-2: this class is not in [hl7.class], so it is no A&E attendance",
            LeftOut::Inpatient => {
                "of an inpatient, or between places outside the department, this says nothing of the A&E attendance"
            }
            LeftOut::Place => "PV1-3: no [[place]] fits, so no area is stated",
            LeftOut::Area => {
                "PV1-3: its [[place]] has no area, so the patient stays in the one before: give it one, such as \"other\""
            }
            LeftOut::Code(set) => return write!(f, "a code that is not in [codes.{}]", set.as_str()),
            LeftOut::Journey => {
                "ambulance_service and ambulance_ref are stated together, of a service in organisations.csv"
            }
            LeftOut::Unmatched => {
                "the time of the cancelled move (hl7.transfer_since) is empty, so that move still stands"
            }
            LeftOut::Text => "a line break in a field was taken as text that goes on",
            LeftOut::Empty => "every field that could have stated a fact is empty",
        };
        f.write_str(text)
    }
}

/// Why a message is refused. It names a field and never what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub path: Path,
    /// Which kind, as the sender's engine knows it.
    pub kind: FaultKind,
    /// What becomes of it.
    pub outcome: Outcome,
    /// What is wrong and what would be right.
    pub what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// The kinds of HL7 table 0357 that we answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The message is none, or its segments are not.
    Structure,
    /// A field that must be there is empty.
    Missing,
    /// A field does not hold what it must hold.
    Data,
    /// A place or code that we do not know.
    Unknown,
    /// Not ADT.
    MessageType,
    /// Training or debugging, not production.
    ProcessingId,
}

impl FaultKind {
    /// Number and text of HL7 table 0357.
    pub fn code(self) -> (&'static str, &'static str) {
        match self {
            FaultKind::Structure => ("100", "Segment sequence error"),
            FaultKind::Missing => ("101", "Required field missing"),
            FaultKind::Data => ("102", "Data type error"),
            FaultKind::Unknown => ("204", "Unknown key identifier"),
            FaultKind::MessageType => ("200", "Unsupported message type"),
            FaultKind::ProcessingId => ("202", "Unsupported processing id"),
        }
    }
}

impl Fault {
    fn missing(path: Path, what: &'static str) -> Fault {
        Fault { path, kind: FaultKind::Missing, outcome: Outcome::Malformed, what }
    }

    fn data(path: Path, what: &'static str) -> Fault {
        Fault { path, kind: FaultKind::Data, outcome: Outcome::Malformed, what }
    }
}

/// What an event does to an attendance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Register,
    Admit,
    Transfer,
    End,
    Update,
    Cancel,
    Delete,
    CancelTransfer,
    CancelEnd,
    BackFromInpatient,
    Swap,
    Merge,
    Nothing,
}

fn trigger(event: &[u8], class: Option<Class>, reference: ReferenceField) -> Trigger {
    match (event, class) {
        (b"A04", _) | (b"A01", Some(Class::Emergency)) => Trigger::Register,
        (b"A01", Some(Class::Inpatient)) | (b"A06", _) => Trigger::Admit,
        (b"A02", _) => Trigger::Transfer,
        (b"A03", _) => Trigger::End,
        (b"A07", _) | (b"A11", Some(Class::Inpatient)) => Trigger::BackFromInpatient,
        (b"A08", _) => Trigger::Update,
        (b"A11", _) => Trigger::Cancel,
        (b"A23", _) => Trigger::Delete,
        (b"A12", _) => Trigger::CancelTransfer,
        (b"A13", _) => Trigger::CancelEnd,
        (b"A17", _) => Trigger::Swap,
        (b"A42" | b"A50", _) if reference == ReferenceField::Visit => Trigger::Merge,
        (b"A35" | b"A41", _) if reference == ReferenceField::Account => Trigger::Merge,
        // Person and patient identity, pre-admission, pending, leave, bed status: nothing of an attendance.
        _ => Trigger::Nothing,
    }
}

/// Whether it is an acknowledgement, which is never answered: two that answer each other would do nothing else.
pub fn is_acknowledgement(message: &Message<'_>) -> bool {
    message.get(Path::component(b"MSH", 9, 1)) == Fact::Stated(b"ACK")
}

/// Translates one message: its events, or why it is refused.
pub fn translate<'m, R: References>(
    message: &Message<'m>,
    around: Surroundings<'m, R>,
) -> Result<Translation<'m>, Fault> {
    let mut reader = Reader::new(message, around)?;
    let id = reader.id()?;
    let event = reader.event()?;
    let (source, recorded_at) = (around.feed.source.as_str(), reader.recorded_at);
    let said =
        |statement| Event { id: Cow::Borrowed(id), source: Cow::Borrowed(source), recorded_at, statement };
    let mut events = Vec::with_capacity(1);
    let visits = reader.visits(event)?;
    if visits.is_empty() {
        reader.leave_out(LeftOut::Event);
    }
    for visit in &visits {
        let mut say = |attendance| events.push(said(Statement::Attendance(attendance)));
        reader.attendances(event, visit, &mut say)?;
    }
    if message.continued() > 0 {
        reader.leave_out(LeftOut::Text);
    }
    if events.is_empty() {
        events.push(said(Statement::Heartbeat));
    }
    Ok(Translation { events, left_out: reader.left_out })
}

/// Whether it states any fact.
pub(crate) fn states(attendance: &Attendance<'_>) -> bool {
    // Every field by its name, so that a new one cannot be forgotten.
    let Attendance {
        site: _,
        reference: _,
        department_type,
        planned,
        child,
        acuity,
        arrival_mode,
        ambulance,
        arrived_at,
        assessed_at,
        treated_at,
        referred_at,
        decided_to_admit_at,
        clock_stopped_at,
        departed_at,
        disposal,
        location,
        void,
    } = attendance;
    department_type.is_said()
        || planned.is_said()
        || child.is_said()
        || acuity.is_said()
        || arrival_mode.is_said()
        || ambulance.is_said()
        || arrived_at.is_said()
        || assessed_at.is_said()
        || treated_at.is_said()
        || referred_at.is_said()
        || decided_to_admit_at.is_said()
        || clock_stopped_at.is_said()
        || departed_at.is_said()
        || disposal.is_said()
        || location.is_some()
        || void.is_said()
}
