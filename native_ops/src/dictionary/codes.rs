//! Codes as positions in tables of what each value stands for; the last entry is for missing ones.

use crate::column::Position;
use crate::dtype::Bool;

/// The entry of a code, the last one if it is negative (or beyond the table).
#[inline(always)]
pub(crate) fn entry<T: Copy>(table: &[T], code: i32) -> T {
    // Negative codes are huge here.
    table[(code as usize).min(table.len() - 1)]
}

/// Whether a table of some size has an entry for each code.
pub(crate) fn all_known<P: Position>(codes: &[P], size: usize) -> bool {
    let most = codes.iter().fold(-1, |most, &code| most.max(code.into()));
    (size > 0 && most < size as i64) || codes.is_empty()
}

/// Adds up how often each code appears; negative ones count for the last.
///
/// Returns whether every code has a place.
pub fn count_codes<P: Position>(codes: &[P], counts: &mut [i64]) -> bool {
    if !all_known(codes, counts.len()) {
        return false;
    }
    for &code in codes {
        let last = counts.len() - 1;
        counts[code.index().min(last)] += 1;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_without_an_entry_are_refused(
            codes in proptest::collection::vec(-2..4_i32, 0..9),
        ) {
            let known = codes.iter().all(|&code| code < 2);
            let mut counts = [0; 2];
            prop_assert_eq!(count_codes(&codes, &mut counts), known);
            let wide: Vec<i64> = codes.iter().map(|&code| code.into()).collect();
            let mut again = [0; 2];
            prop_assert_eq!((count_codes(&wide, &mut again), again), (known, counts));
            prop_assert_eq!(counts.iter().sum::<i64>() as usize, if known { codes.len() } else { 0 });
            let mut cells = vec![Bool(0); 2 * codes.len()];
            prop_assert_eq!(one_hot(&codes, &mut cells), known);
        }
    }
}
