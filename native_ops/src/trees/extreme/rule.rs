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
    /// Whether what a leaf loses is computed from its rounded weight, as from version 3.4 on.
    pub by_weight: bool,
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
    #[inline(always)]
    pub(super) fn weight(&self, sums: Sums) -> f32 {
        let least = f64::from(self.min_child_weight);
        let is_none = sums.hessian <= 0.0 || !self.by_weight && sums.hessian < least;
        let weight = -self.shrunk(sums.gradient) / (sums.hessian + f64::from(self.lambda));
        if is_none { 0.0 } else { weight as f32 }
    }

    /// What a leaf loses, but for its sign: equation 6.
    #[inline(always)]
    pub(super) fn loss(&self, sums: Sums) -> f32 {
        let hessian = sums.hessian + f64::from(self.lambda);
        let loss = if self.by_weight {
            let weight = self.weight(sums);
            let alpha = 2.0 * f64::from(self.alpha) * f64::from(weight.abs());
            let square = hessian * f64::from(weight * weight);
            -(2.0 * sums.gradient * f64::from(weight) + square + alpha) as f32
        } else {
            let shrunk = self.shrunk(sums.gradient);
            (shrunk * shrunk) as f32 / hessian as f32
        };
        if sums.hessian <= 0.0 { 0.0 } else { loss }
    }

    /// What a split gains: equation 7; nothing if it is not allowed, or no number.
    #[inline(always)]
    pub(super) fn gain(&self, left: Sums, right: Sums, whole: f32) -> f32 {
        let least = f64::from(self.min_child_weight);
        let gain = self.loss(left) + self.loss(right) - whole;
        let positive = !self.by_weight || left.hessian > 0.0 && right.hessian > 0.0;
        let enough = left.hessian >= least && right.hessian >= least;
        let counts = enough && positive && gain < f32::INFINITY;
        if counts && gain > 0.0 { gain } else { 0.0 }
    }
}
