//! Codes for strings: those of up to seven bytes, as most are, are compared as one machine word.

use super::MISSING;
use super::table::{Table, digest};
use crate::text::Chunk;

/// After how many rows a column is given up when most of them are distinct.
const SAMPLE: usize = 4_096;

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
    /// Writes the code of each string of a chunk, -1 for missing ones, and calls `found` with the
    /// row of each string that is new.
    ///
    /// # Panics
    ///
    /// When `codes` has another length than the chunk.
    pub fn encode(&mut self, chunk: Chunk<'a>, codes: &mut [i32], found: impl FnMut(usize)) {
        assert_eq!(chunk.rows(), codes.len());
        // Without a test per row where nothing is missing.
        if chunk.is_complete() {
            self.encode_rows(chunk, codes, |_| true, found);
        } else {
            self.encode_rows(chunk, codes, |row| chunk.is_valid(row), found);
        }
    }

    #[inline(always)]
    fn encode_rows(
        &mut self,
        chunk: Chunk<'a>,
        codes: &mut [i32],
        is_valid: impl Fn(usize) -> bool,
        mut found: impl FnMut(usize),
    ) {
        for (row, (code, ends)) in codes.iter_mut().zip(chunk.offsets().windows(2)).enumerate() {
            let (start, end) = (ends[0] as usize, ends[1] as usize);
            *code = if !is_valid(row) {
                MISSING
            } else if let Some(tag) = short(chunk, start, end - start)
                && let Some(known) = self.table.at_home(tag)
            {
                known as i32
            } else {
                self.code(chunk, start..end, || found(row))
            };
        }
    }

    /// The code of the string at some bytes, which is new or known.
    fn code(
        &mut self,
        chunk: Chunk<'a>,
        range: std::ops::Range<usize>,
        found: impl FnOnce(),
    ) -> i32 {
        let (tag, string) = (tag(chunk, range.clone()), &chunk.data()[range]);
        let next = self.strings.len();
        let (at, known) = self.find(tag, string);
        if known == next {
            self.strings.push(string);
            self.table.insert(at, tag, next);
            found();
        }
        known as i32
    }

    /// Where a string is in the table, and its code; the number of strings if it has none.
    #[inline(always)]
    fn find(&self, tag: u64, string: &[u8]) -> (usize, usize) {
        // Tags of short strings are the strings.
        let short = string.len() <= SHORT;
        self.table
            .find(tag, |number| short || self.strings[number] == string)
    }

    /// Writes the code that each string has, -1 for strings without one.
    ///
    /// # Panics
    ///
    /// When `codes` has another length than the chunk.
    pub fn look_up(&self, chunk: Chunk<'_>, codes: &mut [i32]) {
        assert_eq!(chunk.rows(), codes.len());
        for (row, code) in codes.iter_mut().enumerate() {
            *code = MISSING;
            if let Some(string) = chunk.get(row) {
                let (_, known) = self.find(tag(chunk, chunk.range(row)), string);
                if known < self.strings.len() {
                    *code = known as i32;
                }
            }
        }
    }

    /// The string of each code.
    #[must_use]
    pub fn strings(&self) -> &[&'a [u8]] {
        &self.strings
    }
}

/// The most bytes that fit into a word with their number.
const SHORT: usize = 7;

/// A word that only this string has, if it is short and not at the end of the data.
#[inline(always)]
fn short(chunk: Chunk<'_>, start: usize, length: usize) -> Option<u64> {
    let bytes = chunk.data().get(start..start + 8)?;
    if length > SHORT {
        return None;
    }
    let word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    Some(labelled(word & ((1 << (8 * length)) - 1), length))
}

/// A word by which to find a string; that of a short one is its own.
#[inline(always)]
fn tag(chunk: Chunk<'_>, range: std::ops::Range<usize>) -> u64 {
    let length = range.len();
    if length > SHORT {
        return digest(&chunk.data()[range]);
    }
    short(chunk, range.start, length).unwrap_or_else(|| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&chunk.data()[range]);
        labelled(u64::from_le_bytes(bytes), length)
    })
}

fn labelled(word: u64, length: usize) -> u64 {
    word | (length as u64) << 56
}

/// Writes the code of each row, and at which row each code first appears.
///
/// Returns the encoder, which has the distinct strings; nothing when there are more than `limit`,
/// or seem to be (from the first rows), or when an output has another length than the column, or
/// rows are too many for the codes.
///
/// ```
/// use stratum_native_ops::{Chunk, dictionary::encode};
/// let chunk = Chunk::new(Some((&[0b1011], 0)), &[0, 1, 2, 2, 3], b"aba")?;
/// let (mut codes, mut firsts) = ([0; 4], [0; 4]);
/// let found = encode(&[chunk], 4, &mut codes, &mut firsts).unwrap();
/// assert_eq!(found.strings(), [b"a", b"b"]);
/// assert_eq!(codes, [0, 1, -1, 0]);
/// assert_eq!(firsts[..2], [0, 1]);
/// # Ok::<(), stratum_native_ops::TextError>(())
/// ```
pub fn encode<'a>(
    chunks: &[Chunk<'a>],
    limit: usize,
    codes: &mut [i32],
    firsts: &mut [i64],
) -> Option<TextEncoder<'a>> {
    let rows = chunks.iter().map(Chunk::rows).sum::<usize>();
    if codes.len() != rows || firsts.len() != rows || rows >= i32::MAX as usize {
        return None;
    }
    let mut encoder = TextEncoder::default();
    let (mut start, mut found, mut sampled) = (0, 0, limit >= rows);
    for chunk in chunks {
        for part in chunk.parts(SAMPLE) {
            let end = start + part.rows();
            encoder.encode(part, &mut codes[start..end], |row| {
                firsts[found] = (start + row) as i64;
                found += 1;
            });
            start = end;
            let many = !sampled && start >= SAMPLE && found > start / 4 * 3;
            if found > limit || many {
                return None;
            }
            sampled |= start >= SAMPLE;
        }
    }
    Some(encoder)
}

