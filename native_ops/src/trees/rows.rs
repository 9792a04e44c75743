//! Rows whose numbers are bins.

use super::exclusive::exclusive;
use crate::error::ProgramError;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Features whose bins lie side by side at most: so many that sums of one need not wait for those
/// of another, and so few that a row is in one cache line.
const WIDTH: usize = 32;
/// Bins of features that lie side by side: their sums stay in the fastest cache.
pub(super) const SLOTS: usize = 1024;

/// Rows of bins, some features of a row side by side.
pub struct BinnedRows {
    pub(super) rows: usize,
    pub(super) features: Vec<Feature>,
    pub(super) blocks: Vec<Block>,
    /// How many bins all features have together.
    pub(super) slots: usize,
    /// The bin of missing values, as it was given.
    pub(super) missing: u8,
    spare: Mutex<Vec<Vec<f64>>>,
}

/// The bins of a feature, which follow one another in a histogram; missing values are the last.
pub(super) struct Feature {
    /// Those of numbers.
    pub(super) bins: usize,
    pub(super) has_missing: bool,
}

/// Some features of all rows, row by row.
pub(super) struct Block {
    /// The bins of each feature; if they exclude one another, which of them, counted from 1, is in
    /// its second bin.
    pub(super) bins: Vec<u8>,
    /// Whether each feature has two bins, and no row is in the second of more than one.
    pub(super) exclusive: bool,
    /// Where the sums of each feature begin among those of the block.
    pub(super) firsts: Vec<u32>,
    /// Where the sums of the block begin and end.
    pub(super) slots: Range<usize>,
    /// Its first feature, of all.
    pub(super) feature: usize,
}

impl BinnedRows {
    /// Lays out `binned`, feature by feature; `bins` says how many bins of numbers each has,
    /// `has_missing` whether bin `missing` occurs.
    ///
    /// # Errors
    ///
    /// When lengths differ, or there is a bin that should not be there.
    pub fn new(
        binned: &[u8],
        bins: &[u32],
        has_missing: &[u8],
        missing: u8,
    ) -> Result<Self, ProgramError> {
        let wrong = |why: &str| ProgramError(why.to_owned());
        let count = bins.len();
        if count == 0 || has_missing.len() != count || !binned.len().is_multiple_of(count) {
            return Err(wrong("lengths of bins and features differ"));
        }
        let rows = binned.len() / count;
        if rows == 0 || u32::try_from(rows).is_err() {
            return Err(wrong("no rows, or too many"));
        }
        let mut features: Vec<Feature> = Vec::with_capacity(count);
        for (&bins, &has) in bins.iter().zip(has_missing) {
            let (bins, has_missing) = (bins as usize, has != 0);
            let most = if has_missing { missing.into() } else { 256 };
            if bins == 0 || bins > most {
                return Err(wrong("a feature has no bins, or too many"));
            }
            features.push(Feature { bins, has_missing });
        }
        let columns: Vec<_> = binned.chunks(rows).collect();
        let mut slots = 0;
        let mut blocks: Vec<Block> = Vec::new();
        let mut at = 0;
        while at < count {
            if let Some((many, bins)) = exclusive(&features[at..], &columns[at..]) {
                let mut block = Block::at(slots, at);
                block.exclusive = true;
                block.bins = bins;
                block.firsts = (0..many as u32).map(|one| 2 * one).collect();
                slots += 2 * many;
                block.slots.end = slots;
                blocks.push(block);
                at += many;
                continue;
            }
            let end = slots + features[at].bins + usize::from(features[at].has_missing);
            let fits = |block: &&mut Block| {
                !block.exclusive && block.firsts.len() < WIDTH && end - block.slots.start <= SLOTS
            };
            let block = match blocks.last_mut().filter(fits) {
                Some(block) => block,
                None => {
                    blocks.push(Block::at(slots, at));
                    blocks
                        .last_mut()
                        .unwrap_or_else(|| unreachable!("just pushed"))
                }
            };
            block.firsts.push((slots - block.slots.start) as u32);
            block.slots.end = end;
            slots = end;
            at += 1;
        }
        for block in blocks.iter_mut().filter(|block| !block.exclusive) {
            let width = block.firsts.len();
            block.bins = vec![0; rows * width];
            for at in 0..width {
                let feature = &features[block.feature + at];
                let bins = block.bins[at..].iter_mut().step_by(width);
                for (bin, &given) in bins.zip(columns[block.feature + at]) {
                    let is_missing = feature.has_missing && given == missing;
                    *bin = if is_missing {
                        feature.bins as u8
                    } else {
                        given
                    };
                    if usize::from(given) >= feature.bins && !is_missing {
                        return Err(wrong("a row has a bin that its feature has not"));
                    }
                }
            }
        }
        Ok(Self {
            rows,
            features,
            blocks,
            slots,
            missing,
            spare: Mutex::default(),
        })
    }

    /// Memory for sums, used before if possible: fresh pages take as long as sums.
    pub(super) fn memory(&self) -> Vec<f64> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    /// Takes memory back.
    pub(super) fn keep(&self, memory: Vec<f64>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(memory);
    }
}

impl Block {
    fn at(slots: usize, feature: usize) -> Self {
        Self {
            feature,
            bins: Vec::new(),
            exclusive: false,
            firsts: Vec::new(),
            slots: slots..slots,
        }
    }
}

/// Moves the samples that go left before those that go right, in their order; returns how many go
/// left. `right` is memory to work with.
pub(super) fn part(
    samples: &mut [u32],
    goes_left: impl Fn(u32) -> bool,
    right: &mut Vec<u32>,
) -> usize {
    right.resize(samples.len(), 0);
    let right = &mut right[..samples.len()];
    let mut left = 0;
    for index in 0..samples.len() {
        let row = samples[index];
        let goes_left = goes_left(row);
        samples[left] = row;
        right[index - left] = row;
        left += usize::from(goes_left);
    }
    let rest = samples.len() - left;
    samples[left..].copy_from_slice(&right[..rest]);
    left
}
