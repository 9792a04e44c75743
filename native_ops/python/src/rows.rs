//! Reductions of rows, and rows of several tables.

use crate::arrays::{Outputs, invalid, listed};
use pyo3::prelude::*;

/// Writes the median of each row of a table of columns; returns what was raised.
#[pyfunction]
pub(crate) fn row_medians(
    py: Python<'_>,
    columns: Vec<Bound<'_, PyAny>>,
    skip: bool,
    out: &Bound<'_, PyAny>,
) -> PyResult<u32> {
    let columns = listed(&columns, "a column")?;
    let mut outputs = Outputs::new([(out, "out")], &columns)?;
    // SAFETY: nobody writes to them while the kernel runs: the output overlaps none.
    let columns: Vec<_> = (columns.iter())
        .map(|column| unsafe { column.column() })
        .collect();
    let [mut out] = outputs.columns();
    py.detach(|| stratum_native_ops::row_medians(&columns, skip, &mut out))
        .map_err(invalid)
}

/// Writes columns one after the other, past the caches.
#[pyfunction]
pub(crate) fn concatenate(
    py: Python<'_>,
    parts: Vec<Bound<'_, PyAny>>,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let parts = listed(&parts, "a part")?;
    let mut outputs = Outputs::new([(out, "out")], &parts)?;
    // SAFETY: nobody writes to them while the kernel runs: the output overlaps none.
    let parts: Vec<_> = parts.iter().map(|part| unsafe { part.column() }).collect();
    let [mut out] = outputs.columns();
    py.detach(|| stratum_native_ops::concatenate(&parts, &mut out))
        .map_err(invalid)
}
