//! The smallest and the largest value.

use crate::column::Arg;
use crate::dtype::{Bool, Cell, Element};
use crate::kernels::number::any;
use crate::reduce::Partial;
use crate::simd::{Kernel, dispatch};

/// Types with a value that no other is below or above.
pub(crate) trait Bounded: Element {
    const LOWEST: Self;
    const HIGHEST: Self;

    /// Whether this is the zero with a sign; integers have none.
    fn is_negative_zero(self) -> bool {
        false
    }
}

macro_rules! bounded_integers {
    ($($T:ty),*) => {$(
        impl Bounded for $T {
            const LOWEST: Self = <$T>::MIN;
            const HIGHEST: Self = <$T>::MAX;
        }
    )*};
}
bounded_integers!(i64, i32, i16, i8, u64, u32, u16, u8);

macro_rules! bounded_floats {
    ($($T:ty),*) => {$(
        impl Bounded for $T {
            const LOWEST: Self = <$T>::NEG_INFINITY;
            const HIGHEST: Self = <$T>::INFINITY;

            fn is_negative_zero(self) -> bool {
                self == 0.0 && self.is_sign_negative()
            }
        }
    )*};
}
bounded_floats!(f64, f32);

impl Bounded for Bool {
    const LOWEST: Self = Self(0);
    const HIGHEST: Self = Self(1);
}

/// Whether `a` is to be preferred to `b`: smaller for a minimum, larger for a maximum.
#[inline(always)]
fn better<T: Element>(a: T, b: T, smallest: bool) -> bool {
    if smallest { a < b } else { a > b }
}

struct Extreme<'a, T, const SMALLEST: bool>(&'a [T]);

impl<T: Bounded, const SMALLEST: bool> Kernel for Extreme<'_, T, SMALLEST> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        const LANES: usize = 16;
        let worst = if SMALLEST { T::HIGHEST } else { T::LOWEST };
        // A missing value is not better than anything, so it never gets in.
        let pick = |best: T, value: T| {
            if better(value, best, SMALLEST) {
                value
            } else {
                best
            }
        };
        let mut lanes = [worst; LANES];
        let chunks = self.0.chunks_exact(LANES);
        let tail = chunks.remainder();
        for chunk in chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane = pick(*lane, value);
            }
        }
        let best = lanes.into_iter().fold(worst, pick);
        tail.iter().copied().fold(best, pick)
    }
}

/// Bit 0: -0.0 occurs; bit 1: 0.0 occurs.
pub(crate) fn zeros<T: Bounded>(values: &[T]) -> u8 {
    let zero = T::default();
    let negative = any(Arg::Column(values), T::is_negative_zero);
    let positive = any(Arg::Column(values), |v| v == zero && !v.is_negative_zero());
    u8::from(negative) | u8::from(positive) << 1
}

/// The smallest (or largest) value of a block.
pub(crate) fn block_extreme<T: Bounded>(values: &[T], smallest: bool) -> Partial {
    let (best, worst) = if smallest {
        (dispatch(Extreme::<T, true>(values)), T::HIGHEST)
    } else {
        (dispatch(Extreme::<T, false>(values)), T::LOWEST)
    };
    Partial {
        value: Cell::new(best),
        empty: best == worst && !any(Arg::Column(values), |v: T| !v.is_missing()),
        zeros: if best == T::default() {
            zeros(values)
        } else {
            0
        },
    }
}

/// The smallest (or largest) of the values of blocks, `empty` if no block has one.
pub(crate) fn combine_extremes<T: Bounded>(
    partials: impl Iterator<Item = Partial>,
    smallest: bool,
) -> Partial {
    let nothing = Partial {
        empty: true,
        ..Partial::default()
    };
    partials
        .filter(|partial| !partial.empty)
        .fold(nothing, |best, next| {
            let (a, b): (T, T) = (best.value.get(), next.value.get());
            if best.empty || better(b, a, smallest) {
                next
            } else if a == b {
                Partial {
                    zeros: best.zeros | next.zeros,
                    ..best
                }
            } else {
                best
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_skipped() {
        let min = block_extreme(&[f64::NAN, 3.0, -2.0], true);
        assert_eq!(min.value.get::<f64>(), -2.0);
        assert!(block_extreme(&[f64::NAN], false).empty);
        assert!(!block_extreme(&[f64::NAN, f64::INFINITY], true).empty);
        assert!(block_extreme::<u8>(&[], true).empty);
    }

    #[test]
    fn zeros_of_both_signs_are_noticed_across_blocks() {
        let blocks = [&[0.0, 1.0][..], &[2.0], &[-0.0]];
        let partials = blocks.into_iter().map(|b| block_extreme(b, true));
        assert_eq!(combine_extremes::<f64>(partials, true).zeros, 3);
        let partials = blocks.into_iter().map(|b| block_extreme(b, false));
        assert_eq!(
            combine_extremes::<f64>(partials, false).value.get::<f64>(),
            2.0
        );
    }
}
