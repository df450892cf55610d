//! Which feeds are silent (spec 3.1): missing data is no good news. A source is stale when nothing newer than an hour
//! was recorded by it; a site, when a source that it depends on is stale or has said nothing of this site for two
//! hours. The learned rhythm of a source comes later.

use hashbrown::HashMap;

use crate::ids::OrgId;
use crate::measures::Freshness;
use crate::organisations::Organisations;
use crate::time::Millis;

/// After how long a silence is stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a source, milliseconds.
    pub source_ms: i64,
    /// For the facts of one source about one site, milliseconds.
    pub site_ms: i64,
    /// Sources that ended or got another name: their silence is none.
    pub retired: Vec<String>,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { source_ms: 60 * 60_000, site_ms: 120 * 60_000, retired: Vec::new() }
    }
}

const HOUR_MS: i64 = 3_600_000;
/// A site depends on the sources that spoke of it in the 7 days before their newest fact.
const WEEK_HOURS: usize = 168;
/// A roll-up is stale when its stale sites gave more than one in so many of its facts.
const STALE_SHARE: u64 = 10;

/// What one source said of one place.
#[derive(Clone, Debug)]
struct PlaceFeed {
    newest: Millis,
    /// The newest of what it said of the place itself, and not only of journeys that end there; 0: nothing.
    newest_own: Millis,
    /// Facts by hour of `recorded_at`, in a ring of a week; `newest` says where it ends.
    facts: Box<[u16; WEEK_HOURS]>,
}

/// One source.
#[derive(Clone, Debug)]
struct Source {
    /// Of any event that was not refused, heartbeats included.
    newest: Millis,
    /// Of events that state facts.
    newest_fact: Millis,
    places: HashMap<OrgId, PlaceFeed>,
}

/// Every source that ever spoke, with the places of which it spoke.
#[derive(Clone, Debug, Default)]
pub struct Feeds {
    sources: HashMap<String, Source>,
}

/// A source as it is shown: its name, its newest `recorded_at`, whether it is stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// The source.
    pub source: String,
    /// Its newest `recorded_at`.
    pub newest: Millis,
    /// Whether it is silent for too long.
    pub stale: bool,
}

impl Feeds {
    /// The newest `recorded_at` of a source.
    pub fn newest(&self, source: &str) -> Option<Millis> {
        self.sources.get(source).map(|source| source.newest)
    }

    /// An event was not refused. `places`: of which place it stated facts, and for which site besides (the destination of
    /// a journey, which depends on the ambulance feed but is not silent where no ambulance comes).
    pub fn heard(&mut self, source: &str, recorded_at: Millis, places: [Option<OrgId>; 2]) {
        let Some(known) = self.sources.get_mut(source) else {
            let fresh = Source { newest: recorded_at, newest_fact: Millis(0), places: HashMap::new() };
            self.sources.insert(source.to_owned(), fresh);
            return self.heard(source, recorded_at, places);
        };
        known.newest = known.newest.max(recorded_at);
        for (place, own) in places.into_iter().zip([true, false]) {
            let Some(place) = place else { continue };
            known.newest_fact = known.newest_fact.max(recorded_at);
            let feed = known.places.entry(place).or_insert_with(|| PlaceFeed {
                newest: recorded_at,
                newest_own: Millis(0),
                facts: Box::new([0; WEEK_HOURS]),
            });
            feed.heard(recorded_at);
            if own {
                feed.newest_own = feed.newest_own.max(recorded_at);
            }
        }
    }

    /// Every source that is not retired at a time, by name.
    pub fn states(&self, now: Millis, patience: &Patience) -> Vec<FeedState> {
        let mut states: Vec<FeedState> = self
            .sources
            .iter()
            .filter(|(name, _)| !patience.retired.contains(name))
            .map(|(name, source)| FeedState {
                source: name.clone(),
                newest: source.newest,
                stale: now.0 - source.newest.0 > patience.source_ms,
            })
            .collect();
        states.sort_by(|a, b| a.source.cmp(&b.source));
        states
    }

