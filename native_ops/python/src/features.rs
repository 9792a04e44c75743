//! Feature matrices, on NumPy arrays.

use crate::arrays::{Array, Inputs, Outputs, invalid};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use stratum_native_ops::{
    Column, ColumnMut, Feature, MatrixError, Products, SparseRows, Step, write_columns, write_rows,
};

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
    let mut outputs = Outputs::new([(out, "out")], &features.arrays)?;
    let features = features.view()?;
    let [ColumnMut::F64(out)] = outputs.columns() else {
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
    let out = [(data, "data"), (indices, "indices"), (indptr, "indptr")];
    let mut outputs = Outputs::new(out, &features.arrays)?;
    let features = features.view()?;
    let [
        ColumnMut::F64(data),
        ColumnMut::I32(indices),
        ColumnMut::I32(indptr),
    ] = outputs.columns()
    else {
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

/// Writes a table's columns, perhaps after ones, and products of them, rows one after another;
/// returns the floating point exceptions. `order` is the table's.
#[pyfunction]
pub(crate) fn write_products(
    py: Python<'_>,
    table: &Bound<'_, PyAny>,
    order: &str,
    products: (bool, Bound<'_, PyAny>, Bound<'_, PyAny>),
    rows: usize,
    out: &Bound<'_, PyAny>,
) -> PyResult<u32> {
    let (ones, of, times) = products;
    let inputs = Inputs::new([(table, "table"), (&of, "of"), (&times, "times")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    let ([table, Column::I32(of), Column::I32(times)], [mut out]) =
        (inputs.columns(), outputs.columns())
    else {
        return Err(invalid("positions must be int32"));
    };
    let products = Products { ones, of, times };
    py.detach(|| stratum_native_ops::write_products(table, rows, order == "C", products, &mut out))
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
    fn view(&self) -> PyResult<Vec<Feature<'_>>> {
        // SAFETY: nobody writes to them while kernels run: outputs overlap none (`Outputs::new`).
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
                        (Column::I32(codes), Column::F64(numbers)) => {
                            Feature::Code { codes, numbers }
                        }
                        _ => return Err(invalid("codes must be int32 and numbers float64")),
                    },
                    Form::OneHot(width) => match (next(), next()) {
                        (Column::I32(codes), Column::I32(slots)) => Feature::OneHot {
                            codes,
                            slots,
                            width: *width,
                        },
                        _ => return Err(invalid("codes must be int32 and slots int32")),
                    },
                })
            })
            .collect()
    }
}

fn failed(error: MatrixError) -> PyErr {
    match error {
        MatrixError::Shape => invalid("the features don't fit the memory"),
        MatrixError::Infinite => PyOverflowError::new_err("a number is infinite"),
    }
}
