//! Strings picked by position.

use super::{Chunk, TextError};
use crate::column::Position;

/// Bytes that are copied at once.
const WIDE: usize = 32;

/// The strings of a column, ready to be picked.
///
/// The entry after the last is for positions that there are not: so picking needs no branch that
/// depends on the data. The bytes are copied, with some to spare, so that short strings can be
/// picked as blocks.
#[derive(Debug)]
pub struct Strings {
    places: Vec<Place>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    length: u32,
    valid: bool,
}

impl Strings {
    /// The strings of some chunks; positions that there are not mean the last one if `last`, else
    /// a missing string.
    ///
    /// # Errors
    ///
    /// When a string is too long.
    pub fn new(chunks: &[Chunk<'_>], last: bool) -> Result<Self, TextError> {
        let rows = chunks.iter().map(Chunk::rows).sum::<usize>();
        let (mut places, mut bytes) = (Vec::with_capacity(rows + 1), Vec::new());
        for chunk in chunks.iter().filter(|chunk| chunk.rows() > 0) {
            let all = chunk.range(0).start..chunk.range(chunk.rows() - 1).end;
            let shift = bytes.len();
            let mut longest = 0;
            for row in 0..chunk.rows() {
                let range = chunk.range(row);
                let valid = chunk.is_valid(row);
                let length = if valid { range.len() } else { 0 };
                longest = longest.max(length);
                places.push(Place {
                    start: (shift + range.start - all.start) as u64,
                    length: length as u32,
                    valid,
                });
            }
            if longest > u32::MAX as usize {
                return Err(TextError("a string is too long"));
            }
            bytes.extend_from_slice(&chunk.data()[all]);
        }
        bytes.extend([0; WIDE]);
        let missing = Place {
            start: 0,
            length: 0,
            valid: false,
        };
        places.push(*places.last().filter(|_| last).unwrap_or(&missing));
        Ok(Self { places, bytes })
    }

    #[inline(always)]
    fn at(&self, position: impl Position) -> Place {
        self.places[position.index().min(self.places.len() - 1)]
    }

    /// Writes where each of the picked strings ends, after a 0, and Arrow's bitmap of those that
    /// are not missing; returns how many are missing.
    ///
    /// # Panics
    ///
    /// When `ends` is not one longer than `positions`, or `validity` too short.
    pub fn measure<P: Position>(
        &self,
        positions: &[P],
        ends: &mut [i64],
        validity: &mut [u8],
    ) -> usize {
        assert_eq!(ends.len(), positions.len() + 1);
        assert!(validity.len() >= positions.len().div_ceil(8));
        ends[0] = 0;
        let (mut end, mut present) = (0, 0);
        let rows = positions.chunks(8).zip(ends[1..].chunks_mut(8));
        for ((positions, ends), bits) in rows.zip(validity) {
            *bits = 0;
            for (row, (&position, out)) in positions.iter().zip(ends).enumerate() {
                let place = self.at(position);
                end += i64::from(place.length);
                *out = end;
                *bits |= u8::from(place.valid) << row;
            }
            present += bits.count_ones() as usize;
        }
        positions.len() - present
    }

    /// Writes the picked strings one after the other.
    ///
    /// # Errors
    ///
    /// When `out` has not just the room for them.
    pub fn copy<P: Position>(&self, positions: &[P], out: &mut [u8]) -> Result<(), TextError> {
        let mut room = out;
        for &position in positions {
            let place = self.at(position);
            let (start, length) = (place.start as usize, place.length as usize);
            let text = &self.bytes[start..];
            // One wide copy is quicker than one of the right length; the next string, if there
            // is one, overwrites what is too much.
            match (text.first_chunk::<WIDE>(), room.first_chunk_mut::<WIDE>()) {
                (Some(source), Some(target)) if length <= WIDE => *target = *source,
                _ => match (text.get(..length), room.get_mut(..length)) {
                    (Some(source), Some(target)) => target.copy_from_slice(source),
                    _ => return Err(TextError("there is too little room")),
                },
            }
            room = &mut room[length..];
        }
        if room.is_empty() {
            return Ok(());
        }
        Err(TextError("there is too much room"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::Buffers;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_picked_from_all_chunks(
            words in prop::collection::vec(prop::option::of("[a-cé]{0,50}"), 0..9),
            cut in 0..9_usize,
            positions in prop::collection::vec(-2..10_i32, 0..40),
            last: bool,
        ) {
            let (head, tail) = words.split_at(cut.min(words.len()));
            let buffers = [Buffers::new(head, 3), Buffers::new(tail, 0)];
            let chunks: Vec<_> = buffers.iter().map(Buffers::chunk).collect();
            let strings = Strings::new(&chunks, last).unwrap();
            let mut ends = vec![7; positions.len() + 1];
            let mut validity = vec![7; positions.len().div_ceil(8)];
            let missing = strings.measure(&positions, &mut ends, &mut validity);
            let mut out = vec![9; ends[positions.len()] as usize];
            strings.copy(&positions, &mut out).unwrap();
            let result = Chunk::new(Some((&validity, 0)), &ends, &out).unwrap();
            let other = words.last().filter(|_| last).cloned().flatten();
            let mut absent = 0;
            for (row, &position) in positions.iter().enumerate() {
                let word = words.get(position as usize).unwrap_or(&other);
                prop_assert_eq!(result.get(row), word.as_deref().map(str::as_bytes));
                absent += usize::from(word.is_none());
            }
            prop_assert_eq!(missing, absent);
            let wide: Vec<i64> = positions.iter().map(|&position| position.into()).collect();
            let mut again = out.clone();
            strings.copy(&wide, &mut again).unwrap();
            prop_assert_eq!(&again, &out);
            out.push(0);
            prop_assert!(strings.copy(&positions, &mut out).is_err());
            prop_assert!(out.len() < 2 || strings.copy(&positions, &mut again[1..]).is_err());
        }
    }
}
