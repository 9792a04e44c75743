//! The class `Text`: a column of strings in Arrow's buffers, read where they are.

use crate::arrays::{Bytes, Outputs, TextOutputs, invalid};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use stratum_native_ops::{
    Bool, Case, Chunk, ColumnMut, Layout, Part, Test, TimeUnit, change_case, dictionary, join,
    lengths, matches, parse_dates,
};

/// `(validity, offsets, data, offset, length)` of a chunk, as `pyarrow.Array` has them.
type Parts<'py> = (
    Option<Bound<'py, PyAny>>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
    usize,
    usize,
);

/// How many distinct strings there are, and their offsets and bytes.
type Distinct<'py> = (usize, Bound<'py, PyByteArray>, Bound<'py, PyByteArray>);

/// A chunk whose buffers are held.
struct OwnedChunk {
    validity: Option<Bytes>,
    offsets: Bytes,
    data: Option<Bytes>,
    offset: usize,
    length: usize,
}

impl OwnedChunk {
    fn new((validity, offsets, data, offset, length): Parts<'_>) -> PyResult<Self> {
        let optional = |part: Option<Bound<'_, PyAny>>, what| {
            part.map(|part| Bytes::new(&part, what)).transpose()
        };
        Ok(Self {
            validity: optional(validity, "the validity")?,
            offsets: Bytes::new(&offsets, "the offsets")?,
            data: optional(data, "the text")?,
            offset,
            length,
        })
    }

    fn view(&self) -> PyResult<Chunk<'_>> {
        // SAFETY: Arrow's buffers are immutable.
        let (offsets, data, validity) = unsafe {
            (
                self.offsets.integers(),
                self.data.as_ref().map_or(&[][..], |data| data.bytes()),
                self.validity
                    .as_ref()
                    .map(|bits| (bits.bytes(), self.offset)),
            )
        };
        let end = (self.offset.checked_add(self.length)).and_then(|end| end.checked_add(1));
        let offsets = (offsets.zip(end))
            .and_then(|(offsets, end)| offsets.get(self.offset..end))
            .ok_or_else(|| invalid("the offsets are too short or not aligned"))?;
        Chunk::new(validity, offsets, data).map_err(invalid)
    }
}

/// A part of strings that are joined.
#[derive(FromPyObject)]
enum TextPart<'py> {
    Column(PyRef<'py, Text>),
    Same(String),
}

impl TextPart<'_> {
    fn chunks(&self) -> PyResult<Vec<Chunk<'_>>> {
        match self {
            Self::Column(text) => text.chunks(),
            Self::Same(_) => Ok(Vec::new()),
        }
    }
}

/// A column of strings.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Text(Vec<OwnedChunk>);

impl Text {
    pub(crate) fn chunks(&self) -> PyResult<Vec<Chunk<'_>>> {
        self.0.iter().map(OwnedChunk::view).collect()
    }
}

#[pymethods]
impl Text {
    #[new]
    fn new(chunks: Vec<Parts<'_>>) -> PyResult<Self> {
        let chunks = chunks.into_iter().map(OwnedChunk::new);
        chunks.collect::<PyResult<_>>().map(Self)
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
        let mut outputs = Outputs::new([(out, "dates")], &[])?;
        let [ColumnMut::I64(out)] = outputs.columns() else {
            return Err(invalid("dates must be int64"));
        };
        let parsed = py.detach(|| parse_dates(&chunks, &layout, unit, out));
        Ok(parsed.map(|parsed| (parsed.valid, parsed.digits)))
    }

