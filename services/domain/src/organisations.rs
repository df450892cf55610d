//! The organisations whose figures are computed, and how they add up (spec 2.3): site → trust → system → region →
//! nation, ambulance service → nation. One parent each; a parent may be of any higher level. Any other grouping is a group
//! ([`groups`]); what a department is divided into is an area ([`areas`]).

pub mod areas;
pub mod groups;

use hashbrown::HashMap;

use self::areas::Area;
use crate::event::DepartmentType;
use crate::ids::OrgId;

/// How high an organisation stands. The order is from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// One hospital location.
    Site,
    /// An ambulance service.
    Service,
    /// A provider of any kind.
    Trust,
    /// An integrated care board.
    System,
    /// A region of NHS England.
    Region,
    /// England.
    Nation,
    /// Any other grouping of organisations (`groups.csv`): above none and below none.
    Group,
}

impl Level {
    /// Every level, the lowest first; groups stand beside them.
    pub const ALL: [Level; 7] = [
        Level::Site,
        Level::Service,
        Level::Trust,
        Level::System,
        Level::Region,
        Level::Nation,
        Level::Group,
    ];

    /// The name in tags, files and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Site => "site",
            Level::Service => "service",
            Level::Trust => "trust",
            Level::System => "system",
            Level::Region => "region",
            Level::Nation => "nation",
            Level::Group => "group",
        }
    }

    /// Whether events speak of organisations of this level, so that figures begin there.
    pub fn is_leaf(self) -> bool {
        matches!(self, Level::Site | Level::Service)
    }

    /// The level of that name.
    pub fn parse(text: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

/// One row of `organisations.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The ODS code, looked up, never matched by shape.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// Its level.
    pub level: Level,
    /// The organisation above it; none for the nation.
    pub parent: Option<OrgId>,
    /// Of a site: the type of an attendance that states none.
    pub department_type: Option<DepartmentType>,
}

/// A row as it is read, before codes are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `code`
    pub code: String,
    /// `name`
    pub name: String,
    /// `level`
    pub level: String,
    /// `parent`; empty for none.
    pub parent: String,
    /// `department_type`; empty for none.
    pub department_type: String,
}

/// Why a table of organisations cannot be used. `row` counts from 1, the header not counted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OrganisationsError {
    /// The level is not one of ours.
    #[error("row {row} ({code}): level \"{level}\" is none of site, service, trust, system, region, nation")]
    Level {
        /// Which row.
        row: usize,
        /// Its code.
        code: String,
        /// What stood there.
        level: String,
    },
    /// A code stands twice.
    #[error("row {row}: code \"{code}\" stands twice")]
    Twice {
        /// The second row.
        row: usize,
        /// The code.
        code: String,
    },
    /// A code is empty, too long, or holds a character that a tag may not hold.
    #[error("row {row}: code \"{code}\" must be 1 to 16 of A–Z, a–z, 0–9 and -")]
    Code {
        /// Which row.
        row: usize,
        /// The code, escaped.
        code: String,
    },
    /// A name has a control character.
    #[error("row {row} ({code}): the name holds a control character")]
    Name {
        /// Which row.
        row: usize,
        /// Its code.
        code: String,
    },
    /// The parent is not in the table.
    #[error("row {row} ({code}): parent \"{parent}\" is not in the table")]
    UnknownParent {
        /// Which row.
        row: usize,
        /// Its code.
        code: String,
        /// The parent that is missing.
        parent: String,
    },
    /// The parent is not of a higher level, or a service's parent is not the nation, or one is missing.
    #[error("row {row} ({code}): a {level} must have a parent of a higher level")]
    Parent {
        /// Which row.
        row: usize,
        /// Its code.
        code: String,
        /// Its level.
        level: &'static str,
    },
    /// A site without a department type, or something else with one.
    #[error("row {row} ({code}): department_type must be 1 to 5 for a site and empty for everything else")]
    DepartmentType {
        /// Which row.
        row: usize,
        /// Its code.
        code: String,
    },
    /// A second nation: figures of the whole would have no one place.
    #[error("row {row}: {code} is a second nation beside {first}; there is one")]
    SecondNation {
        /// Which row.
        row: usize,
        /// Its code.
        code: String,
        /// The code of the first.
        first: String,
    },
    /// A table without a row.
    #[error("there is no organisation in the table; it must hold a nation at least")]
    Empty,
    /// More organisations than [`OrgId`] can name.
    #[error("more than 65,000 organisations")]
    TooMany,
}

