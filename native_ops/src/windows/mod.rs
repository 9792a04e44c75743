//! Windows of rows that move over a column: extremes, sums, means and variances.

mod extremes;
mod sums;
mod variances;

pub use extremes::window_extremes;
pub use sums::window_sums;
pub use variances::window_variances;

use crate::error::ProgramError;
use std::ops::Range;

/// Windows of one length, of which only the rows count that there are.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    start: i64,
    end: i64,
    step: usize,
    rows: usize,
}

impl Windows {
    /// The windows over `rows` rows whose first has rows from `start` up to `end`, each `step` rows
    /// further than the one before.
    ///
    /// # Errors
    ///
    /// When a window would end before it starts, none would be further than another, or positions
    /// are too large to be moved.
    ///
    /// ```
    /// use stratum_native_ops::Windows;
    /// // The three rows up to each row.
    /// let windows = Windows::new(-2, 1, 1, 100)?;
    /// assert_eq!([windows.of(0), windows.of(7)], [0..1, 5..8]);
    /// # Ok::<(), stratum_native_ops::ProgramError>(())
    /// ```
    pub fn new(start: i64, end: i64, step: usize, rows: usize) -> Result<Self, ProgramError> {
        const FAR: i64 = 1 << 60;
        if start > end || step == 0 || step.max(rows) as u64 > FAR as u64 {
            return Err(ProgramError("windows must have rows and move".to_owned()));
        }
        if start < -FAR || end > FAR {
            return Err(ProgramError("a window is too long".to_owned()));
        }
        Ok(Self {
            start,
            end,
            step,
            rows,
        })
    }

    /// How many windows there are: one for each row that a step leads to.
    pub fn count(&self) -> usize {
        self.rows.div_ceil(self.step)
    }

    /// The rows of a window.
    #[inline]
    pub fn of(&self, window: usize) -> Range<usize> {
        let moved = (window * self.step) as i64;
        let row = |position: i64| (position + moved).clamp(0, self.rows as i64) as usize;
        row(self.start)..row(self.end)
    }

    /// The windows that have all their rows.
    fn whole(&self) -> Range<usize> {
        let first = (-self.start).max(0) as usize;
        let first = first.div_ceil(self.step).min(self.count());
        let room = self.rows as i64 - self.end;
        let end = match usize::try_from(room) {
            Ok(room) => (room / self.step + 1).min(self.count()),
            Err(_) => 0,
        };
        first..end.max(first)
    }

    fn check(&self, values: &[f64], out: &[f64]) -> Result<(), ProgramError> {
        if values.len() != self.rows || out.len() != self.count() {
            return Err(ProgramError("the lengths differ".to_owned()));
        }
        Ok(())
    }
}

/// Before each row, and after the last, how many values are not NaN; `None` if all are not.
fn present(values: &[f64]) -> Option<Vec<u32>> {
    if !values.iter().fold(false, |any, value| any | value.is_nan()) {
        return None;
    }
    let mut count = 0;
    let counts = values.iter().map(|value| {
        count += u32::from(!value.is_nan());
        count
    });
    Some(std::iter::once(0).chain(counts).collect())
}

/// What is known of the values of a window that moves.
trait Moving: Copy {
    fn add(&mut self, value: f64);
    fn remove(&mut self, value: f64);

    /// Knows of these values only.
    fn begin(&mut self, values: &[f64]);

    /// Whether so much was cancelled that it has to begin with its values again.
    fn is_lost(&self) -> bool {
        false
    }

    fn result(&self) -> f64;
}

/// Moves a window over the rows as pandas does: rows leave before others come in, and a window that
/// has no row of the one before begins anew.
fn slide<M: Moving>(values: &[f64], windows: Windows, mut moving: M, out: &mut [f64]) {
    let mut before = 0..0;
    for (window, out) in out.iter_mut().enumerate() {
        let rows = windows.of(window);
        let apart = rows.start >= before.end;
        if !apart {
            for &value in &values[before.start..rows.start] {
                moving.remove(value);
            }
            for &value in &values[before.end..rows.end] {
                moving.add(value);
            }
        }
        if apart || moving.is_lost() {
            moving.begin(&values[rows.clone()]);
        }
        *out = moving.result();
        before = rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_only_rows_that_are_there() {
        for (start, end, step) in [(-2, 1, 1), (0, 3, 2), (-9, -4, 1), (5, 9, 3), (1, 1, 1)] {
            let windows = Windows::new(start, end, step, 7).unwrap();
            let whole = windows.whole();
            for window in 0..windows.count() {
                let rows = windows.of(window);
                assert!(rows.start <= rows.end && rows.end <= 7);
                let complete = rows.len() as i64 == end - start && start != end;
                assert!(!complete || whole.contains(&window), "{windows:?} {window}");
                assert!(complete || start == end || !whole.contains(&window));
            }
        }
    }

    #[test]
    fn what_are_no_windows_is_refused() {
        for (start, end, step) in [(1, 0, 1), (0, 1, 0), (i64::MIN, 1, 1), (0, i64::MAX, 1)] {
            assert!(Windows::new(start, end, step, 3).is_err());
        }
        let windows = Windows::new(0, 1, 2, 3).unwrap();
        assert!(window_sums(&[1.0; 3], windows, 1, false, &mut [0.0; 3]).is_err());
        assert!(window_extremes(&[1.0; 2], windows, 1, false, &mut [0.0; 2]).is_err());
        assert!(window_variances(&[1.0; 3], windows, 1, 1, false, &mut [0.0; 2]).is_ok());
    }
}
