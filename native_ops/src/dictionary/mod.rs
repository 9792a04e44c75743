//! Codes for the values of a column: equal values get equal numbers, counted from 0 in order of
//! first occurrence. And what is done with codes.

mod codes;
mod numbers;
mod strings;
mod table;

pub(crate) use codes::{all_known, entry};
pub use codes::{count_codes, one_hot};
pub use numbers::NumberEncoder;
pub use strings::{TextEncoder, encode, find};

/// The code of a missing value.
pub const MISSING: i32 = -1;
