//! NumPy's pairwise summation, which fixes the order in which floats are added.
//!
//! A range of at most 128 values is a leaf, added in 8 interleaved accumulators; a longer one is
//! split in halves, the left one rounded down to a multiple of 8. The same tree, cut at blocks,
//! is how programs walk over their rows: so a block is a whole subtree, sums of blocks can be
//! made in any order and on any thread, and adding them up along the tree gives NumPy's bits.
//!
//! ```text
//!              n = 6000
//!        3000 /        \ 3000
//!      1496 /\ 1504   1496 /\ 1504    blocks of at most BLOCK rows
//! ```

use crate::dtype::Element;
use crate::kernels::number::Number;
use crate::simd::{Kernel, dispatch};
use std::ops::Range;

/// Blocks have at most this many rows: few enough that the blocks that an expression needs stay in
/// the fast caches, enough that choosing kernels costs little. A multiple of 128.
pub(crate) const BLOCK: usize = 2048;

const LEAF: usize = 128;
const LANES: usize = 8;

/// Rows per inner loop call when NumPy converts the dtype while it adds (its buffer size).
const CONVERTED: usize = 8192;

fn split(rows: usize) -> usize {
    let half = rows / 2;
    half - half % LANES
}

/// The rows of each block, in order.
pub(crate) fn blocks(rows: usize) -> Vec<Range<usize>> {
    fn walk(rows: Range<usize>, blocks: &mut Vec<Range<usize>>) {
        if rows.len() <= BLOCK {
            blocks.push(rows);
        } else {
            let middle = rows.start + split(rows.len());
            walk(rows.start..middle, blocks);
            walk(middle..rows.end, blocks);
        }
    }
    let mut found = Vec::with_capacity(2 * rows / BLOCK + 1);
    if rows > 0 {
        walk(0..rows, &mut found);
    }
    found
}

/// Adds the sums of blocks as NumPy would have added the rows, starting from its initial 0.
pub(crate) fn combine<T: Number>(rows: usize, sums: &mut impl Iterator<Item = T>) -> T {
    fn walk<T: Number>(rows: usize, sums: &mut impl Iterator<Item = T>) -> T {
        if rows <= BLOCK {
            return sums.next().expect("a sum for each block");
        }
        let left = walk(split(rows), sums);
        left.add(walk(rows - split(rows), sums))
    }
    if rows == 0 {
        T::default()
    } else {
        T::default().add(walk(rows, sums))
    }
}

struct Leaf<'a, T, F> {
    values: &'a [T],
    term: F,
}

impl<T: Copy, A: Number, F: Fn(T) -> A> Kernel for Leaf<'_, T, F> {
    type Output = A;

    #[inline(always)]
    fn run(self) -> A {
        let term = &self.term;
        let (head, tail) = self.values.split_at(self.values.len() / LANES * LANES);
        let mut chunks = head.chunks_exact(LANES);
        let mut sum = match chunks.next() {
            None => A::default(),
            Some(first) => {
                let mut r: [A; LANES] = std::array::from_fn(|lane| term(first[lane]));
                for chunk in chunks {
                    for (r, &value) in r.iter_mut().zip(chunk) {
                        *r = r.add(term(value));
                    }
                }
                let low = r[0].add(r[1]).add(r[2].add(r[3]));
                low.add(r[4].add(r[5]).add(r[6].add(r[7])))
            }
        };
        for &value in tail {
            sum = sum.add(term(value));
        }
        sum
    }
}

/// The sum of `term` over the values in NumPy's order, without the initial 0.
pub(crate) fn pairwise<T: Element, A: Number>(values: &[T], term: impl Fn(T) -> A + Copy) -> A {
    if values.len() <= LEAF {
        return dispatch(Leaf { values, term });
    }
    let (left, right) = values.split_at(split(values.len()));
    pairwise(left, term).add(pairwise(right, term))
}

/// The sum as NumPy adds when it converts the dtype on the way: buffer by buffer.
pub(crate) fn converted_sum<T: Element, A: Number>(
    values: &[T],
    term: impl Fn(T) -> A + Copy,
) -> A {
    values
        .chunks(CONVERTED)
        .fold(A::default(), |sum, chunk| sum.add(pairwise(chunk, term)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `DOUBLE_pairwise_sum` of NumPy, transcribed.
    fn numpy_sum(a: &[f64]) -> f64 {
        let n = a.len();
        if n < 8 {
            return a.iter().fold(-0.0, |sum, x| sum + x);
        }
        if n <= 128 {
            let mut r = [a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]];
            let mut i = 8;
            while i < n - n % 8 {
                for lane in 0..8 {
                    r[lane] += a[i + lane];
                }
                i += 8;
            }
            let mut sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
            while i < n {
                sum += a[i];
                i += 1;
            }
            return sum;
        }
        let mut half = n / 2;
        half -= half % 8;
        numpy_sum(&a[..half]) + numpy_sum(&a[half..])
    }

    fn random(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 20) as f64 / 1e9 - 8e3
            })
            .collect()
    }

    #[test]
    fn blocks_cover_the_rows() {
        for rows in [0, 1, 7, 1024, 1025, 3000, 100_000] {
            let blocks = blocks(rows);
            let mut next = 0;
            for block in &blocks {
                assert_eq!(block.start, next);
                assert!(!block.is_empty() && block.len() <= BLOCK);
                next = block.end;
            }
            assert_eq!(next, rows);
        }
    }

    proptest! {
        #[test]
        fn sums_of_blocks_are_numpys_sum(n in 0_usize..20_000, seed: u64) {
            let values = random(n, seed);
            let mut sums = blocks(n).into_iter().map(|b| pairwise(&values[b], |x: f64| x));
            let sum = combine(n, &mut sums);
            prop_assert_eq!(sum.to_bits(), (0.0 + numpy_sum(&values)).to_bits());
        }

        #[test]
        fn converted_sums_restart_at_each_buffer(n in 0_usize..30_000, seed: u64) {
            let values = random(n, seed);
            let sum = values.chunks(8192).fold(0.0, |sum, chunk| sum + numpy_sum(chunk));
            prop_assert_eq!(converted_sum(&values, |x: f64| x).to_bits(), sum.to_bits());
        }
    }
}
