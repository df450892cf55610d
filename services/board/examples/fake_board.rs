//! A board over invented figures of a whole England, to look at the page and to measure the store:
//!
//! `cargo run --release -p board --example fake_board -- [PORT [HOURS [still]]]`
//!
//! It fills a store in a temporary folder with HOURS (28) of every organisation of `config/organisations.csv`, prints what
//! that cost and how long questions take, and serves the page on 127.0.0.1:PORT (8088), live, until it is stopped.

#![expect(clippy::print_stdout, reason = "a program for people, who read what it prints")]

use std::error::Error;
use std::f64::consts::TAU;
use std::path::Path;
use std::sync::Arc;

use board::api::{Board, Limits, router};
use board::live::{Live, Mode};
use board::metrics::Metrics;
use board::read::Range;
use board::store::{Options, Store};
use contract::alert::{AlertRecord, State, Transition};
use domain::alert::Severity;
use domain::alert::value::{Decimal, Value};
use domain::date::Date;
use domain::ids::OrgId;
use domain::measures::{
    DEFAULT_WINDOWS, Freshness, Measure, OrgMinute, Revision, Series, SeriesKey, TypeTag, Values, Window,
};
use domain::organisations::{Level, Organisations};
use domain::target::{Step, Target};
use domain::time::{Millis, Minute};
use runtime::clock::{Clock, SystemClock};

const LIMITS: Limits = Limits { streams: 256, answer_points: 200_000 };

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(8088), |text| text.parse())?;
    let hours: u32 = arguments.next().map_or(Ok(28), |text| text.parse())?;
    let still = arguments.next().is_some_and(|text| text == "still");
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/organisations.csv");
    let mut text = std::fs::read_to_string(table)?;
    // A name as a hostile feed could bring it: it must stay text.
    text.push_str("X-T1,<img src=x onerror=alert(1)>,site,ENG,1\n");
    let organisations = contract::organisations::read_csv(text.as_bytes())?;
    let clock = SystemClock::shared();
    let dir = std::env::temp_dir().join(format!("sitrep-fake-board-{port}"));
    let _there_may_be_none = std::fs::remove_dir_all(&dir);
    let england = England::new(organisations);
    let now = Millis(clock.now_ms()).closed_minute();
    let mut store = fill(&dir, &england, now, hours, &*clock)?;
    measure(&store, &england, now, &dir, &*clock)?;

    let target = target()?;
    let live = if still {
        board::service::still(&dir, Some(now.minus(30)), None, target)?
    } else {
        let live = Live::new(Arc::new(england.organisations.clone()), Mode::Live, target);
        live.load(&mut store.reader()?)?;
        england.alerts(now).iter().for_each(|alert| live.alert(alert));
        Arc::new(live)
    };
    live.flush(clock.now_ms());
    if let Some(watch) = live.watch(clock.now_ms()) {
        println!("snapshot: {} bytes for {} organisations", watch.json.len(), england.organisations.len());
    }
    let registry = prometheus::Registry::new();
    let routes = router(Board::new(
        live.clone(),
        &dir,
        LIMITS,
        clock.clone(),
        Metrics::new(&registry)?,
        Default::default(),
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        println!("http://127.0.0.1:{port}/");
        let mut newest = now;
        tokio::spawn(async move {
            let mut every = tokio::time::interval(std::time::Duration::from_secs(1));
            loop {
                every.tick().await;
                let closed = Millis(clock.now_ms()).closed_minute();
                if closed > newest && !still {
                    newest = closed;
                    let observe = &mut |writing: &OrgMinute, row: &_| live.observe(writing, row);
                    if let Err(error) = store.apply_with_positions(&england.minute(newest), &[], observe) {
                        println!("{error}");
                    }
                    live.flush(clock.now_ms());
                }
            }
        });
        axum::serve(listener, routes).await
    })?;
    Ok(())
}

/// 78 % from March 2026.
fn target() -> Result<Option<Target>, Box<dyn Error>> {
    let step = Step {
        from: Date::parse("2026-03-01").ok_or("a date")?,
        to: None,
        value: Decimal::parse("0.78").ok_or("a number")?,
        source: "a plan".to_owned(),
        verified: true,
    };
    let value = Value::parse("ae_four_hour.within / ae_four_hour.departed")?;
    Ok(Some(Target { value, series: Vec::new(), level: None, steps: vec![step] }))
}

