//! NumPy's own inner loops, which alone give NumPy's bits for transcendental functions.

use crate::column::Arg;
use crate::dtype::{DType, Element};
use crate::reduce::pairwise::BLOCK;
use std::ffi::{c_char, c_void};

/// The C type of a ufunc's inner loop (`PyUFuncGenericFunction`).
pub type LoopFunction = unsafe extern "C" fn(
    args: *mut *mut c_char,
    dimensions: *const isize,
    steps: *const isize,
    data: *mut c_void,
);

/// An inner loop with one or two inputs and one output, all of one dtype.
#[derive(Clone, Copy, Debug)]
pub struct UfuncLoop {
    function: LoopFunction,
    data: *mut c_void,
    operands: usize,
    dtype: DType,
    scalar: bool,
}

// SAFETY: NumPy calls these loops from any thread without the GIL; `data` is constant.
unsafe impl Send for UfuncLoop {}
// SAFETY: as above.
unsafe impl Sync for UfuncLoop {}

impl UfuncLoop {
    /// Wraps an inner loop.
    ///
    /// # Safety
    ///
    /// For the rest of the process `function` must be callable with `data`, from any thread, on
    /// `operands` (1 or 2) inputs and one output of `dtype`, reading and writing only the rows
    /// that dimensions and steps name.
    #[must_use]
    pub unsafe fn new(
        function: LoopFunction,
        data: *mut c_void,
        operands: usize,
        dtype: DType,
    ) -> Self {
        assert!(operands == 1 || operands == 2, "one or two inputs");
        Self {
            function,
            data,
            operands,
            dtype,
            scalar: false,
        }
    }

    /// Says that the loop is slow, as those are that go value by value: what repeats within a
    /// block is then computed once.
    #[must_use]
    pub fn slow(self) -> Self {
        Self {
            scalar: true,
            ..self
        }
    }

    pub(crate) fn operands(&self) -> usize {
        self.operands
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// Runs the loop over a block. `single` says that the whole column has just one row, for
    /// which NumPy passes steps of 0 (and its `power` then knows the exponent for constant).
    pub(crate) fn call<T: Element>(
        &self,
        out: &mut [T],
        a: Arg<'_, T>,
        b: Option<Arg<'_, T>>,
        single: bool,
    ) {
        assert!(T::DTYPE == self.dtype && self.operands == 1 + usize::from(b.is_some()));
        if let (true, Arg::Column(values), None) = (self.scalar, a, b)
            && let Some(distinct) = Distinct::of(values)
        {
            let mut results = [T::default(); MOST];
            let results = &mut results[..distinct.count];
            let fast = Self {
                scalar: false,
                ..*self
            };
            fast.call(
                results,
                Arg::Column(&distinct.values[..distinct.count]),
                None,
                false,
            );
            for (out, &code) in out.iter_mut().zip(&distinct.codes) {
                *out = results[usize::from(code)];
            }
            return;
        }
        let step = |arg: &Arg<'_, T>| if single { 0 } else { arg.stride() };
        let rows = out.len() as isize;
        let out_step = if single { 0 } else { size_of::<T>() as isize };
        let out = out.as_mut_ptr().cast::<c_char>();
        let address = |arg: &Arg<'_, T>| arg.address().cast::<c_char>().cast_mut();
        for arg in [Some(a), b].into_iter().flatten() {
            if let Arg::Column(values) = arg {
                assert!(values.len() as isize == rows, "blocks of one length");
            }
        }
        match &b {
            None => {
                let mut args = [address(&a), out];
                let steps = [step(&a), out_step];
                // SAFETY: the constructor's promise; columns have `rows` rows (asserted), and the
                // loop only reads its inputs.
                unsafe {
                    (self.function)(
                        args.as_mut_ptr(),
                        &raw const rows,
                        steps.as_ptr(),
                        self.data,
                    );
                }
            }
            Some(b) => {
                let mut args = [address(&a), address(b), out];
                let steps = [step(&a), step(b), out_step];
                // SAFETY: as above.
                unsafe {
                    (self.function)(
                        args.as_mut_ptr(),
                        &raw const rows,
                        steps.as_ptr(),
                        self.data,
                    );
                }
            }
        }
    }
}

/// The most distinct values of a block that are worth finding: the hours of a day and some.
const MOST: usize = 32;
const SLOTS: usize = 4 * MOST;

/// A block of few distinct values: these, and which of them each row has.
struct Distinct<T> {
    values: [T; MOST],
    count: usize,
    codes: [u8; BLOCK],
}

impl<T: Element> Distinct<T> {
    /// Returns nothing if the block is short or has many.
    fn of(block: &[T]) -> Option<Self> {
        if block.len() < SLOTS || block.len() > BLOCK {
            return None;
        }
        let mut found = Self {
            values: [T::default(); MOST],
            count: 0,
            codes: [0; BLOCK],
        };
        let mut slots = [u8::MAX; SLOTS];
        for (code, &value) in found.codes.iter_mut().zip(block) {
            let bits = value.bits();
            let mut slot = (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as usize % SLOTS;
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
    fn repeated_values_give_what_the_loop_gives() {
        // SAFETY: it works on one input and one output of f64.
        let inner = unsafe { UfuncLoop::new(negate, std::ptr::null_mut(), 1, DType::F64) }.slow();
        for distinct in [1, 2, MOST, MOST + 1, 1_000] {
            for rows in [1, SLOTS - 1, SLOTS, BLOCK] {
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
