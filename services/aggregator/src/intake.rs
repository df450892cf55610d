//! From a record of the log to an event, or to what is wrong with it.

use contract::{Hashed, Refused, Required, parse_json, parse_protobuf};
use domain::event::{Event, Outcome, Statement};

/// Reads an event in the form that its header says. `returns`: whether it came on the topic of returns and declarations,
/// where nothing else may be, and which may be nowhere else (spec 1.7).
pub(crate) fn read<'a>(
    value: &'a [u8],
    protobuf: bool,
    returns: bool,
    pseudonyms_required: bool,
    unknown_fields: &mut u64,
) -> Result<Event<'a>, Refused> {
    let event = match (protobuf, pseudonyms_required) {
        (true, true) => parse_protobuf(value, &Required, unknown_fields),
        (true, false) => parse_protobuf(value, &Hashed, unknown_fields),
        (false, true) => parse_json(value, &Required),
        (false, false) => parse_json(value, &Hashed),
    }?;
    let belongs_to_returns = match event.statement {
        Statement::Standard(_) | Statement::Escalation(_) => true,
        Statement::Attendance(_) | Statement::Ambulance(_) | Statement::Beds(_) | Statement::Heartbeat => {
            false
        }
    };
    if belongs_to_returns == returns {
        return Ok(event);
    }
    let detail = if returns {
        "only standard and escalation belong on this topic; send it to sitrep.events.v1"
    } else {
        "standard and escalation belong on sitrep.returns.v1"
    };
    Err(Refused { outcome: Outcome::Malformed, detail: detail.to_owned() })
}
