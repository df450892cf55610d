//! What stands on the measures topic: of each series the value of the highest revision that carries it, records of an
//! older epoch behind a mark left out (spec 2.6).

use std::collections::BTreeMap;

use acceptance::model::Points;
use acceptance::program::put_series;
use contract::measure::{self, MeasureRecord};
use contract::topics::MEASURES;
use domain::measures::{Revision, Series, SeriesKey, Values};
use domain::time::Minute;

use crate::world::World;

/// What a reader of the whole topic knows.
#[derive(Default)]
pub(crate) struct Published {
    /// The newest mark.
    pub(crate) epoch: u64,
    /// Org-minutes of an older epoch than the mark before them.
    pub(crate) ignored: u64,
    /// By minute, organisation's code and series.
    standing: BTreeMap<(Minute, String, SeriesKey), (Revision, Values)>,
}

impl World {
    /// Reads the measures topic. No process may have written an older state of an org-minute behind a newer one.
    pub(crate) fn published(&self) -> Published {
        let mut published = Published::default();
        let mut marks: BTreeMap<u32, u64> = BTreeMap::new();
        let mut newest: BTreeMap<(Minute, String), Revision> = BTreeMap::new();
        self.read(MEASURES, |record| {
            let mark = marks.entry(record.partition).or_default();
            match measure::decode(record.value).expect("a record of ours") {
                MeasureRecord::Mark { epoch } => {
                    *mark = epoch.max(*mark);
                    published.epoch = epoch.max(published.epoch);
                }
                MeasureRecord::OrgMinute(one) if one.revision.epoch < *mark => published.ignored += 1,
                MeasureRecord::OrgMinute(one) => {
                    let before = newest.entry((one.minute, one.org.clone())).or_insert(one.revision);
                    assert!(*before <= one.revision, "{before:?}, then {one:?}");
                    *before = one.revision;
                    for series in one.series {
                        let key = (one.minute, one.org.clone(), series.key);
                        published.standing.insert(key, (one.revision, series.values));
                    }
                }
            }
        });
        published
    }

    /// Compares what stands on the topic with the model, over the same minutes as the store.
    pub(crate) fn published_is_right(&self) {
        let told = self.tell();
        let mut held: BTreeMap<Minute, Points> = BTreeMap::new();
        for ((minute, org, key), (_, values)) in self.published().standing {
            put_series(held.entry(minute).or_default(), &org, &Series { key, values });
        }
        let empty = Points::new();
        for (from, until) in self.pieces() {
            let minutes = (from.0..=until.0).map(Minute);
            let held = minutes.map(|minute| (minute, held.get(&minute).unwrap_or(&empty).clone())).collect();
            let same = self.same(&held, &self.wanted(&told, from, until));
            same.unwrap_or_else(|why| panic!("what stands on the measures topic is not the model: {why}"));
        }
    }
}
