//! Rows picked by position, numbers and text.

use crate::column::{Column, ColumnMut};
use crate::dictionary::Text;
use crate::dtype::Bool;
use crate::node::ProgramError;

/// Writes the values at some positions; where there is no such position NaN, or -1 for integers.
///
/// Returns how many positions there are not.
///
/// # Errors
///
/// When the lengths or dtypes don't fit.
pub fn gather(
    positions: &[i64],
    values: Column<'_>,
    out: &mut ColumnMut<'_>,
) -> Result<usize, ProgramError> {
    if positions.len() != out.rows() {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    macro_rules! gather {
        ($($name:ident: $missing:expr),*) => {
            match (values, out) {
                $((Column::$name(values), ColumnMut::$name(out)) => {
                    let mut absent = 0;
                    for (out, &position) in out.iter_mut().zip(positions) {
                        // Negative positions are huge here.
                        *out = match values.get(position as usize) {
                            Some(&value) => value,
                            None => {
                                absent += 1;
                                $missing
                            }
                        };
                    }
                    Ok(absent)
                })*
                _ => Err(ProgramError("the dtypes differ".to_owned())),
            }
        };
    }
    gather!(F64: f64::NAN, F32: f32::NAN, I64: -1, I32: -1, I16: -1, I8: -1, U64: u64::MAX,
            U32: u32::MAX, U16: u16::MAX, U8: u8::MAX, Bool: Bool(0))
}

/// The strings of a column in one chunk or several.
#[derive(Debug)]
pub struct Strings<'a> {
    chunks: Vec<Text<'a>>,
    /// Where each chunk starts, and where the last ends.
    starts: Vec<usize>,
}

impl<'a> Strings<'a> {
    /// The strings of some chunks.
    #[must_use]
    pub fn new(chunks: Vec<Text<'a>>) -> Self {
        let mut starts = vec![0];
        for chunk in &chunks {
            starts.push(starts[starts.len() - 1] + chunk.rows());
        }
        Self { chunks, starts }
    }

    /// Calls `each` with the string at each position, `None` if it is missing or not there.
    fn walk(&self, positions: &[i64], mut each: impl FnMut(Option<(&Text<'a>, usize)>)) -> usize {
        let rows = self.starts[self.starts.len() - 1];
        let mut absent = 0;
        let mut chunk = 0;
        for &position in positions {
            let position = position as usize;
            if position >= rows {
                absent += 1;
                each(None);
                continue;
            }
            if position < self.starts[chunk] || position >= self.starts[chunk + 1] {
                chunk = self.starts.partition_point(|&start| start <= position) - 1;
            }
            let (text, row) = (&self.chunks[chunk], position - self.starts[chunk]);
            each((!text.is_missing(row)).then_some((text, row)));
        }
        absent
    }

    /// Writes where each of the picked strings ends, after a 0, and Arrow's bitmap of those that
    /// are not missing; returns how many are missing, and how many positions there are not.
    ///
    /// # Panics
    ///
    /// When `ends` is not one longer than `positions`, or `validity` too short.
    pub fn measure(
        &self,
        positions: &[i64],
        ends: &mut [i64],
        validity: &mut [u8],
    ) -> (usize, usize) {
        assert_eq!(ends.len(), positions.len() + 1);
        validity.fill(0);
        ends[0] = 0;
        let (mut row, mut end, mut missing) = (0, 0, 0);
        let absent = self.walk(positions, |found| {
            match found {
                Some((text, at)) => {
                    end += text.bytes_of(at).len() as i64;
                    validity[row / 8] |= 1 << (row % 8);
                }
                None => missing += 1,
            }
            row += 1;
            ends[row] = end;
        });
        (missing, absent)
    }

    /// Writes the picked strings one after the other.
    ///
    /// # Errors
    ///
    /// When `out` has not just the room for them.
    pub fn copy(&self, positions: &[i64], out: &mut [u8]) -> Result<(), ProgramError> {
        const WIDE: usize = 16;
        let mut end = 0;
        let room = out.len();
        self.walk(positions, |found| {
            let Some((text, at)) = found else { return };
            let string = text.bytes_of(at);
            if end > room || string.len() > room - end {
                end = room + 1;
                return;
            }
            // One wide copy is quicker than one of the right length; the next string, if there
            // is one, overwrites what is too much.
            match (
                text.from(at).first_chunk::<WIDE>(),
                out[end..].first_chunk_mut::<WIDE>(),
            ) {
                (Some(source), Some(target)) if string.len() <= WIDE => *target = *source,
                _ => out[end..end + string.len()].copy_from_slice(string),
            }
            end += string.len();
        });
        if end == room {
            return Ok(());
        }
        Err(ProgramError("the strings don't fill the room".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_picked() {
        let mut out = [0.0; 4];
        let positions = [2, -1, 0, 3];
        let absent = gather(
            &positions,
            [1.0, 2.0, 3.0].as_slice().into(),
            &mut out.as_mut_slice().into(),
        );
        assert_eq!(absent, Ok(2));
        assert_eq!(
            out.map(f64::to_bits),
            [3.0, f64::NAN, 1.0, f64::NAN].map(f64::to_bits)
        );
        let mut wrong = [0_i64; 4];
        let values = [1.0_f64];
        assert!(
            gather(
                &positions,
                values.as_slice().into(),
                &mut wrong.as_mut_slice().into()
            )
            .is_err()
        );
    }

    #[test]
    fn text_is_picked_from_all_chunks() {
        let long = "a string that is longer than sixteen bytes";
        let text = format!("xyz{long}");
        let ends = [0, 1, 3, 3, 3 + long.len() as i64];
        let one = Text::new(&ends[..3], text.as_bytes(), None).unwrap();
        let two = Text::new(&ends[2..], text.as_bytes(), Some((&[0b10], 0))).unwrap();
        let strings = Strings::new(vec![one, two]);
        let positions = [3, 0, 2, -1, 1, 3, 9, 0];
        let (mut ends, mut bits) = ([7; 9], [0]);
        assert_eq!(strings.measure(&positions, &mut ends, &mut bits), (3, 2));
        assert_eq!(bits, [0b1011_0011]);
        let mut out = vec![0; ends[8] as usize];
        assert!(
            strings
                .copy(&positions, &mut vec![0; out.len() + 1])
                .is_err()
        );
        assert!(
            strings
                .copy(&positions, &mut vec![0; out.len() - 1])
                .is_err()
        );
        strings.copy(&positions, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("{long}xyz{long}x"));
    }
}
