//! Spreads what is known of each distinct string over the rows, by their codes.

use super::Chunk;
use crate::column::{Column, ColumnMut};
use crate::dtype::{Bool, Element};

/// Strings of up to this many bytes are copied as one block.
const SHORT: usize = 16;

/// The position that a code means; the last one if it is negative, for rows that are missing.
#[inline(always)]
fn position(code: i32, count: usize) -> usize {
    if code < 0 { count - 1 } else { code as usize }
}

fn all_known(codes: &[i32], count: usize) -> bool {
    let most = codes.iter().fold(-1, |most, &code| most.max(code));
    count > 0 && (most as i64) < count as i64 || codes.is_empty()
}

/// Writes `values[code]` for each code, the last value for negative ones.
///
/// Returns whether it did: lengths and dtypes agree, and every code has a value.
///
/// ```
/// use stratum_native_ops::spread;
/// let mut out = [0.0_f64; 3];
/// let values = [0.5, f64::NAN];
/// assert!(spread(values.as_slice().into(), &[0, -1, 0], &mut out.as_mut_slice().into()));
/// assert!(out[0] == 0.5 && out[1].is_nan());
/// ```
pub fn spread(values: Column<'_>, codes: &[i32], out: &mut ColumnMut<'_>) -> bool {
    if out.rows() != codes.len() || !all_known(codes, values.rows()) {
        return false;
    }
    macro_rules! each {
        ($($name:ident),*) => {
            match (values, out) {
                $((Column::$name(values), ColumnMut::$name(out)) => spread_values(values, codes, out),)*
                _ => return false,
            }
        };
    }
    each!(F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool);
    true
}

fn spread_values<T: Element>(values: &[T], codes: &[i32], out: &mut [T]) {
    for (out, &code) in out.iter_mut().zip(codes) {
        *out = values[position(code, values.len())];
    }
}

/// Adds up how often each code appears; negative ones count for the last.
///
/// Returns whether every code has a place.
pub fn count_codes(codes: &[i32], counts: &mut [i64]) -> bool {
    if !all_known(codes, counts.len()) {
        return false;
    }
    let count = counts.len();
    for &code in codes {
        counts[position(code, count)] += 1;
    }
    true
}

/// Writes one column after another: in column `code`, a row is true if it has this code.
///
/// Rows with negative codes are nowhere true. `out` holds zeros. Returns whether every code has a
/// column.
pub fn one_hot(codes: &[i32], out: &mut [Bool]) -> bool {
    if codes.is_empty() {
        return true;
    }
    let columns = out.len() / codes.len();
    if columns * codes.len() != out.len() || !(columns == 0 || all_known(codes, columns)) {
        return false;
    }
    for (row, &code) in codes.iter().enumerate() {
        if code >= 0 {
            match out.get_mut(code as usize * codes.len() + row) {
                Some(out) => *out = Bool(1),
                None => return false,
            }
        }
    }
    true
}

/// Strings by code, ready to be written row by row.
pub struct Strings<'a> {
    rows: Vec<Option<&'a [u8]>>,
    lengths: Vec<i64>,
    /// The strings padded with zeros, if all are short.
    short: Option<Vec<[u8; SHORT]>>,
}

