//! Seeded draws, made here from raw bits so that a seed means the same events in every version of the libraries.
//! Not for secrets.

use domain::ids::Ref;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What draws are for: streams of different purposes never share a draw, so that a fault more changes no stay.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Arrivals and what happens to them.
    Visits = 1,
    /// What goes wrong with their messages.
    Faults = 2,
    /// What the drill does to them.
    Drill = 3,
    /// Bed states.
    Beds = 4,
    /// When a feed is silent, and whose clock is wrong.
    Feeds = 5,
    /// How long a statement takes to be recorded and received.
    Delays = 8,
    /// Calls that bring nobody to hospital.
    Calls = 9,
    /// Attendances of a published table.
    Import = 6,
    /// References.
    References = 7,
}

/// A stream of draws.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of a seed for one purpose at one place (its [`key`]) and one time (or any other number).
    pub(crate) fn new(seed: u64, purpose: Purpose, place: u64, time: u64) -> Draws {
        let mut bytes = [0u8; 32];
        let words = [seed, purpose as u64, place, time];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Draws(ChaCha8Rng::from_seed(bytes))
    }

    /// Evenly in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly in 0 … n − 1; 0 for n = 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// Evenly in `low` … `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True with that probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential with that mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Normal with mean 0 and deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Log-normal with that median and deviation of the logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, deviation: f64) -> f64 {
        median * (deviation * self.normal()).exp()
    }

    /// Poisson with that mean; large means are taken in parts, since a sum of Poisson numbers is one.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        const PART: f64 = 30.0;
        let (mut left, mut count) = (mean, 0);
        while left > 0.0 {
            let limit = (-left.min(PART)).exp();
            let mut product = self.unit();
            while product > limit {
                count += 1;
                product *= self.unit();
            }
            left -= PART;
        }
        count
    }

    /// The position that a draw hits in running totals (rising; the last one is the sum).
    pub(crate) fn position(&mut self, running_totals: &[u32]) -> usize {
        let target = self.below(running_totals.last().copied().unwrap_or(0));
        running_totals.partition_point(|total| *total <= target)
    }
}

/// A number for a code, evenly spread, the same on every machine.
pub(crate) fn key(text: &str) -> u64 {
    // FNV-1a; its low bits alone are poor, so the finaliser follows.
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    spread(fnv)
}

/// The pseudonym of the `number`-th patient or journey at a place.
pub(crate) fn reference(seed: u64, place: u64, number: u64) -> Ref {
    let first = spread(spread(seed ^ spread(Purpose::References as u64)) ^ spread(place ^ spread(number)));
    let second = spread(first ^ spread(number.wrapping_add(place)));
    let mut bytes = [0u8; 16];
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    bytes[8..].copy_from_slice(&second.to_le_bytes());
    Ref(bytes)
}

/// The finaliser of SplitMix64: a bijection, so different numbers stay different.
fn spread(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws() -> Draws {
        Draws::new(7, Purpose::Visits, 1, 2)
    }

    #[test]
    fn means_are_what_they_say() {
        let mut draws = draws();
        let mean = |f: &mut dyn FnMut() -> f64| (0..40_000).map(|_| f()).sum::<f64>() / 40_000.0;
        for (name, expected, got) in [
            ("unit", 0.5, mean(&mut || draws.unit())),
            ("exponential", 20.0, mean(&mut || draws.exponential(20.0))),
            ("normal", 0.0, mean(&mut || draws.normal())),
            ("poisson 0.3", 0.3, mean(&mut || f64::from(draws.poisson(0.3)))),
            ("poisson 75", 75.0, mean(&mut || f64::from(draws.poisson(75.0)))),
            ("below 10", 4.5, mean(&mut || f64::from(draws.below(10)))),
        ] {
            assert!((got - expected).abs() < 0.02 * expected.max(1.0), "{name}: {got} for {expected}");
        }
        assert_eq!(draws.poisson(0.0), 0);
        assert_eq!(draws.below(0), 0);
    }

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut draws = draws();
        let first: Vec<u32> = (0..4).map(|_| draws.below(1_000_000)).collect();
        assert_eq!(first, FIRST_OF_SEED_7, "events of an old seed would change");
    }

    const FIRST_OF_SEED_7: [u32; 4] = [944_427, 89_567, 689_199, 961_914];

    #[test]
    fn references_differ_by_seed_place_and_number() {
        let mut seen = std::collections::HashSet::new();
        for (seed, place, number) in
            (0..20u64).flat_map(|s| (0..20).flat_map(move |p| (0..50).map(move |n| (s, p, n))))
        {
            assert!(seen.insert(reference(seed, place, number)), "{seed} {place} {number}");
        }
    }
}
