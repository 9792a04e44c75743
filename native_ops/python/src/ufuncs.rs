//! Finds NumPy's own inner loops in the C structs of its ufuncs, and checks them before use.
//!
//! Only these loops give NumPy's bits for functions such as `log1p`. Their struct is public in
//! NumPy's headers, but we read it without a compiler to tell us the layout: so what it says is
//! compared with what Python says of the ufunc, and each loop's results with those of the ufunc
//! itself. A loop that differs is not used, and programs that need it can't be built.

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyTuple};
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use stratum_native_ops::{
    Column, ColumnMut, DType, Element, LoopFunction, Node, Op, Program, ProgramError, UfuncLoop,
};

/// Elementwise float functions; those that this NumPy lacks are skipped.
const NAMES: [&str; 40] = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "ceil",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "fmax",
    "fmin",
    "fmod",
    "hypot",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "maximum",
    "minimum",
    "power",
    "rad2deg",
    "reciprocal",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
];

/// A loop that takes more nanoseconds for a value goes value by value.
const SLOW: u128 = 3;

/// The head of `PyUFuncObject`.
#[repr(C)]
struct UfuncObject {
    head: ffi::PyObject,
    nin: c_int,
    nout: c_int,
    nargs: c_int,
    identity: c_int,
    functions: *const Option<LoopFunction>,
    data: *const *mut c_void,
    ntypes: c_int,
    reserved: c_int,
    name: *const c_char,
    types: *const c_char,
}

