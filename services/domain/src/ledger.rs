//! The ledger: every entity with the facts that stand, and who names whom. Told events, it answers whether anything
//! stands that did not stand before; it knows neither the time nor the figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::{HashMap, HashTable};

use crate::area::{AreaStay, area_stays};
use crate::attendance::{self, Stay};
use crate::bed::Beds;
use crate::event::{Attendance, Disposal, Event, Fact, Journey, Statement};
use crate::fact::{Link, Names, Numbers, Record, RecordNames, Said, Shape, Stamp};
use crate::ids::{OrgId, Ref};
use crate::journey;
use crate::organisations::Organisations;
use crate::other::{OtherKey, OtherRecord};
use crate::time::{Millis, Second};

/// A table of records, found by (place, reference).
#[derive(Debug, Default)]
struct Table {
    index: HashTable<Entry>,
    records: Vec<Record>,
    free: Vec<u32>,
    touched: Vec<u32>,
}

/// Where a record is, with a part of its key's hash: growing needs no look at the records.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    index: u32,
}

impl Entry {
    /// The hash as the table wants it: its highest and its lowest bits must both be good.
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Table {
    fn hash(place: u16, reference: Ref) -> u32 {
        ((reference.low64() ^ u64::from(place)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
    }

    fn find(&self, place: u16, reference: Ref) -> Option<u32> {
        let hash = Self::hash(place, reference);
        let same = |entry: &Entry| {
            entry.hash == hash && {
                let record = &self.records[entry.index as usize];
                record.reference == reference && record.place == place
            }
        };
        self.index.find(Entry::spread(hash), same).map(|entry| entry.index)
    }

    /// The record of that key, if it is there, and most probably none if it is not: without a look at the record.
    fn find_probable(&self, place: u16, reference: Ref) -> Option<&Record> {
        let hash = Self::hash(place, reference);
        let entry = self.index.find(Entry::spread(hash), |entry| entry.hash == hash)?;
        self.records.get(entry.index as usize)
    }

    fn find_or_add(&mut self, place: u16, reference: Ref) -> u32 {
        if let Some(index) = self.find(place, reference) {
            return index;
        }
        let record = Record::new(place, reference);
        self.add(record)
    }

    fn add(&mut self, record: Record) -> u32 {
        let hash = Self::hash(record.place, record.reference);
        let index = match self.free.pop() {
            Some(index) => {
                self.records[index as usize] = record;
                index
            }
            None => {
                self.records.push(record);
                u32::try_from(self.records.len() - 1)
                    .expect("four thousand million records do not fit in memory")
            }
        };
        let entry = Entry { hash, index };
        self.index.insert_unique(Entry::spread(hash), entry, |entry| Entry::spread(entry.hash));
        index
    }

    fn remove(&mut self, index: u32) {
        let (place, reference) = (self.records[index as usize].place, self.records[index as usize].reference);
        let hash = Entry::spread(Self::hash(place, reference));
        if let Ok(entry) = self.index.find_entry(hash, |other| other.index == index) {
            entry.remove();
        }
        self.records[index as usize] = Record::new(place, reference);
        self.free.push(index);
    }

    fn touch(&mut self, index: u32) {
        let record = &mut self.records[index as usize];
        if !record.touched {
            record.touched = true;
            self.touched.push(index);
        }
    }
}

/// An entity that a change may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    Attendance(u32),
    Journey(u32),
    /// A site's bed state as of an instant.
    Beds(OrgId, Second),
}

/// Watches what a change does: the figures, while they are live. A replay has nobody watching.
pub(crate) trait Watch {
    /// Whether anybody watches at all.
    const WATCHES: bool;
    /// The entity is about to change.
    fn before(&mut self, ledger: &Ledger, entity: Entity);
    /// The entity has changed; the same entities in the same order as before.
    fn after(&mut self, ledger: &Ledger, entity: Entity);
}

/// Nobody watches.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    const WATCHES: bool = false;
    fn before(&mut self, _: &Ledger, _: Entity) {}
    fn after(&mut self, _: &Ledger, _: Entity) {}
}

/// Every entity, the facts that stand, and the texts that their stamps and moves name.
#[derive(Debug)]
pub struct Ledger {
    orgs: Arc<Organisations>,
    excluded: Vec<Disposal>,
    attendances: Table,
    journeys: Table,
    /// For each journey the attendances that name it.
    named_by: HashMap<u32, Vec<u32>>,
    pub(crate) others: BTreeMap<OtherKey, OtherRecord>,
    pub(crate) others_touched: Vec<OtherKey>,
    pub(crate) sources: Names,
    pub(crate) areas: Names,
    /// For each source its newest `recorded_at`.
    newest_by_source: Vec<Millis>,
    /// What the records of a checkpoint name.
    needed: Numbers,
}

impl Ledger {
    /// An empty ledger. `excluded`: `measures.exclude_disposals`.
    pub fn new(orgs: Arc<Organisations>, excluded: Vec<Disposal>) -> Ledger {
        Ledger {
            orgs,
            excluded,
            attendances: Table::default(),
            journeys: Table::default(),
            named_by: HashMap::new(),
            others: BTreeMap::new(),
            others_touched: Vec::new(),
            sources: Names::default(),
            areas: Names::default(),
            newest_by_source: Vec::new(),
            needed: Numbers::default(),
        }
    }

