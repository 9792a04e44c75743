//! One thread's part of the rows: batch after batch, and in each column after column.

use super::batch::Batch;
use super::cell::{Cell, is_missing};
use super::columns::Columns;
use super::proof::Proofs;
use super::quotes::Clean;
use super::source::{self, MARGIN};
use super::split::split;
use super::strings::Strings;
use super::words::Words;
use super::{Kind, Refusal, Source, TextPart, short};
use std::ops::Range;

/// Bytes of a batch: with the places of its cells it stays in the fastest cache.
const BATCH: usize = 1 << 13;
/// But it has about so many rows, or columns would be changed too often.
const ROWS: usize = 32;
/// From how many parts, and how many rows of each, the types of columns are guessed.
const SAMPLES: usize = 16;
const SAMPLE: usize = 1 << 12;

/// What was read of a part, besides what lies in the columns' memory.
pub(super) struct Part {
    /// The types that the columns have there.
    pub(super) kinds: Vec<Kind>,
    /// Whether each column of strings has a cell there that shows it.
    pub(super) shown: bool,
    /// The columns of strings.
    pub(super) text: Vec<TextPart>,
}

/// Reads parts of a file, one after the other.
pub(super) struct Reader<'a> {
    source: &'a Source,
    columns: &'a Columns,
    proofs: &'a Proofs,
    ends: Vec<u32>,
    clean: Clean,
    words: Words,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source, columns: &'a Columns, proofs: &'a Proofs) -> Self {
        Self {
            source,
            columns,
            proofs,
            ends: Vec::new(),
            clean: Clean::default(),
            words: Words::default(),
        }
    }

    /// Reads some rows.
    ///
    /// # Safety
    ///
    /// Nobody else reads these rows into the same columns.
    pub(super) unsafe fn read(&mut self, part: &source::Part) -> Result<Part, Refusal> {
        let source::Part { bytes, rows } = part;
        let Self {
            source, columns, ..
        } = *self;
        if !source.ascii && std::str::from_utf8(&source.text()[bytes.clone()]).is_err() {
            return Err(Refusal::Unusual("bytes that are not UTF-8"));
        }
        // Of strings it is known: any other cell makes no difference.
        let unknown = |&kind| {
            if kind == Kind::Text {
                kind
            } else {
                Kind::Unknown
            }
        };
        let mut kinds: Vec<_> = columns.kinds().iter().map(unknown).collect();
        let mut text: Vec<_> = (columns.text())
            .map(|_| (Strings::new(rows.len()), rows.start))
            .collect();
        let size = BATCH.max(ROWS * (bytes.len() / rows.len().max(1)));
        let (mut place, mut row) = (bytes.start, rows.start);
        while place < bytes.end {
            let end = batch_end(source, place..bytes.end, size)?;
            let batch = batch(
                source,
                place..end,
                kinds.len(),
                &mut self.ends,
                &mut self.clean,
            )?;
            let own = row..row + batch.rows();
            if own.end > rows.end {
                return Err(Refusal::Unusual("rows of different lengths"));
            }
            for (column, kind) in kinds.iter_mut().enumerate() {
                match columns.kind(column) {
                    Kind::Integers => {
                        // SAFETY: the caller's promise; the column is one of integers.
                        let out = unsafe { columns.rows_of(column, own.clone()) };
                        read_numbers(&batch, column, &mut self.words, out, kind, as_integer);
                    }
                    Kind::Floats => {
                        // SAFETY: the caller's promise; the column is one of floats.
                        let out = unsafe { columns.rows_of(column, own.clone()) };
                        read_numbers(&batch, column, &mut self.words, out, kind, as_float);
                    }
                    Kind::Missing | Kind::Unknown => {
                        // SAFETY: the caller's promise; the column is one of floats.
                        let out = unsafe { columns.rows_of(column, own.clone()) };
                        read_missing(&batch, column, out, kind);
                    }
                    Kind::Bools => {
                        // SAFETY: the caller's promise; the column is one of bools, each a byte.
                        let out = unsafe { columns.rows_of(column, own.clone()) };
                        read_bools(&batch, column, out, kind);
                    }
                    Kind::Text => {
                        let (strings, shown) = &mut text[columns.place(column)];
                        self.proofs.look(&batch, column, row, shown)?;
                        strings.append(&batch, column)?;
                    }
                }
            }
            (place, row) = (end, own.end);
        }
        if row != rows.end {
            return Err(Refusal::Unusual("rows of different lengths"));
        }
        let shown = text.iter().all(|(_, shown)| *shown > rows.start);
        let text = text.into_iter().map(|(strings, _)| strings.finish());
        Ok(Part {
            kinds,
            shown,
            text: text.collect::<Result<_, _>>()?,
        })
    }
}

