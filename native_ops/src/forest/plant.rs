//! Planting: which node is split by what, depth first.

use super::columns::{Column, Places, RankedColumns};
use super::criterion::{Classes, Criterion, SquaredError};
use super::draws::Draws;
use super::split::{Least, Search, Split, less};
use super::tally::{Samples, Tallies};
use super::tree::{PlantedNode, PlantedTree, TreeLimits, TreeTarget};
use crate::error::ProgramError;

/// Grows a tree of a forest, bit for bit as scikit-learn does; `None` if it cannot, since sums
/// might be rounded, or there are more than 32 classes.
///
/// Rows that weigh nothing don't count. `seed` is that of the splits' generator.
///
/// # Errors
///
/// When lengths differ, or a class is not there.
///
/// ```
/// use stratum_native_ops::{RankedColumns, TreeLimits, TreeTarget, plant};
///
/// // Two columns of four rows, the first one constant.
/// let columns = RankedColumns::new(&[7.0, 7.0, 7.0, 7.0, 0.0, 3.0, 1.0, 2.0], 2, false)?;
/// let limits = TreeLimits {
///     max_features: 2,
///     min_samples_split: 2,
///     min_samples_leaf: 1,
///     min_weight_leaf: 0.0,
///     max_depth: 1,
///     min_impurity_decrease: 0.0,
///     random: false,
/// };
/// let y = [1.0, 5.0, 1.0, 5.0];
/// let tree = plant(&columns, TreeTarget::Numbers(&y), None, &limits, 1)?.unwrap_or_default();
/// assert_eq!(tree.nodes[0].children, Some((1, 2)));
/// assert_eq!((tree.nodes[0].column, tree.nodes[0].threshold), (1, 1.5));
/// assert_eq!(tree.values, [3.0, 1.0, 5.0]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn plant(
    columns: &RankedColumns,
    target: TreeTarget<'_>,
    weights: Option<&[f64]>,
    limits: &TreeLimits,
    seed: u32,
) -> Result<Option<PlantedTree>, ProgramError> {
    let (TreeTarget::Numbers(y) | TreeTarget::Classes(y, ..)) = target;
    if y.len() != columns.rows || weights.is_some_and(|weights| weights.len() != y.len()) {
        return Err(ProgramError("lengths of rows differ".to_owned()));
    }
    if weights.is_some_and(|weights| {
        weights
            .iter()
            .any(|&weight| weight.is_nan() || weight < 0.0)
    }) {
        return Ok(None);
    }
    let rows: Vec<u32> = (0..columns.rows as u32)
        .filter(|&row| weights.is_none_or(|weights| weights[row as usize] != 0.0))
        .collect();
    if rows.is_empty() || limits.min_samples_leaf == 0 {
        return Ok(None);
    }
    let (codes, count, kind) = match target {
        TreeTarget::Numbers(y) => {
            let criterion = SquaredError::new(y, weights);
            return Ok(criterion.map(|one| Planter::new(columns, &one, limits, seed, rows).plant()));
        }
        TreeTarget::Classes(codes, count, kind) => (codes, count, kind),
    };
    let Some(classes) = Classes::new(codes, count, weights, kind)? else {
        return Ok(None);
    };
    Ok(match count {
        0..=2 => Some(Planter::<_, 2>::new(columns, &classes, limits, seed, rows).plant()),
        3..=4 => Some(Planter::<_, 4>::new(columns, &classes, limits, seed, rows).plant()),
        5..=8 => Some(Planter::<_, 8>::new(columns, &classes, limits, seed, rows).plant()),
        9..=16 => Some(Planter::<_, 16>::new(columns, &classes, limits, seed, rows).plant()),
        17..=32 => Some(Planter::<_, 32>::new(columns, &classes, limits, seed, rows).plant()),
        _ => None,
    })
}

/// A node that nobody has looked at.
struct Open<const W: usize> {
    start: usize,
    end: usize,
    depth: usize,
    /// Its parent, and whether it is on the left of it.
    parent: Option<(usize, bool)>,
    sums: [f64; W],
    squares: f64,
    impurity: f64,
    /// How many columns are known to be constant.
    constants: usize,
}

