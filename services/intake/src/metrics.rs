//! What the intake counts about itself (`sitrep_intake_…`): each event read once, by its outcome.

use domain::event::Outcome;
use prometheus::{Histogram, IntCounter, IntGauge, Registry};
use runtime::metrics::{Counters, Label, MetricsError, counter, gauge, histogram};

use crate::hl7::adt::LeftOut;
use crate::hl7::answer::Answer as Acknowledged;

/// Upper bounds of the time of one post, seconds.
const POST_SECONDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0];

/// What became of an event at the door, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventLabel {
    /// The log has it.
    Taken,
    /// The refusals have it.
    Refused(Outcome),
}

impl Label for EventLabel {
    const ALL: &'static [EventLabel] = &[
        EventLabel::Taken,
        EventLabel::Refused(Outcome::TooLarge),
        EventLabel::Refused(Outcome::Malformed),
        EventLabel::Refused(Outcome::NotAllowed),
        EventLabel::Refused(Outcome::UnknownPlace),
        EventLabel::Refused(Outcome::UnknownStandard),
        EventLabel::Refused(Outcome::FutureDated),
    ];

    fn as_str(self) -> &'static str {
        match self {
            EventLabel::Taken => "taken",
            EventLabel::Refused(outcome) => outcome.as_str(),
        }
    }
}

/// How a post was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: every event has its outcome.
    Judged,
    /// 400: the body could not be taken apart.
    NotABody,
    /// 401 or 403.
    Denied,
    /// 408: the body did not come in time.
    Slow,
    /// 413.
    TooLarge,
    /// 415: an encoding that is not gzip.
    Encoding,
    /// 429: too much at once.
    Busy,
    /// 503: the log is away.
    Away,
}

impl Label for Answer {
    const ALL: &'static [Answer] = &[
        Answer::Judged,
        Answer::NotABody,
        Answer::Denied,
        Answer::Slow,
        Answer::TooLarge,
        Answer::Encoding,
        Answer::Busy,
        Answer::Away,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Answer::Judged => "judged",
            Answer::NotABody => "not_a_body",
            Answer::Denied => "denied",
            Answer::Slow => "slow",
            Answer::TooLarge => "too_large",
            Answer::Encoding => "encoding",
            Answer::Busy => "busy",
            Answer::Away => "away",
        }
    }
}

impl Label for Acknowledged {
    const ALL: &'static [Acknowledged] = &Acknowledged::ALL;

    fn as_str(self) -> &'static str {
        Acknowledged::as_str(self)
    }
}

/// Why something of an HL7 message was left out, as a label.
#[derive(Clone, Copy, Debug)]
pub struct LeftOutLabel(LeftOut);

/// All codes are one label.
impl PartialEq for LeftOutLabel {
    fn eq(&self, other: &LeftOutLabel) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Label for LeftOutLabel {
    const ALL: &'static [LeftOutLabel] = &{
        let mut all = [LeftOutLabel(LeftOut::Event); LeftOut::ALL.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = LeftOutLabel(LeftOut::ALL[index]);
            index += 1;
        }
        all
    };

    fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

/// How an MLLP connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The sender closed it between two messages.
    Closed,
    /// It broke off.
    Lost,
    /// Nothing came for too long.
    Idle,
    /// The sender did not read its answers.
    Slow,
    /// No TLS came about.
    Handshake,
    /// Too many, or not one of the listener's peers.
    NotAdmitted,
    /// We stopped.
    Shutdown,
}

impl Label for ConnectionEnd {
    const ALL: &'static [ConnectionEnd] = &[
        ConnectionEnd::Closed,
        ConnectionEnd::Lost,
        ConnectionEnd::Idle,
        ConnectionEnd::Slow,
        ConnectionEnd::Handshake,
        ConnectionEnd::NotAdmitted,
        ConnectionEnd::Shutdown,
    ];

    fn as_str(self) -> &'static str {
        match self {
            ConnectionEnd::Closed => "closed",
            ConnectionEnd::Lost => "lost",
            ConnectionEnd::Idle => "idle",
            ConnectionEnd::Slow => "slow",
            ConnectionEnd::Handshake => "handshake",
            ConnectionEnd::NotAdmitted => "not_admitted",
            ConnectionEnd::Shutdown => "shutdown",
        }
    }
}

/// The intake's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Events of posts that were judged. Taken and refused add up to this.
    pub read: IntCounter,
    /// The same by outcome.
    pub events: Counters<EventLabel>,
    /// Posts by answer.
    pub posts: Counters<Answer>,
    /// Bytes of bodies, as they came.
    pub bytes: IntCounter,
    /// Senders of whose events much is refused.
    pub senders_in_trouble: IntGauge,
    /// Seconds from the whole body to the answer.
    pub post_seconds: Histogram,
    /// MLLP messages by acknowledgement.
    pub mllp_answers: Counters<Acknowledged>,
    /// MLLP connections that are open.
    pub mllp_connections: IntGauge,
    mllp_ends: Counters<ConnectionEnd>,
    hl7_left_out: Counters<LeftOutLabel>,
}

impl Metrics {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> Result<Metrics, MetricsError> {
        Ok(Metrics {
            read: counter(
                registry,
                "sitrep_intake_read_total",
                "Events read; those taken and those refused add up to it.",
            )?,
            events: Counters::new(
                registry,
                "sitrep_intake_events_total",
                "Events by what became of them.",
                "outcome",
            )?,
            posts: Counters::new(registry, "sitrep_intake_posts_total", "Posts by answer.", "answer")?,
            bytes: counter(registry, "sitrep_intake_body_bytes_total", "Bytes of bodies, as they came.")?,
            senders_in_trouble: gauge(
                registry,
                "sitrep_intake_senders_in_trouble",
                "Senders of whose events of the last ten minutes more was refused than refusals.alarm_share.",
            )?,
            post_seconds: histogram(
                registry,
                "sitrep_intake_post_seconds",
                "Seconds from the whole body of a post to its answer.",
                &POST_SECONDS,
            )?,
            mllp_answers: Counters::new(
                registry,
                "sitrep_intake_mllp_messages_total",
                "HL7 messages by acknowledgement.",
                "answer",
            )?,
            mllp_connections: gauge(registry, "sitrep_intake_mllp_connections", "MLLP connections.")?,
            mllp_ends: Counters::new(
                registry,
                "sitrep_intake_mllp_connections_total",
                "MLLP connections that ended, by how.",
                "end",
            )?,
            hl7_left_out: Counters::new(
                registry,
                "sitrep_intake_hl7_left_out_total",
                "HL7 messages of which something was left out, by why (sitrep feed test shows it).",
                "why",
            )?,
        })
    }

    /// A post was judged: so many events taken, and these refused.
    pub(crate) fn judged(&self, taken: u64, refused: impl Iterator<Item = Outcome>) {
        self.events.of(EventLabel::Taken).inc_by(taken);
        self.read.inc_by(taken);
        for outcome in refused {
            self.events.of(EventLabel::Refused(outcome)).inc();
            self.read.inc();
        }
    }

    /// An MLLP connection ended.
    pub(crate) fn mllp_connection_ended(&self, how: ConnectionEnd) {
        self.mllp_ends.of(how).inc();
    }

    /// Something of an HL7 message was left out.
    pub(crate) fn hl7_left_out(&self, why: LeftOut) {
        self.hl7_left_out.of(LeftOutLabel(why)).inc();
    }
}
