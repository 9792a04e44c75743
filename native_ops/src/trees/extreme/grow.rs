//! Growing a tree: level by level.

use super::rule::Rule;
use super::search::{Split, Ways, Whole, search};
use crate::trees::exclusive::exact;
use crate::trees::histogram::{Histogram, Term, add, subtract};
use crate::trees::rows::{BinnedRows, part};
use crate::trees::search::Sums;
use std::ops::Range;

/// What a split gains at least, whatever the rule says.
const LEAST_GAIN: f32 = 1e-6;

/// A node of a tree, all of which follow one another level by level.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// The node above it.
    pub parent: Option<usize>,
    /// The first of its two children, which follow one another.
    pub child: Option<usize>,
    /// What it is split by; 0 for a leaf, as all that follows.
    pub feature: usize,
    /// How many bins of numbers go left.
    pub bins: usize,
    /// Whether missing values do.
    pub missing_go_left: bool,
    /// What the split gains.
    pub gain: f32,
    /// The sum of the hessians of its rows.
    pub hessian: f32,
    /// What XGBoost keeps as its weight.
    pub weight: f32,
    /// What it predicts if it is a leaf.
    pub value: f32,
}

/// A leaf, as long as it may still be split.
struct Leaf {
    node: usize,
    samples: Range<usize>,
    split: Option<(Split, Histogram<2>)>,
}