struct Planter<'a, C: Criterion<W>, const W: usize> {
    columns: &'a RankedColumns,
    criterion: &'a C,
    limits: &'a TreeLimits,
    draws: Draws,
    /// All columns; those that are constant in the node come first.
    order: Vec<usize>,
    constants: Vec<usize>,
    rows: Vec<u32>,
    terms: Vec<C::Term>,
    aside: (Vec<u32>, Vec<C::Term>),
    tallies: Tallies<'a, W>,
    proxies: Vec<f64>,
    tree: PlantedTree,
}

impl<'a, C: Criterion<W>, const W: usize> Planter<'a, C, W> {
    fn new(
        columns: &'a RankedColumns,
        criterion: &'a C,
        limits: &'a TreeLimits,
        seed: u32,
        rows: Vec<u32>,
    ) -> Self {
        let terms = rows.iter().map(|&row| criterion.term(row as usize));
        Self {
            columns,
            criterion,
            limits,
            draws: Draws::new(seed),
            order: (0..columns.columns.len()).collect(),
            constants: vec![0; columns.columns.len()],
            terms: terms.collect(),
            rows,
            aside: (Vec::new(), Vec::new()),
            tallies: Tallies::new(columns),
            proxies: Vec::new(),
            tree: PlantedTree::default(),
        }
    }

    fn plant(mut self) -> PlantedTree {
        let mut sums = [0.0; W];
        for &term in &self.terms {
            self.criterion.add(&mut sums, term);
        }
        let squares = self.criterion.squares(&self.rows);
        let all = self.criterion.weight(&sums);
        let mut stack = vec![Open {
            start: 0,
            end: self.rows.len(),
            depth: 0,
            parent: None,
            impurity: self.criterion.impurity(&sums, squares),
            sums,
            squares,
            constants: 0,
        }];
        while let Some(open) = stack.pop() {
            if let Some([left, right]) = self.node(open, all) {
                stack.extend([right, left]);
            }
        }
        self.tree
    }

    /// Adds a node, and returns its children.
    fn node(&mut self, mut open: Open<W>, all: f64) -> Option<[Open<W>; 2]> {
        let (limits, samples) = (self.limits, open.end - open.start);
        let weight = self.criterion.weight(&open.sums);
        let is_leaf = open.depth >= limits.max_depth
            || samples < limits.min_samples_split
            || samples < 2 * limits.min_samples_leaf
            || weight < 2.0 * limits.min_weight_leaf
            || open.impurity <= f64::EPSILON;
        let split = if is_leaf {
            None
        } else {
            self.search(&mut open)
        };
        let number = self.tree.nodes.len();
        let children = split.and_then(|found| self.children(&open, number, found, all));
        if let Some((parent, is_left)) = open.parent {
            let of_parent = &mut self.tree.nodes[parent];
            of_parent.children = Some(match (of_parent.children, is_left) {
                (_, true) => (number, number),
                (known, false) => (known.map_or(number, |(left, _)| left), number),
            });
        }
        let mut node = PlantedNode {
            children: None,
            column: 0,
            threshold: 0.0,
            missing_left: false,
            impurity: open.impurity,
            samples,
            weight,
        };
        self.tree.values.extend(self.criterion.values(&open.sums));
        self.tree.depth = self.tree.depth.max(open.depth);
        if let (Some(found), Some([left, _])) = (split, &children) {
            let to_left = left.end - left.start;
            node.column = found.column;
            node.threshold = found.threshold;
            node.missing_left = found.missing_left.unwrap_or(to_left * 2 > samples);
        }
        self.tree.nodes.push(node);
        children
    }

