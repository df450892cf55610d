//! What a store must be able to do, so that it can be replaced in a day: one attempt to write lines, and a look whether
//! it is there. Everything above (batches, waits, halving, order) is the same for every store.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::batch::Origin;

/// A store that takes line protocol.
pub trait Sink: Send + Sync + 'static {
    /// One attempt to write some lines. It bounds its own time and never retries.
    fn write(&self, lines: &[u8]) -> impl Future<Output = Attempt> + Send;

    /// One attempt to write nothing: whether the store is there and would let us write.
    fn probe(&self) -> impl Future<Output = Attempt> + Send;
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The store has all of it.
    Written,
    /// Nothing is wrong with the lines: try the same again later.
    Away(Away),
    /// The store does not take at least one of the lines; whether it has the others is not known.
    Refused(Refused),
}

/// The store did not take the lines, for a reason that is not in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// The reason.
    pub reason: AwayReason,
    /// How long the store asked us to wait.
    pub retry_after: Option<Duration>,
    /// Whether the lines may be written all the same, now or a little later: no answer, or an unclear one.
    pub perhaps_written: bool,
    /// What it said, cut and without control characters.
    pub detail: String,
}

/// Why a store did not take lines that may be good. Each is retried for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AwayReason {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// It asks us to slow down (429).
    Throttled,
    /// It cannot just now (5xx, 408).
    Unavailable,
    /// The token is missing, wrong, expired or has too few rights (401, 403).
    NotAllowed,
    /// No such bucket, organisation or address (404).
    NotFound,
    /// Any other answer: somebody has to look.
    Unexpected,
}

impl AwayReason {
    /// Every reason.
    pub const ALL: [AwayReason; 7] = [
        AwayReason::Unreachable,
        AwayReason::TimedOut,
        AwayReason::Throttled,
        AwayReason::Unavailable,
        AwayReason::NotAllowed,
        AwayReason::NotFound,
        AwayReason::Unexpected,
    ];

    /// The name in logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            AwayReason::Unreachable => "unreachable",
            AwayReason::TimedOut => "timed_out",
            AwayReason::Throttled => "throttled",
            AwayReason::Unavailable => "unavailable",
            AwayReason::NotAllowed => "not_allowed",
            AwayReason::NotFound => "not_found",
            AwayReason::Unexpected => "unexpected",
        }
    }
}

/// The store does not take at least one of the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub reason: RefusedReason,
    /// How many lines it says it dropped; never more than it did.
    pub dropped: Option<usize>,
    /// What it said, cut and without control characters.
    pub detail: String,
}

/// Why a store does not take a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusedReason {
    /// It cannot read it (400).
    Malformed,
    /// It is too much at once (413): halved, and only a single line that is too much is left out.
    TooLarge,
    /// A field has another type in the store (422).
    FieldConflict,
    /// It is older than what the store keeps (422).
    OutsideRetention,
    /// Any other 422.
    Unprocessable,
}

impl RefusedReason {
    /// Every reason.
    pub const ALL: [RefusedReason; 5] = [
        RefusedReason::Malformed,
        RefusedReason::TooLarge,
        RefusedReason::FieldConflict,
        RefusedReason::OutsideRetention,
        RefusedReason::Unprocessable,
    ];

    /// The name in logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusedReason::Malformed => "malformed",
            RefusedReason::TooLarge => "too_large",
            RefusedReason::FieldConflict => "field_conflict",
            RefusedReason::OutsideRetention => "outside_retention",
            RefusedReason::Unprocessable => "unprocessable",
        }
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store is {}: {}", self.reason.as_str(), self.detail)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store refuses a line as {}: {}", self.reason.as_str(), self.detail)
    }
}

/// A line that the store does not take, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The line with its newline.
    pub line: Vec<u8>,
    /// The record that it came from.
    pub origin: Origin,
    /// Why.
    pub refused: Refused,
}
