//! The class `Text`: a column of strings in Arrow's buffers, read where they are.

use crate::arrays::Array;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use stratum_native_ops::{Chunk, Column, ColumnMut, Layout, Strings, TimeUnit, parse_dates};

/// `(validity, offsets, data, offset, length)` of a chunk, as `pyarrow.Array` has them.
type Parts<'py> = (
    Option<Bound<'py, PyAny>>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
    usize,
    usize,
);

/// A read-only contiguous buffer of bytes.
struct Bytes(PyUntypedBuffer);

impl Bytes {
    fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(object)?;
        if buffer.is_c_contiguous() {
            Ok(Self(buffer))
        } else {
            Err(PyValueError::new_err("a buffer is not contiguous"))
        }
    }

    fn get(&self) -> &[u8] {
        if self.0.len_bytes() == 0 {
            return &[];
        }
        // SAFETY: the buffer is held and contiguous. Arrow's buffers don't change while pandas
        // refers to them.
        unsafe { std::slice::from_raw_parts(self.0.buf_ptr().cast(), self.0.len_bytes()) }
    }
}

struct OwnedChunk {
    validity: Option<Bytes>,
    offsets: Bytes,
    data: Option<Bytes>,
    offset: usize,
    length: usize,
}

impl OwnedChunk {
    fn view(&self) -> PyResult<Chunk<'_>> {
        let bytes = self.offsets.get();
        // SAFETY: every bit pattern is an integer, and the middle is aligned.
        let (before, offsets, _) = unsafe { bytes.align_to::<i64>() };
        let end = (self.offset.checked_add(self.length)).and_then(|end| end.checked_add(1));
        let offsets = (end.filter(|_| before.is_empty()))
            .and_then(|end| offsets.get(self.offset..end))
            .ok_or_else(|| PyValueError::new_err("the offsets are too short or not aligned"))?;
        let validity = self.validity.as_ref().map(|bits| (bits.get(), self.offset));
        let data = self.data.as_ref().map_or(&[][..], Bytes::get);
        Chunk::new(validity, offsets, data).map_err(invalid)
    }
}

/// A column of strings.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Text(Vec<OwnedChunk>);

#[pymethods]
impl Text {
    #[new]
    fn new(chunks: Vec<Parts<'_>>) -> PyResult<Self> {
        let own = |(validity, offsets, data, offset, length): Parts<'_>| {
            Ok(OwnedChunk {
                validity: validity.as_ref().map(Bytes::new).transpose()?,
                offsets: Bytes::new(&offsets)?,
                data: data.as_ref().map(Bytes::new).transpose()?,
                offset,
                length,
            })
        };
        chunks
            .into_iter()
            .map(own)
            .collect::<PyResult<_>>()
            .map(Self)
    }

    fn __len__(&self) -> usize {
        self.0.iter().map(|chunk| chunk.length).sum()
    }

    /// Parses dates; returns how many rows are there and the digits of the longest fraction.
    fn parse_dates(
        &self,
        py: Python<'_>,
        format: &str,
        unit: &str,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(usize, usize)>> {
        let (Some(layout), Some(unit)) = (Layout::parse(format), TimeUnit::parse(unit)) else {
            return Ok(None);
        };
        let chunks = self.chunks()?;
        let mut out = Output::new(out)?;
        let ColumnMut::I64(out) = out.column() else {
            return Err(PyValueError::new_err("dates go to an array of int64"));
        };
        let parsed = py.detach(|| parse_dates(&chunks, &layout, unit, out));
        Ok(parsed.map(|parsed| (parsed.valid, parsed.digits)))
    }

    /// Numbers the distinct strings; returns how many there are.
    fn encode(
        &self,
        py: Python<'_>,
        limit: usize,
        codes: &Bound<'_, PyAny>,
        first: &Bound<'_, PyAny>,
    ) -> PyResult<Option<usize>> {
        let chunks = self.chunks()?;
        let (mut codes, mut first) = (Output::new(codes)?, Output::new(first)?);
        match (codes.column(), first.column()) {
            (ColumnMut::I32(codes), ColumnMut::I64(first)) => {
                Ok(py.detach(|| stratum_native_ops::encode(&chunks, limit, codes, first)))
            }
            _ => Err(PyValueError::new_err("codes are int32, rows int64")),
        }
    }

    /// Writes at which row of `keys` each row's string is; returns whether these are distinct.
    fn find(&self, py: Python<'_>, keys: &Self, out: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (keys, chunks) = (keys.chunks()?, self.chunks()?);
        let mut out = Output::new(out)?;
        let ColumnMut::I32(out) = out.column() else {
            return Err(PyValueError::new_err("positions go to an array of int32"));
        };
        Ok(py.detach(|| stratum_native_ops::find(&keys, &chunks, out)))
    }

    /// Writes the positions of the rows in the order of their code points.
    fn order(&self, py: Python<'_>, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let chunks = self.chunks()?;
        let mut out = Output::new(out)?;
        let ColumnMut::I64(out) = out.column() else {
            return Err(PyValueError::new_err("positions go to an array of int64"));
        };
        done(py.detach(|| stratum_native_ops::order(&chunks, out)))
    }

    /// Writes offsets, perhaps validity, of the strings that codes stand for; returns the bytes.
    fn gather<'py>(
        &self,
        py: Python<'py>,
        codes: &Bound<'py, PyAny>,
        offsets: &Bound<'py, PyAny>,
        validity: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let chunks = self.chunks()?;
        let codes = Array::new(codes, "the codes")?;
        let codes = codes_of(&codes)?;
        let mut offsets = Output::new(offsets)?;
        let mut validity = validity.map(Output::new).transpose()?;
        let ColumnMut::I64(offsets) = offsets.column() else {
            return Err(PyValueError::new_err("offsets are int64"));
        };
        let bits = match validity.as_mut().map(Output::column) {
            None => &mut [],
            Some(ColumnMut::U8(bits)) => bits,
            Some(_) => return Err(PyValueError::new_err("validity is uint8")),
        };
        let strings = py.detach(|| {
            let strings = Strings::new(&chunks);
            let written = strings.offsets(codes, offsets, bits);
            written.then_some(strings)
        });
        let strings = strings.ok_or_else(unfit)?;
        let size = usize::try_from(offsets.last().copied().unwrap_or(0)).unwrap_or(0);
        PyByteArray::new_with(py, size, |bytes| {
            done(py.detach(|| strings.bytes(codes, bytes)))
        })
    }
}

