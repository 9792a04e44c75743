//! Calling a slow function less: what repeats is computed once.

use crate::column::Arg;
use crate::dtype::{Cell, DType, Element};
use crate::fpenv::watch;
use crate::kernels::ufunc::UfuncLoop;
use crate::reduce::pairwise::BLOCK;
use crate::simd::{Kernel, dispatch};

/// What is known of a function of one argument.
#[derive(Debug)]
pub(crate) struct Repeats {
    /// Its values for the whole numbers from 0 on: counts, minutes, distances. Empty unless it is
    /// of f64 and none of these raises a floating point exception, which the table would hide.
    whole: Vec<f64>,
}

impl Repeats {
    pub(crate) fn new(function: &UfuncLoop) -> Self {
        let mut whole = Vec::new();
        if function.operands() == 1 && function.dtype() == DType::F64 {
            let numbers: Vec<f64> = (0..WHOLE).map(f64::from).collect();
            whole = vec![0.0; numbers.len()];
            let mut raised = 0;
            watch(&mut raised, || {
                function.call(&mut whole, Arg::Column(&numbers), None, false);
            });
            if raised != 0 {
                whole.clear();
            }
        }
        Self { whole }
    }

    /// Writes the function's values, for which `compute` is called on some of them; false if that
    /// would not be worth it, and nothing is done.
    pub(crate) fn call<T: Element>(
        &self,
        values: &[T],
        out: &mut [T],
        compute: impl Fn(&[T], &mut [T]),
    ) -> bool {
        if values.len() < LEAST || values.len() > BLOCK {
            return false;
        }
        if dispatch(AllEqual(values)) {
            let mut result = [T::default()];
            compute(&values[..1], &mut result);
            out.fill(result[0]);
            return true;
        }
        if let Some(distinct) = Distinct::of(values) {
            let mut results = [T::default(); MOST];
            let results = &mut results[..distinct.count];
            compute(&distinct.values[..distinct.count], results);
            for (out, &code) in out.iter_mut().zip(&distinct.codes) {
                *out = results[usize::from(code)];
            }
            return true;
        }
        self.look_up(values, out, compute)
    }

    fn look_up<T: Element>(
        &self,
        values: &[T],
        out: &mut [T],
        compute: impl Fn(&[T], &mut [T]),
    ) -> bool {
        if self.whole.is_empty() {
            return false;
        }
        let mut codes = [OTHER; BLOCK];
        let codes = &mut codes[..values.len()];
        let found = dispatch(Whole { values, codes });
        if found * 2 < values.len() {
            return false;
        }
        for (out, &code) in out.iter_mut().zip(&*codes) {
            // The table is of f64, and so is the function (see `new`).
            *out = Cell::new(self.whole[usize::from(code % WHOLE)]).get();
        }
        if found < values.len() {
            let (mut rows, mut others, mut results) =
                ([0_u16; BLOCK], [T::default(); BLOCK], [T::default(); BLOCK]);
            let mut count = 0;
            for (row, &code) in codes.iter().enumerate() {
                rows[count] = row as u16;
                others[count] = values[row];
                count += usize::from(code == OTHER);
            }
            compute(&others[..count], &mut results[..count]);
            for (&row, &result) in rows[..count].iter().zip(&results) {
                out[usize::from(row)] = result;
            }
        }
        true
    }
}

/// The whole numbers that tables hold are below this.
const WHOLE: u16 = 8192;
/// To which adding a number below `WHOLE` rounds to a whole number.
const SHIFT: f64 = 4_503_599_627_370_496.0;
/// The code of a value that is none of them.
const OTHER: u16 = u16::MAX;

/// Finds which whole number each value is, and counts those that are one.
struct Whole<'a, T> {
    values: &'a [T],
    codes: &'a mut [u16],
}

impl<T: Element> Kernel for Whole<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let end = f64::from(WHOLE).to_bits(); // negative numbers have the first bit, too
        let mut found = 0;
        for (code, &value) in self.codes.iter_mut().zip(self.values) {
            // Nothing here may raise an exception, not even if it is computed for all rows: bits
            // are compared as integers, and adding 2^52 leaves the whole number in the last bits.
            let bits = value.bits();
            let shifted = f64::from_bits(bits) + SHIFT;
            let whole = (shifted.to_bits() & 0xffff) as u16;
            let is_whole = (shifted - SHIFT).to_bits() == bits && bits < end;
            *code = if is_whole { whole } else { OTHER };
            found += usize::from(is_whole);
        }
        found
    }
}

