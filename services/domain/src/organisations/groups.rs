//! Groups (`groups.csv`, spec 2.3): any other grouping of organisations, such as the trusts of an improvement programme.
//! A group stands for the union of the sites under its members, each site once. Its members are organisations of any
//! level but groups. An ambulance service may be one, but has no sites: by itself it adds nothing.

use super::{Level, Organisation, Organisations};
use crate::ids::OrgId;

/// A row as it is read: one member of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// `group`: the group's code.
    pub group: String,
    /// `name`: what people call it.
    pub name: String,
    /// `member`: the code of an organisation.
    pub member: String,
}

/// The longest code of a group: it tells programme, date and direction.
const CODE_MAX: usize = 32;

/// Why a table of groups cannot be used. `row` counts from 1, the header not counted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GroupsError {
    /// A code is empty, too long, or holds a character that a tag may not hold.
    #[error("row {row}: group \"{group}\" must be 1 to {CODE_MAX} of A–Z, a–z, 0–9 and -")]
    Code {
        /// Which row.
        row: usize,
        /// The code, escaped.
        group: String,
    },
    /// The code is that of an organisation: a code is never both.
    #[error("row {row}: group \"{group}\" is the code of an organisation; choose another")]
    Both {
        /// Which row.
        row: usize,
        /// The code.
        group: String,
    },
    /// A name is empty or has a control character.
    #[error("row {row} ({group}): the name is empty or holds a control character")]
    Name {
        /// Which row.
        row: usize,
        /// The group.
        group: String,
    },
    /// Two rows of a group give it two names.
    #[error("row {row} ({group}): the name \"{name}\" is not that of the rows before, \"{before}\"")]
    TwoNames {
        /// Which row.
        row: usize,
        /// The group.
        group: String,
        /// The name of this row.
        name: String,
        /// The name before.
        before: String,
    },
    /// The member is no organisation.
    #[error("row {row} ({group}): member \"{member}\" is not in organisations.csv")]
    UnknownMember {
        /// Which row.
        row: usize,
        /// The group.
        group: String,
        /// The member, escaped.
        member: String,
    },
    /// The member is a group.
    #[error("row {row} ({group}): member \"{member}\" is a group; members are organisations")]
    GroupMember {
        /// Which row.
        row: usize,
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// A member stands twice in a group.
    #[error("row {row} ({group}): member \"{member}\" stands twice")]
    Twice {
        /// Which row.
        row: usize,
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// More organisations and groups than [`OrgId`] can name.
    #[error("more than 65,000 organisations and groups")]
    TooMany,
}

impl Organisations {
    /// The same organisations with these groups. The order of the rows does not matter but for the order of the groups.
    pub fn with_groups(mut self, rows: &[GroupRow]) -> Result<Organisations, GroupsError> {
        let organisations = self.len();
        for (index, row) in rows.iter().enumerate() {
            let group = self.group(organisations, index + 1, row)?;
            let member = self.member(organisations, index + 1, row, rows)?;
            if self.members[group.index()].contains(&member) {
                let (group, member) = (row.group.clone(), row.member.clone());
                return Err(GroupsError::Twice { row: index + 1, group, member });
            }
            self.members[group.index()].push(member);
        }
        for index in organisations..self.len() {
            self.unite(OrgId(index as u16));
        }
        Ok(self)
    }

    /// The group of a row, new if it is its first.
    fn group(&mut self, organisations: usize, row: usize, cells: &GroupRow) -> Result<OrgId, GroupsError> {
        let group = cells.group.clone();
        let plain = group.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if group.is_empty() || group.len() > CODE_MAX || !plain {
            return Err(GroupsError::Code { row, group: group.escape_debug().to_string() });
        }
        if cells.name.is_empty() || cells.name.chars().any(char::is_control) {
            return Err(GroupsError::Name { row, group });
        }
        match self.find(&group) {
            Some(id) if id.index() < organisations => Err(GroupsError::Both { row, group }),
            Some(id) if self.get(id).name != cells.name => {
                let (name, before) = (cells.name.clone(), self.get(id).name.clone());
                Err(GroupsError::TwoNames { row, group, name, before })
            }
            Some(id) => Ok(id),
            None if self.len() >= 65_000 => Err(GroupsError::TooMany),
            None => Ok(self.add_group(group, cells.name.clone())),
        }
    }

    fn add_group(&mut self, code: String, name: String) -> OrgId {
        let id = OrgId(self.len() as u16);
        self.by_code.insert(code.clone(), id);
        self.orgs.push(Organisation { code, name, level: Level::Group, parent: None, department_type: None });
        self.paths.push(vec![id]);
        self.reaches.push(vec![id]);
        for lists in [&mut self.sites_below, &mut self.adds_to, &mut self.responses_to, &mut self.members] {
            lists.push(Vec::new());
        }
        self.areas.push(Vec::new());
        self.trusts.push(None);
        id
    }

    fn member(
        &self,
        organisations: usize,
        row: usize,
        cells: &GroupRow,
        rows: &[GroupRow],
    ) -> Result<OrgId, GroupsError> {
        let (group, member) = (cells.group.clone(), cells.member.clone());
        if rows.iter().any(|other| other.group == member)
            && self.find(&member).is_none_or(|id| id.index() >= organisations)
        {
            return Err(GroupsError::GroupMember { row, group, member });
        }
        let member = member.escape_debug().to_string();
        self.find(&cells.member).ok_or(GroupsError::UnknownMember { row, group, member })
    }

    /// The sites under the members, in the order of the table, each once; each of them then adds to the group.
    fn unite(&mut self, group: OrgId) {
        let below = self.members[group.index()].iter().flat_map(|member| self.sites_below(*member));
        let mut sites: Vec<OrgId> = below.copied().collect();
        sites.sort_unstable();
        sites.dedup();
        for site in &sites {
            self.adds_to[site.index()].push(group);
        }
        self.sites_below[group.index()] = sites;
        let members = &self.members[group.index()];
        for (path, reaches) in self.paths.iter().zip(&mut self.reaches) {
            if path.iter().any(|org| members.contains(org)) {
                reaches.push(group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisations::Row;

    fn england() -> Organisations {
        let row = |text: &str| {
            let mut cells = text.split(',').map(str::to_owned);
            let mut next = || cells.next().unwrap_or_default();
            Row { code: next(), name: next(), level: next(), parent: next(), department_type: next() }
        };
        let rows = ["S1,One,site,T,1", "S2,Two,site,T,3", "S3,Three,site,ENG,1", "T,Trust,trust,ENG,"];
        let others = ["ENG,England,nation,,", "A,Ambulance,service,ENG,"];
        Organisations::new(&rows.into_iter().chain(others).map(row).collect::<Vec<_>>()).unwrap()
    }

    fn rows(text: &str) -> Vec<GroupRow> {
        let row = |line: &str| {
            let mut cells = line.split(',').map(str::to_owned);
            let mut next = || cells.next().unwrap_or_default();
            GroupRow { group: next(), name: next(), member: next() }
        };
        text.lines().map(row).collect()
    }

    #[test]
    fn a_site_under_two_members_counts_once_and_may_be_in_several_groups() {
        let orgs =
            england().with_groups(&rows("G,Gee,T\nH,Haitch,S3\nG,Gee,S2\nH,Haitch,A\nG,Gee,A")).unwrap();
        let id = |code| orgs.find(code).unwrap();
        assert_eq!(orgs.sites_below(id("G")), [id("S1"), id("S2")]);
        assert_eq!(orgs.sites_below(id("H")), [id("S3")]);
        assert_eq!(orgs.adds_to(id("S2")), [id("S2"), id("T"), id("ENG"), id("G")]);
        assert_eq!(orgs.adds_to(id("S3")), [id("S3"), id("ENG"), id("H")]);
        assert_eq!(orgs.adds_to(id("A")), [id("A")], "a service as a member has no sites");
        assert_eq!(orgs.responses_to(id("A")), [id("A"), id("ENG")]);
        assert_eq!(orgs.path(id("S2")), [id("S2"), id("T"), id("ENG")]);
        assert_eq!(orgs.members(id("G")), [id("T"), id("S2"), id("A")]);
        assert_eq!(orgs.reaches(id("A")), [id("A"), id("ENG"), id("G"), id("H")]);
        assert_eq!(orgs.reaches(id("T")), [id("T"), id("ENG"), id("G")]);
        assert_eq!(orgs.reaches(id("G")), [id("G")]);
        assert_eq!(orgs.find_at("G", Level::Group), Some(id("G")));
        assert_eq!((orgs.find_named("G"), orgs.find_named("T")), (None, Some(id("T"))));
    }

    #[test]
    fn a_wrong_group_says_where_and_what_would_be_right() {
        for (text, message) in [
            ("G,Gee,X", "row 1 (G): member \"X\" is not in organisations.csv"),
            ("G,Gee,T\nT,Tee,S1", "row 2: group \"T\" is the code of an organisation; choose another"),
            ("G,Gee,T\nG,Gee,T", "row 2 (G): member \"T\" stands twice"),
            ("G,Gee,T\nG,Goo,S3", "row 2 (G): the name \"Goo\" is not that of the rows before, \"Gee\""),
            ("G,,T", "row 1 (G): the name is empty or holds a control character"),
            ("G,Gee,H\nH,Haitch,T", "row 1 (G): member \"H\" is a group; members are organisations"),
            ("G,Gee,G", "row 1 (G): member \"G\" is a group; members are organisations"),
            ("G H,Gee,T", "row 1: group \"G H\" must be 1 to 32 of A–Z, a–z, 0–9 and -"),
            (",Gee,T", "row 1: group \"\" must be 1 to 32 of A–Z, a–z, 0–9 and -"),
        ] {
            assert_eq!(england().with_groups(&rows(text)).unwrap_err().to_string(), message, "{text}");
        }
    }
}
