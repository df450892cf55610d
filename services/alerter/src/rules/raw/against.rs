//! What a rule is held against beside numbers: the dated target, and frameworks whose numbers may be unverified.

use domain::alert::rule::SeriesFilter;
use domain::alert::value::{Condition, FieldRef, Value};
use domain::measures::Measure;

use super::{Checked, RawRule, RuleReader, wrong};

impl RuleReader<'_> {
    /// A rule against the target resolves on the other side of the target; there must be one for its value.
    pub(super) fn clear_of_target(
        &self,
        place: &str,
        breach: Condition,
        value: Value,
        clear: Option<&str>,
    ) -> Checked<Condition> {
        if self.surroundings.targets.targets.iter().all(|target| target.value != value) {
            return wrong(place, "breach", format!("there is no target of {value} in targets.toml"));
        }
        let other_side = breach.negated();
        match clear.map(Condition::against_target) {
            None => Ok(other_side),
            Some(Some(clear)) if clear.comparison == other_side.comparison => Ok(other_side),
            Some(_) => {
                let right = other_side.comparison.as_str();
                wrong(
                    place,
                    "clear",
                    format!("breach compares with the target: leave clear out, or write \"{right} target\""),
                )
            }
        }
    }

    /// A rule on an escalation framework: it must be computed, and calls nobody while its numbers are not verified,
    /// unless it says so.
    pub(super) fn frameworks(
        &self,
        place: &str,
        raw: &RawRule,
        series: SeriesFilter,
        fields: &[FieldRef],
    ) -> Checked<()> {
        let of_frameworks =
            |field: &FieldRef| matches!(field.measure, Measure::Opel | Measure::OpelParameter);
        if !fields.iter().any(of_frameworks) {
            return Ok(());
        }
        let frameworks = self.surroundings.frameworks;
        let named =
            series.other.and_then(|(kind, tag)| kind.tags(&tag).next().map(|(_, text)| text.to_owned()));
        if let Some(name) = named.as_ref().filter(|name| frameworks.iter().all(|one| one.id != **name)) {
            let known: Vec<&str> = frameworks.iter().map(|one| one.id.as_str()).collect();
            let what =
                format!("\"{name}\" is not computed; opel in the configuration names: {}", known.join(", "));
            return wrong(place, "series.framework", what);
        }
        let mut watched = frameworks.iter().filter(|one| named.as_ref().is_none_or(|name| one.id == *name));
        let calls = !raw.channels.is_empty() || !raw.escalate.is_empty();
        match watched.find(|one| !one.is_verified()) {
            Some(one) if calls && !raw.unverified => {
                let what = format!(
                    "the framework \"{}\" has unverified numbers: write unverified = true to call somebody on them all the same, or leave channels empty",
                    one.id
                );
                wrong(place, "channels", what)
            }
            Some(_) | None => Ok(()),
        }
    }
}
