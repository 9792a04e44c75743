//! Rows picked by position, numbers and text.

use crate::column::{Column, ColumnMut};
use crate::dictionary::{Malformed, Text};
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
                    let Some(last) = values.len().checked_sub(1) else {
                        out.fill($missing);
                        return Ok(out.len());
                    };
                    // Without branches: whether a row is missing can't be foreseen.
                    let mut absent = 0;
                    for (out, &position) in out.iter_mut().zip(positions) {
                        // Negative positions are huge here.
                        let position = position as usize;
                        let value = values[position.min(last)];
                        *out = if position > last { $missing } else { value };
                        absent += usize::from(position > last);
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

/// Where the strings of a column are: their chunk, start and length.
///
/// The entry after the last is an empty, missing string, for positions that there are not: so
/// picking needs no branch that depends on the data.
#[derive(Debug)]
pub struct Strings(Vec<Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    length: u32,
    chunk: u16,
    valid: bool,
}

impl Strings {
    /// The strings of some chunks.
    ///
    /// # Errors
    ///
    /// When there are too many chunks, or a string is too long.
    pub fn new(chunks: &[Text<'_>]) -> Result<Self, Malformed> {
        let mut places = Vec::with_capacity(chunks.iter().map(Text::rows).sum::<usize>() + 1);
        for (number, text) in chunks.iter().enumerate() {
            let chunk = u16::try_from(number).map_err(|_| Malformed("too many chunks"))?;
            let mut longest = 0;
            for row in 0..text.rows() {
                let range = text.range(row);
                let valid = !text.is_missing(row);
                let length = if valid { range.len() } else { 0 };
                longest = longest.max(length);
                places.push(Place {
                    start: range.start as u64,
                    length: length as u32,
                    chunk,
                    valid,
                });
            }
            if longest > u32::MAX as usize {
                return Err(Malformed("a string is too long"));
            }
        }
        places.push(Place {
            start: 0,
            length: 0,
            chunk: 0,
            valid: false,
        });
        Ok(Self(places))
    }

    #[inline(always)]
    fn at(&self, position: i64) -> Place {
        // Negative positions are huge here.
        self.0[(position as usize).min(self.0.len() - 1)]
    }

    /// Writes where each of the picked strings ends, after a 0, and Arrow's bitmap of those that
    /// are not missing; returns how many are missing or not there.
    ///
    /// # Panics
    ///
    /// When `ends` is not one longer than `positions`, or `validity` too short.
    pub fn measure(&self, positions: &[i64], ends: &mut [i64], validity: &mut [u8]) -> usize {
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

    /// Writes the picked strings one after the other; `texts` are the bytes of the chunks.
    ///
    /// # Errors
    ///
    /// When `out` has not just the room for them, or `texts` are not those of the chunks.
    pub fn copy(
        &self,
        positions: &[i64],
        texts: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), ProgramError> {
        const WIDE: usize = 32;
        let mut room = out;
        for &position in positions {
            let place = self.at(position);
            let length = place.length as usize;
            let text = texts
                .get(place.chunk as usize)
                .and_then(|text| text.get(place.start as usize..))
                .unwrap_or_default();
            // One wide copy is quicker than one of the right length; the next string, if there
            // is one, overwrites what is too much.
            match (text.first_chunk::<WIDE>(), room.first_chunk_mut::<WIDE>()) {
                (Some(source), Some(target)) if length <= WIDE => *target = *source,
                _ => match (text.get(..length), room.get_mut(..length)) {
                    (Some(source), Some(target)) => target.copy_from_slice(source),
                    _ => return Err(ProgramError("there is too little room".to_owned())),
                },
            }
            room = &mut room[length..];
        }
        if room.is_empty() {
            return Ok(());
        }
        Err(ProgramError("there is too much room".to_owned()))
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
        let strings = Strings::new(&[one, two]).unwrap();
        let positions = [3, 0, 2, -1, 1, 3, 9, 0];
        let (mut ends, mut bits) = ([7; 9], [0]);
        assert_eq!(strings.measure(&positions, &mut ends, &mut bits), 3);
        assert_eq!(bits, [0b1011_0011]);
        let room = ends[8] as usize;
        let copy = |room| {
            let mut out = vec![0; room];
            let texts = [text.as_bytes(), text.as_bytes()];
            (strings
                .copy(&positions, &texts, &mut out)
                .map(|()| String::from_utf8(out).unwrap()))
            .ok()
        };
        assert_eq!(copy(room), Some(format!("{long}xyz{long}x")));
        assert_eq!((copy(room - 1), copy(room + 1)), (None, None));
    }
}