/// The most distinct values of a block that are worth finding: the hours of a day and some.
const MOST: usize = 32;
/// So many that distinct values seldom meet in one, which the processor would not foresee.
const SLOTS: usize = 1024;
/// The fewest rows for which looking at what repeats pays off.
const LEAST: usize = 128;

/// Whether all values of a block are the same.
struct AllEqual<'a, T>(&'a [T]);

impl<T: Element> Kernel for AllEqual<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let first = self.0[0].bits();
        let other = |any: bool, value: &T| any | (value.bits() != first);
        !self.0.iter().fold(false, other)
    }
}

/// A block of few distinct values: these, and which of them each row has.
struct Distinct<T> {
    values: [T; MOST],
    count: usize,
    codes: [u8; BLOCK],
}

impl<T: Element> Distinct<T> {
    /// Returns nothing if the block has many.
    fn of(block: &[T]) -> Option<Self> {
        let mut found = Self {
            values: [T::default(); MOST],
            count: 0,
            codes: [0; BLOCK],
        };
        let mut slots = [u8::MAX; SLOTS];
        for (code, &value) in found.codes.iter_mut().zip(block) {
            let bits = value.bits();
            let mut slot = (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % SLOTS;
            loop {
                let known = usize::from(slots[slot]);
                if known < found.count && found.values[known].bits() == bits {
                    break;
                }
                if known >= found.count {
                    if found.count == MOST {
                        return None;
                    }
                    slots[slot] = found.count as u8;
                    found.values[found.count] = value;
                    found.count += 1;
                    break;
                }
                slot = (slot + 1) % SLOTS;
            }
            *code = slots[slot];
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{c_char, c_void};

    unsafe extern "C" fn negate(
        args: *mut *mut c_char,
        dimensions: *const isize,
        _: *const isize,
        _: *mut c_void,
    ) {
        // SAFETY: called with contiguous f64 below.
        unsafe {
            let (from, to) = ((*args).cast::<f64>(), (*args.add(1)).cast::<f64>());
            for row in 0..*dimensions {
                *to.offset(row) = -*from.offset(row);
            }
        }
    }

    #[test]
    fn whole_numbers_give_what_the_loop_gives() {
        // SAFETY: it works on one input and one output of f64.
        let inner = unsafe { UfuncLoop::new(negate, std::ptr::null_mut(), 1, DType::F64) }.slow();
        let end = f64::from(WHOLE);
        let others = [
            -0.0,
            f64::NAN,
            -1.0,
            0.5,
            end,
            end - 0.5,
            f64::INFINITY,
            1e300,
            -5e-324,
        ];
        for every in [1, 2, 3, 7, BLOCK] {
            let values: Vec<f64> = (0..BLOCK)
                .map(|i| match i % every {
                    0 => others[i / every % others.len()],
                    _ => (i * 31 % usize::from(WHOLE)) as f64,
                })
                .collect();
            let mut out = vec![0.0; values.len()];
            let mut raised = 0;
            watch(&mut raised, || {
                inner.call(&mut out, Arg::Column(&values), None, false);
            });
            assert_eq!(raised, 0);
            for (out, value) in out.iter().zip(&values) {
                assert_eq!(out.to_bits(), (-value).to_bits());
            }
        }
    }

    #[test]
    fn repeated_values_give_what_the_loop_gives() {
        // SAFETY: it works on one input and one output of f64.
        let inner = unsafe { UfuncLoop::new(negate, std::ptr::null_mut(), 1, DType::F64) }.slow();
        for distinct in [1, 2, MOST, MOST + 1, 1_000] {
            for rows in [1, LEAST - 1, LEAST, BLOCK] {
                let values: Vec<f64> = (0..rows)
                    .map(|i| [0.0, -0.0, f64::NAN][i % 3] + (i * 7 % distinct) as f64)
                    .collect();
                let mut out = vec![0.0; rows];
                inner.call(&mut out, Arg::Column(&values), None, false);
                for (out, value) in out.iter().zip(&values) {
                    assert_eq!(out.to_bits(), (-value).to_bits());
                }
            }
        }
    }
}
