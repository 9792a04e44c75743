//! Codes for keys: equal keys get equal numbers, counted from 0 in order of first occurrence.
//!
//! The one encoder of strings. Text comes in as Arrow stores it (large strings), in one chunk or
//! several; strings of up to seven bytes, as most keys are, are compared as one machine word.

mod table;
mod text;

pub use text::{Malformed, Text};

use crate::column::Column;
use crate::dtype::Element;
use table::Table;

/// The code of a missing key.
pub const MISSING: i64 = -1;

/// Gives codes to strings; all chunks of a column, or several columns, can share one.
#[derive(Debug)]
pub struct TextEncoder<'a> {
    table: Table,
    strings: Vec<&'a [u8]>,
}

impl Default for TextEncoder<'_> {
    fn default() -> Self {
        Self {
            table: Table::new(),
            strings: Vec::new(),
        }
    }
}

impl<'a> TextEncoder<'a> {
    /// Writes the code of each string of a chunk to `codes`, [`MISSING`] for missing ones, and
    /// calls `found` with the row of each string that is new.
    ///
    /// # Panics
    ///
    /// When `codes` has another length than the chunk.
    pub fn encode(&mut self, text: Text<'a>, codes: &mut [i64], mut found: impl FnMut(usize)) {
        assert_eq!(text.rows(), codes.len());
        let rows = codes.iter_mut().zip(text.offsets.windows(2));
        if text.validity.is_none() {
            for (row, (code, ends)) in rows.enumerate() {
                let (start, end) = (ends[0] as usize, ends[1] as usize);
                if let Some(tag) = text.short(start, end - start)
                    && let Some(known) = self.table.at_home(tag)
                {
                    *code = i64::from(known);
                } else {
                    *code = self.code(text, start, end, || found(row));
                }
            }
            return;
        }
        for (row, (code, ends)) in rows.enumerate() {
            *code = match text.get(row) {
                None => MISSING,
                Some(_) => self.code(text, ends[0] as usize, ends[1] as usize, || found(row)),
            };
        }
    }

    fn code(&mut self, text: Text<'a>, start: usize, end: usize, found: impl FnOnce()) -> i64 {
        let string = &text.bytes[start..end];
        let strings = &self.strings;
        let (tag, short) = text.tag(start, string);
        let next = strings.len();
        // Tags of short strings are the strings.
        let (at, known) = self
            .table
            .find(tag, |number| short || strings[number] == string);
        if known == next {
            self.strings.push(string);
            self.table.insert(at, tag, next);
            found();
        }
        known as i64
    }

    /// Writes the code that each string has, [`MISSING`] for strings without one.
    ///
    /// # Panics
    ///
    /// When `codes` has another length than the chunk.
    pub fn look_up(&self, text: Text<'_>, codes: &mut [i64]) {
        assert_eq!(text.rows(), codes.len());
        for (row, code) in codes.iter_mut().enumerate() {
            *code = MISSING;
            let Some(string) = text.get(row) else {
                continue;
            };
            let (tag, short) = text.tag(text.offsets[row] as usize, string);
            let (_, known) = self
                .table
                .find(tag, |number| short || self.strings[number] == string);
            if known < self.strings.len() {
                *code = known as i64;
            }
        }
    }

    /// How many strings have a code.
    #[must_use]
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether no string has a code.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }
}

