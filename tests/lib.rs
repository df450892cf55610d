//! What the acceptance tests share: the slow, obvious model of the specification, random cases for it, and the stories
//! in `scenarios/`. Nothing here is part of the program.

pub mod binary;
pub mod cases;
pub mod london;
pub mod model;
pub mod places;
pub mod program;
pub mod scenario;
pub mod situations;