fn fill(
    dir: &Path,
    england: &England,
    now: Minute,
    hours: u32,
    clock: &dyn Clock,
) -> Result<Store, Box<dyn Error>> {
    let mut store = Store::open(dir, Options { retention_minutes: None, bulk: true })?;
    store.save_organisations(&england.organisations)?;
    let mut spent = std::time::Duration::ZERO;
    let (mut rows, mut batch) = (0, Vec::new());
    for at in (0..hours * 60).rev() {
        batch.extend(england.minute(now.minus(at)));
        if batch.len() > 20_000 || at == 0 {
            let begun = clock.monotonic();
            rows += store.apply(&batch)?.written;
            spent += clock.monotonic() - begun;
            batch.clear();
        }
    }
    let begun = clock.monotonic();
    store.finish()?;
    spent += clock.monotonic() - begun;
    let bytes = std::fs::metadata(dir.join("board.sqlite"))?.len();
    println!(
        "bulk: {rows} org-minutes in {spent:.1?}: {:.0} a second, {} bytes each",
        rows as f64 / spent.as_secs_f64(),
        bytes / rows as u64
    );
    drop(store);
    let mut store = Store::open(dir, Options::live(60 * 24 * 35))?;
    let again: Vec<OrgMinute> = (0..20).rev().flat_map(|at| england.restated(now.minus(at))).collect();
    let begun = clock.monotonic();
    for batch in again.chunks(600) {
        store.apply(batch)?;
    }
    let spent = clock.monotonic() - begun;
    println!(
        "restated live: {} org-minutes: {:.0} a second",
        again.len(),
        again.len() as f64 / spent.as_secs_f64()
    );
    Ok(store)
}

fn measure(
    store: &Store,
    england: &England,
    now: Minute,
    dir: &Path,
    clock: &dyn Clock,
) -> Result<(), Box<dyn Error>> {
    let mut reader = store.reader()?;
    let codes: Vec<&str> = england.organisations.iter().map(|(_, org)| org.code.as_str()).take(500).collect();
    let key = SeriesKey {
        measure: Measure::AeFourHour,
        tag: TypeTag::All.into(),
        window: Some(Window::Rolling(240)),
    };
    for (what, minutes, step_minutes, take) in
        [("500 series, 1 h", 60, 1, 500), ("1 series, 24 h, step 5", 1_440, 5, 1)]
    {
        let begun = clock.monotonic();
        let mut points = 0;
        for code in &codes[..take] {
            points += reader
                .series(code, &key, Range { from: now.minus(minutes), until: now, step_minutes })?
                .len();
        }
        println!("{what}: {points} points in {:.1?}", clock.monotonic() - begun);
    }
    let begun = clock.monotonic();
    let live = board::service::still(dir, None, None, None)?;
    println!(
        "still board of {} organisations loaded in {:.1?}",
        live.organisations().len(),
        clock.monotonic() - begun
    );
    Ok(())
}

/// Invented departments whose figures add up.
struct England {
    organisations: Organisations,
}

/// What a department is like.
struct Kind {
    phase: f64,
    daily: f64,
    within: f64,
    stay_minutes: f64,
}

impl England {
    fn new(organisations: Organisations) -> England {
        England { organisations }
    }

