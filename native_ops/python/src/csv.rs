//! The class `CsvFile`: a file in memory, and its cells as columns.

use crate::buffer::Memory;
use pyo3::exceptions::{PyMemoryError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::fs::File;
use std::path::PathBuf;
use stratum_native_ops::csv::{Kind, Refusal, Source, Table, read_table};

/// A type's name, whether a column is alone, the numbers of the columns, and their memory.
type Block = (&'static str, bool, Vec<usize>, Memory);

/// How many strings there are and are missing, the validity, the offsets, the text.
type Chunk = (usize, usize, Option<Memory>, Memory, Memory);

/// The number of a column of strings, and its chunks.
type Text = (usize, Vec<Chunk>);

fn refuse(refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Unusual(what) => PyValueError::new_err(what),
        Refusal::File(error) => PyOSError::new_err(error),
        Refusal::Memory => PyMemoryError::new_err("no memory for the file"),
    }
}

/// A CSV file of at least one row.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct CsvFile(Source);

#[pymethods]
impl CsvFile {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, threads: usize) -> PyResult<Self> {
        let source = py.detach(|| Source::new(&File::open(path)?, threads));
        source.map(Self).map_err(refuse)
    }

    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.header())
    }

    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn read(
        &self,
        py: Python<'_>,
        columns: usize,
        chunk: usize,
        starts: Vec<usize>,
        threads: usize,
    ) -> PyResult<(Vec<Block>, Vec<Text>)> {
        let table = py.detach(|| read_table(&self.0, columns, chunk, &starts, threads));
        let Table { rows, blocks, text } = table.map_err(refuse)?;
        let blocks = blocks.into_iter().map(|block| {
            let (name, size) = match block.kind {
                Kind::Integers => ("int64", 8),
                Kind::Bools => ("bool", 1),
                _ => ("float64", 8),
            };
            let bytes = block.columns.len() * rows * size;
            let memory = Memory::of(block.memory, bytes)?;
            Ok((name, block.alone, block.columns, memory))
        });
        let text = text.into_iter().map(|(column, chunks)| {
            let chunks = chunks.into_iter().map(|chunk| {
                let validity = (chunk.validity)
                    .map(|bits| Memory::of(bits, chunk.rows.div_ceil(8)))
                    .transpose()?;
                let offsets = Memory::of(chunk.offsets, 8 * (chunk.rows + 1))?;
                let data = Memory::of(chunk.data, chunk.bytes)?;
                Ok((chunk.rows, chunk.missing, validity, offsets, data))
            });
            Ok((column, chunks.collect::<PyResult<_>>()?))
        });
        Ok((
            blocks.collect::<PyResult<_>>()?,
            text.collect::<PyResult<_>>()?,
        ))
    }
}
