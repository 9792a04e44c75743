//! Strings in another case, if all of their letters are ASCII.

use super::{Chunk, used};
use crate::simd::{Kernel, dispatch};

/// What becomes of letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// All are small.
    Lower,
    /// All are capitals.
    Upper,
    /// Small ones are capitals, and capitals small.
    Swapped,
    /// Those that follow no letter are capitals, the others small.
    Title,
    /// A string's first character is a capital, the others small.
    Capitalized,
}

impl Case {
    /// What pandas' method of this name does.
    ///
    /// ```
    /// use stratum_native_ops::Case;
    /// assert_eq!(Case::parse("title"), Some(Case::Title));
    /// assert_eq!(Case::parse("casefold"), None);
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "swapcase" => Self::Swapped,
            "title" => Self::Title,
            "capitalize" => Self::Capitalized,
            _ => return None,
        })
    }
}

/// Writes strings in another case one after the other, where each of them ends, after a 0, and
/// Arrow's bitmap of those that are not missing; returns how many are missing.
///
/// Returns nothing where some byte is not ASCII, or the lengths don't fit: `ends` is one longer
/// than there are rows, `validity` has a bit for each, and `out` has just the room.
pub fn change_case(
    chunks: &[Chunk<'_>],
    case: Case,
    ends: &mut [i64],
    validity: &mut [u8],
    out: &mut [u8],
) -> Option<usize> {
    let rows = chunks.iter().map(Chunk::rows).sum::<usize>();
    if ends.len() != rows + 1 || validity.len() < rows.div_ceil(8) {
        return None;
    }
    let (first, mut ends) = ends.split_first_mut()?;
    *first = 0;
    let (mut start, mut room) = (0, out);
    for chunk in chunks {
        let (bytes, offsets) = (used(chunk), chunk.offsets());
        let (out, rest) = room.split_at_mut_checked(bytes.len())?;
        let (own, others) = ends.split_at_mut(chunk.rows());
        if !bytes.is_ascii() {
            return None;
        }
        dispatch(Change { case, bytes, out });
        for (end, offset) in own.iter_mut().zip(&offsets[1..]) {
            *end = offset - offsets[0] + start;
        }
        if matches!(case, Case::Title | Case::Capitalized) {
            for offset in &offsets[..chunk.rows()] {
                // The place of an empty string is that of the next.
                if let Some(letter) = out.get_mut((offset - offsets[0]) as usize) {
                    letter.make_ascii_uppercase();
                }
            }
        }
        start += bytes.len() as i64;
        (room, ends) = (rest, others);
    }
    room.is_empty().then(|| write_validity(chunks, validity))
}

/// Writes a bit for each row that is there; returns how many are missing.
fn write_validity(chunks: &[Chunk<'_>], validity: &mut [u8]) -> usize {
    validity.fill(u8::MAX);
    let (mut start, mut missing) = (0, 0);
    for chunk in chunks {
        for row in (0..chunk.rows()).filter(|&row| !chunk.is_valid(row)) {
            validity[(start + row) / 8] &= !(1 << ((start + row) % 8));
            missing += 1;
        }
        start += chunk.rows();
    }
    missing
}

struct Change<'a> {
    case: Case,
    bytes: &'a [u8],
    out: &'a mut [u8],
}

impl Kernel for Change<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { case, bytes, out } = self;
        match case {
            Case::Lower | Case::Capitalized => each(bytes, out, small),
            Case::Upper => each(bytes, out, |byte| flip(byte, byte, b'a')),
            Case::Swapped => each(bytes, out, |byte| flip(byte, byte | BIT, b'a')),
            Case::Title => {
                // The first letter of each string is changed later.
                if let (Some(out), Some(&byte)) = (out.first_mut(), bytes.first()) {
                    *out = small(byte);
                }
                let pairs = bytes.iter().zip(bytes.iter().skip(1));
                for (out, (&before, &byte)) in out.iter_mut().skip(1).zip(pairs) {
                    let follows = is_letter(before | BIT, b'a');
                    let starts = !follows && is_letter(byte | BIT, b'a');
                    *out = small(byte) ^ if starts { BIT } else { 0 };
                }
            }
        }
    }
}

/// What tells small letters from capitals.
const BIT: u8 = b'a' - b'A';

#[inline(always)]
fn each(bytes: &[u8], out: &mut [u8], change: impl Fn(u8) -> u8) {
    for (out, &byte) in out.iter_mut().zip(bytes) {
        *out = change(byte);
    }
}

#[inline(always)]
fn small(byte: u8) -> u8 {
    flip(byte, byte, b'A')
}

/// A byte in the other case, if `tested` is one of the letters from `first` on.
#[inline(always)]
fn flip(byte: u8, tested: u8, first: u8) -> u8 {
    if is_letter(tested, first) {
        byte ^ BIT
    } else {
        byte
    }
}

#[inline(always)]
fn is_letter(byte: u8, first: u8) -> bool {
    byte.wrapping_sub(first) < 26
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::Buffers;
    use proptest::prelude::*;

    fn expected(word: &str, case: Case) -> String {
        let mut follows = false;
        word.chars()
            .enumerate()
            .map(|(place, letter)| {
                let capital = match case {
                    Case::Lower => false,
                    Case::Upper => true,
                    Case::Swapped => letter.is_ascii_lowercase(),
                    Case::Title => !follows,
                    Case::Capitalized => place == 0,
                };
                follows = letter.is_ascii_alphabetic();
                if capital {
                    letter.to_ascii_uppercase()
                } else {
                    letter.to_ascii_lowercase()
                }
            })
            .collect()
    }

    proptest! {
        #[test]
        fn letters_change_in_all_chunks(
            words in prop::collection::vec(prop::option::of("[@AZ\\[`az{0 ]{0,40}|é?[a-z]"), 0..20),
            cut in 0..20_usize,
        ) {
            let (head, tail) = words.split_at(cut.min(words.len()));
            let buffers = [Buffers::new(head, 3), Buffers::new(tail, 0)];
            let chunks: Vec<_> = buffers.iter().map(Buffers::chunk).collect();
            let ascii = words.iter().flatten().all(|word| word.is_ascii());
            let size = words.iter().flatten().map(String::len).sum();
            for name in ["lower", "upper", "swapcase", "title", "capitalize"] {
                let case = Case::parse(name).unwrap();
                let mut ends = vec![7; words.len() + 1];
                let mut validity = vec![7; words.len().div_ceil(8)];
                let mut out = vec![9; size];
                let missing = change_case(&chunks, case, &mut ends, &mut validity, &mut out);
                prop_assert_eq!(missing.is_some(), ascii);
                let Some(missing) = missing else { continue };
                prop_assert_eq!(missing, words.iter().filter(|word| word.is_none()).count());
                let found = Chunk::new(Some((&validity, 0)), &ends, &out).unwrap();
                for (row, word) in words.iter().enumerate() {
                    let wanted = word.as_deref().map(|word| expected(word, case));
                    prop_assert_eq!(found.get(row), wanted.as_deref().map(str::as_bytes));
                }
                out.push(0);
                prop_assert!(change_case(&chunks, case, &mut ends, &mut validity, &mut out).is_none());
                prop_assert!(change_case(&chunks, case, &mut ends[1..], &mut validity, &mut out).is_none());
            }
        }
    }
}
