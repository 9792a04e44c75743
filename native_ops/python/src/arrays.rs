//! NumPy arrays as columns, through the buffer protocol: nothing is believed, all is checked.

use pyo3::buffer::{ElementType, PyUntypedBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
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
