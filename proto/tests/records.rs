//! What our own services tell each other: older and newer versions read each other, and damaged bytes are an error.

use contract::DecodeError;
use contract::alert;
use contract::generated::{self, alert_record, measure_record, refusal as refusal_message};
use contract::measure::{self, MeasureRecord};
use contract::refusal;
use domain::event::Category;
use domain::measures::{
    Freshness, MAX_FIELDS, Measure, OrgMinute, Revision, Series, SeriesKey, Tag, TagKind, TypeTag, Window,
};
use domain::organisations::Level;
use domain::time::Minute;
use prost::Message;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

fn org_minute(rng: &mut Random) -> OrgMinute {
    let series = |rng: &mut Random| {
        let measure = *Measure::ALL.choose(rng).expect("not empty");
        let definition = measure.definition();
        let mut values = [0; MAX_FIELDS];
        for value in &mut values[..definition.fields.len()] {
            *value = match rng.random_range(0..4) {
                0 => 0,
                1 => rng.random(),
                _ => rng.random_range(-3..500),
            };
        }
        let tag = match definition.tag {
            TagKind::None => Tag::None,
            TagKind::Type => Tag::from(*TypeTag::ALL_TAGS.choose(rng).expect("not empty")),
            TagKind::Category => Tag::from(*Category::ALL.choose(rng).expect("not empty")),
            TagKind::Area | TagKind::Standard | TagKind::Scale | TagKind::Framework | TagKind::Source => {
                Tag::text(["Resus 1", "é", &"x".repeat(64)].choose(rng).expect("not empty")).expect("a text")
            }
            TagKind::Parameter => Tag::parameter("acute-2023-24", "beds").expect("two texts"),
        };
        let window = definition
            .by_window
            .then(|| *[Window::Today, Window::Rolling(240)].choose(rng).expect("not empty"));
        Series { key: SeriesKey { measure, tag, window }, values }
    };
    OrgMinute {
        level: *Level::ALL.choose(rng).expect("not empty"),
        org: format!("R{}", rng.random_range(0..1000)),
        minute: Minute(rng.random()),
        revision: Revision { epoch: rng.random(), n: rng.random() },
        freshness: Freshness { stale: rng.random(), age_seconds: rng.random::<bool>().then(|| rng.random()) },
        restated: rng.random(),
        series: (0..rng.random_range(0..60)).map(|_| series(rng)).collect(),
    }
}

fn encoded(minute: &OrgMinute) -> Vec<u8> {
    let mut bytes = Vec::new();
    measure::encode_org_minute(minute, &mut bytes);
    bytes
}

fn message(bytes: &[u8]) -> generated::OrgMinute {
    match generated::MeasureRecord::decode(bytes).expect("a record").record {
        Some(measure_record::Record::OrgMinute(minute)) => minute,
        other => panic!("{other:?}"),
    }
}

fn record(minute: generated::OrgMinute) -> Vec<u8> {
    let record = Some(measure_record::Record::OrgMinute(minute));
    generated::MeasureRecord { record }.encode_to_vec()
}

fn decoded(bytes: &[u8]) -> OrgMinute {
    match measure::decode(bytes) {
        Ok(MeasureRecord::OrgMinute(minute)) => minute,
        other => panic!("{other:?}"),
    }
}

#[test]
fn org_minutes_survive_and_the_generated_code_reads_and_writes_the_same() {
    let mut rng = Random::seed_from_u64(7);
    for _ in 0..500 {
        let minute = org_minute(&mut rng);
        let bytes = encoded(&minute);
        assert_eq!(decoded(&bytes), minute);
        let message = message(&bytes);
        assert_eq!(message.series.len(), minute.series.len());
        for (theirs, ours) in message.series.iter().zip(&minute.series) {
            assert!(ours.values.starts_with(&theirs.values));
            assert!(ours.values[theirs.values.len()..].iter().all(|value| *value == 0));
        }
        assert_eq!(decoded(&record(message)), minute);
    }
}

