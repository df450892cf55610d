//! A department of our own that fills and empties, for rules to watch: no event of a case is about it.

use std::borrow::Cow;

use domain::event::{Attendance, Disposal, Event, Fact, Statement};
use domain::ids::{OrgId, Ref};
use domain::organisations::{Organisations, Row};
use domain::time::{Millis, Second};

use crate::patience::now_ms;
use crate::world::World;

/// So many patients fill the department.
const PATIENTS: u8 = 3;

/// Its code.
const SITE: &str = "OURS";

/// A case's organisations and our site.
pub(crate) fn beside(orgs: &Organisations) -> Organisations {
    let code = |org: OrgId| orgs.get(org).code.clone();
    let mut rows: Vec<Row> = orgs
        .iter()
        .map(|(_, org)| Row {
            code: org.code.clone(),
            name: org.name.clone(),
            level: org.level.as_str().to_owned(),
            parent: org.parent.map(code).unwrap_or_default(),
            department_type: org.department_type.map(|one| one.number().to_string()).unwrap_or_default(),
        })
        .collect();
    rows.push(Row {
        code: SITE.to_owned(),
        name: "Our site".to_owned(),
        level: "site".to_owned(),
        parent: "ENG".to_owned(),
        department_type: "1".to_owned(),
    });
    Organisations::new(&rows).expect("the case's are right")
}

/// A rule that fires while our site has that many patients, after `hold`, to the Alertmanager at `address`.
pub(crate) fn rules(address: std::net::SocketAddr, hold: &str) -> String {
    format!(
        "[alerts]\nfallback = \"log\"\n\
         [channel.log]\ntype = \"log\"\n\
         [channel.pager]\ntype = \"alertmanager\"\nurl = \"http://{address}\"\n\
         [[rule]]\nid = \"full\"\nlevel = \"site\"\norgs = [\"{SITE}\"]\nseries = {{ type = \"all\" }}\n\
         value = \"ae_department.present\"\nbreach = \">= {PATIENTS}\"\nhold = \"{hold}\"\nkeep = \"{hold}\"\n\
         severity = \"page\"\nchannels = [\"pager\"]\nsummary = \"{{name}}: {{present}} patients\"\n"
    )
}

impl World {
    /// Patients come to our site (`leave`: they leave it): sent before all that waits. Returns how many events.
    pub(crate) fn patients(&mut self, leave: bool) -> usize {
        let now = now_ms();
        for number in 0..PATIENTS {
            let mut the = Attendance::new(Cow::Borrowed(SITE), Ref([number + 1; 16]));
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
        self.feed.waiting.rotate_right(usize::from(PATIENTS));
        self.send(usize::from(PATIENTS))
    }
}
