#![no_main]
#[expect(dead_code, reason = "the other targets are in the same file")]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::event_json(bytes));
