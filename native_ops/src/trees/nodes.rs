//! What a tree is, and how it is to grow.

use std::ops::Range;

/// How to grow, and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// How many leaves it may have.
    pub max_leaf_nodes: Option<usize>,
    /// How many splits there may be one below the other.
    pub max_depth: Option<usize>,
    /// How many samples a leaf has at least: a whole number.
    pub min_samples_leaf: f64,
    /// The sum of their hessians at least.
    pub min_hessian_to_split: f64,
    /// What is added to sums of hessians.
    pub l2_regularization: f64,
    /// How many threads may be used.
    pub threads: usize,
}

/// A node of a tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// What a leaf here would predict.
    pub value: f64,
    /// The gain of its split; -1 if there is none, or nobody has looked.
    pub gain: f64,
    /// How many splits are above it.
    pub depth: usize,
    /// The feature that it is split by, the last bin on the left, and whether missing values go
    /// left; `None` for a leaf.
    pub split: Option<(usize, usize, bool)>,
    /// Its children, each after its parent.
    pub children: (usize, usize),
    /// Where its samples are.
    pub samples: Range<usize>,
}

/// The nodes in the order in which scikit-learn stores them: all of the left before the right.
pub(super) fn in_order(nodes: &[Node]) -> Vec<Node> {
    let mut order = Vec::with_capacity(nodes.len());
    let mut stack = vec![0];
    while let Some(at) = stack.pop() {
        order.push(at);
        if nodes[at].split.is_some() {
            let (left, right) = nodes[at].children;
            stack.extend([right, left]);
        }
    }
    let mut places = vec![0; nodes.len()];
    for (place, &at) in order.iter().enumerate() {
        places[at] = place;
    }
    let placed = |at: usize| {
        let mut node = nodes[at].clone();
        if node.split.is_some() {
            node.children = (places[node.children.0], places[node.children.1]);
        }
        node
    };
    order.into_iter().map(placed).collect()
}
