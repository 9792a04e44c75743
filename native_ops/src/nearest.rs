//! The rows nearest to others: rounded products say which may be, exact sums which are.
//!
//! `|x - y|^2 - |x|^2 = |y|^2 - 2xy`, of which matrix multiplication in single precision gives the
//! products, so fast that computing the few distances that its rounding leaves open costs little.

use crate::error::ProgramError;
use crate::simd::{Kernel, dispatch};
use std::cmp::Ordering;

/// Rows of which only the nearest is asked for at first.
const DEPTH: usize = 16;
/// Such groups of rows that are looked at beside each other.
const LANES: usize = 16;
/// Sums that are added up beside each other: each waits for its own last addition.
const SUMS: usize = 4;

/// The nearest rows of some that are offered block by block, for several rows at once.
///
/// ```
/// use stratum_native_ops::Nearest;
///
/// let (near, far) = ([3.0, 4.0], [6.0, 8.0]);
/// let mut nearest = Nearest::new(1, &[1e-6]);
/// // Products with the row (0, 0), squares of the rows that are offered, doubt about them.
/// nearest.offer(&[0.0, 0.0], &[100.0, 25.0], &[1e-4, 1e-4], 0)?;
/// let (mut rows, mut squares) = ([0], [0.0]);
/// nearest.settle(&[far, near].concat(), &[0.0, 0.0], &mut rows, &mut squares)?;
/// assert_eq!((rows, squares), ([1], [25.0]));
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
#[derive(Debug)]
pub struct Nearest {
    k: usize,
    queries: Vec<Query>,
}

/// What has been found for one row.
#[derive(Debug)]
struct Query {
    /// How much all that is found may be nearer than it seems, and what is compared with it farther.
    margin: f32,
    /// Above it nothing can be among the `k` nearest any more.
    limit: f32,
    found: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    least: f32,
    most: f32,
    row: u32,
}

impl Nearest {
    /// Looks for the `k` nearest to as many rows as there are margins.
    ///
    /// A margin is twice the part of the doubt that is the row's own, whatever it is compared with.
    #[must_use]
    pub fn new(k: usize, margins: &[f32]) -> Self {
        let queries = margins.iter().map(|&margin| Query {
            margin,
            limit: f32::INFINITY,
            found: Vec::new(),
        });
        Self {
            k,
            queries: queries.collect(),
        }
    }

    /// Looks at rows, numbered from `start` on.
    ///
    /// `products` has one row for each that is looked for, `least[i] - 2 products[i]` is the least
    /// that a distance can be (but for the margin), `doubt[i]` by how much it can be more.
    ///
    /// # Errors
    ///
    /// When the lengths don't fit, or there are more than 2^32 rows.
    pub fn offer(
        &mut self,
        products: &[f32],
        least: &[f32],
        doubt: &[f32],
        start: usize,
    ) -> Result<(), ProgramError> {
        let rows = least.len();
        let fits =
            rows == doubt.len() && Some(products.len()) == rows.checked_mul(self.queries.len());
        if !fits {
            return Err(ProgramError("the lengths differ".to_owned()));
        }
        if u32::try_from(start.saturating_add(rows)).is_err() {
            return Err(ProgramError("there are too many rows".to_owned()));
        }
        if rows > 0 && self.k > 0 {
            let mut bounds = vec![0.0; 2 * (rows / DEPTH)];
            for (query, products) in self.queries.iter_mut().zip(products.chunks_exact(rows)) {
                dispatch(Scan {
                    query,
                    k: self.k,
                    products,
                    least,
                    doubt,
                    start: start as u32,
                    bounds: &mut bounds,
                });
            }
        }
        Ok(())
    }

