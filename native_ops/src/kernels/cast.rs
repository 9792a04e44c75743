//! Conversion between dtypes, as `ndarray.astype`.

use crate::column::Arg;
use crate::dtype::{Bool, Element};
use crate::kernels::map::map1;
use crate::kernels::number::any;

/// Conversion of one value; floats outside the target's range give some value, and a flag.
pub(crate) trait CastTo<T>: Element {
    fn cast(self) -> T;

    /// Whether a float can't be represented in the integer type `T`.
    #[inline(always)]
    fn out_of_range(self) -> bool {
        false
    }

    /// Whether any value of this type could be out of the range of `T`.
    const CHECKED: bool = false;
}

macro_rules! plain {
    ($($From:ty),* => $To:tt) => {$( plain!(@one $From => $To); )*};
    (@one $From:ty => [$($To:ty),*]) => {$(
        impl CastTo<$To> for $From {
            #[inline(always)]
            fn cast(self) -> $To {
                self as $To
            }
        }
    )*};
}
plain!(i32, i16, i8, u64, u32, u16, u8 => [f64, f32, i64, i32, i16, i8, u64, u32, u16, u8]);
plain!(i64 => [f32, i64, i32, i16, i8, u64, u32, u16, u8]);
plain!(f64, f32 => [f64, f32]);

impl CastTo<f64> for i64 {
    /// What `as` gives, in steps that AVX2 has for vectors: both halves are exact as the low bits
    /// of floats (2^84 + high * 2^32, 2^52 + low), and only their sum is rounded.
    #[inline(always)]
    fn cast(self) -> f64 {
        const HIGH: u64 = 0x4530_0000_8000_0000;
        const LOW: u64 = 0x4330_0000_0000_0000;
        const BOTH: u64 = 0x4530_0000_8010_0000;
        let high = f64::from_bits((self as u64 >> 32) ^ HIGH);
        let low = f64::from_bits((self as u64 & 0xffff_ffff) | LOW);
        (high - f64::from_bits(BOTH)) + low
    }
}

macro_rules! float_to_integer {
    ($($From:ty),* => $To:tt) => {$( float_to_integer!(@one $From => $To); )*};
    (@one $From:ty => [$($To:ty),*]) => {$(
        impl CastTo<$To> for $From {
            #[inline(always)]
            fn cast(self) -> $To {
                self as $To
            }

            #[inline(always)]
            fn out_of_range(self) -> bool {
                // Both limits are powers of two (or 0), and so exact in a float.
                let past_max = (<$To>::MAX / 2 + 1) as $From * 2.0;
                !(self.trunc() >= <$To>::MIN as $From && self < past_max)
            }

            const CHECKED: bool = true;
        }
    )*};
}
float_to_integer!(f64, f32 => [i64, i32, i16, i8, u64, u32, u16, u8]);

macro_rules! bools {
    ($($T:ty),*) => {$(
        impl CastTo<Bool> for $T {
            #[inline(always)]
            fn cast(self) -> Bool {
                (self != <$T>::default()).into()
            }
        }

        impl CastTo<$T> for Bool {
            #[inline(always)]
            fn cast(self) -> $T {
                u8::from(self.get()) as $T
            }
        }
    )*};
}
bools!(f64, f32, i64, i32, i16, i8, u64, u32, u16, u8);

impl CastTo<Self> for Bool {
    #[inline(always)]
    fn cast(self) -> Self {
        self
    }
}

/// Converts a block, and returns whether a float was out of the range of the integer type.
pub(crate) fn cast<A: CastTo<T>, T: Element>(out: &mut [T], a: Arg<'_, A>) -> bool {
    map1(out, a, A::cast);
    A::CHECKED && any(a, A::out_of_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_integers() {
        assert!(!CastTo::<i8>::out_of_range(127.9_f64));
        assert!(CastTo::<i8>::out_of_range(128.0_f64));
        assert!(!CastTo::<i8>::out_of_range(-128.9_f64));
        assert!(CastTo::<i8>::out_of_range(-129.0_f64));
        assert!(!CastTo::<u8>::out_of_range(-0.9_f32));
        assert!(CastTo::<u8>::out_of_range(-1.0_f32));
        assert!(CastTo::<u8>::out_of_range(f32::NAN));
        assert!(CastTo::<i64>::out_of_range(f64::INFINITY));
        let two_to_63 = 9_223_372_036_854_775_808.0_f64;
        assert!(CastTo::<i64>::out_of_range(two_to_63));
        assert!(!CastTo::<i64>::out_of_range(-two_to_63));
        assert!(!CastTo::<u64>::out_of_range(two_to_63));
        assert!(CastTo::<u64>::out_of_range(2.0 * two_to_63));
        assert!(CastTo::<i32>::out_of_range(2_147_483_648.0_f32));
        assert!(!CastTo::<i32>::out_of_range(2_147_483_647.0_f64));
        assert!(CastTo::<i32>::out_of_range(2_147_483_648.0_f64));
    }

    #[test]
    fn integers_become_the_nearest_floats() {
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for shift in (0..64).cycle().take(100_000) {
            bits = bits.rotate_left(5).wrapping_mul(0x5851_f42d_4c95_7f2d) ^ 1;
            for x in [
                (bits >> shift) as i64,
                -((bits >> shift) as i64 >> 1),
                i64::MIN >> shift,
            ] {
                for x in [x.wrapping_sub(1), x, x.wrapping_add(1)] {
                    assert_eq!(
                        CastTo::<f64>::cast(x).to_bits(),
                        (x as f64).to_bits(),
                        "{x}"
                    );
                }
            }
        }
    }

    #[test]
    fn truth_is_being_other_than_zero() {
        let mut out = [Bool(0); 3];
        cast(&mut out, Arg::Column(&[f64::NAN, -0.0, 0.5]));
        assert_eq!(out.map(Bool::get), [true, false, true]);
    }
}
