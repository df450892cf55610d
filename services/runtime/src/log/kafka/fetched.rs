//! What a reader's client has fetched, taken from librdkafka many records at a time.
//!
//! The Rust client hands out one record a call: each locks a queue, asks the clock three times and allocates twice, which
//! is over half of what reading a record costs. librdkafka's own call for batches does that once for many
//! (docs/decisions/0025). The records get a queue of their own for it, and what else the client has to say (statistics,
//! errors of brokers) stays on its main queue, which the Rust client serves. This is the only unsafe code of the project.
#![expect(unsafe_code, reason = "librdkafka's batches are not to be had through the safe client")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::health::Context;
use super::producer::{CONTENT_TYPE, PROTOBUF};

/// Records taken at once.
const AT_ONCE: usize = 1_024;

/// A client with the records that it has fetched. The fields are dropped in this order: a record must go before the queue
/// and a queue before its client.
pub(super) struct Fetched {
    taken: Vec<Record>,
    queue: Queue,
    consumer: BaseConsumer<Context>,
}

impl Fetched {
    /// Gives the partitions of these topics a queue of their own; before they are assigned, so that none is missed.
    pub(super) fn new(
        consumer: BaseConsumer<Context>,
        topics: &[(&str, Vec<u64>)],
    ) -> Result<Fetched, KafkaError> {
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives as long as the queue, by the order of the fields.
        let queue = Queue(unsafe { sys::rd_kafka_queue_new(client) });
        for (topic, offsets) in topics {
            let name = CString::new(*topic).map_err(KafkaError::Nul)?;
            for partition in 0..offsets.len() as i32 {
                // SAFETY: the client is alive and the name is a C string. A queue that does not exist is null.
                let of_partition =
                    Queue(unsafe { sys::rd_kafka_queue_get_partition(client, name.as_ptr(), partition) });
                if of_partition.0.is_null() {
                    return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownPartition));
                }
                // SAFETY: both are queues of this client; librdkafka counts its own references to them.
                unsafe { sys::rd_kafka_queue_forward(of_partition.0, queue.0) };
            }
        }
        Ok(Fetched { taken: Vec::with_capacity(AT_ONCE), queue, consumer })
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<Context> {
        &self.consumer
    }

    /// Hands at most `max` records to `each`, waiting at most `timeout` for the first; how many they were. A record can
    /// be an error instead. Afterwards the client's other news is served.
    pub(super) fn take(&mut self, max: usize, timeout: Duration, each: &mut dyn FnMut(&Record)) -> usize {
        let (mut count, mut wait) = (0, timeout);
        // A batch is waited for until it is full: so the first is waited for alone, and then what is there is taken.
        let mut wanted = max.min(1);
        while wanted > 0 && self.fill(wanted, wait) > 0 {
            for record in self.taken.drain(..) {
                count += 1;
                each(&record);
            }
            (wanted, wait) = ((max - count).min(AT_ONCE), Duration::ZERO);
        }
        count
    }

    fn fill(&mut self, wanted: usize, wait: Duration) -> usize {
        debug_assert!(self.taken.is_empty() && wanted <= self.taken.capacity());
        let wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        let room = self.taken.as_mut_ptr().cast::<*mut sys::rd_kafka_message_t>();
        // SAFETY: there is room for `wanted` pointers, of which the call writes as many as it says, none of them null;
        // each is ours to destroy, and a `Record` is nothing but such a pointer.
        unsafe {
            let got = sys::rd_kafka_consume_batch_queue(self.queue.0, wait_ms, room, wanted);
            self.taken.set_len(usize::try_from(got).unwrap_or(0));
        }
        self.taken.len()
    }
}

struct Queue(*mut sys::rd_kafka_queue_t);

impl Drop for Queue {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: this is our one reference to it.
            unsafe { sys::rd_kafka_queue_destroy(self.0) };
        }
    }
}

/// A record in librdkafka's memory, or an error in its place.
#[repr(transparent)]
pub(super) struct Record(NonNull<sys::rd_kafka_message_t>);

impl Record {
    fn message(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: it is alive until this is dropped, and nobody changes it.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn error(&self) -> Option<KafkaError> {
        match self.message().err {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            error => Some(KafkaError::MessageConsumption(error.into())),
        }
    }

    /// Empty where the record is an error about no topic.
    pub(super) fn topic(&self) -> &[u8] {
        let topic = self.message().rkt;
        if topic.is_null() {
            return &[];
        }
        // SAFETY: a record keeps its topic alive, and the name is a C string that lives as long.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) }.to_bytes()
    }

    pub(super) fn partition(&self) -> u32 {
        self.message().partition as u32
    }

    pub(super) fn offset(&self) -> u64 {
        self.message().offset as u64
    }

    /// When the log took it; 0 if it does not say.
    pub(super) fn timestamp_ms(&self) -> i64 {
        // SAFETY: the record is alive; the kind of the timestamp may be left out.
        unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), ptr::null_mut()) }.max(0)
    }

    pub(super) fn key(&self) -> &[u8] {
        // SAFETY: librdkafka's pointer and length belong together and live as long as the record.
        unsafe { bytes(self.message().key.cast(), self.message().key_len) }
    }

    pub(super) fn value(&self) -> &[u8] {
        // SAFETY: as of the key.
        unsafe { bytes(self.message().payload.cast(), self.message().len) }
    }

    /// Whether header `content-type` says so. Names of headers may be any bytes. A value that begins with `{` is not:
    /// as protobuf that would be a group, which no message of ours has, and to look for headers costs a fifth of what
    /// else reading a record costs.
    pub(super) fn is_protobuf(&self) -> bool {
        if self.value().first() == Some(&b'{') {
            return false;
        }
        let mut headers = ptr::null_mut();
        // SAFETY: the record is alive; it keeps the headers, if it has any.
        let found = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &raw mut headers) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return false;
        }
        for index in 0.. {
            let (mut name, mut value, mut length): (*const c_char, _, usize) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers live as long as the record; the name is a C string.
            let (name, value) = unsafe {
                let outcome = sys::rd_kafka_header_get_all(
                    headers,
                    index,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                );
                if outcome != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return false;
                }
                (CStr::from_ptr(name).to_bytes(), bytes(value.cast(), length))
            };
            if name.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes()) && value == PROTOBUF.as_bytes() {
                return true;
            }
        }
        false
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: it came from a batch and is destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

/// # Safety
///
/// `start` is null or points to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> &'a [u8] {
    if start.is_null() { &[] } else { unsafe { slice::from_raw_parts(start, length) } }
}
