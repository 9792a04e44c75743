//! What is said of programs and arrays that do not fit.

use std::fmt;

/// Why a list of nodes is no program, or arrays don't fit a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramError(pub(crate) String);

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProgramError {}
