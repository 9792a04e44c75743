//! Rows picked by position.

use crate::arrays::{Inputs, Outputs, invalid};
use crate::text::Text;
use pyo3::prelude::*;
use stratum_native_ops::{Column, ColumnMut};

/// Writes the values at some positions.
#[pyfunction]
#[pyo3(signature = (positions, values, out, last = false))]
pub(crate) fn gather(
    py: Python<'_>,
    positions: &Bound<'_, PyAny>,
    values: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
    last: bool,
) -> PyResult<()> {
    let inputs = Inputs::new([(positions, "positions"), (values, "values")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([positions, values], [mut out]) = (inputs.columns(), outputs.columns());
    py.detach(|| stratum_native_ops::gather(positions, values, &mut out, last))
        .map_err(invalid)
}

/// The strings of a column, to be picked by position.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Strings(stratum_native_ops::Strings);

/// Calls a generic function with positions of either dtype.
macro_rules! with_positions {
    ($column:expr, |$positions:ident| $call:expr) => {
        match $column {
            Column::I64($positions) => $call,
            Column::I32($positions) => $call,
            _ => return Err(invalid("positions must be int64 or int32")),
        }
    };
}

#[pymethods]
impl Strings {
    #[new]
    #[pyo3(signature = (text, last = false))]
    fn new(py: Python<'_>, text: &Text, last: bool) -> PyResult<Self> {
        let chunks = text.chunks()?;
        py.detach(|| stratum_native_ops::Strings::new(&chunks, last))
            .map(Self)
            .map_err(invalid)
    }

    /// Writes the ends and the validity of picked strings; returns how many are missing.
    fn measure(
        &self,
        py: Python<'_>,
        positions: &Bound<'_, PyAny>,
        ends: &Bound<'_, PyAny>,
        validity: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        let inputs = Inputs::new([(positions, "positions")])?;
        let mut outputs = Outputs::new([(ends, "ends"), (validity, "validity")], inputs.arrays())?;
        let [positions] = inputs.columns();
        let [ColumnMut::I64(ends), ColumnMut::U8(validity)] = outputs.columns() else {
            return Err(invalid("ends must be int64 and validity uint8"));
        };
        let rows = positions.rows();
        if ends.len() != rows + 1 || validity.len() < rows.div_ceil(8) {
            return Err(invalid("the lengths differ"));
        }
        with_positions!(positions, |positions| {
            Ok(py.detach(|| self.0.measure(positions, ends, validity)))
        })
    }

    /// Writes picked strings one after the other.
    fn copy(
        &self,
        py: Python<'_>,
        positions: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let inputs = Inputs::new([(positions, "positions")])?;
        let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
        let ([positions], [ColumnMut::U8(out)]) = (inputs.columns(), outputs.columns()) else {
            return Err(invalid("out must be uint8"));
        };
        with_positions!(positions, |positions| py
            .detach(|| self.0.copy(positions, out))
            .map_err(invalid))
    }
}
