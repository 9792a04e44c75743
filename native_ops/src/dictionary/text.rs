//! Text as Arrow stores it.

use crate::dictionary::table::digest;
use crate::simd::{Kernel, dispatch};
use std::fmt;

/// Buffers that don't describe text, or don't fit each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// A chunk of strings as Arrow stores them, checked.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    pub(super) offsets: &'a [i64],
    pub(super) bytes: &'a [u8],
    pub(super) validity: Option<(&'a [u8], usize)>,
}

impl<'a> Text<'a> {
    /// A chunk with `offsets.len() - 1` strings.
    ///
    /// `validity` is Arrow's bitmap and the bit of the first string in it: a bit that is not set
    /// marks a missing string.
    ///
    /// # Errors
    ///
    /// When there are no offsets, they decrease or leave `bytes`, or the bitmap is too short.
    pub fn new(
        offsets: &'a [i64],
        bytes: &'a [u8],
        validity: Option<(&'a [u8], usize)>,
    ) -> Result<Self, Malformed> {
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
            return Err(Malformed("there are no offsets"));
        };
        let decreasing = dispatch(Decreasing(offsets));
        if first < 0 || decreasing || last as u64 > bytes.len() as u64 {
            return Err(Malformed("the offsets don't fit the text"));
        }
        if let Some((bits, start)) = validity
            && (start + offsets.len() - 1).div_ceil(8) > bits.len()
        {
            return Err(Malformed("the validity bitmap is too short"));
        }
        Ok(Self {
            offsets,
            bytes,
            validity,
        })
    }

    /// The number of strings.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether the string of a row is missing.
    #[inline(always)]
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        self.validity.is_some_and(|(bits, start)| {
            let bit = start + row;
            bits[bit / 8] & (1 << (bit % 8)) == 0
        })
    }

    /// The bytes of the string of a row, whether it is missing or not.
    #[inline(always)]
    #[must_use]
    pub fn bytes_of(&self, row: usize) -> &'a [u8] {
        &self.bytes[self.range(row)]
    }

    /// Where the string of a row is in the text.
    #[inline(always)]
    pub(crate) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// The string of a row, `None` where it is missing.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        (!self.is_missing(row)).then(|| self.bytes_of(row))
    }

    /// A word that only this string has, if it is short.
    #[inline(always)]
    pub(super) fn short(&self, start: usize, length: usize) -> Option<u64> {
        let bytes = self.bytes.get(start..start + 8)?;
        if length > 7 {
            return None;
        }
        let word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        Some(labelled(word & ((1 << (8 * length)) - 1), length))
    }

    /// A word by which to find a string, and whether only this string has it.
    #[inline(always)]
    pub(super) fn tag(&self, start: usize, string: &[u8]) -> (u64, bool) {
        if string.len() > 7 {
            return (digest(string), false);
        }
        let word = self.short(start, string.len()).unwrap_or_else(|| {
            // At the end of the text.
            let mut bytes = [0; 8];
            bytes[..string.len()].copy_from_slice(string);
            labelled(u64::from_le_bytes(bytes), string.len())
        });
        (word, true)
    }
}

fn labelled(word: u64, length: usize) -> u64 {
    word | (length as u64) << 56
}

struct Decreasing<'a>(&'a [i64]);

impl Kernel for Decreasing<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let mut decreasing = false;
        for pair in self.0.windows(2) {
            decreasing |= pair[1] < pair[0];
        }
        decreasing
    }
}
