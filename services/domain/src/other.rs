//! The entities of which there are few: bed states, returns, declarations (spec 1.4–1.6).
//! They follow the same merge law, and are held plainly.

use crate::bed::Beds;
use crate::event::{Fact, Statement};
use crate::ids::OrgId;
use crate::ledger::Entity;
use crate::organisations::Organisations;
use crate::time::{Millis, Second};

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OtherKey {
    /// A bed state of a site as of an instant.
    Beds(OrgId, Second),
    /// A return: standard, organisation, period start (days since 1970-01-01).
    Return(String, OrgId, u32),
    /// A declaration: organisation, scale, since.
    Escalation(OrgId, String, Second),
}

/// The facts that a statement says of it, in the order of the tables of the specification.
pub(crate) type Values = [Fact<u64>; 5];

impl OtherKey {
    /// The key and the facts of such a statement; `None` for another statement or an unknown place.
    pub(crate) fn of(statement: &Statement<'_>, orgs: &Organisations) -> Option<(OtherKey, Values)> {
        let wide = |fact: Fact<u32>| match fact {
            Fact::Absent => Fact::Absent,
            Fact::Retracted => Fact::Retracted,
            Fact::Stated(value) => Fact::Stated(u64::from(value)),
        };
        match statement {
            Statement::Beds(one) => Some((
                OtherKey::Beds(orgs.find(&one.site)?, one.as_of),
                [
                    wide(one.open),
                    wide(one.occupied),
                    wide(one.escalation_open),
                    wide(one.no_criteria_to_reside),
                    Fact::Absent,
                ],
            )),
            Statement::Standard(one) => Some((
                OtherKey::Return(one.standard.to_string(), orgs.find(&one.org)?, one.period_start),
                [one.met, one.total, one.count, one.total_s, one.p90_s],
            )),
            Statement::Escalation(one) => {
                let level = match one.level {
                    Fact::Absent => Fact::Absent,
                    Fact::Retracted => Fact::Retracted,
                    Fact::Stated(level) => Fact::Stated(u64::from(level)),
                };
                let key = OtherKey::Escalation(orgs.find(&one.org)?, one.scale.to_string(), one.since);
                Some((key, [level, Fact::Absent, Fact::Absent, Fact::Absent, Fact::Absent]))
            }
            Statement::Attendance(_) | Statement::Ambulance(_) | Statement::Heartbeat => None,
        }
    }

    /// The entity of the figures that it is; only bed states are one.
    pub(crate) fn entity(&self) -> Option<Entity> {
        match self {
            OtherKey::Beds(site, as_of) => Some(Entity::Beds(*site, *as_of)),
            OtherKey::Return(..) | OtherKey::Escalation(..) => None,
        }
    }