    /// Writes the codes of all rows and the rows of first occurrences; returns what is distinct.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        codes: &Bound<'py, PyAny>,
        firsts: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Distinct<'py>>> {
        let chunks = self.chunks()?;
        let mut outputs = Outputs::new([(codes, "codes"), (firsts, "firsts")], &[])?;
        let [ColumnMut::I32(codes), ColumnMut::I64(firsts)] = outputs.columns() else {
            return Err(invalid("codes must be int32 and firsts int64"));
        };
        let found = py.detach(|| {
            let encoder = dictionary::encode(&chunks, limit, codes, firsts)?;
            let strings = encoder.strings();
            // The last end twice, for a missing string.
            let lengths = strings.iter().map(|string| string.len() as i64).chain([0]);
            let mut end = 0_i64;
            let mut offsets = end.to_ne_bytes().to_vec();
            for length in lengths {
                end += length;
                offsets.extend(end.to_ne_bytes());
            }
            Some((strings.len(), offsets, strings.concat()))
        });
        Ok(found.map(|(count, offsets, data)| {
            let [offsets, data] = [offsets, data].map(|bytes| PyByteArray::new(py, &bytes));
            (count, offsets, data)
        }))
    }

    /// Writes at which row of `keys` each row's string is; returns whether these are distinct.
    fn find(&self, py: Python<'_>, keys: &Self, out: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (keys, chunks) = (keys.chunks()?, self.chunks()?);
        let mut outputs = Outputs::new([(out, "positions")], &[])?;
        let [ColumnMut::I32(out)] = outputs.columns() else {
            return Err(invalid("positions must be int32"));
        };
        Ok(py.detach(|| dictionary::find(&keys, &chunks, out)))
    }

    /// Writes what is answered for each row: that its string passes a test, that it does not, or
    /// that there is none.
    fn matches(
        &self,
        py: Python<'_>,
        test: &str,
        texts: Vec<String>,
        answers: (bool, bool, bool),
        out: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let test = Test::parse(test).ok_or_else(|| invalid("no such test"))?;
        let chunks = self.chunks()?;
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let answers = [answers.0, answers.1, answers.2].map(|answer| Bool(u8::from(answer)));
        let mut outputs = Outputs::new([(out, "answers")], &[])?;
        let [ColumnMut::Bool(out)] = outputs.columns() else {
            return Err(invalid("answers must be bool"));
        };
        let done = py.detach(|| matches(&chunks, test, &texts, answers, out));
        done.then_some(())
            .ok_or_else(|| invalid("the lengths differ"))
    }

    /// Writes how many code points each row has, NaN or -1 where there is no string.
    fn lengths(&self, py: Python<'_>, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let chunks = self.chunks()?;
        let mut outputs = Outputs::new([(out, "lengths")], &[])?;
        let done = match outputs.columns() {
            [ColumnMut::I64(out)] => py.detach(|| lengths(&chunks, out, -1, |count| count as i64)),
            [ColumnMut::F64(out)] => {
                py.detach(|| lengths(&chunks, out, f64::NAN, |count| count as f64))
            }
            _ => return Err(invalid("lengths must be int64 or float64")),
        };
        done.then_some(())
            .ok_or_else(|| invalid("the lengths differ"))
    }

    /// Writes the strings in another case, their ends and their validity; returns how many are
    /// missing, none where some character is not ASCII.
    fn change_case(
        &self,
        py: Python<'_>,
        case: &str,
        ends: &Bound<'_, PyAny>,
        validity: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<Option<usize>> {
        let case = Case::parse(case).ok_or_else(|| invalid("no such case"))?;
        let chunks = self.chunks()?;
        let mut outputs = TextOutputs::new(ends, validity, out, &[])?;
        let (ends, validity, out) = outputs.parts()?;
        Ok(py.detach(|| change_case(&chunks, case, ends, validity, out)))
    }

    /// Writes the strings between or beside others, each a column or one string for all rows, their
    /// ends and their validity; returns how many are missing.
    #[staticmethod]
    fn join(
        py: Python<'_>,
        parts: Vec<TextPart<'_>>,
        ends: &Bound<'_, PyAny>,
        validity: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        let chunks = parts
            .iter()
            .map(TextPart::chunks)
            .collect::<PyResult<Vec<_>>>()?;
        let parts: Vec<Part<'_>> = (parts.iter().zip(&chunks))
            .map(|(part, chunks)| match part {
                TextPart::Column(_) => Part::Column(chunks),
                TextPart::Same(text) => Part::Same(text.as_bytes()),
            })
            .collect();
        let mut outputs = TextOutputs::new(ends, validity, out, &[])?;
        let (ends, validity, out) = outputs.parts()?;
        let missing = py.detach(|| match *parts {
            [left, right] => join([left, right], ends, validity, out),
            [left, between, right] => join([left, between, right], ends, validity, out),
            _ => None,
        });
        missing.ok_or_else(|| invalid("the lengths differ, or there are not two or three parts"))
    }

    /// Returns how many bytes the rows have.
    fn bytes(&self) -> PyResult<usize> {
        Ok(self.chunks()?.iter().map(Chunk::bytes).sum())
    }

    /// Writes the positions of the rows in the order of their code points.
    fn order(&self, py: Python<'_>, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let chunks = self.chunks()?;
        let mut outputs = Outputs::new([(out, "positions")], &[])?;
        let [ColumnMut::I64(out)] = outputs.columns() else {
            return Err(invalid("positions must be int64"));
        };
        let done = py.detach(|| stratum_native_ops::order(&chunks, out));
        done.then_some(())
            .ok_or_else(|| invalid("the lengths differ, or a string is missing"))
    }
}
