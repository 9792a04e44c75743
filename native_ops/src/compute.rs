//! Computes a node over a block: picks the kernel for its operation and dtypes.

use crate::column::Arg;
use crate::dtype::{Bool, DType, Element, with_any, with_float, with_integer, with_number};
use crate::flags;
use crate::fpenv::watch;
use crate::kernels::cast::cast;
use crate::kernels::map::{map1, map2, select};
use crate::kernels::number::{Integer, Number, any};
use crate::memory::Block;
use crate::node::{Arithmetic, Comparison, Logic, Node, NodeId, Op, Unary};
use crate::plan::Place;
use std::hint::black_box;

/// Writes the values of node `id` to `place`, and adds what happened to `flagged`.
///
/// # Safety
///
/// The contract of [`Block::out`] for `place`; and place and dtypes are those of the plan.
pub(crate) unsafe fn compute(
    nodes: &[Node],
    id: NodeId,
    place: Place,
    block: &Block<'_>,
    flagged: &mut u32,
) {
    let node = &nodes[id];
    let dtype = node.dtype;
    macro_rules! out {
        ($T:ty) => {
            // SAFETY: the caller's promise.
            unsafe { block.out::<$T>(place, id) }
        };
    }
    match node.op {
        Op::Input(_) => unreachable!("inputs are not computed"),
        Op::Const(value) => with_any!(dtype, T => out!(T)[0] = value.get()),
        Op::Cast(a) => with_any!(nodes[a].dtype, A => with_any!(dtype, T => {
            let bad = watch(flagged, || cast::<A, T>(out!(T), block.arg(a)));
            if bad {
                *flagged |= flags::BAD_CAST;
            }
        })),
        Op::Arithmetic(Arithmetic::TrueDiv, a, b) => with_float!(dtype, T => {
            watch(flagged, || map2(out!(T), block.arg(a), block.arg(b), |a: T, b: T| a / b));
        }),
        Op::Arithmetic(Arithmetic::Power, a, b) => with_integer!(dtype, T => {
            map2(out!(T), block.arg(a), block.arg(b), <T as Integer>::power);
            if any(block.arg(b), |b: T| b < T::default()) {
                *flagged |= flags::NEGATIVE_POWER;
            }
        }),
        Op::Arithmetic(op, a, b) if dtype.is_float() => with_float!(dtype, T => {
            watch(flagged, || arithmetic::<T>(op, out!(T), block.arg(a), block.arg(b)));
        }),
        Op::Arithmetic(op, a, b) => with_integer!(dtype, T => {
            arithmetic::<T>(op, out!(T), block.arg(a), block.arg(b));
            if matches!(op, Arithmetic::FloorDiv | Arithmetic::Mod) {
                *flagged |= division_flags::<T>(op, block.arg(a), block.arg(b));
            }
        }),
        Op::Compare(op, a, b) => with_any!(nodes[a].dtype, T => {
            let (out, a, b) = (out!(Bool), block.arg::<T>(a), block.arg::<T>(b));
            match op {
                Comparison::Eq => map2(out, a, b, |a: T, b: T| (a == b).into()),
                Comparison::Ne => map2(out, a, b, |a: T, b: T| (a != b).into()),
                Comparison::Lt => map2(out, a, b, |a: T, b: T| (a < b).into()),
                Comparison::Le => map2(out, a, b, |a: T, b: T| (a <= b).into()),
                Comparison::Gt => map2(out, a, b, |a: T, b: T| (a > b).into()),
                Comparison::Ge => map2(out, a, b, |a: T, b: T| (a >= b).into()),
            }
        }),
        Op::Logic(op, a, b) if dtype == DType::Bool => {
            let (out, a, b) = (out!(Bool), block.arg(a), block.arg(b));
            match op {
                Logic::And => map2(out, a, b, |a: Bool, b: Bool| (a.get() & b.get()).into()),
                Logic::Or => map2(out, a, b, |a: Bool, b: Bool| (a.get() | b.get()).into()),
                Logic::Xor => map2(out, a, b, |a: Bool, b: Bool| (a.get() ^ b.get()).into()),
            }
        }
        Op::Logic(op, a, b) => with_integer!(dtype, T => {
            let (out, a, b) = (out!(T), block.arg(a), block.arg(b));
            match op {
                Logic::And => map2(out, a, b, |a: T, b: T| a & b),
                Logic::Or => map2(out, a, b, |a: T, b: T| a | b),
                Logic::Xor => map2(out, a, b, |a: T, b: T| a ^ b),
            }
        }),
        Op::Unary(Unary::Neg, a) => with_number!(dtype, T => {
            map1(out!(T), block.arg(a), <T as Number>::neg);
        }),
        Op::Unary(Unary::Abs, a) => with_number!(dtype, T => {
            map1(out!(T), block.arg(a), <T as Number>::abs);
        }),
        Op::Unary(Unary::Not, a) if dtype == DType::Bool => {
            map1(out!(Bool), block.arg(a), |a: Bool| (!a.get()).into());
        }
        Op::Unary(Unary::Not, a) => with_integer!(dtype, T => {
            map1(out!(T), block.arg(a), |a: T| !a);
        }),
        Op::Unary(Unary::Rint, a) => with_float!(dtype, T => {
            map1(out!(T), block.arg(a), T::round_ties_even);
        }),
        Op::Unary(Unary::Sqrt, a) => with_float!(dtype, T => {
            watch(flagged, || map1(out!(T), block.arg(a), T::sqrt));
        }),
        Op::IsNan(a) => with_float!(nodes[a].dtype, T => {
            map1(out!(Bool), block.arg(a), |a: T| a.is_nan().into());
        }),
        Op::Select(condition, a, b) => with_any!(dtype, T => {
            select(out!(T), block.arg(condition), block.arg(a), block.arg(b));
        }),
        Op::Ufunc(ref function, a, b) => with_float!(dtype, T => {
            let single = place == Place::Scalar || block.is_single();
            let b = b.map(|b| block.arg(b));
            watch(flagged, || function.call::<T>(out!(T), block.arg(a), b, single));
        }),
        Op::IsIn(a, ref set) => with_any!(nodes[a].dtype, T => {
            set.contains::<T>(out!(Bool), block.arg(a));
        }),
        Op::Lookup(a, ref table) => with_any!(nodes[a].dtype, K => with_any!(dtype, V => {
            table.map::<K, V>(out!(V), block.arg(a));
        })),
        Op::Listed(a, ref values) => with_any!(dtype, V => {
            values.map::<V>(out!(V), block.arg(a));
        }),
        Op::Date(part, a) => {
            let inside = match part.reads() {
                DType::I64 => part.of_times(out!(i32), block.arg(a).values()),
                _ => part.of_days(out!(i32), block.arg(a).values()),
            };
            if !inside {
                *flagged |= flags::DATE_OUT_OF_RANGE;
            }
        }
        Op::Mean { sum, count, of } => {
            let (sum, count) = (scalar::<f64>(block, sum), scalar::<i64>(block, count));
            let count = if of == DType::F32 {
                f64::from(count as f32)
            } else {
                count as f64
            };
            out!(f64)[0] = sum / count;
        }
        Op::Variance {
            squares,
            count,
            ddof,
        } => {
            // Opaque: divided while the flags are watched, not before.
            let squares = black_box(scalar::<f64>(block, squares));
            let count = scalar::<i64>(block, count);
            let variance = |degrees: f64| {
                if count <= ddof {
                    f64::NAN
                } else {
                    squares / degrees
                }
            };
            match dtype {
                DType::F32 => {
                    let degrees = count as f32 - ddof as f32;
                    out!(f32)[0] = watch(flagged, || variance(f64::from(degrees)) as f32);
                }
                _ => out!(f64)[0] = watch(flagged, || variance(count as f64 - ddof as f64)),
            }
        }
        Op::Reduce(..) => unreachable!("reductions are folds or whole"),
    }
}

