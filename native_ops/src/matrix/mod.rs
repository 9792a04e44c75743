//! Writes the columns of a feature matrix in one pass, dense or as compressed sparse rows.
//!
//! A feature is numbers that are filled and scaled on the way, or codes that stand for numbers or
//! for one of several indicator columns. Nothing is computed twice and nothing is stored between.

mod dense;
mod products;
mod sparse;

pub use dense::{write_columns, write_rows};
pub use products::{Products, write_products};
pub use sparse::{SparseRows, write_sparse};

use crate::column::Column;
use crate::dictionary::{all_known, entry};
use crate::simd::{Kernel, dispatch};

/// One step of arithmetic on every value of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the operators are well known")]
pub enum Step {
    Add(f64),
    Sub(f64),
    Mul(f64),
    Div(f64),
}

/// What one or several neighbouring columns of the matrix hold.
#[derive(Clone, Copy, Debug)]
pub enum Feature<'a> {
    /// One column: values as floats, NaN replaced by `fill` (NaN for "as it is"), then the steps.
    Number {
        /// Floats or integers.
        values: Column<'a>,
        /// What stands for a missing value.
        fill: f64,
        /// Applied in order.
        steps: &'a [Step],
    },
    /// One column: the number that each code stands for.
    Code {
        /// One per row.
        codes: &'a [i32],
        /// One per code, the last one for negative codes.
        numbers: &'a [f64],
    },
    /// Columns of zeros with a one where the row's code says so.
    OneHot {
        /// One per row.
        codes: &'a [i32],
        /// The column of each code, counted from the feature's first; negative for none. The last
        /// one is for negative codes.
        slots: &'a [i32],
        /// The number of columns.
        width: usize,
    },
}

impl Feature<'_> {
    fn width(&self) -> usize {
        match self {
            Self::OneHot { width, .. } => *width,
            _ => 1,
        }
    }

    /// Whether the feature has these rows, codes that stand for something, and slots inside.
    fn fits(&self, rows: usize) -> bool {
        let known = |codes: &[i32], size| codes.len() == rows && all_known(codes, size);
        match self {
            Self::Number { values, .. } => {
                values.rows() == rows && !matches!(values, Column::Bool(_))
            }
            Self::Code { codes, numbers } => known(codes, numbers.len()),
            Self::OneHot {
                codes,
                slots,
                width,
            } => {
                known(codes, slots.len())
                    && slots
                        .iter()
                        .all(|&slot| slot < 0 || (slot as usize) < *width)
            }
        }
    }
}

/// Why a matrix was not written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MatrixError {
    /// The features or the memory have other shapes than they should.
    Shape,
    /// A number is infinite, or becomes so.
    Infinite,
}

/// Rows that are computed at once: what they need stays in the first-level cache.
const BLOCK: usize = 256;

/// Computes a block of rows of a column of numbers.
struct Numbers<'a> {
    values: Column<'a>,
    start: usize,
    fill: f64,
    steps: &'a [Step],
    out: &'a mut [f64],
}

impl Kernel for Numbers<'_> {
    /// Whether all numbers were finite or NaN, and stayed so.
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let out = self.out;
        let rows = self.start..self.start + out.len();
        macro_rules! read {
            ($($name:ident),*) => {
                match self.values {
                    Column::F64(values) => out.copy_from_slice(&values[rows]),
                    $(Column::$name(values) => {
                        for (out, &value) in out.iter_mut().zip(&values[rows]) {
                            *out = value as f64;
                        }
                    })*
                    Column::Bool(_) => unreachable!("refused before"),
                }
            };
        }
        read!(F32, I64, I32, I16, I8, U64, U32, U16, U8);
        let finite = no_infinity(out);
        if !self.fill.is_nan() {
            for value in out.iter_mut() {
                *value = if value.is_nan() { self.fill } else { *value };
            }
        }
        for &step in self.steps {
            match step {
                Step::Add(x) => out.iter_mut().for_each(|value| *value += x),
                Step::Sub(x) => out.iter_mut().for_each(|value| *value -= x),
                Step::Mul(x) => out.iter_mut().for_each(|value| *value *= x),
                Step::Div(x) => out.iter_mut().for_each(|value| *value /= x),
            }
        }
        finite & no_infinity(out)
    }
}

#[inline(always)]
fn no_infinity(values: &[f64]) -> bool {
    values
        .iter()
        .fold(true, |all, value| all & (value.abs() != f64::INFINITY))
}

