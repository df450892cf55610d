//! One rule over one series of one organisation: its track, and the episode if one is open.

use domain::alert::Severity;
use domain::alert::episode::Track;
use domain::alert::rule::Tags;
use domain::alert::value::Amount;
use domain::organisations::Level;
use domain::time::Minute;

/// An organisation, also one that is not configured any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrgKey {
    pub(crate) level: Level,
    pub(crate) code: String,
}

/// Which watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchKey {
    pub(crate) org: OrgKey,
    pub(crate) rule: String,
    pub(crate) tags: Tags,
}

/// The state of a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) track: Track,
    /// The newest amount, also where it could not be judged.
    pub(crate) amount: Option<Amount>,
    /// What is said of it while it is pending or open.
    pub(crate) face: Face,
    /// Since it fired.
    pub(crate) episode: Option<Episode>,
}

/// The words of an episode. Name and severity are labels by which a receiver knows it: they stay as they were when it
/// fired, so that an edit of the rule does not make a second alert of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Face {
    pub(crate) version: String,
    pub(crate) severity: Severity,
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) value: String,
    pub(crate) threshold: String,
}

impl Default for Face {
    fn default() -> Self {
        let nothing = String::new;
        Face {
            version: nothing(),
            severity: Severity::Info,
            name: nothing(),
            summary: nothing(),
            value: nothing(),
            threshold: nothing(),
        }
    }
}

/// An episode that has fired and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Episode {
    pub(crate) key: String,
    /// The first minute in breach.
    pub(crate) start: Minute,
    /// Wall time, Unix milliseconds.
    pub(crate) fired_ms: i64,
    /// How many notices it has made.
    pub(crate) sequence: u32,
    /// Whether its channels were told that it fires; not so while it is silenced.
    pub(crate) announced: bool,
    /// Who acknowledged it.
    pub(crate) acknowledged_by: Option<String>,
    /// How many steps of the escalation were taken.
    pub(crate) escalated: usize,
    /// Every channel that was told of it, and so gets the rest.
    pub(crate) told: Vec<Told>,
}

/// A channel that was told of an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) channel: String,
    /// When it last took, or last refused, a notice; `None`: it has not taken any yet.
    pub(crate) answered_ms: Option<i64>,
}

impl Episode {
    pub(crate) fn told_mut(&mut self, channel: &str) -> Option<&mut Told> {
        self.told.iter_mut().find(|told| told.channel == channel)
    }

    pub(crate) fn has_told(&self, channel: &str) -> bool {
        self.told.iter().any(|told| told.channel == channel)
    }
}
