//! Columns one after the other.

use crate::column::{Column, ColumnMut};
use crate::dtype::Element;
use crate::error::ProgramError;
use crate::stream;

/// Writes columns of one dtype one after the other, past the caches.
///
/// # Errors
///
/// When the lengths or dtypes don't fit.
///
/// ```
/// use stratum_native_ops::concatenate;
/// let (first, second) = ([1_i32, 2], [3]);
/// let mut out = [0; 3];
/// let parts = [first.as_slice().into(), second.as_slice().into()];
/// concatenate(&parts, &mut out.as_mut_slice().into())?;
/// assert_eq!(out, [1, 2, 3]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn concatenate(parts: &[Column<'_>], out: &mut ColumnMut<'_>) -> Result<(), ProgramError> {
    if parts.iter().map(Column::rows).sum::<usize>() != out.rows() {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    macro_rules! copy {
        ($($name:ident),*) => {
            match out {
                $(ColumnMut::$name(out) => copy(
                    parts.iter().map(|part| match part {
                        Column::$name(values) => Some(*values),
                        _ => None,
                    }),
                    out,
                )),*
            }
        };
    }
    copy!(F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool)
        .ok_or_else(|| ProgramError("the dtypes differ".to_owned()))
}

fn copy<'a, T: Element>(parts: impl Iterator<Item = Option<&'a [T]>>, out: &mut [T]) -> Option<()> {
    let mut rest = out;
    for values in parts {
        let values = values?;
        let (part, others) = rest.split_at_mut(values.len());
        stream::write(part, values, true);
        rest = others;
    }
    stream::settle();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_one_another() {
        let parts: Vec<Vec<u16>> = [0, 1, 100, 33].map(|n| (0..n).collect()).to_vec();
        let columns: Vec<Column<'_>> = parts.iter().map(|part| part.as_slice().into()).collect();
        let mut out = vec![7; 134];
        concatenate(&columns, &mut out.as_mut_slice().into()).unwrap();
        assert_eq!(out, parts.concat());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (numbers, mut out) = ([1_i64, 2], [0_i64; 2]);
        let parts: [Column<'_>; 1] = [numbers.as_slice().into()];
        assert!(concatenate(&parts, &mut out[..1].as_mut().into()).is_err());
        assert!(concatenate(&parts, &mut [0_u64; 2].as_mut_slice().into()).is_err());
        assert!(concatenate(&parts, &mut out.as_mut_slice().into()).is_ok());
    }
}
