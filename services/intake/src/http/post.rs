//! One post: judged while it comes, then written.

use std::sync::Arc;

use axum::body::Body as RequestBody;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use domain::event::Outcome;
use domain::time::Millis;
use futures_util::StreamExt;
use runtime::access::{Grant, Scope};

use super::{Inner, PostError};
use crate::body::{Body, BodyError, Form, Piece};
use crate::desk::{Batch, DeskError, Written};

/// Judges and writes what is posted.
pub(super) async fn take(inner: &Arc<Inner>, request: Request) -> Result<Written, PostError> {
    let grant = inner.access.check(request.headers(), Scope::Events)?;
    let taken = take_of(inner, request, grant.clone()).await;
    counted(inner, &grant, taken)
}

/// Counts a body that was refused as a whole for its sender, who has to mend it.
pub(super) fn counted<T>(inner: &Inner, grant: &Grant, done: Result<T, PostError>) -> Result<T, PostError> {
    if let Err(
        PostError::Body(_) | PostError::Encoding | PostError::Media | PostError::Desk(DeskError::TooMuch(_)),
    ) = &done
    {
        inner.desk.refused_whole(grant);
    }
    done
}

async fn take_of(inner: &Arc<Inner>, request: Request, grant: Arc<Grant>) -> Result<Written, PostError> {
    let headers = request.headers();
    let packed = is_packed(headers)?;
    let form = Form::of(headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()));
    told_length(headers, inner.limits.body_bytes)?;
    let mut batch = Batch::new(inner.desk.clone(), grant);
    let now = || Millis(inner.desk.clock.now_ms());
    each(inner, request.into_body(), form, packed, &mut |piece| judge(&mut batch, piece, form, now()))
        .await?;
    write(inner, batch).await
}

/// Hands each event of a body to `judge`, while it comes.
pub(super) async fn each(
    inner: &Inner,
    body: RequestBody,
    form: Form,
    packed: bool,
    judge: &mut (impl FnMut(Piece<'_>) -> Result<(), PostError> + Send),
) -> Result<(), PostError> {
    let mut parts = Body::new(form, packed, inner.limits.body_bytes, inner.limits.events);
    chunks(inner, body, &mut |chunk| parts.push(chunk, judge)).await?;
    parts.finish(judge)
}

/// Hands each chunk of a body to `take`, as long as it comes in time.
pub(super) async fn chunks(
    inner: &Inner,
    body: RequestBody,
    take: &mut (impl FnMut(&[u8]) -> Result<(), PostError> + Send),
) -> Result<(), PostError> {
    let read = async {
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| PostError::BrokenOff)?;
            inner.desk.metrics.bytes.inc_by(chunk.len() as u64);
            take(&chunk)?;
        }
        Ok(())
    };
    let done = tokio::time::timeout(inner.limits.body_time, read).await;
    done.unwrap_or(Err(PostError::Slow(inner.limits.body_time)))
}

/// Writes a batch when it is its turn.
pub(super) async fn write(inner: &Arc<Inner>, batch: Batch) -> Result<Written, PostError> {
    let turn = tokio::time::timeout(inner.limits.turn, inner.writes.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(DeskError::Busy.into()) };
    let (clock, started) = (&inner.desk.clock, inner.desk.clock.monotonic());
    let work = move || {
        let _turn = turn;
        batch.write()
    };
    let written = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        tracing::error!("writing a post ended in a panic");
        Err(DeskError::Away)
    });
    inner.desk.metrics.post_seconds.observe((clock.monotonic() - started).as_secs_f64());
    Ok(written?)
}

pub(super) fn is_packed(headers: &HeaderMap) -> Result<bool, PostError> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(false) };
    match encoding.as_bytes() {
        bytes if bytes.eq_ignore_ascii_case(b"gzip") => Ok(true),
        bytes if bytes.eq_ignore_ascii_case(b"identity") || bytes.is_empty() => Ok(false),
        _ => Err(PostError::Encoding),
    }
}

/// A body that says itself that it is too long need not come.
pub(super) fn told_length(headers: &HeaderMap, max: usize) -> Result<(), PostError> {
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > max) { Err(BodyError::TooLarge(max).into()) } else { Ok(()) }
}

fn judge(batch: &mut Batch, piece: Piece<'_>, form: Form, now: Millis) -> Result<(), PostError> {
    let refused = batch.judge(piece, now)?;
    // An element that is no JSON makes the whole no array; a line that is none is only itself. One that was cut off
    // cannot be looked at.
    if form == Form::Json
        && refused == Some(Outcome::Malformed)
        && let Some(fault) = piece.fault()
    {
        return Err(fault.into());
    }
    Ok(())
}
