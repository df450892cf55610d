//! How a report writes numbers. Shares are made here, from counts, at the last moment (spec 2.4); of nothing there is
//! none, and a dash stands for it.

/// What stands where there is no figure.
pub const NONE: &str = "–";

/// Which side of a share is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More of it is better: rounded down.
    Higher,
    /// Less of it is better: rounded up.
    Lower,
}

/// Some of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Share {
    /// How many have it.
    pub part: i64,
    /// Of how many.
    pub whole: i64,
}

impl Share {
    /// Some of all.
    pub fn of(part: i64, whole: i64) -> Share {
        Share { part, whole }
    }

    /// The ratio; `None` of nothing.
    pub fn ratio(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }

    /// Whether it is worse than a threshold; `false` of nothing.
    pub fn misses(self, threshold: f64, better: Better) -> bool {
        self.ratio().is_some_and(|ratio| match better {
            Better::Higher => ratio < threshold,
            Better::Lower => ratio > threshold,
        })
    }

    /// With one decimal, rounded towards the bad side, as sentences and the board say it: `89.9 %`.
    pub fn one_decimal(self, better: Better) -> String {
        if self.whole <= 0 {
            return NONE.to_owned();
        }
        let (part, whole) = (i128::from(self.part) * 1_000, i128::from(self.whole));
        let permille = match better {
            Better::Higher => part.div_euclid(whole),
            Better::Lower => (part + whole - 1).div_euclid(whole),
        };
        format!("{}.{} %", permille / 10, permille % 10)
    }

    /// With two decimals, to the nearest, as published tables print it: `89.94 %`. Where that would say that a
    /// threshold is met which is missed, towards the bad side.
    pub fn two_decimals(self, better: Better, thresholds: &[f64]) -> String {
        let Some(ratio) = self.ratio() else { return NONE.to_owned() };
        let (part, whole) = (i128::from(self.part) * 10_000, i128::from(self.whole));
        let mut parts = (2 * part + whole).div_euclid(2 * whole);
        let says_met = |parts: i128, threshold: f64| match better {
            Better::Higher => ratio < threshold && parts as f64 >= threshold * 10_000.0,
            Better::Lower => ratio > threshold && parts as f64 <= threshold * 10_000.0,
        };
        if thresholds.iter().any(|threshold| says_met(parts, *threshold)) {
            parts += match better {
                Better::Higher => -1,
                Better::Lower => 1,
            };
        }
        format!("{}.{:02} %", parts / 100, parts % 100)
    }

    /// The difference in points to an earlier share, to the nearest: `+0.89`; a dash where one of them is of nothing.
    pub fn points_since(self, earlier: Share) -> String {
        match (self.ratio(), earlier.ratio()) {
            (Some(now), Some(then)) => {
                let hundredths = ((now - then) * 10_000.0).round() as i64;
                let sign = if hundredths < 0 { '−' } else { '+' };
                format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
            }
            (_, None) | (None, Some(_)) => NONE.to_owned(),
        }
    }
}

/// A threshold as people write it: `95 %`, `0.5 %`.
pub fn threshold(value: f64) -> String {
    let percent = format!("{:.4}", value * 100.0);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// Whole numbers with their thousands apart: `2,044,137`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("−{text}") } else { text }
}

/// A number in a sentence: below ten in words.
pub fn in_words(number: usize) -> String {
    const WORDS: [&str; 10] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    WORDS.get(number).map_or_else(|| count(number as i64), |word| (*word).to_owned())
}

/// A number that stands for itself in a sentence: `none`, `one`, `16`.
pub fn how_many(number: usize) -> String {
    if number == 0 { "none".to_owned() } else { in_words(number) }
}

/// A number with the noun that goes with it: `one trust`, `16 trusts`.
pub fn counted(number: usize, one: &str, more: &str) -> String {
    format!("{} {}", in_words(number), if number == 1 { one } else { more })
}

