//! The best split of a leaf.

use super::rule::Rule;
use crate::simd::{Kernel, dispatch};
use crate::trees::histogram::Term;
use crate::trees::rows::{BinnedRows, Block, SLOTS};
use crate::trees::search::Sums;
use std::ops::Range;

/// A leaf to split.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) sums: Sums,
    pub(super) loss: f32,
}

/// Where to split a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    pub(super) gain: f32,
    pub(super) feature: usize,
    /// How many bins of numbers go left.
    pub(super) bins: usize,
    pub(super) missing_go_left: bool,
    pub(super) left: Sums,
    pub(super) right: Sums,
}

/// Finds the split that gains most; of equal ones the first, feature by feature, missing values to
/// the right before to the left.
pub(super) fn search(
    rows: &BinnedRows,
    histogram: &[Term<2>],
    whole: Whole,
    rule: &Rule,
    ways: &mut Ways,
) -> Option<Split> {
    let mut best = None;
    for block in &rows.blocks {
        let bins = &histogram[block.slots.clone()];
        dispatch(Search {
            rows,
            block,
            bins,
            whole,
            rule,
            ways: &mut *ways,
            best: &mut best,
        });
    }
    best
}

struct Search<'a> {
    rows: &'a BinnedRows,
    block: &'a Block,
    bins: &'a [Term<2>],
    whole: Whole,
    rule: &'a Rule,
    ways: &'a mut Ways,
    best: &'a mut Option<Split>,
}

impl Kernel for Search<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (ways, whole, firsts) = (self.ways, self.whole, &self.block.firsts);
        let mut count = 0;
        let mut any_down = false;
        for (feature, &first) in self.rows.features[self.block.feature..].iter().zip(firsts) {
            let start = count;
            let bins = &self.bins[first as usize..][..feature.bins];
            for (bin, slot) in bins.iter().zip(first..) {
                ways.bins[count & (SLOTS - 1)] = *bin;
                ways.slots[count & (SLOTS - 1)] = slot;
                // Without a branch, which nobody could foresee; -0.0 is nothing, too.
                let bits = (bin[0].to_bits() | bin[1].to_bits()) << 1;
                count += usize::from(bits != 0);
            }
            // Sums that are rounded in another way look as if some values were missing.
            any_down |= ways.add_up(start..count, whole.sums);
        }
        let most = self.best.map_or(0.0, |split| split.gain);
        let at = |slot: u32| firsts.partition_point(|&first| first <= slot) - 1;
        if let Some((gain, place)) = gains(&ways.up, &mut ways.gains[..count], whole, self.rule)
            .filter(|&(gain, _)| gain > most)
        {
            let slot = ways.slots[place];
            let at = at(slot);
            let left = ways.up.sums(place);
            *self.best = Some(Split {
                gain,
                feature: self.block.feature + at,
                bins: (slot - firsts[at]) as usize + 1,
                missing_go_left: false,
                left,
                right: whole.sums.less(left),
            });
        }
        if !any_down {
            return;
        }
        if let Some((gain, place)) = gains(&ways.down, &mut ways.gains[..count], whole, self.rule)
            .filter(|&(gain, _)| gain > most)
        {
            let at = at(ways.slots[place]);
            let feature = self.block.feature + at;
            let comes_first =
                |split: &Split| split.gain > gain || split.gain == gain && split.feature <= feature;
            if self.best.as_ref().is_some_and(comes_first) {
                return;
            }
            // From above, of equal ones of a feature the last comes first.
            let end = firsts[at] + self.rows.features[feature].bins as u32;
            let same = |&place: &usize| ways.gains[place] == gain.to_bits();
            let places = place..count;
            let place = places
                .take_while(|&place| ways.slots[place] < end)
                .filter(same)
                .last()
                .unwrap_or(place);
            let right = ways.down.sums(place);
            *self.best = Some(Split {
                gain,
                feature,
                bins: (ways.slots[place] - firsts[at]) as usize,
                missing_go_left: true,
                left: whole.sums.less(right),
                right,
            });
        }
    }
}

/// A sum of hessians that no side may have.
const NOT_ALLOWED: f64 = -1.0;

/// Memory for the ways to split a leaf by the features of a block, without empty bins, which leave
/// all as it was.
pub(super) struct Ways {
    slots: [u32; SLOTS],
    bins: [Term<2>; SLOTS],
    /// What is added up of a feature from the lowest bin on.
    up: Way,
    /// From the highest bin on.
    down: Way,
    /// Their bits, which as integers have the same order.
    gains: [u32; SLOTS],
}

impl Ways {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            slots: [0; SLOTS],
            bins: [[0.0; 2]; SLOTS],
            up: Way::new(),
            down: Way::new(),
            gains: [0; SLOTS],
        })
    }

    /// Adds up the bins of a feature from either end on; returns whether any may be missing.
    #[inline(always)]
    fn add_up(&mut self, places: Range<usize>, whole: Sums) -> bool {
        let bins = &self.bins[places.clone()];
        let up = self.up.of(places.clone());
        let down = self.down.of(places.clone());
        let (mut below, mut above) = (Sums::default(), Sums::default());
        let bins = bins.iter().zip(bins.iter().rev());
        for ((up, down), (lower, upper)) in up.zip(down.rev()).zip(bins) {
            below = below.plus(*lower);
            above = above.plus(*upper);
            (*up.0, *up.1) = (below.gradient, below.hessian);
            (*down.0, *down.1) = (above.gradient, above.hessian);
        }
        if below == whole {
            self.down.hessians[places].fill(NOT_ALLOWED);
        }
        below != whole
    }
}

/// What is added up to each bin.
struct Way {
    gradients: [f64; SLOTS],
    hessians: [f64; SLOTS],
}

impl Way {
    fn new() -> Self {
        Self {
            gradients: [0.0; SLOTS],
            hessians: [0.0; SLOTS],
        }
    }

    #[inline(always)]
    fn of(
        &mut self,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = (&mut f64, &mut f64)> + ExactSizeIterator {
        let gradients = self.gradients[places.clone()].iter_mut();
        gradients.zip(&mut self.hessians[places])
    }

    #[inline(always)]
    fn fill(&self, gains: &mut [u32], whole: Whole, rule: &Rule) {
        let sums = self.gradients.iter().zip(&self.hessians);
        for (gain, (&gradient, &hessian)) in gains.iter_mut().zip(sums) {
            let one = Sums { gradient, hessian };
            *gain = rule.gain(one, whole.sums.less(one), whole.loss).to_bits();
        }
    }

    #[inline(always)]
    fn sums(&self, place: usize) -> Sums {
        Sums {
            gradient: self.gradients[place],
            hessian: self.hessians[place],
        }
    }
}

/// Computes what splits gain, given the sums on one side; returns the most and where it is first.
#[inline(always)]
fn gains(way: &Way, gains: &mut [u32], whole: Whole, rule: &Rule) -> Option<(f32, usize)> {
    // One loop for either way, without a branch inside.
    if rule.by_weight {
        way.fill(
            gains,
            whole,
            &Rule {
                by_weight: true,
                ..*rule
            },
        );
    } else {
        way.fill(
            gains,
            whole,
            &Rule {
                by_weight: false,
                ..*rule
            },
        );
    }
    let most = gains.iter().fold(0, |most, &gain| most.max(gain));
    let place = gains.iter().position(|&gain| gain == most)?;
    Some((f32::from_bits(most), place))
}
