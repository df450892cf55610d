//! Reading what a translation needs from a message: its header, times, places, references.

use std::ops::Range;
use std::str;

use contract::References;
use domain::admission::FUTURE_TOLERANCE_MS;
use domain::event::{Fact, Outcome};
use domain::ids::Ref;
use domain::time::{Millis, Second};

use super::{Fault, FaultKind, LeftOut, Surroundings, Trigger, trigger};
use crate::feed::path::Path;
use crate::feed::place::{Named, Place};
use crate::feed::zone::Nearest;
use crate::feed::{Class, ReferenceField};
use crate::hl7::time::Reading;
use crate::hl7::{Message, Segment, part, unescape};

const NOT_A_TIME: &str = "must be YYYYMMDD[HH[MM[SS[.S]]]][+ZZZZ or -ZZZZ], from 2000 to 2099";
const NOT_ASCII: &str = "must hold ASCII characters only";

/// The segments of one patient's visit. All but swaps and merges have one.
#[derive(Clone, Debug)]
pub(super) struct Visit<'m> {
    pub(super) pid: Option<Segment<'m>>,
    pub(super) pv1: Option<Segment<'m>>,
    /// By their numbers: not of another patient are those before the first PID, and those from this visit's PID to the
    /// next one.
    before: usize,
    own: Range<usize>,
}

/// A place of the message, and whether the message names one there at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Where<'a> {
    pub(super) place: Option<&'a Place>,
    pub(super) is_named: bool,
}

impl Where<'_> {
    pub(super) fn is_inside(self) -> bool {
        self.is_named && self.place.is_some_and(|place| !place.outside)
    }
}

/// A message, what is known beside it, and what was read of its header.
pub(super) struct Reader<'x, 'm, R> {
    pub(super) message: &'x Message<'m>,
    header: Segment<'m>,
    evn: Option<Segment<'m>>,
    pub(super) around: Surroundings<'m, R>,
    pub(super) recorded_at: Millis,
    /// Of times that state none, where MSH-7 shows another than the feed's zone has.
    default_offset: Option<i32>,
    pub(super) left_out: Vec<LeftOut>,
}

impl<'x, 'm, R: References> Reader<'x, 'm, R> {
    /// Reads when the message was recorded.
    pub(super) fn new(message: &'x Message<'m>, around: Surroundings<'m, R>) -> Result<Self, Fault> {
        let (header, evn) = (message.header(), message.segment(b"EVN"));
        let (recorded_at, default_offset, left_out) = (Millis(0), None, Vec::new());
        let mut reader = Reader { message, header, evn, around, recorded_at, default_offset, left_out };
        reader.check_encoding()?;
        reader.check_processing()?;
        let sent = reader.reading(Path::field(b"MSH", 7))?;
        let stated = sent.and_then(|sent| sent.offset_seconds.map(|offset| (sent, offset)));
        let mut nearest = around.received.map_or(Nearest::First, Nearest::To);
        if let Some((sent, offset)) = stated {
            let zone = &around.feed.zone;
            let at =
                sent.instant(zone, None, nearest).ok_or(Fault::data(Path::field(b"MSH", 7), NOT_A_TIME))?;
            reader.default_offset = (zone.offset_seconds(at) != Some(offset)).then_some(offset);
            nearest = Nearest::To(at);
        }
        let path = Path::field(b"EVN", 2);
        let (path, recorded) = match reader.reading(path)? {
            Some(reading) => (path, reading),
            None => (
                Path::field(b"MSH", 7),
                sent.ok_or(Fault::missing(path, "when this was recorded is missing, here and in MSH-7"))?,
            ),
        };
        let instant = recorded.instant(&around.feed.zone, reader.default_offset, nearest);
        reader.recorded_at = instant.ok_or(Fault::data(path, NOT_A_TIME))?;
        Ok(reader)
    }

