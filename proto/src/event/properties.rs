//! Random events through every way of reading and writing: the two JSON readers agree, JSON and protobuf say the
//! same, and the generated protobuf code reads what we write. The seed is printed; `SEED=n` runs it again.

use domain::event::{
    ArrivalMode, Attendance, Beds, Category, DepartmentType, Disposal, Escalation, Event, Fact, Journey,
    JourneyName, Location, Return, Statement,
};
use domain::ids::Ref;
use domain::time::{END_SECOND, FIRST_SECOND, Millis, Second};
use prost::Message;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

use super::{Required, parse_json, parse_protobuf, write_json, write_protobuf};
use crate::event_json::{self, plain};
use crate::generated;

const EVENTS: usize = 3_000;

fn random() -> Random {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    println!("SEED={seed}");
    Random::seed_from_u64(seed)
}

fn letters(rng: &mut Random, most: usize, alphabet: &[char]) -> String {
    let length = if rng.random_bool(0.05) { most } else { rng.random_range(1..=most.min(12)) };
    (0..length).map(|_| *alphabet.choose(rng).unwrap()).collect()
}

fn code(rng: &mut Random) -> std::borrow::Cow<'static, str> {
    let alphabet: Vec<char> = ('\x20'..='\x7e').collect();
    let plain: Vec<char> = ('A'..='Z').chain('0'..='9').collect();
    let alphabet = if rng.random_bool(0.1) { alphabet } else { plain };
    letters(rng, 32, &alphabet).into()
}

fn fact<T>(rng: &mut Random, value: impl FnOnce(&mut Random) -> T) -> Fact<T> {
    match rng.random_range(0..10) {
        0..6 => Fact::Absent,
        6 => Fact::Retracted,
        _ => Fact::Stated(value(rng)),
    }
}

fn second(rng: &mut Random) -> Second {
    Second(match rng.random_range(0..20) {
        0 => FIRST_SECOND,
        1 => END_SECOND - 1,
        _ => rng.random_range(FIRST_SECOND..END_SECOND),
    })
}

fn reference(rng: &mut Random) -> Ref {
    Ref(rng.random())
}

fn total(rng: &mut Random) -> u64 {
    match rng.random_range(0..5) {
        0 => 0,
        1 => 1 << 53,
        _ => rng.random_range(0..100_000),
    }
}

fn attendance(rng: &mut Random) -> Attendance<'static> {
    let area: Vec<char> = "azAZ09 ._-".chars().collect();
    let mut said = Attendance::new(code(rng), reference(rng));
    said.department_type = fact(rng, |rng| DepartmentType::from_number(rng.random_range(1..=5)).unwrap());
    said.planned = fact(rng, Rng::random);
    said.child = fact(rng, Rng::random);
    said.acuity = fact(rng, |rng| rng.random_range(1..=5));
    said.arrival_mode = fact(rng, |rng| *ArrivalMode::ALL.choose(rng).unwrap());
    said.ambulance = fact(rng, |rng| JourneyName { service: code(rng), reference: reference(rng) });
    said.arrived_at = fact(rng, second);
    said.assessed_at = fact(rng, second);
    said.treated_at = fact(rng, second);
    said.referred_at = fact(rng, second);
    said.decided_to_admit_at = fact(rng, second);
    said.clock_stopped_at = fact(rng, second);
    said.departed_at = fact(rng, second);
    said.disposal = fact(rng, |rng| *Disposal::ALL.choose(rng).unwrap());
    said.location = rng.random_bool(0.3).then(|| Location {
        area: rng.random_bool(0.7).then(|| letters(rng, 32, &area).into()),
        since: second(rng),
    });
    // So that there is always a fact.
    said.void = if rng.random() { Fact::Stated(rng.random()) } else { Fact::Retracted };
    said
}

fn journey(rng: &mut Random) -> Journey<'static> {
    let mut said = Journey::new(code(rng), reference(rng));
    said.category = fact(rng, |rng| *Category::ALL.choose(rng).unwrap());
    said.call_at = fact(rng, second);
    said.clock_started_at = fact(rng, second);
    said.responded_at = fact(rng, second);
    said.destination = fact(rng, code);
    said.arrived_at = fact(rng, second);
    said.handed_over_at = fact(rng, second);
    said.cleared_at = Fact::Stated(second(rng));
    said.void = fact(rng, Rng::random);
    said
}

