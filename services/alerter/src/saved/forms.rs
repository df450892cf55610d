//! The forms of the pieces.

use contract::alert::Silence;
use domain::alert::Severity;
use domain::alert::episode::{Phase, Track};
use domain::alert::outbox::{Entry, Kind, Notice};
use domain::alert::rule::Tags;
use domain::alert::value::Amount;
use domain::measures::{Measure, Revision, SeriesKey, Tag, TagKind, TypeTag, Values, Window};
use domain::organisations::Level;
use domain::time::{Millis, Minute};
use serde::{Deserialize, Serialize};

use crate::service::{Alerter, Episode, Face, Figure, Figures, OrgState, Refusal, Told, Watch};

type Restored<T> = Result<T, String>;

fn named<T>(found: Option<T>, what: &str, text: &str) -> Restored<T> {
    found.ok_or_else(|| format!("{what} {text:?} is not known"))
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedOrg {
    newest: Option<u32>,
    stale: bool,
    whole: Vec<(u32, u32)>,
    series: Vec<SavedFigure>,
    watches: Vec<SavedWatch>,
}

#[derive(Serialize, Deserialize)]
struct SavedFigure {
    measure: String,
    #[serde(rename = "type")]
    department_type: Option<String>,
    /// The texts of a tag that is no type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    other: Vec<String>,
    window: Option<u32>,
    minute: u32,
    epoch: u64,
    n: u32,
    values: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
struct SavedWatch {
    rule: String,
    #[serde(rename = "type")]
    department_type: Option<String>,
    /// The name and the text of each tag that is neither type nor window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    other: Vec<(String, String)>,
    window: Option<u32>,
    newest: Option<u32>,
    before: SavedPhase,
    now: SavedPhase,
    ended: bool,
    stale: bool,
    idle: bool,
    amount: Option<(i64, i64)>,
    face: SavedFace,
    episode: Option<SavedEpisode>,
}

#[derive(Serialize, Deserialize)]
enum SavedPhase {
    Inactive,
    Pending { start: u32, counted_from: u32, idle: u32 },
    Firing { start: u32 },
    Recovering { start: u32, clear_from: u32 },
}

#[derive(Serialize, Deserialize)]
struct SavedFace {
    version: String,
    severity: String,
    name: String,
    summary: String,
    value: String,
    threshold: String,
}

#[derive(Serialize, Deserialize)]
struct SavedEpisode {
    key: String,
    start: u32,
    fired_ms: i64,
    sequence: u32,
    announced: bool,
    acknowledged_by: Option<String>,
    escalated: usize,
    told: Vec<(String, Option<i64>)>,
}

impl SavedOrg {
    pub(super) fn of(state: &OrgState) -> SavedOrg {
        let figures = &state.figures;
        SavedOrg {
            newest: figures.newest.map(|minute| minute.0),
            stale: figures.stale,
            whole: figures.whole.iter().map(|(step, minute)| (*step, minute.0)).collect(),
            series: figures.series.iter().map(|(key, figure)| SavedFigure::of(*key, figure)).collect(),
            // A watch that stands on nothing is as good as a new one.
            watches: state
                .watches
                .iter()
                .filter(|(_, watch)| !is_at_rest(watch))
                .map(|((rule, tags), watch)| SavedWatch::of(rule, *tags, watch))
                .collect(),
        }
    }

    pub(super) fn restored(self) -> Restored<OrgState> {
        let series: Restored<_> = self.series.iter().map(SavedFigure::restored).collect();
        let watches: Restored<_> = self.watches.into_iter().map(SavedWatch::restored).collect();
        let figures = Figures {
            newest: self.newest.map(Minute),
            stale: self.stale,
            whole: self.whole.into_iter().map(|(step, minute)| (step, Minute(minute))).collect(),
            series: series?,
        };
        Ok(OrgState { figures, watches: watches? })
    }
}

fn is_at_rest(watch: &Watch) -> bool {
    watch.track.now == Phase::Inactive && watch.track.before == Phase::Inactive && !watch.track.ended
}

impl SavedFigure {
    fn of(key: SeriesKey, figure: &Figure) -> SavedFigure {
        SavedFigure {
            measure: key.measure.as_str().to_owned(),
            department_type: key.tag.department_type().map(|tag| tag.as_str().to_owned()),
            other: match key.tag {
                Tag::None | Tag::Type(_) => Vec::new(),
                Tag::Category(_) | Tag::Text(_) => key.tags().map(|(_, text)| text.to_owned()).collect(),
            },
            window: key.window.map(Window::number),
            minute: figure.minute.0,
            epoch: figure.revision.epoch,
            n: figure.revision.n,
            values: figure.values.to_vec(),
        }
    }

    fn restored(&self) -> Restored<(SeriesKey, Figure)> {
        let measure = named(Measure::parse(&self.measure), "measure", &self.measure)?;
        let texts: Vec<&str> = self
            .department_type
            .as_deref()
            .into_iter()
            .chain(self.other.iter().map(String::as_str))
            .collect();
        let tag = named(measure.definition().tag.parse(&texts), "tag", &texts.join(" "))?;
        let key = SeriesKey { measure, tag, window: self.window.map(Window::from_number) };
        let mut values = Values::default();
        for (place, value) in values.iter_mut().zip(&self.values) {
            *place = *value;
        }
        let revision = Revision { epoch: self.epoch, n: self.n };
        Ok((key, Figure { minute: Minute(self.minute), revision, values }))
    }
}

fn department_type(text: Option<&str>) -> Restored<Option<TypeTag>> {
    text.map(|text| named(TypeTag::parse(text), "type", text)).transpose()
}

fn other(pairs: &[(String, String)]) -> Restored<Option<(TagKind, Tag)>> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    let texts: Vec<&str> = pairs.iter().map(|(_, text)| text.as_str()).collect();
    let kind = TagKind::ALL.into_iter().find(|kind| kind.names() == names);
    let tag = kind.and_then(|kind| Some((kind, kind.parse(&texts)?)));
    named(tag, "tag", &names.join(" ")).map(Some)
}

impl SavedWatch {
    fn of(rule: &str, tags: Tags, watch: &Watch) -> SavedWatch {
        let Track { newest, before, now, ended, stale, idle } = watch.track;
        SavedWatch {
            rule: rule.to_owned(),
            department_type: tags.department_type.map(|tag| tag.as_str().to_owned()),
            other: match &tags.other {
                None => Vec::new(),
                Some((kind, tag)) => {
                    kind.tags(tag).map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
                }
            },
            window: tags.window.map(Window::number),
            newest: newest.map(|minute| minute.0),
            before: SavedPhase::of(before),
            now: SavedPhase::of(now),
            ended,
            stale,
            idle,
            amount: watch.amount.map(|amount| (amount.above, amount.below)),
            face: SavedFace::of(&watch.face),
            episode: watch.episode.as_ref().map(SavedEpisode::of),
        }
    }

    fn restored(self) -> Restored<((String, Tags), Watch)> {
        let window = self.window.map(Window::from_number);
        let department_type = department_type(self.department_type.as_deref())?;
        let tags = Tags { department_type, other: other(&self.other)?, window };
        let track = Track {
            newest: self.newest.map(Minute),
            before: self.before.restored(),
            now: self.now.restored(),
            ended: self.ended,
            stale: self.stale,
            idle: self.idle,
        };
        let amount =
            self.amount.filter(|(_, below)| *below > 0).map(|(above, below)| Amount { above, below });
        let (face, episode) = (self.face.restored()?, self.episode.map(SavedEpisode::restored));
        Ok(((self.rule, tags), Watch { track, amount, face, episode }))
    }
}

impl SavedPhase {
    fn of(phase: Phase) -> SavedPhase {
        match phase {
            Phase::Inactive => SavedPhase::Inactive,
            Phase::Pending { start, counted_from, idle } => {
                SavedPhase::Pending { start: start.0, counted_from: counted_from.0, idle }
            }
            Phase::Firing { start } => SavedPhase::Firing { start: start.0 },
            Phase::Recovering { start, clear_from } => {
                SavedPhase::Recovering { start: start.0, clear_from: clear_from.0 }
            }
        }
    }

    fn restored(self) -> Phase {
        match self {
            SavedPhase::Inactive => Phase::Inactive,
            SavedPhase::Pending { start, counted_from, idle } => {
                Phase::Pending { start: Minute(start), counted_from: Minute(counted_from), idle }
            }
            SavedPhase::Firing { start } => Phase::Firing { start: Minute(start) },
            SavedPhase::Recovering { start, clear_from } => {
                Phase::Recovering { start: Minute(start), clear_from: Minute(clear_from) }
            }
        }
    }
}

impl SavedFace {
    fn of(face: &Face) -> SavedFace {
        let Face { version, severity, name, summary, value, threshold } = face.clone();
        SavedFace { version, severity: severity.as_str().to_owned(), name, summary, value, threshold }
    }

    fn restored(self) -> Restored<Face> {
        let SavedFace { version, severity, name, summary, value, threshold } = self;
        let severity = named(Severity::parse(&severity), "severity", &severity)?;
        Ok(Face { version, severity, name, summary, value, threshold })
    }
}

impl SavedEpisode {
    fn of(episode: &Episode) -> SavedEpisode {
        let told = episode.told.iter().map(|told| (told.channel.clone(), told.answered_ms)).collect();
        SavedEpisode {
            key: episode.key.clone(),
            start: episode.start.0,
            fired_ms: episode.fired_ms,
            sequence: episode.sequence,
            announced: episode.announced,
            acknowledged_by: episode.acknowledged_by.clone(),
            escalated: episode.escalated,
            told,
        }
    }

    fn restored(self) -> Episode {
        let told = self.told.into_iter().map(|(channel, answered_ms)| Told { channel, answered_ms });
        Episode {
            key: self.key,
            start: Minute(self.start),
            fired_ms: self.fired_ms,
            sequence: self.sequence,
            announced: self.announced,
            acknowledged_by: self.acknowledged_by,
            escalated: self.escalated,
            told: told.collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedEntry {
    id: u64,
    channel: String,
    attempts: u32,
    due_ms: i64,
    notice: SavedNotice,
}

#[derive(Serialize, Deserialize)]
struct SavedNotice {
    kind: String,
    episode: String,
    sequence: u32,
    rule: String,
    version: String,
    severity: String,
    level: String,
    org: String,
    name: String,
    tags: Vec<(String, String)>,
    summary: String,
    value: String,
    threshold: String,
    link: String,
    start: u32,
    minute: u32,
    stale: bool,
    acknowledged_by: Option<String>,
    at_ms: i64,
}

impl SavedEntry {
    pub(super) fn of(entry: &Entry) -> SavedEntry {
        let Entry { id, channel, notice, attempts, due_ms } = entry.clone();
        SavedEntry { id, channel, attempts, due_ms, notice: SavedNotice::of(notice) }
    }

    pub(super) fn restored(self) -> Restored<Entry> {
        let SavedEntry { id, channel, attempts, due_ms, notice } = self;
        Ok(Entry { id, channel, notice: notice.restored()?, attempts, due_ms })
    }
}

impl SavedNotice {
    fn of(notice: Notice) -> SavedNotice {
        SavedNotice {
            kind: notice.kind.as_str().to_owned(),
            severity: notice.severity.as_str().to_owned(),
            level: notice.level.as_str().to_owned(),
            start: notice.start.0,
            minute: notice.minute.0,
            episode: notice.episode,
            sequence: notice.sequence,
            rule: notice.rule,
            version: notice.version,
            org: notice.org,
            name: notice.name,
            tags: notice.tags,
            summary: notice.summary,
            value: notice.value,
            threshold: notice.threshold,
            link: notice.link,
            stale: notice.stale,
            acknowledged_by: notice.acknowledged_by,
            at_ms: notice.at_ms,
        }
    }

    fn restored(self) -> Restored<Notice> {
        Ok(Notice {
            kind: kind(&self.kind)?,
            severity: named(Severity::parse(&self.severity), "severity", &self.severity)?,
            level: named(Level::parse(&self.level), "level", &self.level)?,
            start: Minute(self.start),
            minute: Minute(self.minute),
            episode: self.episode,
            sequence: self.sequence,
            rule: self.rule,
            version: self.version,
            org: self.org,
            name: self.name,
            tags: self.tags,
            summary: self.summary,
            value: self.value,
            threshold: self.threshold,
            link: self.link,
            stale: self.stale,
            acknowledged_by: self.acknowledged_by,
            at_ms: self.at_ms,
        })
    }
}

fn kind(text: &str) -> Restored<Kind> {
    named(Kind::ALL.into_iter().find(|kind| kind.as_str() == text), "kind", text)
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedCommon {
    pub(super) next_entry: u64,
    next_record: u64,
    silences: Vec<SavedSilence>,
    refusals: Vec<SavedRefusal>,
}

#[derive(Serialize, Deserialize)]
struct SavedSilence {
    rule: Option<String>,
    org: Option<String>,
    from_ms: i64,
    until_ms: i64,
    who: String,
    why: String,
}

#[derive(Serialize, Deserialize)]
struct SavedRefusal {
    at_ms: i64,
    channel: String,
    episode: String,
    kind: String,
    reason: String,
}

impl SavedCommon {
    pub(super) fn of(alerter: &Alerter) -> SavedCommon {
        let silence = |silence: &Silence| SavedSilence {
            rule: silence.rule.clone(),
            org: silence.org.clone(),
            from_ms: silence.from.0,
            until_ms: silence.until.0,
            who: silence.who.clone(),
            why: silence.why.clone(),
        };
        let refusal = |refusal: &Refusal| SavedRefusal {
            at_ms: refusal.at_ms,
            channel: refusal.channel.clone(),
            episode: refusal.episode.clone(),
            kind: refusal.kind.as_str().to_owned(),
            reason: refusal.reason.clone(),
        };
        SavedCommon {
            next_entry: alerter.outbox.next_id(),
            next_record: alerter.next_record,
            silences: alerter.silences.iter().map(silence).collect(),
            refusals: alerter.refusals.iter().map(refusal).collect(),
        }
    }

    pub(super) fn restore(self, alerter: &mut Alerter) -> Restored<()> {
        alerter.next_record = self.next_record;
        let silence = |saved: SavedSilence| Silence {
            rule: saved.rule,
            org: saved.org,
            from: Millis(saved.from_ms),
            until: Millis(saved.until_ms),
            who: saved.who,
            why: saved.why,
        };
        alerter.silences = self.silences.into_iter().map(silence).collect();
        for saved in self.refusals {
            let SavedRefusal { at_ms, channel, episode, reason, .. } = saved;
            alerter.refusals.push_back(Refusal { at_ms, channel, episode, kind: kind(&saved.kind)?, reason });
        }
        Ok(())
    }
}
