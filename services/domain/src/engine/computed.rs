//! The computed escalation and what was first known, in the live engine (spec 2.5). Both depend on when things were known:
//! they are made with the first publication of a minute and never restated.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use crate::expression::Read;
use crate::ids::OrgId;
use crate::measures::{MAX_FIELDS, Measure, Series, SeriesKey, Tag, Window};
use crate::opel::{Framework, Held, Score};
use crate::organisations::Level;
use crate::sweep::Sweep;
use crate::time::Minute;

/// The level that is shown of each framework (by position) and organisation that ever had something known.
#[derive(Debug, Default)]
pub(super) struct Computed {
    held: BTreeMap<(u8, OrgId), Held>,
}

impl Computed {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for ((framework, org), held) in &self.held {
            out.push(*framework);
            out.extend_from_slice(&org.0.to_le_bytes());
            out.push(held.level.unwrap_or(0));
            out.extend_from_slice(&held.lower_since.map_or(u32::MAX, |since| since.0).to_le_bytes());
        }
    }

    /// Puts back [`Computed::encode`]; `false` if the bytes are none.
    pub(super) fn restore(&mut self, bytes: &[u8]) -> bool {
        for chunk in bytes.chunks_exact(8) {
            let [framework, o0, o1, level, a, b, c, d] = chunk.try_into().expect("chunks of eight");
            let since = u32::from_le_bytes([a, b, c, d]);
            let held = Held {
                level: (level > 0).then_some(level),
                lower_since: (since != u32::MAX).then_some(Minute(since)),
            };
            self.held.insert((framework, OrgId(u16::from_le_bytes([o0, o1]))), held);
        }
        bytes.len().is_multiple_of(8)
    }
}

/// Of which midnights the first known figures of which organisations are written.
#[derive(Debug, Default)]
pub(super) struct FirstKnown {
    written: BTreeSet<(Minute, OrgId)>,
    /// Whether that changed after it was last saved.
    pub(super) changed: bool,
}

impl FirstKnown {
    pub(super) fn seen(&mut self, minute: Minute, org: OrgId) -> bool {
        let new = self.written.insert((minute, org));
        self.changed |= new;
        new
    }

    /// Forgets what is final.
    pub(super) fn trim(&mut self, minute: Minute) {
        let kept = self.written.split_off(&(minute, OrgId(0)));
        self.changed |= !self.written.is_empty();
        self.written = kept;
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for (minute, org) in &self.written {
            out.extend_from_slice(&minute.0.to_le_bytes());
            out.extend_from_slice(&org.0.to_le_bytes());
        }
    }

    /// Puts back [`FirstKnown::encode`]; `false` if the bytes are none.
    pub(super) fn restore(&mut self, bytes: &[u8]) -> bool {
        for chunk in bytes.chunks_exact(6) {
            let [a, b, c, d, o0, o1] = chunk.try_into().expect("chunks of six");
            self.written
                .insert((Minute(u32::from_le_bytes([a, b, c, d])), OrgId(u16::from_le_bytes([o0, o1]))));
        }
        bytes.len().is_multiple_of(6)
    }

    /// The points of an organisation at a midnight that is published for the first time; none if they are written.
    pub(super) fn points(
        &mut self,
        engine: &Engine,
        sweep: &Sweep,
        org: OrgId,
        at: Minute,
        out: &mut Vec<Series>,
    ) {
        let (figures, measure) = (&engine.figures, Measure::AeFourHour);
        let level = engine.settings.orgs.get(org).level;
        if figures.days.midnight(at) != at || !Measure::FirstKnown.exists_at(level) {
            return;
        }
        let Some(window) = sweep.window(Some(Window::Today)) else { return };
        let mut points = Vec::new();
        sweep.series(org, measure, window, &mut |key, mut values| {
            if figures.since(org, measure, key.tag) <= at {
                // departed, within, over_12h stand first in both.
                values[Measure::FirstKnown.definition().fields.len()..].fill(0);
                points.push(Series { key: SeriesKey::new(Measure::FirstKnown, key.tag, None), values });
            }
        });
        if !points.is_empty() && self.seen(at, org) {
            out.extend(points);
        }
    }
}

/// Of nothing there is no median and no percentile: the field that must be over 0 for another to be known.
fn counted_by(measure: Measure, field: &str) -> Option<&'static str> {
    match (measure, field) {
        (Measure::AeTreatment, "median_minutes" | "p90_minutes") => Some("treated"),
        (Measure::AmbHandover, "p90_s") => Some("completed"),
        (Measure::AmbResponse, "p90_s") => Some("responses"),
        (_, _) => None,
    }
}

impl Engine {
    /// The computed escalation of every organisation at the newest minute, where the sweep stands.
    pub(super) fn computed(
        &mut self,
        sweep: &Sweep,
        stale: &dyn Fn(OrgId) -> bool,
    ) -> BTreeMap<OrgId, Vec<Series>> {
        let mut series = BTreeMap::new();
        let frameworks = self.settings.frameworks.clone();
        let today = self.figures.days.date(sweep.at().minus(1));
        for (position, framework) in frameworks.iter().enumerate().take(usize::from(u8::MAX)) {
            if framework.is_computed_on(today) {
                self.framework(position as u8, framework, sweep, stale, &mut series);
            }
        }
        series
    }

