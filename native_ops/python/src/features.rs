//! Dictionaries of strings and feature matrices, on NumPy arrays.

use crate::arrays::{Array, refuse_overlap};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use stratum_native_ops::{
    Column, ColumnMut, Feature, MatrixError, SparseRows, Step, StringColumn, write_columns,
    write_rows,
};

/// Offsets, data, validity bitmap, and the bit of the first row.
type Chunk<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
    usize,
);

/// Distinct values, first rows, counts, and the number of the missing value.
type Found<'py> = (Vec<Bound<'py, PyAny>>, Vec<usize>, Vec<u64>, Option<u32>);

/// Numbers the distinct values of a column of strings; writes each row's number to `codes`.
#[pyfunction]
pub(crate) fn dictionary<'py>(
    py: Python<'py>,
    chunks: Vec<Chunk<'py>>,
    codes: &Bound<'py, PyAny>,
) -> PyResult<Found<'py>> {
    let mut buffers = Vec::new();
    for (offsets, data, validity, _) in &chunks {
        buffers.push(Array::new(offsets, "offsets")?);
        buffers.push(Array::new(data, "data")?);
        if let Some(bits) = validity {
            buffers.push(Array::new(bits, "validity")?);
        }
    }
    let mut codes = writeable(codes, "codes")?;
    refuse_overlap(&buffers, std::slice::from_ref(&codes))?;
    // SAFETY: Arrow arrays don't change, and `codes` overlaps none of them.
    let mut columns = buffers.iter().map(|buffer| unsafe { buffer.column() });
    let mut strings = Vec::with_capacity(chunks.len());
    for (_, _, validity, start) in &chunks {
        let (offsets, data) = (columns.next(), columns.next());
        let bits = validity.as_ref().and_then(|_| columns.next());
        let (Some(Column::I64(offsets)), Some(Column::U8(data))) = (offsets, data) else {
            return Err(invalid("offsets must be int64 and data uint8"));
        };
        let bits = match bits {
            None => None,
            Some(Column::U8(bits)) => Some((bits, *start)),
            Some(_) => return Err(invalid("validity must be uint8")),
        };
        let chunk = StringColumn::new(offsets, data, bits);
        strings.push(chunk.ok_or_else(|| invalid("the buffers don't fit together"))?);
    }
    // SAFETY: writeable (checked), and nobody else is told of it before this returns.
    let ColumnMut::U32(codes) = (unsafe { codes.column_mut() }) else {
        return Err(invalid("codes must be uint32"));
    };
    if codes.len() != strings.iter().map(StringColumn::rows).sum::<usize>()
        || u32::try_from(codes.len()).is_err()
    {
        return Err(invalid(
            "codes must have one entry per row, fewer than 2**32",
        ));
    }
    let found = py.detach(|| stratum_native_ops::dictionary(&strings, codes));
    let values = found.values.iter().enumerate().map(|(number, bytes)| {
        if found.missing == Some(number as u32) {
            return Ok(py.None().into_bound(py));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| invalid("data is not UTF-8"))?;
        Ok(PyString::new(py, text).into_any())
    });
    let values = values.collect::<PyResult<_>>()?;
    Ok((values, found.firsts, found.counts, found.missing))
}

/// Writes a dense matrix of features into zeros, `order` "C" or "F".
#[pyfunction]
pub(crate) fn write_matrix(
    py: Python<'_>,
    features: Vec<Bound<'_, PyTuple>>,
    rows: usize,
    out: &Bound<'_, PyAny>,
    order: &str,
) -> PyResult<()> {
    let features = parse(&features)?;
    let mut out = writeable(out, "out")?;
    features.refuse_overlap(std::slice::from_ref(&out))?;
    let features = features.view()?;
    // SAFETY: writeable, overlaps no feature, and nobody else is told of it before this returns.
    let ColumnMut::F64(out) = (unsafe { out.column_mut() }) else {
        return Err(invalid("out must be float64"));
    };
    py.detach(|| match order {
        "C" => write_rows(&features, rows, out),
        _ => write_columns(&features, rows, out),
    })
    .map_err(failed)
}

