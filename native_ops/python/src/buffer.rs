//! The class `Memory`: a kernel's buffer that NumPy arrays can lie in.

use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::c_int;
use stratum_native_ops::Buffer;

/// Writeable memory of some bytes, not initialised, which is used again when nobody refers to it.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Memory {
    buffer: Buffer,
    bytes: isize,
}

impl Memory {
    /// Memory that a kernel has filled.
    pub(crate) fn of(buffer: Buffer, bytes: usize) -> PyResult<Self> {
        assert!(bytes <= buffer.bytes());
        let bytes = isize::try_from(bytes)?;
        Ok(Self { buffer, bytes })
    }
}

#[pymethods]
impl Memory {
    #[new]
    fn new(bytes: isize) -> PyResult<Self> {
        let size = usize::try_from(bytes)?;
        let buffer = Buffer::try_new(size)
            .ok_or_else(|| PyMemoryError::new_err(format!("no memory for {size} bytes")))?;
        Ok(Self { buffer, bytes })
    }

    /// Fills the view that a caller of the buffer protocol wants.
    ///
    /// # Safety
    ///
    /// `view` is a valid view, as the protocol says.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let memory = slf.get();
        // SAFETY: the view holds a reference to `slf`, which owns the memory.
        let filled = unsafe {
            let start = memory.buffer.start().cast();
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, memory.bytes, 0, flags)
        };
        if filled == 0 {
            return Ok(());
        }
        Err(PyErr::fetch(slf.py()))
    }
}
