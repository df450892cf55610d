//! Code tables: what a sender's codes mean in our words (spec 1.2). An unknown code states nothing and is counted:
//! never a guess.

use domain::event::{ArrivalMode, Attendance, DepartmentType, Disposal, Fact};
use hashbrown::HashMap;

/// A set of codes, by the name of its table in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeSet {
    /// → `department_type`.
    DepartmentType,
    /// → `planned`, or that the patient was dead on arrival.
    AttendanceCategory,
    /// → `planned`.
    Planned,
    /// → `child`.
    Child,
    /// → `arrival_mode`.
    ArrivalMode,
    /// → `acuity`.
    Acuity,
    /// → `disposal`, alone or with the destination.
    DischargeStatus,
    /// → `disposal`, where the status leaves it open.
    DischargeDestination,
}

impl CodeSet {
    /// Every set.
    pub const ALL: [CodeSet; 8] = [
        CodeSet::DepartmentType,
        CodeSet::AttendanceCategory,
        CodeSet::Planned,
        CodeSet::Child,
        CodeSet::ArrivalMode,
        CodeSet::Acuity,
        CodeSet::DischargeStatus,
        CodeSet::DischargeDestination,
    ];

    /// Its name in a feed.
    pub fn as_str(self) -> &'static str {
        match self {
            CodeSet::DepartmentType => "department_type",
            CodeSet::AttendanceCategory => "attendance_category",
            CodeSet::Planned => "planned",
            CodeSet::Child => "child",
            CodeSet::ArrivalMode => "arrival_mode",
            CodeSet::Acuity => "acuity",
            CodeSet::DischargeStatus => "discharge_status",
            CodeSet::DischargeDestination => "discharge_destination",
        }
    }
}

/// What an attendance category says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `planned` = true.
    Planned,
    /// `planned` = false.
    Unplanned,
    /// Dead on arrival.
    Died,
}

/// What a discharge status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The disposal itself.
    Is(Disposal),
    /// Treatment completed: the destination decides.
    ByDestination,
}

/// The tables of a feed.
#[derive(Clone, Debug)]
pub struct Codes {
    pub(crate) department_type: HashMap<String, DepartmentType>,
    pub(crate) attendance_category: HashMap<String, Category>,
    pub(crate) planned: HashMap<String, bool>,
    pub(crate) child: HashMap<String, bool>,
    pub(crate) arrival_mode: HashMap<String, ArrivalMode>,
    pub(crate) acuity: HashMap<String, u8>,
    pub(crate) discharge_status: HashMap<String, Status>,
    pub(crate) discharge_destination: HashMap<String, Disposal>,
}

/// What the codes of one message say together: the disposal is decided when all are known.
#[derive(Clone, Debug)]
pub struct Coded<'c> {
    codes: &'c Codes,
    category: Fact<Category>,
    status: Fact<Status>,
    destination: Fact<Disposal>,
    unknown: Vec<CodeSet>,
}

impl Codes {
    /// A message of which no code is read yet.
    pub fn coded(&self) -> Coded<'_> {
        Coded {
            codes: self,
            category: Fact::Absent,
            status: Fact::Absent,
            destination: Fact::Absent,
            unknown: Vec::new(),
        }
    }

    /// Whether a code is in the table of its set.
    fn knows(&self, set: CodeSet, code: &str) -> bool {
        match set {
            CodeSet::DepartmentType => self.department_type.contains_key(code),
            CodeSet::AttendanceCategory => self.attendance_category.contains_key(code),
            CodeSet::Planned => self.planned.contains_key(code),
            CodeSet::Child => self.child.contains_key(code),
            CodeSet::ArrivalMode => self.arrival_mode.contains_key(code),
            CodeSet::Acuity => self.acuity.contains_key(code),
            CodeSet::DischargeStatus => self.discharge_status.contains_key(code),
            CodeSet::DischargeDestination => self.discharge_destination.contains_key(code),
        }
    }
}

impl Coded<'_> {
    /// Reads one code: what it says of the attendance is stated, an unknown code states nothing. A retracted code
    /// retracts its fact.
    pub fn read(&mut self, set: CodeSet, code: Fact<&str>, attendance: &mut Attendance<'_>) {
        let codes = self.codes;
        let unknown = &mut self.unknown;
        let mut known = |found: bool| {
            if !found {
                unknown.push(set);
            }
        };
        macro_rules! meaning {
            ($table:ident, $place:expr) => {
                match code {
                    Fact::Absent => {}
                    Fact::Retracted => $place = Fact::Retracted,
                    Fact::Stated(text) => match codes.$table.get(text.trim()) {
                        Some(meaning) => $place = Fact::Stated(*meaning),
                        None => known(false),
                    },
                }
            };
        }
        match set {
            CodeSet::DepartmentType => meaning!(department_type, attendance.department_type),
            CodeSet::AttendanceCategory => {
                meaning!(attendance_category, self.category);
                match self.category {
                    Fact::Stated(Category::Planned) => attendance.planned = Fact::Stated(true),
                    Fact::Stated(Category::Unplanned) => attendance.planned = Fact::Stated(false),
                    Fact::Retracted => attendance.planned = Fact::Retracted,
                    Fact::Stated(Category::Died) | Fact::Absent => {}
                }
            }
            CodeSet::Planned => meaning!(planned, attendance.planned),
            CodeSet::Child => meaning!(child, attendance.child),
            CodeSet::ArrivalMode => meaning!(arrival_mode, attendance.arrival_mode),
            CodeSet::Acuity => meaning!(acuity, attendance.acuity),
            CodeSet::DischargeStatus => meaning!(discharge_status, self.status),
            CodeSet::DischargeDestination => meaning!(discharge_destination, self.destination),
        }
    }

    /// Reads several codes that are translations of each other: the first that is in the table counts. They are unknown
    /// only where none is.
    pub fn read_any<'t>(
        &mut self,
        set: CodeSet,
        mut codes: impl Iterator<Item = &'t str> + Clone,
        attendance: &mut Attendance<'_>,
    ) {
        let known = codes.clone().find(|code| self.codes.knows(set, code.trim()));
        let code = known.or_else(|| codes.next());
        self.read(set, code.map_or(Fact::Absent, Fact::Stated), attendance);
    }

    /// The disposal by everything that was read: died, before left, before what else the status says, before the
    /// destination. Retracted only where what was read retracts and nothing states.
    pub fn disposal(&self) -> Fact<Disposal> {
        let died = self.category == Fact::Stated(Category::Died)
            || self.status == Fact::Stated(Status::Is(Disposal::Died))
            || self.destination == Fact::Stated(Disposal::Died);
        if died {
            return Fact::Stated(Disposal::Died);
        }
        match (self.status, self.destination) {
            (Fact::Stated(Status::Is(disposal)), _) => Fact::Stated(disposal),
            (_, Fact::Stated(disposal)) => Fact::Stated(disposal),
            (Fact::Retracted, Fact::Retracted | Fact::Absent) | (Fact::Absent, Fact::Retracted) => {
                Fact::Retracted
            }
            (Fact::Stated(Status::ByDestination) | Fact::Absent, Fact::Absent)
            | (Fact::Stated(Status::ByDestination), Fact::Retracted) => Fact::Absent,
        }
    }

    /// The sets of the codes that are in no table.
    pub fn unknown(&self) -> &[CodeSet] {
        &self.unknown
    }
}
