//! Numbers the distinct strings of a column in the order in which they first appear.

use super::Chunk;

/// The code of a missing row.
const MISSING: i32 = -1;

/// After how many rows a column is given up when most of them are distinct.
const SAMPLE: usize = 4_096;

const FREE: u32 = u32::MAX;

/// What a table knows of a string without looking at its bytes.
#[derive(Clone, Copy)]
struct Slot {
    prefix: u64,
    length: u32,
    code: u32,
}

/// Distinct strings by their bytes, with linear probing.
struct Table<'a> {
    slots: Vec<Slot>,
    distinct: Vec<(&'a [u8], u64)>,
}

const EMPTY: Slot = Slot {
    prefix: 0,
    length: 0,
    code: FREE,
};

impl<'a> Table<'a> {
    fn new() -> Self {
        Self {
            slots: vec![EMPTY; 256],
            distinct: Vec::new(),
        }
    }

    /// The code of a string, which is new or known.
    #[inline(always)]
    fn code(&mut self, bytes: &'a [u8], prefix: u64) -> u32 {
        let hash = hash(bytes, prefix);
        match self.probe(bytes, prefix, hash) {
            Ok(code) => code,
            Err(slot) => self.insert(bytes, prefix, hash, slot),
        }
    }

    /// The code of a string, [`MISSING`] if it has none.
    #[inline(always)]
    fn find(&self, bytes: &[u8], prefix: u64) -> i32 {
        let found = self.probe(bytes, prefix, hash(bytes, prefix));
        found.map_or(MISSING, |code| code as i32)
    }

