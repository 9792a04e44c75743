//! What a tree is, and how it is to grow.

use super::criterion::Impurity;

/// What a tree is to predict.
#[derive(Clone, Copy, Debug)]
pub enum TreeTarget<'a> {
    /// Numbers, by squared errors.
    Numbers(&'a [f64]),
    /// So many classes, numbered from 0, by an impurity.
    Classes(&'a [f64], usize, Impurity),
}

/// How to grow, and when to stop; scikit-learn's, by name.
#[derive(Clone, Copy, Debug)]
pub struct TreeLimits {
    /// Of how many columns each split is the best.
    pub max_features: usize,
    /// Below so many samples a node is a leaf.
    pub min_samples_split: usize,
    /// How many samples a leaf has at least.
    pub min_samples_leaf: usize,
    /// What they weigh at least.
    pub min_weight_leaf: f64,
    /// How many splits there may be one below the other.
    pub max_depth: usize,
    /// What a split takes from the impurity at least.
    pub min_impurity_decrease: f64,
    /// Whether each column offers one split only, drawn at random.
    pub random: bool,
}

/// A node of a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlantedNode {
    /// Its children, `None` for a leaf.
    pub children: Option<(usize, usize)>,
    /// The column that it is split by.
    pub column: usize,
    /// Numbers up to this go left.
    pub threshold: f64,
    /// Whether missing numbers do.
    pub missing_left: bool,
    /// How much its samples differ.
    pub impurity: f64,
    /// How many there are.
    pub samples: usize,
    /// What they weigh.
    pub weight: f64,
}

/// A tree: all of the left before the right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlantedTree {
    /// The nodes, parents first.
    pub nodes: Vec<PlantedNode>,
    /// What each predicts, one after another.
    pub values: Vec<f64>,
    /// How many splits are above the deepest leaf.
    pub depth: usize,
}