/// Writes a matrix of features as compressed sparse rows; returns the number of entries.
#[pyfunction]
pub(crate) fn write_sparse(
    py: Python<'_>,
    features: Vec<Bound<'_, PyTuple>>,
    rows: usize,
    data: &Bound<'_, PyAny>,
    indices: &Bound<'_, PyAny>,
    indptr: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let features = parse(&features)?;
    let mut out = [
        writeable(data, "data")?,
        writeable(indices, "indices")?,
        writeable(indptr, "indptr")?,
    ];
    refuse_overlap(&[], &out)?;
    features.refuse_overlap(&out)?;
    let features = features.view()?;
    let [data, indices, indptr] = &mut out;
    // SAFETY: as in `write_matrix`; they don't overlap each other.
    let columns = unsafe { (data.column_mut(), indices.column_mut(), indptr.column_mut()) };
    let (ColumnMut::F64(data), ColumnMut::I32(indices), ColumnMut::I32(indptr)) = columns else {
        return Err(invalid("data must be float64, indices and indptr int32"));
    };
    let out = SparseRows {
        data,
        indices,
        indptr,
    };
    py.detach(|| stratum_native_ops::write_sparse(&features, rows, out))
        .map_err(failed)
}

/// Features as they came from Python.
struct Features {
    arrays: Vec<Array>,
    forms: Vec<Form>,
}

/// What the next one or two arrays are.
enum Form {
    Number(f64, Vec<Step>),
    Code,
    OneHot(usize),
}

fn parse(features: &[Bound<'_, PyTuple>]) -> PyResult<Features> {
    let (mut arrays, mut forms) = (Vec::new(), Vec::new());
    for feature in features {
        let mut array = |index: usize| -> PyResult<()> {
            arrays.push(Array::new(&feature.get_item(index)?, "a feature")?);
            Ok(())
        };
        array(1)?;
        let kind: String = feature.get_item(0)?.extract()?;
        forms.push(match kind.as_str() {
            "number" => {
                let steps: Vec<(String, f64)> = feature.get_item(3)?.extract()?;
                let steps = steps.iter().map(|(name, x)| step(name, *x));
                Form::Number(
                    feature.get_item(2)?.extract()?,
                    steps.collect::<PyResult<_>>()?,
                )
            }
            "code" => {
                array(2)?;
                Form::Code
            }
            "onehot" => {
                array(2)?;
                Form::OneHot(feature.get_item(3)?.extract()?)
            }
            _ => return Err(invalid("a feature is a number, a code or onehot")),
        });
    }
    Ok(Features { arrays, forms })
}

fn step(name: &str, x: f64) -> PyResult<Step> {
    Ok(match name {
        "add" => Step::Add(x),
        "sub" => Step::Sub(x),
        "mul" => Step::Mul(x),
        "div" => Step::Div(x),
        _ => return Err(invalid("a step adds, subs, muls or divs")),
    })
}

impl Features {
    fn refuse_overlap(&self, out: &[Array]) -> PyResult<()> {
        refuse_overlap(&self.arrays, out)
    }

    fn view(&self) -> PyResult<Vec<Feature<'_>>> {
        // SAFETY: nobody writes to them while kernels run: outputs overlap none (checked).
        let mut columns = self.arrays.iter().map(|array| unsafe { array.column() });
        let mut next = || columns.next().expect("as many as were parsed");
        self.forms
            .iter()
            .map(|form| {
                Ok(match form {
                    Form::Number(fill, steps) => Feature::Number {
                        values: next(),
                        fill: *fill,
                        steps,
                    },
                    Form::Code => match (next(), next()) {
                        (Column::U32(codes), Column::F64(numbers)) => {
                            Feature::Code { codes, numbers }
                        }
                        _ => return Err(invalid("codes must be uint32 and numbers float64")),
                    },
                    Form::OneHot(width) => match (next(), next()) {
                        (Column::U32(codes), Column::I32(slots)) => Feature::OneHot {
                            codes,
                            slots,
                            width: *width,
                        },
                        _ => return Err(invalid("codes must be uint32 and slots int32")),
                    },
                })
            })
            .collect()
    }
}

fn writeable(object: &Bound<'_, PyAny>, what: &str) -> PyResult<Array> {
    let array = Array::new(object, what)?;
    if array.is_writeable() {
        Ok(array)
    } else {
        Err(invalid(&format!("{what} is read-only")))
    }
}

fn invalid(why: &str) -> PyErr {
    PyValueError::new_err(why.to_owned())
}

fn failed(error: MatrixError) -> PyErr {
    match error {
        MatrixError::Shape => invalid("the features don't fit the memory"),
        MatrixError::Infinite => PyOverflowError::new_err("a number is infinite"),
    }
}
