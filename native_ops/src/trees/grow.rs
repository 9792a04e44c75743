//! Growing: which leaf is split, and when it ends.

use super::exclusive::exact;
use super::heap::Heap;
use super::histogram::{Histogram, Term, add, subtract};
use super::nodes::{Growth, Node, in_order};
use super::parts::{Part, each_block};
use super::rows::{BinnedRows, part};
use super::search::{Split, Sums, Whole, search};
use crate::error::ProgramError;
use crate::reduce::pairwise::pairwise;
use std::ops::Range;

/// Bins of so many samples are worth telling other threads of.
const SHARED: usize = 1 << 16;

/// Grows a tree; returns its nodes, children before the siblings of their parents.
///
/// `binned` is what `rows` were made of. `partition` must have one place for each row; afterwards
/// the samples of each node are next to each other. One hessian stands for all.
///
/// # Errors
///
/// When lengths differ.
///
/// ```
/// use stratum_native_ops::{BinnedRows, Growth, grow};
///
/// // Four rows of one feature, which has three bins; what they miss is the gradient.
/// let binned = [0, 1, 2, 0];
/// let rows = BinnedRows::new(&binned, &[3], &[0], 255)?;
/// let growth = Growth {
///     max_leaf_nodes: Some(2),
///     max_depth: None,
///     min_samples_leaf: 1.0,
///     min_hessian_to_split: 1e-3,
///     l2_regularization: 0.0,
///     threads: 1,
/// };
/// let mut partition = [0; 4];
/// let nodes = grow(&rows, &binned, &[-1.0, 2.0, 2.0, -3.0], &[1.0], &growth, &mut partition)?;
/// assert_eq!(partition, [0, 3, 1, 2]);
/// assert_eq!(nodes[0].split, Some((0, 0, false)));
/// assert_eq!(nodes[1].value.round(), 2.0);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn grow(
    rows: &BinnedRows,
    binned: &[u8],
    gradients: &[f32],
    hessians: &[f32],
    growth: &Growth,
    partition: &mut [u32],
) -> Result<Vec<Node>, ProgramError> {
    let count = rows.rows;
    if binned.len() != count * rows.features.len()
        || gradients.len() != count
        || partition.len() != count
    {
        return Err(ProgramError("lengths of rows differ".to_owned()));
    }
    for (place, row) in partition.iter_mut().zip(0..) {
        *place = row;
    }
    if let [hessian] = hessians {
        let terms = gradients.iter().map(|&g| [f64::from(g), 1.0]).collect();
        let all = f64::from(*hessian) * count as f64;
        return Ok(Grower::new(rows, binned, growth, partition, terms).grow(Some(all)));
    }
    if hessians.len() != count {
        return Err(ProgramError("lengths of rows differ".to_owned()));
    }
    let terms = (gradients.iter().zip(hessians))
        .map(|(&g, &h)| [f64::from(g), f64::from(h), 1.0])
        .collect();
    Ok(Grower::new(rows, binned, growth, partition, terms).grow(None))
}

/// A leaf, as long as it may still be split.
struct Leaf<const W: usize> {
    sums: Sums,
    /// Its best split, with the sums of which it was found.
    split: Option<(Split, Histogram<W>)>,
}

struct Grower<'a, const W: usize> {
    rows: &'a BinnedRows,
    binned: &'a [u8],
    growth: &'a Growth,
    partition: &'a mut [u32],
    terms: Vec<Term<W>>,
    nodes: Vec<Node>,
    leaves: Vec<Leaf<W>>,
    open: Heap,
    finished: usize,
    right: Vec<u32>,
}

impl<'a, const W: usize> Grower<'a, W> {
    fn new(
        rows: &'a BinnedRows,
        binned: &'a [u8],
        growth: &'a Growth,
        partition: &'a mut [u32],
        terms: Vec<Term<W>>,
    ) -> Self {
        Self {
            rows,
            binned,
            growth,
            partition,
            terms,
            nodes: Vec::new(),
            leaves: Vec::new(),
            open: Heap::new(),
            finished: 0,
            right: Vec::new(),
        }
    }

