//! The functions on dates: arrays of int64 with a unit.

use crate::arrays::Array;
use crate::text::{Output, integers};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stratum_native_ops::{ColumnMut, DateError, Field, TimeUnit};

/// Writes a field of dates to `out`; returns whether any date is missing.
#[pyfunction]
pub(crate) fn date_fields(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    unit: &str,
    field: &str,
    out: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let unit = unit_of(unit)?;
    let field = Field::parse(field)
        .ok_or_else(|| PyValueError::new_err(format!("no such field: {field}")))?;
    let values = Array::new(values, "the dates")?;
    let (values, mut out) = (integers(&values)?, Output::new(out)?);
    let mut out = out.column();
    py.detach(|| stratum_native_ops::date_fields(values, unit, field, &mut out))
        .map_err(invalid)
}

/// Writes the midnight of each date to `out`.
#[pyfunction]
pub(crate) fn start_of_day(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    unit: &str,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let unit = unit_of(unit)?;
    let values = Array::new(values, "the dates")?;
    let (values, mut out) = (integers(&values)?, Output::new(out)?);
    let ColumnMut::I64(out) = out.column() else {
        return Err(PyValueError::new_err("dates go to an array of int64"));
    };
    py.detach(|| stratum_native_ops::start_of_day(values, unit, out))
        .map_err(invalid)
}

fn unit_of(name: &str) -> PyResult<TimeUnit> {
    TimeUnit::parse(name).ok_or_else(|| PyValueError::new_err(format!("no such unit: {name}")))
}

fn invalid(error: DateError) -> PyErr {
    match error {
        DateError::OutOfRange => pyo3::exceptions::PyOverflowError::new_err(error.to_string()),
        DateError::Output => PyValueError::new_err(error.to_string()),
    }
}
