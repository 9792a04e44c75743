//! Codes for the keys of groups and joins.

use crate::arrays::{Array, Bytes, integers, integers_mut, refuse_overlap};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stratum_native_ops::dictionary::{Malformed, NumberEncoder, Text, TextEncoder};

/// A chunk of text as Python gives it: offsets, bytes, validity, first row, rows.
pub(crate) type Parts<'py> = (
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
    usize,
    usize,
);

/// A chunk of text whose buffers are held.
pub(crate) struct Chunk {
    offsets: Bytes,
    bytes: Option<Bytes>,
    validity: Option<Bytes>,
    start: usize,
    rows: usize,
}

impl Chunk {
    pub(crate) fn new(parts: &Parts<'_>) -> PyResult<Self> {
        let (offsets, bytes, validity, start, rows) = parts;
        let optional = |part: &Option<Bound<'_, PyAny>>, what| {
            part.as_ref().map(|part| Bytes::new(part, what)).transpose()
        };
        Ok(Self {
            offsets: Bytes::new(offsets, "the offsets")?,
            bytes: optional(bytes, "the text")?,
            validity: optional(validity, "the validity")?,
            start: *start,
            rows: *rows,
        })
    }

    /// The bytes of all strings.
    ///
    /// # Safety
    ///
    /// As for [`Chunk::text`].
    pub(crate) unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: the caller's promise.
        (self.bytes.as_ref()).map_or(&[], |bytes| unsafe { bytes.bytes() })
    }

    /// The chunk as text.
    ///
    /// # Safety
    ///
    /// As for [`Array::column`]: Arrow's buffers are immutable by contract.
    pub(crate) unsafe fn text(&self) -> PyResult<Text<'_>> {
        // SAFETY: the caller's promise.
        let offsets = unsafe { self.offsets.integers() };
        let end = (self.start.checked_add(self.rows)).and_then(|end| end.checked_add(1));
        let offsets = offsets
            .zip(end)
            .and_then(|(offsets, end)| offsets.get(self.start..end))
            .ok_or_else(|| PyValueError::new_err("the offsets are not aligned or too short"))?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.bytes() };
        // SAFETY: the caller's promise.
        let validity = self
            .validity
            .as_ref()
            .map(|v| (unsafe { v.bytes() }, self.start));
        Text::new(offsets, bytes, validity).map_err(malformed)
    }
}

fn malformed(error: Malformed) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Writes the codes of strings and the rows of first occurrences; returns how many there are.
#[pyfunction]
pub(crate) fn encode_text(
    py: Python<'_>,
    chunks: Vec<Parts<'_>>,
    codes: &Bound<'_, PyAny>,
    firsts: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let chunks = held(&chunks)?;
    let mut outputs = [Array::new(codes, "codes")?, Array::new(firsts, "firsts")?];
    refuse_overlap(&[], &outputs)?;
    let [codes, firsts] = &mut outputs;
    // SAFETY: apart from each other; Arrow's buffers are immutable, so none is inside them; nobody
    // else is told of the outputs before this returns.
    let (codes, firsts) = unsafe {
        (
            integers_mut(codes, "codes")?,
            integers_mut(firsts, "firsts")?,
        )
    };
    let texts = texts(&chunks)?;
    let rows: usize = texts.iter().map(Text::rows).sum();
    if rows != codes.len() || rows > firsts.len() {
        return Err(PyValueError::new_err("the lengths differ"));
    }
    py.detach(|| {
        let mut encoder = TextEncoder::default();
        let (mut start, mut found) = (0, 0);
        for text in texts {
            let end = start + text.rows();
            encoder.encode(text, &mut codes[start..end], |row| {
                firsts[found] = (start + row) as i64;
                found += 1;
            });
            start = end;
        }
        Ok(found)
    })
}

/// Writes the codes of numbers and the rows of first occurrences; returns how many there are.
#[pyfunction]
pub(crate) fn encode_numbers(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    codes: &Bound<'_, PyAny>,
    firsts: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let values = [Array::new(values, "values")?];
    let mut outputs = [Array::new(codes, "codes")?, Array::new(firsts, "firsts")?];
    refuse_overlap(&values, &outputs)?;
    let [codes, firsts] = &mut outputs;
    // SAFETY: apart from each other and from the values, and nobody else is told of them before
    // this returns.
    let (values, codes, firsts) = unsafe {
        (
            values[0].column(),
            integers_mut(codes, "codes")?,
            integers_mut(firsts, "firsts")?,
        )
    };
    if values.rows() != codes.len() || values.rows() > firsts.len() {
        return Err(PyValueError::new_err("the lengths differ"));
    }
    py.detach(|| {
        let mut found = 0;
        NumberEncoder::default().encode(values, codes, |row| {
            firsts[found] = row as i64;
            found += 1;
        });
        Ok(found)
    })
}

