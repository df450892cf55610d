//! `POST /fhir/R4/Encounter` and `POST /fhir/R4` (a Bundle): FHIR R4 resources become events.
//!
//! The feed is the one whose source the token may speak as; where there are several, the one of them that has no other
//! door (a listener for MLLP, a CSV extract), or `?feed=NAME` says which. A Bundle of any type is worked through entry by
//! entry, a transaction too: an entry that is refused holds up no other, and the response says what became of each. What
//! is no Encounter in a Bundle is passed over.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::{Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use contract::MAX_EVENT_BYTES;
use contract::refusal::{Origin, Refusal};
use domain::event::Outcome;
use domain::time::Millis;
use runtime::access::{Grant, Scope};
use serde_json::Value as Json;

use super::post::{self, is_packed, told_length};
use super::{Inner, IntakeState, PostError, with_headers};
use crate::body::{BodyError, Form, Piece, Whole};
use crate::desk::{Batch, DeskError};
use crate::feed::Feed;
use crate::fhir::resource::{ENTRIES_MAX, Entry};
use crate::fhir::{self, Fault, Surroundings, outcome};
use crate::metrics::Answer;

/// Of an empty body, an array, a byte order mark.
const NOT_A_RESOURCE: &str = "the body is empty or is not one Encounter as a JSON object, in UTF-8 without a byte order \
                              mark; several go as a Bundle to /fhir/R4";

pub(super) async fn encounter(State(state): State<IntakeState>, request: Request) -> Response {
    answered(&state.0, take_encounter(&state.0, request).await)
}

pub(super) async fn bundle(State(state): State<IntakeState>, request: Request) -> Response {
    answered(&state.0, take_bundle(&state.0, request).await)
}

fn answered(inner: &Inner, done: Result<(StatusCode, Json), PostError>) -> Response {
    let posts = &inner.desk.metrics.posts;
    let (status, body) = match done {
        Ok(done) => {
            posts.of(Answer::Judged).inc();
            done
        }
        Err(error) => {
            let (status, answer) = error.answer();
            posts.of(answer).inc();
            let what = match error {
                PostError::Body(BodyError::NotJson) => NOT_A_RESOURCE.to_owned(),
                error => error.to_string(),
            };
            (status, outcome::failed(status, &what))
        }
    };
    let response = ([(CONTENT_TYPE, "application/fhir+json")], JsonBody(body).into_response().into_body());
    with_headers(status, response.into_response())
}

async fn take_encounter(inner: &Arc<Inner>, request: Request) -> Result<(StatusCode, Json), PostError> {
    let grant = inner.access.check(request.headers(), Scope::Events)?;
    let taken = encounter_of(inner, request, &grant).await;
    post::counted(inner, &grant, taken)
}

async fn encounter_of(
    inner: &Arc<Inner>,
    request: Request,
    grant: &Arc<Grant>,
) -> Result<(StatusCode, Json), PostError> {
    let (mut batch, feed) = begun(inner, grant, request.headers(), request.uri())?;
    let packed = is_packed(request.headers())?;
    let now = Millis(inner.desk.clock.now_ms());
    let mut answer = None;
    let mut each = |piece: Piece<'_>| {
        if let Some(fault) = piece.fault() {
            return Err(fault.into());
        }
        answer = Some(judge(inner, &mut batch, grant, feed, piece, now, now)?);
        Ok(())
    };
    post::each(inner, request.into_body(), Form::One, packed, &mut each).await?;
    let answer = answer.ok_or(PostError::Body(BodyError::NotJson))?;
    post::write(inner, batch).await?;
    Ok(answer)
}

async fn take_bundle(inner: &Arc<Inner>, request: Request) -> Result<(StatusCode, Json), PostError> {
    let grant = inner.access.check(request.headers(), Scope::Events)?;
    let taken = bundle_of(inner, request, &grant).await;
    post::counted(inner, &grant, taken)
}

