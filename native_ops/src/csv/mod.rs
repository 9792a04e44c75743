//! CSV as pandas reads it when it is told nothing about the file, or not at all.
//!
//! ```text
//! file -> source: bytes, lines counted -> ranges of rows -> batches
//! batch -> split: where cells end -> quotes taken away -> columns, one after the other
//! ```
//!
//! What is unusual, and what pandas reads in a way of its own, is refused with a reason: ragged and
//! blank lines, newlines inside of quotes, carriage returns, integers of more than 64 bits, columns
//! whose type depends on which rows pandas looks at together.

mod batch;
mod cell;
mod columns;
mod kind;
mod number;
mod proof;
mod quotes;
mod range;
mod short;
mod source;
mod split;
mod strings;
mod table;
mod words;

pub use columns::Block;
pub use kind::Kind;
pub use source::Source;
pub use table::{Table, TextPart, read_table};

use std::fmt;

/// Why a file is not read here.
#[derive(Debug)]
pub enum Refusal {
    /// It holds something that pandas reads in its own way, or not at all.
    Unusual(&'static str),
    /// It cannot be read.
    File(std::io::Error),
    /// There is no memory for it.
    Memory,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusual(what) => f.write_str(what),
            Self::File(error) => write!(f, "the file cannot be read: {error}"),
            Self::Memory => f.write_str("no memory for the file"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}
