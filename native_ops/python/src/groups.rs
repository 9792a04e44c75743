//! Reductions by group.

use crate::arrays::{Inputs, Outputs, invalid};
use pyo3::prelude::*;
use stratum_native_ops::groups::{self, Aggregate};
use stratum_native_ops::{Column, ColumnMut};

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
        _ => return Err(invalid(format!("no such aggregate: {how}"))),
    };
    let inputs = Inputs::new([(codes, "codes"), (values, "values")])?;
    let mut outputs = Outputs::new([(out, "out"), (counts, "counts")], inputs.arrays())?;
    let ([Column::I64(codes), values], [mut out, ColumnMut::I64(counts)]) =
        (inputs.columns(), outputs.columns())
    else {
        return Err(invalid("codes and counts must be int64"));
    };
    py.detach(|| groups::aggregate(how, codes, values, &mut out, counts, at_least))
        .map_err(invalid)
}
