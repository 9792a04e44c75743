//! One tree of histogram gradient boosting on binned rows, bit for bit as scikit-learn grows it.
//!
//! The tree grows best first: the leaf whose best split gains most is split next (G. Ke et al.,
//! LightGBM, 2017; the gain is equation 7 of T. Chen and C. Guestrin, XGBoost, 2016). Of two
//! siblings the smaller one adds up its rows, the larger one is its parent without it.

mod exclusive;
mod extreme;
mod grow;
mod heap;
mod histogram;
mod nodes;
mod parts;
mod rows;
mod search;

pub use extreme::{Loss, Node as RoundNode, Rule, boost};
pub use grow::grow;
pub use nodes::{Growth, Node};
pub use rows::BinnedRows;
