//! Numbers of any length in their plain spellings, rounded correctly.

use super::cell::Cell;

/// Powers of ten that 64 bits hold.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    while i < 20 {
        powers[i] = 10 * powers[i - 1];
        i += 1;
    }
    powers
};

/// Reads `12`, `-12.5`, `.5`, `1.` and `1e-5`; nothing where a cell is no such number, or infinite.
pub(super) fn parse(cell: &[u8]) -> Option<Cell> {
    let unsigned = cell.strip_prefix(b"-").unwrap_or(cell);
    let negative = unsigned.len() < cell.len();
    let (mut digits, mut rest) = (Digits::default(), unsigned);
    digits.take(&mut rest);
    let whole = digits.count;
    let point = rest.strip_prefix(b".");
    if let Some(others) = point {
        rest = others;
        digits.take(&mut rest);
    }
    let Digits { value, count } = digits;
    if count == 0 {
        return None;
    }
    match rest {
        // Zero as an integer, minus zero as a float.
        [] if point.is_none() && value == 0 && negative && count < 20 => Some(Cell::Unclear),
        [] if point.is_none() => {
            let value = i64::try_from(value).ok().filter(|_| count < 20);
            let value = value.map(|value| if negative { -value } else { value });
            Some(value.map_or(Cell::Long, Cell::Integer))
        }
        [] if count < 20 => {
            let value = quotient(value, count - whole);
            Some(Cell::Float(if negative { -value } else { value }))
        }
        [] | [b'e' | b'E', ..] => {
            let exponent = rest.get(1..).unwrap_or(b"0");
            let unsigned = (exponent.strip_prefix(b"-"))
                .or_else(|| exponent.strip_prefix(b"+"))
                .unwrap_or(exponent);
            if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let value: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
            value.is_finite().then_some(Cell::Float(value))
        }
        _ => None,
    }
}

/// Digits that were read; the value counts if there are fewer than 20.
#[derive(Default)]
struct Digits {
    value: u64,
    count: usize,
}

impl Digits {
    /// Takes digits from the beginning of a text.
    #[inline(always)]
    fn take(&mut self, text: &mut &[u8]) {
        while let Some((eight, others)) = text.split_first_chunk::<8>() {
            let Some(value) = eight_digits(u64::from_le_bytes(*eight)) else {
                break;
            };
            self.value = (self.value.wrapping_mul(100_000_000)).wrapping_add(value);
            self.count += 8;
            *text = others;
        }
        while let Some((byte @ b'0'..=b'9', others)) = text.split_first() {
            self.value = (self.value.wrapping_mul(10)).wrapping_add(u64::from(byte - b'0'));
            self.count += 1;
            *text = others;
        }
    }
}

/// The value of eight digits, the first in the lowest byte.
#[inline(always)]
fn eight_digits(word: u64) -> Option<u64> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let values = word ^ (u64::from(b'0') * ONES);
    if (values.wrapping_add(118 * ONES) | values) & (128 * ONES) != 0 {
        return None;
    }
    let pairs = values.wrapping_mul(1 + (10 << 8)) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(1 + (100 << 16)) >> 16 & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(1 + (10_000 << 32)) >> 32)
}

/// A number of fewer than 20 digits with the point so many digits from the end, rounded correctly.
#[inline(always)]
fn quotient(value: u64, after: usize) -> f64 {
    let power = POWERS[after];
    if value < 1 << 53 && after < 16 {
        // Both are exact as floats, so that the quotient is rounded once.
        return value as f64 / power as f64;
    }
    if value == 0 {
        return 0.0;
    }
    // Both with their highest bits set, so that the quotient has 63 bits or 64.
    let (left, right) = (value.leading_zeros(), power.leading_zeros());
    let (dividend, divisor) = (u128::from(value << left) << 63, u128::from(power << right));
    let (whole, remainder) = (dividend / divisor, dividend % divisor);
    // A last bit for all that follows makes the one rounding of the conversion the right one.
    let whole = whole as u64 | u64::from(remainder != 0);
    let scale = 63 + left as i32 - right as i32;
    whole as f64 * f64::from_bits(((1023 - scale) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_rounded_correctly(
            cell in "-?[0-9]{0,12}(\\.[0-9]{0,12})?([eE][+-]?[0-9]{0,3})?",
        ) {
            match parse(cell.as_bytes()) {
                Some(Cell::Float(value)) => {
                    prop_assert_eq!(value.to_bits(), cell.parse::<f64>().unwrap().to_bits());
                }
                Some(Cell::Integer(value)) => prop_assert_eq!(value, cell.parse::<i64>().unwrap()),
                Some(other) => prop_assert!(other == Cell::Unclear && cell.starts_with('-')),
                None => prop_assert!(!cell.parse::<f64>().is_ok_and(f64::is_finite)),
            }
        }

        #[test]
        fn quotients_are_rounded_correctly(value in any::<u64>(), digits in 1..20_usize, after in 0..20_usize) {
            let value = value % POWERS[digits];
            let text = format!("{value}e-{after}");
            prop_assert_eq!(quotient(value, after).to_bits(), text.parse::<f64>().unwrap().to_bits());
        }

        #[test]
        fn all_floats_are_read(value in proptest::num::f64::NORMAL) {
            for cell in [format!("{value:e}"), format!("{value:?}")] {
                prop_assert_eq!(parse(cell.as_bytes()), Some(Cell::Float(value)), "{}", cell);
            }
        }
    }
}
