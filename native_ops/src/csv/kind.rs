//! What a column holds, as far as its cells were seen.

use super::cell::Cell;

/// The type of a column. Those of parts of a column have a common one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No cell was seen.
    Unknown,
    /// Nothing is there: floats that are all missing.
    Missing,
    /// 64-bit integers.
    Integers,
    /// 64-bit floats; missing ones are NaN.
    Floats,
    /// Bools.
    Bools,
    /// Strings.
    Text,
}

impl Kind {
    /// The type of a cell alone.
    pub(super) fn of(cell: Cell) -> Self {
        match cell {
            Cell::Missing => Self::Missing,
            Cell::Integer(_) => Self::Integers,
            Cell::Float(_) => Self::Floats,
            Cell::Bool(_) => Self::Bools,
            Cell::Text | Cell::Unclear | Cell::Long => Self::Text,
        }
    }

    /// The type of a column that has parts of two types.
    pub(super) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, kind) | (kind, Self::Unknown) => kind,
            (one, same) if one == same => one,
            (
                Self::Missing | Self::Integers | Self::Floats,
                Self::Missing | Self::Integers | Self::Floats,
            ) => Self::Floats,
            _ => Self::Text,
        }
    }
}
