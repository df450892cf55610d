//! Makes the topics that are missing and checks all of them: a setting that would lose data is an error that says what
//! mends it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::Thread;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::health::{Context, KafkaHealth};
use super::{
    ANSWER_TIMEOUT, KafkaConfig, LOOK_EVERY, LOOKS, LogError, Queries, all_watermarks, failed, partitions,
};
use crate::log::TopicSetup;

pub(super) fn set_up(
    config: &KafkaConfig,
    queries: &Queries,
    health: KafkaHealth,
    topics: &[TopicSetup],
    create: bool,
) -> Result<(), LogError> {
    let admin: AdminClient<Context> =
        config.admin().create_with_context(Context::new(health)).map_err(|error| failed("", &error))?;
    let mut missing = Vec::new();
    for topic in topics {
        match partitions(queries, topic.name) {
            Ok(_) => {}
            Err(LogError::NoTopic(_)) if create => missing.push(topic),
            Err(error) => return Err(error),
        }
    }
    if !missing.is_empty() {
        make(config, &admin, &missing)?;
        missing.iter().try_for_each(|topic| await_topic(queries, topic.name))?;
    }
    check(config, &admin, topics)
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT)).operation_timeout(Some(ANSWER_TIMEOUT))
}

fn make(config: &KafkaConfig, admin: &AdminClient<Context>, missing: &[&TopicSetup]) -> Result<(), LogError> {
    let retentions: Vec<String> = missing.iter().map(|topic| retention_ms(topic).to_string()).collect();
    let new = missing.iter().zip(&retentions).map(|(topic, retention)| {
        NewTopic::new(topic.name, topic.partitions as i32, TopicReplication::Fixed(config.replication))
            .set("cleanup.policy", "delete")
            .set("retention.ms", retention)
            .set("retention.bytes", "-1")
            .set("message.timestamp.type", if topic.append_time { "LogAppendTime" } else { "CreateTime" })
    });
    let new: Vec<_> = new.collect();
    for outcome in block_on(admin.create_topics(&new, &options())).map_err(|error| failed("", &error))? {
        match outcome {
            Ok(topic) => tracing::info!(topic, "topic made"),
            // Another service was quicker.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(not_made(&topic, code)),
        }
    }
    Ok(())
}

fn not_made(topic: &str, code: RDKafkaErrorCode) -> LogError {
    use RDKafkaErrorCode as Code;
    match code {
        Code::InvalidReplicationFactor => LogError::Misconfigured(format!(
            "topic {topic} cannot be made: {code}: set kafka.replication to at most the number of brokers, or to -1"
        )),
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed | Code::PolicyViolation => {
            LogError::Misconfigured(format!(
                "topic {topic} cannot be made: {code}: make it by hand and set kafka.create_topics = false"
            ))
        }
        code => failed(topic, &KafkaError::AdminOp(code)),
    }
}

/// Until the brokers know a topic that was made, and each of its partitions answers.
fn await_topic(queries: &Queries, topic: &str) -> Result<(), LogError> {
    for _ in 0..LOOKS {
        match all_watermarks(queries, topic) {
            Err(LogError::NoTopic(_)) => std::thread::park_timeout(LOOK_EVERY),
            outcome => return outcome.map(drop),
        }
    }
    Err(LogError::NoTopic(topic.to_owned()))
}

fn check(config: &KafkaConfig, admin: &AdminClient<Context>, topics: &[TopicSetup]) -> Result<(), LogError> {
    let asked: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic.name)).collect();
    let described =
        block_on(admin.describe_configs(&asked, &options())).map_err(|error| failed("", &error))?;
    let mut faults = Vec::new();
    for resource in described {
        let resource = resource.map_err(|code| failed("", &KafkaError::AdminOp(code)))?;
        let OwnedResourceSpecifier::Topic(name) = &resource.specifier else { continue };
        let Some(topic) = topics.iter().find(|topic| topic.name == name) else { continue };
        let found = |setting: &str| resource.get(setting).and_then(|entry| entry.value.clone());
        faults.extend(faults_of(&config.brokers, topic, found));
    }
    if faults.is_empty() { Ok(()) } else { Err(LogError::Misconfigured(faults.join("\n"))) }
}

/// -1: for ever.
fn retention_ms(topic: &TopicSetup) -> i64 {
    topic.retention.map_or(-1, |kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX))
}

