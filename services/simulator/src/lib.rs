//! The drill: events that nobody lived through. It invents England's A&E departments hour by hour ([`Simulation`]),
//! and turns published monthly tables into attendances that reproduce their counts exactly ([`import`]).
//!
//! Responsible for what a source would say and when the log would receive it. Not for reading organisations, not for
//! writing events anywhere, and it has no clock: the caller paces it (`next_before(now)`), so that a day of history
//! at once and the minutes after it are the same stream.
//!
//! Every draw comes from a generator that is seeded with (seed, purpose, site, hour). So an hour at a site is the
//! same whatever was simulated before it: a stream can be cut anywhere and taken up again ([`Simulation::resume`]).
//!
//! Reading order: [`simulation`] (the engine), `arrivals` and `national` (how many), `stays`, `journeys` and
//! `calls` (what happens to each), [`faults`] (what goes wrong on the way), `script` and `statements` (what is said), [`import`].

mod arrivals;
mod beds;
mod calls;
pub mod drill;
pub mod faults;
pub mod import;
mod journeys;
mod national;
pub mod organisations;
mod queue;
mod random;
mod script;
pub mod settings;
pub mod simulation;
mod statements;
mod stays;

pub use drill::Drill;
pub use faults::Fault;
pub use settings::{BedStates, SimulationSettings};
pub use simulation::{Delivered, Simulation, SimulationError};
