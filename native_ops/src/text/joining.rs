//! Strings put together row by row.

use super::Chunk;
use std::ops::Range;

/// Where one part of each row's string comes from.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// The strings of a column, row by row.
    Column(&'a [Chunk<'a>]),
    /// The same string for all rows.
    Same(&'a [u8]),
}

/// Copies of so many bytes need neither a branch for each length nor a call.
const WIDE: usize = 16;

/// Writes the parts of each row one after the other, where each row ends, after a 0, and Arrow's
/// bitmap of those that are not missing; returns how many are missing, as each is of which a part is.
///
/// Returns nothing where the lengths don't fit: `ends` is one longer than there are rows, `validity`
/// has a bit for each, and `out` has room for all parts.
///
/// ```
/// use stratum_native_ops::{Chunk, Part, join};
/// let chunks = [Chunk::new(None, &[0, 1, 3], b"abc")?];
/// let (mut ends, mut validity, mut out) = ([0; 3], [0; 1], [0; 7]);
/// let parts = [Part::Column(&chunks), Part::Same(b"--")];
/// assert_eq!(join(parts, &mut ends, &mut validity, &mut out), Some(0));
/// assert_eq!((&out, ends), (b"a--bc--", [0, 3, 7]));
/// # Ok::<(), stratum_native_ops::TextError>(())
/// ```
pub fn join<const N: usize>(
    parts: [Part<'_>; N],
    ends: &mut [i64],
    validity: &mut [u8],
    out: &mut [u8],
) -> Option<usize> {
    let (first, ends) = ends.split_first_mut()?;
    let fits = |part: &Part<'_>| match part {
        Part::Column(chunks) => chunks.iter().map(Chunk::rows).sum::<usize>() == ends.len(),
        Part::Same(_) => true,
    };
    if !parts.iter().all(fits) || validity.len() < ends.len().div_ceil(8) {
        return None;
    }
    *first = 0;
    validity.fill(u8::MAX);
    let padded = parts.map(|part| match part {
        Part::Same(text) => [text, &[0; WIDE]].concat(),
        Part::Column(_) => Vec::new(),
    });
    let mut rows: [Rows<'_>; N] = std::array::from_fn(|part| match parts[part] {
        Part::Same(text) => Rows::Same(&padded[part], text.len()),
        Part::Column(chunks) => Rows::Of(chunks, 0),
    });
    let (mut row, mut end, mut missing) = (0, 0, 0);
    while row < ends.len() {
        let together = rows.iter_mut().map(Rows::in_chunk).min()?;
        let together = together.min(ends.len() - row);
        let complete = rows.iter().all(Rows::is_complete);
        for (index, written) in ends[row..row + together].iter_mut().enumerate() {
            if complete || rows.iter().all(|part| part.is_valid(index)) {
                for part in &rows {
                    let (data, range) = part.text(index);
                    end = append(out, end, data, range)?;
                }
            } else {
                validity[(row + index) / 8] &= !(1 << ((row + index) % 8));
                missing += 1;
            }
            *written = end as i64;
        }
        rows.iter_mut().for_each(|part| part.skip(together));
        row += together;
    }
    Some(missing)
}

/// The rows of a part that come next.
enum Rows<'a> {
    /// The chunks that are left, and how many rows of the first are done.
    Of(&'a [Chunk<'a>], usize),
    /// A string with [`WIDE`] bytes behind it, and its length.
    Same(&'a [u8], usize),
}

impl<'a> Rows<'a> {
    /// How many rows are left in the first chunk that has any.
    fn in_chunk(&mut self) -> usize {
        let Self::Of(chunks, done) = self else {
            return usize::MAX;
        };
        while let [first, others @ ..] = *chunks
            && *done == first.rows()
        {
            (*chunks, *done) = (others, 0);
        }
        chunks.first().map_or(0, |chunk| chunk.rows() - *done)
    }