/// The organisations, checked, with their paths upwards.
#[derive(Clone, Debug, Default)]
pub struct Organisations {
    orgs: Vec<Organisation>,
    by_code: HashMap<String, OrgId>,
    /// For each organisation: itself and everything above it.
    paths: Vec<Vec<OrgId>>,
    /// For each organisation: the sites at or below it, or under the members of the group.
    sites_below: Vec<Vec<OrgId>>,
    /// For each leaf: every organisation to which its figures belong, itself first.
    adds_to: Vec<Vec<OrgId>>,
    /// For each organisation: itself, everything above it and every group of which one of these is a member.
    reaches: Vec<Vec<OrgId>>,
    /// For each service: itself and the nation.
    responses_to: Vec<Vec<OrgId>>,
    /// For each group: its members.
    members: Vec<Vec<OrgId>>,
    /// For each site: its areas.
    areas: Vec<Vec<Area>>,
    trusts: Vec<Option<OrgId>>,
}

impl Organisations {
    /// Checks the rows and resolves their parents. The order of the rows does not matter.
    pub fn new(rows: &[Row]) -> Result<Organisations, OrganisationsError> {
        if rows.len() > 65_000 {
            return Err(OrganisationsError::TooMany);
        }
        if rows.is_empty() {
            return Err(OrganisationsError::Empty);
        }
        let mut by_code = HashMap::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let code = row.code.clone();
            let plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if code.is_empty() || code.len() > 16 || !plain {
                return Err(OrganisationsError::Code {
                    row: index + 1,
                    code: code.escape_debug().to_string(),
                });
            }
            if row.name.chars().any(char::is_control) {
                return Err(OrganisationsError::Name { row: index + 1, code });
            }
            let id = OrgId(u16::try_from(index).map_err(|_| OrganisationsError::TooMany)?);
            if by_code.insert(code.clone(), id).is_some() {
                return Err(OrganisationsError::Twice { row: index + 1, code });
            }
        }
        let mut orgs = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            orgs.push(organisation(index + 1, row, &by_code)?);
        }
        for (index, org) in orgs.iter().enumerate() {
            let fits = match org.parent {
                None => org.level == Level::Nation,
                Some(parent) => {
                    let above: Level = orgs[parent.index()].level;
                    match org.level {
                        Level::Service => above == Level::Nation,
                        level => above > level && above != Level::Service,
                    }
                }
            };
            if !fits {
                let (code, level) = (org.code.clone(), org.level.as_str());
                return Err(OrganisationsError::Parent { row: index + 1, code, level });
            }
        }
        let mut nations = orgs.iter().enumerate().filter(|(_, org)| org.level == Level::Nation);
        if let (Some((_, first)), Some((index, second))) = (nations.next(), nations.next()) {
            let (code, first) = (second.code.clone(), first.code.clone());
            return Err(OrganisationsError::SecondNation { row: index + 1, code, first });
        }
        Ok(Organisations::linked(orgs, by_code))
    }

    fn linked(orgs: Vec<Organisation>, by_code: HashMap<String, OrgId>) -> Organisations {
        let mut paths = Vec::with_capacity(orgs.len());
        let mut sites_below = vec![Vec::new(); orgs.len()];
        let mut trusts = Vec::with_capacity(orgs.len());
        let (mut adds_to, mut responses_to) = (Vec::new(), Vec::new());
        for index in 0..orgs.len() {
            let own = OrgId(u16::try_from(index).expect("bounded in new"));
            let path: Vec<OrgId> = std::iter::successors(Some(own), |id| orgs[id.index()].parent).collect();
            if orgs[index].level == Level::Site {
                for id in &path {
                    sites_below[id.index()].push(own);
                }
            }
            trusts.push(path.iter().copied().find(|id| orgs[id.index()].level == Level::Trust));
            let (adds, responses) = belongs(&orgs, &path);
            adds_to.push(adds);
            responses_to.push(responses);
            paths.push(path);
        }
        let (members, areas) = (vec![Vec::new(); orgs.len()], vec![Vec::new(); orgs.len()]);
        let reaches = paths.clone();
        Organisations {
            orgs,
            by_code,
            paths,
            sites_below,
            adds_to,
            reaches,
            responses_to,
            members,
            areas,
            trusts,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.orgs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.orgs.is_empty()
    }

    /// Every organisation with its id, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (OrgId, &Organisation)> {
        self.orgs.iter().enumerate().map(|(index, org)| (OrgId(index as u16), org))
    }

    /// The organisation behind an id.
    pub fn get(&self, id: OrgId) -> &Organisation {
        &self.orgs[id.index()]
    }

    /// The organisation of that code, whatever its level.
    pub fn find(&self, code: &str) -> Option<OrgId> {
        self.by_code.get(code).copied()
    }

    /// The organisation of that code if it has that level: a trust's code is no site.
    pub fn find_at(&self, code: &str, level: Level) -> Option<OrgId> {
        self.find(code).filter(|id| self.get(*id).level == level)
    }

    /// The organisation of that code if events may speak of it: not a group, which `groups.csv` names.
    pub fn find_named(&self, code: &str) -> Option<OrgId> {
        self.find(code).filter(|id| self.get(*id).level != Level::Group)
    }

    /// Itself and everything above it, the lowest first; groups are above nothing.
    pub fn path(&self, id: OrgId) -> &[OrgId] {
        &self.paths[id.index()]
    }

    /// The sites at or below it, in the order of the table; of a group those under its members, each once.
    pub fn sites_below(&self, id: OrgId) -> &[OrgId] {
        &self.sites_below[id.index()]
    }

    /// Itself, everything above it and every group of which one of these is a member: whom a return of it concerns.
    pub fn reaches(&self, id: OrgId) -> &[OrgId] {
        &self.reaches[id.index()]
    }

    /// Every organisation to which a leaf's figures belong, itself first: of a site those above it and its groups; of a
    /// service only itself, as what is counted at a hospital is counted by destination (spec 2.4). Empty for others.
    pub fn adds_to(&self, leaf: OrgId) -> &[OrgId] {
        &self.adds_to[leaf.index()]
    }

    /// Where the responses of a service count: itself and the nation. Empty for others.
    pub fn responses_to(&self, service: OrgId) -> &[OrgId] {
        &self.responses_to[service.index()]
    }

    /// The members of a group, in the order of its rows; empty for others.
    pub fn members(&self, group: OrgId) -> &[OrgId] {
        &self.members[group.index()]
    }

    /// The areas of a site, in the order of the rows; empty for others.
    pub fn areas(&self, site: OrgId) -> &[Area] {
        &self.areas[site.index()]
    }

    /// Whether a journey to `destination` can have brought a patient to `site`: the same site or the same trust
    /// (spec 2.2, "its journey").
    pub fn same_trust(&self, site: OrgId, destination: OrgId) -> bool {
        let trust = self.trusts[site.index()];
        site == destination || (trust.is_some() && trust == self.trusts[destination.index()])
    }
}

