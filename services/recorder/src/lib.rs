//! The records: brings published measures into a time-series store (spec 4.4), in line protocol.
//!
//! ```text
//!  measures.v1 ─ reading ─▶ portion of lines ─ writing ─▶ deliver ─▶ Sink (InfluxDB 2)
//!                                               │  └ checkpoint       └ what it does not take ─▶ refusals.v1
//!                                               └ doubt: unclear answers, written once more
//! ```
//!
//! Responsible for: every published value reaches the store, however often either goes away, and **of each point the
//! newest value stands there**. It computes nothing, and it never reads the store to decide what to write.
//!
//! # What is guaranteed, and why
//!
//! The topic keeps an org-minute in one partition and its revisions in their order (spec 2.6), the store overwrites. So
//! writing in the order of the topic, one request at a time, leaves the newest value; the rest is about what can change
//! that order.
//!
//! 1. *Within a portion* a point is written once, with its highest revision. After a mark, records of an older epoch are
//!    left out: a zombie undoes nothing.
//! 2. *An unclear answer* (no answer, a broken connection, most 5xx): the request may be carried out later than the one
//!    that repeated it. The points of the batch are written once more, with their newest values, 5 s later, and the
//!    position does not move on before; after 16 further portions nothing else is written before that either.
//! 3. *A crash.* Before a portion is sent, the checkpoint says up to where something may be in the store (`sent`), and
//!    afterwards up to where everything is (`stored`). A start reads all between the two first, and writes of each point
//!    only the newest value of it. What the store holds of a point came from a record before `sent`, so **a restarted
//!    recorder never writes an older value over a newer one**. As a request of the former process may still be on its way,
//!    these points count as doubtful (2). The span is at most 17 portions: memory is bounded.
//! 4. *Without its checkpoint* a recorder reads the topic from its start, in order. It ends with the newest values, but
//!    on its way a point can show an older value again. So the file is to be kept like the topic's own data. After a
//!    power cut, which can take the last second of the checkpoint with it, the same holds for that second.
//! 5. *A store that does not overwrite* (VictoriaMetrics) gets stamps that rise with each write: see [`victoria`].
//! 6. *Two recorders* on one store and topic each end with the newest values; while one is behind the other, points can
//!    show an older value for a moment. One recorder a store is what is meant.
//!
//! Not guaranteed: that every value was once in the store. Of values that follow each other within a portion only the
//! last is written.

pub mod backoff;
pub mod batch;
pub mod deliver;
mod doubt;
pub mod influx;
pub mod line;
pub mod metrics;
mod progress;
mod reading;
mod refusals;
pub mod service;
pub mod setup;
pub mod sink;
pub mod victoria;
mod writing;

pub use progress::ProgressError;
pub use service::{Recorder, RecorderError, run};