/// Each setting of a topic that would lose data: what it is, what it must be, and what mends it.
fn faults_of(brokers: &str, topic: &TopicSetup, found: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut wants = |setting: &str, right: &dyn Fn(&str) -> bool, wanted: &str, text: &str| {
        let Some(value) = found(setting) else {
            tracing::warn!(topic = topic.name, setting, "the broker does not say how the topic is set up");
            return;
        };
        if !right(&value) {
            faults.push(format!(
                "topic {name}: {setting} is {value}, {text}: kafka-configs.sh --bootstrap-server {brokers} --alter \
                 --entity-type topics --entity-name {name} --add-config {setting}={wanted}",
                name = topic.name
            ));
        }
    };
    wants(
        "cleanup.policy",
        &|value| value == "delete",
        "delete",
        "it must be delete, or records would vanish by key",
    );
    let least = retention_ms(topic);
    let kept =
        |value: &str| value.parse::<i64>().is_ok_and(|value| value == -1 || (least != -1 && value >= least));
    let text = if least == -1 {
        "it must be -1, for ever".to_owned()
    } else {
        format!("it must be at least {least}, or -1")
    };
    wants("retention.ms", &kept, &least.to_string(), &text);
    wants(
        "retention.bytes",
        &|value| value == "-1",
        "-1",
        "it must be -1, or records would go before their time",
    );
    if topic.append_time {
        let text = "it must be LogAppendTime, since a producer's clock is not the log's";
        wants("message.timestamp.type", &|value| value == "LogAppendTime", "LogAppendTime", text);
    }
    faults
}

/// The admin client answers by futures alone; this thread has nothing else to do.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY_MS: &str = "86400000";

    fn topic(retention: Option<Duration>, append_time: bool) -> TopicSetup {
        TopicSetup { name: "sitrep.events.v1", partitions: 12, retention, append_time }
    }

    fn faults(topic: &TopicSetup, settings: &[(&str, &str)]) -> Vec<String> {
        faults_of("k:9092", topic, |asked| {
            settings.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        })
    }

    /// Settings that are right for both topics below, but for one.
    fn but(setting: &str, value: &str, topic: &TopicSetup) -> Vec<String> {
        let right = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("message.timestamp.type", "LogAppendTime"),
        ];
        faults(topic, &right.map(|(name, was)| (name, if name == setting { value } else { was })))
    }

    #[test]
    fn settings_that_lose_nothing_pass() {
        let (day, ever) = (topic(Some(Duration::from_secs(86_400)), true), topic(None, false));
        for (setting, value, topic) in [
            ("", "", &day),
            ("", "", &ever),
            ("retention.ms", DAY_MS, &day),
            ("retention.ms", "86400001", &day),
            ("message.timestamp.type", "CreateTime", &ever),
        ] {
            assert_eq!(but(setting, value, topic), [""; 0], "{setting}={value}");
        }
        assert_eq!(faults(&day, &[]), [""; 0], "what a broker does not say is not judged");
    }

    #[test]
    fn a_setting_that_loses_data_is_named_with_what_mends_it() {
        let (day, ever) = (topic(Some(Duration::from_secs(86_400)), true), topic(None, false));
        let mend = "kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics --entity-name sitrep.events.v1 --add-config";
        for (setting, value, topic, text, wanted) in [
            ("retention.ms", "86399999", &day, "it must be at least 86400000, or -1", DAY_MS),
            ("retention.ms", "junk", &day, "it must be at least 86400000, or -1", DAY_MS),
            ("retention.ms", DAY_MS, &ever, "it must be -1, for ever", "-1"),
            ("retention.bytes", "1000", &ever, "it must be -1, or records would go before their time", "-1"),
            (
                "cleanup.policy",
                "compact,delete",
                &day,
                "it must be delete, or records would vanish by key",
                "delete",
            ),
            (
                "message.timestamp.type",
                "CreateTime",
                &day,
                "it must be LogAppendTime, since a producer's clock is not the log's",
                "LogAppendTime",
            ),
        ] {
            let expected =
                format!("topic sitrep.events.v1: {setting} is {value}, {text}: {mend} {setting}={wanted}");
            assert_eq!(but(setting, value, topic), [expected]);
        }
    }
}
