//! The order of strings.

use super::Chunk;

/// The first eight bytes as an integer, filled up with zeros: its order is that of the bytes.
fn prefix(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let length = bytes.len().min(8);
    word[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(word)
}

/// Writes the positions of the rows in the order of their bytes, which is that of code points.
///
/// Returns whether the lengths agree and no row is missing; else nothing is written.
pub fn order(chunks: &[Chunk<'_>], out: &mut [i64]) -> bool {
    let rows: Option<Vec<(u64, &[u8], i64)>> = (chunks.iter())
        .flat_map(|chunk| (0..chunk.rows()).map(|row| chunk.get(row)))
        .zip(0..)
        .map(|(bytes, number)| bytes.map(|bytes| (prefix(bytes), bytes, number)))
        .collect();
    let Some(mut rows) = rows.filter(|rows| rows.len() == out.len()) else {
        return false;
    };
    rows.sort_unstable();
    for (out, (_, _, number)) in out.iter_mut().zip(rows) {
        *out = number;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::Buffers;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_is_that_of_bytes(strings in prop::collection::vec("[ab\0é]{0,12}", 0..60)) {
            let rows: Vec<_> = strings.iter().cloned().map(Some).collect();
            let buffers = Buffers::new(&rows, 0);
            let mut out = vec![0; rows.len()];
            prop_assert!(order(&[buffers.chunk()], &mut out));
            let sorted: Vec<_> = out.iter().map(|&i| (&strings[i as usize], i)).collect();
            let mut expected: Vec<_> = strings.iter().zip(0..).collect();
            expected.sort();
            // Equal rows keep their order only if the position decides, as it does.
            prop_assert_eq!(sorted, expected);
        }
    }
}
