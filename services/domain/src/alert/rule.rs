//! A rule: whom it watches, which number, where the wrong side begins, and whom it calls (spec 3).
//!
//! Pure and typed: a rule that exists can be judged. Reading it from a file is the alerter's work.

use super::template::Template;
use super::value::{Amount, Condition, Decimal, FieldRef, Value};
use super::{Fingerprint, Severity};
use crate::measures::{Measure, SeriesKey, Tag, TagKind, TypeTag, Window};
use crate::organisations::Level;
use crate::time::Minute;

/// Which series of an organisation a rule watches; a tag left out stands for each of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SeriesFilter {
    /// Tag `type`.
    pub department_type: Option<TypeTag>,
    /// The tag of a measure that has another than `type` (a category, an area, a scale, …), with its kind. The measures
    /// of one rule have at most one kind of these.
    pub other: Option<(TagKind, Tag)>,
    /// Tag `window`.
    pub window: Option<Window>,
}

/// The tags of one episode: those of the rule, and for a tag that it leaves out one of its values. A tag that none of
/// the rule's measures has is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags {
    /// Tag `type`.
    pub department_type: Option<TypeTag>,
    /// The tag of a measure that has another than `type` (a category, an area, a scale, …), with its kind. The measures
    /// of one rule have at most one kind of these.
    pub other: Option<(TagKind, Tag)>,
    /// Tag `window`.
    pub window: Option<Window>,
}

impl Tags {
    /// The series of a measure that carries these tags, as far as the measure has them.
    pub fn series(self, measure: Measure) -> SeriesKey {
        let definition = measure.definition();
        let tag = match definition.tag {
            TagKind::None => Tag::None,
            TagKind::Type => self.department_type.into(),
            TagKind::Category
            | TagKind::Area
            | TagKind::Standard
            | TagKind::Scale
            | TagKind::Framework
            | TagKind::Parameter
            | TagKind::Source => {
                self.other.filter(|(kind, _)| *kind == definition.tag).map(|(_, tag)| tag).unwrap_or_default()
            }
        };
        SeriesKey { measure, tag, window: self.window.filter(|_| definition.by_window) }
    }

    /// Name and value of each tag that there is.
    pub fn pairs(self) -> Vec<(&'static str, String)> {
        let department_type = self.department_type.map(|tag| ("type", tag.as_str().to_owned()));
        let mut pairs: Vec<(&'static str, String)> = department_type.into_iter().collect();
        if let Some((kind, tag)) = &self.other {
            pairs.extend(kind.tags(tag).map(|(name, text)| (name, text.to_owned())));
        }
        pairs.extend(self.window.map(|window| ("window", window.to_string())));
        pairs
    }
}

/// Which tags the measures of a rule have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TagsUsed {
    /// One has a tag `type`.
    pub by_type: bool,
    /// The kind of the first that has another tag.
    pub other: Option<TagKind>,
    /// One has a tag `window`.
    pub by_window: bool,
}

impl TagsUsed {
    /// The tags of the measures of these fields.
    pub fn of(fields: impl Iterator<Item = FieldRef>) -> TagsUsed {
        let mut used = TagsUsed::default();
        for definition in fields.map(|field| field.measure.definition()) {
            used.by_type |= definition.by_type();
            used.by_window |= definition.by_window;
            used.other = used.other.or(Some(definition.tag).filter(|kind| kind.is_other()));
        }
        used
    }
}

/// The value of a tag in an episode: what the rule asks for, else that of the series. The outer `None`: the series is not
/// one of the episode's, or does not tell.
fn one_of<T: PartialEq>(used: bool, wanted: Option<T>, held: Option<T>) -> Option<Option<T>> {
    match (used, wanted) {
        (false, _) => Some(None),
        (true, Some(wanted)) => held.is_none_or(|held| held == wanted).then_some(Some(wanted)),
        (true, None) => held.map(Some),
    }
}

/// More people are told while nobody has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Wall milliseconds since firing.
    pub after_ms: i64,
    /// Whom, by the names of channels.
    pub channels: Vec<String>,
}

/// What the newest minute says about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Judgement {
    /// On the wrong side.
    Breach,
    /// Back on the right side.
    Clear,
    /// On neither.
    Between,
    /// Too few, or of nothing: no judgement.
    Unjudged,
}

