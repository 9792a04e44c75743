//! The module `stratum_dask._native`: conversion, errors and releasing the GIL, nothing else.

mod arrays;
mod buffer;
mod codes;
mod csv;
mod dag;
mod dates;
mod features;
mod forest;
mod gather;
mod groups;
mod literals;
mod nearest;
mod order;
mod placement;
mod program;
mod rows;
mod text;
mod trees;
mod ufuncs;

use pyo3::prelude::*;

/// Python bindings of the crates `stratum-optimizer` and `stratum-native-ops`.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use crate::buffer::Memory;
    #[pymodule_export]
    use crate::codes::{count_codes, encode_numbers, encode_pairs, match_numbers, one_hot};
    #[pymodule_export]
    use crate::csv::CsvFile;
    #[pymodule_export]
    use crate::dag::{CycleFound, Dag};
    #[pymodule_export]
    use crate::dates::{date_fields, start_of_day};
    #[pymodule_export]
    use crate::features::{write_matrix, write_products, write_sparse};
    #[pymodule_export]
    use crate::forest::RankedColumns;
    #[pymodule_export]
    use crate::gather::{Strings, gather};
    #[pymodule_export]
    use crate::groups::group_aggregate;
    #[pymodule_export]
    use crate::literals::{digest, encode, identify_calls, identity};
    #[pymodule_export]
    use crate::nearest::Nearest;
    #[pymodule_export]
    use crate::order::{places, rank};
    #[pymodule_export]
    use crate::placement::{Cluster, Schedule};
    #[pymodule_export]
    use crate::program::{Program, ufunc_loops};
    #[pymodule_export]
    use crate::rows::{concatenate, row_medians, window_extremes, window_sums, window_variances};
    #[pymodule_export]
    use crate::text::Text;
    #[pymodule_export]
    use crate::trees::BinnedRows;

    /// The version of the compiled extension, which must equal the package's.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
