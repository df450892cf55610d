//! FHIR R4 Encounters (UK Core) as events. Pure.
//!
//! | element | fact |
//! |---|---|
//! | `class` `EMER`, `EMER-RETURN-U`; `EMER-RETURN-P` | an attendance; one with `planned` (any other class: only a heartbeat) |
//! | `identifier` (`fhir.identifier`) | `ref`, as a pseudonym |
//! | `serviceProvider`, `location`, the feed's places | `site`, `department_type` |
//! | `meta.lastUpdated`, else the Bundle's `timestamp`, else when it came | `recorded_at` |
//! | `period.start`, `period.end` | `arrived_at`, `departed_at` |
//! | `statusHistory` `triaged`, `in-progress` | `assessed_at`, `treated_at` |
//! | `status` `cancelled`, `entered-in-error` | `void` |
//! | `hospitalization.dischargeDisposition`, `priority`, `[[fhir.extension]]` | `disposal`, `acuity`, what else the feed maps |
//! | `location` with `period` | `location`, the area by the feed's places |
//!
//! A resource is a whole snapshot and an event is a statement: while the status is not `finished`, `departed_at`,
//! `disposal` and `clock_stopped_at` are retracted, or a visit that was opened again would stay closed. Errors name the
//! element and never what stands in it.

pub(crate) mod outcome;
pub(crate) mod resource;

use std::borrow::Cow;

use domain::event::{Attendance, Event, Fact, JourneyName, Location, Outcome, Statement};
use domain::ids::Ref;
use domain::organisations::{Level, Organisations};
use domain::time::{Millis, Second, rfc3339};
use serde::Deserialize;

use contract::References;

use crate::feed::codes::{CodeSet, Coded};
use crate::feed::place::{Named, Place};
use crate::feed::{FactName, Feed};
use resource::{Bundle, Encounter, Entry, Extension, Identifier, Kind, Object, Period};

/// Codes of sites and organisations.
const ODS_SITE: &str = "https://fhir.nhs.uk/Id/ods-site-code";
const ODS_ORGANISATION: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// Why a resource is refused. Holds names of elements, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expression}: {what}")]
pub(crate) struct Fault {
    /// What becomes of it.
    pub(crate) outcome: Outcome,
    /// Where, as a FHIRPath expression from the resource on.
    pub(crate) expression: String,
    /// What is wrong and what would be right.
    pub(crate) what: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn malformed(expression: &str, what: impl Into<Cow<'static, str>>) -> Fault {
        Fault { outcome: Outcome::Malformed, expression: expression.to_owned(), what: what.into() }
    }
}

/// What a resource is translated with.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'f, R> {
    pub(crate) feed: &'f Feed,
    pub(crate) organisations: &'f Organisations,
    pub(crate) references: &'f R,
    /// When the resource was recorded, where it does not say so itself.
    pub(crate) recorded: Millis,
}

/// The events of a resource, and what of it was left out and why.
#[derive(Debug)]
pub(crate) struct Translation {
    pub(crate) events: Vec<Event<'static>>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Something that states nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) expression: String,
    pub(crate) why: &'static str,
}

/// What a status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Planned,
    Open,
    Finished,
    Void,
    Unknown,
}

impl Status {
    fn parse(text: &str) -> Option<Status> {
        Some(match text {
            "planned" => Status::Planned,
            "arrived" | "triaged" | "in-progress" | "onleave" => Status::Open,
            "finished" => Status::Finished,
            "cancelled" | "entered-in-error" => Status::Void,
            "unknown" => Status::Unknown,
            _ => return None,
        })
    }
}

/// Reads JSON into what is read of it; an error says where and never what.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Object(read) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let (line, column) = (error.inner().line(), error.inner().column());
        if error.inner().is_data() {
            let place = if path == "." { what.to_owned() } else { format!("{what}.{path}") };
            let wrong = format!("another kind of JSON than FHIR has here (line {line} column {column})");
            Fault::malformed(&place, wrong)
        } else {
            Fault::malformed(what, format!("not JSON at line {line} column {column}"))
        }
    })?;
    reader.end().map_err(|error| {
        Fault::malformed(
            what,
            format!("more after the resource, at line {} column {}", error.line(), error.column()),
        )
    })?;
    Ok(read)
}