fn event(rng: &mut Random) -> Event<'static> {
    let odd: Vec<char> = "a\"\\/\n\0\u{7f}é€\u{1f691}".chars().collect();
    let plain: Vec<char> = ('0'..='9').chain(['-', ':', 'A', '{', ',', '}', '[']).collect();
    let source: Vec<char> = ('a'..='z').chain('0'..='9').chain(['.', '_', '-']).collect();
    let id = if rng.random_bool(0.2) { letters(rng, 32, &odd) } else { letters(rng, 128, &plain) };
    let statement = match rng.random_range(0..10) {
        0..4 => Statement::Attendance(attendance(rng)),
        4 | 5 => Statement::Ambulance(journey(rng)),
        6 => Statement::Beds(Beds {
            site: code(rng),
            as_of: second(rng),
            open: fact(rng, Rng::random),
            occupied: Fact::Stated(rng.random_range(0..900)),
            escalation_open: fact(rng, |rng| rng.random_range(0..40)),
            no_criteria_to_reside: fact(rng, |_| u32::MAX),
        }),
        7 => Statement::Standard(Return {
            standard: code(rng),
            org: code(rng),
            period_start: rng.random_range(10_957..47_482),
            met: Fact::Stated(total(rng)),
            total: fact(rng, total),
            count: fact(rng, total),
            total_s: fact(rng, total),
            p90_s: fact(rng, total),
        }),
        8 => Statement::Escalation(Escalation {
            org: code(rng),
            scale: code(rng),
            since: second(rng),
            level: if rng.random() { Fact::Stated(rng.random_range(1..=4)) } else { Fact::Retracted },
        }),
        _ => Statement::Heartbeat,
    };
    let recorded_at = Millis(i64::from(second(rng).0) * 1000 + rng.random_range(0..1000));
    Event { id: id.into(), source: letters(rng, 64, &source).into(), recorded_at, statement }
}

fn json(event: &Event<'_>) -> String {
    let mut line = Vec::new();
    write_json(event, &mut line);
    String::from_utf8(line).unwrap()
}

fn protobuf(event: &Event<'_>) -> Vec<u8> {
    let mut message = Vec::new();
    write_protobuf(event, &mut message);
    message
}

/// Pitfall T3: no millisecond and no state of a fact is lost on either way, so stamps order alike on both.
#[test]
fn json_and_protobuf_say_the_same() {
    let mut rng = random();
    let mut fast = 0;
    for _ in 0..EVENTS {
        let event = event(&mut rng);
        let (line, message, mut unknown) = (json(&event), protobuf(&event), 0);
        assert_eq!(parse_json(line.as_bytes(), &Required).as_ref(), Ok(&event), "{line}");
        assert_eq!(event_json::read(&line, &Required).as_ref(), Ok(&event), "{line}");
        assert_eq!(parse_protobuf(&message, &Required, &mut unknown).as_ref(), Ok(&event), "{line}");
        assert_eq!(unknown, 0);
        assert!(!line.contains('\n'));
        match plain::read(&line, &Required) {
            Some(read) => {
                fast += 1;
                assert_eq!(read, event, "{line}");
            }
            None => assert!(line.contains('\\'), "only escapes are beyond the fast way: {line}"),
        }
    }
    assert!(fast > EVENTS * 7 / 10, "{fast}");
}

