//! What a simulation is asked for, with presets. Not checked here: `Simulation::new` does.

use domain::event::DepartmentType;
use domain::time::{END_SECOND, Second};

use crate::drill::Drill;
use crate::faults::Fault;

/// How often hospitals with a type-1 department state their beds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BedStates {
    /// Never.
    None,
    /// At 08:00 local time, as the national return does.
    Daily,
    /// Every hour.
    Hourly,
}

/// What is simulated. Two simulations with equal settings and organisations give the same events; with settings that
/// differ in `until` or `events_max` only, one gives the beginning of the other.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulationSettings {
    /// Decides every draw.
    pub seed: u64,
    /// First instant: patients come, and messages are received, from then on. Departments begin empty.
    pub from: Second,
    /// No message is received at or after it.
    pub until: Second,
    /// At most so many events.
    pub events_max: Option<u64>,
    /// What goes wrong; see [`crate::faults`] for the rates.
    pub faults: Vec<Fault>,
    /// Attendances relative to England's; 1 is real size.
    pub size: f64,
    /// Types that take part.
    pub types: Vec<DepartmentType>,
    /// Only so many sites of these types, the largest.
    pub largest: Option<usize>,
    /// Statements of each attendance, 2–16; `None`: as they come, about six.
    pub statements: Option<u8>,
    /// Whether a quarter of type-1 patients come by ambulance.
    pub ambulances: bool,
    /// Whether the services of these ambulances also answer calls that bring nobody to hospital.
    pub calls: bool,
    /// Bed states.
    pub beds: BedStates,
    /// Whether each source says every five minutes that it is alive.
    pub heartbeats: bool,
    /// A department that goes wrong.
    pub drill: Option<Drill>,
}

impl SimulationSettings {
    /// All of England at its real size, without faults.
    pub fn new(seed: u64, from: Second, until: Second) -> SimulationSettings {
        SimulationSettings {
            seed,
            from,
            until,
            events_max: None,
            faults: Vec::new(),
            size: 1.0,
            types: vec![DepartmentType::Major, DepartmentType::SingleSpecialty, DepartmentType::Other],
            largest: None,
            statements: None,
            ambulances: true,
            calls: true,
            beds: BedStates::Daily,
            heartbeats: false,
            drill: None,
        }
    }

    /// The demo: the 200 largest departments, ambulances, beds every hour, heartbeats, without an end.
    pub fn demo(seed: u64, from: Second) -> SimulationSettings {
        SimulationSettings {
            largest: Some(200),
            beds: BedStates::Hourly,
            heartbeats: true,
            ..SimulationSettings::new(seed, from, Second(END_SECOND))
        }
    }

    /// The benchmark's input: exactly `events` events of the 200 largest sites of types 1 and 3, ten statements an
    /// attendance, 3 % corrections, 1 % duplicates, 1 % hours late; journeys too, but no calls
    /// that bring nobody.
    pub fn benchmark(seed: u64, from: Second, events: u64) -> SimulationSettings {
        SimulationSettings {
            events_max: Some(events),
            faults: vec![Fault::Late, Fault::Duplicate, Fault::Corrected],
            types: vec![DepartmentType::Major, DepartmentType::Other],
            largest: Some(200),
            statements: Some(10),
            calls: false,
            ..SimulationSettings::new(seed, from, Second(END_SECOND))
        }
    }
}