/// Whether a resource says that it is of that type. One that is no JSON at all is of none.
pub(crate) fn is_a(bytes: &[u8], kind: &str) -> Result<bool, Fault> {
    let found: Kind<'_> = read(bytes, "Resource")?;
    Ok(found.resource_type.as_deref() == Some(kind))
}

/// Reads a Bundle; its resources are read one by one.
pub(crate) fn bundle(bytes: &[u8]) -> Result<Bundle<'_>, Fault> {
    if !is_a(bytes, "Bundle")? {
        return Err(Fault::malformed(
            "Resource.resourceType",
            "must be Bundle; an Encounter goes to /Encounter",
        ));
    }
    read(bytes, "Bundle")
}

impl Bundle<'_> {
    /// When its resources were recorded, where they do not say so themselves.
    pub(crate) fn recorded(&self) -> Option<Millis> {
        self.timestamp.as_deref().and_then(|text| rfc3339(text.as_bytes()))
    }
}

impl Entry<'_> {
    /// The bytes of its Encounter, or why it is passed over.
    pub(crate) fn encounter(&self) -> Result<&[u8], &'static str> {
        let method = self.request.as_ref().and_then(|request| request.method.as_deref());
        if !matches!(method, None | Some("POST" | "PUT")) {
            return Err(
                "only POST and PUT are read; to take a visit back send it with status entered-in-error",
            );
        }
        let bytes = self.resource.ok_or("the entry has no resource")?.get().as_bytes();
        let is_encounter = is_a(bytes, "Encounter").unwrap_or(false);
        is_encounter.then_some(bytes).ok_or("no resource but Encounter is read")
    }
}

/// Translates the bytes of an Encounter.
pub(crate) fn translate<R: References>(
    bytes: &[u8],
    around: Surroundings<'_, R>,
) -> Result<Translation, Fault> {
    if !is_a(bytes, "Encounter")? {
        return Err(Fault::malformed(
            "Resource.resourceType",
            "must be Encounter: no other resource is read",
        ));
    }
    let encounter: Encounter<'_> = read(bytes, "Encounter")?;
    let mut reader = Reader { around, encounter: &encounter, left_out: Vec::new() };
    let events = reader.events()?;
    Ok(Translation { events, left_out: reader.left_out })
}

struct Reader<'e, 'f, R> {
    around: Surroundings<'f, R>,
    encounter: &'e Encounter<'e>,
    left_out: Vec<LeftOut>,
}

impl<R: References> Reader<'_, '_, R> {
    fn leave_out(&mut self, expression: impl Into<String>, why: &'static str) {
        self.left_out.push(LeftOut { expression: expression.into(), why });
    }

