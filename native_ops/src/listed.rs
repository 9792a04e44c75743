//! Functions of small whole numbers, looked up in a list.

use crate::column::{Arg, Column};
use crate::dtype::{Cell, DType, Element};
use crate::simd::{Kernel, dispatch};
use crate::table::cells;
use std::sync::Arc;

/// The most values that a list can have.
pub(crate) const LISTED: usize = 512;

/// The values of a function of whole numbers, by number.
#[derive(Clone, Debug)]
pub struct Listed {
    dtype: DType,
    values: Arc<[Cell; LISTED]>,
}

impl Listed {
    /// A list of at most [`LISTED`] values.
    pub(crate) fn new(values: Column<'_>) -> Self {
        let mut all = [Cell::default(); LISTED];
        all[..values.rows()].copy_from_slice(&cells(values));
        Self {
            dtype: values.dtype(),
            values: Arc::new(all),
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// Writes the value of each number.
    pub(crate) fn map<V: Element>(&self, out: &mut [V], numbers: Arg<'_, i32>) {
        dispatch(Pick {
            values: &self.values,
            numbers: numbers.values(),
            out,
        });
    }
}

struct Pick<'a, T> {
    values: &'a [Cell; LISTED],
    numbers: &'a [i32],
    out: &'a mut [T],
}

impl<T: Element> Kernel for Pick<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let value = |number: i32| self.values[number as usize % LISTED].get();
        pick(self.out, self.numbers, value);
    }
}

/// Rows that are looked at together: what belongs to a date often is the same in many, or that of
/// the day before.
const NEAR: usize = 128;

/// `out[i] = value(numbers[i])`, where looking up takes longer than comparing.
#[inline(always)]
pub(crate) fn pick<T: Copy>(out: &mut [T], numbers: &[i32], value: impl Fn(i32) -> T) {
    for (out, numbers) in out.chunks_mut(NEAR).zip(numbers.chunks(NEAR)) {
        let (least, most) = extremes(numbers);
        let first = value(least);
        match most.wrapping_sub(least) {
            0 => out.fill(first),
            1 => {
                let second = value(most);
                for (out, &number) in out.iter_mut().zip(numbers) {
                    *out = if number == least { first } else { second };
                }
            }
            2 => {
                let (second, third) = (value(least + 1), value(most));
                for (out, &number) in out.iter_mut().zip(numbers) {
                    let later = if number == most { third } else { second };
                    *out = if number == least { first } else { later };
                }
            }
            _ => {
                for (out, &number) in out.iter_mut().zip(numbers) {
                    *out = value(number);
                }
            }
        }
    }
}

/// The least and the largest of some numbers, of none the largest and the least that there are.
#[inline(always)]
pub(crate) fn extremes(numbers: &[i32]) -> (i32, i32) {
    (numbers.iter()).fold((i32::MAX, i32::MIN), |(least, most), &number| {
        (least.min(number), most.max(number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_near_each_other_are_looked_up_like_others(
            first in -5..500_i32,
            steps in prop::collection::vec(0..8_i32, 0..400),
            every in 1..300_i32,
        ) {
            let numbers: Vec<i32> = (steps.iter().enumerate())
                .map(|(row, step)| first + (row as i32 / every + step / 4) % 12)
                .collect();
            let value = |number: i32| f64::from(number).sin();
            let mut out = vec![0.0; numbers.len()];
            pick(&mut out, &numbers, value);
            let expected: Vec<f64> = numbers.iter().map(|&number| value(number)).collect();
            prop_assert_eq!(out, expected);
        }
    }

    #[test]
    fn lists_know_their_numbers() {
        let values: Vec<f64> = (0..LISTED).map(|number| number as f64 * 0.5).collect();
        let list = Listed::new(values.as_slice().into());
        let numbers = [0, 511, 3, 3];
        let mut out = [0.0; 4];
        list.map(&mut out, Arg::Column(&numbers));
        assert_eq!(out, [0.0, 255.5, 1.5, 1.5]);
    }
}
