//! Literals as bytes, and the hash that all identities are.
//!
//! The encoding is prefix-free: each value says by its tag and lengths where it ends, so that equal
//! bytes are equal values of equal types. `True`, `1` and `1.0` differ, NaN equals itself, `-0.0`
//! and `0.0` differ, sets have no order and dicts have theirs. What is not a plain literal is left
//! to Python.

use std::collections::HashMap;

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyRecursionError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet,
    PyString, PyTuple, PyType,
};

/// Longer strings are hashed instead of written out.
const WRITTEN_OUT: usize = 64;
/// Deeper nesting than any literal has: one that holds itself.
const DEEPEST: usize = 100;
/// From this size on, hashing lets other threads run.
const LONG: usize = 64 * 1024;

fn hash(data: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(data).as_bytes()[..16]);
    short
}

/// The 16-byte hash of a contiguous buffer.
#[pyfunction]
pub(crate) fn digest<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(data) = data.cast::<PyBytes>()
        && data.as_bytes().len() < LONG
    {
        return Ok(PyBytes::new(py, &hash(data.as_bytes())));
    }
    let buffer = PyUntypedBuffer::get(data)?;
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("the buffer must be contiguous"));
    }
    if buffer.len_bytes() == 0 {
        return Ok(PyBytes::new(py, &hash(&[])));
    }
    let (start, length) = (buffer.buf_ptr() as usize, buffer.len_bytes());
    // SAFETY: the buffer is held, contiguous and not empty. Python code on another thread could
    // write to it meanwhile, as during any hash of the standard library.
    let bytes = || unsafe { std::slice::from_raw_parts(start as *const u8, length) };
    Ok(PyBytes::new(py, &py.detach(|| hash(bytes()))))
}

/// The bytes of one literal; `other` encodes what is no plain literal.
#[pyfunction]
pub(crate) fn encode<'py>(
    value: &Bound<'py, PyAny>,
    other: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut writer = Writer::new(other, None);
    writer.write(value, 0)?;
    Ok(PyBytes::new(value.py(), &writer.out))
}

/// The identity of a call: of `head` with these arguments, given the identities of values.
///
/// Instances of `reference` stand for the values of other tasks, by their attribute `key`.
#[pyfunction]
pub(crate) fn identity<'py>(
    head: &[u8],
    args: &Bound<'py, PyAny>,
    kwargs: &Bound<'py, PyDict>,
    other: &Bound<'py, PyAny>,
    reference: &Bound<'py, PyType>,
    tokens: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyBytes>> {
    Writer::new(other, Some((reference, tokens))).call(head, args, kwargs)
}

/// The identities of the plain calls among some tasks, into `tokens`; `rest` does the others.
#[pyfunction]
pub(crate) fn identify_calls<'py>(
    keys: &Bound<'py, PyList>,
    tasks: &Bound<'py, PyAny>,
    plain: Vec<(Bound<'py, PyAny>, Bound<'py, PyBytes>)>,
    other: &Bound<'py, PyAny>,
    types: (Bound<'py, PyType>, Bound<'py, PyType>),
    tokens: &Bound<'py, PyDict>,
    rest: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = keys.py();
    let (task, reference) = types;
    let heads: HashMap<_, _> = (plain.iter())
        .map(|(func, head)| (func.as_ptr() as usize, head.as_bytes()))
        .collect();
    let mut writer = Writer::new(other, Some((&reference, tokens)));
    for key in keys {
        let node = tasks.get_item(&key)?;
        if node.get_type().is(&task)
            && let func = node.getattr(intern!(py, "func"))?
            && let Some(head) = heads.get(&(func.as_ptr() as usize))
            && let kwargs = node.getattr(intern!(py, "kwargs"))?
            && let Ok(kwargs) = kwargs.cast::<PyDict>()
            && kwargs.is_empty()
            && let Ok(token) = writer.call(head, &node.getattr(intern!(py, "args"))?, kwargs)
        {
            tokens.set_item(key, token)?;
        } else {
            rest.call1((key,))?; // also when the call cannot be identified, to say why
        }
    }
    Ok(())
}

struct Writer<'a, 'py> {
    other: &'a Bound<'py, PyAny>,
    /// What stands for the value of a task, and the identities of these by key.
    values: Option<(&'a Bound<'py, PyType>, &'a Bound<'py, PyDict>)>,
    out: Vec<u8>,
}

impl<'a, 'py> Writer<'a, 'py> {
    fn new(
        other: &'a Bound<'py, PyAny>,
        values: Option<(&'a Bound<'py, PyType>, &'a Bound<'py, PyDict>)>,
    ) -> Self {
        Self {
            other,
            values,
            out: Vec::with_capacity(128),
        }
    }

