//! Whether the key of pseudonyms is the one that this deployment began with. Under another key every open attendance and
//! journey begins anew, so it is never changed by accident.
//!
//! What is kept is a fingerprint of the key, on the control topic: it lies where the events lie, and every intake of the
//! deployment finds the same one. The first that was written stands, until one is written that was asked for.

use contract::topics::CONTROL;
use runtime::log::{Log, LogError, NewRecord};

use super::Pseudonyms;

/// The key of our records: the control topic has others.
const KEY: &[u8] = b"pseudonym-key";

/// Why the intake does not start.
#[derive(Debug, thiserror::Error)]
pub enum KeyChangeError {
    /// Another key than that of the events in the log.
    #[error(
        "the key for pseudonyms is not the one that this log began with ({before}): under another one every open \
         attendance and journey begins anew. Give the old key; or, to begin anew, set \
         pseudonyms.accept_new_key = \"{now}\""
    )]
    Changed {
        /// The fingerprint that stands.
        before: String,
        /// The fingerprint of the key that was given.
        now: String,
    },
    /// The log could not be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Compares the key with the log's, and writes it there if it is the first or is `accepted` by its fingerprint.
/// Blocks; reads the whole control topic, which has a record for each start of a publisher.
pub fn check_key(log: &dyn Log, pseudonyms: &Pseudonyms, accepted: &str) -> Result<(), KeyChangeError> {
    let now = pseudonyms.fingerprint();
    let is_accepted = accepted == now;
    match standing(log)? {
        Some(before) if before == now => return Ok(()),
        Some(before) if !is_accepted => return Err(KeyChangeError::Changed { before, now }),
        Some(_) => {
            tracing::warn!(fingerprint = now, "a new key for pseudonyms is accepted, as it was asked for")
        }
        None => tracing::info!(fingerprint = now, "the first key for pseudonyms"),
    }
    let how = if is_accepted { "accepted" } else { "first" };
    let value = format!("{how} {now}").into_bytes();
    log.append(CONTROL, &[NewRecord { key: KEY.to_vec(), value, protobuf: false, partition: Some(0) }])?;
    // Another intake may have written its own in the same moment.
    match standing(log)? {
        Some(before) if before != now => Err(KeyChangeError::Changed { before, now }),
        Some(_) | None => Ok(()),
    }
}

/// The fingerprint that stands, if there is one.
fn standing(log: &dyn Log) -> Result<Option<String>, LogError> {
    let (starts, ends) = (log.starts(CONTROL)?, log.ends(CONTROL)?);
    let mut left: u64 = ends.iter().zip(&starts).map(|(end, start)| end - start).sum();
    let mut reader = log.reader(&[(CONTROL, starts)])?;
    let mut standing: Option<String> = None;
    while left > 0 {
        let mut each = |record: runtime::log::RecordView<'_>| {
            if record.key != KEY {
                return;
            }
            let text = String::from_utf8_lossy(record.value);
            let Some((how, fingerprint)) = text.split_once(' ') else { return };
            if how == "accepted" || standing.is_none() {
                standing = Some(fingerprint.to_owned());
            }
        };
        let read = reader.poll(1_000, std::time::Duration::from_secs(10), &mut each)?;
        if read == 0 {
            return Err(LogError::Unavailable(format!("{CONTROL} could not be read to its end")));
        }
        left = left.saturating_sub(read as u64);
    }
    Ok(standing)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use runtime::clock::ManualClock;
    use runtime::log::TopicSetup;
    use runtime::log::embedded::EmbeddedLog;

    use super::*;

    fn log(folder: &Path) -> EmbeddedLog {
        let log = EmbeddedLog::open(folder, Arc::new(ManualClock::new(1_795_270_200_000))).unwrap();
        let topic = TopicSetup { name: CONTROL, partitions: 1, retention: None, append_time: false };
        log.set_up(&[topic], true).unwrap();
        log
    }

    fn publisher(log: &EmbeddedLog) {
        let value = b"publisher".to_vec();
        log.append(CONTROL, &[NewRecord { key: vec![], value, protobuf: false, partition: Some(0) }])
            .unwrap();
    }

    fn keyed(key: &str) -> Pseudonyms {
        Pseudonyms::new(Some(key.as_bytes()), true).unwrap()
    }

    #[test]
    fn a_changed_key_is_refused_unless_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (keyed("the first key of all"), keyed("another key of them"));
        {
            let log = log(folder.path());
            publisher(&log);
            check_key(&log, &one, "").unwrap();
            publisher(&log);
            check_key(&log, &one, "").unwrap();
            check_key(&log, &one, &two.fingerprint()).unwrap();
            let error = check_key(&log, &two, "").unwrap_err().to_string();
            assert!(error.contains(&two.fingerprint()) && error.contains(&one.fingerprint()), "{error}");
            assert!(!error.contains("another key"), "{error}");
            // What is accepted is this key and no other.
            assert!(check_key(&log, &two, &one.fingerprint()).is_err());
            assert!(check_key(&log, &two, "true").is_err());
        }
        let log = log(folder.path());
        check_key(&log, &two, &two.fingerprint()).unwrap();
        // It may stay there.
        check_key(&log, &two, &two.fingerprint()).unwrap();
        check_key(&log, &two, "").unwrap();
        assert!(check_key(&log, &one, &two.fingerprint()).is_err());
        // No key at all is another key too.
        assert!(check_key(&log, &Pseudonyms::Hashed, "").is_err());
        assert_eq!(log.ends(CONTROL).unwrap(), [4], "two publishers, two keys");
    }

    #[test]
    fn of_two_that_come_at_once_the_first_stands() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path());
        let (one, two) = (keyed("the first key of all"), keyed("another key of them"));
        for key in [&one, &two] {
            let value = format!("first {}", key.fingerprint()).into_bytes();
            log.append(CONTROL, &[NewRecord { key: KEY.to_vec(), value, protobuf: false, partition: None }])
                .unwrap();
        }
        check_key(&log, &one, "").unwrap();
        assert!(check_key(&log, &two, "").is_err());
    }
}
