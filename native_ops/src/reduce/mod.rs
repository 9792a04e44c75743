//! Reductions, bit for bit as pandas' nanops over NumPy: missing values are skipped.

pub(crate) mod extreme;
pub(crate) mod median;
pub(crate) mod mode;
pub(crate) mod pairwise;

use crate::dtype::Cell;

/// What a reduction knows of one block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Partial {
    pub(crate) value: Cell,
    /// No value was present.
    pub(crate) empty: bool,
    /// Which zeros were met, see [`extreme::zeros`].
    pub(crate) zeros: u8,
}