/// Writes at which row of `keys` each row's string is, -1 where it is missing or nowhere.
///
/// Returns whether it did: lengths agree, and the keys are distinct and none is missing.
pub fn find(keys: &[Chunk<'_>], chunks: &[Chunk<'_>], out: &mut [i32]) -> bool {
    let count = keys.iter().map(Chunk::rows).sum::<usize>();
    let (mut codes, mut firsts) = (vec![0; count], vec![0; count]);
    let encoder = match encode(keys, count, &mut codes, &mut firsts) {
        Some(encoder) if encoder.strings.len() == count => encoder,
        _ => return false,
    };
    if out.len() != chunks.iter().map(Chunk::rows).sum::<usize>() {
        return false;
    }
    let mut rest = out;
    for chunk in chunks {
        let (out, after) = rest.split_at_mut(chunk.rows());
        encoder.look_up(*chunk, out);
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::Buffers;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn expected(strings: &[Option<String>]) -> (Vec<i32>, Vec<i64>) {
        let (mut known, mut firsts) = (HashMap::new(), Vec::new());
        let codes = strings.iter().enumerate().map(|(row, string)| {
            string.as_ref().map_or(MISSING, |string| {
                let next = known.len() as i32;
                *known.entry(string.clone()).or_insert_with(|| {
                    firsts.push(row as i64);
                    next
                })
            })
        });
        (codes.collect(), firsts)
    }

    proptest! {
        #[test]
        fn codes_are_those_of_a_hash_map(
            strings in prop::collection::vec(
                prop::option::weighted(0.9, "[ab\0é]{0,12}|[a-c]{0,3}|[ab]{7,20}"), 0..600
            ),
            cut in 0..600_usize,
            start in 0..9_usize,
        ) {
            let (head, tail) = strings.split_at(cut.min(strings.len()));
            let buffers = [Buffers::new(head, start), Buffers::new(tail, 0)];
            let chunks: Vec<_> = buffers.iter().map(Buffers::chunk).collect();
            let (mut codes, mut firsts) = (vec![7; strings.len()], vec![7; strings.len()]);
            let encoder = encode(&chunks, strings.len(), &mut codes, &mut firsts).unwrap();
            let (wanted, rows) = expected(&strings);
            prop_assert_eq!(&codes, &wanted);
            prop_assert_eq!(&firsts[..rows.len()], &rows[..]);
            let first = rows.iter().map(|&row| strings[row as usize].as_ref().unwrap().as_bytes());
            prop_assert!(encoder.strings().iter().copied().eq(first));
            let mut again = vec![7; tail.len()];
            encoder.look_up(chunks[1], &mut again);
            prop_assert_eq!(&again, &codes[head.len()..]);
            let mut found = vec![7; strings.len()];
            prop_assert_eq!(find(&chunks, &chunks, &mut found), rows.len() == strings.len());
            if rows.len() == strings.len() {
                prop_assert!(find(&chunks[..1], &chunks, &mut found));
                let cut = head.len() as i32;
                let wanted = codes.iter().map(|&c| if c < cut { c } else { MISSING });
                prop_assert_eq!(found, wanted.collect::<Vec<_>>());
            }
            if !rows.is_empty() {
                let few = encode(&chunks, rows.len() - 1, &mut codes, &mut firsts);
                prop_assert!(few.is_none());
            }
        }
    }

    #[test]
    fn columns_of_distinct_strings_are_given_up_early() {
        let strings: Vec<_> = (0..3 * SAMPLE).map(|i| Some(i.to_string())).collect();
        let buffers = Buffers::new(&strings, 0);
        let (mut codes, mut firsts) = (vec![7; strings.len()], vec![7; strings.len()]);
        let limit = strings.len() - 1;
        assert!(encode(&[buffers.chunk()], limit, &mut codes, &mut firsts).is_none());
        assert_eq!(codes[SAMPLE..][0], 7);
    }

    #[test]
    fn many_long_strings_keep_apart() {
        let strings: Vec<_> = (0..5000)
            .map(|i| Some(format!("a string of some length {}", i % 1234)))
            .collect();
        let buffers = Buffers::new(&strings, 0);
        let mut codes = vec![0; strings.len()];
        TextEncoder::default().encode(buffers.chunk(), &mut codes, |_| ());
        assert_eq!(codes, expected(&strings).0);
    }
}
