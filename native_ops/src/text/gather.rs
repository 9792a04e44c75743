//! Strings picked by position.

use super::{Chunk, TextError};
use crate::column::Position;
use crate::simd::{Kernel, dispatch};

/// The strings of a column, ready to be picked.
///
/// Short strings lie in slots, which are picked whole: copies of one size need neither branches
/// nor calls. The slot after the last is for positions that there are not.
#[derive(Debug)]
pub struct Strings {
    slots: Slots,
    long: Vec<u8>,
}

/// Narrow slots are picked faster, if all strings are short enough for them.
#[derive(Debug)]
enum Slots {
    Narrow(Vec<Slot<16>>),
    Wide(Vec<Slot<32>>),
}

/// The bytes of a short string, or where a long one starts and its length; the last byte is a tag.
///
/// Tags of short strings are twice their length, and one more if they are there.
#[derive(Clone, Copy, Debug)]
struct Slot<const SIZE: usize>([u8; SIZE]);

const LONG: u8 = u8::MAX;

impl<const SIZE: usize> Slot<SIZE> {
    const MISSING: Self = Self([0; SIZE]);

    /// Makes the slot of a row; long strings are appended to `long`.
    fn new(chunk: &Chunk<'_>, row: usize, long: &mut Vec<u8>) -> Result<Self, TextError> {
        let Some(text) = chunk.get(row) else {
            return Ok(Self::MISSING);
        };
        let mut slot = [0; SIZE];
        slot[SIZE - 1] = LONG;
        if text.len() < SIZE {
            // What follows in the chunk does no harm, and is quicker to copy than to leave out.
            match chunk.data()[chunk.range(row).start..].first_chunk() {
                Some(wide) => slot = *wide,
                None => slot[..text.len()].copy_from_slice(text),
            }
            slot[SIZE - 1] = (text.len() as u8) << 1 | 1;
            return Ok(Self(slot));
        }
        let length = u32::try_from(text.len()).map_err(|_| TextError("a string is too long"))?;
        slot[..8].copy_from_slice(&(long.len() as u64).to_le_bytes());
        slot[8..12].copy_from_slice(&length.to_le_bytes());
        long.extend_from_slice(text);
        Ok(Self(slot))
    }

    #[inline(always)]
    fn tag(&self) -> u8 {
        self.0[SIZE - 1]
    }

    /// The string's length; at least `SIZE` if it is a long one.
    #[inline(always)]
    fn length(&self) -> usize {
        if self.tag() == LONG {
            return self.number(8, 4);
        }
        usize::from(self.tag() >> 1)
    }

    fn text<'a>(&'a self, long: &'a [u8]) -> Option<&'a [u8]> {
        if self.tag() == LONG {
            return long.get(self.number(0, 8)..)?.get(..self.length());
        }
        self.0.get(..self.length())
    }

    /// The number in some bytes.
    fn number(&self, start: usize, size: usize) -> usize {
        let bytes = self.0[start..start + size].iter().rev();
        bytes.fold(0, |number, &byte| number << 8 | usize::from(byte))
    }
}

impl Strings {
    /// The strings of some chunks; positions that there are not mean the last one if `last`, else
    /// a missing string.
    ///
    /// # Errors
    ///
    /// When a string is too long.
    pub fn new(chunks: &[Chunk<'_>], last: bool) -> Result<Self, TextError> {
        let ends = chunks.iter().flat_map(|chunk| chunk.offsets().windows(2));
        let longest = ends.map(|ends| ends[1] - ends[0]).max();
        let mut long = Vec::new();
        let slots = if longest.is_none_or(|longest| longest < 16) {
            Slots::Narrow(slots(chunks, last, &mut long)?)
        } else {
            Slots::Wide(slots(chunks, last, &mut long)?)
        };
        Ok(Self { slots, long })
    }

    /// How many bytes picked strings have, if each string is picked so often; the number after the
    /// last is of positions that there are not.
    #[must_use]
    pub fn bytes(&self, counts: &[i64]) -> usize {
        match &self.slots {
            Slots::Narrow(slots) => bytes(slots, counts),
            Slots::Wide(slots) => bytes(slots, counts),
        }
    }

    /// Writes the picked strings one after the other, where each of them ends, after a 0, and
    /// Arrow's bitmap of those that are not missing; returns how many are missing.
    ///
    /// # Errors
    ///
    /// When `ends` is not one longer than `positions`, `validity` too short, or `out` has not just
    /// the room for the strings.
    pub fn pick<P: Position>(
        &self,
        positions: &[P],
        ends: &mut [i64],
        validity: &mut [u8],
        out: &mut [u8],
    ) -> Result<usize, TextError> {
        let Some((first, ends)) = ends.split_first_mut() else {
            return Err(TextError("the lengths differ"));
        };
        *first = 0;
        if ends.len() != positions.len() || validity.len() < positions.len().div_ceil(8) {
            return Err(TextError("the lengths differ"));
        }
        let rows = Rows {
            positions,
            ends,
            validity,
        };
        let copies = Copies {
            long: &self.long,
            out,
            end: 0,
        };
        match &self.slots {
            Slots::Narrow(slots) => dispatch(Pick(slots, rows, copies)),
            Slots::Wide(slots) => dispatch(Pick(slots, rows, copies)),
        }
        .ok_or(TextError("there is too little or too much room"))
    }
}

fn slots<const SIZE: usize>(
    chunks: &[Chunk<'_>],
    last: bool,
    long: &mut Vec<u8>,
) -> Result<Vec<Slot<SIZE>>, TextError> {
    let mut slots = Vec::with_capacity(chunks.iter().map(Chunk::rows).sum::<usize>() + 1);
    for chunk in chunks {
        for row in 0..chunk.rows() {
            slots.push(Slot::new(chunk, row, long)?);
        }
    }
    let other = slots.last().filter(|_| last).copied();
    slots.push(other.unwrap_or(Slot::MISSING));
    Ok(slots)
}

fn bytes<const SIZE: usize>(slots: &[Slot<SIZE>], counts: &[i64]) -> usize {
    let each = slots.iter().zip(counts);
    each.fold(0, |sum: usize, (slot, &count)| {
        // Numbers that are no counts give a size that `pick` refuses.
        sum.wrapping_add(slot.length().wrapping_mul(count as usize))
    })
}

/// The slot at a position, or the one after the last.
#[inline(always)]
fn at<const SIZE: usize>(slots: &[Slot<SIZE>], position: impl Position) -> &Slot<SIZE> {
    let last = slots.len().saturating_sub(1);
    &slots[position.index().min(last)]
}

struct Rows<'a, P> {
    positions: &'a [P],
    ends: &'a mut [i64],
    validity: &'a mut [u8],
}

/// Returns how many strings are missing, none if there is not just the room for all.
struct Pick<'a, P, const SIZE: usize>(&'a [Slot<SIZE>], Rows<'a, P>, Copies<'a>);

