//! Numbers of up to eight characters, several at a time.

use super::words::Words;
use crate::simd::{Kernel, dispatch};

/// What short numbers become.
pub(super) trait Number: Copy {
    /// Whether there may be a point among the digits, and nothing at all.
    const FLOAT: bool;

    /// The value of at most eight digits, negative if all bits of `sign` are set.
    fn new(digits: u64, sign: u64) -> Self;

    /// What stands for nothing, if anything does.
    fn missing() -> Self;

    /// The value with the point so many digits from the end.
    fn scaled(self, digits: u64) -> Self;
}

impl Number for i64 {
    const FLOAT: bool = false;

    #[inline(always)]
    fn new(digits: u64, sign: u64) -> Self {
        (digits ^ sign).wrapping_sub(sign) as i64
    }

    #[inline(always)]
    fn missing() -> Self {
        0
    }

    #[inline(always)]
    fn scaled(self, _: u64) -> Self {
        self
    }
}

impl Number for f64 {
    const FLOAT: bool = true;

    #[inline(always)]
    fn new(digits: u64, sign: u64) -> Self {
        // The last bits of 2^52, which is quicker than to convert.
        const BASE: f64 = (1_u64 << 52) as f64;
        let value = f64::from_bits(BASE.to_bits() | digits) - BASE;
        f64::from_bits(value.to_bits() | (sign & (1 << 63)))
    }

    #[inline(always)]
    fn missing() -> Self {
        Self::NAN
    }

    #[inline(always)]
    fn scaled(self, digits: u64) -> Self {
        // Both are exact, so that the quotient is rounded once.
        self / [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7][(digits & 7) as usize]
    }
}

/// What was found among cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Whether there are numbers with a point.
    pub(super) points: bool,
    /// Whether there are empty cells, for floats only.
    pub(super) missing: bool,
    /// Whether there are numbers without a point.
    pub(super) integers: bool,
    /// Whether there are other cells.
    pub(super) others: bool,
}

/// Writes the cells that are numbers, or missing. Afterwards the words of those are 0.
pub(super) fn parse<T: Number>(cells: &mut Words, out: &mut [T]) -> Found {
    dispatch(Parse { cells, out })
}

struct Parse<'a, T> {
    cells: &'a mut Words,
    out: &'a mut [T],
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = 0x80 * ONES;
const ZEROS: u64 = b'0' as u64 * ONES;
const MINUSES: u64 = b'-' as u64 * ONES;
const POINTS: u64 = b'.' as u64 * ONES;

impl<T: Number> Kernel for Parse<'_, T> {
    type Output = Found;

    #[inline(always)]
    fn run(self) -> Found {
        let Words { words, shifts } = self.cells;
        let (mut points, mut missing, mut integers, mut others) = (0, 0, 0, 0);
        for ((out, word), shift) in self.out.iter_mut().zip(&mut *words).zip(&mut *shifts) {
            let none = ones_if(T::FLOAT && *shift == 64);
            // Before a point is taken away, which the minus might follow.
            let sign = sign(*word, *shift);
            let cell = if T::FLOAT {
                without_point(*word, *shift)
            } else {
                plain(*word, *shift)
            };
            let (digits, wrong) = integer(&cell, sign);
            *out = if none == 0 {
                T::new(digits, sign)
            } else {
                T::missing()
            };
            *shift = cell.after;
            let wrong = wrong & !none;
            *word = wrong;
            points |= cell.point & ones_if(wrong | none == 0);
            integers |= ones_if(wrong | none | cell.point == 0);
            missing |= none;
            others |= wrong;
        }
        if points != 0 {
            for (out, &after) in self.out.iter_mut().zip(&*shifts) {
                *out = out.scaled(after);
            }
        }
        Found {
            points: points != 0,
            missing: missing != 0,
            integers: integers != 0,
            others: others != 0,
        }
    }
}

/// A cell as the last bytes of a word.
struct Cell {
    word: u64,
    /// How many bits of the word lie before the cell.
    shift: u64,
    /// Not 0 if a point was taken away.
    point: u64,
    /// How many digits follow the point.
    after: u64,
    /// Not 0 if there are several points.
    wrong: u64,
}

#[inline(always)]
fn plain(word: u64, shift: u64) -> Cell {
    Cell {
        word,
        shift,
        point: 0,
        after: 0,
        wrong: 0,
    }
}