    fn framework(
        &mut self,
        position: u8,
        framework: &Framework,
        sweep: &Sweep,
        stale: &dyn Fn(OrgId) -> bool,
        series: &mut BTreeMap<OrgId, Vec<Series>>,
    ) {
        let orgs = self.settings.orgs.clone();
        let mut scores: BTreeMap<OrgId, Score> = BTreeMap::new();
        for (org, row) in orgs.iter() {
            if matches!(row.level, Level::Site | Level::Trust) && self.has_department(framework, org) {
                let read = |parameter: usize, read: usize| {
                    let expression =
                        framework.parameters[parameter].value.as_ref().filter(|_| !stale(org))?;
                    self.read(framework, &expression.reads()[read], sweep, org)
                };
                scores.insert(org, framework.score(&read));
            }
        }
        for (system, row) in orgs.iter().filter(|(_, row)| row.level == Level::System) {
            let is_member =
                |org: &OrgId| orgs.get(*org).level == Level::Trust && orgs.path(*org).contains(&system);
            let members: Vec<OrgId> = scores.keys().copied().filter(is_member).collect();
            let codes: Vec<&str> = members.iter().map(|org| orgs.get(*org).code.as_str()).collect();
            let weights = framework.weights(&row.code, &codes);
            let weighed: Vec<(&Score, u32)> = weights
                .iter()
                .filter_map(|(code, weight)| Some((scores.get(&orgs.find(code)?)?, *weight)))
                .collect();
            if !weighed.is_empty() {
                let mean = framework.mean(&weighed);
                scores.insert(system, mean);
            }
        }
        for (org, score) in scores {
            let is_known = score.level.is_some() || score.parameters.iter().any(|one| one.value.is_some());
            if !is_known && !self.escalations.held.contains_key(&(position, org)) {
                continue;
            }
            let held = self.escalations.held.entry((position, org)).or_default();
            held.step(score.level, sweep.at(), framework.fall_minutes);
            points(framework, &score, *held, series.entry(org).or_default());
        }
    }

    /// Whether the framework is computed for an organisation.
    fn has_department(&self, framework: &Framework, org: OrgId) -> bool {
        let orgs = &self.settings.orgs;
        let wanted = &framework.department_types;
        wanted.is_empty()
            || orgs.sites_below(org).iter().any(|site| {
                orgs.get(*site).department_type.is_some_and(|department| wanted.contains(&department))
            })
    }

    fn read(&self, framework: &Framework, read: &Read, sweep: &Sweep, org: OrgId) -> Option<f64> {
        match read {
            Read::Local(name) => {
                let local = framework.locals.iter().find(|local| local.name == *name)?;
                let code = &self.settings.orgs.get(org).code;
                local.values.iter().find(|(held, _)| held == code).map(|(_, value)| *value)
            }
            Read::Field { field, series } => {
                let orgs = &self.settings.orgs;
                if series.measure.exists_at(orgs.get(org).level) {
                    return self.figure(field.name(), *series, sweep, org);
                }
                // What exists only at sites is added up over them.
                let sites = orgs.sites_below(org).iter();
                let known: Vec<f64> =
                    sites.filter_map(|site| self.figure(field.name(), *series, sweep, *site)).collect();
                (!known.is_empty()).then(|| known.iter().sum())
            }
        }
    }

    /// A figure, if it is known: its series has begun there, and it is no median of nothing.
    fn figure(&self, field: &str, series: SeriesKey, sweep: &Sweep, org: OrgId) -> Option<f64> {
        let measure = series.measure;
        if self.figures.since(org, measure, series.tag) > sweep.at() {
            return None;
        }
        // A rate of bed states is known only if every state in it gave the number (spec 2.5).
        let index = measure.field(field)?;
        if measure == Measure::BedState && !sweep.beds_known(org).get(index).is_some_and(|known| *known) {
            return None;
        }
        let window = sweep.window(series.window)?;
        let mut found = None;
        sweep.series(org, measure, window, &mut |key, values| {
            if key == series {
                found = Some(Series { key, values });
            }
        });
        let found = found?;
        if counted_by(measure, field).is_some_and(|count| found.field(count) == Some(0)) {
            return None;
        }
        let per_unit = measure.definition().fields[index].per_unit;
        Some(found.values[index] as f64 / per_unit as f64)
    }
}

/// The points of `opel` and `opel_parameter`.
fn points(framework: &Framework, score: &Score, held: Held, out: &mut Vec<Series>) {
    let mut give = |measure, tag: Option<Tag>, fields: [i64; 3]| {
        if let Some(tag) = tag {
            let mut values = [0; MAX_FIELDS];
            values[..3].copy_from_slice(&fields);
            out.push(Series { key: SeriesKey::new(measure, tag, None), values });
        }
    };
    if framework.total.is_some() {
        let level = i64::from(held.level.unwrap_or(0));
        let fields = [i64::from(score.score), level, i64::from(score.missing)];
        give(Measure::Opel, Tag::text(&framework.id), fields);
    }
    let unit = Measure::OpelParameter.definition().fields[0].per_unit as f64;
    for (parameter, scored) in framework.parameters.iter().zip(&score.parameters) {
        let value = (scored.value.unwrap_or(0.0) * unit).round() as i64;
        let fields = [value, i64::from(scored.points), i64::from(scored.value.is_some())];
        give(Measure::OpelParameter, Tag::parameter(&framework.id, &parameter.id), fields);
    }
}
