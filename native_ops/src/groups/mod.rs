//! Reductions by group, bit for bit as pandas: rows in order, Kahan's sums, Welford's variances.
//!
//! Each row has the code of its group. Codes that are negative, or too large, belong to no group.

mod state;

use crate::column::{Column, ColumnMut};
use crate::error::ProgramError;
use state::{Extreme, First, Float, Kahan, Last, Mean, Spread, State, Total, Value};

/// What becomes of the values of a group; missing values are skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Aggregate {
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Median,
    /// With the degrees of freedom that are taken off.
    Var(i64),
    /// With the degrees of freedom that are taken off.
    Std(i64),
}

/// Writes one value for each group, NaN where fewer than `at_least` values are there (integers:
/// 0), and how many there are.
///
/// Returns whether a median is 0 where both zeros occur: which of them pandas takes depends on
/// its selection.
///
/// # Errors
///
/// When the lengths or dtypes don't fit.
pub fn aggregate(
    how: Aggregate,
    codes: &[i64],
    values: Column<'_>,
    out: &mut ColumnMut<'_>,
    counts: &mut [i64],
    at_least: i64,
) -> Result<bool, ProgramError> {
    if codes.len() != values.rows() || counts.len() != out.rows() {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    if values.dtype() != out.dtype() {
        return Err(ProgramError("the dtypes differ".to_owned()));
    }
    macro_rules! numbers {
        ($($name:ident: $adding:ident),*) => {
            match (values, out) {
                $((Column::$name(values), ColumnMut::$name(out)) => {
                    let rows = Rows { codes, values, counts, at_least };
                    match how {
                        Aggregate::Min => rows.fold(out, Extreme::<_, false>::new()),
                        Aggregate::Max => rows.fold(out, Extreme::<_, true>::new()),
                        Aggregate::First => rows.fold(out, First::default()),
                        Aggregate::Last => rows.fold(out, Last::default()),
                        _ => return $adding(how, rows, out),
                    }
                    Ok(false)
                })*
                _ => unsupported(how),
            }
        };
    }
    numbers!(F64: floats64, F32: floats, I64: integers, U64: integers, I32: nothing, I16: nothing,
             I8: nothing, U32: nothing, U16: nothing, U8: nothing)
}

fn unsupported<R>(how: Aggregate) -> Result<R, ProgramError> {
    Err(ProgramError(format!("no {how:?} for this dtype")))
}

fn nothing<T>(how: Aggregate, _: Rows<'_, T>, _: &mut [T]) -> Result<bool, ProgramError> {
    unsupported(how)
}

fn integers<T: Value>(
    how: Aggregate,
    rows: Rows<'_, T>,
    out: &mut [T],
) -> Result<bool, ProgramError> {
    match how {
        Aggregate::Sum => rows.fold(out, Total::default()),
        _ => return unsupported(how),
    }
    Ok(false)
}

fn floats<T: Float>(
    how: Aggregate,
    rows: Rows<'_, T>,
    out: &mut [T],
) -> Result<bool, ProgramError> {
    match how {
        Aggregate::Sum => rows.fold(out, Kahan::default()),
        Aggregate::Mean => rows.fold(out, Mean::default()),
        Aggregate::Var(ddof) => rows.fold(out, Spread::<_, false>::new(ddof)),
        _ => return unsupported(how),
    }
    Ok(false)
}

fn floats64(how: Aggregate, rows: Rows<'_, f64>, out: &mut [f64]) -> Result<bool, ProgramError> {
    match how {
        Aggregate::Std(ddof) => rows.fold(out, Spread::<_, true>::new(ddof)),
        Aggregate::Median => return Ok(rows.medians(out)),
        _ => return floats(how, rows, out),
    }
    Ok(false)
}

struct Rows<'a, T> {
    codes: &'a [i64],
    values: &'a [T],
    counts: &'a mut [i64],
    at_least: i64,
}

impl<T: Value> Rows<'_, T> {
    fn fold<S: State<T>>(self, out: &mut [T], start: S) {
        // A group's count next to its state: one line of cache for both.
        let mut groups = vec![(start, 0_i64); out.len()];
        for (&code, &value) in self.codes.iter().zip(self.values) {
            // Negative codes are huge here.
            if let Some((state, count)) = groups.get_mut(code as usize)
                && !value.is_missing()
            {
                *count += 1;
                state.add(value, *count);
            }
        }
        let results = out.iter_mut().zip(self.counts);
        for ((out, total), (state, count)) in results.zip(groups) {
            *total = count;
            *out = if count >= self.at_least {
                state.result(count)
            } else {
                T::NOTHING
            };
        }
    }
}

