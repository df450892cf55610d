//! Exact medians and percentiles over a multiset that changes. Nearest rank (spec 2.4). Seconds up to a day are kept as
//! blocks of sorted values, minutes up to a day as a sorted list, and where they are many as counts.

/// Values in rising order, in blocks of bounded size.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bag {
    blocks: Vec<Vec<u32>>,
    len: usize,
}

/// A block that grows to this size is halved.
const BLOCK: usize = 512;

impl Bag {
    /// A bag of these values.
    pub(crate) fn of(mut values: Vec<u32>) -> Bag {
        values.sort_unstable();
        Bag { len: values.len(), blocks: values.chunks(BLOCK / 2).map(<[u32]>::to_vec).collect() }
    }

    /// Adds a value out of order; [`Bag::settle`] must follow before anything else is asked.
    pub(crate) fn add_unsettled(&mut self, value: u32) {
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        self.blocks[0].push(value);
    }

    /// Adds a value (`sign` 1) or takes one away (−1); while a bag is being filled, out of order.
    pub(crate) fn change(&mut self, value: u32, sign: i64, filling: bool) {
        if filling {
            self.add_unsettled(value);
        } else if sign > 0 {
            self.add(value);
        } else {
            self.remove(value);
        }
    }

    /// Sorts what was added out of order.
    pub(crate) fn settle(&mut self) {
        *self = Bag::of(self.blocks.concat());
    }

    /// The block in which the value belongs.
    fn block(&self, value: u32) -> usize {
        self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < value))
    }

    pub(crate) fn add(&mut self, value: u32) {
        self.len += 1;
        if self.blocks.is_empty() {
            self.blocks.push(vec![value]);
            return;
        }
        let at = self.block(value).min(self.blocks.len() - 1);
        let block = &mut self.blocks[at];
        block.insert(block.partition_point(|other| *other < value), value);
        if block.len() >= BLOCK {
            let upper = block.split_off(BLOCK / 2);
            self.blocks.insert(at + 1, upper);
        }
    }

    /// Takes away one value equal to this one.
    pub(crate) fn remove(&mut self, value: u32) {
        let at = self.block(value);
        let Some(position) = self.blocks.get(at).and_then(|block| block.binary_search(&value).ok()) else {
            debug_assert!(false, "what is taken away was added before");
            return;
        };
        self.len -= 1;
        self.blocks[at].remove(position);
        if self.blocks[at].is_empty() {
            self.blocks.remove(at);
        }
    }

    /// The ⌈9 n / 10⌉-th smallest; 0 of nothing.
    pub(crate) fn p90(&self) -> u32 {
        let mut rank = (self.len * 9).div_ceil(10);
        for block in &self.blocks {
            if rank <= block.len() {
                return block.get(rank.wrapping_sub(1)).copied().unwrap_or(0);
            }
            rank -= block.len();
        }
        0
    }
}

/// The greatest number of minutes that [`Minutes`] takes: a day.
pub(crate) const MINUTES_MAX: u16 = 1_440;
/// A list that grows to this length becomes counts; counts that fall to half of it stay counts.
const FEW: usize = 512;
/// How many neighbouring counts are summed up.
const COARSE: usize = 64;

/// Whole minutes from 0 to [`MINUTES_MAX`].
#[derive(Debug, Clone)]
pub(crate) enum Minutes {
    /// In rising order.
    Few(Vec<u16>),
    /// How many there are of each number.
    Many(Box<Counts>),
}

/// How many there are of each number of minutes, and of each [`COARSE`] neighbours.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    len: u32,
    coarse: [u32; MINUTES_MAX as usize / COARSE + 1],
    fine: [u32; MINUTES_MAX as usize + 1],
}

impl Default for Minutes {
    fn default() -> Minutes {
        Minutes::Few(Vec::new())
    }
}

impl Minutes {
    pub(crate) fn add(&mut self, minutes: u16) {
        match self {
            Minutes::Few(list) if list.len() < FEW => {
                list.insert(list.partition_point(|other| *other < minutes), minutes);
            }
            Minutes::Few(list) => {
                let mut counts = Box::new(Counts {
                    len: 0,
                    coarse: [0; MINUTES_MAX as usize / COARSE + 1],
                    fine: [0; MINUTES_MAX as usize + 1],
                });
                list.iter().for_each(|one| counts.change(*one, 1));
                counts.change(minutes, 1);
                *self = Minutes::Many(counts);
            }
            Minutes::Many(counts) => counts.change(minutes, 1),
        }
    }

