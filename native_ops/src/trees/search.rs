//! The best split of a leaf.

use super::histogram::Term;
use super::nodes::Growth;
use super::rows::{BinnedRows, Block};
use crate::simd::{Kernel, dispatch};
use std::cell::RefCell;
use std::ops::Range;

/// What is added up over some samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
}

impl Sums {
    #[inline(always)]
    pub(super) fn plus(self, [gradient, hessian]: Term<2>) -> Self {
        Self {
            gradient: self.gradient + gradient,
            hessian: self.hessian + hessian,
        }
    }

    #[inline(always)]
    pub(super) fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
        }
    }

    /// The value of a leaf: equation 5 of Chen and Guestrin.
    #[inline(always)]
    pub(super) fn value(self, l2_regularization: f64) -> f64 {
        -self.gradient / (self.hessian + l2_regularization + 1e-15)
    }

    /// What a leaf loses, but for its sign: equation 6.
    #[inline(always)]
    fn loss(self, l2_regularization: f64) -> f64 {
        self.gradient * self.value(l2_regularization)
    }
}

/// A leaf to split.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) sums: Sums,
    /// How many there are.
    pub(super) samples: f64,
    pub(super) loss: f64,
}

/// Where to split a leaf.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    pub(super) gain: f64,
    pub(super) feature: usize,
    /// Numbers of this bin and of those below go left.
    pub(super) bin: usize,
    pub(super) missing_go_left: bool,
    pub(super) left: Sums,
    pub(super) right: Sums,
}

thread_local! {
    static WAYS: RefCell<Box<Ways>> = RefCell::new(Ways::new());
}

/// Finds the split by the features of a block that gains most; of equal ones the first, feature by
/// feature, missing values to the right before to the left.
pub(super) fn search<const W: usize>(
    rows: &BinnedRows,
    block: &Block,
    bins: &[Term<W>],
    whole: Whole,
    growth: &Growth,
) -> Option<Split> {
    WAYS.with_borrow_mut(|ways| {
        dispatch(Search {
            rows,
            block,
            bins,
            whole,
            growth,
            ways,
        })
    })
}

struct Search<'a, const W: usize> {
    rows: &'a BinnedRows,
    block: &'a Block,
    bins: &'a [Term<W>],
    whole: Whole,
    growth: &'a Growth,
    ways: &'a mut Ways,
}

impl<const W: usize> Kernel for Search<'_, W> {
    type Output = Option<Split>;

    #[inline(always)]
    fn run(self) -> Option<Split> {
        let (ways, whole, growth) = (self.ways, self.whole, self.growth);
        let mut best = None;
        for (at, &first) in (self.block.feature..).zip(&self.block.firsts) {
            let feature = &self.rows.features[at];
            let bins = &self.bins[first as usize..][..feature.bins];
            // All numbers may go left only if there are missing values on the right.
            let from_left = bins.len() - usize::from(!feature.has_missing);
            ways.add_up(bins[..from_left].iter(), whole, growth);
            ways.compare(at, false, whole, growth, &mut best, |step| step);
            if feature.has_missing {
                ways.add_up(bins[1..].iter().rev(), whole, growth);
                ways.compare(at, true, whole, growth, &mut best, |step| {
                    bins.len() - 2 - step
                });
            }
        }
        best
    }
}

/// Ways to split by one feature: what is added up from one end on, as long as enough samples are
/// left at the other, without empty bins, which leave all as it was.
struct Ways {
    count: usize,
    steps: [u8; MOST],
    samples: [f64; MOST],
    gradients: [f64; MOST],
    hessians: [f64; MOST],
    gains: [f64; MOST],
}

const MOST: usize = 256;

impl Ways {
    fn new() -> Box<Self> {
        Box::new(Self {
            count: 0,
            steps: [0; MOST],
            samples: [0.0; MOST],
            gradients: [0.0; MOST],
            hessians: [0.0; MOST],
            gains: [0.0; MOST],
        })
    }

    #[inline(always)]
    fn add_up<'a, const W: usize>(
        &mut self,
        terms: impl Iterator<Item = &'a Term<W>>,
        whole: Whole,
        growth: &Growth,
    ) {
        let (mut sums, mut samples) = (Sums::default(), 0.0);
        let mut count = 0_u8;
        for (term, step) in terms.zip(0..) {
            sums.gradient += term[0];
            sums.hessian += term[1];
            samples += term[W - 1];
            if whole.samples - samples < growth.min_samples_leaf {
                break;
            }
            let at = usize::from(count);
            self.steps[at] = step;
            self.samples[at] = samples;
            self.gradients[at] = sums.gradient;
            self.hessians[at] = sums.hessian;
            // Without a branch, which nobody could foresee; -0.0 is nothing, too.
            let bits = term.iter().fold(0, |bits, value| bits | value.to_bits());
            count += u8::from(bits << 1 != 0);
        }
        self.count = usize::from(count);
    }

    /// Computes what the ways gain, and keeps the best.
    #[inline(always)]
    fn compare(
        &mut self,
        feature: usize,
        from_right: bool,
        whole: Whole,
        growth: &Growth,
        best: &mut Option<Split>,
        bin: impl Fn(usize) -> usize,
    ) {
        let range = self.allowed(whole, growth);
        let l2 = growth.l2_regularization;
        let gains = &mut self.gains[range.clone()];
        let sums = self.gradients[range.clone()]
            .iter()
            .zip(&self.hessians[range.clone()]);
        for (gain, (&gradient, &hessian)) in gains.iter_mut().zip(sums) {
            let one = Sums { gradient, hessian };
            let other = whole.sums.less(one);
            let (left, right) = if from_right {
                (other, one)
            } else {
                (one, other)
            };
            *gain = whole.loss - left.loss(l2) - right.loss(l2);
        }
        let mut most = best.map_or(0.0, |split| split.gain);
        let mut found = None;
        for (&gain, at) in gains.iter().zip(range) {
            if gain > most {
                most = gain;
                found = Some(at);
            }
        }
        if let Some(at) = found {
            let one = Sums {
                gradient: self.gradients[at],
                hessian: self.hessians[at],
            };
            let left = if from_right {
                whole.sums.less(one)
            } else {
                one
            };
            *best = Some(Split {
                gain: most,
                feature,
                bin: bin(usize::from(self.steps[at])),
                missing_go_left: from_right,
                left,
                right: whole.sums.less(left),
            });
        }
    }

    /// Where the ways are that leave enough samples and hessians on either side.
    #[inline(always)]
    fn allowed(&mut self, whole: Whole, growth: &Growth) -> Range<usize> {
        let (least, least_hessian) = (growth.min_samples_leaf, growth.min_hessian_to_split);
        let mut start = None;
        for at in 0..self.count {
            let (samples, hessian) = (self.samples[at], self.hessians[at]);
            let allowed = samples >= least && hessian >= least_hessian;
            if allowed && whole.sums.hessian - hessian < least_hessian {
                return start.unwrap_or(at)..at;
            }
            if allowed {
                start.get_or_insert(at);
            } else if start.is_some() {
                // Rounding took a sum of hessians below again: no gain is more than this.
                self.gradients[at] = f64::NAN;
            }
        }
        start.unwrap_or(self.count)..self.count
    }
}
