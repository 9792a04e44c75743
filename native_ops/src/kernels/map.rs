//! The loops: apply a function to one, two or three operands, each a column or a scalar.

use crate::column::Arg;
use crate::dtype::{Bool, Element};
use crate::simd::{Kernel, dispatch};

struct Map1<'a, A, O, F> {
    out: &'a mut [O],
    a: Arg<'a, A>,
    f: F,
}

impl<A: Copy, O: Copy, F: Fn(A) -> O> Kernel for Map1<'_, A, O, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.a {
            Arg::Column(a) => {
                for (out, &a) in self.out.iter_mut().zip(a) {
                    *out = (self.f)(a);
                }
            }
            Arg::Scalar(a) => self.out.fill((self.f)(a)),
        }
    }
}

/// `out[i] = f(a[i])`
#[inline]
pub(crate) fn map1<A: Element, O: Element>(out: &mut [O], a: Arg<'_, A>, f: impl Fn(A) -> O) {
    dispatch(Map1 { out, a, f });
}

struct Map2<'a, A, B, O, F> {
    out: &'a mut [O],
    a: Arg<'a, A>,
    b: Arg<'a, B>,
    f: F,
}

impl<A: Copy, B: Copy, O: Copy, F: Fn(A, B) -> O> Kernel for Map2<'_, A, B, O, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match (self.a, self.b) {
            (Arg::Column(a), Arg::Column(b)) => {
                for ((out, &a), &b) in self.out.iter_mut().zip(a).zip(b) {
                    *out = (self.f)(a, b);
                }
            }
            (Arg::Column(a), Arg::Scalar(b)) => {
                for (out, &a) in self.out.iter_mut().zip(a) {
                    *out = (self.f)(a, b);
                }
            }
            (Arg::Scalar(a), Arg::Column(b)) => {
                for (out, &b) in self.out.iter_mut().zip(b) {
                    *out = (self.f)(a, b);
                }
            }
            (Arg::Scalar(a), Arg::Scalar(b)) => self.out.fill((self.f)(a, b)),
        }
    }
}

/// `out[i] = f(a[i], b[i])`
#[inline]
pub(crate) fn map2<A: Element, B: Element, O: Element>(
    out: &mut [O],
    a: Arg<'_, A>,
    b: Arg<'_, B>,
    f: impl Fn(A, B) -> O,
) {
    dispatch(Map2 { out, a, b, f });
}

struct Select<'a, T> {
    out: &'a mut [T],
    condition: &'a [Bool],
    a: Arg<'a, T>,
    b: Arg<'a, T>,
}

impl<T: Element> Kernel for Select<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.out.iter_mut().zip(self.condition);
        match (self.a, self.b) {
            (Arg::Column(a), Arg::Column(b)) => {
                for (((out, c), &a), &b) in rows.zip(a).zip(b) {
                    *out = if c.get() { a } else { b };
                }
            }
            (Arg::Column(a), Arg::Scalar(b)) => {
                for ((out, c), &a) in rows.zip(a) {
                    *out = if c.get() { a } else { b };
                }
            }
            (Arg::Scalar(a), Arg::Column(b)) => {
                for ((out, c), &b) in rows.zip(b) {
                    *out = if c.get() { a } else { b };
                }
            }
            (Arg::Scalar(a), Arg::Scalar(b)) => {
                for (out, c) in rows {
                    *out = if c.get() { a } else { b };
                }
            }
        }
    }
}

/// `out[i] = a[i] if condition[i] else b[i]`
pub(crate) fn select<T: Element>(
    out: &mut [T],
    condition: Arg<'_, Bool>,
    a: Arg<'_, T>,
    b: Arg<'_, T>,
) {
    match condition {
        Arg::Column(condition) => dispatch(Select {
            out,
            condition,
            a,
            b,
        }),
        Arg::Scalar(condition) => match if condition.get() { a } else { b } {
            Arg::Column(values) => out.copy_from_slice(values),
            Arg::Scalar(value) => out.fill(value),
        },
    }
}