    /// The code of a string, or the free slot where it would go.
    #[inline(always)]
    fn probe(&self, bytes: &[u8], prefix: u64, hash: u64) -> Result<u32, usize> {
        let mut slot = self.start(hash);
        loop {
            let found = self.slots[slot];
            if found.code == FREE {
                return Err(slot);
            }
            if found.prefix == prefix
                && found.length == bytes.len() as u32
                && (bytes.len() <= 8 || self.distinct[found.code as usize].0 == bytes)
            {
                return Ok(found.code);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// High bits, which depend on all of the string.
    fn start(&self, hash: u64) -> usize {
        (hash >> (64 - self.slots.len().trailing_zeros())) as usize
    }

    #[cold]
    fn insert(&mut self, bytes: &'a [u8], prefix: u64, hash: u64, slot: usize) -> u32 {
        let code = self.distinct.len() as u32;
        self.slots[slot] = Slot {
            prefix,
            length: bytes.len() as u32,
            code,
        };
        self.distinct.push((bytes, hash));
        if 2 * self.distinct.len() > self.slots.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![EMPTY; 4 * old.len()];
        for entry in old.into_iter().filter(|entry| entry.code != FREE) {
            let mut slot = self.start(self.distinct[entry.code as usize].1);
            while self.slots[slot].code != FREE {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = entry;
        }
    }
}

/// The first eight bytes of a row as an integer, filled up with zeros.
#[inline(always)]
fn prefix(data: &[u8], start: usize, length: usize) -> u64 {
    if let Some(word) = data.get(start..start + 8) {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        return if length >= 8 {
            word
        } else {
            word & ((1 << (8 * length)) - 1)
        };
    }
    let length = length.min(8);
    let mut word = [0; 8];
    word[..length].copy_from_slice(&data[start..start + length]);
    u64::from_le_bytes(word)
}

#[inline(always)]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    (product >> 64) as u64 ^ product as u64
}

#[inline(always)]
fn hash(bytes: &[u8], prefix: u64) -> u64 {
    let mut hash = mix(prefix, bytes.len() as u64);
    if bytes.len() > 8 {
        let mut words = bytes[8..].chunks_exact(8);
        for word in &mut words {
            hash = mix(
                hash,
                u64::from_le_bytes(word.try_into().expect("eight bytes")),
            );
        }
        let tail = &bytes[bytes.len() - 8..];
        hash = mix(
            hash,
            u64::from_le_bytes(tail.try_into().expect("eight bytes")),
        );
    }
    hash
}

/// Writes the code of each row, and at which row each code first appears.
///
/// Returns the number of distinct strings; nothing when it exceeds `limit`, or seems to (from the
/// first rows), or when an output has another length than the column, or strings or rows are too
/// many for the codes.
///
/// ```
/// use stratum_native_ops::{Chunk, encode};
/// let chunk = Chunk::new(Some((&[0b1011], 0)), &[0, 1, 2, 2, 3], b"aba")?;
/// let (mut codes, mut first) = ([0; 4], [0; 4]);
/// assert_eq!(encode(&[chunk], 4, &mut codes, &mut first), Some(2));
/// assert_eq!(codes, [0, 1, -1, 0]);
/// assert_eq!(first[..2], [0, 1]);
/// # Ok::<(), stratum_native_ops::TextError>(())
/// ```
pub fn encode(
    chunks: &[Chunk<'_>],
    limit: usize,
    codes: &mut [i32],
    first: &mut [i64],
) -> Option<usize> {
    number(chunks, limit, codes, first).map(|table| table.distinct.len())
}

/// Strings whose length doesn't fit a slot.
fn too_long(chunk: &Chunk<'_>) -> bool {
    chunk.data().len() >= u32::MAX as usize
}

fn number<'a>(
    chunks: &[Chunk<'a>],
    limit: usize,
    codes: &mut [i32],
    first: &mut [i64],
) -> Option<Table<'a>> {
    let rows = chunks.iter().map(Chunk::rows).sum::<usize>();
    if codes.len() != rows
        || first.len() != rows
        || rows >= i32::MAX as usize
        || chunks.iter().any(too_long)
    {
        return None;
    }
    let mut table = Table::new();
    let (mut number, mut rest) = (0, codes);
    for chunk in chunks {
        let (codes, after) = rest.split_at_mut(chunk.rows());
        rest = after;
        for (row, out) in codes.iter_mut().enumerate() {
            if !chunk.is_valid(row) {
                *out = MISSING;
            } else {
                let range = chunk.range(row);
                let prefix = prefix(chunk.data(), range.start, range.len());
                let known = table.distinct.len();
                let code = table.code(&chunk.data()[range], prefix) as usize;
                if code == known {
                    if code >= limit {
                        return None;
                    }
                    first[code] = number as i64;
                }
                *out = code as i32;
            }
            number += 1;
            if number == SAMPLE && limit < rows && table.distinct.len() > SAMPLE / 4 * 3 {
                return None;
            }
        }
    }
    Some(table)
}

/// Writes at which row of `keys` each row's string is, -1 where it is missing or nowhere.
///
/// Returns whether it did: lengths agree, and the keys are distinct and none is missing.
pub fn find(keys: &[Chunk<'_>], chunks: &[Chunk<'_>], out: &mut [i32]) -> bool {
    let count = keys.iter().map(Chunk::rows).sum::<usize>();
    let (mut codes, mut first) = (vec![0; count], vec![0; count]);
    let Some(table) = number(keys, count, &mut codes, &mut first) else {
        return false;
    };
    if table.distinct.len() < count
        || out.len() != chunks.iter().map(Chunk::rows).sum::<usize>()
        || chunks.iter().any(too_long)
    {
        return false;
    }
    let mut rest = out;
    for chunk in chunks {
        let (out, after) = rest.split_at_mut(chunk.rows());
        rest = after;
        for (row, out) in out.iter_mut().enumerate() {
            *out = chunk.get(row).map_or(MISSING, |bytes| {
                table.find(
                    bytes,
                    prefix(chunk.data(), chunk.range(row).start, bytes.len()),
                )
            });
        }
    }
    true
}

/// Writes the positions of the rows in the order of their bytes, which is that of code points.
///
/// Returns whether the lengths agree and no row is missing; else nothing is written.
pub fn order(chunks: &[Chunk<'_>], out: &mut [i64]) -> bool {
    let rows: Option<Vec<(u64, &[u8], i64)>> = (chunks.iter())
        .flat_map(|chunk| (0..chunk.rows()).map(|row| chunk.get(row)))
        .enumerate()
        .map(|(number, bytes)| {
            let bytes = bytes?;
            Some((
                prefix(bytes, 0, bytes.len()).swap_bytes(),
                bytes,
                number as i64,
            ))
        })
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
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn column(rows: &[Vec<u8>]) -> (Vec<i64>, Vec<u8>) {
        let ends = rows.iter().scan(0, |end, row| {
            *end += row.len() as i64;
            Some(*end)
        });
        (std::iter::once(0).chain(ends).collect(), rows.concat())
    }

    proptest! {
        #[test]
        fn codes_are_those_of_a_hash_map(
            rows in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(0..3_u8, 0..4),
                    proptest::collection::vec(0..2_u8, 7..20),
                ],
                0..600,
            ),
            cut in 0..600_usize,
        ) {
            let (offsets, data) = column(&rows);
            let cut = cut.min(rows.len());
            let chunks = [
                Chunk::new(None, &offsets[..=cut], &data).unwrap(),
                Chunk::new(None, &offsets[cut..], &data).unwrap(),
            ];
            let (mut codes, mut first) = (vec![7; rows.len()], vec![7; rows.len()]);
            let count = encode(&chunks, rows.len(), &mut codes, &mut first).unwrap();
            let (mut known, mut positions) = (HashMap::new(), Vec::new());
            for (number, row) in rows.iter().enumerate() {
                let next = known.len() as i32;
                let code = *known.entry(row).or_insert(next);
                if code == next {
                    positions.push(number as i64);
                }
                prop_assert_eq!(codes[number], code);
            }
            prop_assert_eq!(count, known.len());
            prop_assert_eq!(&first[..count], &positions[..]);
            let mut found = vec![7; rows.len()];
            prop_assert_eq!(find(&chunks, &chunks, &mut found), count == rows.len());
            if cut > 0 && known.len() == rows.len() {
                prop_assert!(find(&chunks[..1], &chunks, &mut found));
                let expected = codes.iter().map(|&c| if c < cut as i32 { c } else { MISSING });
                prop_assert_eq!(found, expected.collect::<Vec<_>>());
            }
            if count > 0 {
                prop_assert_eq!(encode(&chunks, count - 1, &mut codes, &mut first), None);
            }
        }

        #[test]
        fn the_order_is_that_of_bytes(
            rows in proptest::collection::vec(proptest::collection::vec(0..3_u8, 0..12), 0..60),
        ) {
            let (offsets, data) = column(&rows);
            let chunk = Chunk::new(None, &offsets, &data).unwrap();
            let mut out = vec![0; rows.len()];
            prop_assert!(order(&[chunk], &mut out));
            let sorted: Vec<_> = out.iter().map(|&i| (&rows[i as usize], i)).collect();
            let mut expected: Vec<_> = rows.iter().zip(0..).collect();
            expected.sort();
            // Equal rows keep their order only if the position decides, as it does.
            prop_assert_eq!(sorted, expected);
        }
    }
}