impl<'a> Strings<'a> {
    /// The strings of a column, of which row `code` has the code.
    #[must_use]
    pub fn new(chunks: &[Chunk<'a>]) -> Self {
        let rows: Vec<_> = (chunks.iter())
            .flat_map(|chunk| (0..chunk.rows()).map(|row| chunk.get(row)))
            .collect();
        let bytes = |row: &Option<&'a [u8]>| row.unwrap_or_default();
        let pad = |row| {
            let bytes = bytes(row);
            let mut padded = [0; SHORT];
            padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(padded)
        };
        Self {
            lengths: rows.iter().map(|row| bytes(row).len() as i64).collect(),
            short: rows.iter().map(pad).collect(),
            rows,
        }
    }

    /// Writes where each row's bytes start and end, and the bits of those that are there.
    ///
    /// Returns whether it did: lengths agree, and every code has a string.
    pub fn offsets(&self, codes: &[i32], offsets: &mut [i64], validity: &mut [u8]) -> bool {
        if offsets.len() != codes.len() + 1
            || (!validity.is_empty() && validity.len() != codes.len().div_ceil(8))
            || !all_known(codes, self.rows.len())
        {
            return false;
        }
        let mut end = 0;
        offsets[0] = 0;
        for (out, &code) in offsets[1..].iter_mut().zip(codes) {
            end += self.lengths[position(code, self.lengths.len())];
            *out = end;
        }
        for (byte, codes) in validity.iter_mut().zip(codes.chunks(8)) {
            let there = |&code: &i32| self.rows[position(code, self.rows.len())].is_some();
            *byte = (codes.iter().enumerate())
                .fold(0, |bits, (bit, code)| bits | u8::from(there(code)) << bit);
        }
        true
    }

    /// Writes the bytes of all rows; returns whether they fill `out`.
    pub fn bytes(&self, codes: &[i32], out: &mut [u8]) -> bool {
        if !all_known(codes, self.rows.len()) {
            return false;
        }
        let (mut end, count) = (0, self.rows.len());
        for &code in codes {
            let position = position(code, count);
            let length = self.lengths[position] as usize;
            if let (Some(short), Some(out)) = (&self.short, out.get_mut(end..end + SHORT)) {
                out.copy_from_slice(&short[position]);
            } else if let Some(out) = out.get_mut(end..end + length) {
                out.copy_from_slice(self.rows[position].unwrap_or_default());
            } else {
                return false;
            }
            end += length;
        }
        end == out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_spread_by_code(
            words in proptest::collection::vec(proptest::option::of("[a-c]{0,24}"), 1..5),
            codes in proptest::collection::vec(-1..5_i32, 0..40),
        ) {
            let mut offsets = vec![0];
            let (mut data, mut bits) = (Vec::new(), [0_u8]);
            for (i, word) in words.iter().enumerate() {
                data.extend(word.as_deref().unwrap_or("").bytes());
                offsets.push(data.len() as i64);
                bits[0] |= u8::from(word.is_some()) << i;
            }
            let chunk = Chunk::new(Some((&bits, 0)), &offsets, &data).unwrap();
            let strings = Strings::new(&[chunk]);
            let mut ends = vec![0; codes.len() + 1];
            let mut validity = vec![0; codes.len().div_ceil(8)];
            let known = codes.iter().all(|&code| code < words.len() as i32);
            prop_assert_eq!(strings.offsets(&codes, &mut ends, &mut validity), known);
            if known {
                let mut out = vec![9; ends[codes.len()] as usize];
                prop_assert!(strings.bytes(&codes, &mut out));
                let result = Chunk::new(Some((&validity, 0)), &ends, &out).unwrap();
                for (row, &code) in codes.iter().enumerate() {
                    let word = words[position(code, words.len())].as_deref();
                    prop_assert_eq!(result.get(row), word.map(str::as_bytes));
                }
                out.push(0);
                prop_assert!(!strings.bytes(&codes, &mut out));
            }
        }

        #[test]
        fn codes_without_a_value_are_refused(codes in proptest::collection::vec(-2..4_i32, 0..9)) {
            let known = codes.iter().all(|&code| code < 2);
            let mut out = vec![0; codes.len()];
            let values = [10, 20];
            let done = spread(values.as_slice().into(), &codes, &mut out.as_mut_slice().into());
            prop_assert_eq!(done, known);
            prop_assert_eq!(count_codes(&codes, &mut [0; 2]), known);
            let mut cells = vec![Bool(0); 2 * codes.len()];
            prop_assert_eq!(one_hot(&codes, &mut cells), known);
        }
    }
}