async fn bundle_of(
    inner: &Arc<Inner>,
    request: Request,
    grant: &Arc<Grant>,
) -> Result<(StatusCode, Json), PostError> {
    let (mut batch, feed) = begun(inner, grant, request.headers(), request.uri())?;
    let mut whole = Whole::new(is_packed(request.headers())?, inner.limits.body_bytes);
    post::chunks(inner, request.into_body(), &mut |chunk| {
        let more = whole.push(chunk)?;
        Ok(batch.hold(more)?)
    })
    .await?;
    let bytes = whole.finish()?;
    let bundle = match fhir::bundle(&bytes) {
        Ok(bundle) => bundle,
        // It is not kept, as a body that is no JSON is not: nobody knows what it was.
        Err(fault) => {
            inner.desk.refused_whole(grant);
            return Ok((outcome::status(fault.outcome), outcome::refused(&fault)));
        }
    };
    let read = &bundle.entry.0;
    if read.len() > ENTRIES_MAX {
        return Err(BodyError::TooMany(ENTRIES_MAX).into());
    }
    let now = Millis(inner.desk.clock.now_ms());
    let recorded = bundle.recorded().unwrap_or(now);
    let mut entries = Vec::with_capacity(read.len());
    for entry in read {
        entries.push(of_entry(inner, &mut batch, grant, feed, entry, recorded, now)?);
    }
    let kind =
        if bundle.kind.as_deref() == Some("transaction") { "transaction-response" } else { "batch-response" };
    let answer = outcome::bundle(kind, entries);
    drop(bundle);
    post::write(inner, batch).await?;
    Ok((StatusCode::OK, answer))
}

fn of_entry(
    inner: &Inner,
    batch: &mut Batch,
    grant: &Grant,
    feed: &Feed,
    entry: &Entry<'_>,
    recorded: Millis,
    now: Millis,
) -> Result<(StatusCode, Json), DeskError> {
    match entry.encounter() {
        Ok(bytes) => judge(inner, batch, grant, feed, Piece::whole(bytes), recorded, now),
        Err(why) => Ok((StatusCode::OK, outcome::passed_over(why))),
    }
}

/// What is needed before the body is read.
fn begun<'i>(
    inner: &'i Arc<Inner>,
    grant: &Arc<Grant>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<(Batch, &'i Feed), PostError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.to_ascii_lowercase().contains("xml") {
        return Err(PostError::Media);
    }
    let asked: Query<Vec<(String, String)>> = Query::try_from_uri(uri).unwrap_or_default();
    let wanted = asked.0.iter().find(|(name, _)| name == "feed").map(|(_, value)| value.as_str());
    let may = |feed: &&Feed| grant.speaks_as(&feed.source) && wanted.is_none_or(|name| feed.name == name);
    let feeds: Vec<&Feed> = inner.feeds.iter().filter(may).collect();
    let has_other_door = |feed: &Feed| inner.listened.contains(&feed.name) || !feed.csv.reference.is_empty();
    let mut own = feeds.iter().filter(|feed| !has_other_door(feed));
    let feed = match (feeds.as_slice(), own.next(), own.next()) {
        ([], ..) => return Err(PostError::NoFeed),
        ([feed], ..) | (_, Some(feed), None) => *feed,
        (_, None, _) | (_, _, Some(_)) => return Err(PostError::WhichFeed),
    };
    told_length(headers, inner.limits.body_bytes)?;
    Ok((Batch::new(inner.desk.clone(), grant.clone()), feed))
}

/// Judges one resource, keeps what it became, and says so.
fn judge(
    inner: &Inner,
    batch: &mut Batch,
    grant: &Grant,
    feed: &Feed,
    piece: Piece<'_>,
    recorded: Millis,
    now: Millis,
) -> Result<(StatusCode, Json), DeskError> {
    let rules = &inner.desk.rules;
    let around =
        Surroundings { feed, organisations: &rules.organisations, references: &rules.pseudonyms, recorded };
    let length = piece.cut.map_or(piece.bytes.len() as u64, |(length, _)| length);
    let judged = if length > MAX_EVENT_BYTES as u64 {
        let what = format!("{length} bytes; a resource has at most {MAX_EVENT_BYTES}");
        Err(Fault { outcome: Outcome::TooLarge, expression: "Encounter".to_owned(), what: what.into() })
    } else {
        rules.judge_encounter(piece.bytes, around, Some(grant))
    };
    match judged {
        Ok((records, left_out)) => {
            for (topic, record) in records {
                batch.keep(topic, record)?;
            }
            Ok((StatusCode::OK, outcome::taken(&left_out)))
        }
        Err(fault) => {
            let (reason, source) = (fault.outcome, feed.source.clone());
            let refusal =
                Refusal::new(reason, fault.to_string(), source, piece.bytes, false, Origin::Fhir, now);
            let refusal = Refusal { recorded: Some(recorded), ..refusal };
            let refusal = match piece.cut {
                Some((length, sha256)) => Refusal { length, sha256, ..refusal },
                None => refusal,
            };
            batch.refuse(Box::new(refusal))?;
            Ok((outcome::status(reason), outcome::refused(&fault)))
        }
    }
}
