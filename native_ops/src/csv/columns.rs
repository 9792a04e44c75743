//! Memory for columns of numbers and bools, which threads fill row by row.

use super::{Kind, Refusal};
use crate::buffer::Buffer;
use std::ops::Range;

/// Columns of one type side by side.
#[derive(Debug)]
pub struct Block {
    /// The type: integers, floats or bools.
    pub kind: Kind,
    /// Whether a single column was to be alone.
    pub alone: bool,
    /// The numbers of the columns.
    pub columns: Vec<usize>,
    /// The columns, one after the other.
    pub memory: Buffer,
}

/// Where the cells of each column go.
pub(super) struct Columns {
    kinds: Vec<Kind>,
    rows: usize,
    blocks: Vec<Block>,
    /// For each column its block and its place there; for strings its place among these.
    places: Vec<(usize, usize)>,
}

/// As what a column is stored.
fn stored(kind: Kind) -> Kind {
    match kind {
        Kind::Missing | Kind::Unknown => Kind::Floats,
        other => other,
    }
}

fn size(kind: Kind) -> usize {
    if kind == Kind::Bools { 1 } else { 8 }
}

impl Columns {
    /// Makes room; columns of one type are in one block, but for those that are to be alone.
    pub(super) fn new(kinds: &[Kind], alone: &[bool], rows: usize) -> Result<Self, Refusal> {
        let mut groups: Vec<(Kind, bool, Vec<usize>)> = Vec::new();
        let mut places = Vec::new();
        let mut strings = 0;
        for (column, (&kind, &alone)) in kinds.iter().zip(alone).enumerate() {
            let kind = stored(kind);
            if kind == Kind::Text {
                places.push((usize::MAX, strings));
                strings += 1;
                continue;
            }
            let group = (groups.iter()).position(|group| !alone && group.0 == kind && !group.1);
            let number = group.unwrap_or_else(|| {
                groups.push((kind, alone, Vec::new()));
                groups.len() - 1
            });
            places.push((number, groups[number].2.len()));
            groups[number].2.push(column);
        }
        let blocks = groups.into_iter().map(|(kind, alone, columns)| {
            let bytes = (columns.len().checked_mul(rows)).and_then(|n| n.checked_mul(size(kind)));
            let memory = bytes.and_then(Buffer::try_new).ok_or(Refusal::Memory)?;
            Ok(Block {
                kind,
                alone,
                columns,
                memory,
            })
        });
        Ok(Self {
            kinds: kinds.to_vec(),
            rows,
            blocks: blocks.collect::<Result<_, Refusal>>()?,
            places,
        })
    }

    pub(super) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    pub(super) fn kind(&self, column: usize) -> Kind {
        self.kinds[column]
    }

    /// The number of a column in its block, or among the columns of strings.
    pub(super) fn place(&self, column: usize) -> usize {
        self.places[column].1
    }

    /// The columns of strings.
    pub(super) fn text(&self) -> impl Iterator<Item = usize> {
        (0..self.kinds.len()).filter(|&column| self.kinds[column] == Kind::Text)
    }

    pub(super) fn blocks(self) -> Vec<Block> {
        self.blocks
    }

    /// Some rows of a column of numbers or bools.
    ///
    /// # Safety
    ///
    /// `T` is what the column is stored as, all of it is written before it is read, and no other
    /// slice of these rows is alive.
    #[expect(clippy::mut_from_ref, reason = "the contract makes it exclusive")]
    pub(super) unsafe fn rows_of<T>(&self, column: usize, rows: Range<usize>) -> &mut [T] {
        let (block, place) = self.places[column];
        let block = &self.blocks[block];
        assert!(size(block.kind) == size_of::<T>());
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        let start = place * self.rows + rows.start;
        // SAFETY: the block has room for all rows of its columns; the caller's promise.
        unsafe {
            let start = block.memory.start().cast::<T>().add(start);
            std::slice::from_raw_parts_mut(start, rows.len())
        }
    }
}
