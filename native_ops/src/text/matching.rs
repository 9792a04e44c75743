//! Strings that are like one that is given, or one of some.

use super::{Chunk, used};

/// What is asked of each string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Test {
    /// Whether it is one of the texts.
    Equals,
    /// Whether it starts with one of them.
    StartsWith,
    /// Whether it ends with one of them.
    EndsWith,
}

impl Test {
    /// The test called `name`.
    ///
    /// ```
    /// use stratum_native_ops::Test;
    /// assert_eq!(Test::parse("equals"), Some(Test::Equals));
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "equals" => Self::Equals,
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            _ => return None,
        })
    }
}

/// Writes for each row the first of the answers if its string passes the test, the second if not,
/// the third if it is missing. Returns whether the lengths agree; else nothing is written.
pub fn matches<T: Copy>(
    chunks: &[Chunk<'_>],
    test: Test,
    texts: &[&[u8]],
    [yes, no, missing]: [T; 3],
    out: &mut [T],
) -> bool {
    let patterns: Vec<Pattern<'_>> = texts.iter().map(|text| Pattern::new(text)).collect();
    let any = |passes: &dyn Fn(&Pattern<'_>) -> bool| patterns.iter().any(passes);
    let answer = |passes| if passes { yes } else { no };
    match (test, patterns.as_slice()) {
        (Test::Equals, [text]) => write(chunks, missing, out, |data, start, end| {
            answer((end - start == text.text.len()) & text.is_at(data, start))
        }),
        (Test::Equals, _) => write(chunks, missing, out, |data, start, end| {
            answer(any(&|text| {
                (end - start == text.text.len()) & text.is_at(data, start)
            }))
        }),
        (Test::StartsWith, _) => write(chunks, missing, out, |data, start, end| {
            answer(any(&|text| {
                end - start >= text.text.len() && text.is_at(data, start)
            }))
        }),
        (Test::EndsWith, _) => write(chunks, missing, out, |data, start, end| {
            answer(any(&|text| {
                end - start >= text.text.len() && text.is_at(data, end - text.text.len())
            }))
        }),
    }
}

/// A text, and its first bytes as one number.
struct Pattern<'a> {
    text: &'a [u8],
    word: u64,
    mask: u64,
}

impl<'a> Pattern<'a> {
    fn new(text: &'a [u8]) -> Self {
        let mut word = [0; 8];
        let mut mask = [0; 8];
        for ((&byte, word), mask) in text.iter().zip(&mut word).zip(&mut mask) {
            (*word, *mask) = (byte, 0xff);
        }
        Self {
            text,
            word: u64::from_le_bytes(word),
            mask: u64::from_le_bytes(mask),
        }
    }

    /// Whether the text is there in the data. Most texts are told apart by their first bytes, for
    /// which a call that compares them would take longer than all else.
    #[inline(always)]
    fn is_at(&self, data: &[u8], start: usize) -> bool {
        let rest = &data[start..];
        match rest.first_chunk::<8>() {
            Some(&word) => {
                u64::from_le_bytes(word) & self.mask == self.word
                    && (self.text.len() <= 8 || rest.starts_with(self.text))
            }
            None => rest.starts_with(self.text),
        }
    }
}

/// Writes how many code points each row has, `missing` where there is no string. Returns whether the
/// lengths agree; else nothing is written.
pub fn lengths<T: Copy>(
    chunks: &[Chunk<'_>],
    out: &mut [T],
    missing: T,
    convert: impl Fn(usize) -> T,
) -> bool {
    if chunks.iter().all(|chunk| used(chunk).is_ascii()) {
        return write(chunks, missing, out, |_, start, end| convert(end - start));
    }
    write(chunks, missing, out, |data, start, end| {
        // Every byte of UTF-8 begins a code point, but for those between 0x80 and 0xBF.
        let begins = data[start..end].iter().filter(|&&byte| byte as i8 >= -64);
        convert(begins.count())
    })
}

/// Writes what `each` makes of the data, and of where a row starts and ends in it.
#[inline(always)]
fn write<T: Copy>(
    chunks: &[Chunk<'_>],
    missing: T,
    mut out: &mut [T],
    each: impl Fn(&[u8], usize, usize) -> T,
) -> bool {
    if chunks.iter().map(Chunk::rows).sum::<usize>() != out.len() {
        return false;
    }
    for chunk in chunks {
        let (head, tail) = out.split_at_mut(chunk.rows());
        for (ends, out) in chunk.offsets().windows(2).zip(&mut *head) {
            *out = each(chunk.data(), ends[0] as usize, ends[1] as usize);
        }
        if !chunk.is_complete() {
            for (row, out) in head.iter_mut().enumerate() {
                *out = if chunk.is_valid(row) { *out } else { missing };
            }
        }
        out = tail;
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
        fn rows_are_tested_in_all_chunks(
            words in prop::collection::vec(prop::option::of("[ab\0é]{0,12}"), 0..12),
            cut in 0..12_usize,
            texts in prop::collection::vec("[ab\0é]{0,3}|[ab]{8,12}", 0..3),
            same in 0..12_usize,
        ) {
            let (head, tail) = words.split_at(cut.min(words.len()));
            let buffers = [Buffers::new(head, 3), Buffers::new(tail, 0)];
            let chunks: Vec<_> = buffers.iter().map(Buffers::chunk).collect();
            let texts: Vec<String> = (texts.into_iter())
                .chain(words.get(same).cloned().flatten())
                .collect();
            let wanted: Vec<_> = texts.iter().map(String::as_bytes).collect();
            let mut out = vec!['.'; words.len()];
            for test in [Test::Equals, Test::StartsWith, Test::EndsWith] {
                prop_assert!(matches(&chunks, test, &wanted, ['y', 'n', '-'], &mut out));
                for (word, found) in words.iter().zip(&out) {
                    let passes = |word: &String| texts.iter().any(|text| match test {
                        Test::Equals => word == text,
                        Test::StartsWith => word.starts_with(text.as_str()),
                        Test::EndsWith => word.ends_with(text.as_str()),
                    });
                    let expected = word.as_ref().map_or('-', |word| if passes(word) { 'y' } else { 'n' });
                    prop_assert_eq!(*found, expected);
                }
            }
            let mut counts = vec![7; words.len()];
            prop_assert!(lengths(&chunks, &mut counts, -1, |count| count as i64));
            for (word, found) in words.iter().zip(counts) {
                prop_assert_eq!(found, word.as_ref().map_or(-1, |word| word.chars().count() as i64));
            }
            out.push('.');
            prop_assert!(!matches(&chunks, Test::Equals, &wanted, ['y', 'n', '-'], &mut out));
        }
    }
}