/// Computes a block of a feature that is one column.
fn numbers(feature: &Feature<'_>, start: usize, out: &mut [f64]) -> Result<(), MatrixError> {
    match *feature {
        Feature::Number {
            values,
            fill,
            steps,
        } => dispatch(Numbers {
            values,
            start,
            fill,
            steps,
            out,
        })
        .then_some(())
        .ok_or(MatrixError::Infinite),
        Feature::Code { codes, numbers } => {
            for (out, &code) in out.iter_mut().zip(&codes[start..]) {
                *out = entry(numbers, code);
            }
            Ok(())
        }
        Feature::OneHot { .. } => unreachable!("has columns of its own"),
    }
}

fn starts(features: &[Feature<'_>]) -> (Vec<usize>, usize) {
    let mut width = 0;
    let starts = features
        .iter()
        .map(|feature| {
            width += feature.width();
            width - feature.width()
        })
        .collect();
    (starts, width)
}

fn check(features: &[Feature<'_>], rows: usize) -> Result<(), MatrixError> {
    let fit = features.iter().all(|feature| feature.fits(rows));
    fit.then_some(()).ok_or(MatrixError::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_in_all_forms() {
        let values = [1.0, f64::NAN, 5.0];
        let (codes, slots) = ([-1, 0, 1], [1, -1, 0]);
        let features = [
            Feature::Number {
                values: values.as_slice().into(),
                fill: 3.0,
                steps: &[Step::Sub(3.0), Step::Div(2.0)],
            },
            Feature::OneHot {
                codes: &codes,
                slots: &slots,
                width: 2,
            },
            Feature::Code {
                codes: &codes,
                numbers: &[7.0, 8.0, 9.0],
            },
        ];
        let expected = [-1.0, 1.0, 0.0, 9.0, 0.0, 0.0, 1.0, 7.0, 1.0, 0.0, 0.0, 8.0];
        let mut dense = [0.0; 12];
        write_rows(&features, 3, &mut dense).unwrap();
        assert_eq!(dense, expected);
        let mut columns = [0.0; 12];
        write_columns(&features, 3, &mut columns).unwrap();
        let transposed: Vec<f64> = (0..12).map(|i| columns[i % 4 * 3 + i / 4]).collect();
        assert_eq!(transposed, expected);
        let (mut data, mut indices, mut indptr) = ([0.0; 9], [0; 9], [0; 4]);
        let out = SparseRows {
            data: &mut data,
            indices: &mut indices,
            indptr: &mut indptr,
        };
        assert_eq!(write_sparse(&features, 3, out), Ok(7));
        assert_eq!(data[..7], [-1.0, 1.0, 9.0, 1.0, 7.0, 1.0, 8.0]);
        assert_eq!(indices[..7], [0, 1, 3, 2, 3, 0, 3]);
        assert_eq!(indptr, [0, 3, 5, 7]);
    }

    #[test]
    fn writes_matrices_without_columns() {
        let none = [Feature::OneHot {
            codes: &[0],
            slots: &[-1],
            width: 0,
        }];
        for features in [&none[..], &[]] {
            assert_eq!(write_rows(features, 1, &mut []), Ok(()));
            assert_eq!(write_columns(features, 1, &mut []), Ok(()));
            let (mut data, mut indices) = (vec![0.0; features.len()], vec![0; features.len()]);
            let out = SparseRows {
                data: &mut data,
                indices: &mut indices,
                indptr: &mut [0; 2],
            };
            assert_eq!(write_sparse(features, 1, out), Ok(0));
        }
    }

    #[test]
    fn refuses_wrong_shapes_and_infinities() {
        let number = |values| Feature::Number {
            values: Column::F64(values),
            fill: 0.0,
            steps: &[],
        };
        let mut out = [0.0];
        assert_eq!(
            write_rows(&[number(&[f64::INFINITY])], 1, &mut out),
            Err(MatrixError::Infinite)
        );
        assert_eq!(
            write_rows(&[number(&[1.0, 2.0])], 1, &mut out),
            Err(MatrixError::Shape)
        );
        let unknown = Feature::Code {
            codes: &[1],
            numbers: &[0.0],
        };
        assert_eq!(
            write_columns(&[unknown], 1, &mut out),
            Err(MatrixError::Shape)
        );
    }
}
