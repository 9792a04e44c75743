//! What a leaf predicts and what a split gains: which part is of which precision is XGBoost's.

use crate::trees::search::Sums;

/// How trees grow.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// How many splits there may be one below the other; at least one.
    pub max_depth: usize,
    /// What leaves are multiplied by.
    pub eta: f32,
    /// What a split gains at least.
    pub gamma: f32,
    /// The sum of hessians on either side at least.
    pub min_child_weight: f32,
    /// What is added to sums of hessians.
    pub lambda: f32,
    /// What sums of gradients are moved towards zero by.
    pub alpha: f32,
}

impl Rule {
    #[inline(always)]
    fn shrunk(&self, gradient: f64) -> f64 {
        let alpha = f64::from(self.alpha);
        if gradient > alpha {
            gradient - alpha
        } else if gradient < -alpha {
            gradient + alpha
        } else {
            0.0
        }
    }

    /// The weight of a leaf: equation 5.
    pub(super) fn weight(&self, sums: Sums) -> f32 {
        if sums.hessian < f64::from(self.min_child_weight) || sums.hessian <= 0.0 {
            return 0.0;
        }
        (-self.shrunk(sums.gradient) / (sums.hessian + f64::from(self.lambda))) as f32
    }

    /// What a leaf loses, but for its sign: equation 6.
    #[inline(always)]
    pub(super) fn loss(&self, sums: Sums) -> f32 {
        let shrunk = self.shrunk(sums.gradient);
        let loss = (shrunk * shrunk) as f32 / (sums.hessian + f64::from(self.lambda)) as f32;
        if sums.hessian <= 0.0 { 0.0 } else { loss }
    }

    /// What a split gains: equation 7; nothing if it is not allowed, or no number.
    #[inline(always)]
    pub(super) fn gain(&self, left: Sums, right: Sums, whole: f32) -> f32 {
        let least = f64::from(self.min_child_weight);
        let gain = self.loss(left) + self.loss(right) - whole;
        let counts = left.hessian >= least && right.hessian >= least && gain < f32::INFINITY;
        if counts && gain > 0.0 { gain } else { 0.0 }
    }
}
