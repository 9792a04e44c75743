//! The best split of a node by one column.

use super::criterion::Criterion;
use super::tally::{Part, Samples, Tallies, Tally, apart};
use crate::simd::{Kernel, dispatch};

/// What each side of a split must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) samples: usize,
    pub(super) weight: f64,
}

/// A split.
#[derive(Clone, Copy)]
pub(super) struct Split<const W: usize> {
    pub(super) proxy: f64,
    pub(super) column: usize,
    /// The place of the last value on the left.
    pub(super) last: u32,
    pub(super) threshold: f64,
    /// Whether missing values go left; `None` if there are none.
    pub(super) missing_left: Option<bool>,
    /// The sums of what goes left.
    pub(super) left: [f64; W],
}

/// Looks for a split of a node, column by column.
pub(super) struct Search<'a, C: Criterion<W>, const W: usize> {
    pub(super) samples: &'a Samples<'a, C, W>,
    least: Least,
    proxies: &'a mut Vec<f64>,
    pub(super) best: Option<Split<W>>,
}

impl<'a, C: Criterion<W>, const W: usize> Search<'a, C, W> {
    pub(super) fn new(
        samples: &'a Samples<'a, C, W>,
        least: Least,
        proxies: &'a mut Vec<f64>,
    ) -> Self {
        Self {
            samples,
            least,
            proxies,
            best: None,
        }
    }

    /// Looks at every split between two values, with missing ones on the right, then on the left;
    /// tells whether the column can split the samples.
    pub(super) fn every(&mut self, tallies: &mut Tallies<'_, W>, column: usize) -> bool {
        let Some((values, tally)) = tallies.of(column, self.samples) else {
            return false;
        };
        let many = tally.lefts.len();
        if tally.missing.is_none() {
            self.pass(column, values, tally, many - 1, None);
        } else {
            self.pass(column, values, tally, many, None);
            self.pass(column, values, tally, many.saturating_sub(1), tally.missing);
        }
        true
    }

    /// Looks at the first splits, with or without missing values on the left.
    fn pass(
        &mut self,
        column: usize,
        values: &[f32],
        tally: &Tally<W>,
        many: usize,
        missing: Option<Part<W>>,
    ) {
        let extra = missing.unwrap_or(Part::NONE);
        self.proxies.clear();
        self.proxies.resize(many, 0.0);
        dispatch(Proxies {
            criterion: self.samples.criterion,
            all: &self.samples.sums,
            lefts: &tally.lefts[..many],
            extra: &extra,
            out: self.proxies,
        });
        let mut most = self.best.map_or(f64::NEG_INFINITY, |split| split.proxy);
        for at in 0..many {
            let proxy = self.proxies[at];
            if proxy > most
                && let Some(threshold) = threshold(values, &tally.places, at)
            {
                self.consider(
                    Split {
                        proxy,
                        column,
                        last: tally.places[at],
                        threshold,
                        missing_left: tally.missing.map(|_| missing.is_some()),
                        left: tally.lefts[at].and(&extra).sums,
                    },
                    tally.lefts[at].and(&extra).count,
                );
                most = self.best.map_or(most, |split| split.proxy);
            }
        }
    }

    /// Keeps a split, with so many samples on the left, if it is the best so far.
    pub(super) fn consider(&mut self, split: Split<W>, count: usize) {
        let (least, criterion) = (self.least, self.samples.criterion);
        let right = less(&self.samples.sums, &split.left);
        let is_better = self.best.is_none_or(|best| split.proxy > best.proxy);
        if count >= least.samples
            && self.samples.rows.len() - count >= least.samples
            && criterion.weight(&split.left) >= least.weight
            && criterion.weight(&right) >= least.weight
            && is_better
        {
            self.best = Some(split);
        }
    }
}

/// The middle between a value that occurs and the next, if they differ enough. All that is not
/// missing is below infinity.
fn threshold(values: &[f32], places: &[u32], at: usize) -> Option<f64> {
    let value = |&place: &u32| values[place as usize];
    let low = value(&places[at]);
    match places.get(at + 1).map(value) {
        None => Some(f64::INFINITY),
        Some(high) => apart(low, high).then(|| f64::from(low) / 2.0 + f64::from(high) / 2.0),
    }
}

#[inline(always)]
pub(super) fn less<const W: usize>(all: &[f64; W], part: &[f64; W]) -> [f64; W] {
    std::array::from_fn(|at| all[at] - part[at])
}

/// Judges splits.
struct Proxies<'a, C, const W: usize> {
    criterion: &'a C,
    all: &'a [f64; W],
    lefts: &'a [Part<W>],
    extra: &'a Part<W>,
    out: &'a mut [f64],
}

impl<C: Criterion<W>, const W: usize> Kernel for Proxies<'_, C, W> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, left) in self.out.iter_mut().zip(self.lefts) {
            let left = left.and(self.extra).sums;
            *out = self.criterion.proxy(&left, &less(self.all, &left));
        }
    }
}