/// Grows trees on the same rows.
pub(super) struct Grower<'a> {
    rows: &'a BinnedRows,
    binned: &'a [u8],
    rule: Rule,
    partition: Vec<u32>,
    nodes: Vec<Node>,
    chosen: Vec<Term<2>>,
    right: Vec<u32>,
    ways: Box<Ways>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(rows: &'a BinnedRows, binned: &'a [u8], rule: Rule) -> Self {
        Self {
            rows,
            binned,
            rule,
            partition: Vec::new(),
            nodes: Vec::new(),
            chosen: Vec::new(),
            right: Vec::new(),
            ways: Ways::new(),
        }
    }

    /// Grows a tree for the gradients and hessians of all rows, and adds what it predicts.
    pub(super) fn grow(&mut self, terms: &[Term<2>], predictions: &mut [f32]) -> Vec<Node> {
        self.partition.clear();
        self.partition.extend(0..terms.len() as u32);
        let mut histogram = Histogram::new(self.rows);
        self.add_up(None, terms, &mut histogram);
        let sums = self.all(terms, &histogram);
        let weight = self.rule.weight(sums);
        self.add(None, sums, weight);
        self.nodes[0].weight = weight;
        let mut level = vec![self.open(0, 0..terms.len(), sums, histogram)];
        for depth in 1.. {
            let mut next = Vec::new();
            for leaf in level {
                match leaf.split {
                    Some((split, histogram)) => {
                        let is_last = depth == self.rule.max_depth;
                        let [left, right] = self.split(leaf.node, leaf.samples, split);
                        next.extend(self.children(left, right, split, histogram, terms, is_last));
                    }
                    None => {
                        let value = self.nodes[leaf.node].value;
                        for &row in &self.partition[leaf.samples] {
                            predictions[row as usize] += value;
                        }
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            level = next;
        }
        std::mem::take(&mut self.nodes)
    }

    /// The sums of all rows: of no missing values, those of the first feature's bins.
    fn all(&self, terms: &[Term<2>], histogram: &Histogram<2>) -> Sums {
        let features = &self.rows.features;
        let terms = if features.iter().any(|feature| feature.has_missing) {
            terms
        } else {
            &histogram.bins()[..features[0].bins]
        };
        terms
            .iter()
            .fold(Sums::default(), |sums, &term| sums.plus(term))
    }

    fn add_up(&self, samples: Option<&[u32]>, terms: &[Term<2>], to: &mut Histogram<2>) {
        let exact = exact(self.rows, terms);
        for block in &self.rows.blocks {
            let sums = &mut to.bins_mut()[block.slots.clone()];
            add(block, samples, terms, exact, sums);
        }
    }

    /// Adds a leaf.
    fn add(&mut self, parent: Option<usize>, sums: Sums, weight: f32) -> usize {
        let value = weight * self.rule.eta;
        self.nodes.push(Node {
            parent,
            child: None,
            feature: 0,
            bins: 0,
            missing_go_left: false,
            gain: 0.0,
            hessian: sums.hessian as f32,
            weight: value,
            value,
        });
        self.nodes.len() - 1
    }

    /// Looks for a split of a leaf.
    fn open(
        &mut self,
        node: usize,
        samples: Range<usize>,
        sums: Sums,
        histogram: Histogram<2>,
    ) -> Leaf {
        let loss = self.rule.loss(sums);
        let whole = Whole { sums, loss };
        let found = search(
            self.rows,
            histogram.bins(),
            whole,
            &self.rule,
            &mut self.ways,
        );
        let split = match found.filter(|split| self.is_allowed(split)) {
            Some(split) => Some((split, histogram)),
            None => {
                self.rows.keep(histogram.0);
                None
            }
        };
        Leaf {
            node,
            samples,
            split,
        }
    }

    fn is_allowed(&self, split: &Split) -> bool {
        split.gain > LEAST_GAIN
            && split.gain >= self.rule.gamma
            && split.left.hessian != 0.0
            && split.right.hessian != 0.0
    }

    /// Splits a leaf; returns where the samples of its children are.
    fn split(&mut self, node: usize, samples: Range<usize>, split: Split) -> [Range<usize>; 2] {
        let rule = self.rule;
        let child = self.add(Some(node), split.left, rule.weight(split.left));
        self.add(Some(node), split.right, rule.weight(split.right));
        let whole = split.left.plus([split.right.gradient, split.right.hessian]);
        self.nodes[node] = Node {
            child: Some(child),
            feature: split.feature,
            bins: split.bins,
            missing_go_left: split.missing_go_left,
            gain: split.gain,
            hessian: whole.hessian as f32,
            weight: rule.weight(whole),
            ..self.nodes[node]
        };
        let feature = &self.rows.features[split.feature];
        let bins = &self.binned[split.feature * self.rows.rows..][..self.rows.rows];
        let missing = feature.has_missing.then_some(self.rows.missing);
        let goes_left = |row: u32| {
            let bin = bins[row as usize];
            if Some(bin) == missing {
                split.missing_go_left
            } else {
                usize::from(bin) < split.bins
            }
        };
        let chosen = &mut self.partition[samples.clone()];
        let middle = samples.start + part(chosen, goes_left, &mut self.right);
        [samples.start..middle, middle..samples.end]
    }

    /// Opens the last two nodes, the children of one: the one of fewer hessians adds up its rows.
    fn children(
        &mut self,
        left: Range<usize>,
        right: Range<usize>,
        split: Split,
        mut histogram: Histogram<2>,
        terms: &[Term<2>],
        is_last: bool,
    ) -> [Leaf; 2] {
        let nodes = [self.nodes.len() - 2, self.nodes.len() - 1];
        if is_last {
            self.rows.keep(histogram.0);
            let leaf = |node, samples| Leaf {
                node,
                samples,
                split: None,
            };
            return [leaf(nodes[0], left), leaf(nodes[1], right)];
        }
        let fewer_right = split.right.hessian < split.left.hessian;
        let samples = if fewer_right { &right } else { &left };
        let samples = &self.partition[samples.clone()];
        self.chosen.clear();
        self.chosen
            .extend(samples.iter().map(|&row| terms[row as usize]));
        let mut small = Histogram::new(self.rows);
        self.add_up(Some(samples), &self.chosen, &mut small);
        subtract(histogram.bins_mut(), small.bins());
        let (of_left, of_right) = if fewer_right {
            (histogram, small)
        } else {
            (small, histogram)
        };
        [
            self.open(nodes[0], left, split.left, of_left),
            self.open(nodes[1], right, split.right, of_right),
        ]
    }
}
