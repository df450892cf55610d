//! What is answered in FHIR: OperationOutcome, and the Bundle of responses. Names of elements, never a value.

use axum::http::StatusCode;
use domain::event::Outcome;
use serde_json::{Value as Json, json};

use super::{Fault, LeftOut};

/// The status of a resource that is refused.
pub(crate) fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Outcome::Malformed => StatusCode::BAD_REQUEST,
        Outcome::NotAllowed => StatusCode::FORBIDDEN,
        Outcome::UnknownPlace | Outcome::UnknownStandard | Outcome::FutureDated | Outcome::TooLate => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Outcome::Accepted | Outcome::Duplicate => StatusCode::OK,
    }
}

/// FHIR's own word for what is wrong.
fn code(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::TooLarge => "too-long",
        Outcome::Malformed => "structure",
        Outcome::NotAllowed => "forbidden",
        Outcome::UnknownPlace | Outcome::UnknownStandard => "not-found",
        Outcome::FutureDated | Outcome::TooLate => "business-rule",
        Outcome::Accepted | Outcome::Duplicate => "informational",
    }
}

/// A resource was taken; what was left out of it is said.
pub(crate) fn taken(left_out: &[LeftOut]) -> Json {
    let mut issues = vec![json!({
        "severity": "information", "code": "informational", "diagnostics": "taken: the log has it durably"
    })];
    issues.extend(left_out.iter().map(|one| {
        json!({
            "severity": "warning", "code": "incomplete", "diagnostics": one.why, "expression": [one.expression]
        })
    }));
    outcome(&issues)
}

/// A resource was refused.
pub(crate) fn refused(fault: &Fault) -> Json {
    outcome(&[json!({
        "severity": "error",
        "code": code(fault.outcome),
        "details": { "text": fault.outcome.as_str() },
        "diagnostics": fault.to_string(),
        "expression": [fault.expression],
    })])
}

/// The request could not be judged.
pub(crate) fn failed(status: StatusCode, what: &str) -> Json {
    let code = match status {
        StatusCode::UNAUTHORIZED => "login",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::TOO_MANY_REQUESTS => "throttled",
        StatusCode::PAYLOAD_TOO_LARGE => "too-long",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "not-supported",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => "transient",
        _ => "structure",
    };
    outcome(&[json!({ "severity": "error", "code": code, "diagnostics": what })])
}

/// A resource of a Bundle that is not read.
pub(crate) fn passed_over(why: &str) -> Json {
    outcome(&[json!({ "severity": "information", "code": "not-supported", "diagnostics": why })])
}

fn outcome(issues: &[Json]) -> Json {
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}

/// The answer to a Bundle: one response for each entry.
pub(crate) fn bundle(kind: &str, entries: Vec<(StatusCode, Json)>) -> Json {
    let entries: Vec<Json> = entries
        .into_iter()
        .map(|(status, outcome)| json!({ "response": { "status": status.to_string(), "outcome": outcome } }))
        .collect();
    json!({ "resourceType": "Bundle", "type": kind, "entry": entries })
}
