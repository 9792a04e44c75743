//! Reductions of rows.

use crate::arrays::{Array, Outputs, invalid};
use pyo3::prelude::*;

/// Writes the median of each row of a table of columns; returns what was raised.
#[pyfunction]
pub(crate) fn row_medians(
    py: Python<'_>,
    columns: Vec<Bound<'_, PyAny>>,
    skip: bool,
    out: &Bound<'_, PyAny>,
) -> PyResult<u32> {
    let columns: Vec<Array> = (columns.iter())
        .map(|column| Array::new(column, "a column"))
        .collect::<PyResult<_>>()?;
    let mut outputs = Outputs::new([(out, "out")], &columns)?;
    // SAFETY: nobody writes to them while the kernel runs: the output overlaps none.
    let columns: Vec<_> = (columns.iter())
        .map(|column| unsafe { column.column() })
        .collect();
    let [mut out] = outputs.columns();
    py.detach(|| stratum_native_ops::row_medians(&columns, skip, &mut out))
        .map_err(invalid)
}
