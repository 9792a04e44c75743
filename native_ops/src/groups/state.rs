//! What is known of a group so far: sums, means, spreads, extremes.

use crate::dtype::Element;

/// A number that groups can hold.
pub(super) trait Value: Element {
    const LOWEST: Self;
    const HIGHEST: Self;
    const NOTHING: Self;

    /// The sum, wrapped around.
    fn plus(self, other: Self) -> Self;
}

macro_rules! integer_values {
    ($($T:ty),*) => {$(
        impl Value for $T {
            const LOWEST: Self = Self::MIN;
            const HIGHEST: Self = Self::MAX;
            const NOTHING: Self = 0;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
        }
    )*};
}
integer_values!(i64, i32, i16, i8, u64, u32, u16, u8);

/// A float that groups can hold.
pub(super) trait Float: Value {
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn over(self, other: Self) -> Self;
    fn root(self) -> Self;
    fn count(count: i64) -> Self;
}

macro_rules! float_values {
    ($($T:ty),*) => {$(
        impl Value for $T {
            const LOWEST: Self = Self::NEG_INFINITY;
            const HIGHEST: Self = Self::INFINITY;
            const NOTHING: Self = Self::NAN;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
        }

        impl Float for $T {
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }

            #[inline(always)]
            fn over(self, other: Self) -> Self {
                self / other
            }

            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn count(count: i64) -> Self {
                count as Self
            }
        }
    )*};
}
float_values!(f64, f32);

/// What is known of a group so far.
pub(super) trait State<T>: Copy {
    /// Takes in the value that is number `count` of the group, counted from 1.
    fn add(&mut self, value: T, count: i64);

    /// The result for a group of at least one value, or of none if that is enough.
    fn result(self, count: i64) -> T;
}

#[derive(Clone, Copy, Default)]
pub(super) struct Total<T>(T);

impl<T: Value> State<T> for Total<T> {
    #[inline(always)]
    fn add(&mut self, value: T, _: i64) {
        self.0 = self.0.plus(value);
    }

    fn result(self, _: i64) -> T {
        self.0
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Kahan<T> {
    sum: T,
    compensation: T,
}

impl<T: Float> State<T> for Kahan<T> {
    #[inline(always)]
    fn add(&mut self, value: T, _: i64) {
        let value = value.minus(self.compensation);
        let sum = self.sum.plus(value);
        let compensation = sum.minus(self.sum).minus(value);
        // With an infinity in the sum there is nothing to compensate.
        self.compensation = if compensation.is_missing() {
            T::default()
        } else {
            compensation
        };
        self.sum = sum;
    }

    fn result(self, _: i64) -> T {
        self.sum
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Mean<T>(Kahan<T>);

impl<T: Float> State<T> for Mean<T> {
    #[inline(always)]
    fn add(&mut self, value: T, count: i64) {
        self.0.add(value, count);
    }

    fn result(self, count: i64) -> T {
        self.0.sum.over(T::count(count))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Spread<T, const ROOT: bool> {
    mean: T,
    squares: T,
    ddof: i64,
}

impl<T: Float, const ROOT: bool> Spread<T, ROOT> {
    pub(super) fn new(ddof: i64) -> Self {
        Self {
            mean: T::default(),
            squares: T::default(),
            ddof,
        }
    }
}

impl<T: Float, const ROOT: bool> State<T> for Spread<T, ROOT> {
    #[inline(always)]
    fn add(&mut self, value: T, count: i64) {
        let before = value.minus(self.mean);
        self.mean = self.mean.plus(before.over(T::count(count)));
        let after = value.minus(self.mean);
        self.squares = self.squares.plus(after.times(before));
    }

    fn result(self, count: i64) -> T {
        let count = T::count(count);
        let ddof = T::count(self.ddof);
        if count <= ddof {
            return T::NOTHING;
        }
        let variance = self.squares.over(count.minus(ddof));
        if ROOT { variance.root() } else { variance }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Extreme<T, const LARGEST: bool>(T);

impl<T: Value, const LARGEST: bool> Extreme<T, LARGEST> {
    pub(super) fn new() -> Self {
        Self(if LARGEST { T::LOWEST } else { T::HIGHEST })
    }
}

impl<T: Value, const LARGEST: bool> State<T> for Extreme<T, LARGEST> {
    #[inline(always)]
    fn add(&mut self, value: T, _: i64) {
        if (LARGEST && value > self.0) || (!LARGEST && value < self.0) {
            self.0 = value;
        }
    }

    fn result(self, _: i64) -> T {
        self.0
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct First<T>(T);

impl<T: Value> State<T> for First<T> {
    #[inline(always)]
    fn add(&mut self, value: T, count: i64) {
        if count == 1 {
            self.0 = value;
        }
    }

    fn result(self, _: i64) -> T {
        self.0
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Last<T>(T);

impl<T: Value> State<T> for Last<T> {
    #[inline(always)]
    fn add(&mut self, value: T, _: i64) {
        self.0 = value;
    }

    fn result(self, _: i64) -> T {
        self.0
    }
}
