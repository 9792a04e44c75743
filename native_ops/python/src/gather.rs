//! Rows picked by position.

use crate::arrays::{Inputs, Outputs, TextOutputs, invalid};
use crate::text::Text;
use pyo3::prelude::*;
use stratum_native_ops::Column;

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

    /// Returns how many bytes picked strings have, from how often each is picked.
    fn bytes(&self, py: Python<'_>, counts: &Bound<'_, PyAny>) -> PyResult<usize> {
        let inputs = Inputs::new([(counts, "counts")])?;
        let [Column::I64(counts)] = inputs.columns() else {
            return Err(invalid("counts must be int64"));
        };
        Ok(py.detach(|| self.0.bytes(counts)))
    }

    /// Writes picked strings one after the other, their ends and their validity; returns how many
    /// are missing.
    fn pick(
        &self,
        py: Python<'_>,
        positions: &Bound<'_, PyAny>,
        ends: &Bound<'_, PyAny>,
        validity: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        let inputs = Inputs::new([(positions, "positions")])?;
        let mut outputs = TextOutputs::new(ends, validity, out, inputs.arrays())?;
        let [positions] = inputs.columns();
        let (ends, validity, out) = outputs.parts()?;
        with_positions!(positions, |positions| py
            .detach(|| self.0.pick(positions, ends, validity, out))
            .map_err(invalid))
    }
}
