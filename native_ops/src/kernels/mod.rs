//! Elementwise kernels on blocks: one tight loop per operation, dtype and operand shape.

pub(crate) mod cast;
pub(crate) mod divmod;
pub(crate) mod map;
pub(crate) mod number;
pub(crate) mod repeats;
pub(crate) mod ufunc;