impl Rows<'_, f64> {
    fn medians(self, out: &mut [f64]) -> bool {
        let here = |code: i64, value: f64| (code as usize) < out.len() && !value.is_nan();
        self.counts.fill(0);
        for (&code, &value) in self.codes.iter().zip(self.values) {
            if here(code, value) {
                self.counts[code as usize] += 1;
            }
        }
        let mut ends: Vec<usize> = Vec::with_capacity(out.len());
        let mut total = 0;
        for &count in &*self.counts {
            ends.push(total);
            total += count as usize;
        }
        let mut sorted = vec![0.0; total];
        for (&code, &value) in self.codes.iter().zip(self.values) {
            if here(code, value) {
                let end = &mut ends[code as usize];
                sorted[*end] = value;
                *end += 1;
            }
        }
        let mut ambiguous = false;
        let mut start = 0;
        for (out, end) in out.iter_mut().zip(ends) {
            let group = &mut sorted[start..end];
            start = end;
            *out = f64::NAN;
            if group.is_empty() {
                continue;
            }
            let middle = group.len() / 2;
            let even = group.len() % 2 == 0;
            let (below, &mut upper, above) = group.select_nth_unstable_by(middle, f64::total_cmp);
            let lower = if even {
                below.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            } else {
                upper
            };
            if upper == 0.0 || lower == 0.0 {
                let zeros = || {
                    below
                        .iter()
                        .chain(&*above)
                        .chain([&upper])
                        .filter(|&&x| x == 0.0)
                };
                let negative = zeros().filter(|x| x.is_sign_negative()).count();
                ambiguous |= negative > 0 && negative < zeros().count();
            }
            *out = if even { (upper + lower) / 2.0 } else { upper };
        }
        ambiguous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn run(how: Aggregate, codes: &[i64], values: &[f64], groups: usize) -> (Vec<f64>, bool) {
        let (mut out, mut counts) = (vec![7.0; groups], vec![7; groups]);
        let ambiguous = aggregate(
            how,
            codes,
            values.into(),
            &mut out.as_mut_slice().into(),
            &mut counts,
            i64::from(how != Aggregate::Sum),
        );
        (out, ambiguous.unwrap())
    }

    #[test]
    fn every_aggregate_skips_what_is_missing() {
        let codes = [0, 1, 0, -1, 0, 1];
        let values = [1.0, NAN, 4.0, 100.0, 2.0, NAN];
        for (how, expected) in [
            (Aggregate::Sum, 7.0),
            (Aggregate::Mean, 7.0 / 3.0),
            (Aggregate::Min, 1.0),
            (Aggregate::Max, 4.0),
            (Aggregate::First, 1.0),
            (Aggregate::Last, 2.0),
            (Aggregate::Median, 2.0),
        ] {
            let (out, _) = run(how, &codes, &values, 3);
            assert_eq!(out[0], expected, "{how:?}");
            assert!(
                how == Aggregate::Sum && out[1] == 0.0 || out[1].is_nan(),
                "{how:?}"
            );
        }
    }

    #[test]
    fn sums_are_compensated_but_not_infinities() {
        let values = [1.0, 1e100, 1.0, -1e100];
        assert_eq!(run(Aggregate::Sum, &[0; 4], &values, 1).0, [0.0]);
        let values = [1e16, 1.0, 1.0, f64::INFINITY, 1.0];
        assert_eq!(
            run(Aggregate::Sum, &[0; 3], &values[..3], 1).0,
            [1e16 + 2.0]
        );
        assert_eq!(run(Aggregate::Mean, &[0; 5], &values, 1).0, [f64::INFINITY]);
    }

    #[test]
    fn zeros_of_both_signs_make_a_median_ambiguous() {
        assert!(run(Aggregate::Median, &[0; 3], &[0.0, -0.0, 1.0], 1).1);
        assert!(!run(Aggregate::Median, &[0; 3], &[-0.0, -0.0, 1.0], 1).1);
        assert_eq!(
            run(Aggregate::Median, &[0, 0, 0, 0], &[4.0, 1.0, 3.0, 2.0], 1).0,
            [2.5]
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (mut out, mut counts) = ([0.0], [0]);
        let result = aggregate(
            Aggregate::Sum,
            &[0],
            [1_i64].as_slice().into(),
            &mut out.as_mut_slice().into(),
            &mut counts,
            0,
        );
        assert!(result.is_err());
    }
}
