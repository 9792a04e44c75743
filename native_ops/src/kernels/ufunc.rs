//! NumPy's own inner loops, which alone give NumPy's bits for transcendental functions.

use crate::column::Arg;
use crate::dtype::{DType, Element};
use crate::kernels::repeats::Repeats;
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
    /// For a loop that is slow: how to call it less.
    repeats: Option<&'static Repeats>,
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
            repeats: None,
        }
    }

    /// Says that the loop is slow, as those are that go value by value: what repeats is then
    /// computed once. Costs some memory for the rest of the process.
    #[must_use]
    pub fn slow(self) -> Self {
        Self {
            repeats: Some(Box::leak(Box::new(Repeats::new(&self)))),
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
        if let (Some(repeats), Arg::Column(values), None) = (self.repeats, a, b) {
            let plain = Self {
                repeats: None,
                ..*self
            };
            let compute = |values: &[T], out: &mut [T]| {
                plain.call(out, Arg::Column(values), None, false);
            };
            if repeats.call(values, out, compute) {
                return;
            }
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