    fn grow(mut self, all_hessians: Option<f64>) -> Vec<Node> {
        let (rows, growth) = (self.rows, self.growth);
        let threads = self.threads(rows.rows);
        let (mut histogram, mut none) = (Histogram::new(rows), Histogram::none());
        let exact = exact(rows, &self.terms);
        each_block(rows, threads, &mut histogram, &mut none, |part| {
            add(part.block, None, &self.terms, exact, part.small);
        });
        let sums = Sums {
            gradient: self.total(&histogram, 0),
            hessian: all_hessians.unwrap_or_else(|| self.total(&histogram, 1)),
        };
        let root = self.add(sums, 0, 0..self.rows.rows);
        if self.is_small(root) || sums.hessian < self.growth.min_hessian_to_split {
            self.finished += 1;
            self.rows.keep(histogram.0);
        } else {
            let whole = self.whole(root);
            let search = |part: &mut Part<'_, W>| {
                part.best[0] = search(rows, part.block, part.small, whole, growth);
            };
            let [split, _] = each_block(rows, threads, &mut histogram, &mut none, search);
            self.open(root, split, histogram);
        }
        while let Some(node) = self.open.pop() {
            self.split(node);
        }
        for (_, histogram) in self.leaves.into_iter().filter_map(|leaf| leaf.split) {
            self.rows.keep(histogram.0);
        }
        in_order(&self.nodes)
    }

    /// The sum over all bins of the first feature, as NumPy adds up the column of a histogram of
    /// scikit-learn's, which has as many bins for each feature.
    fn total(&self, histogram: &Histogram<W>, of: usize) -> f64 {
        let (first, bins) = (&self.rows.features[0], histogram.bins());
        let mut column = [0.0; 256];
        let column = &mut column[..=usize::from(self.rows.missing)];
        for (sum, term) in column.iter_mut().zip(&bins[..first.bins]) {
            *sum = term[of];
        }
        if let (true, Some(last)) = (first.has_missing, column.last_mut()) {
            *last = bins[first.bins][of];
        }
        0.0 + pairwise(column, |sum: f64| sum)
    }

    fn add(&mut self, sums: Sums, depth: usize, samples: Range<usize>) -> usize {
        // The root's own value is that of nothing.
        let value = if depth == 0 {
            0.0
        } else {
            sums.value(self.growth.l2_regularization)
        };
        self.nodes.push(Node {
            value,
            gain: -1.0,
            depth,
            split: None,
            children: (0, 0),
            samples,
        });
        self.leaves.push(Leaf { sums, split: None });
        self.nodes.len() - 1
    }

    /// Whether the two halves of a node would be too small.
    fn is_small(&self, node: usize) -> bool {
        (self.nodes[node].samples.len() as f64) < self.growth.min_samples_leaf * 2.0
    }

    /// How many threads so many samples are worth.
    fn threads(&self, samples: usize) -> usize {
        if samples * self.rows.features.len() < SHARED {
            1
        } else {
            self.growth.threads
        }
    }

    fn whole(&self, node: usize) -> Whole {
        let (sums, node) = (self.leaves[node].sums, &self.nodes[node]);
        Whole {
            sums,
            samples: node.samples.len() as f64,
            loss: sums.gradient * node.value,
        }
    }

    /// Keeps a leaf open as long as there is a split.
    fn open(&mut self, node: usize, split: Option<Split>, histogram: Histogram<W>) {
        if let Some(split) = split {
            self.leaves[node].split = Some((split, histogram));
            self.nodes[node].gain = split.gain;
            self.open.push(split.gain, node);
        } else {
            self.finished += 1;
            self.rows.keep(histogram.0);
        }
    }

    fn split(&mut self, node: usize) {
        let Some((split, mut histogram)) = self.leaves[node].split.take() else {
            return;
        };
        let Node { depth, samples, .. } = self.nodes[node].clone();
        let feature = &self.rows.features[split.feature];
        let bins = &self.binned[split.feature * self.rows.rows..][..self.rows.rows];
        let (last, missing) = (split.bin as u8, self.rows.missing);
        let goes_left = |row: u32| {
            let bin = bins[row as usize];
            bin <= last || split.missing_go_left && bin == missing
        };
        let many = part(
            &mut self.partition[samples.clone()],
            goes_left,
            &mut self.right,
        );
        let middle = samples.start + many;
        let depth = depth + 1;
        // Rows that miss what none missed here go to where most went.
        let missing_go_left = if feature.has_missing {
            split.missing_go_left
        } else {
            many > samples.end - middle
        };
        let [left, right] = [
            (split.left, samples.start..middle),
            (split.right, middle..samples.end),
        ]
        .map(|(sums, samples)| self.add(sums, depth, samples));
        self.nodes[node].split = Some((split.feature, split.bin, missing_go_left));
        self.nodes[node].children = (left, right);

        let leaves = self.finished + self.open.len() + 2;
        if Some(leaves) == self.growth.max_leaf_nodes {
            self.open = Heap::new();
        }
        let is_last =
            Some(leaves) == self.growth.max_leaf_nodes || Some(depth) == self.growth.max_depth;
        let ends = [left, right].map(|child| is_last || self.is_small(child));
        self.finished += ends.iter().filter(|&&end| end).count();
        if ends == [true; 2] {
            self.rows.keep(histogram.0);
            return;
        }
        let children = [left, right];
        let order = if many < samples.end - middle {
            [0, 1]
        } else {
            [1, 0]
        };
        let (splits, small) =
            self.search(order.map(|at| (children[at], !ends[at])), &mut histogram);
        // The left before the right, which counts where gains are equal.
        let mut found = [(splits[0], small), (splits[1], histogram)];
        if order[0] == 1 {
            found.reverse();
        }
        for ((child, end), (split, histogram)) in children.into_iter().zip(ends).zip(found) {
            if end {
                self.rows.keep(histogram.0);
            } else {
                self.open(child, split, histogram);
            }
        }
    }

    /// Adds up the smaller of two siblings, leaves the rest of their parent's sums for the larger
    /// one, and finds the best split of each that may be split.
    fn search(
        &self,
        [(smaller, of_smaller), (larger, of_larger)]: [(usize, bool); 2],
        histogram: &mut Histogram<W>,
    ) -> ([Option<Split>; 2], Histogram<W>) {
        let (rows, growth) = (self.rows, self.growth);
        let samples = &self.partition[self.nodes[smaller].samples.clone()];
        let terms: Vec<_> = (samples.iter())
            .map(|&row| self.terms[row as usize])
            .collect();
        let [first, second] = [(smaller, of_smaller), (larger, of_larger)]
            .map(|(node, searched)| searched.then(|| self.whole(node)));
        let mut small = Histogram::new(rows);
        let threads = self.threads(samples.len());
        let exact = exact(rows, &terms);
        let splits = each_block(rows, threads, &mut small, histogram, |part| {
            let block = part.block;
            add(block, Some(samples), &terms, exact, part.small);
            subtract(part.large, part.small);
            part.best = [
                first.and_then(|whole| search(rows, block, part.small, whole, growth)),
                second.and_then(|whole| search(rows, block, part.large, whole, growth)),
            ];
        });
        (splits, small)
    }
}
