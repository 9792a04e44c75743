//! Where cells end: 64 bytes at a time become bits, and bits positions.

use crate::simd::{Kernel, dispatch};

/// What lies between cells outside of quotes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// How many positions were written.
    pub(super) ends: usize,
    /// How many of them are newlines.
    pub(super) lines: usize,
    /// How many quotes there are.
    pub(super) quotes: usize,
    /// Whether a newline is, or the text ends, inside of quotes.
    pub(super) open: bool,
}

/// Positions that may be written at once past the last.
const SPARE: usize = 24;

/// Finds all commas and newlines of a text that are not inside of quotes.
///
/// `ends` grows as needed; its first [`Found::ends`] entries are the positions.
pub(super) fn split(text: &[u8], quoted: bool, ends: &mut Vec<u32>) -> Found {
    if ends.len() < text.len() + 64 + SPARE {
        ends.resize(text.len() + 64 + SPARE, 0);
    }
    if quoted {
        dispatch(Split::<true> { text, ends })
    } else {
        dispatch(Split::<false> { text, ends })
    }
}

struct Split<'a, const QUOTED: bool> {
    text: &'a [u8],
    ends: &'a mut [u32],
}

impl<const QUOTED: bool> Kernel for Split<'_, QUOTED> {
    type Output = Found;

    #[inline(always)]
    fn run(self) -> Found {
        let mut found = Found::default();
        // All ones while the text is inside of quotes.
        let mut inside = 0_u64;
        let (blocks, rest) = self.text.as_chunks::<64>();
        for (number, block) in blocks.iter().enumerate() {
            inside = step::<QUOTED>(block, number * 64, inside, &mut found, self.ends);
        }
        if !rest.is_empty() {
            let mut block = [0; 64];
            block[..rest.len()].copy_from_slice(rest);
            let start = blocks.len() * 64;
            inside = step::<QUOTED>(&block, start, inside, &mut found, self.ends);
        }
        found.open |= inside != 0;
        found
    }
}

/// Writes the positions of one block; returns whether its end is inside of quotes.
#[inline(always)]
fn step<const QUOTED: bool>(
    block: &[u8; 64],
    start: usize,
    inside: u64,
    found: &mut Found,
    ends: &mut [u32],
) -> u64 {
    let (commas, newlines) = (equal(block, b','), equal(block, b'\n'));
    let (mut bits, mut after) = (commas | newlines, 0);
    if QUOTED {
        let quotes = equal(block, b'"');
        let within = parities(quotes) ^ inside;
        found.quotes += quotes.count_ones() as usize;
        found.open |= newlines & within != 0;
        bits &= !within;
        after = 0_u64.wrapping_sub(within >> 63);
    }
    found.lines += newlines.count_ones() as usize;
    let count = bits.count_ones() as usize;
    let room = &mut ends[found.ends..found.ends + 64 + SPARE];
    let start = start as u32;
    // Many at once, whether there are as many or not: a branch for each would be guessed wrong.
    write::<8>(room, start, &mut bits);
    if count > 8 {
        write::<8>(&mut room[8..], start, &mut bits);
    }
    if count > 16 {
        write::<8>(&mut room[16..], start, &mut bits);
        let mut done = 24;
        while bits != 0 {
            write::<1>(&mut room[done..], start, &mut bits);
            done += 1;
        }
    }
    found.ends += count;
    after
}

/// Takes the lowest bits, and writes their positions; anything where there are fewer.
#[inline(always)]
fn write<const N: usize>(room: &mut [u32], start: u32, bits: &mut u64) {
    for place in room.first_chunk_mut::<N>().expect("there is room") {
        // SAFETY: a place to write to. Each by itself, because putting positions together first
        // takes longer, which compilers don't see.
        unsafe { std::ptr::write_volatile(place, start + bits.trailing_zeros()) };
        *bits &= bits.wrapping_sub(1);
    }
}

/// For each bit, whether the number of bits up to it is odd.
#[inline(always)]
fn parities(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// One bit for each byte that equals another.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn equal(block: &[u8; 64], byte: u8) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};

    let mut bits = 0;
    for i in 0..4 {
        // SAFETY: 16 bytes of the block; SSE2 is part of x86-64.
        let mask = unsafe {
            let part = _mm_loadu_si128(block.as_ptr().add(16 * i).cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(part, _mm_set1_epi8(byte as i8)))
        };
        bits |= u64::from(mask as u16) << (16 * i);
    }
    bits
}

#[cfg(not(target_arch = "x86_64"))]
use equal_anywhere as equal;

/// The same on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
fn equal_anywhere(block: &[u8; 64], byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let mut bits = 0;
    for (i, part) in block.as_chunks::<8>().0.iter().enumerate() {
        let other = u64::from_le_bytes(*part) ^ u64::from_ne_bytes([byte; 8]);
        // The highest bit of each byte that is zero, then those eight bits side by side.
        let zeros = !(((other & LOW) + LOW) | other | LOW);
        bits |= (zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56 << (8 * i);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Byte by byte.
    fn plainly(text: &[u8], quoted: bool) -> (Vec<u32>, usize, bool) {
        let (mut ends, mut lines, mut inside, mut open) = (vec![], 0, false, false);
        for (i, &byte) in text.iter().enumerate() {
            inside ^= quoted && byte == b'"';
            lines += usize::from(byte == b'\n');
            open |= byte == b'\n' && inside;
            if matches!(byte, b',' | b'\n') && !inside {
                ends.push(i as u32);
            }
        }
        (ends, lines, open | inside)
    }

    proptest! {
        #[test]
        fn bytes_are_compared_alike_everywhere(
            bytes in proptest::collection::vec(prop_oneof![Just(b','), any::<u8>()], 64),
            byte: u8,
        ) {
            let block: &[u8; 64] = bytes[..].try_into().unwrap();
            for byte in [byte, b',', bytes[5]] {
                prop_assert_eq!(equal(block, byte), equal_anywhere(block, byte));
            }
        }

        #[test]
        fn positions_are_those_found_byte_by_byte(
            text in proptest::collection::vec(
                prop_oneof![Just(b','), Just(b'\n'), Just(b'"'), Just(b'a'), any::<u8>()],
                0..400,
            ),
            quoted: bool,
        ) {
            let mut ends = Vec::new();
            let found = split(&text, quoted, &mut ends);
            let (expected, lines, open) = plainly(&text, quoted);
            prop_assert_eq!(&ends[..found.ends], &expected[..]);
            prop_assert_eq!((found.lines, found.open), (lines, open));
            let quotes = text.iter().filter(|&&byte| quoted && byte == b'"').count();
            prop_assert_eq!(found.quotes, quotes);
        }
    }
}
