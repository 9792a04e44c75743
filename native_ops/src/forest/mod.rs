//! Trees of random forests, bit for bit as scikit-learn grows them.
//!
//! scikit-learn sorts the samples of a node by each column that it looks at. Here columns are
//! ranked once for all trees, and samples added up by their ranks (L. Breiman, Random Forests,
//! 2001; P. Geurts et al., Extremely randomized trees, 2006). That changes the order of sums, so
//! it is done where they are exact: for classes, and for numbers that are whole or nearly so.

mod columns;
mod criterion;
mod drawn;
mod draws;
mod plant;
mod split;
mod tally;
mod tree;

pub use columns::RankedColumns;
pub use criterion::Impurity;
pub use plant::plant;
pub use tree::{PlantedNode, PlantedTree, TreeLimits, TreeTarget};