    fn call(
        &mut self,
        head: &[u8],
        args: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.out.clear();
        self.out.extend_from_slice(head);
        for arg in args.try_iter()? {
            self.write(&arg?, 0)?;
        }
        // In their order, which decides that of the columns in `assign` and of what `**` catches.
        for (name, value) in kwargs {
            self.out.push(b'=');
            self.write(&name, 0)?;
            self.write(&value, 0)?;
        }
        Ok(PyBytes::new(args.py(), &hash(&self.out)))
    }

    fn write(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        if depth > DEEPEST {
            return Err(PyRecursionError::new_err("a literal is nested too deeply"));
        }
        if self.reference(value)? {
            return Ok(());
        }
        if value.is_none() {
            self.out.push(b'0');
        } else if let Ok(text) = value.cast_exact::<PyString>() {
            match text.to_cow() {
                Ok(text) => self.framed(b's', text.as_bytes()),
                Err(_) => self.other(value)?, // lone surrogates
            }
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            self.integer(number)?;
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            self.out.push(b'd');
            self.float(number.value());
        } else if let Ok(truth) = value.cast_exact::<PyBool>() {
            self.out.push(if truth.is_true() { b't' } else { b'f' });
        } else if let Ok(items) = value.cast_exact::<PyList>() {
            self.count(b'[', items.len());
            for item in items {
                self.write(&item, depth + 1)?;
            }
        } else if let Ok(items) = value.cast_exact::<PyTuple>() {
            self.count(b'(', items.len());
            for item in items {
                self.write(&item, depth + 1)?;
            }
        } else if let Ok(items) = value.cast_exact::<PyDict>() {
            self.count(b'm', items.len());
            for (key, item) in items {
                self.write(&key, depth + 1)?;
                self.write(&item, depth + 1)?;
            }
        } else if let Ok(items) = value.cast_exact::<PySet>() {
            self.unordered(b'{', items.len(), items.iter(), depth)?;
        } else if let Ok(items) = value.cast_exact::<PyFrozenSet>() {
            self.unordered(b'<', items.len(), items.iter(), depth)?;
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            self.framed(b'b', bytes.as_bytes());
        } else if let Ok(bytes) = value.cast_exact::<PyByteArray>() {
            self.framed(b'B', &bytes.to_vec());
        } else if let Ok(number) = value.cast_exact::<PyComplex>() {
            self.out.push(b'z');
            self.float(number.real());
            self.float(number.imag());
        } else {
            self.other(value)?;
        }
        Ok(())
    }

    /// Writes the identity of the value that a reference stands for, if it is known.
    fn reference(&mut self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        let Some((kind, tokens)) = self.values else {
            return Ok(false);
        };
        if !value.get_type().is(kind) {
            return Ok(false);
        }
        let key = value.getattr(intern!(value.py(), "key"))?;
        let Some(token) = tokens.get_item(key)? else {
            return Ok(false);
        };
        self.out.push(b'R');
        self.out
            .extend_from_slice(token.cast::<PyBytes>()?.as_bytes());
        Ok(true)
    }

    fn other(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let encoded = self.other.call1((value,))?;
        self.framed(b'o', encoded.cast::<PyBytes>()?.as_bytes());
        Ok(())
    }

    fn integer(&mut self, number: &Bound<'py, PyInt>) -> PyResult<()> {
        if let Ok(small) = number.extract::<i64>() {
            self.out.push(b'i');
            self.out.extend_from_slice(&small.to_le_bytes());
        } else {
            let digits = number.call_method1("__format__", ("x",))?;
            self.framed(b'I', digits.cast::<PyString>()?.to_cow()?.as_bytes());
        }
        Ok(())
    }

    fn float(&mut self, number: f64) {
        let bits = if number.is_nan() {
            u64::MAX
        } else {
            number.to_bits()
        };
        self.out.extend_from_slice(&bits.to_le_bytes());
    }

    fn count(&mut self, tag: u8, items: usize) {
        self.out.push(tag);
        self.out.extend_from_slice(&(items as u64).to_le_bytes());
    }

    fn framed(&mut self, tag: u8, data: &[u8]) {
        self.out.push(tag);
        if data.len() > WRITTEN_OUT {
            self.out.push(u8::MAX);
            self.out.extend_from_slice(&hash(data));
        } else {
            self.out.push(data.len() as u8);
            self.out.extend_from_slice(data);
        }
    }

    fn unordered(
        &mut self,
        tag: u8,
        count: usize,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> PyResult<()> {
        let mut parts = Vec::with_capacity(count);
        for item in items {
            let mut writer = Writer::new(self.other, self.values);
            writer.write(&item, depth + 1)?;
            parts.push(writer.out);
        }
        parts.sort_unstable();
        self.count(tag, parts.len());
        for part in parts {
            self.out.extend_from_slice(&part);
        }
        Ok(())
    }
}
