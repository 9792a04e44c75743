//! Fused columnar kernel programs on slices, bit for bit as pandas and NumPy. No Python here.
//!
//! A [`Program`] is a list of [`Node`]s in topological order: typed column expressions, scalars,
//! and reductions of columns to scalars. It runs block by block, so that temporaries stay in the
//! fastest caches, and writes the columns that are asked for into the caller's memory.
//!
//! ```
//! use stratum_native_ops::{Arithmetic, DType, Node, Op, Program, Reduction};
//!
//! // x - x.max()
//! let nodes = [
//!     Node::new(Op::Input(0), DType::F64),
//!     Node::new(Op::Reduce(Reduction::Max, 0), DType::F64),
//!     Node::new(Op::Arithmetic(Arithmetic::Sub, 0, 1), DType::F64),
//! ];
//! let program = Program::new(&nodes, &[2, 1])?;
//! let x = [1.0, 4.0, f64::NEG_INFINITY];
//! let mut out = [0.0; 3];
//! let outcome = program.run(&[x.as_slice().into()], &mut [out.as_mut_slice().into()], 1)?;
//! assert_eq!(out, [-3.0, 0.0, f64::NEG_INFINITY]);
//! assert_eq!(outcome.scalars[0].get::<f64>(), 4.0);
//! # Ok::<(), stratum_native_ops::ProgramError>(())
//! ```

mod bins;
mod buffer;
mod column;
mod compute;
mod concatenate;
pub mod csv;
mod dates;
pub mod dictionary;
mod dtype;
mod error;
pub mod flags;
mod fold;
mod forest;
mod fpenv;
mod gather;
pub mod groups;
mod kernels;
mod listed;
mod matrix;
mod memory;
mod nearest;
mod node;
mod plan;
mod pool;
mod program;
mod rank;
mod reduce;
mod rows;
mod simd;
mod stream;
mod table;
mod tabulate;
mod text;
mod trees;
mod windows;

pub use bins::places;
pub use buffer::Buffer;
pub use column::{Column, ColumnMut, Position};
pub use concatenate::concatenate;
pub use dates::{
    DateError, DatePart, Field, Layout, Parsed, TimeUnit, date_fields, parse_dates, start_of_day,
};
pub use dtype::{Bool, DType, Element, Scalar};
pub use error::ProgramError;
pub use forest::{
    Impurity, PlantedNode, PlantedTree, RankedColumns, TreeLimits, TreeTarget, plant,
};
pub use gather::gather;
pub use kernels::ufunc::{LoopFunction, UfuncLoop};
pub use listed::Listed;
pub use matrix::{
    Feature, MatrixError, Products, SparseRows, Step, write_columns, write_products, write_rows,
    write_sparse,
};
pub use nearest::Nearest;
pub use node::{Arithmetic, Comparison, Logic, Node, NodeId, Op, Reduction, Unary};
pub use program::{Outcome, Program};
pub use rank::{Ranking, Ties, rank};
pub use rows::row_medians;
pub use table::{LookupTable, Set};
pub use text::{
    Case, Chunk, Part, Strings, Test, TextError, change_case, join, lengths, matches, order,
};
pub use trees::{BinnedRows, Growth, Loss, Node as TreeNode, RoundNode, Rule, boost, grow};
pub use windows::{Windows, window_extremes, window_sums, window_variances};
