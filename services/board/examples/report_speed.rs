//! What years of daily figures cost: a store of all England with DAYS (400) of them, its bytes, and the time of reports.
//!
//! `cargo run --release -p board --example report_speed -- [DAYS]`

#![expect(clippy::print_stdout, reason = "a program for people, who read what it prints")]

use std::error::Error;
use std::path::Path;

use board::read::Reader;
use board::report::period::{Period, Span};
use board::report::{self, Request, Rules, html, json, text};
use board::store::{Options, Store};
use domain::event::Category;
use domain::measures::{
    DEFAULT_WINDOWS, Freshness, Measure, OrgMinute, Revision, Series, SeriesKey, Tag, TagKind, TypeTag,
};
use domain::organisations::{Level, Organisations};
use domain::standard::Standards;
use domain::target::Targets;
use domain::time::{LondonDays, Minute, rfc3339};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use runtime::clock::SystemClock;

fn main() -> Result<(), Box<dyn Error>> {
    let days: u32 = std::env::args().nth(1).map_or(Ok(400), |text| text.parse())?;
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/organisations.csv");
    let organisations = contract::organisations::read_csv(&std::fs::read(table)?)?;
    let dir = std::env::temp_dir().join(format!("sitrep-report-speed-{}", std::process::id()));
    let clock = SystemClock::shared();
    let last = rfc3339(b"2026-11-01T00:00:00Z").ok_or("an instant")?.second().minute();
    fill(&dir, &organisations, last, days)?;
    let (rows, bytes) = (organisations.len() as u64 * u64::from(days), size(&dir)?);
    println!(
        "{days} days of {} organisations: {} MB, {} bytes an organisation and day",
        organisations.len(),
        bytes / 1_000_000,
        bytes / rows
    );
    println!("all England: {} MB a year", bytes * 365 / u64::from(days) / 1_000_000);
    let (targets, standards) = (Targets::default(), Standards::default());
    let rules = Rules { targets: &targets, standards: &standards };
    for (span, ending) in [(Span::Day, "2026-10-31"), (Span::Week, "2026-10-25"), (Span::Month, "2026-10-31")]
    {
        let request = Request { org: None, period: Period::ending(span, ending)?, floor: 0.8 };
        for of in ["cold", "again"] {
            let began = clock.monotonic();
            let made = report::make(&mut Reader::open(&dir)?, &request, rules)?;
            let document = made.document();
            let lengths =
                [text::write(&document).len(), html::write(&document).len(), json::write(&made).len()];
            let took = clock.monotonic().saturating_sub(began);
            println!("{} ({of}): {took:?}; {lengths:?} bytes of text, HTML, JSON", span.as_str());
        }
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// The midnights and mornings of the days up to `last`, as if every minute had been published.
fn fill(dir: &Path, organisations: &Organisations, last: Minute, days: u32) -> Result<(), Box<dyn Error>> {
    let (london, mut random) = (LondonDays::new(), ChaCha8Rng::seed_from_u64(1));
    let mut store = Store::open(dir, Options { retention_minutes: Some(1), bulk: true })?;
    store.save_organisations(organisations)?;
    let mut midnight = london.midnight(last.minus(days * 1_440));
    while midnight < last {
        midnight = london.next_midnight(midnight);
        for minute in [board::history::morning(midnight), midnight] {
            let batch: Vec<OrgMinute> = organisations
                .iter()
                .map(|(_, org)| OrgMinute {
                    level: org.level,
                    org: org.code.clone(),
                    minute,
                    revision: Revision { epoch: 7, n: random.random_range(1..9) },
                    freshness: Freshness { stale: random.random_bool(0.02), age_seconds: Some(60) },
                    restated: false,
                    series: series(&mut random, org.level),
                })
                .collect();
            store.apply(&batch)?;
        }
    }
    store.finish()?;
    Ok(())
}

/// Invented figures, as large as those of an organisation of that level: of sites one type, of others two.
fn series(random: &mut ChaCha8Rng, level: Level) -> Vec<Series> {
    let size = match level {
        Level::Site => 250,
        Level::Service => 900,
        Level::Trust => 400,
        Level::System => 1_800,
        Level::Region => 11_000,
        Level::Nation | Level::Group => 77_000,
    };
    let own = if level == Level::Site {
        &[TypeTag::All, TypeTag::One][..]
    } else {
        &[TypeTag::All, TypeTag::One, TypeTag::Three]
    };
    let mut all = Vec::new();
    for measure in Measure::ALL {
        let definition = measure.definition();
        if !measure.exists_at(level) {
            continue;
        }
        let tags: Vec<Tag> = match definition.tag {
            TagKind::None => vec![Tag::None],
            TagKind::Type => own.iter().copied().map(Tag::Type).collect(),
            TagKind::Category => vec![Category::C1.into(), Category::C2.into()],
            TagKind::Scale | TagKind::Framework | TagKind::Standard => {
                Tag::text("opel").into_iter().chain(Tag::text("other")).collect()
            }
            TagKind::Source | TagKind::Area | TagKind::Parameter => Vec::new(),
        };
        for tag in tags {
            let windows: Vec<_> =
                if definition.by_window { DEFAULT_WINDOWS.map(Some).to_vec() } else { vec![None] };
            for window in windows {
                let mut values = [0; domain::measures::MAX_FIELDS];
                let mut most = size;
                for value in values.iter_mut().take(definition.fields.len()) {
                    *value = random.random_range(most / 2..=most);
                    most = *value;
                }
                all.push(Series { key: SeriesKey { measure, tag, window }, values });
            }
        }
    }
    all
}

fn size(dir: &Path) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for file in std::fs::read_dir(dir)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