impl<P: Position, const SIZE: usize> Kernel for Pick<'_, P, SIZE> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self) -> Option<usize> {
        let Self(slots, rows, mut copies) = self;
        let (blocks, rest) = rows.positions.as_chunks::<8>();
        let (block_ends, rest_ends) = rows.ends.as_chunks_mut::<8>();
        let (validity, rest_validity) = rows.validity.split_at_mut(blocks.len());
        let mut present = 0;
        for ((positions, ends), bits) in blocks.iter().zip(block_ends).zip(validity) {
            *bits = copies.pick(slots, positions, ends)?;
            present += bits.count_ones() as usize;
        }
        if let Some(bits) = rest_validity.first_mut() {
            *bits = copies.pick(slots, rest, rest_ends)?;
            present += bits.count_ones() as usize;
        }
        copies
            .out
            .is_empty()
            .then_some(rows.positions.len() - present)
    }
}

/// Where strings are copied to, how many bytes have been, and where long ones come from.
struct Copies<'a> {
    long: &'a [u8],
    out: &'a mut [u8],
    end: i64,
}

impl Copies<'_> {
    /// Copies at most eight strings; returns a bit for each that is there.
    #[inline(always)]
    fn pick<const SIZE: usize>(
        &mut self,
        slots: &[Slot<SIZE>],
        positions: &[impl Position],
        ends: &mut [i64],
    ) -> Option<u8> {
        let mut valid = 0;
        for (row, (&position, end)) in positions.iter().zip(ends).enumerate() {
            let slot = at(slots, position);
            let mut length = usize::from(slot.tag() >> 1);
            match self.out.first_chunk_mut() {
                // The next string, if there is one, overwrites what is too much.
                Some(target) if length < SIZE => *target = slot.0,
                _ => length = copy(slot.text(self.long)?, self.out)?,
            }
            self.out = &mut std::mem::take(&mut self.out)[length..];
            self.end += length as i64;
            *end = self.end;
            valid |= (slot.tag() & 1) << row;
        }
        Some(valid)
    }
}

/// Copies a text of any length, and returns it. Apart from the loop, or the compiler calls `memcpy`
/// for short strings, too.
#[cold]
#[inline(never)]
fn copy(text: &[u8], out: &mut [u8]) -> Option<usize> {
    out.get_mut(..text.len())?.copy_from_slice(text);
    Some(text.len())
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
            let mut counts = vec![0; words.len() + 1];
            for &position in &positions {
                counts[(position as usize).min(words.len())] += 1;
            }
            let mut out = vec![9; strings.bytes(&counts)];
            let missing = strings.pick(&positions, &mut ends, &mut validity, &mut out).unwrap();
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
            let (mut again, mut other_ends) = (vec![9; out.len()], ends.clone());
            let mut pick = |ends: &mut [i64], out: &mut [u8]| {
                strings.pick(&wide, ends, &mut validity, out)
            };
            prop_assert_eq!(pick(&mut other_ends, &mut again), Ok(missing));
            prop_assert_eq!((&again, &other_ends), (&out, &ends));
            out.push(0);
            prop_assert!(pick(&mut ends, &mut out).is_err());
            prop_assert!(again.is_empty() || pick(&mut ends, &mut again[1..]).is_err());
            prop_assert!(pick(&mut ends[1..], &mut again).is_err());
            let short = positions.len().saturating_sub(1) / 8;
            let refused = strings.pick(&positions, &mut ends, &mut validity[..short], &mut again);
            prop_assert!(positions.is_empty() || refused.is_err());
        }
    }
}
