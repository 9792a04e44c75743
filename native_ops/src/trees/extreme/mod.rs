//! Rounds of gradient boosting on binned rows, bit for bit as XGBoost's `hist` on one thread.
//!
//! A round's tree grows level by level (T. Chen and C. Guestrin, XGBoost, 2016): its sums are of
//! double precision and in the order of the rows, what a split gains is of single precision. Of two
//! siblings the one of fewer hessians adds up its rows, the other one is their parent without it.

mod grow;
mod rounds;
mod rule;
mod search;

pub use grow::Node;
pub use rounds::{Loss, boost};
pub use rule::Rule;