    /// Draws columns and finds the best split by them.
    fn search(&mut self, open: &mut Open<W>) -> Option<Split<W>> {
        let samples = Samples {
            criterion: self.criterion,
            rows: &self.rows[open.start..open.end],
            terms: &self.terms[open.start..open.end],
            sums: open.sums,
        };
        let least = Least {
            samples: self.limits.min_samples_leaf,
            weight: self.limits.min_weight_leaf,
        };
        let mut search = Search::new(&samples, least, &mut self.proxies);
        self.tallies.reset();
        // As scikit-learn draws them, without putting back: those that are constant are found out
        // on the way, and kept in front.
        let known = open.constants;
        let (mut drawn, mut found, mut visited) = (0, 0, 0);
        let mut undrawn = self.order.len();
        while undrawn > known + found
            && (visited < self.limits.max_features || visited <= found + drawn)
        {
            visited += 1;
            let at = self.draws.between(drawn, undrawn - found);
            if at < known {
                self.order.swap(drawn, at);
                drawn += 1;
                continue;
            }
            let at = at + found;
            let column = self.order[at];
            let can_split = if self.limits.random {
                search.random(&mut self.tallies, column, &mut self.draws)
            } else {
                search.every(&mut self.tallies, column)
            };
            if can_split {
                undrawn -= 1;
                self.order.swap(undrawn, at);
            } else {
                self.order.swap(at, known + found);
                found += 1;
            }
        }
        let best = search.best;
        // Siblings know the same columns to be constant, in the same order.
        self.order[..known].copy_from_slice(&self.constants[..known]);
        let new = known..known + found;
        self.constants[new.clone()].copy_from_slice(&self.order[new]);
        open.constants = known + found;
        best
    }

    /// Parts the samples of the node of a number, unless that gains too little.
    fn children(
        &mut self,
        open: &Open<W>,
        number: usize,
        found: Split<W>,
        all: f64,
    ) -> Option<[Open<W>; 2]> {
        let (criterion, weight) = (self.criterion, self.criterion.weight(&open.sums));
        let middle = open.start + self.part(open, found);
        let (left, right) = (found.left, less(&open.sums, &found.left));
        let squares = criterion.squares(&self.rows[open.start..middle]);
        let child = |is_left, sums, squares| Open {
            start: if is_left { open.start } else { middle },
            end: if is_left { middle } else { open.end },
            depth: open.depth + 1,
            parent: Some((number, is_left)),
            impurity: criterion.impurity(&sums, squares),
            sums,
            squares,
            constants: open.constants,
        };
        let children = [
            child(true, left, squares),
            child(false, right, open.squares - squares),
        ];
        let [left, right] = (children.each_ref())
            .map(|child| criterion.weight(&child.sums) / weight * child.impurity);
        let decrease = weight / all * (open.impurity - right - left);
        (decrease + f64::EPSILON >= self.limits.min_impurity_decrease).then_some(children)
    }

    /// Moves the samples that go left before the others; returns how many do.
    fn part(&mut self, open: &Open<W>, found: Split<W>) -> usize {
        let missing_left = found.missing_left == Some(true);
        match &self.columns.columns[found.column] {
            Column::Constant => 0,
            Column::Two(two) => {
                let codes = &self.columns.bundles[two.bundle].codes;
                self.part_by(open, |row| (codes[row] == two.code) != two.is_high)
            }
            Column::Ranked(ranked) => {
                let missing = ranked.values.len() as u32;
                let goes_left =
                    |place: u32| place <= found.last || missing_left && place == missing;
                match &ranked.places {
                    Places::Narrow(places) => {
                        self.part_by(open, |row| goes_left(places[row].into()))
                    }
                    Places::Wide(places) => self.part_by(open, |row| goes_left(places[row])),
                }
            }
        }
    }

    fn part_by(&mut self, open: &Open<W>, goes_left: impl Fn(usize) -> bool) -> usize {
        let rows = &mut self.rows[open.start..open.end];
        let terms = &mut self.terms[open.start..open.end];
        let (rows_aside, terms_aside) = &mut self.aside;
        rows_aside.clear();
        rows_aside.extend_from_slice(rows);
        terms_aside.clear();
        terms_aside.extend_from_slice(terms);
        // Both ends at once, without a branch that nobody could foresee.
        let (mut left, mut right) = (0, rows.len());
        for (&row, &term) in rows_aside.iter().zip(terms_aside.iter()) {
            let is_left = goes_left(row as usize);
            let at = if is_left { left } else { right - 1 };
            rows[at] = row;
            terms[at] = term;
            left += usize::from(is_left);
            right -= usize::from(!is_left);
        }
        left
    }
}
