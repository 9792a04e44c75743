//! Reductions by group.

use crate::arrays::{Array, integers, integers_mut, refuse_overlap};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stratum_native_ops::ProgramError;
use stratum_native_ops::groups::{self, Aggregate};

fn invalid(error: ProgramError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Writes the aggregate of each group and its count; returns whether a zero's sign is ambiguous.
#[pyfunction]
#[pyo3(signature = (how, codes, values, out, counts, at_least, ddof = 1))]
#[expect(clippy::too_many_arguments, reason = "arrays and how to read them")]
pub(crate) fn group_aggregate(
    py: Python<'_>,
    how: &str,
    codes: &Bound<'_, PyAny>,
    values: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
    counts: &Bound<'_, PyAny>,
    at_least: i64,
    ddof: i64,
) -> PyResult<bool> {
    let how = match how {
        "sum" => Aggregate::Sum,
        "mean" => Aggregate::Mean,
        "min" => Aggregate::Min,
        "max" => Aggregate::Max,
        "first" => Aggregate::First,
        "last" => Aggregate::Last,
        "median" => Aggregate::Median,
        "var" => Aggregate::Var(ddof),
        "std" => Aggregate::Std(ddof),
        _ => return Err(PyValueError::new_err(format!("no such aggregate: {how}"))),
    };
    let inputs = [Array::new(codes, "codes")?, Array::new(values, "values")?];
    let mut outputs = [Array::new(out, "out")?, Array::new(counts, "counts")?];
    refuse_overlap(&inputs, &outputs)?;
    if !outputs[0].is_writeable() {
        return Err(PyValueError::new_err("out is read-only"));
    }
    let [out, counts] = &mut outputs;
    // SAFETY: the outputs are writeable, apart from each other and from the inputs, and nobody
    // else is told of them before this returns.
    let (codes, values, mut out, counts) = unsafe {
        (
            integers(&inputs[0], "codes")?,
            inputs[1].column(),
            out.column_mut(),
            integers_mut(counts, "counts")?,
        )
    };
    py.detach(|| groups::aggregate(how, codes, values, &mut out, counts, at_least))
        .map_err(invalid)
}
