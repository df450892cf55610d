//! A department that fills and empties, for rules to watch.

use std::borrow::Cow;

use domain::event::{Attendance, DepartmentType, Disposal, Event, Fact, Statement};
use domain::ids::Ref;
use domain::organisations::{Level, Organisation};
use domain::time::{Millis, Second};

use crate::patience::now_ms;
use crate::world::World;

/// So many patients fill the department.
const PATIENTS: u8 = 3;

/// A rule that fires for each site with that many patients, after `hold`, to the Alertmanager at `address`.
pub(crate) fn rules(address: std::net::SocketAddr, hold: &str) -> String {
    format!(
        "[alerts]\nfallback = \"log\"\n\
         [channel.log]\ntype = \"log\"\n\
         [channel.pager]\ntype = \"alertmanager\"\nurl = \"http://{address}\"\n\
         [[rule]]\nid = \"full\"\nlevel = \"site\"\nseries = {{ type = \"all\" }}\n\
         value = \"ae_department.present\"\nbreach = \">= {PATIENTS}\"\nhold = \"{hold}\"\nkeep = \"{hold}\"\n\
         severity = \"page\"\nchannels = [\"pager\"]\nsummary = \"{{name}}: {{present}} patients\"\n"
    )
}

impl World {
    /// Patients of ours come to a site (`leave`: they leave it).
    pub(crate) fn patients(&mut self, leave: bool) {
        let site = self.site();
        let now = now_ms();
        for number in 0..PATIENTS {
            let mut the = Attendance::new(site.clone(), Ref([number + 1; 16]));
            let at = Fact::Stated(Second((now / 1000) as u32 - 120));
            if leave {
                (the.departed_at, the.disposal) = (at, Fact::Stated(Disposal::Discharged));
            } else {
                the.arrived_at = at;
            }
            let id = Cow::Owned(format!("patient-{number}-{now}"));
            let event = Event {
                id,
                source: "epr".into(),
                recorded_at: Millis(now),
                statement: Statement::Attendance(the),
            };
            self.feed.push(event, number % 2 == 0);
        }
        self.send(usize::MAX);
    }

    /// A site whose patients count as type `all`.
    fn site(&self) -> String {
        let counts = |org: &Organisation| org.department_type != Some(DepartmentType::SameDayEmergencyCare);
        let mut sites = self.feed.case.orgs.iter().map(|(_, org)| org).filter(|org| org.level == Level::Site);
        sites.find(|org| counts(org)).expect("some site is not of type 5").code.clone()
    }
}
