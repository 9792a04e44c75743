//! The fields of dates: year, month, hour, ..., one pass per field.

use super::parts::DatePart;
use super::{NAT, TimeUnit};
use crate::column::ColumnMut;
use crate::dtype::{Bool, DType};
use crate::simd::{Kernel, dispatch};
use std::fmt;

/// Rows whose days are found before their fields are: what fits the first cache.
const BLOCK: usize = 1024;

macro_rules! fields {
    ($($field:ident => $name:literal),* $(,)?) => {
        /// A field of a date, called as in pandas.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs, reason = "the names say it all")]
        pub enum Field { $($field),* }

        impl Field {
            /// The field called `name`.
            ///
            /// ```
            /// use stratum_native_ops::Field;
            /// assert_eq!(Field::parse("hour"), Some(Field::Hour));
            /// ```
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Some(match name { $($name => Self::$field,)* _ => return None })
            }
        }
    };
}
fields! {
    Year => "year", Month => "month", Day => "day", Hour => "hour", Minute => "minute",
    Second => "second", Microsecond => "microsecond", Nanosecond => "nanosecond",
    Weekday => "day_of_week", DayOfYear => "day_of_year", Quarter => "quarter",
    DaysInMonth => "days_in_month", IsoYear => "iso_year", IsoWeek => "iso_week",
    IsLeapYear => "is_leap_year", IsMonthStart => "is_month_start", IsMonthEnd => "is_month_end",
    IsQuarterStart => "is_quarter_start", IsQuarterEnd => "is_quarter_end",
    IsYearStart => "is_year_start", IsYearEnd => "is_year_end",
}

impl Field {
    /// Whether it follows from the time of day, else from the day.
    #[must_use]
    pub fn is_of_time(self) -> bool {
        matches!(
            self,
            Self::Hour | Self::Minute | Self::Second | Self::Microsecond | Self::Nanosecond
        )
    }

    /// How many values it can have, from 0 on, if these are few.
    pub(super) fn count(self) -> Option<usize> {
        Some(match self {
            Self::Year | Self::IsoYear | Self::Microsecond | Self::Nanosecond => return None,
            Self::DayOfYear => 367,
            Self::Minute | Self::Second => 60,
            Self::IsoWeek => 54,
            Self::Day | Self::DaysInMonth => 32,
            Self::Hour => 24,
            Self::Month => 13,
            Self::Weekday => 7,
            Self::Quarter => 5,
            Self::IsLeapYear
            | Self::IsMonthStart
            | Self::IsMonthEnd
            | Self::IsQuarterStart
            | Self::IsQuarterEnd
            | Self::IsYearStart
            | Self::IsYearEnd => 2,
        })
    }
}

/// Why fields can't be computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DateError {
    /// A year outside -32,800 to 32,767.
    OutOfRange,
    /// The output has another length or a dtype that doesn't suit.
    Output,
}

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "a year is out of range",
            Self::Output => "the output doesn't fit",
        })
    }
}

impl std::error::Error for DateError {}

/// Writes one field of each date; returns whether any date is missing.
///
/// Missing dates give NaN in a float column, and 0 in others.
///
/// # Errors
///
/// When a year is out of range, or `out` is neither f64, i32, u32 nor bool or of another length.
pub fn date_fields(
    values: &[i64],
    unit: TimeUnit,
    field: Field,
    out: &mut ColumnMut<'_>,
) -> Result<bool, DateError> {
    if out.rows() != values.len() {
        return Err(DateError::Output);
    }
    match out {
        ColumnMut::I32(out) => run(values, unit, field, out, |x| x, 0),
        ColumnMut::U32(out) => run(values, unit, field, out, |x| x as u32, 0),
        ColumnMut::F64(out) => run(values, unit, field, out, f64::from, f64::NAN),
        ColumnMut::Bool(out) => run(values, unit, field, out, |x| Bool(x as u8), Bool(0)),
        _ => Err(DateError::Output),
    }
}

fn run<T: Copy>(
    values: &[i64],
    unit: TimeUnit,
    field: Field,
    out: &mut [T],
    convert: impl Fn(i32) -> T + Copy,
    missing: T,
) -> Result<bool, DateError> {
    let (mut any_missing, mut buffer, mut days) = (false, [0_i32; BLOCK], [0_i32; BLOCK]);
    for (values, out) in values.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let block = &mut buffer[..values.len()];
        let part = DatePart::of(field, unit);
        let inside = if part.reads() == DType::I64 {
            part.of_times(block, values)
        } else {
            let days = &mut days[..values.len()];
            DatePart::Day(unit).of_times(days, values) && part.of_days(block, days)
        };
        if !inside {
            return Err(DateError::OutOfRange);
        }
        any_missing |= dispatch(Convert {
            block,
            values,
            out,
            convert,
            missing,
        });
    }
    Ok(any_missing)
}