/// Where a batch of about so many bytes ends: after a line.
fn batch_end(source: &Source, rest: Range<usize>, size: usize) -> Result<usize, Refusal> {
    let place = rest.start;
    let end = if rest.len() <= size {
        rest.end
    } else {
        source.line_from(place + size - 1)
    };
    if end - place > u32::MAX as usize / 2 {
        return Err(Refusal::Unusual("a line of gigabytes"));
    }
    Ok(end)
}

/// Finds the cells of whole rows.
fn batch<'a>(
    source: &'a Source,
    bytes: Range<usize>,
    columns: usize,
    ends: &'a mut Vec<u32>,
    clean: &'a mut Clean,
) -> Result<Batch<'a>, Refusal> {
    // From the newline before the first row on, and with the margins.
    let around = &source.with_margins()[bytes.start - 1..bytes.end + 2 * MARGIN];
    let found = split(&around[MARGIN..around.len() - MARGIN], source.quoted, ends);
    if found.open {
        return Err(Refusal::Unusual("newlines inside of quotes"));
    }
    let batch = Batch::new(around, ends, &found, columns)?;
    if found.quotes > 0 {
        return clean.take(&batch, found.quotes);
    }
    Ok(batch)
}

/// Guesses the types of all columns from some rows.
pub(super) fn sample(
    source: &Source,
    parts: &[source::Part],
    columns: usize,
) -> Result<Vec<Kind>, Refusal> {
    let mut kinds = vec![Kind::Unknown; columns];
    let (mut ends, mut clean) = (Vec::new(), Clean::default());
    for source::Part { bytes, .. } in parts.iter().step_by(parts.len().div_ceil(SAMPLES)) {
        let end = source.line_from(bytes.start + SAMPLE.min(bytes.len()) - 1);
        let batch = batch(source, bytes.start..end, columns, &mut ends, &mut clean)?;
        for (column, kind) in kinds.iter_mut().enumerate() {
            for row in 0..batch.rows() {
                *kind = kind.with(Kind::of(Cell::read(batch.at(row, column))));
            }
        }
    }
    Ok(kinds)
}

/// Reads a column of numbers; `value` makes one of a cell that is no short number.
fn read_numbers<T: short::Number>(
    batch: &Batch<'_>,
    column: usize,
    words: &mut Words,
    out: &mut [T],
    kind: &mut Kind,
    value: impl Fn(Cell) -> T,
) {
    words.load(batch, column);
    let found = short::parse(words, out);
    for (seen, cell) in [
        (found.points, Kind::Floats),
        (found.missing, Kind::Missing),
        (found.integers, Kind::Integers),
    ] {
        if seen {
            *kind = kind.with(cell);
        }
    }
    if found.others {
        for (row, out) in out.iter_mut().enumerate() {
            if words.words[row] != 0 {
                let cell = Cell::read(batch.at(row, column));
                *kind = kind.with(Kind::of(cell));
                *out = value(cell);
            }
        }
    }
}

/// What a cell is in a column of integers; anything if it is none.
fn as_integer(cell: Cell) -> i64 {
    match cell {
        Cell::Integer(value) => value,
        _ => 0,
    }
}

/// What a cell is in a column of floats; anything if it is no number.
fn as_float(cell: Cell) -> f64 {
    match cell {
        Cell::Integer(value) => value as f64,
        Cell::Float(value) => value,
        _ => f64::NAN,
    }
}

fn read_missing(batch: &Batch<'_>, column: usize, out: &mut [f64], kind: &mut Kind) {
    out.fill(f64::NAN);
    for place in batch.places(column) {
        let cell = batch.cell(place);
        let found = if is_missing(cell) {
            Cell::Missing
        } else {
            Cell::read(cell)
        };
        *kind = kind.with(Kind::of(found));
    }
}

fn read_bools(batch: &Batch<'_>, column: usize, out: &mut [u8], kind: &mut Kind) {
    for (out, place) in out.iter_mut().zip(batch.places(column)) {
        let cell = Cell::read(batch.cell(place));
        *kind = kind.with(Kind::of(cell));
        if let Cell::Bool(value) = cell {
            *out = u8::from(value);
        }
    }
}
