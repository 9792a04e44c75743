//! What a node met while it ran that NumPy would warn of, or that pandas would answer otherwise.

pub use crate::fpenv::{DIVIDE, INVALID, OVERFLOW, UNDERFLOW};

/// A float that is not finite or out of range was cast to an integer.
pub const BAD_CAST: u32 = 16;
/// An integer was divided by 0.
pub const INTEGER_DIVISION_BY_ZERO: u32 = 32;
/// A median, minimum, maximum or mode is 0, and both -0.0 and 0.0 occur: which of them NumPy
/// returns depends on its implementation.
pub const AMBIGUOUS_ZERO: u32 = 64;
/// An integer was raised to a negative power.
pub const NEGATIVE_POWER: u32 = 128;
/// A reduction of nothing has no value of its dtype.
pub const EMPTY: u32 = 256;
/// A year is outside -32,800 to 32,767.
pub const DATE_OUT_OF_RANGE: u32 = 512;