/// Writes a block in the output's dtype; returns whether any date is missing.
struct Convert<'a, T, F> {
    block: &'a [i32],
    values: &'a [i64],
    out: &'a mut [T],
    convert: F,
    missing: T,
}

impl<T: Copy, F: Fn(i32) -> T> Kernel for Convert<'_, T, F> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let rows = self.out.iter_mut().zip(self.block);
        let any = (self.values.iter()).fold(false, |any, &value| any | (value == NAT));
        if any {
            for ((out, &field), &value) in rows.zip(self.values) {
                *out = if value == NAT {
                    self.missing
                } else {
                    (self.convert)(field)
                };
            }
        } else {
            for (out, &field) in rows {
                *out = (self.convert)(field);
            }
        }
        any
    }
}

/// Sets the time of each date to midnight; missing dates stay.
///
/// # Errors
///
/// When a midnight is out of the unit's range, or the lengths differ.
pub fn start_of_day(values: &[i64], unit: TimeUnit, out: &mut [i64]) -> Result<(), DateError> {
    if values.len() != out.len() {
        return Err(DateError::Output);
    }
    let day = 86_400 * unit.per_second();
    for (out, &value) in out.iter_mut().zip(values) {
        *out = if value == NAT {
            NAT
        } else {
            match value.checked_sub(value.rem_euclid(day)) {
                Some(start) if start != NAT => start,
                _ => return Err(DateError::OutOfRange),
            }
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{Date, weekday};
    use super::*;
    use proptest::prelude::*;

    fn field(value: i64, unit: TimeUnit, field: Field) -> Option<i32> {
        let mut out = [0];
        date_fields(&[value], unit, field, &mut out.as_mut_slice().into())
            .ok()
            .map(|_| out[0])
    }

    #[test]
    fn before_1970() {
        let instant = -1; // 1969-12-31 23:59:59.999999
        let of = |name| field(instant, TimeUnit::Microsecond, Field::parse(name).unwrap());
        assert_eq!(of("year"), Some(1969));
        assert_eq!(of("hour"), Some(23));
        assert_eq!(of("microsecond"), Some(999_999));
        assert_eq!(of("is_year_end"), Some(1));
        assert_eq!(of("day_of_week"), Some(2));
    }

    #[test]
    fn missing_dates_are_nan_in_floats() {
        let mut out = [0.0_f64; 2];
        let any = date_fields(
            &[NAT, 0],
            TimeUnit::Second,
            Field::Year,
            &mut out.as_mut_slice().into(),
        );
        assert_eq!(any, Ok(true));
        assert!(out[0].is_nan() && out[1] == 1970.0);
    }

    proptest! {
        #[test]
        fn any_integer_is_a_date_or_refused(value: i64, unit in 0..4_usize) {
            let unit = ["s", "ms", "us", "ns"].map(|name| TimeUnit::parse(name).unwrap())[unit];
            for name in ["year", "hour", "microsecond", "iso_week"] {
                field(value, unit, Field::parse(name).unwrap());
            }
            let _ = start_of_day(&[value], unit, &mut [0]);
        }

        #[test]
        fn quotients_are_exact_at_their_borders(
            unit in 0..4_usize,
            part in 0..4_usize,
            position in -1.0..1.0_f64,
            beside in -1..=1_i64,
        ) {
            let unit = ["s", "ms", "us", "ns"].map(|name| TimeUnit::parse(name).unwrap())[unit];
            let second = unit.per_second();
            let part = [86_400, 3_600, 60, 1][part] * second;
            let most = (11_248_737_i64.saturating_mul(86_400 * second)).min(i64::MAX - part);
            let value = (position * most as f64) as i64 / part * part + beside;
            let of = |name| field(value, unit, Field::parse(name).unwrap()).map(i64::from);
            prop_assert_eq!(of("hour"), Some(value.div_euclid(3_600 * second).rem_euclid(24)));
            prop_assert_eq!(of("minute"), Some(value.div_euclid(60 * second).rem_euclid(60)));
            prop_assert_eq!(of("second"), Some(value.div_euclid(second).rem_euclid(60)));
            let nanoseconds = value.rem_euclid(second) * (1_000_000_000 / second);
            prop_assert_eq!(of("microsecond"), Some(nanoseconds / 1_000));
            prop_assert_eq!(of("nanosecond"), Some(nanoseconds % 1_000));
            let days = value.div_euclid(86_400 * second);
            prop_assert_eq!(of("day_of_week"), Some(i64::from(weekday(days as i32))));
            prop_assert_eq!(of("day_of_year"), Some(i64::from(Date::new(days as i32).day_of_year)));
        }
    }
}
