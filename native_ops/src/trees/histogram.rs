//! Sums of what is added up over the rows of each bin.

use super::exclusive::add_exclusive;
use super::rows::{BinnedRows, Block};
use crate::simd::{Kernel, dispatch};

/// What a row adds to its bins: its gradient and 1, or its gradient, its hessian and 1.
/// Counts are exact as floats, and those of a hessian that is always 1.
pub(super) type Term<const W: usize> = [f64; W];

/// The sums of each bin, those of all features one after another.
pub(super) struct Histogram<const W: usize>(pub(super) Vec<f64>);

impl<const W: usize> Histogram<W> {
    /// Sums of nothing.
    pub(super) fn new(rows: &BinnedRows) -> Self {
        let mut sums = rows.memory();
        sums.clear();
        sums.resize(rows.slots * W, 0.0);
        Self(sums)
    }

    /// Nothing at all.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// The sums, bin by bin.
    pub(super) fn bins(&self) -> &[Term<W>] {
        self.0.as_chunks().0
    }

    pub(super) fn bins_mut(&mut self) -> &mut [Term<W>] {
        self.0.as_chunks_mut().0
    }
}

/// Adds up the terms of some samples, or of all rows, in their order; `exact` says of which parts
/// of them the order does not matter. There are no sums before.
pub(super) fn add<const W: usize>(
    block: &Block,
    samples: Option<&[u32]>,
    terms: &[Term<W>],
    exact: [bool; W],
    sums: &mut [Term<W>],
) {
    dispatch(Add {
        block,
        samples,
        terms,
        exact,
        sums,
    });
}

/// Takes away the sums of a child, which leaves those of the other one.
pub(super) fn subtract<const W: usize>(sums: &mut [Term<W>], child: &[Term<W>]) {
    dispatch(Subtract(sums.as_flattened_mut(), child.as_flattened()));
}

struct Add<'a, const W: usize> {
    block: &'a Block,
    samples: Option<&'a [u32]>,
    terms: &'a [Term<W>],
    exact: [bool; W],
    sums: &'a mut [Term<W>],
}

impl<const W: usize> Add<'_, W> {
    /// Adds up a block of `N` features, or of any number if that is 0.
    #[inline(always)]
    fn add<const N: usize>(self) {
        let width = if N == 0 { self.block.firsts.len() } else { N };
        let firsts = &self.block.firsts[..width];
        let mut add = |bins: &[u8], term: &Term<W>| {
            for (&first, &bin) in firsts.iter().zip(&bins[..width]) {
                let sums = &mut self.sums[first as usize + usize::from(bin)];
                *sums = added(sums, term);
            }
        };
        let all = &self.block.bins;
        match self.samples {
            None => {
                for (bins, term) in all.chunks_exact(width).zip(self.terms) {
                    add(bins, term);
                }
            }
            Some(samples) => {
                for (&row, term) in samples.iter().zip(self.terms) {
                    add(&all[row as usize * width..][..width], term);
                }
            }
        }
    }

    /// Adds up a block of features that exclude one another.
    #[inline(always)]
    fn add_exclusive(self) {
        let (all, exact) = (&self.block.bins, self.exact);
        let sums = self.sums.as_chunks_mut().0;
        match self.samples {
            None => add_exclusive(sums, all.iter().copied().zip(self.terms), exact),
            Some(samples) => {
                let seconds = samples.iter().map(|&row| all[row as usize]);
                add_exclusive(sums, seconds.zip(self.terms), exact);
            }
        }
    }
}

#[inline(always)]
pub(super) fn added<const W: usize>(sums: &Term<W>, term: &Term<W>) -> Term<W> {
    std::array::from_fn(|of| sums[of] + term[of])
}

impl<const W: usize> Kernel for Add<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        if self.block.exclusive {
            return self.add_exclusive();
        }
        match self.block.firsts.len() {
            1 => self.add::<1>(),
            2 => self.add::<2>(),
            3 => self.add::<3>(),
            4 => self.add::<4>(),
            _ => self.add::<0>(),
        }
    }
}

struct Subtract<'a>(&'a mut [f64], &'a [f64]);

impl Kernel for Subtract<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (parent, child) in self.0.iter_mut().zip(self.1) {
            *parent -= child;
        }
    }
}