/// Writes the codes of pairs of codes and the rows of first occurrences, as `encode_numbers`.
#[pyfunction]
pub(crate) fn encode_pairs(
    py: Python<'_>,
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    codes: &Bound<'_, PyAny>,
    firsts: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let inputs = [Array::new(left, "left")?, Array::new(right, "right")?];
    let mut outputs = [Array::new(codes, "codes")?, Array::new(firsts, "firsts")?];
    refuse_overlap(&inputs, &outputs)?;
    let [codes, firsts] = &mut outputs;
    // SAFETY: as in `encode_numbers`.
    let (left, right, codes, firsts) = unsafe {
        (
            integers(&inputs[0], "left")?,
            integers(&inputs[1], "right")?,
            integers_mut(codes, "codes")?,
            integers_mut(firsts, "firsts")?,
        )
    };
    let rows = codes.len();
    if left.len() != rows || right.len() != rows || rows > firsts.len() {
        return Err(PyValueError::new_err("the lengths differ"));
    }
    py.detach(|| {
        let mut found = 0;
        NumberEncoder::default().encode_pairs(left, right, codes, |row| {
            firsts[found] = row as i64;
            found += 1;
        });
        Ok(found)
    })
}

/// Writes codes for the strings of two columns, counted over the right one.
#[pyfunction]
pub(crate) fn match_text(
    py: Python<'_>,
    left: Vec<Parts<'_>>,
    right: Vec<Parts<'_>>,
    left_codes: &Bound<'_, PyAny>,
    right_codes: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let [left, right] = [held(&left)?, held(&right)?];
    let mut outputs = [
        Array::new(left_codes, "left codes")?,
        Array::new(right_codes, "right codes")?,
    ];
    refuse_overlap(&[], &outputs)?;
    let [left_codes, right_codes] = &mut outputs;
    // SAFETY: as in `encode_text`.
    let (left_codes, right_codes) = unsafe {
        (
            integers_mut(left_codes, "left codes")?,
            integers_mut(right_codes, "right codes")?,
        )
    };
    let [left, right] = [texts(&left)?, texts(&right)?];
    let rows = |texts: &[Text<'_>]| texts.iter().map(Text::rows).sum::<usize>();
    if rows(&left) != left_codes.len() || rows(&right) != right_codes.len() {
        return Err(PyValueError::new_err("the lengths differ"));
    }
    Ok(py.detach(|| {
        let mut encoder = TextEncoder::default();
        let mut rest = right_codes;
        for text in right {
            let codes;
            (codes, rest) = rest.split_at_mut(text.rows());
            encoder.encode(text, codes, |_| ());
        }
        let mut rest = left_codes;
        for text in left {
            let codes;
            (codes, rest) = rest.split_at_mut(text.rows());
            encoder.look_up(text, codes);
        }
        encoder.len()
    }))
}

/// Writes codes for the numbers of two columns, counted over the right one.
#[pyfunction]
pub(crate) fn match_numbers(
    py: Python<'_>,
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    left_codes: &Bound<'_, PyAny>,
    right_codes: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let inputs = [Array::new(left, "left")?, Array::new(right, "right")?];
    let mut outputs = [
        Array::new(left_codes, "left codes")?,
        Array::new(right_codes, "right codes")?,
    ];
    refuse_overlap(&inputs, &outputs)?;
    let [left_codes, right_codes] = &mut outputs;
    // SAFETY: as in `encode_numbers`.
    let (left, right, left_codes, right_codes) = unsafe {
        (
            inputs[0].column(),
            inputs[1].column(),
            integers_mut(left_codes, "left codes")?,
            integers_mut(right_codes, "right codes")?,
        )
    };
    if left.rows() != left_codes.len() || right.rows() != right_codes.len() {
        return Err(PyValueError::new_err("the lengths differ"));
    }
    if left.dtype() != right.dtype() {
        return Err(PyValueError::new_err("the dtypes differ"));
    }
    Ok(py.detach(|| {
        let mut encoder = NumberEncoder::default();
        encoder.encode(right, right_codes, |_| ());
        encoder.look_up(left, left_codes);
        encoder.len()
    }))
}

fn held(chunks: &[Parts<'_>]) -> PyResult<Vec<Chunk>> {
    chunks.iter().map(Chunk::new).collect()
}

fn texts(chunks: &[Chunk]) -> PyResult<Vec<Text<'_>>> {
    // SAFETY: Arrow's buffers are immutable.
    chunks.iter().map(|chunk| unsafe { chunk.text() }).collect()
}
