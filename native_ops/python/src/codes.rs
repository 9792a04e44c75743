//! Codes for the keys of groups and joins, and what is counted and marked by codes.

use crate::arrays::{Inputs, Outputs, invalid};
use pyo3::prelude::*;
use stratum_native_ops::dictionary::{self, NumberEncoder};
use stratum_native_ops::{Column, ColumnMut};

/// Writes the codes of numbers and the rows of first occurrences; returns how many there are.
#[pyfunction]
pub(crate) fn encode_numbers(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    codes: &Bound<'_, PyAny>,
    firsts: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let inputs = Inputs::new([(values, "values")])?;
    let mut outputs = Outputs::new([(codes, "codes"), (firsts, "firsts")], inputs.arrays())?;
    let [values] = inputs.columns();
    let (codes, firsts) = of_rows(outputs.columns(), values.rows())?;
    Ok(py.detach(|| {
        let mut encoder = NumberEncoder::default();
        let mut rows = firsts.iter_mut();
        encoder.encode(values, codes, |row| note(&mut rows, row));
        encoder.len()
    }))
}

/// Writes the codes of pairs of codes and the rows of first occurrences, as `encode_numbers`.
#[pyfunction]
pub(crate) fn encode_pairs(
    py: Python<'_>,
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    codes: &Bound<'_, PyAny>,
    firsts: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let inputs = Inputs::new([(left, "left"), (right, "right")])?;
    let mut outputs = Outputs::new([(codes, "codes"), (firsts, "firsts")], inputs.arrays())?;
    let [Column::I64(left), Column::I64(right)] = inputs.columns() else {
        return Err(invalid("codes must be int64"));
    };
    let (codes, firsts) = of_rows(outputs.columns(), left.len())?;
    if right.len() != left.len() {
        return Err(invalid("the lengths differ"));
    }
    Ok(py.detach(|| {
        let mut encoder = NumberEncoder::default();
        let mut rows = firsts.iter_mut();
        encoder.encode_pairs(left, right, codes, |row| note(&mut rows, row));
        encoder.len()
    }))
}

/// The arrays of codes and of first rows, which are as long as the column.
fn of_rows(columns: [ColumnMut<'_>; 2], rows: usize) -> PyResult<(&mut [i64], &mut [i64])> {
    match columns {
        [ColumnMut::I64(codes), ColumnMut::I64(firsts)]
            if codes.len() == rows && firsts.len() == rows =>
        {
            Ok((codes, firsts))
        }
        _ => Err(invalid(
            "codes and firsts must be int64 and as long as the column",
        )),
    }
}

fn note<'a>(rows: &mut impl Iterator<Item = &'a mut i64>, row: usize) {
    if let Some(out) = rows.next() {
        *out = row as i64;
    }
}

/// Writes codes for the numbers of two columns, counted over the right one.
#[pyfunction]
pub(crate) fn match_numbers(
    py: Python<'_>,
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    left_codes: &Bound<'_, PyAny>,
    right_codes: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let inputs = Inputs::new([(left, "left"), (right, "right")])?;
    let outputs = [(left_codes, "left codes"), (right_codes, "right codes")];
    let mut outputs = Outputs::new(outputs, inputs.arrays())?;
    let [left, right] = inputs.columns();
    let [ColumnMut::I64(left_codes), ColumnMut::I64(right_codes)] = outputs.columns() else {
        return Err(invalid("codes must be int64"));
    };
    if left.rows() != left_codes.len() || right.rows() != right_codes.len() {
        return Err(invalid("the lengths differ"));
    }
    if left.dtype() != right.dtype() {
        return Err(invalid("the dtypes differ"));
    }
    Ok(py.detach(|| {
        let mut encoder = NumberEncoder::default();
        encoder.encode(right, right_codes, |_| ());
        encoder.look_up(left, left_codes);
        encoder.len()
    }))
}

/// Counts each code; negative ones for the last.
#[pyfunction]
pub(crate) fn count_codes(
    py: Python<'_>,
    codes: &Bound<'_, PyAny>,
    counts: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let inputs = Inputs::new([(codes, "codes")])?;
    let mut outputs = Outputs::new([(counts, "counts")], inputs.arrays())?;
    match (inputs.columns(), outputs.columns()) {
        ([Column::I32(codes)], [ColumnMut::I64(counts)]) => {
            done(py.detach(|| dictionary::count_codes(codes, counts)))
        }
        ([Column::I64(codes)], [ColumnMut::I64(counts)]) => {
            done(py.detach(|| dictionary::count_codes(codes, counts)))
        }
        _ => Err(invalid("codes must be int32 or int64 and counts int64")),
    }
}

/// Sets, of one column after another, the row in the column of its code.
#[pyfunction]
pub(crate) fn one_hot(
    py: Python<'_>,
    codes: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let inputs = Inputs::new([(codes, "codes")])?;
    let mut outputs = Outputs::new([(out, "out")], inputs.arrays())?;
    match (inputs.columns(), outputs.columns()) {
        ([Column::I32(codes)], [ColumnMut::Bool(out)]) => {
            done(py.detach(|| dictionary::one_hot(codes, out)))
        }
        _ => Err(invalid("codes must be int32 and out bool")),
    }
}

fn done(done: bool) -> PyResult<()> {
    done.then_some(())
        .ok_or_else(|| invalid("the lengths differ, or a code has no place"))
}
