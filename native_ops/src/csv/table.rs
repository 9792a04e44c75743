//! A whole file as columns.

use super::columns::{Block, Columns};
use super::proof::Proofs;
use super::range::{Reader, sample};
use super::source::Part;
use super::{Kind, Refusal, Source, range};
use crate::buffer::Buffer;
use crate::pool::together;
use std::sync::{Mutex, PoisonError};

/// The bytes of a part that a thread reads: fewer where there are many threads, so that all end at
/// about the same time, but enough for its strings to be a chunk of their column.
const LEAST: usize = 1 << 18;
const MOST: usize = 1 << 22;

/// The columns of a file.
#[derive(Debug)]
pub struct Table {
    /// The number of rows.
    pub rows: usize,
    /// Columns of numbers and bools.
    pub blocks: Vec<Block>,
    /// The columns of strings: their numbers, and their chunks in the order of the rows.
    pub text: Vec<(usize, Vec<TextPart>)>,
}

/// A chunk of strings as Arrow has it.
#[derive(Debug)]
pub struct TextPart {
    /// The number of strings.
    pub rows: usize,
    /// How many of them are missing.
    pub missing: usize,
    /// A bit for each string that is there, if any is missing.
    pub validity: Option<Buffer>,
    /// Where strings begin, and where the last one ends: one 64-bit integer more than rows.
    pub offsets: Buffer,
    /// The strings.
    pub data: Buffer,
    /// How many bytes the strings have.
    pub bytes: usize,
}

/// Reads a file that has so many columns.
///
/// `chunk` is how many rows pandas takes together where it reads row after row, `starts` where the
/// parts begin that it reads side by side. Then columns of one type lie in one block, but for those
/// that are integers in some parts and floats in others; else each column lies alone.
///
/// # Errors
///
/// When the file holds what pandas reads in a way of its own.
pub fn read_table(
    source: &Source,
    columns: usize,
    chunk: usize,
    starts: &[usize],
    threads: usize,
) -> Result<Table, Refusal> {
    if columns < 2 || chunk == 0 {
        return Err(Refusal::Unusual("a single column"));
    }
    let threads = threads.max(1);
    let parts = if starts.is_empty() {
        source.parts((source.text().len() / (8 * threads)).clamp(LEAST, MOST))
    } else {
        let parts = source.parts_from(starts);
        parts.ok_or(Refusal::Unusual("lines that begin elsewhere"))?
    };
    let mut plan = Plan {
        kinds: sample(source, &parts, columns)?,
        alone: vec![starts.is_empty(); columns],
    };
    // Once more if the sample lacked something: what is needed is known then.
    for _ in 0..2 {
        let (memory, read) = plan.read(source, &parts, chunk, threads)?;
        let found = Plan::of(&read, &plan, starts.is_empty());
        if found == plan {
            if !read.iter().all(|part| part.shown) && !starts.is_empty() {
                return Err(Refusal::Unusual("columns of several types"));
            }
            return Ok(table(memory, read, source.rows()));
        }
        plan = found;
    }
    Err(Refusal::Unusual("a file that changes"))
}

/// How columns are stored.
#[derive(PartialEq)]
struct Plan {
    kinds: Vec<Kind>,
    /// Which columns have blocks of their own.
    alone: Vec<bool>,
}

impl Plan {
    /// What would have been right for parts that were read.
    fn of(parts: &[range::Part], plan: &Self, apart: bool) -> Self {
        let mut kinds = vec![Kind::Unknown; plan.kinds.len()];
        for part in parts {
            for (all, kind) in kinds.iter_mut().zip(&part.kinds) {
                *all = all.with(*kind);
            }
        }
        let differs = |(column, kind): (usize, &Kind)| {
            let whole = |part: &range::Part| part.kinds[column] == Kind::Integers;
            *kind == Kind::Floats && parts.iter().any(whole)
        };
        let alone = kinds
            .iter()
            .enumerate()
            .map(|column| apart || differs(column));
        let alone = alone.collect();
        Self { kinds, alone }
    }

    /// Reads all parts, whether the plan is right or not.
    fn read(
        &self,
        source: &Source,
        parts: &[Part],
        chunk: usize,
        threads: usize,
    ) -> Result<(Columns, Vec<range::Part>), Refusal> {
        let columns = Columns::new(&self.kinds, &self.alone, source.rows())?;
        let proofs = Proofs::new(source.rows(), self.kinds.len(), chunk);
        let next = Mutex::new(parts.iter().enumerate());
        let done = Mutex::new((Vec::new(), None::<Refusal>));
        together(threads.min(parts.len()), || {
            let mut reader = Reader::new(source, &columns, &proofs);
            let take = || lock(&next).next();
            while let Some((number, part)) = take() {
                // SAFETY: parts have different rows, and each is taken once.
                let read = unsafe { reader.read(part) };
                let mut done = lock(&done);
                match read {
                    Ok(part) => done.0.push((number, part)),
                    Err(refusal) => done.1 = Some(refusal),
                }
                if done.1.is_some() {
                    break;
                }
            }
        });
        let (mut read, refusal) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        read.sort_unstable_by_key(|(number, _)| *number);
        let read: Vec<_> = read.into_iter().map(|(_, part)| part).collect();
        if !columns.text().all(|column| proofs.all(column)) {
            return Err(Refusal::Unusual("columns of several types"));
        }
        Ok((columns, read))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn table(columns: Columns, parts: Vec<range::Part>, rows: usize) -> Table {
    let mut text: Vec<_> = columns.text().map(|column| (column, Vec::new())).collect();
    for part in parts {
        for ((_, chunks), chunk) in text.iter_mut().zip(part.text) {
            chunks.push(chunk);
        }
    }
    Table {
        rows,
        blocks: columns.blocks(),
        text,
    }
}