fn arithmetic<T: Number>(op: Arithmetic, out: &mut [T], a: Arg<'_, T>, b: Arg<'_, T>) {
    match op {
        Arithmetic::Add => map2(out, a, b, T::add),
        Arithmetic::Sub => map2(out, a, b, T::sub),
        Arithmetic::Mul => map2(out, a, b, T::mul),
        Arithmetic::FloorDiv => map2(out, a, b, T::floor_div),
        Arithmetic::Mod => map2(out, a, b, T::modulo),
        Arithmetic::TrueDiv | Arithmetic::Power => unreachable!("not defined for all numbers"),
    }
}

fn division_flags<T: Integer>(op: Arithmetic, a: Arg<'_, T>, b: Arg<'_, T>) -> u32 {
    let mut flagged = 0;
    if any(b, |b| b == T::default()) {
        flagged |= flags::INTEGER_DIVISION_BY_ZERO;
    }
    // The one quotient that doesn't fit: the smallest integer by -1.
    let overflows = |a: T, b: T| T::MINUS_ONE == Some(b) && a == T::LOWEST;
    if op == Arithmetic::FloorDiv && any(b, |b| T::MINUS_ONE == Some(b)) {
        let rows = a.rows().max(b.rows());
        if (0..rows).any(|row| overflows(a.at(row), b.at(row))) {
            flagged |= flags::OVERFLOW;
        }
    }
    flagged
}

fn scalar<T: Element>(block: &Block<'_>, node: NodeId) -> T {
    block.arg(node).at(0)
}
