//! Rows picked by position.

use crate::arrays::{Array, integers, integers_mut, refuse_overlap};
use crate::keys::{Chunk, Parts};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stratum_native_ops::{ColumnMut, ProgramError};

/// Writes the values at some positions; returns how many positions there are not.
#[pyfunction]
pub(crate) fn gather(
    py: Python<'_>,
    positions: &Bound<'_, PyAny>,
    values: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let inputs = [
        Array::new(positions, "positions")?,
        Array::new(values, "values")?,
    ];
    let mut outputs = [Array::new(out, "out")?];
    refuse_overlap(&inputs, &outputs)?;
    if !outputs[0].is_writeable() {
        return Err(PyValueError::new_err("out is read-only"));
    }
    // SAFETY: the output is writeable, apart from the inputs, and nobody else is told of it
    // before this returns.
    let (positions, values, mut out) = unsafe {
        (
            integers(&inputs[0], "positions")?,
            inputs[1].column(),
            outputs[0].column_mut(),
        )
    };
    py.detach(|| stratum_native_ops::gather::gather(positions, values, &mut out))
        .map_err(invalid)
}

/// The strings of a column, to be picked by position.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Strings {
    chunks: Vec<Chunk>,
    places: stratum_native_ops::gather::Strings,
}

#[pymethods]
impl Strings {
    #[new]
    fn new(py: Python<'_>, chunks: Vec<Parts<'_>>) -> PyResult<Self> {
        let chunks: Vec<Chunk> = chunks.iter().map(Chunk::new).collect::<PyResult<_>>()?;
        // SAFETY: Arrow's buffers are immutable.
        let texts = chunks.iter().map(|chunk| unsafe { chunk.text() });
        let texts = texts.collect::<PyResult<Vec<_>>>()?;
        let places = py
            .detach(|| stratum_native_ops::gather::Strings::new(&texts))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        drop(texts);
        Ok(Self { chunks, places })
    }

    /// Writes the ends and the validity of picked strings; returns how many are missing.
    fn measure(
        &self,
        py: Python<'_>,
        positions: &Bound<'_, PyAny>,
        ends: &Bound<'_, PyAny>,
        validity: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        let inputs = [Array::new(positions, "positions")?];
        let mut outputs = [Array::new(ends, "ends")?, Array::new(validity, "validity")?];
        refuse_overlap(&inputs, &outputs)?;
        let [ends, validity] = &mut outputs;
        // SAFETY: apart from each other and from the positions, and nobody else is told of them
        // before this returns.
        let (positions, ends, validity) = unsafe {
            (
                integers(&inputs[0], "positions")?,
                integers_mut(ends, "ends")?,
                bytes_mut(validity, "validity")?,
            )
        };
        if ends.len() != positions.len() + 1 || validity.len() < positions.len().div_ceil(8) {
            return Err(PyValueError::new_err("the lengths differ"));
        }
        Ok(py.detach(|| self.places.measure(positions, ends, validity)))
    }

    /// Writes picked strings one after the other.
    fn copy(
        &self,
        py: Python<'_>,
        positions: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let inputs = [Array::new(positions, "positions")?];
        let mut outputs = [Array::new(out, "out")?];
        refuse_overlap(&inputs, &outputs)?;
        // SAFETY: as in `measure`; Arrow's buffers are immutable, so that the output is in none.
        let (positions, out) = unsafe {
            (
                integers(&inputs[0], "positions")?,
                bytes_mut(&mut outputs[0], "out")?,
            )
        };
        // SAFETY: as above.
        let texts: Vec<&[u8]> = (self.chunks.iter())
            .map(|chunk| unsafe { chunk.bytes() })
            .collect();
        py.detach(|| self.places.copy(positions, &texts, out))
            .map_err(invalid)
    }
}

fn invalid(error: ProgramError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The elements of an array of bytes, to write to.
///
/// # Safety
///
/// As for `integers_mut`.
unsafe fn bytes_mut<'a>(array: &'a mut Array, what: &str) -> PyResult<&'a mut [u8]> {
    if array.is_writeable() {
        // SAFETY: writeable; the caller's promise.
        if let ColumnMut::U8(values) = unsafe { array.column_mut() } {
            return Ok(values);
        }
    }
    let why = format!("{what} must be uint8 and writeable");
    Err(PyValueError::new_err(why))
}