/// Where the figures of a leaf belong that has this path upwards, and where its responses.
fn belongs(orgs: &[Organisation], path: &[OrgId]) -> (Vec<OrgId>, Vec<OrgId>) {
    let level = |id: &OrgId| orgs[id.index()].level;
    match path.first().map(level) {
        Some(Level::Site) => (path.to_vec(), Vec::new()),
        Some(Level::Service) => {
            let responses =
                path.iter().copied().filter(|id| matches!(level(id), Level::Service | Level::Nation));
            (path[..1].to_vec(), responses.collect())
        }
        Some(Level::Trust | Level::System | Level::Region | Level::Nation | Level::Group) | None => {
            (Vec::new(), Vec::new())
        }
    }
}

fn organisation(
    row_number: usize,
    row: &Row,
    by_code: &HashMap<String, OrgId>,
) -> Result<Organisation, OrganisationsError> {
    let code = row.code.clone();
    let Some(level) = Level::parse(&row.level).filter(|level| *level != Level::Group) else {
        return Err(OrganisationsError::Level { row: row_number, code, level: row.level.clone() });
    };
    let parent = match row.parent.as_str() {
        "" => None,
        parent => match by_code.get(parent) {
            Some(id) => Some(*id),
            None => {
                let parent = parent.to_owned();
                return Err(OrganisationsError::UnknownParent { row: row_number, code, parent });
            }
        },
    };
    let department_type = row.department_type.parse().ok().and_then(DepartmentType::from_number);
    if department_type.is_some() != (level == Level::Site)
        || (department_type.is_none() && !row.department_type.is_empty())
    {
        return Err(OrganisationsError::DepartmentType { row: row_number, code });
    }
    Ok(Organisation { code, name: row.name.clone(), level, parent, department_type })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        let mut cells = text.split(',').map(str::to_owned);
        let mut next = || cells.next().unwrap_or_default();
        Row { code: next(), name: next(), level: next(), parent: next(), department_type: next() }
    }

    fn rows(text: &str) -> Vec<Row> {
        text.lines().map(row).collect()
    }

    const ENGLAND: &str = "S1,One,site,T,1\nS2,Two,site,T,3\nT,Trust,trust,ENG,\nENG,England,nation,,\n\
                           A,Ambulance,service,ENG,\nS3,Three,site,ENG,1";

    #[test]
    fn paths_lead_upwards_and_levels_may_be_skipped() {
        let orgs = Organisations::new(&rows(ENGLAND)).unwrap();
        let id = |code| orgs.find(code).unwrap();
        assert_eq!(orgs.path(id("S1")), [id("S1"), id("T"), id("ENG")]);
        assert_eq!(orgs.sites_below(id("T")), [id("S1"), id("S2")]);
        assert_eq!(orgs.sites_below(id("A")), []);
        assert!(orgs.same_trust(id("S1"), id("S2")));
        assert!(!orgs.same_trust(id("S1"), id("S3")));
        assert!(orgs.same_trust(id("S3"), id("S3")));
        assert_eq!(orgs.find_at("T", Level::Site), None);
    }

    #[test]
    fn a_wrong_table_says_where_and_what_would_be_right() {
        for (text, message) in [
            (
                "X,x,ward,,",
                "row 1 (X): level \"ward\" is none of site, service, trust, system, region, nation",
            ),
            ("", "there is no organisation in the table; it must hold a nation at least"),
            (
                "X,x,group,,",
                "row 1 (X): level \"group\" is none of site, service, trust, system, region, nation",
            ),
            ("ENG,e,nation,,\nENG,e,nation,,", "row 2: code \"ENG\" stands twice"),
            (
                "ENG,e,nation,,\nT,t,trust,ENG,\nWAL,w,nation,,",
                "row 3: WAL is a second nation beside ENG; there is one",
            ),
            ("A B,x,nation,,", "row 1: code \"A B\" must be 1 to 16 of A–Z, a–z, 0–9 and -"),
            ("T,t,trust,Q,", "row 1 (T): parent \"Q\" is not in the table"),
            ("T,t,trust,,", "row 1 (T): a trust must have a parent of a higher level"),
            ("T,t,trust,S,\nS,s,site,T,1", "row 1 (T): a trust must have a parent of a higher level"),
            (
                "ENG,e,nation,,1",
                "row 1 (ENG): department_type must be 1 to 5 for a site and empty for everything else",
            ),
            (
                "ENG,e,nation,,\nS,s,site,ENG,6",
                "row 2 (S): department_type must be 1 to 5 for a site and empty for everything else",
            ),
        ] {
            let table: Vec<Row> = if text.is_empty() { Vec::new() } else { rows(text) };
            assert_eq!(Organisations::new(&table).unwrap_err().to_string(), message);
        }
    }
}
