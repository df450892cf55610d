//! Values by the minute at which they count, in chunks of an hour: the one place where observations are kept. Order
//! within a chunk means nothing, values may be equal, and nothing is ever looked up but by its own minute.

use crate::time::Minute;

/// A value that counts from a minute on.
pub(crate) trait Timed: Copy + PartialEq {
    /// The minute by which it is kept.
    fn at(&self) -> Minute;
}

/// Values in hours, the oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Timeline<T> {
    hours: Vec<(u32, Vec<T>)>,
    /// Before this hour nothing is kept: it is final and out of every window.
    floor: u32,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Timeline { hours: Vec::new(), floor: 0 }
    }
}

impl<T: Timed> Timeline<T> {
    fn position(&self, hour: u32) -> Result<usize, usize> {
        match self.hours.last() {
            Some((last, _)) if *last == hour => Ok(self.hours.len() - 1),
            Some((last, _)) if *last < hour => Err(self.hours.len()),
            Some(_) | None => self.hours.binary_search_by_key(&hour, |(hour, _)| *hour),
        }
    }

    /// Adds a value; one before the floor is left out.
    pub(crate) fn add(&mut self, value: T) {
        let hour = value.at().0 / 60;
        if hour < self.floor {
            return;
        }
        match self.position(hour) {
            Ok(position) => self.hours[position].1.push(value),
            Err(position) => self.hours.insert(position, (hour, vec![value])),
        }
    }

    /// Takes away one value equal to this one.
    pub(crate) fn remove(&mut self, value: T) {
        let hour = value.at().0 / 60;
        if hour < self.floor {
            return;
        }
        let found = self.position(hour).ok().and_then(|position| {
            let values = &mut self.hours[position].1;
            values.iter().position(|other| *other == value).map(|at| values.swap_remove(at))
        });
        debug_assert!(found.is_some(), "what is taken away was added before");
    }

    /// The values of the minutes [from, until).
    pub(crate) fn within(&self, from: Minute, until: Minute) -> impl Iterator<Item = &T> {
        let first = self.hours.partition_point(|(hour, _)| *hour < from.0 / 60);
        self.hours[first..]
            .iter()
            .take_while(move |(hour, _)| hour * 60 < until.0)
            .flat_map(|(_, values)| values)
            .filter(move |value| (from..until).contains(&value.at()))
    }

    /// Forgets every value of which `keep` says no.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        for (_, values) in &mut self.hours {
            values.retain(&keep);
        }
        self.hours.retain(|(_, values)| !values.is_empty());
    }

    /// Forgets everything before the hour of `minute`.
    pub(crate) fn trim(&mut self, minute: Minute) {
        self.floor = self.floor.max(minute.0 / 60);
        let first = self.hours.partition_point(|(hour, _)| *hour < self.floor);
        self.hours.drain(..first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Timed for u32 {
        fn at(&self) -> Minute {
            Minute(*self)
        }
    }

    #[test]
    fn values_come_back_by_their_minutes_and_go_one_at_a_time() {
        let mut line = Timeline::default();
        for minute in [130u32, 59, 60, 60, 121, 0] {
            line.add(minute);
        }
        let within = |line: &Timeline<u32>, from, until| {
            let mut found: Vec<u32> = line.within(Minute(from), Minute(until)).copied().collect();
            found.sort_unstable();
            found
        };
        assert_eq!(within(&line, 59, 121), [59, 60, 60]);
        line.remove(60);
        assert_eq!(within(&line, 0, 1000), [0, 59, 60, 121, 130]);
        line.trim(Minute(70));
        assert_eq!(within(&line, 0, 1000), [60, 121, 130]);
        line.add(5);
        line.remove(5);
        assert_eq!(within(&line, 0, 1000), [60, 121, 130]);
    }
}
