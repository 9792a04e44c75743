//! Products of columns, such as polynomial features, rows one after another.

use super::MatrixError;
use crate::column::{Column, ColumnMut};
use crate::fpenv::watch;
use std::ops::Mul;

/// Which columns of the matrix are products.
#[derive(Clone, Copy, Debug)]
pub struct Products<'a> {
    /// Whether the first column is all ones.
    pub ones: bool,
    /// After the columns themselves: the earlier column of the matrix that each product is of.
    pub of: &'a [i32],
    /// The column of the table by which that is multiplied.
    pub times: &'a [i32],
}

/// Writes the columns of a table of floats and products of them; returns what was raised, as in
/// [`crate::flags`].
///
/// `table` has so many rows, which lie one after another if `by_rows`, else its columns do.
///
/// # Errors
///
/// When a shape is wrong, or a product is of columns that there are not before it, or the dtypes
/// differ.
pub fn write_products(
    table: Column<'_>,
    rows: usize,
    by_rows: bool,
    products: Products<'_>,
    out: &mut ColumnMut<'_>,
) -> Result<u32, MatrixError> {
    match (table, out) {
        (Column::F64(table), ColumnMut::F64(out)) => {
            write(table, rows, by_rows, products, 1.0, out)
        }
        (Column::F32(table), ColumnMut::F32(out)) => {
            write(table, rows, by_rows, products, 1.0, out)
        }
        _ => Err(MatrixError::Shape),
    }
}

fn write<T: Copy + Default + Mul<Output = T>>(
    table: &[T],
    rows: usize,
    by_rows: bool,
    products: Products<'_>,
    one: T,
    out: &mut [T],
) -> Result<u32, MatrixError> {
    let Products { ones, of, times } = products;
    let columns = table.len().checked_div(rows).unwrap_or(0);
    let first = usize::from(ones) + columns;
    let width = first + of.len();
    let known = |index: i32, below: usize| usize::try_from(index).is_ok_and(|i| i < below);
    let fits = columns * rows == table.len()
        && rows.checked_mul(width) == Some(out.len())
        && of.len() == times.len()
        && (first..).zip(of).all(|(place, &of)| known(of, place))
        && times.iter().all(|&column| known(column, columns));
    if !fits {
        return Err(MatrixError::Shape);
    }
    if width == 0 {
        return Ok(0);
    }
    let (mut raised, mut values) = (0, vec![T::default(); columns]);
    watch(&mut raised, || {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value = table[if by_rows {
                    row * columns + column
                } else {
                    column * rows + row
                }];
            }
            if ones {
                out[0] = one;
            }
            out[first - columns..first].copy_from_slice(&values);
            for (place, (&of, &column)) in (first..).zip(of.iter().zip(times)) {
                out[place] = out[of as usize] * values[column as usize];
            }
        }
    });
    Ok(raised)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags;

    fn squares(table: &[f64], by_rows: bool, of: &[i32]) -> Result<(Vec<f64>, u32), MatrixError> {
        let mut out = vec![7.0; 2 * (3 + of.len())];
        let products = Products {
            ones: true,
            of,
            times: &[0, 1, 1],
        };
        write_products(
            table.into(),
            2,
            by_rows,
            products,
            &mut out.as_mut_slice().into(),
        )
        .map(|raised| (out, raised))
    }

    #[test]
    fn products_of_two_columns() {
        let expected = vec![
            1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 1.0, 5.0, 7.0, 25.0, 35.0, 49.0,
        ];
        assert_eq!(
            squares(&[2.0, 3.0, 5.0, 7.0], true, &[1, 1, 2]),
            Ok((expected.clone(), 0))
        );
        assert_eq!(
            squares(&[2.0, 5.0, 3.0, 7.0], false, &[1, 1, 2]),
            Ok((expected, 0))
        );
    }

    #[test]
    fn exceptions_of_large_products() {
        let (_, raised) = squares(&[1e300, 1.0, 1.0, 1.0], true, &[1, 1, 2]).unwrap();
        assert_eq!(raised, flags::OVERFLOW);
    }

    #[test]
    fn products_of_what_is_not_there_are_refused() {
        for of in [[3, 1, 2], [1, -1, 2], [1, 1, 6]] {
            assert!(squares(&[1.0; 4], true, &of).is_err());
        }
        assert!(squares(&[1.0; 4], true, &[1, 1]).is_err());
        assert!(squares(&[1.0; 3], true, &[1, 1, 2]).is_err());
    }
}