/// Moves what is before a point next to what is after it.
#[inline(always)]
fn without_point(word: u64, shift: u64) -> Cell {
    let cell = u64::MAX.wrapping_shl(shift as u32);
    let other = word ^ POINTS;
    let low = ((other & !TOPS) + !TOPS) | other | !TOPS;
    // The highest bit of each byte that is a point.
    let point = !low & cell;
    let lowest = point >> 7;
    let before = lowest.wrapping_sub(1);
    let after = !(before | (point << 1).wrapping_sub(lowest));
    let none = point == 0;
    Cell {
        word: if none {
            word
        } else {
            (word & after) | (word & before) << 8
        },
        shift: if none { shift } else { shift.wrapping_add(8) },
        point,
        after: if none {
            0
        } else {
            (after & ONES).wrapping_mul(ONES) >> 56
        },
        wrong: point & point.wrapping_sub(1),
    }
}

/// All bits or none.
#[inline(always)]
fn ones_if(condition: bool) -> u64 {
    if condition { u64::MAX } else { 0 }
}

/// All bits if a cell begins with a minus.
#[inline(always)]
fn sign(word: u64, shift: u64) -> u64 {
    let bytes = u64::MAX.wrapping_shl(shift as u32);
    let first = bytes ^ (bytes << 8);
    ones_if(word & first == MINUSES & first)
}

/// The digits of a cell, and not 0 if it is no number, or none that is written so.
#[inline(always)]
fn integer(cell: &Cell, sign: u64) -> (u64, u64) {
    let bytes = u64::MAX.wrapping_shl(cell.shift as u32);
    let digits = bytes & ((bytes << 8) | !sign);
    let values = (cell.word ^ ZEROS) & digits;
    // A byte above 9 sets its highest bit.
    let mut wrong = (values.wrapping_add(TOPS - 10 * ONES) | values) & TOPS | cell.wrong;
    // Neighbours, first two, then four, then eight: tens and ones, hundreds and ones, and so on.
    let pairs = (values << 3)
        .wrapping_add(values << 1)
        .wrapping_add(values >> 8);
    let pairs = pairs & 0x00ff_00ff_00ff_00ff;
    let fours = ((pairs << 6)
        .wrapping_add(pairs << 5)
        .wrapping_add(pairs << 2))
    .wrapping_add(pairs >> 16)
        & 0x0000_ffff_0000_ffff;
    let value = (fours & 0xffff_ffff) * 10_000 + (fours >> 32);
    // No digits, or more than eight characters.
    wrong |= ones_if(digits == 0 || cell.shift > 56);
    // A zero with a sign is none as an integer, but one with a point.
    wrong |= sign & ones_if(value == 0 && cell.point == 0);
    (value, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed<T: Number + Default>(cell: &str) -> Option<T> {
        let mut bytes = [b'7'; 16];
        let end = 16 - cell.len().min(8);
        bytes[end..].copy_from_slice(&cell.as_bytes()[cell.len() - cell.len().min(8)..]);
        let mut cells = Words {
            words: vec![u64::from_le_bytes(bytes[8..].try_into().unwrap())],
            shifts: vec![u64::from(64_u32.wrapping_sub(8 * cell.len() as u32))],
        };
        let mut out = [T::default()];
        let found = parse(&mut cells, &mut out);
        assert_eq!(found.others, cells.words != [0]);
        assert_eq!(found.points, !found.others && cell.contains('.'));
        assert_eq!(found.missing, T::FLOAT && cell.is_empty());
        (!found.others).then_some(out[0])
    }

    proptest! {
        #[test]
        fn numbers_of_eight_characters_are_read(
            cell in "-?[0-9]{1,9}|-?[0-9]{0,5}[.][0-9]{0,5}|[0-9+. -]{0,9}|-?0[.]?0",
        ) {
            let short = cell.len() <= 8 && !cell.contains('+');
            let integer = cell.parse::<i64>().ok().filter(|_| short);
            let integer = integer.filter(|&value| value != 0 || !cell.starts_with('-'));
            prop_assert_eq!(parsed::<i64>(&cell), integer);
            let float = cell.parse::<f64>().ok().filter(|_| short);
            let float = float.filter(|_| integer.is_some() || cell.contains('.'));
            let float = float.or(cell.is_empty().then_some(f64::NAN));
            prop_assert_eq!(parsed::<f64>(&cell).map(f64::to_bits), float.map(f64::to_bits));
        }
    }
}