    /// How fresh each organisation's figures are at a time.
    pub fn freshness(&self, orgs: &Organisations, now: Millis, patience: &Patience) -> Vec<Freshness> {
        let mut places: HashMap<OrgId, (bool, Millis, u64)> = HashMap::new();
        for (_, source) in self.sources.iter().filter(|(name, _)| !patience.retired.contains(name)) {
            let source_stale = now.0 - source.newest.0 > patience.source_ms;
            for (place, feed) in &source.places {
                let week_ago = Millis(source.newest_fact.0 - WEEK_HOURS as i64 * HOUR_MS);
                if feed.newest < week_ago {
                    continue;
                }
                let stale = source_stale || feed.is_silent(now, week_ago, patience);
                let facts = feed.facts.iter().map(|count| u64::from(*count)).sum::<u64>();
                let entry = places.entry(*place).or_insert((false, feed.newest, 0));
                *entry = (entry.0 | stale, entry.1.max(feed.newest), entry.2 + facts);
            }
        }
        let mut sums: Vec<(u64, u64, Option<Millis>)> = vec![(0, 0, None); orgs.len()];
        for (place, (stale, newest, facts)) in &places {
            for org in orgs.adds_to(*place) {
                let (all, silent, heard) = &mut sums[org.index()];
                *all += facts;
                *silent += if *stale { *facts } else { 0 };
                *heard = (*heard).max(Some(*newest));
            }
        }
        sums.iter()
            .map(|(all, silent, heard)| Freshness {
                stale: silent * STALE_SHARE > *all,
                age_seconds: heard
                    .map(|heard| u32::try_from((now.0 - heard.0).max(0) / 1000).unwrap_or(u32::MAX)),
            })
            .collect()
    }

    /// For the checkpoint: each source as (name, bytes).
    pub(crate) fn encode(&self, each: &mut impl FnMut(&str, &[u8])) {
        let mut bytes = Vec::new();
        for (name, source) in &self.sources {
            bytes.clear();
            bytes.extend_from_slice(&source.newest.0.to_le_bytes());
            bytes.extend_from_slice(&source.newest_fact.0.to_le_bytes());
            for (place, feed) in &source.places {
                bytes.extend_from_slice(&place.0.to_le_bytes());
                bytes.extend_from_slice(&feed.newest.0.to_le_bytes());
                bytes.extend_from_slice(&feed.newest_own.0.to_le_bytes());
                for count in feed.facts.iter() {
                    bytes.extend_from_slice(&count.to_le_bytes());
                }
            }
            each(name, &bytes);
        }
    }

    /// Puts back a source of a checkpoint; `false` if the bytes are none, or of another table of so many places.
    pub(crate) fn restore(&mut self, name: &str, bytes: &[u8], places: usize) -> bool {
        const PLACE: usize = 2 + 8 + 8 + 2 * WEEK_HOURS;
        let Some((newest, rest)) = bytes.split_first_chunk::<8>() else { return false };
        let Some((newest_fact, rest)) = rest.split_first_chunk::<8>() else { return false };
        let mut source = Source {
            newest: Millis(i64::from_le_bytes(*newest)),
            newest_fact: Millis(i64::from_le_bytes(*newest_fact)),
            places: HashMap::new(),
        };
        if rest.len() % PLACE != 0 {
            return false;
        }
        for chunk in rest.chunks_exact(PLACE) {
            if usize::from(u16::from_le_bytes([chunk[0], chunk[1]])) >= places {
                return false;
            }
            let mut facts = Box::new([0u16; WEEK_HOURS]);
            for (count, pair) in facts.iter_mut().zip(chunk[18..].chunks_exact(2)) {
                *count = u16::from_le_bytes([pair[0], pair[1]]);
            }
            let millis = |at: usize| {
                let bytes = chunk[at..].first_chunk::<8>().expect("a chunk is longer");
                Millis(i64::from_le_bytes(*bytes))
            };
            source.places.insert(
                OrgId(u16::from_le_bytes([chunk[0], chunk[1]])),
                PlaceFeed { newest: millis(2), newest_own: millis(10), facts },
            );
        }
        self.sources.insert(name.to_owned(), source);
        true
    }
}

impl PlaceFeed {
    /// Whether a source that spoke of the place itself (since `week_ago`) says nothing of it any more.
    fn is_silent(&self, now: Millis, week_ago: Millis, patience: &Patience) -> bool {
        self.newest_own.0 != 0 && self.newest_own >= week_ago && now.0 - self.newest_own.0 > patience.site_ms
    }

    fn heard(&mut self, recorded_at: Millis) {
        let (old, new) = (self.newest.0 / HOUR_MS, recorded_at.0 / HOUR_MS);
        if new > old {
            for hour in (old + 1..=new).take(WEEK_HOURS) {
                self.facts[ring(hour)] = 0;
            }
            self.newest = recorded_at;
        }
        self.newest = self.newest.max(recorded_at);
        if new > self.newest.0 / HOUR_MS - WEEK_HOURS as i64 {
            let count = &mut self.facts[ring(new)];
            *count = count.saturating_add(1);
        }
    }
}