    fn events(&mut self) -> Result<Vec<Event<'static>>, Fault> {
        let encounter = self.encounter;
        if !encounter.modifier_extension.is_empty() {
            let what = "is not understood, and it may change what all else means";
            return Err(Fault::malformed("Encounter.modifierExtension", what));
        }
        let recorded_at = match &encounter.meta.last_updated {
            Some(text) => instant("Encounter.meta.lastUpdated", text)?,
            None => self.around.recorded,
        };
        let Some(planned) = self.class()? else { return Ok(vec![self.heartbeat(recorded_at)]) };
        let statuses = "must be one of planned, arrived, triaged, in-progress, onleave, finished, cancelled, \
                        entered-in-error, unknown";
        let status = encounter.status.as_deref().ok_or("is missing");
        let status = status.and_then(|text| Status::parse(text).ok_or(statuses));
        let status = status.map_err(|what| Fault::malformed("Encounter.status", what))?;
        if status == Status::Planned {
            self.leave_out("Encounter.status", "nobody has come yet: nothing is stated");
            return Ok(vec![self.heartbeat(recorded_at)]);
        }
        let site = self.site()?;
        let reference = self.reference(&site)?;
        let mut attendance = Attendance::new(site.clone(), reference);
        attendance.void = Fact::Stated(status == Status::Void);
        if status != Status::Void {
            attendance.planned = Fact::Stated(planned);
            self.facts(status, &mut attendance)?;
        }
        let mut statements = vec![attendance];
        if status != Status::Void {
            statements.extend(self.moves(&site, reference)?);
        }
        let number =
            |(number, attendance)| self.event(number, recorded_at, Statement::Attendance(attendance));
        Ok(statements.into_iter().enumerate().map(number).collect())
    }

    /// Whether the attendance is planned; `None`: it is no attendance.
    fn class(&mut self) -> Result<Option<bool>, Fault> {
        match self.encounter.class.code.as_deref() {
            Some("EMER" | "EMER-RETURN-U") => Ok(Some(false)),
            Some("EMER-RETURN-P") => Ok(Some(true)),
            Some(_) => {
                self.leave_out("Encounter.class", "this class is no A&E attendance: nothing is stated");
                Ok(None)
            }
            None => Err(Fault::malformed("Encounter.class.code", "is missing, such as EMER")),
        }
    }

    fn site(&mut self) -> Result<Cow<'static, str>, Fault> {
        const PROVIDER: &str = "Encounter.serviceProvider";
        let (feed, organisations) = (self.around.feed, self.around.organisations);
        let (provider, locations) = (&self.encounter.service_provider, &self.encounter.location);
        let stated = |identifier: &Identifier<'_>| {
            let site = organisations.find_at(ods_code(identifier)?, Level::Site)?;
            Some(organisations.get(site).code.clone())
        };
        let sender = provider.identifier.value.as_deref().unwrap_or_default();
        let own = stated(&provider.identifier).map(|site| (site, PROVIDER.to_owned()));
        let of_locations = || {
            let mut each = locations.iter().enumerate();
            each.find_map(|(index, one)| Some((stated(&one.location.identifier)?, location_at(index))))
        };
        let of_places = || {
            let mut each = locations.iter().enumerate();
            each.find_map(|(index, one)| {
                Some((self.place(sender, &one.location)?.site.clone()?, location_at(index)))
            })
        };
        let of_feed = || Some((feed.site.clone()?, "Encounter".to_owned()));
        let found = own.or_else(of_locations).or_else(of_places).or_else(of_feed);
        let (site, expression) = found.ok_or_else(|| Fault {
            outcome: Outcome::UnknownPlace,
            expression: PROVIDER.to_owned(),
            what: "neither this nor a location nor the feed says which site it is".into(),
        })?;
        if !feed.may_speak_for(&site, organisations) {
            let what = "the feed may not speak for this site (its orgs)".into();
            return Err(Fault { outcome: Outcome::NotAllowed, expression, what });
        }
        let above = organisations.find(&site).map_or(&[][..], |site| organisations.path(site));
        let is_above = |code: &str| above.iter().any(|org| organisations.get(*org).code == code);
        if ods_code(&provider.identifier).is_some_and(|code| !is_above(code)) {
            self.leave_out(PROVIDER, "is neither the site at which the visit is counted nor above that");
        }
        Ok(site.into())
    }

    /// What the feed says of each location, as far as it says anything.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let sender = self.encounter.service_provider.identifier.value.as_deref().unwrap_or_default();
        self.encounter.location.iter().filter_map(move |one| self.place(sender, &one.location))
    }

    fn place(&self, sender: &str, location: &resource::Reference<'_>) -> Option<&Place> {
        let named = Named {
            sender: sender.as_bytes(),
            point_of_care: location_code(location).as_bytes(),
            ..Named::default()
        };
        self.around.feed.place(&named)
    }

    fn reference(&self, site: &str) -> Result<Ref, Fault> {
        const WHERE: &str = "Encounter.identifier";
        let wanted = self.around.feed.fhir.identifier.as_str();
        let has = |one: &&Object<Identifier<'_>>| wanted.is_empty() || one.system.as_deref() == Some(wanted);
        let mut found = self.encounter.identifier.iter().filter(has).filter_map(|one| one.value.as_deref());
        let number = match (found.next(), found.next()) {
            (Some(number), None) => number,
            (None, _) if wanted.is_empty() => return Err(Fault::malformed(WHERE, "is missing")),
            (None, _) => {
                return Err(Fault::malformed(WHERE, "none is of the system that fhir.identifier names"));
            }
            (Some(_), Some(_)) if wanted.is_empty() => {
                return Err(Fault::malformed(
                    WHERE,
                    "there are several: name the system of ours in fhir.identifier",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Fault::malformed(WHERE, "several are of the system that fhir.identifier names"));
            }
        };
        let reference = self.around.feed.reference(self.around.references, site, "", number);
        reference.ok_or_else(|| Fault::malformed(WHERE, "its value must have 1 to 64 bytes"))
    }

    fn facts(&mut self, status: Status, attendance: &mut Attendance<'static>) -> Result<(), Fault> {
        let encounter = self.encounter;
        let start = required(&encounter.period, "Encounter.period")?;
        attendance.arrived_at = Fact::Stated(start);
        for (status, fact) in
            [("triaged", &mut attendance.assessed_at), ("in-progress", &mut attendance.treated_at)]
        {
            if let Some(since) = self.since(status)? {
                *fact = Fact::Stated(since);
            }
        }
        if let Some(kind) = self.places().find_map(|place| place.department_type) {
            attendance.department_type = Fact::Stated(kind);
        }
        let feed = self.around.feed;
        let mut coded = feed.codes.coded();
        let destination = encounter.hospitalization.discharge_disposition.codes();
        coded.read_any(CodeSet::DischargeDestination, destination, attendance);
        coded.read_any(CodeSet::Acuity, encounter.priority.codes(), attendance);
        self.extensions(&mut coded, attendance)?;
        for set in coded.unknown() {
            let expression = format!("Encounter ({})", set.as_str());
            self.left_out.push(LeftOut { expression, why: "a code that is in no table of the feed" });
        }
        match status {
            Status::Finished => {
                match &encounter.period.end {
                    Some(text) => {
                        let end = instant("Encounter.period.end", text)?.second();
                        attendance.departed_at = Fact::Stated(end);
                    }
                    None => self
                        .leave_out("Encounter.period.end", "is missing: when the patient left is not stated"),
                }
                attendance.disposal = coded.disposal();
            }
            // A whole snapshot of a visit that has not ended.
            Status::Open => {
                attendance.departed_at = Fact::Retracted;
                attendance.disposal = Fact::Retracted;
                attendance.clock_stopped_at = Fact::Retracted;
            }
            Status::Unknown | Status::Planned | Status::Void => {}
        }
        Ok(())
    }

    /// The earliest start of a status.
    fn since(&mut self, status: &str) -> Result<Option<Second>, Fault> {
        let mut earliest: Option<Second> = None;
        let history = self.encounter.status_history.iter().enumerate();
        for (index, one) in history.filter(|(_, one)| one.status.as_deref() == Some(status)) {
            let expression = format!("Encounter.statusHistory[{index}].period.start");
            match &one.period.start {
                Some(text) => {
                    let start = instant(&expression, text)?.second();
                    earliest = Some(earliest.map_or(start, |other| other.min(start)));
                }
                None => self.leave_out(expression, "is missing: when this status began is not stated"),
            }
        }
        Ok(earliest)
    }

    /// What the feed's extensions state.
    fn extensions(
        &mut self,
        coded: &mut Coded<'_>,
        attendance: &mut Attendance<'static>,
    ) -> Result<(), Fault> {
        let (mut service, mut number) = (None, None);
        for (url, name) in &self.around.feed.fhir.extensions {
            let own = find(&self.encounter.extension, url);
            let extension = own.or_else(|| find(&self.encounter.hospitalization.extension, url));
            let Some(extension) = extension else { continue };
            if let FactName::Code(set) = name {
                coded.read_any(*set, extension.codes(), attendance);
            }
            let Some(text) = extension.text() else { continue };
            match name {
                FactName::Instant(fact) => {
                    let expression = format!("Encounter.extension ({})", fact.as_str());
                    *fact.of(attendance) = Fact::Stated(instant(&expression, text)?.second());
                }
                FactName::Code(_) => {}
                FactName::AmbulanceService => service = Some(text),
                FactName::AmbulanceRef => number = Some(text),
            }
        }
        let journey = service.zip(number).and_then(|(service, number)| {
            self.around.organisations.find_at(service, Level::Service)?;
            let reference =
                self.around.references.reference(service, number).filter(|_| number.len() <= 64)?;
            Some(JourneyName { service: Cow::Owned(service.to_owned()), reference })
        });
        match journey {
            Some(journey) => attendance.ambulance = Fact::Stated(journey),
            None if service.is_some() || number.is_some() => self.leave_out(
                "Encounter.extension (ambulance)",
                "the journey is stated with its service and its reference, and the service is in organisations.csv",
            ),
            None => {}
        }
        Ok(())
    }

    /// A statement for each move within the department.
    fn moves(&mut self, site: &str, reference: Ref) -> Result<Vec<Attendance<'static>>, Fault> {
        let encounter = self.encounter;
        let sender = encounter.service_provider.identifier.value.as_deref().unwrap_or_default();
        let mut moves = Vec::new();
        for (index, one) in encounter.location.iter().enumerate() {
            let at = format!("Encounter.location[{index}]");
            if matches!(one.status.as_deref(), Some("planned" | "reserved")) {
                continue;
            }
            let area = self.place(sender, &one.location).filter(|place| !place.outside);
            let area = area.and_then(|place| place.area.clone());
            match (&one.period.start, area) {
                (Some(text), Some(area)) => {
                    let since = instant(&format!("{at}.period.start"), text)?.second();
                    let location = Some(Location { area: Some(Cow::Owned(area)), since });
                    moves.push(Attendance { location, ..Attendance::new(site.to_owned(), reference) });
                }
                (None, Some(_)) => self.leave_out(at, "without period.start it is not stated"),
                (_, None) => self.leave_out(at, "no [[place]] of the feed gives it an area"),
            }
        }
        Ok(moves)
    }

    fn heartbeat(&self, recorded_at: Millis) -> Event<'static> {
        self.event(0, recorded_at, Statement::Heartbeat)
    }

    /// Nothing of the sender's text goes into the id: it could be a visit's number, or a patient's. Its version is at
    /// the front, so that of two of the same instant the greater version wins; ten digits and more are no version: they
    /// could be a patient's number.
    fn event(&self, number: usize, recorded_at: Millis, statement: Statement<'static>) -> Event<'static> {
        let encounter = self.encounter;
        let version = encounter.meta.version_id.as_deref().unwrap_or_default();
        let is_number = (1..=9).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_digit());
        let version = if is_number { version } else { "0" };
        let name = encounter.id.as_deref().unwrap_or_default();
        let named = self.around.references.reference("fhir", name).map_or([b'0'; 32], Ref::to_hex);
        let named = std::str::from_utf8(&named[..16]).unwrap_or("0");
        let id = format!("{version}-{named}.{number:03}");
        Event { id: id.into(), source: self.around.feed.source.clone().into(), recorded_at, statement }
    }
}

