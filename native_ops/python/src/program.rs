//! The class `Program`: kernel programs from tuples, run on NumPy arrays.

use crate::arrays::{Array, refuse_overlap};
use crate::dates::{field_of, unit_of};
use crate::ufuncs;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyTuple};
use stratum_native_ops::{
    Arithmetic, Bool, Column, ColumnMut, Comparison, DType, DatePart, Logic, LookupTable, Node,
    NodeId, Op, ProgramError, Reduction, Scalar, Set, Unary,
};

/// Scalar outputs, and flags by node.
type Outcome<'py> = (Vec<Bound<'py, PyAny>>, Vec<(NodeId, u32)>);

/// A program of typed column expressions, checked and planned once, run many times.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Program(stratum_native_ops::Program);

#[pymethods]
impl Program {
    #[new]
    fn new(nodes: Vec<Bound<'_, PyTuple>>, outputs: Vec<NodeId>) -> PyResult<Self> {
        let nodes: Vec<Node> = (nodes.iter().enumerate())
            .map(|(id, node)| {
                let prefix = |why: PyErr| {
                    PyValueError::new_err(format!("node {id}: {}", why.value(node.py())))
                };
                parse(node).map_err(prefix)
            })
            .collect::<PyResult<_>>()?;
        stratum_native_ops::Program::new(&nodes, &outputs)
            .map(Self)
            .map_err(invalid)
    }

    /// Runs the program, writes the output columns, returns scalar outputs and flags.
    #[pyo3(signature = (inputs, outputs, threads = 1))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: Vec<Bound<'py, PyAny>>,
        outputs: Vec<Bound<'py, PyAny>>,
        threads: usize,
    ) -> PyResult<Outcome<'py>> {
        let inputs = arrays(&inputs, "input")?;
        let mut outputs = arrays(&outputs, "output")?;
        if let Some(index) = outputs.iter().position(|array| !array.is_writeable()) {
            return Err(PyValueError::new_err(format!(
                "output {index} is read-only"
            )));
        }
        refuse_overlap(&inputs, &outputs)?;
        // SAFETY: outputs overlap nothing, and nobody else is told of them before `run` returns.
        let columns: Vec<Column<'_>> = inputs.iter().map(|a| unsafe { a.column() }).collect();
        let mut columns_out: Vec<ColumnMut<'_>> = outputs
            .iter_mut()
            // SAFETY: as above; they are writeable (checked).
            .map(|a| unsafe { a.column_mut() })
            .collect();
        let outcome = py
            .detach(|| self.0.run(&columns, &mut columns_out, threads.max(1)))
            .map_err(invalid)?;
        let scalars = outcome.scalars.iter().map(|&scalar| to_python(py, scalar));
        Ok((scalars.collect::<PyResult<_>>()?, outcome.flags))
    }
}

/// The names of NumPy's inner loops that programs can use, each with its dtype.
#[pyfunction]
pub(crate) fn ufunc_loops(py: Python<'_>) -> PyResult<Vec<(&'static str, &'static str)>> {
    ufuncs::usable(py)
}

