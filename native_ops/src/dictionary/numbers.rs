//! Codes for numbers, and for pairs of codes.

use super::table::Table;
use crate::column::Column;
use crate::dtype::Element;

/// The code of a missing number.
const ABSENT: i64 = super::MISSING as i64;

/// Gives codes to numbers, counted from 0 in order of first occurrence; NaN is missing.
#[derive(Debug)]
pub struct NumberEncoder {
    table: Table,
    missing: bool,
}

impl Default for NumberEncoder {
    fn default() -> Self {
        Self::new(true)
    }
}

impl NumberEncoder {
    /// An encoder for which NaN is missing, or a number like others.
    #[must_use]
    pub fn new(nan_is_missing: bool) -> Self {
        Self {
            table: Table::new(),
            missing: nan_is_missing,
        }
    }

    /// Writes the code of each number to `codes`, and calls `found` with the row of each new one.
    ///
    /// # Panics
    ///
    /// When `codes` has another length than the column.
    pub fn encode(&mut self, column: Column<'_>, codes: &mut [i64], found: impl FnMut(usize)) {
        assert_eq!(column.rows(), codes.len());
        macro_rules! encode {
            ($($name:ident),*) => {
                match column { $(Column::$name(values) => self.numbers(values, codes, found)),* }
            };
        }
        encode!(F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool);
    }

    fn numbers<T: Element>(
        &mut self,
        values: &[T],
        codes: &mut [i64],
        mut found: impl FnMut(usize),
    ) {
        for (row, (code, value)) in codes.iter_mut().zip(values).enumerate() {
            if self.missing && value.is_missing() {
                *code = ABSENT;
                continue;
            }
            let next = self.table.used;
            let (at, known) = self.table.find(value.key(), |_| true);
            *code = known as i64;
            if known == next {
                self.table.insert(at, value.key(), next);
                found(row);
            }
        }
    }

    /// Gives codes to pairs of codes, as keys of several columns; one missing makes both missing.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn encode_pairs(
        &mut self,
        left: &[i64],
        right: &[i64],
        codes: &mut [i64],
        mut found: impl FnMut(usize),
    ) {
        assert!(left.len() == codes.len() && right.len() == codes.len());
        for (row, (code, (&a, &b))) in codes.iter_mut().zip(left.iter().zip(right)).enumerate() {
            if a < 0 || b < 0 {
                *code = ABSENT;
                continue;
            }
            // Tables hold fewer than 2^32 codes.
            let tag = (a as u64) << 32 | b as u64;
            let next = self.table.used;
            let (at, known) = self.table.find(tag, |_| true);
            *code = known as i64;
            if known == next {
                self.table.insert(at, tag, next);
                found(row);
            }
        }
    }

    /// Writes the code that each number has, -1 for numbers without one.
    ///
    /// # Panics
    ///
    /// When `codes` has another length than the column.
    pub fn look_up(&self, column: Column<'_>, codes: &mut [i64]) {
        assert_eq!(column.rows(), codes.len());
        macro_rules! look_up {
            ($($name:ident),*) => {
                match column {
                    $(Column::$name(values) => {
                        for (code, value) in codes.iter_mut().zip(values) {
                            *code = ABSENT;
                            if !(self.missing && value.is_missing()) {
                                let (_, known) = self.table.find(value.key(), |_| true);
                                if known < self.table.used {
                                    *code = known as i64;
                                }
                            }
                        }
                    }),*
                }
            };
        }
        look_up!(F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool);
    }

    /// How many numbers have a code.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.used
    }

    /// Whether no number has a code.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn expected<T: Copy + Eq + std::hash::Hash>(values: &[T]) -> Vec<i64> {
        let mut known = HashMap::new();
        let code = |value: &T| {
            let next = known.len() as i64;
            *known.entry(*value).or_insert(next)
        };
        values.iter().map(code).collect()
    }

    proptest! {
        #[test]
        fn codes_count_first_occurrences(values: Vec<i8>, wide: Vec<u64>) {
            let mut codes = vec![7; values.len()];
            NumberEncoder::default().encode(values.as_slice().into(), &mut codes, |_| ());
            prop_assert_eq!(codes, expected(&values));
            let mut codes = vec![7; wide.len()];
            NumberEncoder::default().encode(wide.as_slice().into(), &mut codes, |_| ());
            prop_assert_eq!(codes, expected(&wide));
        }
    }

    #[test]
    fn zeros_are_one_key_and_nan_is_missing() {
        let mut codes = [7; 4];
        let values = [0.0, f64::NAN, -0.0, 1.0];
        let mut encoder = NumberEncoder::default();
        encoder.encode(values.as_slice().into(), &mut codes, |_| ());
        assert_eq!(codes, [0, ABSENT, 0, 1]);
        let mut encoder = NumberEncoder::new(false);
        encoder.encode(values.as_slice().into(), &mut codes, |_| ());
        assert_eq!(codes, [0, 1, 0, 2]);
    }
}