    /// Writes the `k` nearest to each row, nearest first, equal ones in their order, and the squares
    /// of their distances: sums in the order of the columns, each number rounded by itself.
    ///
    /// `offered` has all rows that were offered, `rows` those that are looked for.
    ///
    /// # Errors
    ///
    /// When lengths don't fit, or fewer than `k` rows compared as numbers do.
    pub fn settle(
        mut self,
        offered: &[f64],
        rows: &[f64],
        nearest: &mut [i64],
        squares: &mut [f64],
    ) -> Result<(), ProgramError> {
        let (k, count) = (self.k, self.queries.len());
        let columns = rows.len().checked_div(count).unwrap_or(0);
        let all = (self.queries.iter())
            .flat_map(|query| &query.found)
            .all(|one| (one.row as usize + 1) * columns <= offered.len());
        let fits = Some(nearest.len()) == k.checked_mul(count)
            && nearest.len() == squares.len()
            && rows.len() == columns * count;
        if !(all && fits) {
            return Err(ProgramError("the lengths differ".to_owned()));
        }
        if k == 0 || columns == 0 {
            return Ok(());
        }
        let mut sums = Vec::new();
        for (index, query) in self.queries.iter_mut().enumerate() {
            query.forget(k);
            if query.found.len() < k {
                return Err(ProgramError("there are too few rows".to_owned()));
            }
            dispatch(Sums {
                row: &rows[index * columns..][..columns],
                offered,
                found: &query.found,
                sums: &mut sums,
            });
            if k < sums.len() {
                sums.select_nth_unstable_by(k - 1, nearer);
                sums.truncate(k);
            }
            sums.sort_unstable_by(nearer);
            let out = index * k..(index + 1) * k;
            let out = nearest[out.clone()].iter_mut().zip(&mut squares[out]);
            for ((nearest, square), &(sum, row)) in out.zip(&sums) {
                (*nearest, *square) = (i64::from(row), sum);
            }
        }
        Ok(())
    }
}

fn nearer(one: &(f64, u32), other: &(f64, u32)) -> Ordering {
    one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))
}

impl Query {
    /// Drops what cannot be among the `k` nearest.
    fn forget(&mut self, k: usize) {
        if self.found.len() < k {
            return;
        }
        let by_most = |one: &Candidate, other: &Candidate| one.most.total_cmp(&other.most);
        let (_, kth, _) = self.found.select_nth_unstable_by(k - 1, by_most);
        self.limit = kth.most + self.margin;
        self.found.retain(|one| one.least <= self.limit);
    }
}

struct Scan<'a> {
    query: &'a mut Query,
    k: usize,
    products: &'a [f32],
    least: &'a [f32],
    doubt: &'a [f32],
    start: u32,
    bounds: &'a mut [f32],
}

impl Kernel for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { query, k, .. } = self;
        let groups = self.least.len() / (DEPTH * LANES) * LANES;
        let (least, most) = self.bounds[..2 * groups].split_at_mut(groups);
        let (all_least, _) = least.as_chunks_mut::<LANES>();
        let (all_most, _) = most.as_chunks_mut::<LANES>();
        for (chunk, (least, most)) in all_least.iter_mut().zip(all_most).enumerate() {
            let (mut nearest, mut farthest) = ([f32::INFINITY; LANES], [f32::INFINITY; LANES]);
            for layer in 0..DEPTH {
                let at = layer * groups + chunk * LANES;
                let products = &self.products[at..at + LANES];
                let values = &self.least[at..at + LANES];
                let doubt = &self.doubt[at..at + LANES];
                for lane in 0..LANES {
                    let value = values[lane] - 2.0 * products[lane];
                    let above = value + doubt[lane];
                    nearest[lane] = lower(nearest[lane], value);
                    farthest[lane] = lower(farthest[lane], above);
                }
            }
            (*least, *most) = (nearest, farthest);
        }
        if groups >= k {
            // As many groups have a row that is not farther.
            let (_, &mut kth, _) = most.select_nth_unstable_by(k - 1, f32::total_cmp);
            query.limit = query.limit.min(kth + query.margin);
        }
        let mut look = |at: usize| {
            let least = self.least[at] - 2.0 * self.products[at];
            if least <= query.limit {
                query.found.push(Candidate {
                    least,
                    most: least + self.doubt[at],
                    row: self.start + at as u32,
                });
            }
        };
        for (group, &least) in least.iter().enumerate() {
            if least <= query.limit {
                (0..DEPTH).for_each(|layer| look(layer * groups + group));
            }
        }
        (DEPTH * groups..self.least.len()).for_each(look);
        query.forget(k);
    }
}

/// The lower of two numbers by one instruction; `f32::min` would look for NaN.
#[inline(always)]
fn lower(one: f32, other: f32) -> f32 {
    if other < one { other } else { one }
}

