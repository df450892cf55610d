//! Order on arrival is no order: the messages of a visit, every choice of them, in every order, once and again, through
//! the translation and the ledger, give one final state (spec 1.1).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use contract::Hashed;
use domain::engine::Settings;
use domain::event::{Event, Statement};
use domain::freshness::Patience;
use domain::ids::Ref;
use domain::measures::{DEFAULT_WINDOWS, Measure, SeriesKey};
use domain::organisations::Organisations;
use domain::replay::Replay;
use domain::standard::Standards;
use domain::sweep::Scope;
use domain::time::{Minute, rfc3339};
use intake::feed::Feed;
use intake::hl7::Message;
use intake::hl7::adt::{Surroundings, translate};

/// The event, when it was recorded and what is at PV1-3, PV1-44 and PV1-45.
const VISIT: [(&str, &str, &str, &str, &str); 7] = [
    ("A04", "1000", "AE^MAJ1", "20261105095500", ""),
    ("A02", "1030", "AE^RESUS1", "", ""),
    ("A08", "1100", "AE^RESUS1", "20261105095000", ""),
    ("A03", "1200", "AE^RESUS1", "20261105095000", "20261105115500"),
    ("A13", "1230", "AE^RESUS1", "20261105095000", ""),
    ("A11", "1300", "AE^RESUS1", "", ""),
    ("A03", "1430", "AE^RESUS1", "20261105095000", "20261105142000"),
];

fn organisations() -> Organisations {
    let csv = "code,name,level,parent,department_type\nENG,England,nation,,\nRXF,Trust,trust,ENG,\n\
               RXF-T1,Major,site,RXF,1\nRXF-T3,Minor,site,RXF,3\n";
    contract::organisations::read_csv(csv.as_bytes()).expect("organisations")
}

fn text(number: usize) -> String {
    let (event, at, place, arrived, departed) = VISIT[number];
    let mut fields = vec![""; 46];
    (fields[1], fields[2], fields[3], fields[19], fields[44], fields[45]) =
        ("1", "E", place, "V1^^^RXF", arrived, departed);
    format!(
        "MSH|^~\\&|EPR|RXF|||20261105{at}00||ADT^{event}|{number}0|P|2.4\rEVN|{event}|20261105{at}00\rPV1{}\r",
        fields[1..].iter().map(|field| format!("|{field}")).collect::<String>()
    )
}

fn replay(organisations: &Arc<Organisations>) -> Replay {
    Replay::new(Settings {
        orgs: organisations.clone(),
        standards: Standards::default(),
        frameworks: Default::default(),
        windows: DEFAULT_WINDOWS.to_vec(),
        exclude_disposals: Vec::new(),
        horizon_minutes: 14 * 1_440,
        patience: Patience::default(),
    })
}

/// Every value of the site at every quarter of an hour of the day.
fn points(replay: &Replay, organisations: &Organisations) -> BTreeMap<(Minute, SeriesKey), Vec<i64>> {
    let scope = Scope {
        orgs: organisations.iter().map(|(_, org)| org.code == "RXF-T1").collect(),
        measures: Measure::ALL.to_vec(),
        windows: DEFAULT_WINDOWS.to_vec(),
    };
    let at = |text: &str| rfc3339(text.as_bytes()).expect("an instant").second();
    let mut points = BTreeMap::new();
    replay.points(
        scope,
        at("2026-11-05T09:00:00Z"),
        at("2026-11-05T18:00:00Z"),
        15,
        &mut |_, minute, series| drop(points.insert((minute, series.key), series.values.to_vec())),
        &mut |_| (),
    );
    points
}

/// Every order of the numbers.
fn orders(numbers: &[usize], order: &mut Vec<usize>, each: &mut impl FnMut(&[usize])) {
    if order.len() == numbers.len() {
        return each(order);
    }
    for number in numbers {
        if !order.contains(number) {
            order.push(*number);
            orders(numbers, order, each);
            order.pop();
        }
    }
}

fn of_visit<'e>(event: &Event<'e>, visit: u64) -> Event<'e> {
    let mut event = event.clone();
    if let Statement::Attendance(attendance) = &mut event.statement {
        let mut reference = [0; 16];
        reference[..8].copy_from_slice(&visit.to_be_bytes());
        reference[8..].copy_from_slice(&visit.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        attendance.reference = Ref(reference);
    }
    event
}

#[test]
fn every_order_of_a_visit_gives_one_final_state() {
    let organisations = Arc::new(organisations());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/feeds/example-epr.toml");
    let feed = Feed::read(&file, &organisations).expect("a feed");
    let around =
        Surroundings { feed: &feed, organisations: &organisations, references: &Hashed, received: None };
    let texts: Vec<String> = (0..VISIT.len()).map(text).collect();
    let messages: Vec<Message<'_>> =
        texts.iter().map(|text| Message::scan(text.as_bytes()).expect("a message")).collect();
    let events: Vec<Event<'_>> =
        messages.iter().map(|message| translate(message, around).expect("taken").events.remove(0)).collect();
    let (mut visits_of_all, mut states) = (0, Vec::new());
    for chosen in 1..1 << VISIT.len() {
        let numbers: Vec<usize> = (0..VISIT.len()).filter(|number| chosen >> number & 1 == 1).collect();
        let mut one = replay(&organisations);
        for number in &numbers {
            one.take(&of_visit(&events[*number], 0));
        }
        let (mut all, mut visits) = (replay(&organisations), 0);
        orders(&numbers, &mut Vec::new(), &mut |order| {
            // As they come; each twice; and the whole once more, backwards.
            let twice: Vec<usize> = order.iter().flat_map(|number| [*number, *number]).collect();
            let again: Vec<usize> = order.iter().chain(order.iter().rev()).copied().collect();
            for sent in [order.to_vec(), twice, again] {
                visits += 1;
                for number in sent {
                    all.take(&of_visit(&events[number], visits));
                }
            }
        });
        let (one, all) = (points(&one, &organisations), points(&all, &organisations));
        assert_eq!(one.len(), all.len(), "{numbers:?}");
        for (key, values) in &one {
            // Counts add up; the longest stay and percentiles are those of one.
            let visits = i64::try_from(visits).expect("some thousands");
            for (value, together) in values.iter().zip(&all[key]) {
                assert!(
                    *together == value * visits || together == value,
                    "{numbers:?} {key:?}: {value} {together}"
                );
            }
        }
        visits_of_all += visits;
        states.push(one);
    }
    assert_eq!(visits_of_all, 3 * 13_699);
    states.sort();
    states.dedup();
    assert!(states.len() >= 6, "only {} different states: the messages say too little", states.len());
}
