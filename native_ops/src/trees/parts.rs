//! Block by block: what is done for the features of one needs nothing of the others.

use super::histogram::{Histogram, Term};
use super::rows::{BinnedRows, Block};
use super::search::Split;
use crate::pool::together;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The sums of a block for one or two leaves, and the best split of each by its features.
pub(super) struct Part<'a, const W: usize> {
    pub(super) block: &'a Block,
    pub(super) small: &'a mut [Term<W>],
    pub(super) large: &'a mut [Term<W>],
    pub(super) best: [Option<Split>; 2],
}

/// Calls `work` for each block on so many threads; returns the best splits of all, of equal ones
/// that of the first block.
pub(super) fn each_block<const W: usize>(
    rows: &BinnedRows,
    threads: usize,
    small: &mut Histogram<W>,
    large: &mut Histogram<W>,
    work: impl Fn(&mut Part<'_, W>) + Sync,
) -> [Option<Split>; 2] {
    let (mut small, mut large) = (small.bins_mut(), large.bins_mut());
    let parts: Vec<_> = (rows.blocks.iter())
        .map(|block| {
            let many = block.slots.len();
            Mutex::new(Part {
                block,
                small: small.split_off_mut(..many).unwrap_or_default(),
                large: large.split_off_mut(..many).unwrap_or_default(),
                best: [None; 2],
            })
        })
        .collect();
    let next = AtomicUsize::new(0);
    together(threads.min(parts.len()), || {
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(&mut part.lock().unwrap_or_else(PoisonError::into_inner));
        }
    });
    let mut best: [Option<Split>; 2] = [None; 2];
    for part in parts {
        let found = part
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .best;
        for (best, found) in best.iter_mut().zip(found) {
            let gains = |split: &Option<Split>| split.map_or(0.0, |split| split.gain);
            if gains(&found) > gains(best) {
                *best = found;
            }
        }
    }
    best
}