type Key = (&'static str, DType);

/// The loops that were looked for, `None` for those that can't be used.
static LOOPS: Mutex<BTreeMap<Key, Option<UfuncLoop>>> = Mutex::new(BTreeMap::new());

/// The loop of the function called `name` for this dtype, if there is one that passes.
pub(crate) fn find(py: Python<'_>, name: &str, dtype: DType) -> PyResult<Option<UfuncLoop>> {
    let Some(name) = NAMES.into_iter().find(|known| *known == name) else {
        return Ok(None);
    };
    // Not locked while Python runs, which may hand the GIL to a thread that waits for the lock.
    let known = || LOOPS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known().get(&(name, dtype)) {
        return Ok(*found);
    }
    let numpy = py.import("numpy")?;
    let quiet = [("all", "ignore")].into_py_dict(py)?;
    let quiet = numpy.call_method("errstate", (), Some(&quiet))?;
    quiet.call_method0("__enter__")?;
    // Whatever goes wrong with a loop means that it can't be trusted, and no more than that.
    let found = check(&numpy, name, dtype).unwrap_or(None);
    quiet.call_method1("__exit__", (py.None(), py.None(), py.None()))?;
    known().insert((name, dtype), found);
    Ok(found)
}

/// Names and dtypes of all loops that can be used.
pub(crate) fn usable(py: Python<'_>) -> PyResult<Vec<(&'static str, &'static str)>> {
    let mut usable = Vec::new();
    for name in NAMES {
        for dtype in [DType::F64, DType::F32] {
            if find(py, name, dtype)?.is_some() {
                usable.push((name, dtype.name()));
            }
        }
    }
    Ok(usable)
}

fn check(numpy: &Bound<'_, PyModule>, name: &str, dtype: DType) -> PyResult<Option<UfuncLoop>> {
    let ufunc = numpy.getattr(name)?;
    let Some(inner) = inner_loop(numpy, &ufunc, name, dtype)? else {
        return Ok(None);
    };
    let agrees = match dtype {
        DType::F64 => agrees::<f64>(numpy, &ufunc, inner),
        DType::F32 => agrees::<f32>(numpy, &ufunc, inner),
        _ => Ok(false),
    }?;
    Ok(agrees.then_some(inner))
}

/// The loop whose operands and result are all of this dtype.
fn inner_loop(
    numpy: &Bound<'_, PyModule>,
    ufunc: &Bound<'_, PyAny>,
    name: &str,
    dtype: DType,
) -> PyResult<Option<UfuncLoop>> {
    let kind = ufunc.get_type();
    let size: usize = kind.getattr("__basicsize__")?.extract()?;
    if !kind.is(numpy.getattr("ufunc")?) || size < size_of::<UfuncObject>() {
        return Ok(None);
    }
    let nin: c_int = ufunc.getattr("nin")?.extract()?;
    let nout: c_int = ufunc.getattr("nout")?.extract()?;
    let signatures: Vec<String> = ufunc.getattr("types")?.extract()?;
    // SAFETY: an exact `numpy.ufunc` is at least as large as the struct (checked).
    let object = unsafe { &*ufunc.as_ptr().cast::<UfuncObject>() };
    let consistent = (object.nin, object.nout, object.nargs) == (nin, nout, nin + nout)
        && (nin == 1 || nin == 2)
        && nout == 1
        && usize::try_from(object.ntypes) == Ok(signatures.len())
        && !object.functions.is_null()
        && !object.data.is_null()
        && !object.types.is_null()
        && !object.name.is_null();
    // SAFETY: the integers before and between these pointers are what they should be, so the
    // struct has the documented layout, in which `name` is a C string.
    if !consistent || unsafe { CStr::from_ptr(object.name) }.to_bytes() != name.as_bytes() {
        return Ok(None);
    }
    // Type numbers of the C ABI: NPY_FLOAT is 11, NPY_DOUBLE is 12.
    let (letter, number) = match dtype {
        DType::F64 => ("d", 12),
        _ => ("f", 11),
    };
    let wanted = format!("{}->{letter}", letter.repeat(nin as usize));
    let Some(index) = signatures.iter().position(|signature| *signature == wanted) else {
        return Ok(None);
    };
    let nargs = object.nargs as usize;
    // SAFETY: `types` has `nargs * ntypes` entries, `functions` and `data` have `ntypes`, and
    // `index` is below `ntypes` (checked against the list of signatures).
    let (types, function, data) = unsafe {
        (
            std::slice::from_raw_parts(object.types.cast::<u8>().add(index * nargs), nargs),
            *object.functions.add(index),
            *object.data.add(index),
        )
    };
    match function {
        Some(function) if types.iter().all(|&kind| kind == number) => {
            // SAFETY: NumPy's ufuncs are never freed; the signature says what the loop works on.
            let found = unsafe { UfuncLoop::new(function, data, nin as usize, dtype) };
            Ok(Some(if nin == 1 && is_slow(found, dtype)? {
                found.slow()
            } else {
                found
            }))
        }
        _ => Ok(None),
    }
}

/// Measures a loop of one argument.
fn is_slow(inner: UfuncLoop, dtype: DType) -> PyResult<bool> {
    match dtype {
        DType::F64 => nanoseconds::<f64>(inner),
        _ => nanoseconds::<f32>(inner),
    }
    .map(|time| time > SLOW)
}

/// The least time that a value takes.
fn nanoseconds<T: Sample>(inner: UfuncLoop) -> PyResult<u128>
where
    for<'a> Column<'a>: From<&'a [T]>,
    for<'a> ColumnMut<'a>: From<&'a mut [T]>,
{
    const ROWS: u16 = 1024;
    let nodes = [
        Node::new(Op::Input(0), T::DTYPE),
        Node::new(Op::Ufunc(inner, 0, None), T::DTYPE),
    ];
    let program = Program::new(&nodes, &[1]).map_err(invalid)?;
    let values: Vec<T> = (0..ROWS)
        .map(|i| T::narrow(0.001 + f64::from(i) / 1.5))
        .collect();
    let mut out = vec![T::default(); values.len()];
    let mut least = u128::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        program
            .run(
                &[values.as_slice().into()],
                &mut [out.as_mut_slice().into()],
                1,
            )
            .map_err(invalid)?;
        least = least.min(start.elapsed().as_nanos());
    }
    Ok(least / u128::from(ROWS))
}