    /// The organisations of this ledger.
    pub fn organisations(&self) -> &Arc<Organisations> {
        &self.orgs
    }

    /// How many attendances are held.
    pub fn attendances(&self) -> usize {
        self.attendances.index.len()
    }

    /// How many journeys are held.
    pub fn journeys(&self) -> usize {
        self.journeys.index.len()
    }

    /// Whether the source is known or there is room for one more.
    pub(crate) fn can_hear(&self, source: &str) -> bool {
        self.sources.has_room_for(source)
    }

    /// Every source that was ever heard, in the order of first mention.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter()
    }

    /// A source recorded something; returns its number and whether that is newer than all before, `None` if there are
    /// too many sources.
    pub(crate) fn heard(&mut self, source: &str, recorded_at: Millis) -> Option<(u16, bool)> {
        let number = self.sources.number(source)?;
        let index = usize::from(number);
        if index >= self.newest_by_source.len() {
            self.newest_by_source.resize(index + 1, Millis(i64::MIN));
        }
        let newest = &mut self.newest_by_source[index];
        let newer = recorded_at > *newest;
        *newest = recorded_at.max(*newest);
        Some((number, newer))
    }

    /// Takes an event whose places are known (`admission::admit`); returns whether anything of it stands that did not
    /// stand before: a fact, or of a heartbeat that its source was not heard later.
    pub(crate) fn apply<W: Watch>(&mut self, event: &Event<'_>, watch: &mut W) -> bool {
        let Some((source, newer)) = self.heard(&event.source, event.recorded_at) else {
            return false;
        };
        let stamp = Stamp { recorded_at: event.recorded_at, id: event.id.as_bytes(), source };
        match &event.statement {
            Statement::Attendance(one) => self.apply_attendance(one, &stamp, watch),
            Statement::Ambulance(one) => self.apply_journey(one, &stamp, watch),
            Statement::Beds(_) | Statement::Standard(_) | Statement::Escalation(_) => {
                self.apply_other(event, watch)
            }
            Statement::Heartbeat => newer,
        }
    }

