//! Graph decisions over integer ids: merge, fuse, pack, order, simulate, place. No Python here.
//!
//! Tasks hold Python callables, so this crate sees only ids, edges, tokens and sizes, and returns
//! decisions (who stands for whom, which groups fuse, in which order, on which worker); Python applies them. Every
//! rule is a method of [`Dag`] in a file of its own, takes time linear in nodes + edges (up to the
//! logarithm of a sort) and uses no recursion, so that a chain of a million tasks is no problem.
//!
//! Ids are `u32` positions in the input. Per-node arguments are slices with one entry per node; the
//! rules panic if a slice has another length or an id is out of range.

mod bottlenecks;
mod chains;
mod cluster;
mod csr;
mod cull;
mod dag;
mod fusion;
mod merge;
mod order;
mod packing;
mod peak;
mod plans;
mod pull;
mod reach;
mod run;
mod sections;
mod simulate;
mod stock;
#[cfg(test)]
mod testing;
mod transfers;

pub use cluster::{Cluster, Costs};
pub use dag::{Dag, DagError};
pub use plans::Placement;
pub use sections::Sections;
pub use simulate::{Plan, Schedule};

/// Stands for "no node", "no group".
pub const NONE: u32 = u32::MAX;