struct Sums<'a> {
    row: &'a [f64],
    offered: &'a [f64],
    found: &'a [Candidate],
    sums: &'a mut Vec<(f64, u32)>,
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { row, offered, .. } = self;
        let values = |one: &Candidate| &offered[one.row as usize * row.len()..][..row.len()];
        self.sums.clear();
        for found in self.found.chunks(SUMS) {
            let mut sums = [0.0; SUMS];
            // The last one stands in where there are fewer.
            let others: [&[f64]; SUMS] =
                std::array::from_fn(|i| values(&found[i.min(found.len() - 1)]));
            for (column, &value) in row.iter().enumerate() {
                for (sum, other) in sums.iter_mut().zip(others) {
                    let difference = value - other[column];
                    *sum += difference * difference;
                }
            }
            let numbered = found.iter().map(|one| one.row);
            self.sums.extend(sums.into_iter().zip(numbered));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Offers rows of small integers, of which all products are exact, block by block.
    fn search(
        offered: &[[i8; 2]],
        rows: &[[i8; 2]],
        k: usize,
        block: usize,
        doubt: f32,
    ) -> Result<(Vec<i64>, Vec<f64>), ProgramError> {
        let mut nearest = Nearest::new(k, &vec![doubt; rows.len()]);
        let product = |[a, b]: [i8; 2], [c, d]: [i8; 2]| {
            f32::from(a) * f32::from(c) + f32::from(b) * f32::from(d)
        };
        for (number, block_rows) in offered.chunks(block).enumerate() {
            let products: Vec<f32> = (rows.iter())
                .flat_map(|&row| block_rows.iter().map(move |&other| product(row, other)))
                .collect();
            let least: Vec<f32> = block_rows.iter().map(|&row| product(row, row)).collect();
            let doubts = vec![doubt; block_rows.len()];
            nearest.offer(&products, &least, &doubts, number * block)?;
        }
        let flat = |rows: &[[i8; 2]]| {
            rows.iter()
                .flatten()
                .map(|&v| f64::from(v))
                .collect::<Vec<_>>()
        };
        let (mut found, mut squares) = (vec![0; k * rows.len()], vec![0.0; k * rows.len()]);
        nearest.settle(&flat(offered), &flat(rows), &mut found, &mut squares)?;
        Ok((found, squares))
    }

    proptest! {
        #[test]
        fn as_sorted(
            offered in prop::collection::vec(any::<[i8; 2]>(), 1..700),
            rows in prop::collection::vec(any::<[i8; 2]>(), 1..4),
            k in 1_usize..40,
            block in 1_usize..700,
            doubt in prop::sample::select(vec![0.0, 0.5, 900.0]),
        ) {
            let k = k.min(offered.len());
            let (found, squares) = search(&offered, &rows, k, block, doubt).unwrap();
            for (row, (found, squares)) in rows.iter().zip(found.chunks(k).zip(squares.chunks(k))) {
                let square = |&[a, b]: &[i8; 2]| {
                    let (a, b) = (f64::from(a) - f64::from(row[0]), f64::from(b) - f64::from(row[1]));
                    a * a + b * b
                };
                let mut all: Vec<_> = offered.iter().map(square).zip(0_i64..).collect();
                all.sort_by(|one, other| one.partial_cmp(other).unwrap());
                let pairs: Vec<_> = squares.iter().copied().zip(found.iter().copied()).collect();
                prop_assert_eq!(&pairs, &all[..k]);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(
            search(&[[1, 2]], &[[0, 0]], 2, 1, 0.0).is_err(),
            "too few rows"
        );
        let mut nearest = Nearest::new(1, &[0.0]);
        assert!(nearest.offer(&[1.0, 2.0], &[1.0], &[1.0], 0).is_err());
        assert!(nearest.offer(&[1.0], &[1.0], &[1.0], usize::MAX).is_err());
        assert!(nearest.offer(&[1.0], &[1.0], &[1.0], 3).is_ok());
        let (mut found, mut squares) = ([0], [0.0]);
        assert!(
            nearest
                .settle(&[1.0], &[1.0], &mut found, &mut squares)
                .is_err()
        );
        let mut nearest = Nearest::new(1, &[0.0]);
        nearest.offer(&[f32::NAN], &[1.0], &[1.0], 0).unwrap();
        assert!(
            nearest
                .settle(&[1.0], &[1.0], &mut found, &mut squares)
                .is_err()
        );
    }
}
