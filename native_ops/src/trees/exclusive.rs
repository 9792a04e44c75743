//! Features that exclude one another, as one-hot encoding makes them: one number says where a row is.

use super::histogram::{Term, added};
use super::rows::{BinnedRows, Feature};
use crate::simd::{Kernel, dispatch};

/// From so many features on, adding to all of them at once is faster.
const WORTH: usize = 6;
/// As many as a byte can tell apart, and one value that says none.
const MOST: usize = 255;
/// Features that are added to together.
const LANES: usize = 8;
const INDEX: [u64; MOST + 1] = {
    let mut index = [0; MOST + 1];
    let mut at = 0;
    while at <= MOST {
        index[at] = at as u64;
        at += 1;
    }
    index
};

/// Returns how many of the first features have two bins each, such that no row is in the second of
/// more than one, and which one that is, counted from 1; nothing if they are few.
pub(super) fn exclusive(features: &[Feature], columns: &[&[u8]]) -> Option<(usize, Vec<u8>)> {
    let mut seconds = vec![0; columns[0].len()];
    let mut many = 0;
    for (feature, column) in features.iter().zip(columns).take(MOST) {
        if feature.bins != 2 || feature.has_missing || !is_apart(&seconds, column) {
            break;
        }
        many += 1;
        for (second, &bin) in seconds.iter_mut().zip(*column) {
            *second |= bin * many as u8;
        }
    }
    (many >= WORTH).then_some((many, seconds))
}

/// Whether a column has two bins only, the second of them where nothing else is.
fn is_apart(seconds: &[u8], column: &[u8]) -> bool {
    let both = |(&second, &bin): (&u8, &u8)| bin > 1 || bin == 1 && second != 0;
    !seconds.iter().zip(column).any(both)
}

/// Adds up the terms of rows, given which feature each is in the second bin of, counted from 1.
///
/// Where the order does not matter, the first bin has what the second has not. Where it does, a
/// row's term is added to the first bins of all features but one, many at once.
#[inline(always)]
pub(super) fn add_exclusive<'a, const W: usize>(
    sums: &mut [[Term<W>; 2]],
    rows: impl Iterator<Item = (u8, &'a Term<W>)> + Clone,
    exact: [bool; W],
) {
    let mut seconds = [[0.0; W]; MOST + 1];
    let mut all = [0.0; W];
    for (second, term) in rows.clone() {
        let sums = &mut seconds[usize::from(second)];
        (*sums, all) = (added(sums, term), added(&all, term));
    }
    let places = (sums.len() + 1).next_multiple_of(LANES);
    for of in 0..W {
        let mut firsts = [0.0; MOST + 1];
        if exact[of] {
            for (first, second) in firsts.iter_mut().zip(&seconds) {
                *first = all[of] - second[of];
            }
        } else {
            let firsts = firsts[..places].as_chunks_mut::<LANES>().0;
            let index = INDEX[..places].as_chunks::<LANES>().0;
            for (second, term) in rows.clone() {
                let second = u64::from(second);
                for (firsts, index) in firsts.iter_mut().zip(index) {
                    for (first, &index) in firsts.iter_mut().zip(index) {
                        // -0.0 leaves all as it is.
                        *first += if index == second { -0.0 } else { term[of] };
                    }
                }
            }
        }
        let found = firsts.iter().zip(&seconds).skip(1);
        for ([to_first, to_second], (first, second)) in sums.iter_mut().zip(found) {
            (to_first[of], to_second[of]) = (*first, second[of]);
        }
    }
}

/// Says for each part of the terms whether any of its sums has the same bits in any order: all of
/// it are multiples of one power of two, and no sum is more than 2 to the power of 53 of that.
///
/// Nobody asks if no features exclude one another.
pub(super) fn exact<const W: usize>(rows: &BinnedRows, terms: &[Term<W>]) -> [bool; W] {
    if rows.blocks.iter().any(|block| block.exclusive) {
        dispatch(Exact(terms))
    } else {
        [false; W]
    }
}

struct Exact<'a, const W: usize>(&'a [Term<W>]);

impl<const W: usize> Kernel for Exact<'_, W> {
    type Output = [bool; W];

    #[inline(always)]
    fn run(self) -> [bool; W] {
        let (chunks, rest) = self.0.as_chunks::<4>();
        let mut sums = [[0.0; W]; 4];
        for chunk in chunks {
            let sums = sums.as_flattened_mut().iter_mut();
            for (sum, value) in sums.zip(chunk.as_flattened()) {
                *sum += value.abs();
            }
        }
        let most: [f64; W] = std::array::from_fn(|of| {
            let rest = rest.iter().map(|term| term[of].abs());
            sums.iter().map(|sums| sums[of]).chain(rest).sum()
        });
        // What is added to one and a half of a power of two, which is at least twice the sum of
        // all, and subtracted again, is as before only if it is a multiple of that power's last
        // digit.
        let units = most.map(|most| 1.5 * f64::from_bits(((most.to_bits() >> 52) + 2) << 52));
        let changes = |value: f64, of: usize| u64::from(value + units[of] - units[of] != value);
        let mut changed = [[0; W]; 4];
        for chunk in chunks {
            for (changed, term) in changed.iter_mut().zip(chunk) {
                for of in 0..W {
                    changed[of] |= changes(term[of], of);
                }
            }
        }
        std::array::from_fn(|of| {
            most[of] < 1e300
                && changed.iter().all(|changed| changed[of] == 0)
                && rest.iter().all(|term| changes(term[of], of) == 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_if_their_last_digits_are_close() {
        let of = |values: &[f64]| Exact(&values.iter().map(|&v| [v]).collect::<Vec<_>>()).run();
        assert_eq!(of(&[1.0, 0.5, -3.25, 1024.0, 0.1_f32.into()]), [true]);
        assert_eq!(of(&[]), [true]);
        assert_eq!(of(&[0.1, 0.1, 0.1]), [false]);
        assert_eq!(of(&[1.0, 1e-20, 1.0, 1.0, 1.0]), [false]);
        assert_eq!(of(&[1.0, 1.0, 1.0, 1.0, 1e-20]), [false]);
        assert_eq!(of(&[f64::NAN, 1.0, 1.0, 1.0, 1.0, 1.0]), [false]);
        assert_eq!(of(&[f64::MAX, 1.0]), [false]);
    }
}