/// The code of a site or an organisation, where the identifier is one.
fn ods_code<'i>(identifier: &'i Identifier<'_>) -> Option<&'i str> {
    let is_ods = matches!(identifier.system.as_deref(), Some(ODS_SITE | ODS_ORGANISATION));
    identifier.value.as_deref().filter(|_| is_ods)
}

fn location_at(index: usize) -> String {
    format!("Encounter.location[{index}].location")
}

/// What a feed's `point_of_care` is compared with: the location's identifier, else the end of its reference.
fn location_code<'l>(location: &'l resource::Reference<'_>) -> &'l str {
    let reference = || location.reference.as_deref().and_then(|text| text.rsplit('/').next());
    location.identifier.value.as_deref().or_else(reference).unwrap_or_default()
}

/// The extension of that URL, also within others.
fn find<'e>(extensions: &'e [Object<Extension<'e>>], url: &str) -> Option<&'e Extension<'e>> {
    extensions.iter().find_map(|one| {
        if one.url.as_deref() == Some(url) { Some(&one.0) } else { find(&one.extension, url) }
    })
}

fn required(period: &Period<'_>, expression: &str) -> Result<Second, Fault> {
    let expression = format!("{expression}.start");
    match &period.start {
        Some(text) => Ok(instant(&expression, text)?.second()),
        None => Err(Fault::malformed(&expression, "is missing: when the patient arrived")),
    }
}

/// A dateTime or instant. One that is less precise than a second is none for us: a date would be midnight, and a wait
/// that began at midnight a breach that never was.
fn instant(expression: &str, text: &str) -> Result<Millis, Fault> {
    let what = "must be an instant of 2000 to 2099 with a time and an offset, such as 2026-11-21T14:05:00Z";
    rfc3339(text.as_bytes()).ok_or_else(|| Fault::malformed(expression, what))
}

#[cfg(test)]
mod tests;
