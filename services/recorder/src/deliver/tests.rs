//! Delivery against a scripted store on a virtual clock.

use std::sync::Mutex;

use super::*;
use crate::batch::Origin;

/// A store that judges each request by its text (empty: a probe) and its number.
struct Scripted<F> {
    judge: F,
    requests: Mutex<Vec<usize>>,
    held: Mutex<Vec<String>>,
}

impl<F: Fn(usize, &[&str]) -> Attempt + Send + Sync + 'static> Scripted<F> {
    fn new(judge: F) -> Scripted<F> {
        Scripted { judge, requests: Mutex::default(), held: Mutex::default() }
    }

    fn answer(&self, lines: &[u8]) -> Attempt {
        let text = std::str::from_utf8(lines).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut requests = self.requests.lock().unwrap();
        let attempt = (self.judge)(requests.len(), &lines);
        requests.push(lines.len());
        if attempt == Attempt::Written {
            self.held.lock().unwrap().extend(lines.iter().map(|line| (*line).to_owned()));
        }
        attempt
    }

    fn held(&self) -> Vec<String> {
        let mut held = self.held.lock().unwrap().clone();
        held.sort();
        held
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl<F: Fn(usize, &[&str]) -> Attempt + Send + Sync + 'static> Sink for Scripted<F> {
    async fn write(&self, lines: &[u8]) -> Attempt {
        self.answer(lines)
    }

    async fn probe(&self) -> Attempt {
        self.answer(b"")
    }
}

struct Nobody;

impl Observer for Nobody {
    fn attempted(&self, _lines: usize, _attempt: &Attempt, _took: Duration) {}
}

fn batch(lines: usize) -> Batch {
    let mut batch = Batch::default();
    for line in 0..lines {
        batch.push(
            format!("m,org=A f=1i {line:06}\n").as_bytes(),
            Origin { partition: 1, offset: line as u64 },
        );
    }
    batch
}

fn lines(of: &Batch) -> Vec<String> {
    let mut lines: Vec<String> =
        of.lines().map(|(line, _)| String::from_utf8(line.to_vec()).unwrap().trim_end().to_owned()).collect();
    lines.sort();
    lines
}

fn away(reason: AwayReason, retry_after: Option<u64>, perhaps_written: bool) -> Attempt {
    let retry_after = retry_after.map(Duration::from_secs);
    Attempt::Away(Away { reason, retry_after, perhaps_written, detail: "away".into() })
}

fn refused(reason: RefusedReason, dropped: Option<usize>) -> Attempt {
    Attempt::Refused(Refused { reason, dropped, detail: "refused".into() })
}

async fn delivered<S: Sink>(sink: &S, batch: &Batch) -> Delivery {
    deliver(sink, batch, &mut Backoff::new(1), &Nobody).await
}

#[tokio::test(start_paused = true)]
async fn one_bad_line_in_five_thousand_is_found_and_the_others_are_written() {
    let whole = batch(5_000);
    for bad in [0, 1, 2_499, 2_500, 3_777, 4_998, 4_999] {
        let marker = format!(" {bad:06}");
        // InfluxDB stores nothing of a batch with a line that it cannot read.
        let store = Scripted::new(move |_, lines| {
            if lines.iter().any(|line| line.ends_with(&marker)) {
                refused(RefusedReason::Malformed, None)
            } else {
                Attempt::Written
            }
        });
        let delivery = delivered(&store, &whole).await;
        let [rejected] = delivery.rejected.as_slice() else { panic!("{} rejected", delivery.rejected.len()) };
        assert_eq!(rejected.line, format!("m,org=A f=1i {bad:06}\n").as_bytes());
        assert_eq!(rejected.origin, Origin { partition: 1, offset: bad });
        let mut others = lines(&whole);
        others.remove(usize::try_from(bad).unwrap());
        assert_eq!(store.held().into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>(), others);
        assert!(store.requests() < 40, "{} requests", store.requests());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_asked_again_until_it_is_back() {
    let reasons = [
        (AwayReason::Unreachable, false),
        (AwayReason::TimedOut, true),
        (AwayReason::Throttled, false),
        (AwayReason::Unavailable, true),
        (AwayReason::NotAllowed, false),
        (AwayReason::NotFound, false),
        (AwayReason::Unexpected, true),
    ];
    for (reason, perhaps_written) in reasons {
        let store =
            Scripted::new(
                move |number, _| {
                    if number < 100 { away(reason, None, perhaps_written) } else { Attempt::Written }
                },
            );
        let started = Instant::now();
        let delivery = delivered(&store, &batch(3)).await;
        assert_eq!(delivery, Delivery { rejected: Vec::new(), doubtful: perhaps_written }, "{reason:?}");
        assert_eq!(store.held(), lines(&batch(3)));
        // A token that is revoked for an hour costs no point, and the store is not hammered meanwhile.
        assert!(started.elapsed() > Duration::from_secs(45 * 60), "{:?}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(100 * 60), "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_is_left_alone_for_as_long_as_it_asks() {
    let store = Scripted::new(|number, _| match number {
        0 => away(AwayReason::Throttled, Some(7), false),
        _ => Attempt::Written,
    });
    let started = Instant::now();
    let delivery = delivered(&store, &batch(3)).await;
    assert!(!delivery.doubtful);
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(7) && waited < Duration::from_secs(8), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_at_once_goes_in_parts() {
    let store = Scripted::new(|_, lines| match lines.len() {
        0..=300 => Attempt::Written,
        _ => refused(RefusedReason::TooLarge, None),
    });
    let whole = batch(1_000);
    assert_eq!(delivered(&store, &whole).await, Delivery::default());
    assert_eq!(store.held(), lines(&whole));
}

#[tokio::test(start_paused = true)]
async fn lines_that_are_all_dropped_for_one_reason_cost_one_request() {
    let store = Scripted::new(|_, lines| refused(RefusedReason::OutsideRetention, Some(lines.len())));
    let delivery = delivered(&store, &batch(1_000)).await;
    assert_eq!((delivery.rejected.len(), store.requests()), (1_000, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_conflicting_lines_is_found_in_few_requests() {
    let conflicts = |line: &str| (" 000200".." 000600").contains(&&line[line.len() - 7..]);
    let store = Scripted::new(move |_, lines| match lines.iter().filter(|line| conflicts(line)).count() {
        0 => Attempt::Written,
        some => refused(RefusedReason::FieldConflict, Some(some)),
    });
    let delivery = delivered(&store, &batch(1_000)).await;
    assert_eq!(delivery.rejected.len(), 400);
    assert!(store.requests() < 50, "{} requests", store.requests());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_everything_is_set_up_wrongly_and_costs_no_line() {
    let mended_after = 50;
    let store = Scripted::new(move |number, _| {
        if number < mended_after { refused(RefusedReason::Malformed, None) } else { Attempt::Written }
    });
    let whole = batch(8);
    assert_eq!(delivered(&store, &whole).await.rejected, []);
    assert_eq!(store.held(), lines(&whole));
}
