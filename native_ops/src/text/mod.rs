//! Columns of strings in Arrow's layout: chunks of offsets into bytes, with a bitmap of what is
//! there.

mod casing;
mod gather;
mod joining;
mod matching;
mod order;

use crate::simd::{Kernel, dispatch};
pub use casing::{Case, change_case};
pub use gather::Strings;
pub use joining::{Part, join};
pub use matching::{Test, lengths, matches};
pub use order::order;
use std::fmt;

/// Why memory is no column of strings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextError(pub &'static str);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for TextError {}

/// One chunk of a column of strings. All offsets have been checked.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Bits by row, the first row's at the position that is given too; none: every row is there.
    validity: Option<(&'a [u8], usize)>,
    offsets: &'a [i64],
    data: &'a [u8],
    /// How many bytes each row has, if all have as many.
    stride: Option<usize>,
}

impl<'a> Chunk<'a> {
    /// A chunk with one row less than it has offsets.
    ///
    /// # Errors
    ///
    /// When the bitmap is too short, or offsets are not ascending or lie outside the bytes.
    ///
    /// ```
    /// use stratum_native_ops::Chunk;
    /// let chunk = Chunk::new(Some((&[0b01], 0)), &[0, 3, 3], b"one")?;
    /// assert_eq!((chunk.get(0), chunk.get(1)), (Some(b"one".as_slice()), None));
    /// assert!(Chunk::new(None, &[0, 4], b"one").is_err());
    /// # Ok::<(), stratum_native_ops::TextError>(())
    /// ```
    pub fn new(
        validity: Option<(&'a [u8], usize)>,
        offsets: &'a [i64],
        data: &'a [u8],
    ) -> Result<Self, TextError> {
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
            return Err(TextError("a chunk has no offsets"));
        };
        if first < 0 || usize::try_from(last).is_ok_and(|last| last > data.len()) {
            return Err(TextError("offsets lie outside the bytes"));
        }
        let steps = dispatch(Steps(offsets));
        if steps.descend {
            return Err(TextError("offsets are not ascending"));
        }
        if let Some((bits, start)) = validity {
            let needed = (offsets.len() - 1)
                .checked_add(start)
                .map(|n| n.div_ceil(8));
            if needed.is_none_or(|needed| needed > bits.len()) {
                return Err(TextError("the bitmap is too short"));
            }
        }
        Ok(Self {
            validity,
            offsets,
            data,
            stride: steps.stride,
        })
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The number of bytes that the rows have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        used(self).len()
    }

    /// The chunk in parts of so many rows, the last one perhaps shorter.
    pub(crate) fn parts(self, rows: usize) -> impl Iterator<Item = Self> {
        (0..self.rows()).step_by(rows).map(move |start| {
            let end = self.rows().min(start + rows);
            Self {
                validity: self.validity.map(|(bits, first)| (bits, first + start)),
                offsets: &self.offsets[start..=end],
                ..self
            }
        })
    }

    /// Whether it is known that every row is there.
    pub(crate) fn is_complete(&self) -> bool {
        self.validity.is_none()
    }

    /// The bytes of each row, if all rows are known to be there and have `width` bytes.
    pub(crate) fn rows_of(&self, width: usize) -> Option<&'a [u8]> {
        let even = self.validity.is_none() && self.stride == Some(width);
        even.then(|| &self.data[self.offsets[0] as usize..])
    }

    /// Whether a row is there.
    #[inline(always)]
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|(bits, start)| {
            let bit = start + row;
            bits[bit / 8] >> (bit % 8) & 1 == 1
        })
    }

    /// The bytes of a row, none if it is missing.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        self.is_valid(row).then(|| &self.data[self.range(row)])
    }

    /// Where a row's bytes are in [`Self::data`], be it there or not.
    #[inline(always)]
    pub(crate) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// Where each row starts in [`Self::data`], and where the last one ends.
    pub(crate) fn offsets(&self) -> &'a [i64] {
        self.offsets
    }

    /// The bytes of all rows.
    pub(crate) fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// The bytes of a chunk's rows.
fn used<'a>(chunk: &Chunk<'a>) -> &'a [u8] {
    let offsets = chunk.offsets();
    &chunk.data()[offsets[0] as usize..offsets[offsets.len() - 1] as usize]
}

/// What the steps from one offset to the next are like, of which the first is not negative.
struct Steps<'a>(&'a [i64]);

struct StepsFound {
    descend: bool,
    /// The step that all are.
    stride: Option<usize>,
}

impl Kernel for Steps<'_> {
    type Output = StepsFound;

    #[inline(always)]
    fn run(self) -> StepsFound {
        let pairs = self.0.windows(2);
        let stride = (pairs.clone().next()).map_or(0, |pair| pair[1].wrapping_sub(pair[0]));
        // No early exit, so that it is compiled to vector instructions. Between offsets that are
        // not negative no step overflows.
        let (mut signs, mut others) = (0, 0);
        for pair in pairs {
            let step = pair[1].wrapping_sub(pair[0]);
            signs |= step | pair[1];
            others |= step ^ stride;
        }
        StepsFound {
            descend: signs < 0,
            stride: (others == 0).then_some(stride as usize),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The buffers of a chunk, the bitmap starting at a bit.
    pub(crate) struct Buffers(Vec<i64>, Vec<u8>, Vec<u8>, usize);

    impl Buffers {
        pub(crate) fn new(strings: &[Option<String>], start: usize) -> Self {
            let (mut offsets, mut data) = (vec![0], Vec::new());
            let mut bits = vec![0; (start + strings.len()).div_ceil(8)];
            for (row, string) in strings.iter().enumerate() {
                if let Some(string) = string {
                    data.extend_from_slice(string.as_bytes());
                    bits[(start + row) / 8] |= 1 << ((start + row) % 8);
                }
                offsets.push(data.len() as i64);
            }
            Self(offsets, data, bits, start)
        }

        pub(crate) fn chunk(&self) -> Chunk<'_> {
            Chunk::new(Some((&self.2, self.3)), &self.0, &self.1).unwrap()
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_can_be_read(
            offsets in proptest::collection::vec(prop_oneof![9 => -3_i64..12, 1 => any::<i64>()], 0..6),
            data in proptest::collection::vec(any::<u8>(), 0..10),
            bits in proptest::option::of((proptest::collection::vec(any::<u8>(), 0..3), 0_usize..20)),
        ) {
            let validity = bits.as_ref().map(|(bits, start)| (bits.as_slice(), *start));
            if let Ok(chunk) = Chunk::new(validity, &offsets, &data) {
                let even = offsets.windows(3).all(|ends| ends[1] - ends[0] == ends[2] - ends[1]);
                prop_assert_eq!(chunk.stride.is_some(), even);
                for row in 0..chunk.rows() {
                    let expected = &data[offsets[row] as usize..offsets[row + 1] as usize];
                    prop_assert!(chunk.get(row).is_none_or(|bytes| bytes == expected));
                }
            }
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        assert!(Chunk::new(None, &[], b"").is_err());
        assert!(Chunk::new(None, &[0, 2, 1], b"ab").is_err());
        assert!(Chunk::new(None, &[0, 3], b"ab").is_err());
        assert!(Chunk::new(None, &[-1, 1], b"ab").is_err());
        assert!(Chunk::new(Some((&[3], 7)), &[0, 1, 2], b"ab").is_err());
        assert!(Chunk::new(Some((&[3], 0)), &[0, 1, 2], b"ab").is_ok());
    }
}
