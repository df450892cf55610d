//! Exact percentiles over a multiset that changes: blocks of sorted values. Nearest rank (spec 2.4).

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

#[cfg(test)]
mod tests {
    use super::*;

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
