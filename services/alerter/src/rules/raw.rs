//! The file as it is written, and its checks.

use std::collections::{BTreeMap, BTreeSet};

use contract::alert::Silence;
use domain::alert::rule::{Escalation, Rule, SeriesFilter, TagsUsed};
use domain::alert::template::Template;
use domain::alert::value::{Condition, FieldRef, Value};
use domain::alert::{Fingerprint, Severity};
use domain::measures::{Measure, Tag, TagKind, TypeTag, Window};
use domain::organisations::Level;
use domain::time::{Millis, rfc3339};
use runtime::config::{Duration, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Channel, RuleSet, RulesError, Surroundings};

mod against;

/// The most rules of a file.
const RULES_MAX: usize = 1_000;
/// The longest `hold` and `keep`, minutes: a week.
const WAIT_MINUTES_MAX: i64 = 10_080;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    alerts: RawAlerts,
    #[serde(default)]
    channel: BTreeMap<String, toml::Table>,
    #[serde(default)]
    rule: Vec<toml::Table>,
    #[serde(default)]
    silence: Vec<toml::Table>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlerts {
    fallback: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlertmanager {
    #[serde(rename = "type")]
    _type: String,
    url: String,
    token: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    #[serde(rename = "type")]
    _type: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: String,
    level: String,
    #[serde(default)]
    orgs: Vec<String>,
    #[serde(default)]
    series: RawSeries,
    value: String,
    #[serde(default)]
    at_least: BTreeMap<String, i64>,
    breach: String,
    clear: Option<String>,
    /// Channels may be called although the framework that is watched has unverified numbers.
    #[serde(default)]
    unverified: bool,
    hold: Duration,
    keep: Duration,
    severity: String,
    channels: Vec<String>,
    #[serde(default)]
    escalate: Vec<RawEscalation>,
    summary: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSeries {
    #[serde(rename = "type")]
    department_type: Option<String>,
    category: Option<String>,
    area: Option<String>,
    scale: Option<String>,
    framework: Option<String>,
    parameter: Option<String>,
    source: Option<String>,
    window: Option<String>,
}

impl RawSeries {
    /// The tag of that name, which is neither `type` nor `window`.
    fn other(&self, name: &str) -> Option<&str> {
        let text = match name {
            "category" => &self.category,
            "area" => &self.area,
            "scale" => &self.scale,
            "framework" => &self.framework,
            "parameter" => &self.parameter,
            "source" => &self.source,
            _ => &None,
        };
        text.as_deref()
    }
}

/// The names that [`RawSeries::other`] knows.
const OTHER_TAGS: [&str; 6] = ["category", "area", "scale", "framework", "parameter", "source"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEscalation {
    after: Duration,
    channels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSilence {
    rule: Option<String>,
    org: Option<String>,
    from: toml::Value,
    until: toml::Value,
    who: String,
    why: String,
}

type Checked<T> = Result<T, RulesError>;

fn wrong<T>(place: &str, key: &str, what: impl ToString) -> Checked<T> {
    let place = if key.is_empty() { place.to_owned() } else { format!("{place} {key}") };
    Err(RulesError { place, what: what.to_string() })
}

fn typed<T: DeserializeOwned>(place: &str, table: toml::Table) -> Checked<T> {
    serde_path_to_error::deserialize(table).or_else(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        let message = error.inner().message().trim();
        // serde names a missing field in its text only.
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let key = match (path, missing) {
            (path, None) => path.to_owned(),
            ("", Some(field)) => field.to_owned(),
            (path, Some(field)) => format!("{path}.{field}"),
        };
        wrong(place, &key, message)
    })
}

pub(super) fn read(text: &str, surroundings: Surroundings<'_>) -> Checked<RuleSet> {
    let table: toml::Table =
        text.parse().or_else(|error: toml::de::Error| wrong("alerts", "", error.to_string().trim()))?;
    let file: RawFile = typed("alerts", table)?;
    if file.rule.len() > RULES_MAX {
        return wrong("alerts", "rule", format!("{} rules, at most {RULES_MAX}", file.rule.len()));
    }
    let mut channels = BTreeMap::new();
    for (name, table) in file.channel {
        let channel = channel(&format!("channel.{name}"), table)?;
        channels.insert(name, channel);
    }
    if let Some(fallback) = &file.alerts.fallback {
        known_channels("alerts", "fallback", std::slice::from_ref(fallback), &channels)?;
    }
    let mut rules: Vec<Rule> = Vec::new();
    for (index, table) in file.rule.into_iter().enumerate() {
        let rule = RuleReader { channels: &channels, surroundings }.rule(index + 1, table)?;
        if rules.iter().any(|other| other.id == rule.id) {
            return wrong(&format!("rule \"{}\"", rule.id), "id", "stands twice: each rule needs its own");
        }
        rules.push(rule);
    }
    let silences = file.silence.into_iter().enumerate();
    let silences: Checked<_> =
        silences.map(|(index, table)| silence(index + 1, table, &rules, surroundings)).collect();
    let targets = surroundings.targets.clone();
    Ok(RuleSet { rules, channels, fallback: file.alerts.fallback, silences: silences?, targets })
}

fn channel(place: &str, table: toml::Table) -> Checked<Channel> {
    match table.get("type").and_then(toml::Value::as_str) {
        Some("log") => typed::<RawLog>(place, table).map(|_| Channel::Log),
        Some("alertmanager") => {
            let raw: RawAlertmanager = typed(place, table)?;
            Ok(Channel::Alertmanager { url: base_url(place, &raw.url)?, token: raw.token })
        }
        Some(kind @ ("pagerduty" | "webhook" | "email")) => {
            wrong(place, "type", format!("\"{kind}\" is not supported yet: one of alertmanager, log"))
        }
        Some(kind) => {
            wrong(place, "type", format!("\"{kind}\" is no type of channel: one of alertmanager, log"))
        }
        None => wrong(place, "type", "missing: one of alertmanager, log"),
    }
}

fn base_url(place: &str, text: &str) -> Checked<String> {
    const RIGHT: &str = "write http://HOST:PORT or https://HOST:PORT, with a path if it has one";
    let url = match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        Ok(_) | Err(_) => return wrong(place, "url", format!("is no address: {RIGHT}")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(place, "url", "holds a password: use token = { env = \"NAME\" }");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong(place, "url", format!("has a ? or #: {RIGHT}"));
    }
    let base = url.as_str().trim_end_matches('/');
    if base.ends_with("/api/v2") || base.ends_with("/api/v2/alerts") {
        return wrong(place, "url", "ends with the API's own path: leave /api/v2 out");
    }
    Ok(base.to_owned())
}

fn known_channels(
    place: &str,
    key: &str,
    names: &[String],
    channels: &BTreeMap<String, Channel>,
) -> Checked<()> {
    for (index, name) in names.iter().enumerate() {
        if !channels.contains_key(name) {
            let known = channels.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return wrong(place, key, format!("channel \"{name}\" is not there; there are: {known}"));
        }
        if names[..index].contains(name) {
            return wrong(place, key, format!("channel \"{name}\" stands twice"));
        }
    }
    Ok(())
}

struct RuleReader<'a> {
    channels: &'a BTreeMap<String, Channel>,
    surroundings: Surroundings<'a>,
}

impl RuleReader<'_> {
    fn rule(&self, number: usize, table: toml::Table) -> Checked<Rule> {
        let place = match table.get("id").and_then(toml::Value::as_str) {
            Some(id) => format!("rule \"{}\"", id.escape_debug()),
            None => format!("rule {number}"),
        };
        if let Some(kind) = table.get("kind").and_then(toml::Value::as_str) {
            return match kind {
                "feed-silent" => {
                    wrong(&place, "kind", "\"feed-silent\" is not supported yet: leave kind out")
                }
                _ => wrong(&place, "kind", format!("\"{kind}\" is no kind of rule: leave kind out")),
            };
        }
        let version = format!("{:.16}", Fingerprint::of(&table.to_string()));
        let raw: RawRule = typed(&place, table)?;
        let place = place.as_str();
        self.id(place, &raw.id)?;
        let level = self.level(place, &raw.level)?;
        self.orgs(place, level, &raw.orgs)?;
        let value = Value::parse(&raw.value).or_else(|error| wrong(place, "value", error))?;
        let at_least = at_least(place, &raw.at_least)?;
        let fields: Vec<FieldRef> = value.fields().chain(at_least.iter().map(|(field, _)| *field)).collect();
        let series = self.series(place, &raw.series, &fields)?;
        exists(place, level, series, &fields)?;
        self.frameworks(place, &raw, series, &fields)?;
        let against_target = Condition::against_target(&raw.breach);
        let (breach, clear) = match against_target {
            Some(breach) => (breach, self.clear_of_target(place, breach, value, raw.clear.as_deref())?),
            None => {
                let breach = Condition::parse(&raw.breach).or_else(|error| wrong(place, "breach", error))?;
                (breach, clear(place, breach, raw.clear.as_deref())?)
            }
        };
        let severity = severity(place, &raw.severity)?;
        known_channels(place, "channels", &raw.channels, self.channels)?;
        let escalations = self.escalations(place, raw.escalate)?;
        let summary = Template::parse(&raw.summary, value).or_else(|error| wrong(place, "summary", error))?;
        Ok(Rule {
            id: raw.id,
            version,
            level,
            orgs: raw.orgs,
            series,
            value,
            at_least,
            breach,
            clear,
            against_target: against_target.is_some(),
            hold: minutes(place, "hold", raw.hold)?,
            keep: minutes(place, "keep", raw.keep)?,
            severity,
            channels: raw.channels,
            escalations,
            summary,
        })
    }

    fn id(&self, place: &str, id: &str) -> Checked<()> {
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if id.is_empty() || id.len() > 200 || !plain {
            return wrong(place, "id", "must be 1 to 200 of A–Z, a–z, 0–9, -, _ and .");
        }
        Ok(())
    }

    fn level(&self, place: &str, text: &str) -> Checked<Level> {
        let levels = Level::ALL.map(Level::as_str).join(", ");
        match Level::parse(text) {
            Some(level) => Ok(level),
            None => wrong(place, "level", format!("\"{text}\" is no level: one of {levels}")),
        }
    }

    fn orgs(&self, place: &str, level: Level, orgs: &[String]) -> Checked<()> {
        let organisations = self.surroundings.organisations;
        let mut seen = BTreeSet::new();
        for code in orgs {
            if organisations.find_at(code, level).is_none() {
                return wrong(
                    place,
                    "orgs",
                    format!("\"{code}\" is no {} of organisations.csv", level.as_str()),
                );
            }
            if !seen.insert(code) {
                return wrong(place, "orgs", format!("\"{code}\" stands twice"));
            }
        }
        Ok(())
    }

    fn series(&self, place: &str, raw: &RawSeries, fields: &[FieldRef]) -> Checked<SeriesFilter> {
        let used = TagsUsed::of(fields.iter().copied());
        let department_type = match &raw.department_type {
            None => None,
            Some(_) if !used.by_type => {
                return wrong(place, "series.type", "no measure of this rule has a tag type: leave it out");
            }
            Some(text) => match TypeTag::parse(text) {
                Some(tag) => Some(tag),
                None => {
                    let what = "is no type: one of \"all\", \"1\", \"2\", \"3\" (with 4 in it), \"5\"";
                    return wrong(place, "series.type", format!("\"{text}\" {what}"));
                }
            },
        };
        let window = match &raw.window {
            None => None,
            Some(_) if !used.by_window => {
                return wrong(
                    place,
                    "series.window",
                    "no measure of this rule has a tag window: leave it out",
                );
            }
            Some(text) => Some(self.window(place, text)?),
        };
        let other = self.other(place, raw, fields, used)?;
        Ok(SeriesFilter { department_type, other, window })
    }

    /// The tag that is neither `type` nor `window`: all its names, or none.
    fn other(
        &self,
        place: &str,
        raw: &RawSeries,
        fields: &[FieldRef],
        used: TagsUsed,
    ) -> Checked<Option<(TagKind, Tag)>> {
        let kinds = fields.iter().map(|field| field.measure.definition().tag).filter(|kind| kind.is_other());
        if kinds.clone().any(|kind| Some(kind) != used.other) {
            let names = kinds.map(|kind| kind.names().join(" and ")).collect::<BTreeSet<_>>();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            return wrong(place, "value", format!("measures of different tags ({names}) in one rule"));
        }
        let names = used.other.map_or(&[][..], TagKind::names);
        let mut foreign = OTHER_TAGS.iter().filter(|name| raw.other(name).is_some() && !names.contains(name));
        if let Some(name) = foreign.next() {
            let what = format!("no measure of this rule has a tag {name}: leave it out");
            return wrong(place, &format!("series.{name}"), what);
        }
        let texts: Vec<&str> = names.iter().filter_map(|name| raw.other(name)).collect();
        match used.other {
            None => Ok(None),
            Some(_) if texts.is_empty() => Ok(None),
            Some(kind) => match kind.parse(&texts) {
                Some(tag) => Ok(Some((kind, tag))),
                None => wrong(place, "series", format!("{texts:?} is no {}", names.join(" and "))),
            },
        }
    }

    fn window(&self, place: &str, text: &str) -> Checked<Window> {
        let published = self.surroundings.windows;
        match Window::parse(text).filter(|window| published.contains(window)) {
            Some(window) => Ok(window),
            None => {
                let known = published.iter().map(Window::to_string).collect::<Vec<_>>().join(", ");
                wrong(place, "series.window", format!("\"{text}\" is not published: one of {known}"))
            }
        }
    }

    fn escalations(&self, place: &str, raw: Vec<RawEscalation>) -> Checked<Vec<Escalation>> {
        let mut escalations: Vec<Escalation> = Vec::new();
        for step in raw {
            known_channels(place, "escalate", &step.channels, self.channels)?;
            let after_ms = step.after.as_ms();
            if step.channels.is_empty() || escalations.last().is_some_and(|last| last.after_ms >= after_ms) {
                return wrong(
                    place,
                    "escalate",
                    "each step needs a channel and a longer after than the step before",
                );
            }
            escalations.push(Escalation { after_ms, channels: step.channels });
        }
        Ok(escalations)
    }
}

fn at_least(place: &str, raw: &BTreeMap<String, i64>) -> Checked<Vec<(FieldRef, i64)>> {
    let mut all = Vec::new();
    for (text, least) in raw {
        let field = FieldRef::parse(text).or_else(|error| wrong(place, "at_least", error))?;
        if *least < 1 {
            return wrong(
                place,
                "at_least",
                format!("{least} for {field} asks for nothing: write at least 1"),
            );
        }
        all.push((field, *least));
    }
    Ok(all)
}

/// Every series that the rule reads can exist: at its level, and with its type.
fn exists(place: &str, level: Level, series: SeriesFilter, fields: &[FieldRef]) -> Checked<()> {
    for field in fields {
        let (measure, name) = (field.measure, field.measure.as_str());
        if matches!(measure, Measure::Standard | Measure::FirstKnown) {
            return wrong(place, "value", format!("rules do not judge {name}: it is never a newest minute"));
        }
        if !measure.exists_at(level) {
            return wrong(place, "level", format!("{name} does not exist at level {}", level.as_str()));
        }
        let has_type_5 = matches!(measure, Measure::AeDepartment | Measure::AeArrivals);
        if series.department_type == Some(TypeTag::Five) && measure.definition().by_type() && !has_type_5 {
            return wrong(place, "series.type", format!("{name} does not count type 5"));
        }
    }
    Ok(())
}

fn clear(place: &str, breach: Condition, text: Option<&str>) -> Checked<Condition> {
    let clear = match text {
        None => breach.negated(),
        Some(text) => Condition::parse(text).or_else(|error| wrong(place, "clear", error))?,
    };
    if !breach.excludes(clear) {
        let what = format!(
            "\"{clear}\" must lie on the other side of breach \"{breach}\" and share no number with it"
        );
        return wrong(place, "clear", what);
    }
    Ok(clear)
}

fn severity(place: &str, text: &str) -> Checked<Severity> {
    let known = || Severity::ALL.map(Severity::as_str).join(", ");
    match Severity::parse(text) {
        Some(severity) => Ok(severity),
        None => wrong(place, "severity", format!("\"{text}\" is no severity: one of {}", known())),
    }
}

fn minutes(place: &str, key: &str, length: Duration) -> Checked<u32> {
    let millis = length.as_ms();
    match u32::try_from(millis / 60_000) {
        Ok(minutes) if millis % 60_000 == 0 && millis <= WAIT_MINUTES_MAX * 60_000 => Ok(minutes),
        Ok(_) | Err(_) => wrong(place, key, "must be whole minutes, at most 7 days, such as \"15m\""),
    }
}

fn silence(
    number: usize,
    table: toml::Table,
    rules: &[Rule],
    surroundings: Surroundings<'_>,
) -> Checked<Silence> {
    let place = format!("silence {number}");
    let raw: RawSilence = typed(&place, table)?;
    if raw.rule.is_none() && raw.org.is_none() {
        return wrong(&place, "", "needs a rule, an org, or both");
    }
    if let Some(rule) = raw.rule.as_ref().filter(|id| rules.iter().all(|rule| rule.id != **id)) {
        return wrong(&place, "rule", format!("\"{rule}\" is no rule of this file"));
    }
    if let Some(org) = raw.org.as_ref().filter(|org| surroundings.organisations.find(org).is_none()) {
        return wrong(&place, "org", format!("\"{org}\" is not in organisations.csv"));
    }
    let (from, until) = (instant(&place, "from", &raw.from)?, instant(&place, "until", &raw.until)?);
    if from >= until {
        return wrong(&place, "until", "must be after from");
    }
    if raw.who.trim().is_empty() || raw.why.trim().is_empty() {
        return wrong(&place, "", "needs who and why: somebody will ask");
    }
    Ok(Silence { rule: raw.rule, org: raw.org, from, until, who: raw.who, why: raw.why })
}

/// A TOML instant or a text, either with its offset.
fn instant(place: &str, key: &str, value: &toml::Value) -> Checked<Millis> {
    let text = match value {
        toml::Value::Datetime(instant) => instant.to_string(),
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match rfc3339(text.as_bytes()) {
        Some(millis) => Ok(millis),
        None => {
            wrong(place, key, format!("{text} is no instant with an offset, such as 2026-11-21T14:00:00Z"))
        }
    }
}
