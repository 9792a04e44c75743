//! The functions on dates: arrays of int64 with a unit.

use crate::arrays::{Inputs, Outputs, invalid};
use pyo3::prelude::*;
use stratum_native_ops::{Column, ColumnMut, DateError, Field, TimeUnit};

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
    let field = field_of(field)?;
    let inputs = Inputs::new([(values, "dates")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([Column::I64(values)], [mut out]) = (inputs.columns(), outputs.columns()) else {
        return Err(invalid("dates must be int64"));
    };
    py.detach(|| stratum_native_ops::date_fields(values, unit, field, &mut out))
        .map_err(failed)
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
    let inputs = Inputs::new([(values, "dates")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([Column::I64(values)], [ColumnMut::I64(out)]) = (inputs.columns(), outputs.columns())
    else {
        return Err(invalid("dates must be int64"));
    };
    py.detach(|| stratum_native_ops::start_of_day(values, unit, out))
        .map_err(failed)
}

pub(crate) fn unit_of(name: &str) -> PyResult<TimeUnit> {
    TimeUnit::parse(name).ok_or_else(|| invalid(format!("no such unit: {name}")))
}

pub(crate) fn field_of(name: &str) -> PyResult<Field> {
    Field::parse(name).ok_or_else(|| invalid(format!("no such field: {name}")))
}

fn failed(error: DateError) -> PyErr {
    match error {
        DateError::OutOfRange => pyo3::exceptions::PyOverflowError::new_err(error.to_string()),
        DateError::Output => invalid(error),
    }
}