/// A judgement and the amount that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The judgement.
    pub judgement: Judgement,
    /// The amount, if there is one; also where there were too few to judge it.
    pub amount: Option<Amount>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Stable: part of each episode's key.
    pub id: String,
    /// A fingerprint of the rule as it was written; stands in each transition.
    pub version: String,
    /// The level of the organisations that it watches.
    pub level: Level,
    /// Their codes; empty for all of the level.
    pub orgs: Vec<String>,
    /// Which series.
    pub series: SeriesFilter,
    /// Which number.
    pub value: Value,
    /// Fields that must reach a count, else there is no judgement.
    pub at_least: Vec<(FieldRef, i64)>,
    /// The wrong side; of a rule against the target only the comparison counts.
    pub breach: Condition,
    /// The right side; shares no number with `breach`.
    pub clear: Condition,
    /// Whether the threshold of both sides is the dated target in force.
    pub against_target: bool,
    /// Event minutes in breach before it fires.
    pub hold: u32,
    /// Event minutes clear before it resolves.
    pub keep: u32,
    /// How much it matters.
    pub severity: Severity,
    /// Whom it calls, by the names of channels.
    pub channels: Vec<String>,
    /// Whom it calls later.
    pub escalations: Vec<Escalation>,
    /// What it says.
    pub summary: Template,
}

impl Rule {
    /// Every field that it looks at.
    pub fn fields(&self) -> impl Iterator<Item = FieldRef> + '_ {
        self.value.fields().chain(self.at_least.iter().map(|(field, _)| *field))
    }

    /// Whether it watches that organisation.
    pub fn watches(&self, level: Level, org: &str) -> bool {
        self.level == level && (self.orgs.is_empty() || self.orgs.iter().any(|code| code == org))
    }

    /// Which tags its measures have.
    pub fn tags_used(&self) -> TagsUsed {
        TagsUsed::of(self.fields())
    }

    /// The tags of the episode to which a series belongs; `None` if the rule does not watch it, or if it lacks a tag
    /// that another measure of the rule has and the rule leaves open.
    pub fn tags_of(&self, series: SeriesKey) -> Option<Tags> {
        if !self.fields().any(|field| field.measure == series.measure) {
            return None;
        }
        let used = self.tags_used();
        let department_type =
            one_of(used.by_type, self.series.department_type, series.tag.department_type())?;
        let kind = series.measure.definition().tag;
        let held = kind.is_other().then_some((kind, series.tag));
        let other = one_of(used.other.is_some(), self.series.other, held)?;
        let window = one_of(used.by_window, self.series.window, series.window)?;
        Some(Tags { department_type, other, window })
    }

    /// The tags of its only episode an organisation, where the rule leaves no tag open.
    pub fn only_tags(&self) -> Option<Tags> {
        let used = self.tags_used();
        let SeriesFilter { department_type, other, window } = self.series;
        let open = (used.by_type && department_type.is_none())
            || (used.other.is_some() && other.is_none())
            || (used.by_window && window.is_none());
        (!open).then_some(Tags { department_type, other, window })
    }

    /// Whether these are the tags of one of its episodes.
    pub fn has(&self, tags: Tags) -> bool {
        let used = self.tags_used();
        let SeriesFilter { department_type, other, window } = self.series;
        tags.department_type.is_some() == used.by_type
            && tags.other.map(|(kind, _)| kind) == used.other
            && tags.window.is_some() == used.by_window
            && department_type.is_none_or(|wanted| tags.department_type == Some(wanted))
            && other.is_none_or(|wanted| tags.other == Some(wanted))
            && window.is_none_or(|wanted| tags.window == Some(wanted))
    }

    /// The two sides, given the target in force; `None`: there is none, and so no judgement.
    pub fn sides(&self, target: Option<Decimal>) -> Option<(Condition, Condition)> {
        if !self.against_target {
            return Some((self.breach, self.clear));
        }
        let with = |side: Condition, threshold| Condition { threshold, ..side };
        target.map(|target| (with(self.breach, target), with(self.clear, target)))
    }

    /// What the fields of a minute say, given the target in force. A field that is not known makes it unjudged.
    pub fn judge(&self, target: Option<Decimal>, field: impl Fn(FieldRef) -> Option<i64>) -> Judged {
        let amount = self.value.amount(&field);
        let enough = self.at_least.iter().all(|(wanted, least)| {
            field(*wanted).is_some_and(|count| count >= least.saturating_mul(wanted.field().per_unit))
        });
        let judgement = match amount {
            Some(amount) if enough => {
                self.sides(target).map_or(Judgement::Unjudged, |sides| side(sides, amount))
            }
            Some(_) | None => Judgement::Unjudged,
        };
        Judged { judgement, amount }
    }
}

fn side((breach, clear): (Condition, Condition), amount: Amount) -> Judgement {
    if breach.holds(amount) {
        Judgement::Breach
    } else if clear.holds(amount) {
        Judgement::Clear
    } else {
        Judgement::Between
    }
}

