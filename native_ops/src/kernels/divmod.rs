//! Division with remainder as NumPy defines it: the sign follows the divisor.

/// `npy_divmod`: the floored quotient and the remainder, for a divisor other than 0.
macro_rules! float_divmod {
    ($name:ident, $T:ty) => {
        #[inline(always)]
        fn $name(a: $T, b: $T) -> ($T, $T) {
            let mut modulus = a % b;
            let mut quotient = (a - modulus) / b;
            if modulus != 0.0 {
                if (b < 0.0) != (modulus < 0.0) {
                    modulus += b;
                    quotient -= 1.0;
                }
            } else {
                modulus = (0.0 as $T).copysign(b);
            }
            let floored = if quotient != 0.0 {
                let floored = quotient.floor();
                if quotient - floored > 0.5 {
                    floored + 1.0
                } else {
                    floored
                }
            } else {
                (0.0 as $T).copysign(a / b)
            };
            (floored, modulus)
        }
    };
}
float_divmod!(divmod_f64, f64);
float_divmod!(divmod_f32, f32);

/// Numbers that `//` and `%` are defined for.
pub(crate) trait DivMod: Copy {
    fn floor_div(self, divisor: Self) -> Self;
    fn modulo(self, divisor: Self) -> Self;
}

macro_rules! float_division {
    ($($T:ty, $divmod:ident);*) => {$(
        impl DivMod for $T {
            #[inline(always)]
            fn floor_div(self, divisor: Self) -> Self {
                if divisor == 0.0 { self / divisor } else { $divmod(self, divisor).0 }
            }

            #[inline(always)]
            fn modulo(self, divisor: Self) -> Self {
                if divisor == 0.0 { self % divisor } else { $divmod(self, divisor).1 }
            }
        }
    )*};
}
float_division!(f64, divmod_f64; f32, divmod_f32);

macro_rules! signed_division {
    ($($T:ty),*) => {$(
        impl DivMod for $T {
            #[inline(always)]
            fn floor_div(self, divisor: Self) -> Self {
                if divisor == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(divisor);
                let inexact = self.wrapping_rem(divisor) != 0;
                quotient - Self::from(inexact && (self < 0) != (divisor < 0))
            }

            #[inline(always)]
            fn modulo(self, divisor: Self) -> Self {
                if divisor == 0 {
                    return 0;
                }
                let remainder = self.wrapping_rem(divisor);
                if remainder != 0 && (self < 0) != (divisor < 0) {
                    remainder + divisor
                } else {
                    remainder
                }
            }
        }
    )*};
}
signed_division!(i64, i32, i16, i8);

macro_rules! unsigned_division {
    ($($T:ty),*) => {$(
        impl DivMod for $T {
            #[inline(always)]
            fn floor_div(self, divisor: Self) -> Self {
                self.checked_div(divisor).unwrap_or(0)
            }

            #[inline(always)]
            fn modulo(self, divisor: Self) -> Self {
                self.checked_rem(divisor).unwrap_or(0)
            }
        }
    )*};
}
unsigned_division!(u64, u32, u16, u8);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn signs_follow_the_divisor() {
        assert_eq!((-7_i64).floor_div(2), -4);
        assert_eq!((-7_i64).modulo(2), 1);
        assert_eq!(7_i8.floor_div(-2), -4);
        assert_eq!(7_i8.modulo(-2), -1);
        assert_eq!((-7.5_f64).floor_div(2.0), -4.0);
        assert_eq!((-7.5_f64).modulo(2.0), 0.5);
        assert!(0.0_f64.modulo(-3.0).is_sign_negative());
        assert_eq!(1.0_f64.floor_div(0.0), f64::INFINITY);
        assert!(1.0_f64.modulo(0.0).is_nan());
    }

    #[test]
    fn the_smallest_integer_wraps() {
        assert_eq!(i64::MIN.floor_div(-1), i64::MIN);
        assert_eq!(i64::MIN.modulo(-1), 0);
    }

    proptest! {
        #[test]
        fn quotient_and_remainder_belong_together(a: i32, b in any::<i32>().prop_filter("not 0", |b| *b != 0)) {
            let (a, b) = (i64::from(a), i64::from(b));
            prop_assert_eq!(a.floor_div(b) * b + a.modulo(b), a);
            prop_assert!(a.modulo(b) == 0 || (a.modulo(b) < 0) == (b < 0));
        }
    }
}
