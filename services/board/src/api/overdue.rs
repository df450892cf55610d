//! `GET /v1/overdue`: returns for periodic standards that should have come and have not (spec 2.5), as far as the
//! board's store knows: a reporter's own point says that it reported.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use domain::measures::Measure;
use domain::returns::{Overdue, PeriodKey, Returns};
use domain::time::Minute;
use serde::Serialize;

use super::{Board, failure, json, no_parameter};
use crate::live::Mode;
use crate::read::Reader;
use crate::store::StoreError;

#[derive(Serialize)]
struct Answer {
    overdue: Vec<OverdueView>,
}

#[derive(Serialize)]
struct OverdueView {
    standard: String,
    title: String,
    org: String,
    name: String,
    /// The first day of the period.
    period_start: String,
    /// The first day on which the return was overdue.
    overdue_from: String,
    days: u32,
}

pub(super) async fn overdue(
    State(board): State<Arc<Board>>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Response {
    if let Some(refusal) = no_parameter(&asked) {
        return refusal.into_response();
    }
    let for_answer = Arc::clone(&board);
    let found = board
        .read(move |reader| {
            let newest = match for_answer.live.mode() {
                Mode::AsAt(minute) => Some(minute),
                Mode::Live => reader.newest_minute()?,
            };
            newest.map_or(Ok(Vec::new()), |newest| find(&for_answer, reader, newest))
        })
        .await;
    match found {
        Ok(overdue) => json(&Answer { overdue }),
        Err(error) => failure(&error),
    }
}

fn find(board: &Board, reader: &mut Reader, newest: Minute) -> Result<Vec<OverdueView>, StoreError> {
    let orgs = Arc::new(board.organisations().clone());
    let standards = Arc::new(board.tables.standards.clone());
    let mut returns = Returns::new(orgs.clone(), standards.clone(), board.days.clone());
    let today = board.days.date(newest);
    let due = returns.due(today);
    let stamps: BTreeSet<Minute> = due.iter().map(|period| returns.stamp(*period)).collect();
    for (org, row) in orgs.iter() {
        if !standards.standards.iter().any(|standard| standard.reports.has(row)) {
            continue;
        }
        for stamp in &stamps {
            for period in reported(reader, &row.code, *stamp, &returns)? {
                returns.set(period, org, Some([None; 5]));
            }
        }
    }
    let view = |one: Overdue| {
        let (standard, row) = (returns.standard(one.period), orgs.get(one.org));
        OverdueView {
            standard: standard.id.clone(),
            title: standard.title.clone(),
            org: row.code.clone(),
            name: row.name.clone(),
            period_start: one.period.start.to_string(),
            overdue_from: standard.overdue_from(one.period.start).to_string(),
            days: one.days,
        }
    };
    Ok(returns.overdue(today).into_iter().map(view).collect())
}

/// The periods of which an organisation reported something, by its points of a stamp.
fn reported(
    reader: &mut Reader,
    org: &str,
    stamp: Minute,
    returns: &Returns,
) -> Result<Vec<PeriodKey>, StoreError> {
    let mut periods = Vec::new();
    for (_, row) in reader.daily(org, stamp, stamp)? {
        for held in row.series.iter().filter(|held| held.key.measure == Measure::Standard) {
            let reporting = Measure::Standard.field("reporting").map_or(0, |index| held.values[index]);
            if let Some((_, id)) = held.key.tags().next().filter(|_| reporting > 0) {
                periods.extend(returns.period_stamped(id, stamp));
            }
        }
    }
    Ok(periods)
}
