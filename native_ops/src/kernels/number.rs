//! What arithmetic means for each dtype: integers wrap, floats round once per operation.

use crate::column::Arg;
use crate::dtype::Element;
use crate::kernels::divmod::DivMod;
use crate::reduce::extreme::Bounded;
use crate::simd::{Kernel, dispatch};

/// Numbers of any kind.
pub(crate) trait Number: Element + DivMod {
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
}

macro_rules! float_number {
    ($($T:ty),*) => {$(
        impl Number for $T {
            #[inline(always)]
            fn add(self, other: Self) -> Self { self + other }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { self - other }
            #[inline(always)]
            fn mul(self, other: Self) -> Self { self * other }
            #[inline(always)]
            fn neg(self) -> Self { -self }
            #[inline(always)]
            fn abs(self) -> Self { <$T>::abs(self) }
        }
    )*};
}
float_number!(f64, f32);

macro_rules! integer_number {
    ($abs:ident: $($T:ty),*) => {$(
        impl Number for $T {
            #[inline(always)]
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline(always)]
            fn mul(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline(always)]
            fn neg(self) -> Self { self.wrapping_neg() }
            #[inline(always)]
            fn abs(self) -> Self { $abs!(self) }
        }
    )*};
}
macro_rules! signed_abs {
    ($value:ident) => {
        $value.wrapping_abs()
    };
}
macro_rules! unsigned_abs {
    ($value:ident) => {
        $value
    };
}
integer_number!(signed_abs: i64, i32, i16, i8);
integer_number!(unsigned_abs: u64, u32, u16, u8);

/// Integers of any width.
pub(crate) trait Integer: Number + Bounded {
    /// `self ** exponent` modulo the width, for an exponent that is not negative.
    fn power(self, exponent: Self) -> Self;
    const MINUS_ONE: Option<Self>;
}

macro_rules! integer {
    ($minus_one:expr; $($T:ty),*) => {$(
        impl Integer for $T {
            #[inline(always)]
            fn power(self, mut exponent: Self) -> Self {
                let (mut base, mut result): (Self, Self) = (self, 1);
                while exponent > 0 {
                    if exponent & 1 == 1 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    exponent >>= 1;
                }
                result
            }
            const MINUS_ONE: Option<Self> = $minus_one;
        }
    )*};
}
integer!(Some(-1); i64, i32, i16, i8);
integer!(None; u64, u32, u16, u8);

struct Any<'a, T, F>(Arg<'a, T>, F);

impl<T: Copy, F: Fn(T) -> bool> Kernel for Any<'_, T, F> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        match self.0 {
            // No early exit: the loop is vectorised and the answer is almost always no.
            Arg::Column(values) => values.iter().fold(false, |any, &v| any | (self.1)(v)),
            Arg::Scalar(value) => (self.1)(value),
        }
    }
}

/// Whether `holds` for any of the values.
pub(crate) fn any<T: Element>(values: Arg<'_, T>, holds: impl Fn(T) -> bool) -> bool {
    dispatch(Any(values, holds))
}
