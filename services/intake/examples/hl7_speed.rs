//! How fast HL7 v2 is read: our scanner beside the crate `hl7-parser` on the same messages, in the same run.
//!
//! `cargo run --release -p intake --example hl7_speed`

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use contract::Hashed;
use domain::event::Fact;
use intake::feed::Feed;
use intake::feed::path::Path as Place;
use intake::hl7::Message;
use intake::hl7::adt::{Surroundings, translate};
use runtime::clock::{Clock, SystemClock};

/// An A08 of about 700 bytes, as an engine sends it.
fn message(number: usize) -> String {
    format!(
        "MSH|^~\\&|EPR|RXF|SITREP|SITREP|20261105113000||ADT^A08^ADT_A01|{number}|P|2.4|||AL|NE|GBR|8859/1|EN\r\
         EVN|A08|20261105113000||REG^Registration|G1234567^DOCTOR^AMANDA^^^DR|20261105112500\r\
         PID|1||4857773456^^^NHS^NH~777123^^^RXF^MR||SMITHERS^JANE^ANNE^^MRS^^L||19470512|F|||1 PLACEHOLDER LANE^^TESTBURGH^TESTSHIRE^ZZ99 3VZ^GBR^H||01632960001^PRN^PH||EN|M|C22|||||A\r\
         PD1|||THE TEST PRACTICE^^Y99999|G7654321^PRACTITIONER^PETER^^^DR\r\
         PV1|1|E|AE^MAJ1^3^RXF^^BED||V0||AE^RESUS2|G1234567^DOCTOR^AMANDA^^^DR|||180|||19|||||V{number:06}^^^RXF|||||||||||||||||306706006|RXF||||||20261105101100|20261105135800\r\
         PV2|||ABDOPAIN^Abdominal pain|||||||||||||||||||||||||||||||||||||3\r\
         ZED|20261105102000|20261105112500||20261105130000||1048071000000103||1|N\r"
    )
}

const READ: [&str; 14] = [
    "MSH-4", "MSH-7", "MSH-9.2", "MSH-10", "EVN-2", "EVN-6", "PV1-2", "PV1-3", "PV1-3.2", "PV1-6", "PV1-19",
    "PV1-37", "PV1-44", "PV1-45",
];

/// Nanoseconds of one message: the best of several rounds, so that what else runs here counts least.
fn best(clock: &SystemClock, texts: &[String], each: impl Fn(&str)) -> f64 {
    let mut least = Duration::MAX;
    for _ in 0..15 {
        let began = clock.monotonic();
        texts.iter().for_each(|text| each(text));
        least = least.min(clock.monotonic() - began);
    }
    least.as_nanos() as f64 / texts.len() as f64
}

#[expect(clippy::print_stdout, reason = "the result")]
fn main() {
    let clock = SystemClock::new();
    let texts: Vec<String> = (0..2_000).map(message).collect();
    let bytes = texts.iter().map(String::len).sum::<usize>() / texts.len();
    let paths: Vec<Place> = READ.iter().filter_map(|text| Place::parse(text)).collect();
    let ours = best(&clock, &texts, |text| {
        black_box(Message::scan(black_box(text.as_bytes())).is_ok());
    });
    let ours_read = best(&clock, &texts, |text| {
        if let Ok(message) = Message::scan(black_box(text.as_bytes())) {
            for path in &paths {
                black_box(matches!(message.get(*path), Fact::Stated(_)));
            }
        }
    });
    let theirs = best(&clock, &texts, |text| {
        black_box(hl7_parser::parse_message(black_box(text)).is_ok());
    });
    let theirs_read = best(&clock, &texts, |text| {
        if let Ok(message) = hl7_parser::parse_message(black_box(text)) {
            for path in READ.iter().map(|path| path.replace('-', ".")) {
                black_box(message.query(path.as_str()).is_some());
            }
        }
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let csv = std::fs::read(root.join("config/organisations.csv")).expect("a file of the tree");
    let organisations = contract::organisations::read_csv(&csv).expect("organisations");
    let feed = Feed::read(&root.join("config/feeds/example-epr.toml"), &organisations).expect("a feed");
    let around =
        Surroundings { feed: &feed, organisations: &organisations, references: &Hashed, received: None };
    let whole = best(&clock, &texts, |text| {
        let message = Message::scan(black_box(text.as_bytes())).expect("a message");
        black_box(translate(&message, around).is_ok());
    });
    println!("{} messages of {bytes} bytes, nanoseconds each", texts.len());
    println!("scan                       {ours:8.0}   hl7-parser {theirs:8.0}   ratio {:.1}", theirs / ours);
    println!(
        "scan and read {} fields    {ours_read:8.0}   hl7-parser {theirs_read:8.0}   ratio {:.1}",
        READ.len(),
        theirs_read / ours_read
    );
    println!("scan and translate         {whole:8.0}");
}
