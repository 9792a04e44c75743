//! What pandas takes a cell for.

use super::number;

/// A cell alone. What a column is follows from all of its cells.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Cell {
    /// One of the spellings of nothing.
    Missing,
    /// Digits, perhaps after a minus.
    Integer(i64),
    /// Digits with a point or an exponent.
    Float(f64),
    Bool(bool),
    /// No number and no bool, however pandas reads them.
    Text,
    /// Perhaps a number or a bool in a spelling that is left to pandas.
    Unclear,
    /// An integer that 64 bits do not hold, or of so many digits that it may be one.
    Long,
}

/// The spellings of nothing, by length.
const MISSING: [&[&[u8]]; 9] = [
    &[b""],
    &[],
    &[b"NA"],
    &[b"#NA", b"N/A", b"NaN", b"n/a", b"nan"],
    &[
        b"#N/A", b"-NaN", b"-nan", b"<NA>", b"NULL", b"None", b"null",
    ],
    &[],
    &[b"1.#IND"],
    &[b"-1.#IND", b"1.#QNAN"],
    &[b"#N/A N/A", b"-1.#QNAN"],
];

/// For each first byte of a cell the lengths, as bits, with which it may spell nothing.
///
/// What follows an empty cell may be any byte.
pub(super) const MAY_BE_MISSING: [u16; 256] = {
    let mut lengths = [1; 256];
    let mut length = 1;
    while length < MISSING.len() {
        let mut i = 0;
        while i < MISSING[length].len() {
            lengths[MISSING[length][i][0] as usize] |= 1 << length;
            i += 1;
        }
        length += 1;
    }
    lengths
};

/// Whether a cell spells nothing.
pub(super) fn is_missing(cell: &[u8]) -> bool {
    (MISSING.get(cell.len())).is_some_and(|spellings| spellings.contains(&cell))
}

impl Cell {
    /// Looks at a cell without its quotes.
    pub(super) fn read(cell: &[u8]) -> Self {
        if cell.is_empty() {
            return Self::Missing;
        }
        if let Some(number) = number::parse(cell) {
            return number;
        }
        match cell {
            b"True" | b"TRUE" | b"true" => Self::Bool(true),
            b"False" | b"FALSE" | b"false" => Self::Bool(false),
            _ if is_missing(cell) => Self::Missing,
            _ if is_text(cell) => Self::Text,
            _ => Self::Unclear,
        }
    }
}

/// Whether a cell is neither a number nor a bool in any spelling that pandas could know.
fn is_text(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    let unsigned = (cell.strip_prefix(b"-"))
        .or_else(|| cell.strip_prefix(b"+"))
        .unwrap_or(cell);
    let words = ["inf", "infinity", "nan", "true", "false"];
    if (words.iter()).any(|word| unsigned.eq_ignore_ascii_case(word.as_bytes())) {
        return false;
    }
    let rest = without_digits(unsigned);
    let rest = rest.strip_prefix(b".").map_or(rest, without_digits);
    let Some((b'e' | b'E', exponent)) = rest.split_first() else {
        return !rest.is_empty();
    };
    let exponent = (exponent.strip_prefix(b"-"))
        .or_else(|| exponent.strip_prefix(b"+"))
        .unwrap_or(exponent);
    !without_digits(exponent).is_empty()
}

fn without_digits(text: &[u8]) -> &[u8] {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    &text[digits..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_what_pandas_takes_them_for() {
        for (cell, expected) in [
            ("", Cell::Missing),
            ("NA", Cell::Missing),
            ("1.#IND", Cell::Missing),
            ("0012", Cell::Integer(12)),
            ("-5", Cell::Integer(-5)),
            ("-0", Cell::Unclear),
            ("+5", Cell::Unclear),
            (" 5", Cell::Unclear),
            ("-9223372036854775807", Cell::Integer(-i64::MAX)),
            ("9223372036854775808", Cell::Long),
            ("00000000000000000001", Cell::Long),
            ("1.5", Cell::Float(1.5)),
            ("-1e3", Cell::Float(-1000.0)),
            ("1e", Cell::Unclear),
            (".", Cell::Unclear),
            ("-Infinity", Cell::Unclear),
            ("tRUE", Cell::Unclear),
            ("true", Cell::Bool(true)),
            ("2013-01-01", Cell::Text),
            ("0x1F", Cell::Text),
            ("N14228", Cell::Text),
            ("1.2.3", Cell::Text),
            ("é", Cell::Text),
        ] {
            assert_eq!(Cell::read(cell.as_bytes()), expected, "{cell:?}");
        }
    }

    #[test]
    fn every_spelling_of_nothing_may_be_one() {
        for spelling in MISSING.iter().skip(1).copied().flatten() {
            assert!(is_missing(spelling));
            let lengths = MAY_BE_MISSING[spelling[0] as usize];
            assert_eq!(lengths >> spelling.len() & 1, 1);
        }
    }
}