impl Text {
    pub(crate) fn chunks(&self) -> PyResult<Vec<Chunk<'_>>> {
        self.0.iter().map(OwnedChunk::view).collect()
    }
}

/// An array of the caller's that a kernel writes.
pub(crate) struct Output(Array);

impl Output {
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = Array::new(object, "the output")?;
        if array.is_writeable() {
            Ok(Self(array))
        } else {
            Err(PyValueError::new_err("the output is read-only"))
        }
    }

    /// The array as a column to write to.
    pub(crate) fn column(&mut self) -> ColumnMut<'_> {
        // SAFETY: writeable (checked). Callers make a fresh array for each call, of which nobody
        // else knows until it returns.
        unsafe { self.0.column_mut() }
    }
}

/// Writes the value of each code, the last one for negative codes.
#[pyfunction]
pub(crate) fn spread(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    codes: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let (values, codes) = (
        Array::new(values, "the values")?,
        Array::new(codes, "the codes")?,
    );
    let (codes, mut out) = (codes_of(&codes)?, Output::new(out)?);
    // SAFETY: as in `integers`.
    let values = unsafe { values.column() };
    let mut out = out.column();
    done(py.detach(|| stratum_native_ops::spread(values, codes, &mut out)))
}

/// Counts each code; negative ones for the last.
#[pyfunction]
pub(crate) fn count_codes(
    py: Python<'_>,
    codes: &Bound<'_, PyAny>,
    counts: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let codes = Array::new(codes, "the codes")?;
    let (codes, mut counts) = (codes_of(&codes)?, Output::new(counts)?);
    let ColumnMut::I64(counts) = counts.column() else {
        return Err(PyValueError::new_err("counts are int64"));
    };
    done(py.detach(|| stratum_native_ops::count_codes(codes, counts)))
}

/// Sets, of one column after another, the row in the column of its code.
#[pyfunction]
pub(crate) fn one_hot(
    py: Python<'_>,
    codes: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let codes = Array::new(codes, "the codes")?;
    let (codes, mut out) = (codes_of(&codes)?, Output::new(out)?);
    let ColumnMut::Bool(out) = out.column() else {
        return Err(PyValueError::new_err("cells are bool"));
    };
    done(py.detach(|| stratum_native_ops::one_hot(codes, out)))
}

fn codes_of(array: &Array) -> PyResult<&[i32]> {
    // SAFETY: as in `integers`.
    match unsafe { array.column() } {
        Column::I32(codes) => Ok(codes),
        _ => Err(PyValueError::new_err("codes are int32")),
    }
}

fn unfit() -> PyErr {
    PyValueError::new_err("lengths, dtypes or codes don't fit")
}

fn done(done: bool) -> PyResult<()> {
    if done { Ok(()) } else { Err(unfit()) }
}

/// An array of int64 that a kernel reads.
pub(crate) fn integers(array: &Array) -> PyResult<&[i64]> {
    // SAFETY: pandas writes to its columns only while nobody computes with them, as NumPy has it.
    match unsafe { array.column() } {
        Column::I64(values) => Ok(values),
        _ => Err(PyValueError::new_err("expected an array of int64")),
    }
}

pub(crate) fn invalid(error: impl std::error::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
