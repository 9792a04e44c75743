//! Ranks, and places between edges.

use crate::arrays::{Inputs, Outputs, invalid};
use pyo3::prelude::*;
use stratum_native_ops::{Column, ColumnMut, Ranking, Ties};

/// Writes the ranks of values, inside the groups of their codes if there are some.
#[pyfunction]
#[pyo3(signature = (values, out, ties, ascending, share, codes = None))]
pub(crate) fn rank(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
    ties: &str,
    ascending: bool,
    share: bool,
    codes: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let ties = match ties {
        "average" => Ties::Average,
        "min" => Ties::Min,
        "max" => Ties::Max,
        "first" => Ties::First,
        "dense" => Ties::Dense,
        _ => return Err(invalid(format!("no such way to rank ties: {ties}"))),
    };
    let how = Ranking {
        ties,
        ascending,
        share,
    };
    // Without groups the values stand in for codes, which nobody reads then.
    let inputs = Inputs::new([(values, "values"), (codes.unwrap_or(values), "codes")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([values, groups], [ColumnMut::F64(out)]) = (inputs.columns(), outputs.columns()) else {
        return Err(invalid("ranks must be float64"));
    };
    let groups = match groups {
        _ if codes.is_none() => None,
        Column::I64(groups) => Some(groups),
        _ => return Err(invalid("codes must be int64")),
    };
    py.detach(|| stratum_native_ops::rank(values, groups, how, out))
        .map_err(invalid)
}

/// Writes where values lie between edges: on or between which of them.
#[pyfunction]
pub(crate) fn places(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    edges: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let inputs = Inputs::new([(values, "values"), (edges, "edges")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([values, Column::F64(edges)], [ColumnMut::I32(out)]) =
        (inputs.columns(), outputs.columns())
    else {
        return Err(invalid("edges must be float64 and places int32"));
    };
    py.detach(|| stratum_native_ops::places(values, edges, out))
        .map_err(invalid)
}
