//! `kill -9` while events come over HTTP: whatever was answered 200 is in the log.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::bad_input::good;
use crate::door::{event_ids, up};
use crate::world::{World, now};

/// Senders at a time, and events of a post.
const SENDERS: usize = 4;
const EVENTS_OF_A_POST: usize = 3;

/// How often a process is killed: `SITREP_KILLS=200` kills oftener than an ordinary run does.
pub(crate) fn wanted(usually: u64) -> u64 {
    std::env::var("SITREP_KILLS").ok().map_or(usually, |text| text.parse().expect("a whole number"))
}

/// What became of the posts of one sender.
enum Told {
    /// The numbers of the events that were answered 200.
    Taken(Vec<usize>),
    /// A post was sent and not answered to its end.
    Unanswered,
}

/// Posts for as long as it is answered, each time numbers that nobody else uses.
fn send(address: SocketAddr, first: usize, told: &Sender<Told>) {
    for from in (first..).step_by(EVENTS_OF_A_POST) {
        let numbers: Vec<usize> = (from..from + EVENTS_OF_A_POST).collect();
        // Nobody listens any more: nothing was under way.
        let Ok(stream) = TcpStream::connect(address) else { return };
        let all_taken = format!("{{\"taken\":{EVENTS_OF_A_POST},\"refused\":[]}}");
        let is_taken = answer(stream, &numbers).is_some_and(|answer| {
            answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.0 200 ")
        } && answer.ends_with(&all_taken));
        let one = if is_taken { Told::Taken(numbers) } else { Told::Unanswered };
        if told.send(one).is_err() || !is_taken {
            return;
        }
    }
}

/// The whole answer to a post of good events; `None` where the connection broke off.
fn answer(mut stream: TcpStream, numbers: &[usize]) -> Option<String> {
    let body: String = numbers.iter().map(|number| good(*number, now()) + "\n").collect();
    let head = format!(
        "POST /v1/events HTTP/1.0\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn every_event_that_was_answered_200_is_in_the_log_whenever_it_is_killed() {
    let kills = wanted(8);
    let (world, mut random) = (World::new(), ChaCha8Rng::seed_from_u64(20_261_122));
    let (mut taken, mut under_way) = (BTreeSet::new(), 0);
    for round in 0..kills as usize {
        let up = up(&world, &[]);
        let (told, heard) = channel();
        let address = up.address();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let told = told.clone();
                std::thread::spawn(move || send(address, (round * SENDERS + sender) * 1_000_000, &told))
            })
            .collect();
        drop(told);
        let mut hear = |one: Told| match one {
            Told::Taken(numbers) => taken.extend(numbers),
            Told::Unanswered => under_way += 1,
        };
        heard.iter().take(random.random_range(1..300)).for_each(&mut hear);
        up.kill();
        heard.iter().for_each(&mut hear);
        senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
    }
    assert!(taken.len() as u64 > kills * 10, "too few were taken to say anything: {}", taken.len());
    assert!(under_way > kills / 2, "it was mostly killed when nothing was under way");
    let held = event_ids(&world);
    let lost: Vec<&usize> = taken.iter().filter(|number| !held.contains(&format!("good-{number}"))).collect();
    assert!(lost.is_empty(), "{} of {} were lost, such as {:?}", lost.len(), taken.len(), lost.first());
}