    fn kind(&self, id: OrgId) -> Kind {
        let org = self.organisations.get(id);
        let hash = org
            .code
            .bytes()
            .fold(2_166_136_261u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        let part = |shift: u32| f64::from(hash >> shift & 0xff) / 255.0;
        let (daily, within, stay_minutes) = match org.department_type.map(|tag| tag as u8) {
            Some(1) => (150.0 + 300.0 * part(0), 0.34 + 0.46 * part(8), 300.0),
            Some(2) => (15.0 + 60.0 * part(0), 0.93, 110.0),
            _ => (40.0 + 140.0 * part(0), 0.94 + 0.055 * part(8), 120.0),
        };
        Kind { phase: part(16) * TAU, daily, within, stay_minutes }
    }

    fn minute(&self, minute: Minute) -> Vec<OrgMinute> {
        self.writings(minute, Revision { epoch: 1, n: 1 })
    }

    /// The four-hour measure of that minute once more.
    fn restated(&self, minute: Minute) -> Vec<OrgMinute> {
        let mut writings = self.writings(minute, Revision { epoch: 1, n: 2 });
        writings.iter_mut().for_each(|writing| {
            writing.restated = true;
            writing.series.retain(|series| series.key.measure == Measure::AeFourHour);
        });
        writings
    }

    fn writings(&self, minute: Minute, revision: Revision) -> Vec<OrgMinute> {
        let mut sums: Vec<std::collections::BTreeMap<SeriesKey, Values>> =
            vec![Default::default(); self.organisations.len()];
        for (id, org) in self.organisations.iter().filter(|(_, org)| org.level == Level::Site) {
            let own = if org.department_type.map(|tag| tag as u8) == Some(1) {
                TypeTag::One
            } else {
                TypeTag::Three
            };
            for (key, values) in self.site(id, minute, own) {
                for above in self.organisations.path(id) {
                    let sum = sums[above.index()].entry(key).or_default();
                    for (at, value) in values.iter().enumerate() {
                        let greatest = matches!(
                            (key.measure, at),
                            (Measure::AeDepartment, 8) | (Measure::AmbQueue, 5) | (Measure::AmbHandover, 6)
                        );
                        sum[at] = if greatest { sum[at].max(*value) } else { sum[at] + value };
                    }
                }
            }
        }
        let writing = |(id, org): (OrgId, &domain::organisations::Organisation)| {
            let series: Vec<Series> =
                sums[id.index()].iter().map(|(key, values)| Series { key: *key, values: *values }).collect();
            let stale = org.level == Level::Site && id.0 % 61 == 7;
            let age_seconds = Some(if stale { 4_000 + u32::from(id.0) * 9 } else { u32::from(id.0) % 150 });
            (!series.is_empty()).then(|| OrgMinute {
                level: org.level,
                org: org.code.clone(),
                minute,
                revision,
                freshness: Freshness { stale, age_seconds },
                restated: false,
                series,
            })
        };
        self.organisations.iter().filter_map(writing).collect()
    }

    fn site(&self, id: OrgId, minute: Minute, own: TypeTag) -> Vec<(SeriesKey, Values)> {
        let kind = self.kind(id);
        let wave = |period: f64, shift: f64| (f64::from(minute.0) * TAU / period + kind.phase * shift).sin();
        let hour = f64::from(minute.0 % 1_440) / 60.0;
        let day = ((hour - 15.0) * TAU / 24.0).cos();
        let busy = 1.0 + 0.55 * day + 0.08 * wave(173.0, 3.0) + 0.05 * wave(37.0, 7.0);
        let share = kind.within + 0.06 * wave(410.0, 5.0) + 0.03 * wave(83.0, 2.0) - 0.05 * (busy - 1.0);
        let now = Now {
            major: own == TypeTag::One,
            hour,
            busy,
            share: share.clamp(0.05, 1.0),
            wave: wave(59.0, 4.0),
        };
        let mut series = Vec::new();
        let mut put = |measure: Measure, window: Option<Window>, list: &[f64]| {
            let values = std::array::from_fn(|at| list.get(at).map_or(0, |value| value.max(0.0) as i64));
            let by_type = measure.definition().by_type();
            for department_type in if by_type { vec![Some(own), Some(TypeTag::All)] } else { vec![None] } {
                series.push((SeriesKey::new(measure, department_type, window), values));
            }
        };
        DEFAULT_WINDOWS.into_iter().for_each(|window| past(&kind, &now, window, &mut put));
        present(&kind, &now, f64::from(u8::from(id.0 % 29 == 3)), &mut put);
        series
    }

    fn alerts(&self, now: Minute) -> Vec<AlertRecord> {
        let worst = self.organisations.iter().filter(|(id, org)| {
            org.level == Level::Site
                && org.department_type.map(|tag| tag as u8) == Some(1)
                && self.kind(*id).within < 0.355
        });
        let alert = |(at, (_, org)): (usize, (OrgId, &domain::organisations::Organisation))| {
            AlertRecord::Transition(Transition {
                episode: format!("four-hour-type-1|site/{}|{at}", org.code),
                rule: if at % 2 == 0 { "four-hour-type-1" } else { "ambulance-queue" }.to_owned(),
                rule_version: "1".to_owned(),
                level: org.level,
                org: org.code.clone(),
                name: org.name.clone(),
                series: if at % 2 == 0 {
                    vec![("type".to_owned(), "1".to_owned()), ("window".to_owned(), "4h".to_owned())]
                } else {
                    vec![]
                },
                from: State::Pending,
                to: if at == 3 { State::Recovering } else { State::Firing },
                minute: now.minus(25 + 40 * at as u32),
                at: Millis::from(now.start()),
                value: if at % 2 == 0 { "0.341" } else { "9" }.to_owned(),
                numerator: None,
                denominator: None,
                threshold: if at % 2 == 0 { "< 0.5" } else { "> 6" }.to_owned(),
                severity: [Severity::Page, Severity::Warning, Severity::Info][at % 3],
                stale: at == 2,
                by: String::new(),
                summary: match at % 2 {
                    0 => format!(
                        "{}: 34.1 % within four hours, type 1, over the last 4 h (31 of 91)",
                        org.name
                    ),
                    _ => format!("{}: 9 ambulances have waited for over 60 min to hand over", org.name),
                },
            })
        };
        worst.take(5).enumerate().map(alert).collect()
    }
}

/// How it stands in a department at a minute.
struct Now {
    major: bool,
    hour: f64,
    busy: f64,
    share: f64,
    wave: f64,
}

type Put<'a> = &'a mut dyn FnMut(Measure, Option<Window>, &[f64]);

fn past(kind: &Kind, now: &Now, window: Window, put: Put<'_>) {
    let minutes = match window {
        Window::Today => now.hour * 60.0,
        Window::Rolling(minutes) => f64::from(minutes),
    };
    let arrived = kind.daily * minutes / 1_440.0 * if minutes > 700.0 { 1.0 } else { now.busy };
    let departed = arrived.floor();
    let major = if now.major { 1.0 } else { 0.0 };
    let within = (departed * now.share).floor();
    put(Measure::AeFourHour, Some(window), &[departed, within, departed * 0.08 * major, 0.0]);
    put(Measure::AeArrivals, Some(window), &[arrived * 1.02, departed * 0.24 * major, departed * 0.02]);
    if now.major {
        let (handed, mean) = ((departed * 0.22).floor(), 1_500.0 * (1.3 - now.share));
        let over = |from: f64| handed * (from - now.share);
        let seconds = [handed * mean, mean * 2.0, handed * mean * 0.4, handed * mean * 0.2];
        let counts = [handed, handed * 0.8, over(0.9), over(0.75), over(0.6)];
        put(Measure::AmbHandover, Some(window), &[&counts[..], &seconds[..]].concat());
    }
}

fn present(kind: &Kind, now: &Now, unclosed: f64, put: Put<'_>) {
    let present = kind.daily * now.busy * kind.stay_minutes / 1_440.0;
    let missed = 1.0 - now.share;
    let major = if now.major { 1.0 } else { 0.0 };
    let over = present * missed * if now.major { 0.9 } else { 0.3 };
    let longest = 150.0 + major * (270.0 + 1_300.0 * missed) + 60.0 * now.wave;
    let due = present * 0.05 * (0.4 + missed);
    let admission = [present * 0.24 * major, over * 0.08 * major];
    let clock = [present * 0.97, over, over * 0.22 * major, due, due * 2.2, longest, unclosed * 2.0];
    put(Measure::AeDepartment, None, &[&[present], &admission[..], &clock[..]].concat());
    if now.major {
        let waiting = (9.0 * (0.75 - now.share) + 2.0 * now.wave).max(0.0);
        let longest = if waiting >= 1.0 { 600.0 + waiting * 500.0 } else { 0.0 };
        let queue = [1.0, 0.7, 0.4, 0.2, 0.1].map(|part| part * waiting);
        put(Measure::AmbQueue, None, &[&queue[..], &[longest, 0.0]].concat());
    }
}