    /// Reads what the ledger holds of the entities of some events that will be applied, and changes nothing. In a large
    /// ledger most of the time is waiting for memory, and here the waits for one entity overlap with those for the others.
    pub(crate) fn fetch<'a>(&self, events: impl Iterator<Item = &'a Event<'a>>) {
        // In three rounds, so that nothing else stands between the waits of one round.
        let keys: Vec<(&Table, u16, Ref)> = events
            .filter_map(|event| {
                let (table, place, reference) = match &event.statement {
                    Statement::Attendance(one) => (&self.attendances, &one.site, one.reference),
                    Statement::Ambulance(one) => (&self.journeys, &one.service, one.reference),
                    Statement::Beds(_)
                    | Statement::Standard(_)
                    | Statement::Escalation(_)
                    | Statement::Heartbeat => return None,
                };
                Some((table, self.orgs.find(place)?.0, reference))
            })
            .collect();
        let found: Vec<&Record> = keys
            .iter()
            .filter_map(|(table, place, reference)| table.find_probable(*place, *reference))
            .collect();
        found.iter().for_each(|record| record.fetch());
    }

    fn apply_attendance<W: Watch>(&mut self, one: &Attendance<'_>, stamp: &Stamp<'_>, watch: &mut W) -> bool {
        let Some(site) = self.orgs.find(&one.site) else {
            return false;
        };
        let journey = match &one.ambulance {
            Fact::Stated(name) => self
                .orgs
                .find(&name.service)
                .map(|service| Link { place: service.0, reference: name.reference }),
            Fact::Absent | Fact::Retracted => None,
        };
        let areas = &mut self.areas;
        let said = attendance::said(one, journey, |text| areas.number(text));
        let index = self.attendances.find_or_add(site.0, one.reference);
        let wins = self.standing(&self.attendances, index, &said, stamp);
        if wins == 0 {
            return false;
        }
        if W::WATCHES {
            watch.before(self, Entity::Attendance(index));
        }
        let record = &mut self.attendances.records[index as usize];
        let old = record.stated_link();
        record.take(&said, stamp, wins);
        let new = record.stated_link();
        self.attendances.touch(index);
        if old != new {
            self.relink(index, old, new);
        }
        if W::WATCHES {
            watch.after(self, Entity::Attendance(index));
        }
        true
    }

    fn apply_journey<W: Watch>(&mut self, one: &Journey<'_>, stamp: &Stamp<'_>, watch: &mut W) -> bool {
        let Some(service) = self.orgs.find(&one.service) else {
            return false;
        };
        let destination = match &one.destination {
            Fact::Stated(code) => self.orgs.find(code),
            Fact::Absent | Fact::Retracted => None,
        };
        let said = journey::said(one, destination);
        let index = self.journeys.find_or_add(service.0, one.reference);
        let wins = self.standing(&self.journeys, index, &said, stamp);
        if wins == 0 {
            return false;
        }
        if W::WATCHES {
            self.watch_journey(index, watch, W::before);
        }
        self.journeys.records[index as usize].take(&said, stamp, wins);
        self.journeys.touch(index);
        if W::WATCHES {
            self.watch_journey(index, watch, W::after);
        }
        true
    }

    /// A change of a journey may change every attendance that names it.
    fn watch_journey<W: Watch>(&self, index: u32, watch: &mut W, tell: fn(&mut W, &Ledger, Entity)) {
        tell(watch, self, Entity::Journey(index));
        for attendance in self.named_by.get(&index).into_iter().flatten() {
            tell(watch, self, Entity::Attendance(*attendance));
        }
    }

    fn standing(&self, table: &Table, index: u32, said: &Said, stamp: &Stamp<'_>) -> u32 {
        let orgs = &self.orgs;
        let place = |number: u16| orgs.get(OrgId(number)).code.as_str();
        let names = RecordNames { sources: &self.sources, areas: &self.areas, place: &place };
        table.records[index as usize].standing(said, stamp, &names)
    }

    fn relink(&mut self, attendance: u32, old: Option<Link>, new: Option<Link>) {
        if let Some(link) = old
            && let Some(journey) = self.journeys.find(link.place, link.reference)
        {
            if let Some(namers) = self.named_by.get_mut(&journey) {
                namers.retain(|one| *one != attendance);
                if namers.is_empty() {
                    self.named_by.remove(&journey);
                }
            }
            self.forget_if_unnamed(journey);
        }
        if let Some(link) = new {
            let journey = self.journeys.find_or_add(link.place, link.reference);
            self.named_by.entry(journey).or_default().push(attendance);
        }
    }

    /// A journey of which nothing is known is held only as long as an attendance names it.
    fn forget_if_unnamed(&mut self, journey: u32) {
        if self.journeys.records[journey as usize].is_silent() && !self.named_by.contains_key(&journey) {
            self.journeys.remove(journey);
        }
    }

    fn apply_other<W: Watch>(&mut self, event: &Event<'_>, watch: &mut W) -> bool {
        let Some((key, values)) = OtherKey::of(&event.statement, &self.orgs) else {
            return false;
        };
        let entity = key.entity().filter(|_| W::WATCHES);
        if let Some(entity) = entity {
            watch.before(self, entity);
        }
        let changed = self
            .others
            .entry(key.clone())
            .or_default()
            .take(&values, (event.recorded_at, event.id.as_bytes(), event.source.as_bytes()));
        if changed {
            self.others_touched.push(key);
        }
        if let Some(entity) = entity {
            watch.after(self, entity);
        }
        changed
    }

    /// What an attendance adds to the figures now.
    pub(crate) fn attendance(&self, index: u32) -> Option<attendance::Contribution> {
        let record = &self.attendances.records[index as usize];
        let site = OrgId(record.place);
        let default = self.orgs.get(site).department_type.expect("every site has a department type");
        attendance::contribution(record, default, self.journey_of(record), &self.excluded)
    }

    /// Spec 2.2, "its journey": known, not void, and to this site or another of the same trust.
    fn journey_of(&self, record: &Record) -> Option<journey::JourneyTimes> {
        let link = record.stated_link()?;
        let journey = &self.journeys.records[self.journeys.find(link.place, link.reference)? as usize];
        let destination = journey::destination(journey)?;
        let counts = !journey::is_void(journey) && self.orgs.same_trust(OrgId(record.place), destination);
        counts.then(|| journey::times(journey))
    }

    /// What a journey adds to the figures now.
    pub(crate) fn journey(&self, index: u32) -> Option<journey::Contribution> {
        journey::contribution(&self.journeys.records[index as usize])
    }

    /// The times in areas of an attendance that stays so; appended to `out`.
    pub(crate) fn area_stays(&self, index: u32, stay: &Stay, out: &mut Vec<AreaStay>) {
        let record = &self.attendances.records[index as usize];
        let site = OrgId(record.place);
        let area = |number| self.orgs.area(site, self.areas.get(number)) as u16;
        area_stays(stay, record.moves().map(|(since, number)| (since, area(number))), out);
    }

    /// What a site stated of its beds as of an instant; `None` if no fact of it stands.
    pub(crate) fn beds(&self, site: OrgId, as_of: Second) -> Option<Beds> {
        self.others.get(&OtherKey::Beds(site, as_of))?.beds()
    }

    /// Every entity that adds something, in the order in which they were first heard of.
    pub(crate) fn entities(&self) -> impl Iterator<Item = Entity> + '_ {
        let live = |table: &Table, index: usize| !table.records[index].is_silent();
        let attendances = (0..self.attendances.records.len())
            .filter(move |index| live(&self.attendances, *index))
            .map(|index| Entity::Attendance(index as u32));
        let journeys = (0..self.journeys.records.len())
            .filter(move |index| live(&self.journeys, *index))
            .map(|index| Entity::Journey(index as u32));
        attendances.chain(journeys).chain(self.others.keys().filter_map(OtherKey::entity))
    }

    /// Spec 1.8: forgets entities whose newest instant and newest `recorded_at` are both older than `before`; a
    /// journey also as long as an attendance names it, and an attendance as long as its journey is not as old (its clock may
    /// have started with it). Hands the forgotten keys to `each`.
    pub(crate) fn forget(&mut self, before: Second, each: &mut impl FnMut(EntityKey)) {
        let old = |record: &Record| {
            !record.is_silent()
                && record.newest_instant() < before.0
                && record.newest_recorded_at() < Millis::from(before).0
        };
        for index in 0..self.attendances.records.len() as u32 {
            let record = &self.attendances.records[index as usize];
            let link = record.stated_link();
            let journey = link.and_then(|link| self.journeys.find(link.place, link.reference));
            let journey = journey.map(|index| &self.journeys.records[index as usize]);
            if old(record) && journey.is_none_or(|journey| journey.is_silent() || old(journey)) {
                each(EntityKey::Attendance(record.place, record.reference));
                self.relink(index, link, None);
                self.attendances.remove(index);
            }
        }
        for index in 0..self.journeys.records.len() as u32 {
            let record = &self.journeys.records[index as usize];
            if old(record) && !self.named_by.contains_key(&index) {
                each(EntityKey::Journey(record.place, record.reference));
                self.journeys.remove(index);
            }
        }
        let beds: Vec<OtherKey> = self
            .others
            .iter()
            .filter(|(key, record)| {
                key.is_bed_state_before(before) && record.newest_recorded_at() < before.into()
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in beds {
            self.others.remove(&key);
            each(EntityKey::Other(key));
        }
    }

    /// Hands every record touched since the last call to `each` as (key, bytes).
    pub(crate) fn drain_touched(&mut self, each: &mut impl FnMut(EntityKey, &[u8])) {
        let mut bytes = Vec::new();
        for (table, is_journey) in [(&mut self.attendances, false), (&mut self.journeys, true)] {
            for index in std::mem::take(&mut table.touched) {
                let record = &mut table.records[index as usize];
                if !std::mem::take(&mut record.touched) {
                    continue; // forgotten since
                }
                bytes.clear();
                record.encode(&mut bytes);
                let key = if is_journey {
                    EntityKey::Journey(record.place, record.reference)
                } else {
                    EntityKey::Attendance(record.place, record.reference)
                };
                each(key, &bytes);
            }
        }
        for key in std::mem::take(&mut self.others_touched) {
            if let Some(record) = self.others.get(&key) {
                bytes.clear();
                record.encode(&mut bytes);
                each(EntityKey::Other(key), &bytes);
            }
        }
    }

    /// Puts back a record of a checkpoint; `false` if the bytes are none, or it is there already. Call
    /// [`Ledger::link_all`] when all are back.
    pub(crate) fn restore(&mut self, key: EntityKey, bytes: &[u8]) -> bool {
        let (table, smalls, place, reference) = match key {
            EntityKey::Attendance(place, reference) => {
                (&mut self.attendances, attendance::SMALLS, place, reference)
            }
            EntityKey::Journey(place, reference) => (&mut self.journeys, journey::SMALLS, place, reference),
            EntityKey::Other(key) => {
                let record = OtherRecord::decode(bytes).filter(|_| key.org().index() < self.orgs.len());
                return record.is_some_and(|record| self.others.insert(key, record).is_none());
            }
        };
        let shape = Shape { smalls, places: self.orgs.len() };
        let Some((record, needed)) = Record::decode(place, reference, bytes, &shape) else { return false };
        let new = table.find(place, reference).is_none();
        if new {
            table.add(record);
            self.needed = self.needed.or(needed);
        }
        new
    }

    /// After a restore: finds again which attendances name which journeys. `false` if a source or an area that a record
    /// names has no name.
    pub(crate) fn link_all(&mut self) -> bool {
        if self.needed.sources > self.sources.len() || self.needed.areas > self.areas.len() {
            return false;
        }
        for index in 0..self.attendances.records.len() as u32 {
            let link = self.attendances.records[index as usize].stated_link();
            self.relink(index, None, link);
        }
        true
    }
}

/// The key of an entity in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntityKey {
    Attendance(u16, Ref),
    Journey(u16, Ref),
    Other(OtherKey),
}
