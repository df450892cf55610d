//! The windows over the past (spec 2.1).

use std::fmt;

use crate::time::{LondonDays, Minute};

/// A window over the past (spec 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// [m − n, m) for n minutes.
    Rolling(u32),
    /// From the Europe/London midnight of the day that contains m − 1 min.
    Today,
}

/// The windows that are published unless the configuration says otherwise.
pub const DEFAULT_WINDOWS: [Window; 6] = [
    Window::Rolling(60),
    Window::Rolling(240),
    Window::Rolling(480),
    Window::Rolling(1_440),
    Window::Today,
    Window::Rolling(10_080),
];

impl Window {
    /// The first minute that the window covers at `m`; it covers up to `m`, which it does not contain.
    pub fn start(self, m: Minute, days: &LondonDays) -> Minute {
        match self {
            Window::Rolling(minutes) => m.minus(minutes),
            Window::Today => days.midnight(m.minus(1)),
        }
    }

    /// The last m at which the window still covers `minute`.
    pub fn last_covering(self, minute: Minute, days: &LondonDays) -> Minute {
        match self {
            Window::Rolling(minutes) => minute.plus(minutes),
            Window::Today => days.next_midnight(minute),
        }
    }

    /// The step at which it is published, in minutes: a window of more than a day every 15 minutes.
    pub fn step(self) -> u32 {
        match self {
            Window::Rolling(minutes) if minutes > 1_440 => 15,
            Window::Rolling(_) | Window::Today => 1,
        }
    }

    /// Its number on the wire: its minutes, 0 for today.
    pub fn number(self) -> u32 {
        match self {
            Window::Rolling(minutes) => minutes,
            Window::Today => 0,
        }
    }

    /// The window of that number on the wire.
    pub fn from_number(number: u32) -> Window {
        if number == 0 { Window::Today } else { Window::Rolling(number) }
    }

    /// Reads `4h`, `90m`, `7d` or `today`; at most 14 days, so that what is held covers it at every minute that is not final.
    pub fn parse(text: &str) -> Option<Window> {
        if text == "today" {
            return Some(Window::Today);
        }
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let number: u32 = number.parse().ok().filter(|n| (1..=20_160).contains(n))?;
        let minutes = match unit {
            "m" => number,
            "h" => number * 60,
            "d" => number * 1_440,
            _ => return None,
        };
        (minutes <= 20_160).then_some(Window::Rolling(minutes))
    }
}

impl fmt::Display for Window {
    /// The text of the tag: `4h`, `7d`, `today`. 24 hours are `24h`, whole days beyond are days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Today => f.write_str("today"),
            Window::Rolling(n) if n % 1_440 == 0 && *n > 1_440 => write!(f, "{}d", n / 1_440),
            Window::Rolling(n) if n % 60 == 0 => write!(f, "{}h", n / 60),
            Window::Rolling(n) => write!(f, "{n}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_read_as_they_are_written() {
        for text in ["1h", "4h", "8h", "24h", "7d", "90m", "today"] {
            assert_eq!(Window::parse(text).map(|w| w.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "h", "0h", "-1h", "4", "4w", "15d", "99999d", "+4h ", "4é", "Today"] {
            assert_eq!(Window::parse(bad), None, "{bad}");
        }
        assert_eq!(Window::Rolling(10_080).step(), 15);
        assert_eq!(Window::Rolling(1_440).step(), 1);
    }
}