fn invalid(error: ProgramError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

pub(crate) fn arrays(objects: &[Bound<'_, PyAny>], what: &str) -> PyResult<Vec<Array>> {
    let named = |(index, object)| Array::new(object, &format!("{what} {index}"));
    objects.iter().enumerate().map(named).collect()
}

fn to_python(py: Python<'_>, scalar: Scalar) -> PyResult<Bound<'_, PyAny>> {
    Ok(match scalar.dtype() {
        DType::F64 => scalar.get::<f64>().into_pyobject(py)?.into_any(),
        DType::F32 => f64::from(scalar.get::<f32>()).into_pyobject(py)?.into_any(),
        DType::I64 => scalar.get::<i64>().into_pyobject(py)?.into_any(),
        DType::I32 => scalar.get::<i32>().into_pyobject(py)?.into_any(),
        DType::I16 => scalar.get::<i16>().into_pyobject(py)?.into_any(),
        DType::I8 => scalar.get::<i8>().into_pyobject(py)?.into_any(),
        DType::U64 => scalar.get::<u64>().into_pyobject(py)?.into_any(),
        DType::U32 => scalar.get::<u32>().into_pyobject(py)?.into_any(),
        DType::U16 => scalar.get::<u16>().into_pyobject(py)?.into_any(),
        DType::U8 => scalar.get::<u8>().into_pyobject(py)?.into_any(),
        DType::Bool => PyBool::new(py, scalar.get::<Bool>().get())
            .to_owned()
            .into_any(),
    })
}

fn from_python(value: &Bound<'_, PyAny>, dtype: DType) -> PyResult<Scalar> {
    Ok(match dtype {
        DType::F64 => Scalar::new(value.extract::<f64>()?),
        DType::F32 => Scalar::new(value.extract::<f64>()? as f32),
        DType::I64 => Scalar::new(value.extract::<i64>()?),
        DType::I32 => Scalar::new(value.extract::<i32>()?),
        DType::I16 => Scalar::new(value.extract::<i16>()?),
        DType::I8 => Scalar::new(value.extract::<i8>()?),
        DType::U64 => Scalar::new(value.extract::<u64>()?),
        DType::U32 => Scalar::new(value.extract::<u32>()?),
        DType::U16 => Scalar::new(value.extract::<u16>()?),
        DType::U8 => Scalar::new(value.extract::<u8>()?),
        DType::Bool => Scalar::new(Bool::from(value.is_truthy()?)),
    })
}

/// A node from its tuple `(opcode, dtype, *operands)`.
fn parse(node: &Bound<'_, PyTuple>) -> PyResult<Node> {
    let text = |index: usize| node.get_item(index)?.extract::<String>();
    let id = |index: usize| node.get_item(index)?.extract::<NodeId>();
    let opcode = text(0)?;
    let dtype = text(1)?;
    let dtype = DType::parse(&dtype)
        .ok_or_else(|| PyValueError::new_err(format!("no such dtype: {dtype}")))?;
    let arithmetic = |op| Ok::<_, PyErr>(Op::Arithmetic(op, id(2)?, id(3)?));
    let compare = |op| Ok::<_, PyErr>(Op::Compare(op, id(2)?, id(3)?));
    let logic = |op| Ok::<_, PyErr>(Op::Logic(op, id(2)?, id(3)?));
    let unary = |op| Ok::<_, PyErr>(Op::Unary(op, id(2)?));
    let reduce = |op| Ok::<_, PyErr>(Op::Reduce(op, id(2)?));
    let op = match opcode.as_str() {
        "input" => Op::Input(id(2)?),
        "const" => Op::Const(from_python(&node.get_item(2)?, dtype)?),
        "cast" => Op::Cast(id(2)?),
        "add" => arithmetic(Arithmetic::Add)?,
        "sub" => arithmetic(Arithmetic::Sub)?,
        "mul" => arithmetic(Arithmetic::Mul)?,
        "truediv" => arithmetic(Arithmetic::TrueDiv)?,
        "floordiv" => arithmetic(Arithmetic::FloorDiv)?,
        "mod" => arithmetic(Arithmetic::Mod)?,
        "eq" => compare(Comparison::Eq)?,
        "ne" => compare(Comparison::Ne)?,
        "lt" => compare(Comparison::Lt)?,
        "le" => compare(Comparison::Le)?,
        "gt" => compare(Comparison::Gt)?,
        "ge" => compare(Comparison::Ge)?,
        "and" => logic(Logic::And)?,
        "or" => logic(Logic::Or)?,
        "xor" => logic(Logic::Xor)?,
        "neg" => unary(Unary::Neg)?,
        "abs" => unary(Unary::Abs)?,
        "not" => unary(Unary::Not)?,
        "rint" => unary(Unary::Rint)?,
        "sqrt" => unary(Unary::Sqrt)?,
        "isnan" => Op::IsNan(id(2)?),
        "select" => Op::Select(id(2)?, id(3)?, id(4)?),
        "ufunc" if dtype.is_integer() && text(2)? == "power" => {
            Op::Arithmetic(Arithmetic::Power, id(3)?, id(4)?)
        }
        "ufunc" => {
            let name = text(2)?;
            let second = if node.len() > 4 { Some(id(4)?) } else { None };
            let inner = ufuncs::find(node.py(), &name, dtype)?.ok_or_else(|| {
                PyValueError::new_err(format!("NumPy has no usable loop of {name} for {dtype}"))
            })?;
            Op::Ufunc(inner, id(3)?, second)
        }
        "isin" => {
            let values = Array::new(&node.get_item(3)?, "the set")?;
            // SAFETY: read at once, while the GIL is held.
            Op::IsIn(
                id(2)?,
                Set::new(unsafe { values.column() }).map_err(invalid)?,
            )
        }
        "lookup" => {
            let keys = Array::new(&node.get_item(3)?, "the keys")?;
            let values = Array::new(&node.get_item(4)?, "the values")?;
            let default = from_python(&node.get_item(5)?, dtype)?;
            // SAFETY: as above.
            let (keys, values) = unsafe { (keys.column(), values.column()) };
            Op::Lookup(
                id(2)?,
                LookupTable::new(keys, values, default).map_err(invalid)?,
            )
        }
        "day" => Op::Date(DatePart::Day(unit_of(&text(3)?)?), id(2)?),
        "date" => Op::Date(
            DatePart::of(field_of(&text(3)?)?, unit_of(&text(4)?)?),
            id(2)?,
        ),
        "count" => reduce(Reduction::Count)?,
        "sum" => reduce(Reduction::Sum)?,
        "median" => reduce(Reduction::Median)?,
        "quantile" => reduce(Reduction::Quantile(node.get_item(3)?.extract()?))?,
        "min" => reduce(Reduction::Min)?,
        "max" => reduce(Reduction::Max)?,
        "mode" => reduce(Reduction::Mode)?,
        "var" => {
            let ddof = if node.len() > 3 {
                node.get_item(3)?.extract()?
            } else {
                1
            };
            reduce(Reduction::Var(ddof))?
        }
        _ => return Err(PyValueError::new_err(format!("no such opcode: {opcode}"))),
    };
    Ok(Node::new(op, dtype))
}