    /// What stands at a path that is of no visit.
    pub(super) fn get(&self, path: Path) -> Fact<&'m [u8]> {
        match &path.segment {
            b"MSH" => self.header.get(path),
            b"EVN" => self.evn.as_ref().map_or(Fact::Absent, |evn| evn.get(path)),
            _ => self.message.get(path),
        }
    }

    /// Encodings whose characters can hold a separator's byte cannot be cut into fields.
    fn check_encoding(&self) -> Result<(), Fault> {
        let path = Path::field(b"MSH", 18);
        let Fact::Stated(name) = self.get(path) else { return Ok(()) };
        let not_ours = [
            &b"ISO IR"[..],
            b"ISO-2022",
            b"GB",
            b"KS",
            b"CNS",
            b"BIG",
            b"SHIFT",
            b"EUC",
            b"UNICODE UTF-16",
            b"UNICODE UTF-32",
            b"UTF-16",
            b"UTF-32",
            b"UCS",
        ];
        let starts =
            |start: &&[u8]| name.get(..start.len()).is_some_and(|name| name.eq_ignore_ascii_case(start));
        if not_ours.iter().any(starts) {
            return Err(Fault::data(path, "must be UNICODE UTF-8, 8859/1 to 8859/15, ASCII or WINDOWS-1252"));
        }
        Ok(())
    }

    /// A message for training or debugging states nothing of a patient. An empty MSH-11 is production.
    fn check_processing(&self) -> Result<(), Fault> {
        let path = Path::component(b"MSH", 11, 1);
        let Fact::Stated(id) = self.get(path) else { return Ok(()) };
        if self.around.feed.hl7.processing.iter().any(|taken| taken.as_bytes() == id) {
            return Ok(());
        }
        let what = "this is no message of production (P): a feed takes others that hl7.processing names";
        Err(Fault { path, kind: FaultKind::ProcessingId, outcome: Outcome::Malformed, what })
    }

    pub(super) fn leave_out(&mut self, why: LeftOut) {
        if !self.left_out.contains(&why) {
            self.left_out.push(why);
        }
    }

    /// MSH-10, as it is.
    pub(super) fn id(&self) -> Result<&'m str, Fault> {
        let path = Path::field(b"MSH", 10);
        match self.header.field(10).trim_ascii() {
            b"" => Err(Fault::missing(path, "the message's control id is missing")),
            id if id.len() > 128 => Err(Fault::data(path, "must have at most 128 characters")),
            id if id.iter().all(u8::is_ascii_graphic) => {
                str::from_utf8(id).map_err(|_| Fault::data(path, NOT_ASCII))
            }
            _ => Err(Fault::data(path, "must hold ASCII characters only, without spaces")),
        }
    }

    /// The trigger event, such as `A04`: MSH-9.2, else EVN-1.
    pub(super) fn event(&self) -> Result<&'m [u8], Fault> {
        let path = Path::component(b"MSH", 9, 1);
        match self.get(path) {
            Fact::Stated(b"ADT") => {}
            Fact::Stated(_) => {
                let what = "must be ADT: nothing else is taken here";
                return Err(Fault { path, kind: FaultKind::MessageType, outcome: Outcome::Malformed, what });
            }
            Fact::Absent | Fact::Retracted => {
                return Err(Fault::missing(path, "the message's type is missing"));
            }
        }
        let event = self.get(Path::component(b"MSH", 9, 2)).value();
        event
            .or_else(|| self.get(Path::field(b"EVN", 1)).value())
            .ok_or(Fault::missing(Path::component(b"MSH", 9, 2), "the event is missing, here and in EVN-1"))
    }

    /// The visits that the event speaks of; none where it says nothing of a visit.
    pub(super) fn visits(&self, event: &[u8]) -> Result<Vec<Visit<'m>>, Fault> {
        let several = self.message.named(*b"PID").nth(1).is_some();
        match trigger(event, Some(Class::Emergency), self.around.feed.hl7.reference) {
            Trigger::Nothing => Ok(Vec::new()),
            Trigger::Swap => {
                self.by_patient(2, "an A17 swaps the beds of two patients: there is a third PID")
            }
            Trigger::Merge if several => self.by_patient(100, "one message may merge visits of 100 patients"),
            _ => {
                let (pid, pv1) = (self.message.segment(b"PID"), self.message.segment(b"PV1"));
                Ok(vec![Visit { pid, pv1, before: 0, own: 0..usize::MAX }])
            }
        }
    }

    /// Each patient has the segments from their PID to the next.
    fn by_patient(&self, most: usize, too_many: &'static str) -> Result<Vec<Visit<'m>>, Fault> {
        let mut visits: Vec<Visit<'m>> = Vec::with_capacity(2);
        for (number, segment) in self.message.segments().enumerate() {
            if segment.is(b"PID") {
                let before = visits.first().map_or(number, |first| first.before);
                if let Some(last) = visits.last_mut() {
                    last.own.end = number;
                }
                if visits.len() == most {
                    let (path, kind) = (Path::field(b"PID", 1), FaultKind::Structure);
                    return Err(Fault { path, kind, outcome: Outcome::Malformed, what: too_many });
                }
                visits.push(Visit { pid: Some(segment), pv1: None, before, own: number..usize::MAX });
            } else if segment.is(b"PV1")
                && let Some(visit) = visits.last_mut()
            {
                visit.pv1.get_or_insert(segment);
            }
        }
        Ok(visits)
    }

    /// Every segment of that name that speaks of no other patient.
    pub(super) fn segments_of(&self, visit: &Visit<'m>, name: &[u8; 3]) -> impl Iterator<Item = Segment<'m>> {
        let of_visit = |number: usize| number < visit.before || visit.own.contains(&number);
        self.message.named(*name).filter(move |(number, _)| of_visit(*number)).map(|(_, segment)| segment)
    }

    /// A time as it is read; none where it is empty or `""`.
    fn reading(&self, path: Path) -> Result<Option<Reading>, Fault> {
        match self.get(path).value() {
            Some(text) => Reading::parse(text).map(Some).ok_or(Fault::data(path, NOT_A_TIME)),
            None => Ok(None),
        }
    }

    /// The instant that a time says. One that lies after what was recorded is refused, with its field.
    pub(super) fn instant(&self, path: Path, text: Fact<&[u8]>) -> Result<Fact<Second>, Fault> {
        let text = match text {
            Fact::Stated(text) => text,
            Fact::Retracted => return Ok(Fact::Retracted),
            Fact::Absent => return Ok(Fact::Absent),
        };
        let reading = Reading::parse(text).ok_or(Fault::data(path, NOT_A_TIME))?;
        let instant =
            reading.instant(&self.around.feed.zone, self.default_offset, Nearest::To(self.recorded_at));
        let instant = instant.ok_or(Fault::data(path, NOT_A_TIME))?.second();
        if Millis::from(instant).0 > self.recorded_at.0 + FUTURE_TOLERANCE_MS {
            let what = "is more than 10 minutes after the time of recording (EVN-2, else MSH-7)";
            return Err(Fault { path, kind: FaultKind::Data, outcome: Outcome::FutureDated, what });
        }
        Ok(Fact::Stated(instant))
    }

    /// When the event happened: the field given, else EVN-6, else when it was recorded.
    pub(super) fn happened(&self, visit: &Visit<'m>, field: Option<u16>) -> Result<Second, Fault> {
        if let (Some(field), Some(pv1)) = (field, &visit.pv1) {
            let path = Path::field(b"PV1", field);
            if let Fact::Stated(instant) = self.instant(path, pv1.get(path))? {
                return Ok(instant);
            }
        }
        let path = Path::field(b"EVN", 6);
        Ok(self.instant(path, self.get(path))?.value().unwrap_or(self.recorded_at.second()))
    }

    /// PV1-2: none where the class is none of ours. An empty class is that of an A&E department's own system.
    pub(super) fn class(&self, visit: &Visit<'m>) -> Option<Class> {
        let path = Path::field(b"PV1", 2);
        match visit.pv1.as_ref().map_or(Fact::Absent, |pv1| pv1.get(path)) {
            Fact::Absent | Fact::Retracted => Some(Class::Emergency),
            Fact::Stated(code) => {
                let code = str::from_utf8(code).ok()?;
                self.around.feed.hl7.classes.get(code).copied()
            }
        }
    }

    /// The place of a location field, 3 or 6.
    pub(super) fn place(&self, visit: &Visit<'m>, field: u16) -> Where<'m> {
        let location = visit.pv1.map_or(&[][..], |pv1| pv1.field(field));
        let part = |component| {
            let path = Path::component(b"PV1", field, component);
            part(location, self.message.separators(), path).value().unwrap_or_default()
        };
        let sender = self.get(Path::component(b"MSH", 4, 1)).value().unwrap_or_default();
        let named = Named {
            sender,
            point_of_care: part(1),
            room: part(2),
            bed: part(3),
            facility: part(4),
            description: part(9),
        };
        Where { place: self.around.feed.place(&named), is_named: !named.is_empty() }
    }

    /// The site: that of PV1-3 in the department, else that of PV1-6, else whatever either names, else the feed's.
    pub(super) fn site(&self, visit: &Visit<'m>) -> Result<&'m str, Fault> {
        let feed = self.around.feed;
        let own = |at: Where<'m>| at.place.and_then(|place| place.site.as_deref());
        let now = self.place(visit, 3);
        let site = if now.is_inside() {
            own(now)
        } else {
            let before = self.place(visit, 6);
            if before.is_inside() { own(before) } else { own(now).or_else(|| own(before)) }
        };
        let site = site.or(feed.site.as_deref());
        let path = Path::field(b"PV1", 3);
        let fault = |outcome, what| Fault { path, kind: FaultKind::Unknown, outcome, what };
        let site = site.ok_or(fault(
            Outcome::UnknownPlace,
            "no [[place]] of the feed says which site this is, and the feed has none of its own",
        ))?;
        if feed.may_speak_for(site, self.around.organisations) {
            Ok(site)
        } else {
            Err(fault(Outcome::NotAllowed, "the feed may not speak for this site (its orgs)"))
        }
    }

    /// The visit's or the account's number as our reference.
    pub(super) fn reference(&self, visit: &Visit<'m>, site: &str) -> Result<Ref, Fault> {
        let fields: &[(&[u8; 3], u16)] = match self.around.feed.hl7.reference {
            ReferenceField::Visit => &[(b"PV1", 19), (b"PV1", 50)],
            ReferenceField::Account => &[(b"PID", 18)],
        };
        let get = |path: Path| match (&path.segment, &visit.pv1, visit.pid) {
            (b"PV1", Some(pv1), _) => pv1.get(path),
            (b"PID", _, Some(pid)) => pid.get(path),
            _ => Fact::Absent,
        };
        for (name, field) in fields {
            if let Some(reference) = self.pseudonym(get, Path::field(name, *field), site)? {
                return Ok(reference);
            }
        }
        let (name, field) = fields[0];
        Err(Fault::missing(Path::field(name, field), "the number by which we know the attendance is missing"))
    }

    /// The numbers that a merge ends.
    pub(super) fn merged_references(&self, visit: &Visit<'m>, site: &str) -> Result<Vec<Ref>, Fault> {
        let field = match self.around.feed.hl7.reference {
            ReferenceField::Visit => 5,
            ReferenceField::Account => 3,
        };
        let path = Path::field(b"MRG", field);
        let missing = Fault::missing(path, "the number that is merged is missing");
        let merged = self.segments_of(visit, b"MRG");
        let separators = self.message.separators();
        let each = |mrg: Segment<'m>| mrg.field(field).split(move |byte| *byte == separators.repetition);
        let merged = merged
            .flat_map(each)
            .map(|number| self.pseudonym(|path| part(number, separators, path), path, site)?.ok_or(missing));
        let merged = merged.collect::<Result<Vec<Ref>, Fault>>()?;
        if merged.is_empty() { Err(missing) } else { Ok(merged) }
    }

    /// A number with its assigning authority (CX); none where it is empty.
    fn pseudonym(
        &self,
        get: impl Fn(Path) -> Fact<&'m [u8]>,
        path: Path,
        site: &str,
    ) -> Result<Option<Ref>, Fault> {
        let part = |component, subcomponent| {
            get(Path { component: Some(component), subcomponent: Some(subcomponent), ..path }).value()
        };
        let Some(number) = part(1, 1) else { return Ok(None) };
        let authority = part(4, 1).or_else(|| part(4, 2)).unwrap_or_default();
        let separators = self.message.separators();
        let (number, authority) = (unescape(number, separators), unescape(authority, separators));
        if !number.is_ascii() || !authority.is_ascii() {
            return Err(Fault::data(path, NOT_ASCII));
        }
        let text = |bytes| str::from_utf8(bytes).map_err(|_| Fault::data(path, NOT_ASCII));
        let reference =
            self.around.feed.reference(self.around.references, site, text(&authority)?, text(&number)?);
        reference
            .map(Some)
            .ok_or(Fault::data(path, "must have at most 64 characters with its assigning authority"))
    }
}