/// Gives codes to numbers, as [`TextEncoder`] does to strings; NaN is missing.
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
                *code = MISSING;
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
                *code = MISSING;
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

    /// Writes the code that each number has, [`MISSING`] for numbers without one.
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
                            *code = MISSING;
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

    type Strings = Vec<Option<String>>;

    /// The three buffers of a chunk, the bitmap starting at a bit.
    fn buffers(strings: &[Option<String>], start: usize) -> (Vec<i64>, Vec<u8>, Vec<u8>) {
        let (mut offsets, mut bytes) = (vec![0], Vec::new());
        let mut bits = vec![0; (start + strings.len()).div_ceil(8)];
        for (row, string) in strings.iter().enumerate() {
            if let Some(string) = string {
                bytes.extend_from_slice(string.as_bytes());
                bits[(start + row) / 8] |= 1 << ((start + row) % 8);
            }
            offsets.push(bytes.len() as i64);
        }
        (offsets, bytes, bits)
    }

    fn expected(strings: &Strings) -> Vec<i64> {
        let mut known = HashMap::new();
        let mut code = |string: &String| {
            let next = known.len() as i64;
            *known.entry(string.clone()).or_insert(next)
        };
        strings
            .iter()
            .map(|string| string.as_ref().map_or(MISSING, &mut code))
            .collect()
    }

    proptest! {
        #[test]
        fn codes_count_first_occurrences(
            strings: Vec<Option<String>>, split in 0_usize..50, start in 0_usize..9
        ) {
            let (left, right) = strings.split_at(split.min(strings.len()));
            let (one, other) = (buffers(left, start), buffers(right, 0));
            let mut encoder = TextEncoder::default();
            let mut codes = vec![7; strings.len()];
            let mut firsts = 0;
            let (head, tail) = codes.split_at_mut(left.len());
            let text = Text::new(&one.0, &one.1, Some((&one.2, start))).unwrap();
            encoder.encode(text, head, |_| firsts += 1);
            let text = Text::new(&other.0, &other.1, Some((&other.2, 0))).unwrap();
            encoder.encode(text, tail, |_| firsts += 1);
            prop_assert_eq!(firsts, encoder.len());
            prop_assert_eq!(&codes, &expected(&strings));
            let mut again = vec![7; left.len()];
            encoder.look_up(Text::new(&one.0, &one.1, Some((&one.2, start))).unwrap(), &mut again);
            prop_assert_eq!(&again, &codes[..left.len()]);
        }

        #[test]
        fn numbers_are_codes_of_their_text(values: Vec<i8>, wide: Vec<u64>) {
            let mut codes = vec![7; values.len()];
            NumberEncoder::default().encode(values.as_slice().into(), &mut codes, |_| ());
            let text = values.iter().map(|v| Some(v.to_string())).collect();
            prop_assert_eq!(codes, expected(&text));
            let mut codes = vec![7; wide.len()];
            NumberEncoder::default().encode(wide.as_slice().into(), &mut codes, |_| ());
            let text = wide.iter().map(|v| Some(v.to_string())).collect();
            prop_assert_eq!(codes, expected(&text));
        }
    }

    #[test]
    fn many_long_strings_keep_apart() {
        let strings: Strings = (0..5000)
            .map(|i| Some(format!("a string of some length {}", i % 1234)))
            .collect();
        let (offsets, bytes, _) = buffers(&strings, 0);
        let mut codes = vec![0; strings.len()];
        let mut encoder = TextEncoder::default();
        encoder.encode(
            Text::new(&offsets, &bytes, None).unwrap(),
            &mut codes,
            |_| (),
        );
        assert_eq!(codes, expected(&strings));
    }

    #[test]
    fn zeros_are_one_key_and_nan_is_missing() {
        let mut codes = [7; 4];
        let values = [0.0, f64::NAN, -0.0, 1.0];
        let mut encoder = NumberEncoder::default();
        encoder.encode(values.as_slice().into(), &mut codes, |_| ());
        assert_eq!(codes, [0, MISSING, 0, 1]);
        let mut encoder = NumberEncoder::new(false);
        encoder.encode(values.as_slice().into(), &mut codes, |_| ());
        assert_eq!(codes, [0, 1, 0, 2]);
    }

    #[test]
    fn malformed_text_is_refused() {
        assert!(Text::new(&[], b"", None).is_err());
        assert!(Text::new(&[0, 2, 1], b"ab", None).is_err());
        assert!(Text::new(&[0, 3], b"ab", None).is_err());
        assert!(Text::new(&[-1, 1], b"ab", None).is_err());
        assert!(Text::new(&[0, 1, 2], b"ab", Some((&[3], 7))).is_err());
        assert!(Text::new(&[0, 1, 2], b"ab", Some((&[3], 0))).is_ok());
    }
}
