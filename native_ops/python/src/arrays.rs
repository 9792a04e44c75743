//! NumPy arrays as columns, through the buffer protocol: nothing is believed, all is checked.

use pyo3::buffer::{ElementType, PyUntypedBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::fmt::Display;
use std::ops::Range;
use stratum_native_ops::{Bool, Column, ColumnMut, DType};

/// A contiguous one-dimensional array of a dtype that programs know.
pub(crate) struct Array {
    buffer: PyUntypedBuffer,
    dtype: DType,
}

impl Array {
    /// Looks at an array; `what` names it in errors.
    pub(crate) fn new(object: &Bound<'_, PyAny>, what: &str) -> PyResult<Self> {
        let refuse = |why: &str| PyValueError::new_err(format!("{what} {why}"));
        let buffer = PyUntypedBuffer::get(object)
            .map_err(|error| refuse(&format!("is no array of numbers: {error}")))?;
        if buffer.dimensions() != 1 || !buffer.is_c_contiguous() {
            return Err(refuse("must be a contiguous one-dimensional array"));
        }
        let format = buffer.format().to_bytes();
        // A byte order other than the machine's has a prefix.
        let kind = if format.len() == 1 {
            ElementType::from_format(buffer.format())
        } else {
            ElementType::Unknown
        };
        let dtype = match (kind, buffer.item_size()) {
            (ElementType::Float { bytes: 8 }, 8) => DType::F64,
            (ElementType::Float { bytes: 4 }, 4) => DType::F32,
            (ElementType::SignedInteger { bytes: 8 }, 8) => DType::I64,
            (ElementType::SignedInteger { bytes: 4 }, 4) => DType::I32,
            (ElementType::SignedInteger { bytes: 2 }, 2) => DType::I16,
            (ElementType::SignedInteger { bytes: 1 }, 1) => DType::I8,
            (ElementType::UnsignedInteger { bytes: 8 }, 8) => DType::U64,
            (ElementType::UnsignedInteger { bytes: 4 }, 4) => DType::U32,
            (ElementType::UnsignedInteger { bytes: 2 }, 2) => DType::U16,
            (ElementType::UnsignedInteger { bytes: 1 }, 1) => DType::U8,
            (ElementType::Bool, 1) => DType::Bool,
            _ => return Err(refuse("has a dtype that programs don't know")),
        };
        let array = Self { buffer, dtype };
        if !array.addresses().start.is_multiple_of(dtype.size()) {
            return Err(refuse("is not aligned"));
        }
        if array.buffer.len_bytes() != array.buffer.item_count() * dtype.size() {
            return Err(refuse("has an odd size"));
        }
        Ok(array)
    }

    /// The memory of the array.
    pub(crate) fn addresses(&self) -> Range<usize> {
        let start = self.buffer.buf_ptr() as usize;
        start..start + self.buffer.len_bytes()
    }

    pub(crate) fn is_writeable(&self) -> bool {
        !self.buffer.readonly()
    }

    fn rows(&self) -> usize {
        self.buffer.item_count()
    }

    /// The array as a column.
    ///
    /// # Safety
    ///
    /// Nobody may write to the array while the column is alive. (Python code on other threads
    /// could, as it could during any NumPy call.)
    pub(crate) unsafe fn column(&self) -> Column<'_> {
        macro_rules! column {
            ($($name:ident => $T:ty),*) => {
                match self.dtype {
                    _ if self.rows() == 0 => match self.dtype {
                        $(DType::$name => Column::$name(&[])),*
                    },
                    // SAFETY: the buffer is held, has these rows of this type (checked in `new`),
                    // aligned; the caller's promise.
                    $(DType::$name => Column::$name(unsafe {
                        std::slice::from_raw_parts(self.buffer.buf_ptr().cast::<$T>(), self.rows())
                    })),*
                }
            };
        }
        column!(F64 => f64, F32 => f32, I64 => i64, I32 => i32, I16 => i16, I8 => i8,
                U64 => u64, U32 => u32, U16 => u16, U8 => u8, Bool => Bool)
    }

    /// The array as a column to write to.
    ///
    /// # Safety
    ///
    /// The array must be writeable, and nobody else may read or write it while the column is
    /// alive.
    pub(crate) unsafe fn column_mut(&mut self) -> ColumnMut<'_> {
        macro_rules! column {
            ($($name:ident => $T:ty),*) => {
                match self.dtype {
                    _ if self.rows() == 0 => match self.dtype {
                        $(DType::$name => ColumnMut::$name(&mut [])),*
                    },
                    // SAFETY: as in `column`; the caller promises that this is the only access.
                    $(DType::$name => ColumnMut::$name(unsafe {
                        std::slice::from_raw_parts_mut(
                            self.buffer.buf_ptr().cast::<$T>(),
                            self.rows(),
                        )
                    })),*
                }
            };
        }
        column!(F64 => f64, F32 => f32, I64 => i64, I32 => i32, I16 => i16, I8 => i8,
                U64 => u64, U32 => u32, U16 => u16, U8 => u8, Bool => Bool)
    }
}

/// Memory that is none of Python's arrays: a buffer of bytes, read as what it holds.
pub(crate) struct Bytes(PyUntypedBuffer);