fn invalid(error: ProgramError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A float type that loops are tried with.
trait Sample: Element {
    fn narrow(value: f64) -> Self;
    fn write(self, bytes: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! samples {
    ($($T:ty),*) => {$(
        impl Sample for $T {
            fn narrow(value: f64) -> Self {
                value as $T
            }

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_ne_bytes());
            }

            fn read(bytes: &[u8]) -> Self {
                Self::from_ne_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
        }
    )*};
}
samples!(f64, f32);

/// Whether the loop, run in a program, gives the ufunc's bits.
fn agrees<T: Sample>(
    numpy: &Bound<'_, PyModule>,
    ufunc: &Bound<'_, PyAny>,
    inner: UfuncLoop,
) -> PyResult<bool>
where
    for<'a> Column<'a>: From<&'a [T]>,
    for<'a> ColumnMut<'a>: From<&'a mut [T]>,
{
    let operands: usize = ufunc.getattr("nin")?.extract()?;
    let mut nodes: Vec<Node> = (0..operands)
        .map(|i| Node::new(Op::Input(i), T::DTYPE))
        .collect();
    let second = (operands == 2).then_some(1);
    nodes.push(Node::new(Op::Ufunc(inner, 0, second), T::DTYPE));
    let program = Program::new(&nodes, &[operands]).map_err(invalid)?;
    let [one, other, whole] = samples::<T>();
    let cases = [1, 2, 7, 64, one.len()]
        .map(|rows| vec![&one[..rows], &other[..rows]])
        .into_iter()
        .chain([vec![whole.as_slice(), &one]]);
    for case in cases {
        let (inputs, rows) = (&case[..operands], case[0].len());
        let mut ours = vec![T::default(); rows];
        let columns: Vec<Column<'_>> = inputs.iter().map(|&input| input.into()).collect();
        program
            .run(&columns, &mut [ours.as_mut_slice().into()], 1)
            .map_err(invalid)?;
        let arrays = inputs.iter().map(|input| {
            let code = format!("f{}", T::DTYPE.size());
            numpy.call_method1(
                "frombuffer",
                (PyBytes::new(numpy.py(), &bytes(input)), code),
            )
        });
        let arrays = PyTuple::new(numpy.py(), arrays.collect::<PyResult<Vec<_>>>()?)?;
        let theirs = ufunc.call1(arrays)?.call_method0("tobytes")?;
        let theirs = theirs.cast::<PyBytes>()?.as_bytes();
        if theirs.len() != rows * T::DTYPE.size() {
            return Ok(false);
        }
        // NaN is NaN, whatever its sign.
        let theirs = theirs.chunks_exact(T::DTYPE.size()).map(T::read);
        let theirs: Vec<T> = theirs
            .zip(&ours)
            .map(|(b, &a)| both_missing(a, b))
            .collect();
        if bytes(&ours) != bytes(&theirs) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn bytes<T: Sample>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(values));
    values.iter().for_each(|value| value.write(&mut bytes));
    bytes
}

/// `a` if both are NaN, else `b`.
fn both_missing<T: Sample>(a: T, b: T) -> T {
    if a.is_missing() && b.is_missing() {
        a
    } else {
        b
    }
}

/// Two columns of values small and large, special values among them in many combinations, and one
/// mostly of whole numbers; longer than a block.
fn samples<T: Sample>() -> [Vec<T>; 3] {
    const SPECIAL: [f64; 9] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        0.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    let mut state = 1_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut column = |stride: usize| {
        (0..4200)
            .map(|row| match row % 8 {
                0 | 1 => SPECIAL[row / stride % SPECIAL.len()],
                2..=4 => 4.0 * random() - 2.0,
                5 | 6 => 100.0 * random(),
                _ => (80.0 * random() - 40.0).exp2(),
            })
            .map(T::narrow)
            .collect()
    };
    let (one, other): (Vec<T>, Vec<T>) = (column(1), column(9));
    let whole = (one.iter().enumerate())
        .map(|(row, &value)| {
            if row % 9 == 0 {
                value
            } else {
                T::narrow((row * 7 % 9000) as f64)
            }
        })
        .collect();
    [one, other, whole]
}