#[test]
fn a_newer_writer_is_understood_as_far_as_it_goes() {
    let minute = OrgMinute { series: Vec::new(), ..org_minute(&mut Random::seed_from_u64(1)) };
    let series = |measure, department_type, window, values: &[i64]| generated::Series {
        measure,
        department_type,
        window,
        values: values.to_vec(),
        category: None,
        text: None,
    };
    let response =
        |category| generated::Series { category: Some(category), ..series(9, None, Some(60), &[1]) };
    let mut newer = message(&encoded(&minute));
    newer.series = vec![
        series(1, Some(1), Some(240), &[4, 3, 2, 1, 99, 98, 97, 96, 95, 94, 93, 92]),
        series(250, None, None, &[1]),
        series(0, None, None, &[1]),
        series(1, Some(9), Some(240), &[1]),
        response(6),
        response(0),
    ];
    let mut bytes = record(newer);
    // A field of the record that this version does not have.
    bytes.extend([0x98, 0x06, 0x01]);
    let read = decoded(&bytes);
    assert_eq!(read.series.len(), 1);
    assert_eq!(read.series[0].values, [4, 3, 2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(OrgMinute { series: Vec::new(), ..read }, minute);
}

#[test]
fn org_minutes_that_are_damaged() {
    let minute = org_minute(&mut Random::seed_from_u64(2));
    let whole = message(&encoded(&minute));
    let bad_series =
        generated::Series { measure: 1, department_type: Some(1), ..generated::Series::default() };
    let area = |text: &str| generated::Series {
        measure: 6,
        text: Some(text.to_owned()),
        ..generated::Series::default()
    };
    let with = |series| record(generated::OrgMinute { series: vec![series], ..whole.clone() });
    assert!(measure::decode(&with(area("Majors"))).is_ok());
    for series in [
        bad_series,
        area(""),
        area("a\nb"),
        area(&"x".repeat(65)),
        generated::Series { measure: 14, ..area("a") },
    ] {
        assert_eq!(measure::decode(&with(series)), Err(DecodeError::Field("series")));
    }
    for (bytes, expected) in [
        (Vec::new(), DecodeError::UnknownRecord),
        (vec![0x1a, 0x00], DecodeError::UnknownRecord),
        (vec![0xff], DecodeError::Broken),
        (record(generated::OrgMinute { level: 0, ..whole.clone() }), DecodeError::Field("level")),
        (record(generated::OrgMinute { level: 77, ..whole.clone() }), DecodeError::Field("level")),
        (record(generated::OrgMinute { org: String::new(), ..whole.clone() }), DecodeError::Field("org")),
    ] {
        assert_eq!(measure::decode(&bytes), Err(expected));
    }
    let bytes = encoded(&minute);
    for length in 0..bytes.len() {
        assert!(measure::decode(&bytes[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn alerts_that_are_damaged() {
    let record = |record| generated::AlertRecord { record: Some(record) }.encode_to_vec();
    let transition =
        generated::AlertTransition { level: 1, from: 1, to: 2, severity: 1, ..Default::default() };
    let with = |change: fn(&mut generated::AlertTransition)| {
        let mut transition = transition.clone();
        change(&mut transition);
        record(alert_record::Record::Transition(transition))
    };
    assert!(alert::decode(&with(|_| ())).is_ok());
    for (bytes, expected) in [
        (Vec::new(), DecodeError::UnknownRecord),
        (vec![0x22, 0x00], DecodeError::UnknownRecord),
        (vec![0x0a, 0x05], DecodeError::Broken),
        (with(|t| t.level = 0), DecodeError::Field("level")),
        (with(|t| t.level = -1), DecodeError::Field("level")),
        (with(|t| t.from = 0), DecodeError::Field("from")),
        (with(|t| t.to = 99), DecodeError::Field("to")),
        (with(|t| t.severity = 0), DecodeError::Field("severity")),
        (record(alert_record::Record::Command(Default::default())), DecodeError::Field("action")),
    ] {
        assert_eq!(alert::decode(&bytes), Err(expected));
    }
}

#[test]
fn refusals_that_are_damaged() {
    let http = Some(refusal_message::Origin::Door(generated::Door::Http.into()));
    let whole = generated::Refusal { reason: 2, sha256: vec![0; 32], origin: http, ..Default::default() };
    assert!(refusal::decode(&whole.encode_to_vec()).is_ok());
    let no_door = Some(refusal_message::Origin::Door(0));
    for (message, expected) in [
        (generated::Refusal { reason: 0, ..whole.clone() }, DecodeError::Field("reason")),
        (generated::Refusal { reason: 8, ..whole.clone() }, DecodeError::Field("reason")),
        (generated::Refusal { sha256: vec![0; 31], ..whole.clone() }, DecodeError::Field("sha256")),
        (generated::Refusal { origin: None, ..whole.clone() }, DecodeError::Field("origin")),
        (generated::Refusal { origin: no_door, ..whole.clone() }, DecodeError::Field("door")),
    ] {
        assert_eq!(refusal::decode(&message.encode_to_vec()), Err(expected));
    }
    assert_eq!(refusal::decode(&[0x0a]), Err(DecodeError::Broken));
}