/// Damages a text as senders and networks do.
fn damaged(rng: &mut Random, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..9) {
        0 if rng.random() => bytes[at] = rng.random_range(0..0x80),
        0 => bytes[at] = *b"0129aAzZ-.".choose(rng).unwrap(),
        1 => drop(bytes.remove(at)),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, *b" \t\n\r,:{}[]\"\\0-.eE".choose(rng).unwrap()),
        4 => {
            // A member twice, or the members in another order: what stands between two commas is put elsewhere.
            let commas: Vec<usize> =
                (0..bytes.len()).filter(|at| matches!(bytes[*at], b',' | b'{')).collect();
            let mut place = || commas.choose(rng).copied().unwrap_or(0);
            let (from, to) = (place(), place());
            let end =
                (from + 1..bytes.len()).find(|at| matches!(bytes[*at], b',' | b'}')).unwrap_or(bytes.len());
            let mut member = bytes[from + 1..end].to_vec();
            member.push(b',');
            if rng.random() {
                bytes.drain(from + 1..(end + 1).min(bytes.len()));
            }
            let to = (to + 1).min(bytes.len());
            bytes.splice(to..to, member);
        }
        5 | 6 => {
            // Another value.
            let colons: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b':').collect();
            let from = colons.choose(rng).copied().unwrap_or(0) + 1;
            let end = (from..bytes.len()).find(|at| matches!(bytes[*at], b',' | b'}')).unwrap_or(bytes.len());
            let values: [&[u8]; 16] = [
                b"null",
                b"1.0",
                b"\"1\"",
                b"1",
                b"01",
                b"-1",
                b"1e0",
                b"{}",
                b"[]",
                b"true",
                b"\"\"",
                b"nul",
                b"\"2026-11-21T14:07:09.5+01:00\"",
                b"\"RX\\u0046\"",
                b"\"\x7f\"",
                b"18446744073709551615",
            ];
            bytes.splice(from..end, values.choose(rng).unwrap().iter().copied());
        }
        7 => {
            let spaces = *b" \n\t\r".choose(rng).unwrap();
            bytes = bytes.iter().flat_map(|byte| [*byte, spaces]).filter(|byte| *byte != b'~').collect();
            if rng.random() {
                // White space between tokens only.
                bytes = text.replace("\":", "\" : ").replace(",\"", " ,\n\"").into_bytes();
            }
        }
        _ => bytes.splice(at..at, *b"\xc3\xa9").for_each(drop),
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[test]
fn where_the_fast_way_answers_the_authority_gives_the_equal_event() {
    let mut rng = random();
    let (mut answered, mut left, mut refused) = (0, 0, 0);
    for _ in 0..EVENTS {
        let line = json(&event(&mut rng));
        for _ in 0..40 {
            let mut text = damaged(&mut rng, &line);
            if !text.is_empty() && rng.random_bool(0.3) {
                text = damaged(&mut rng, &text);
            }
            let authority = event_json::read(&text, &Required);
            match (plain::read(&text, &Required), &authority) {
                (Some(read), Ok(event)) => {
                    answered += 1;
                    assert_eq!(&read, event, "{text}");
                }
                (Some(_), Err(refused)) => panic!("the fast way took what is {refused}: {text}"),
                (None, Ok(_)) => left += 1,
                (None, Err(_)) => refused += 1,
            }
            assert_eq!(parse_json(text.as_bytes(), &Required), authority);
        }
    }
    println!("answered {answered}, left to the authority {left}, refused {refused}");
    assert!(
        answered > EVENTS * 2 && left > EVENTS / 2 && refused > EVENTS * 10,
        "{answered} {left} {refused}"
    );
}

#[test]
fn bytes_that_are_anything_are_refused_without_a_panic() {
    let mut rng = random();
    for _ in 0..EVENTS {
        let mut message = protobuf(&event(&mut rng));
        for _ in 0..rng.random_range(1..30) {
            let at = rng.random_range(0..message.len());
            message[at] = rng.random();
        }
        let _ = parse_json(&message, &Required);
        let _ = parse_protobuf(&message, &Required, &mut 0);
    }
}

/// The generated code reads what we write, and where our reader takes damaged bytes it reads the same from them.
#[test]
fn the_generated_code_reads_the_same() {
    let mut rng = random();
    let mut taken = 0;
    for _ in 0..EVENTS {
        let event = event(&mut rng);
        let message = protobuf(&event);
        assert_eq!(translated(&message), event);
        for _ in 0..8 {
            let mut message = message.clone();
            let at = rng.random_range(0..message.len());
            match rng.random_range(0..3) {
                0 => message[at] = rng.random(),
                1 => drop(message.remove(at)),
                // An unknown field, or a known one again, somewhere.
                _ => drop(message.splice(at..at, [rng.random_range(0..20) * 8, rng.random_range(0..5)])),
            }
            if let Ok(read) = parse_protobuf(&message, &Required, &mut 0) {
                taken += 1;
                assert_eq!(translated(&message), read, "{message:x?}");
            }
        }
    }
    assert!(taken > EVENTS / 2, "{taken}");
}