    pub(crate) fn is_bed_state_before(&self, before: Second) -> bool {
        match self {
            OtherKey::Beds(_, as_of) => *as_of < before,
            OtherKey::Return(..) | OtherKey::Escalation(..) => false,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (kind, org, number, text) = match self {
            OtherKey::Beds(org, as_of) => (0, org, as_of.0, ""),
            OtherKey::Return(standard, org, start) => (1, org, *start, standard.as_str()),
            OtherKey::Escalation(org, scale, since) => (2, org, since.0, scale.as_str()),
        };
        out.push(kind);
        out.extend_from_slice(&org.0.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }

    /// Of which organisation it speaks.
    pub(crate) fn org(&self) -> OrgId {
        match self {
            OtherKey::Beds(org, _) | OtherKey::Return(_, org, _) | OtherKey::Escalation(org, _, _) => *org,
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<OtherKey> {
        let (head, text) = bytes.split_first_chunk::<7>()?;
        let [kind, o0, o1, n0, n1, n2, n3] = *head;
        let org = OrgId(u16::from_le_bytes([o0, o1]));
        let number = u32::from_le_bytes([n0, n1, n2, n3]);
        let text = std::str::from_utf8(text).ok()?.to_owned();
        match kind {
            0 if text.is_empty() => Some(OtherKey::Beds(org, Second(number))),
            1 => Some(OtherKey::Return(text, org, number)),
            2 => Some(OtherKey::Escalation(org, text, Second(number))),
            _ => None,
        }
    }
}

/// A statement that stands for one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    recorded_at: Millis,
    /// The length comes first: ids are ordered by it.
    id_length: usize,
    id: Vec<u8>,
    source: Vec<u8>,
    value: Option<u64>,
}

impl Standing {
    /// The order of the merge law; the value decides last, none below every number.
    fn rank(&self) -> (Millis, usize, &[u8], &[u8], Option<u64>) {
        (self.recorded_at, self.id_length, &self.id, &self.source, self.value)
    }
}

/// The facts that stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OtherRecord {
    facts: [Option<Standing>; 5],
}

impl OtherRecord {
    /// Takes what stands of a statement; returns whether anything did.
    pub(crate) fn take(&mut self, values: &Values, stamp: (Millis, &[u8], &[u8])) -> bool {
        let mut changed = false;
        for (held, said) in self.facts.iter_mut().zip(values) {
            if !said.is_said() {
                continue;
            }
            let (recorded_at, id, source) = (stamp.0, stamp.1.to_vec(), stamp.2.to_vec());
            let new = Standing { recorded_at, id_length: id.len(), id, source, value: said.value() };
            if held.as_ref().is_none_or(|held| held.rank() < new.rank()) {
                *held = Some(new);
                changed = true;
            }
        }
        changed
    }

    /// The facts of a bed state; `None` if every one is retracted, or is none that was stated.
    pub(crate) fn beds(&self) -> Option<Beds> {
        let [open, occupied, escalation_open, no_criteria_to_reside, _] = &self.facts;
        let beds = [open, occupied, escalation_open, no_criteria_to_reside].map(|fact| {
            let value = fact.as_ref().and_then(|one| one.value)?;
            Some(u32::try_from(value).unwrap_or(u32::MAX))
        });
        beds.iter().any(Option::is_some).then_some(beds)
    }

    /// The values that stand; `None` if every fact is retracted, so that the entity does not exist.
    pub(crate) fn amounts(&self) -> Option<[Option<u64>; 5]> {
        let amounts =
            [0, 1, 2, 3, 4].map(|index: usize| self.facts[index].as_ref().and_then(|one| one.value));
        amounts.iter().any(Option::is_some).then_some(amounts)
    }

    pub(crate) fn newest_recorded_at(&self) -> Millis {
        self.facts.iter().flatten().map(|one| one.recorded_at).max().unwrap_or(Millis(i64::MIN))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for fact in &self.facts {
            let Some(one) = fact else {
                out.push(0);
                continue;
            };
            out.push(if one.value.is_some() { 2 } else { 1 });
            out.extend_from_slice(&one.value.unwrap_or(0).to_le_bytes());
            out.extend_from_slice(&one.recorded_at.0.to_le_bytes());
            // Ids and sources are at most 128 and 64 bytes long.
            out.push(one.id.len() as u8);
            out.extend_from_slice(&one.id);
            out.push(one.source.len() as u8);
            out.extend_from_slice(&one.source);
        }
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<OtherRecord> {
        let mut record = OtherRecord::default();
        for fact in &mut record.facts {
            let (state, rest) = bytes.split_first()?;
            bytes = rest;
            match state {
                0 => continue,
                1 | 2 => {}
                _ => return None,
            }
            let (value, rest) = bytes.split_first_chunk::<8>()?;
            let (recorded_at, rest) = rest.split_first_chunk::<8>()?;
            let (id, rest) = short(rest)?;
            let (source, rest) = short(rest)?;
            bytes = rest;
            *fact = Some(Standing {
                recorded_at: Millis(i64::from_le_bytes(*recorded_at)),
                id_length: id.len(),
                id: id.to_vec(),
                source: source.to_vec(),
                value: (*state == 2).then(|| u64::from_le_bytes(*value)),
            });
        }
        bytes.is_empty().then_some(record)
    }
}

/// A text with its length in one byte before it, and what follows it.
fn short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}