    /// Takes away one value equal to this one.
    pub(crate) fn remove(&mut self, minutes: u16) {
        match self {
            Minutes::Few(list) => match list.binary_search(&minutes) {
                Ok(at) => {
                    list.remove(at);
                }
                Err(_) => debug_assert!(false, "what is taken away was added before"),
            },
            Minutes::Many(counts) => counts.change(minutes, u32::MAX),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Minutes::Few(list) => list.len(),
            Minutes::Many(counts) => counts.len as usize,
        }
    }

    /// The value of a rank from 0, which is less than [`Minutes::len`].
    fn at(&self, rank: usize) -> u16 {
        match self {
            Minutes::Few(list) => list[rank],
            Minutes::Many(counts) => counts.at(rank),
        }
    }

    /// Twice the median: of an even count the sum of the middle two; 0 of nothing.
    pub(crate) fn median_twice(&self) -> i64 {
        match self.len() {
            0 => 0,
            len => i64::from(self.at((len - 1) / 2)) + i64::from(self.at(len / 2)),
        }
    }

    /// The ⌈9 n / 10⌉-th smallest; 0 of nothing.
    pub(crate) fn p90(&self) -> i64 {
        match self.len() {
            0 => 0,
            len => i64::from(self.at((len * 9).div_ceil(10) - 1)),
        }
    }
}

impl Counts {
    /// Adds 1 or, as `u32::MAX`, −1.
    fn change(&mut self, minutes: u16, by: u32) {
        let minutes = usize::from(minutes);
        for count in [&mut self.len, &mut self.coarse[minutes / COARSE], &mut self.fine[minutes]] {
            *count = count.wrapping_add(by);
        }
    }

    fn at(&self, rank: usize) -> u16 {
        let mut left = rank as u32;
        let mut from = 0;
        for count in self.coarse {
            if left < count {
                break;
            }
            left -= count;
            from += COARSE;
        }
        for (minutes, count) in self.fine.iter().enumerate().skip(from) {
            if left < *count {
                return minutes as u16;
            }
            left -= count;
        }
        debug_assert!(false, "the rank is less than how many there are");
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        for (values, twice, p90) in [
            (vec![], 0, 0),
            (vec![7], 14, 7),
            (vec![7, 8], 15, 8),
            (vec![1, 9, 2], 4, 9),
            (vec![0, 1_440, 1_440, 3], 1_443, 1_440),
            ((1..=10).collect(), 11, 9),
            ((1..=11).collect(), 12, 10),
        ] {
            let mut minutes = Minutes::default();
            values.iter().for_each(|value| minutes.add(*value));
            assert_eq!((minutes.median_twice(), minutes.p90()), (twice, p90), "{values:?}");
        }
    }

    #[test]
    fn few_and_many_minutes_are_the_same() {
        let mut state = 7u32;
        let (mut minutes, mut plain) = (Minutes::default(), Vec::new());
        let mut most = 0;
        for step in 0..12_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = ((state >> 12) % (u32::from(MINUTES_MAX) + 1)) as u16;
            let shrinks = step > 6_000;
            if (shrinks || step % 3 == 2) && !plain.is_empty() {
                minutes.remove(plain.swap_remove(state as usize % plain.len()));
            } else {
                plain.push(value);
                minutes.add(value);
            }
            most = most.max(plain.len());
            if step % 89 == 0 {
                let mut sorted = plain.clone();
                sorted.sort_unstable();
                let at = |rank: usize| i64::from(sorted.get(rank).copied().unwrap_or(0));
                let n = sorted.len();
                assert_eq!(minutes.len(), n);
                assert_eq!(minutes.p90(), at((n * 9).div_ceil(10).wrapping_sub(1)));
                assert_eq!(minutes.median_twice(), at(n.wrapping_sub(1) / 2) + at(n / 2) * i64::from(n > 0));
            }
        }
        assert!(most > 2 * FEW);
    }

    #[test]
    fn the_90th_percentile_is_the_nearest_rank() {
        for (values, p90) in [
            (vec![], 0),
            (vec![7], 7),
            ((1..=10).collect(), 9),
            ((1..=11).collect(), 10),
            (vec![5, 5, 5, 1], 5),
        ] {
            assert_eq!(Bag::of(values.clone()).p90(), p90, "{values:?}");
        }
    }

    #[test]
    fn adding_and_taking_away_is_as_making_it_anew() {
        let mut state = 1u32;
        let (mut bag, mut plain) = (Bag::default(), Vec::new());
        for step in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = (state >> 16) % 3_000;
            if step % 3 == 2 && !plain.is_empty() {
                let gone = plain.swap_remove(state as usize % plain.len());
                bag.remove(gone);
            } else {
                plain.push(value);
                bag.add(value);
            }
            if step % 97 == 0 {
                assert_eq!(bag.p90(), Bag::of(plain.clone()).p90());
            }
        }
    }
}