impl Bytes {
    /// Looks at a buffer; `what` names it in errors.
    pub(crate) fn new(object: &Bound<'_, PyAny>, what: &str) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(object)
            .map_err(|error| PyValueError::new_err(format!("{what} is no buffer: {error}")))?;
        if buffer.is_c_contiguous() && buffer.item_size() == 1 {
            return Ok(Self(buffer));
        }
        Err(PyValueError::new_err(format!("{what} holds no bytes")))
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// As for [`Array::column`].
    pub(crate) unsafe fn bytes(&self) -> &[u8] {
        if self.0.len_bytes() == 0 {
            return &[];
        }
        // SAFETY: the buffer is held and contiguous (checked in `new`); the caller's promise.
        unsafe { std::slice::from_raw_parts(self.0.buf_ptr().cast::<u8>(), self.0.len_bytes()) }
    }

    /// The 64-bit integers that fit into the buffer, `None` if it is not aligned.
    ///
    /// # Safety
    ///
    /// As for [`Array::column`].
    pub(crate) unsafe fn integers(&self) -> Option<&[i64]> {
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.bytes() };
        let start = bytes.as_ptr().cast::<i64>();
        if bytes.is_empty() || !start.is_aligned() {
            return bytes.is_empty().then_some(&[]);
        }
        // SAFETY: aligned, inside the bytes, and every pattern is an integer.
        Some(unsafe { std::slice::from_raw_parts(start, bytes.len() / 8) })
    }
}

/// The arrays that a kernel reads.
pub(crate) struct Inputs<const N: usize>([Array; N]);

impl<const N: usize> Inputs<N> {
    /// Looks at arrays, each with its name in errors.
    pub(crate) fn new(objects: [(&Bound<'_, PyAny>, &str); N]) -> PyResult<Self> {
        arrays(objects).map(Self)
    }

    pub(crate) fn arrays(&self) -> &[Array] {
        &self.0
    }

    pub(crate) fn columns(&self) -> [Column<'_>; N] {
        // SAFETY: callers write to arrays only while nobody computes with them, as NumPy has it,
        // and outputs overlap no inputs (`Outputs::new`).
        self.0.each_ref().map(|array| unsafe { array.column() })
    }
}

/// The arrays that a kernel writes.
pub(crate) struct Outputs<const N: usize>([Array; N]);

impl<const N: usize> Outputs<N> {
    /// Looks at arrays, each with its name in errors; refuses those that are read-only, or share
    /// memory with each other or an input.
    pub(crate) fn new(objects: [(&Bound<'_, PyAny>, &str); N], inputs: &[Array]) -> PyResult<Self> {
        let outputs = arrays(objects)?;
        for (array, (_, what)) in outputs.iter().zip(objects) {
            if !array.is_writeable() {
                return Err(invalid(format!("{what} is read-only")));
            }
        }
        refuse_overlap(inputs, &outputs)?;
        Ok(Self(outputs))
    }

    pub(crate) fn columns(&mut self) -> [ColumnMut<'_>; N] {
        // SAFETY: writeable and apart from all other arrays (checked in `new`); callers tell
        // nobody else of them before the kernel returns. Arrow's buffers are immutable, so that
        // none of them is an output.
        (self.0.each_mut()).map(|array| unsafe { array.column_mut() })
    }
}

/// The arrays that strings are written to, as Arrow has them.
pub(crate) struct TextOutputs(Outputs<3>);

/// Where each string ends, the bitmap of those that are there, and their bytes.
type TextParts<'a> = (&'a mut [i64], &'a mut [u8], &'a mut [u8]);

impl TextOutputs {
    pub(crate) fn new(
        ends: &Bound<'_, PyAny>,
        validity: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
        inputs: &[Array],
    ) -> PyResult<Self> {
        let written = [(ends, "ends"), (validity, "validity"), (out, "out")];
        Outputs::new(written, inputs).map(Self)
    }

    pub(crate) fn parts(&mut self) -> PyResult<TextParts<'_>> {
        match self.0.columns() {
            [
                ColumnMut::I64(ends),
                ColumnMut::U8(validity),
                ColumnMut::U8(out),
            ] => Ok((ends, validity, out)),
            _ => Err(invalid("ends must be int64, validity and out uint8")),
        }
    }
}

/// Looks at the arrays of a list, which go by one name in errors.
pub(crate) fn listed(objects: &[Bound<'_, PyAny>], what: &str) -> PyResult<Vec<Array>> {
    (objects.iter())
        .map(|object| Array::new(object, what))
        .collect()
}

fn arrays<const N: usize>(objects: [(&Bound<'_, PyAny>, &str); N]) -> PyResult<[Array; N]> {
    let arrays = objects
        .iter()
        .map(|(object, what)| Array::new(object, what));
    let arrays: Vec<_> = arrays.collect::<PyResult<_>>()?;
    Ok((arrays.try_into()).unwrap_or_else(|_| unreachable!("one array for each object")))
}

/// The error for arguments that don't fit.
pub(crate) fn invalid(why: impl Display) -> PyErr {
    PyValueError::new_err(why.to_string())
}

/// Refuses arrays to write to that share memory with others.
pub(crate) fn refuse_overlap(inputs: &[Array], outputs: &[Array]) -> PyResult<()> {
    for (index, output) in outputs.iter().enumerate() {
        let own = output.addresses();
        for other in inputs.iter().chain(&outputs[..index]) {
            let other = other.addresses();
            if own.start < other.end && other.start < own.end {
                return Err(PyValueError::new_err(format!(
                    "output {index} shares memory with another array"
                )));
            }
        }
    }
    Ok(())
}
