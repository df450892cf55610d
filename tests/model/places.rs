//! Where a figure is shown (spec 2.3): a site, everything above it, and every group that it is in.

use std::sync::Arc;

use domain::ids::OrgId;
use domain::organisations::{Level, Organisations};

use super::Group;

/// The organisations and the groups.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) orgs: &'a Organisations,
    pub(super) groups: &'a [Group],
}

impl Places<'_> {
    pub(super) fn code(self, org: OrgId) -> Arc<str> {
        self.orgs.get(org).code.as_str().into()
    }

    /// The organisation of that code, if it stands at that level.
    pub(super) fn at_level(self, code: &str, level: Level) -> Option<OrgId> {
        let id = self.orgs.find(code)?;
        (self.orgs.get(id).level == level).then_some(id)
    }

    /// An organisation and everything above it.
    pub(super) fn upwards(self, org: OrgId) -> Vec<OrgId> {
        let mut path = vec![org];
        let mut at = org;
        while let Some(parent) = self.orgs.get(at).parent {
            path.push(parent);
            at = parent;
        }
        path
    }

    /// Where the figures of a site are shown: there, above it, and in every group of which it or something above it is
    /// a member; in each once.
    pub(super) fn of_site(self, site: OrgId) -> Vec<Arc<str>> {
        let path: Vec<Arc<str>> = self.upwards(site).into_iter().map(|org| self.code(org)).collect();
        let is_in = |group: &&Group| group.members.iter().any(|code| path.iter().any(|own| **own == **code));
        let groups: Vec<Arc<str>> =
            self.groups.iter().filter(is_in).map(|group| group.code.as_str().into()).collect();
        path.into_iter().chain(groups).collect()
    }

    pub(super) fn trust(self, site: OrgId) -> Option<OrgId> {
        self.upwards(site).into_iter().find(|org| self.orgs.get(*org).level == Level::Trust)
    }
}