/// The event that the generated code finds in a message which is known to be one.
fn translated(message: &[u8]) -> Event<'static> {
    use generated::event::Statement as S;
    let message = generated::Event::decode(message).expect("the generated code reads it");
    let statement = match message.statement.unwrap() {
        S::Attendance(said) => Statement::Attendance(translated_attendance(said)),
        S::Ambulance(said) => Statement::Ambulance(translated_journey(said)),
        S::Beds(said) => {
            let fact = |number, value: Option<u64>| state(&said.retracted, number, value.map(|v| v as u32));
            Statement::Beds(Beds {
                open: fact(3, said.open),
                occupied: fact(4, said.occupied),
                escalation_open: fact(5, said.escalation_open),
                no_criteria_to_reside: fact(6, said.no_criteria_to_reside),
                as_of: Second(said.as_of as u32),
                site: said.site.into(),
            })
        }
        S::Standard(said) => {
            let fact = |number, value| state(&said.retracted, number, value);
            Statement::Standard(Return {
                met: fact(4, said.met),
                total: fact(5, said.total),
                count: fact(6, said.count),
                total_s: fact(7, said.total_s),
                p90_s: fact(8, said.p90_s),
                standard: said.standard.into(),
                org: said.org.into(),
                period_start: said.period_start as u32,
            })
        }
        S::Escalation(said) => Statement::Escalation(Escalation {
            level: state(&said.retracted, 4, said.level.map(|level| level as u8)),
            org: said.org.into(),
            scale: said.scale.into(),
            since: Second(said.since as u32),
        }),
        S::Heartbeat(_) => Statement::Heartbeat,
    };
    let recorded_at = Millis(message.recorded_at_ms);
    Event { id: message.id.into(), source: message.source.into(), recorded_at, statement }
}

fn state<T>(retracted: &[u32], number: u32, value: Option<T>) -> Fact<T> {
    match value {
        Some(value) => Fact::Stated(value),
        None if retracted.contains(&number) => Fact::Retracted,
        None => Fact::Absent,
    }
}

fn pseudonym(text: &str) -> Ref {
    Ref::from_hex(text.as_bytes()).unwrap()
}

fn translated_attendance(said: generated::Attendance) -> Attendance<'static> {
    let instant =
        |number, value: Option<i64>| state(&said.retracted, number, value.map(|v| Second(v as u32)));
    let flag = |number, value: Option<bool>| state(&said.retracted, number, value);
    let department_type = said.department_type.and_then(|v| DepartmentType::from_number(v as u8));
    let mode = said.arrival_mode.map(|v| ArrivalMode::ALL[v as usize - 1]);
    let ambulance = said
        .ambulance
        .map(|name| JourneyName { service: name.service.into(), reference: pseudonym(&name.r#ref) });
    Attendance {
        department_type: state(&said.retracted, 3, department_type),
        planned: flag(4, said.planned),
        child: flag(5, said.child),
        acuity: state(&said.retracted, 6, said.acuity.map(|v| v as u8)),
        arrival_mode: state(&said.retracted, 7, mode),
        ambulance: state(&said.retracted, 8, ambulance),
        arrived_at: instant(9, said.arrived_at),
        assessed_at: instant(10, said.assessed_at),
        treated_at: instant(11, said.treated_at),
        referred_at: instant(12, said.referred_at),
        decided_to_admit_at: instant(13, said.decided_to_admit_at),
        clock_stopped_at: instant(14, said.clock_stopped_at),
        departed_at: instant(15, said.departed_at),
        disposal: state(&said.retracted, 16, said.disposal.map(|v| Disposal::ALL[v as usize - 1])),
        location: said.location.map(|location| Location {
            area: (!location.retracted.contains(&1)).then(|| location.area.into()),
            since: Second(location.since as u32),
        }),
        void: flag(18, said.void),
        site: said.site.into(),
        reference: pseudonym(&said.r#ref),
    }
}

fn translated_journey(said: generated::Journey) -> Journey<'static> {
    let instant =
        |number, value: Option<i64>| state(&said.retracted, number, value.map(|v| Second(v as u32)));
    Journey {
        category: state(&said.retracted, 3, said.category.map(|v| Category::ALL[v as usize - 1])),
        call_at: instant(4, said.call_at),
        clock_started_at: instant(5, said.clock_started_at),
        responded_at: instant(6, said.responded_at),
        destination: state(&said.retracted, 7, said.destination.map(Into::into)),
        arrived_at: instant(8, said.arrived_at),
        handed_over_at: instant(9, said.handed_over_at),
        cleared_at: instant(10, said.cleared_at),
        void: state(&said.retracted, 11, said.void),
        service: said.service.into(),
        reference: pseudonym(&said.r#ref),
    }
}