    fn skip(&mut self, rows: usize) {
        if let Self::Of(_, done) = self {
            *done += rows;
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            Self::Of(chunks, _) => chunks[0].is_complete(),
            Self::Same(..) => true,
        }
    }

    #[inline(always)]
    fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::Of(chunks, done) => chunks[0].is_valid(done + row),
            Self::Same(..) => true,
        }
    }

    #[inline(always)]
    fn text(&self, row: usize) -> (&'a [u8], Range<usize>) {
        match self {
            Self::Of(chunks, done) => (chunks[0].data(), chunks[0].range(done + row)),
            Self::Same(text, length) => (text, 0..*length),
        }
    }
}

/// Copies a string to where the last one ended, and perhaps what follows it; returns its end.
#[inline(always)]
fn append(out: &mut [u8], start: usize, data: &[u8], range: Range<usize>) -> Option<usize> {
    let end = start + range.len();
    if range.len() <= WIDE
        && let Some(wide) = data[range.start..].first_chunk::<WIDE>()
        && let Some(room) = out.get_mut(start..start + WIDE)
    {
        room.copy_from_slice(wide);
        return Some(end);
    }
    out.get_mut(start..end)?.copy_from_slice(&data[range]);
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Buffers;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_of_all_chunks_are_joined(
            rows in prop::collection::vec(
                (prop::option::weighted(0.9, "[a-zé]{0,20}"), prop::option::weighted(0.9, "[a-z]{0,5}")),
                0..60,
            ),
            between in "[-é]{0,20}",
            cuts in prop::array::uniform2(prop::collection::vec(0_usize..60, 0..4)),
            spare in 0_usize..40,
        ) {
            let sides: [Vec<Option<String>>; 2] = [
                rows.iter().map(|(left, _)| left.clone()).collect(),
                rows.iter().map(|(_, right)| right.clone()).collect(),
            ];
            let buffers = [0, 1].map(|side| {
                let mut borders: Vec<usize> = (cuts[side].iter()).map(|cut| *cut.min(&rows.len())).collect();
                borders.extend([0, rows.len()]);
                borders.sort_unstable();
                let strings = &sides[side];
                (borders.windows(2).enumerate())
                    .map(|(start, ends)| Buffers::new(&strings[ends[0]..ends[1]], start))
                    .collect::<Vec<_>>()
            });
            let chunks = buffers.each_ref().map(|own| own.iter().map(Buffers::chunk).collect::<Vec<_>>());
            let parts = [Part::Column(&chunks[0]), Part::Same(between.as_bytes()), Part::Column(&chunks[1])];
            let expected: Vec<Option<String>> = (rows.iter())
                .map(|(left, right)| Some(format!("{}{between}{}", left.as_ref()?, right.as_ref()?)))
                .collect();
            let room = expected.iter().flatten().map(String::len).sum::<usize>();
            let (mut ends, mut validity) = (vec![7; rows.len() + 1], vec![0; rows.len().div_ceil(8)]);
            let mut out = vec![7; room + spare];
            let missing = join(parts, &mut ends, &mut validity, &mut out);
            prop_assert_eq!(missing, Some(expected.iter().filter(|text| text.is_none()).count()));
            let joined = Chunk::new(Some((&validity, 0)), &ends, &out).unwrap();
            for (row, text) in expected.iter().enumerate() {
                prop_assert_eq!(joined.get(row), text.as_ref().map(String::as_bytes));
            }
            if room > 0 {
                prop_assert_eq!(join(parts, &mut ends, &mut validity, &mut out[..room - 1]), None);
            }
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let chunks = [Chunk::new(None, &[0, 1, 2], b"ab").unwrap()];
        let parts = [Part::Column(&chunks)];
        assert_eq!(join(parts, &mut [0; 2], &mut [0], &mut [0; 9]), None);
        assert_eq!(join(parts, &mut [0; 3], &mut [], &mut [0; 9]), None);
        assert_eq!(join(parts, &mut [], &mut [], &mut []), None);
    }
}
