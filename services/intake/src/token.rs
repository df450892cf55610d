//! What a token may speak for (spec 1.7, `not_allowed`): as which sources, and for which places.
//!
//! Who has which token is `runtime::access`'s; here its texts are compared with an event.

use domain::event::{Event, Statement};
use domain::organisations::Organisations;
use runtime::access::Grant;

const SOURCE: &str = "source: the token may not speak as this source";
const PLACE: &str = "the token may not speak for this place: its orgs name neither it nor anything above it";

const UNKNOWN: &str = "the place is not in organisations.csv, so the token, which is bound to organisations, may not speak for it";

/// Why the token may not say this, if so.
///
/// The place of an attendance or a bed state is its site, that of a journey its service, that of a return or a
/// declaration its organisation. What an event only mentions (a destination, the journey that brought a patient) it
/// does not speak for.
pub(crate) fn denied(event: &Event<'_>, grant: &Grant, orgs: &Organisations) -> Option<&'static str> {
    if !grant.speaks_as(&event.source) {
        return Some(SOURCE);
    }
    let place = match &event.statement {
        Statement::Attendance(attendance) => &attendance.site,
        Statement::Ambulance(journey) => &journey.service,
        Statement::Beds(beds) => &beds.site,
        Statement::Standard(one) => &one.org,
        Statement::Escalation(one) => &one.org,
        Statement::Heartbeat => return None,
    };
    if grant.speaks_for_all() {
        return None;
    }
    // A code that nobody knows is below nothing.
    let Some(id) = orgs.find(place) else { return Some(UNKNOWN) };
    let codes = orgs.path(id).iter().map(|id| orgs.get(*id).code.as_str());
    if grant.speaks_for(codes) { None } else { Some(PLACE) }
}
