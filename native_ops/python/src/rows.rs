//! Reductions of rows and windows of rows, and rows of several tables.

use crate::arrays::{Inputs, Outputs, invalid, listed};
use pyo3::prelude::*;
use stratum_native_ops::{Column, ColumnMut};

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

/// Writes the smallest or largest value of each window.
#[pyfunction]
pub(crate) fn window_extremes(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    starts: &Bound<'_, PyAny>,
    ends: &Bound<'_, PyAny>,
    least: i64,
    smallest: bool,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let inputs = Inputs::new([(values, "values"), (starts, "starts"), (ends, "ends")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([Column::F64(values), Column::I64(starts), Column::I64(ends)], [ColumnMut::F64(out)]) =
        (inputs.columns(), outputs.columns())
    else {
        return Err(invalid("values must be float64, starts and ends int64"));
    };
    py.detach(|| stratum_native_ops::window_extremes(values, starts, ends, least, smallest, out))
        .map_err(invalid)
}
