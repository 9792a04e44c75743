//! The module `stratum_dask._native`: conversion, errors and releasing the GIL, nothing else.

mod arrays;
mod dag;
mod features;
mod literals;
mod program;
mod ufuncs;

use pyo3::prelude::*;

/// Python bindings of the crates `stratum-optimizer` and `stratum-native-ops`.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use crate::dag::{CycleFound, Dag};
    #[pymodule_export]
    use crate::features::{dictionary, write_matrix, write_sparse};
    #[pymodule_export]
    use crate::literals::{Encoder, digest};
    #[pymodule_export]
    use crate::program::{Program, ufunc_loops};

    /// The version of the compiled extension, which must equal the package's.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
