//! What the system says of this process.

use std::time::Duration;

/// Ticks in a second of the times in /proc (USER_HZ, which Linux fixes for all programs).
const TICKS: f64 = 100.0;

/// Seconds of processor time, user and system, of all threads of this process.
pub(crate) fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the name, may hold anything but ends with the last parenthesis.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / TICKS
}

/// Bytes of memory that are resident.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}

/// One line for `tests/bench/run`: what was counted, and what it cost.
pub(crate) fn report(what: &str, count: u64, bytes: u64, wall: Duration) {
    println!("{what} count={count} bytes={bytes} wall={:.2} cpu={:.2}", wall.as_secs_f64(), cpu_seconds());
}