/// Seconds as `h:mm:ss`; a mean is rounded up, towards the bad side.
pub fn clock(seconds: i64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// The mean of a sum of seconds as `h:mm:ss`, rounded up; a dash of nothing.
pub fn mean_clock(total_s: i64, number: i64) -> String {
    if number <= 0 { NONE.to_owned() } else { clock(up(total_s, number)) }
}

/// Minutes as `47 min` or `13 h 05`.
pub fn minutes(number: i64) -> String {
    if number < 60 { format!("{number} min") } else { format!("{} h {:02}", number / 60, number % 60) }
}

/// Seconds as whole hours, rounded up: `1,234 h`.
pub fn hours(seconds: i64) -> String {
    format!("{} h", count(up(seconds, 3_600)))
}

/// A mean of counts, to the nearest whole; a dash of nothing.
pub fn mean_count(total: i64, number: i64) -> String {
    if number <= 0 { NONE.to_owned() } else { count((2 * total + number).div_euclid(2 * number)) }
}

fn up(part: i64, whole: i64) -> i64 {
    (part + whole - 1).div_euclid(whole)
}

/// A sentence's first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_never_looks_better_than_it_is() {
        use Better::{Higher, Lower};
        for (part, whole, better, one, two) in [
            (7_596, 10_000, Higher, "75.9 %", "75.96 %"),
            (7_604, 10_000, Higher, "76.0 %", "76.04 %"),
            (759_996, 1_000_000, Higher, "75.9 %", "75.99 %"),
            (760_000, 1_000_000, Higher, "76.0 %", "76.00 %"),
            (949_999, 1_000_000, Higher, "94.9 %", "94.99 %"),
            (95, 100, Higher, "95.0 %", "95.00 %"),
            (1, 3, Higher, "33.3 %", "33.33 %"),
            (2, 3, Higher, "66.6 %", "66.67 %"),
            (0, 3, Higher, "0.0 %", "0.00 %"),
            (3, 3, Higher, "100.0 %", "100.00 %"),
            (0, 0, Higher, "–", "–"),
            (9_204, 10_000, Lower, "92.1 %", "92.04 %"),
            (920_001, 1_000_000, Lower, "92.1 %", "92.01 %"),
            (92, 100, Lower, "92.0 %", "92.00 %"),
            (0, 0, Lower, "–", "–"),
            (1_838_535, 2_044_137, Higher, "89.9 %", "89.94 %"),
            (1_781_392, 2_401_266, Higher, "74.1 %", "74.19 %"),
        ] {
            let share = Share::of(part, whole);
            assert_eq!(share.one_decimal(better), one, "{part}/{whole}");
            assert_eq!(share.two_decimals(better, &[0.76, 0.92, 0.95]), two, "{part}/{whole}");
        }
    }

    #[test]
    fn a_threshold_is_missed_by_the_counts_and_not_by_what_is_printed() {
        use Better::{Higher, Lower};
        for (part, whole, threshold, better, missed) in [
            (19, 20, 0.95, Higher, false),
            (7, 100, 0.07, Higher, false),
            (57, 100, 0.57, Higher, false),
            (759_999, 1_000_000, 0.76, Higher, true),
            (0, 0, 0.76, Higher, false),
            (92, 100, 0.92, Lower, false),
            (93, 100, 0.92, Lower, true),
        ] {
            assert_eq!(Share::of(part, whole).misses(threshold, better), missed, "{part}/{whole}");
        }
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(-2_044_137)],
            ["0", "999", "1,000", "−2,044,137"]
        );
        let trusts = |number| counted(number, "trust", "trusts");
        assert_eq!(
            [trusts(0), trusts(1), trusts(8), trusts(9), trusts(10), trusts(1_200)],
            ["no trusts", "one trust", "eight trusts", "nine trusts", "10 trusts", "1,200 trusts"]
        );
        assert_eq!(
            [threshold(0.95), threshold(0.005), threshold(0.0), threshold(1.0)],
            ["95 %", "0.5 %", "0 %", "100 %"]
        );
        assert_eq!([clock(472), mean_clock(100, 3), mean_clock(0, 0)], ["0:07:52", "0:00:34", "–"]);
        assert_eq!([minutes(47), minutes(785), hours(3_601)], ["47 min", "13 h 05", "2 h"]);
        assert_eq!([mean_count(5, 2), mean_count(4, 3), mean_count(0, 0)], ["3", "1", "–"]);
        let (now, then) = (Share::of(9, 10), Share::of(8, 9));
        assert_eq!(now.points_since(then), "+1.11");
        assert_eq!(then.points_since(now), "−1.11");
        assert_eq!(now.points_since(Share::default()), "–");
        assert_eq!(capital("élan"), "Élan");
    }
}
