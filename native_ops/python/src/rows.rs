//! Reductions of rows and windows of rows, and rows of several tables.

use crate::arrays::{Inputs, Outputs, invalid, listed};
use pyo3::prelude::*;
use stratum_native_ops::{Column, ColumnMut, ProgramError, Windows};

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

/// The first row of the first window, the one after its last, and how far the next is.
type Moved = (i64, i64, usize);

/// Writes the smallest or largest value of each window.
#[pyfunction]
pub(crate) fn window_extremes(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    windows: Moved,
    least: i64,
    smallest: bool,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    of_windows(py, values, windows, out, |values, windows, out| {
        stratum_native_ops::window_extremes(values, windows, least, smallest, out)
    })
}

/// Writes the sum or mean of each window.
#[pyfunction]
pub(crate) fn window_sums(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    windows: Moved,
    least: i64,
    mean: bool,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    of_windows(py, values, windows, out, |values, windows, out| {
        stratum_native_ops::window_sums(values, windows, least, mean, out)
    })
}

/// Writes the variance of each window, or its root.
#[pyfunction]
pub(crate) fn window_variances(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    windows: Moved,
    least: i64,
    ddof: i32,
    root: bool,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    of_windows(py, values, windows, out, |values, windows, out| {
        stratum_native_ops::window_variances(values, windows, least, ddof, root, out)
    })
}

fn of_windows(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    (start, end, step): Moved,
    out: &Bound<'_, PyAny>,
    write: impl FnOnce(&[f64], Windows, &mut [f64]) -> Result<(), ProgramError> + Send,
) -> PyResult<()> {
    let inputs = Inputs::new([(values, "values")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([Column::F64(values)], [ColumnMut::F64(out)]) = (inputs.columns(), outputs.columns())
    else {
        return Err(invalid("values and out must be float64"));
    };
    let windows = Windows::new(start, end, step, values.len()).map_err(invalid)?;
    py.detach(|| write(values, windows, out)).map_err(invalid)
}
