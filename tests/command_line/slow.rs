//! Senders that are slow: what they cost, and that they hold up nobody.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::bad_input::good;
use crate::door::up;
use crate::world::{World, now};

/// Resident memory of a process, in MB.
fn resident_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[test]
fn two_hundred_slow_senders_take_little_memory_and_hold_up_nobody() {
    let (world, now) = (World::new(), now());
    let up = up(&world, &[]);
    let lines: String = (0..400).map(|number| good(number, now) + "\n").collect();
    let half = &lines.as_bytes()[..lines.len() - 100];
    let begun = |_| {
        let mut stream = TcpStream::connect(up.address()).expect("it listens");
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
            lines.len()
        );
        stream.write_all(&[head.as_bytes(), half].concat()).expect("it reads");
        stream
    };
    let mut slow: Vec<TcpStream> = (0..200).map(begun).collect();
    // Another sender is answered meanwhile.
    up.tell(&[good(1_000, now)]);
    let resident = resident_mb(up.pid());
    assert!(resident <= 100, "{resident} MB with 200 connections that have sent {} bytes each", half.len());
    // The first of them goes on at last, and the others go away.
    let mut first = slow.remove(0);
    first.write_all(&lines.as_bytes()[half.len()..]).expect("it reads");
    let mut answer = [0; 4_096];
    let read = first.read(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"taken\":400"), "{answer}");
    drop(slow);
    let (status, answer) = up.post("application/x-ndjson", lines.as_bytes());
    assert_eq!((status, &answer["taken"]), (200, &json!(400)));
    up.stop();
}