fn ring(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(WEEK_HOURS as i64)).expect("a remainder is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisations::Row;

    fn orgs() -> Organisations {
        let rows = ["S1,,site,T,1", "S2,,site,T,1", "T,,trust,E,", "E,,nation,,"].map(|text| {
            let cells: Vec<&str> = text.split(',').collect();
            Row {
                code: cells[0].into(),
                name: cells[1].into(),
                level: cells[2].into(),
                parent: cells[3].into(),
                department_type: cells[4].into(),
            }
        });
        Organisations::new(&rows).unwrap()
    }

    #[test]
    fn a_site_depends_on_the_feed_of_its_ambulances_but_not_on_their_coming() {
        let orgs = orgs();
        let at = |minutes: i64| Millis(1_700_000_000_000 + minutes * 60_000);
        let mut feeds = Feeds::default();
        feeds.heard("cad", at(0), [None, Some(OrgId(0))]);
        let stale = |feeds: &Feeds, now| feeds.freshness(&orgs, at(now), &Patience::default())[0].stale;
        feeds.heard("cad", at(180), [None, None]);
        assert!(!stale(&feeds, 240));
        assert!(stale(&feeds, 241));
    }

    /// A trust's integration engine sends both: its journeys keep it alive, and do not speak for the department.
    #[test]
    fn a_department_is_silent_whatever_came_first_and_although_ambulances_come() {
        let orgs = orgs();
        let at = |minutes: i64| Millis(1_700_000_000_000 + minutes * 60_000);
        let (journey, attendance) = ([None, Some(OrgId(0))], [Some(OrgId(0)), None]);
        for places in [[journey, attendance], [attendance, journey]] {
            let mut feeds = Feeds::default();
            places.into_iter().for_each(|places| feeds.heard("engine", at(0), places));
            for minute in 0..=121 {
                feeds.heard("engine", at(minute), journey);
            }
            let stale = |now| feeds.freshness(&orgs, at(now), &Patience::default())[0].stale;
            assert!(!stale(120));
            assert!(stale(121));
        }
    }

    #[test]
    fn a_retired_source_is_not_waited_for() {
        let orgs = orgs();
        let at = |minutes: i64| Millis(1_700_000_000_000 + minutes * 60_000);
        let mut feeds = Feeds::default();
        feeds.heard("old", at(0), [Some(OrgId(0)), None]);
        feeds.heard("new", at(90), [Some(OrgId(0)), None]);
        let retired = Patience { retired: vec!["old".to_owned()], ..Patience::default() };
        assert!(feeds.freshness(&orgs, at(90), &Patience::default())[0].stale);
        assert!(!feeds.freshness(&orgs, at(90), &retired)[0].stale);
        assert_eq!(feeds.states(at(90), &retired).len(), 1);
    }

    #[test]
    fn a_roll_up_is_stale_from_more_than_a_tenth_on() {
        let orgs = orgs();
        let at = |minutes: i64| Millis(1_700_000_000_000 + minutes * 60_000);
        // (facts of the site that is heard, whether those above it and the silent one, with one fact, are stale)
        for (facts, expected) in [(10, false), (9, false), (8, true)] {
            let mut feeds = Feeds::default();
            feeds.heard("silent", at(0), [Some(OrgId(1)), None]);
            (0..facts).for_each(|_| feeds.heard("heard", at(61), [Some(OrgId(0)), None]));
            let all = feeds.freshness(&orgs, at(61), &Patience::default());
            let stale: Vec<bool> = all.iter().map(|one| one.stale).collect();
            assert_eq!(stale, [false, true, expected, expected], "{facts} facts");
        }
    }

    #[test]
    fn silence_of_a_source_or_of_one_site_is_stale_and_heartbeats_count() {
        let orgs = orgs();
        let at = |minutes: i64| Millis(1_700_000_000_000 + minutes * 60_000);
        let mut feeds = Feeds::default();
        for minute in 0..200 {
            feeds.heard("a", at(minute), [Some(OrgId(0)), None]);
        }
        feeds.heard("a", at(0), [Some(OrgId(1)), None]);
        let stale = |feeds: &Feeds, now| {
            let all = feeds.freshness(&orgs, at(now), &Patience::default());
            [0, 1, 2, 3].map(|org: usize| all[org].stale)
        };
        // One fact of two hundred is not a tenth of the trust's.
        assert_eq!(stale(&feeds, 200), [false, true, false, false]);
        assert_eq!(stale(&feeds, 259), [false, true, false, false]);
        assert_eq!(stale(&feeds, 260), [true, true, true, true]);
        feeds.heard("a", at(255), [None, None]);
        assert_eq!(stale(&feeds, 260), [false, true, false, false]);
        let mut restored = Feeds::default();
        feeds.encode(&mut |name, bytes| assert!(restored.restore(name, bytes, 1_000)));
        assert_eq!(stale(&restored, 260), [false, true, false, false]);
        assert_eq!(feeds.newest("a"), Some(at(255)));
    }
}