/// The most bytes of an episode's key: receivers cut or refuse longer ones.
pub const KEY_BYTES_MAX: usize = 255;

/// A part longer than this is replaced by its fingerprint where the key would be too long.
const KEY_PART_BYTES_MAX: usize = 48;

/// The key of an episode: rule id, level and org, series, episode start; at most 255 bytes, long parts hashed and not
/// cut, so that two rules that begin alike stay apart. It holds no `/`, so that it can stand in a path.
pub fn dedup_key(rule: &str, level: Level, org: &str, tags: Tags, start: Minute) -> String {
    let tags: Vec<String> = tags.pairs().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let start = start.to_string().replace(['-', ':'], "");
    let parts = [rule.to_owned(), level.as_str().to_owned(), org.to_owned(), tags.join(","), start];
    let key = parts.join(":");
    if key.len() <= KEY_BYTES_MAX {
        return key;
    }
    parts.map(|part| if part.len() > KEY_PART_BYTES_MAX { hashed(&part) } else { part }).join(":")
}

fn hashed(part: &str) -> String {
    format!("~{}", Fingerprint::of(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(value: &str, series: SeriesFilter) -> Rule {
        let value = Value::parse(value).unwrap();
        Rule {
            id: "r".to_owned(),
            version: "1".to_owned(),
            level: Level::Site,
            orgs: vec!["RXF05".to_owned()],
            series,
            value,
            at_least: vec![(FieldRef::parse("ae_four_hour.departed").unwrap(), 20)],
            breach: Condition::parse("< 0.76").unwrap(),
            clear: Condition::parse(">= 0.78").unwrap(),
            against_target: false,
            hold: 15,
            keep: 10,
            severity: Severity::Warning,
            channels: vec![],
            escalations: vec![],
            summary: Template::parse("", value).unwrap(),
        }
    }

    const SHARE: &str = "ae_four_hour.within / ae_four_hour.departed";
    const TYPE_1: SeriesFilter =
        SeriesFilter { department_type: Some(TypeTag::One), other: None, window: Some(Window::Rolling(240)) };

    fn series(measure: Measure, department_type: Option<TypeTag>, window: Option<u32>) -> SeriesKey {
        SeriesKey::new(measure, department_type, window.map(Window::Rolling))
    }

    #[test]
    fn a_minute_is_judged_by_its_counts() {
        let rule = rule(SHARE, TYPE_1);
        for (within, departed, judgement) in [
            (75, 100, Judgement::Breach),
            (76, 100, Judgement::Between),
            (77, 100, Judgement::Between),
            (78, 100, Judgement::Clear),
            (0, 20, Judgement::Breach),
            (0, 19, Judgement::Unjudged),
            (19, 19, Judgement::Unjudged),
            (0, 0, Judgement::Unjudged),
        ] {
            let field = |field: FieldRef| Some(if field.name() == "within" { within } else { departed });
            assert_eq!(rule.judge(None, field).judgement, judgement, "{within} of {departed}");
        }
        assert_eq!(rule.judge(None, |_| None), Judged { judgement: Judgement::Unjudged, amount: None });
    }

    #[test]
    fn against_the_target_the_one_in_force_counts_and_without_one_nothing_is_judged() {
        let breach = Condition::against_target("< target").unwrap();
        let rule = Rule { against_target: true, breach, clear: breach.negated(), ..rule(SHARE, TYPE_1) };
        for (target, within, judgement) in [
            (Some("0.95"), 94, Judgement::Breach),
            (Some("0.95"), 95, Judgement::Clear),
            (Some("0.78"), 77, Judgement::Breach),
            (Some("0.78"), 78, Judgement::Clear),
            (None, 1, Judgement::Unjudged),
        ] {
            let target = target.and_then(Decimal::parse);
            let field = |field: FieldRef| Some(if field.name() == "within" { within } else { 100 });
            assert_eq!(rule.judge(target, field).judgement, judgement, "{within} {target:?}");
        }
    }

    #[test]
    fn a_tag_left_out_gives_an_episode_for_each_of_its_values() {
        let fixed = rule(SHARE, TYPE_1);
        let one =
            Tags { department_type: Some(TypeTag::One), other: None, window: Some(Window::Rolling(240)) };
        assert_eq!(fixed.only_tags(), Some(one));
        assert_eq!(fixed.tags_of(series(Measure::AeFourHour, Some(TypeTag::One), Some(240))), Some(one));
        assert_eq!(fixed.tags_of(series(Measure::AeFourHour, Some(TypeTag::Two), Some(240))), None);
        assert_eq!(fixed.tags_of(series(Measure::AeFourHour, Some(TypeTag::One), Some(60))), None);
        assert_eq!(fixed.tags_of(series(Measure::AeArrivals, Some(TypeTag::One), Some(240))), None);

        let any_type = rule(SHARE, SeriesFilter { department_type: None, ..TYPE_1 });
        assert_eq!(any_type.only_tags(), None);
        for tag in TypeTag::ALL_TAGS {
            let tags = Tags { department_type: Some(tag), ..one };
            assert_eq!(any_type.tags_of(series(Measure::AeFourHour, Some(tag), Some(240))), Some(tags));
            assert!(any_type.has(tags));
            assert_eq!(fixed.has(tags), tag == TypeTag::One);
            assert!(!any_type.has(Tags { window: None, ..tags }));
        }
    }

    #[test]
    fn an_area_a_category_a_parameter_is_a_tag_as_the_type_is() {
        let filter = |other| SeriesFilter { other, ..SeriesFilter::default() };
        let area = |text: &str| Tag::text(text).unwrap();
        let rule = |value, filter| Rule { at_least: Vec::new(), ..rule(value, filter) };
        let open = rule("ae_area.present / ae_area.capacity", filter(None));
        let resus = SeriesKey::new(Measure::AeArea, area("Resus 1"), None);
        let tags = open.tags_of(resus).unwrap();
        assert_eq!(tags.other, Some((TagKind::Area, area("Resus 1"))));
        assert_eq!(tags.series(Measure::AeArea), resus);
        assert_eq!(tags.pairs(), [("area", "Resus 1".to_owned())]);
        assert!(open.has(tags) && open.only_tags().is_none());
        let fixed = rule("ae_area.present", filter(Some((TagKind::Area, area("Majors")))));
        assert_eq!(fixed.tags_of(resus), None);
        assert!(!fixed.has(tags) && fixed.only_tags().is_some());
        let beds = Tag::parameter("acute-2023-24", "beds").unwrap();
        let parameter = rule("opel_parameter.value", filter(None));
        let tags = parameter.tags_of(SeriesKey::new(Measure::OpelParameter, beds, None)).unwrap();
        let key = dedup_key("r", Level::Site, "S", tags, Minute(29_921_167));
        assert_eq!(key, "r:site:S:framework=acute-2023-24,parameter=beds:20261121T140700Z");
    }

    #[test]
    fn a_measure_without_a_tag_goes_with_each_of_its_values() {
        let mixed = rule("amb_queue.waiting / ae_department.present", SeriesFilter::default());
        let tags = mixed.tags_of(series(Measure::AeFourHour, Some(TypeTag::One), Some(60))).unwrap();
        assert_eq!(tags.series(Measure::AmbQueue), series(Measure::AmbQueue, None, None));
        assert_eq!(
            tags.series(Measure::AeDepartment),
            series(Measure::AeDepartment, Some(TypeTag::One), None)
        );
        assert_eq!(mixed.tags_of(series(Measure::AmbQueue, None, None)), None);
    }

    #[test]
    fn a_rule_watches_its_level_and_its_organisations() {
        let rule = rule(SHARE, TYPE_1);
        assert!(rule.watches(Level::Site, "RXF05"));
        assert!(!rule.watches(Level::Trust, "RXF05"));
        assert!(!rule.watches(Level::Site, "RXF06"));
    }

    #[test]
    fn keys_stay_short_and_apart() {
        let tags =
            Tags { department_type: Some(TypeTag::One), other: None, window: Some(Window::Rolling(240)) };
        let start = Minute(29_921_167);
        let key = |rule: &str| dedup_key(rule, Level::Site, "RXF05", tags, start);
        assert_eq!(key("four-hour"), "four-hour:site:RXF05:type=1,window=4h:20261121T140700Z");
        let (long, other) = ("a".repeat(300), format!("{}b", "a".repeat(299)));
        assert!(key(&long).len() <= KEY_BYTES_MAX, "{}", key(&long));
        assert_ne!(key(&long), key(&other));
        assert!(key(&long).ends_with(":site:RXF05:type=1,window=4h:20261121T140700Z"));
        assert!((1..400).all(|length| key(&"a".repeat(length)).len() <= KEY_BYTES_MAX));
        assert_ne!(key("r"), dedup_key("r", Level::Site, "RXF05", tags, start.plus(1)));
        assert_ne!(key("r"), dedup_key("r", Level::Trust, "RXF05", tags, start));
    }
}
