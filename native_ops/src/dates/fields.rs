//! The fields of dates: year, month, hour, ..., one pass per field.

use super::calendar::{DAYS, Date, days_in_month, is_leap, weekday};
use super::{NAT, TimeUnit};
use crate::column::ColumnMut;
use crate::dtype::Bool;
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
    let (mut any_missing, mut buffer) = (false, [0_i32; BLOCK]);
    for (values, out) in values.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let block = &mut buffer[..values.len()];
        if !dispatch(Fill {
            values,
            unit,
            field,
            out: block,
        }) {
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

/// Writes a field of a block; what it writes for missing dates means nothing.
struct Fill<'a> {
    values: &'a [i64],
    unit: TimeUnit,
    field: Field,
    out: &'a mut [i32],
}

impl Kernel for Fill<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        match self.unit {
            TimeUnit::Second => self.fill::<1>(),
            TimeUnit::Millisecond => self.fill::<1_000>(),
            TimeUnit::Microsecond => self.fill::<1_000_000>(),
            TimeUnit::Nanosecond => self.fill::<1_000_000_000>(),
        }
    }
}

impl Fill<'_> {
    #[inline(always)]
    fn fill<const SECOND: i64>(self) -> bool {
        let second = SECOND as f64;
        match self.field {
            Field::Hour => self.of_time::<SECOND>(|t| whole(t, 3_600.0 * second)),
            Field::Minute => self.of_time::<SECOND>(|t| rest(whole(t, 60.0 * second), 60.0)),
            Field::Second => self.of_time::<SECOND>(|t| rest(whole(t, second), 60.0)),
            Field::Microsecond if SECOND < 1_000_000 => {
                self.of_time::<SECOND>(|t| rest(t, second) * (1e6 / second))
            }
            Field::Microsecond => self.of_time::<SECOND>(|t| whole(rest(t, second), second / 1e6)),
            Field::Nanosecond if SECOND < 1_000_000_000 => self.of_time::<SECOND>(|_| 0.0),
            Field::Nanosecond => self.of_time::<SECOND>(|t| rest(t, 1_000.0)),
            _ => self.of_days::<SECOND>(),
        }
    }

    /// Writes what follows from the time of day.
    #[inline(always)]
    fn of_time<const SECOND: i64>(self, time: impl Fn(f64) -> f64) -> bool {
        for (out, &value) in self.out.iter_mut().zip(self.values) {
            let value = present(value);
            // Times outside mean nothing here, but must not overflow before they are refused.
            let midnight = day::<SECOND>(value).wrapping_mul(86_400 * SECOND);
            let time_of_day = value.wrapping_sub(midnight);
            *out = integer(time(float(time_of_day))) as i32;
        }
        self.inside(86_400 * SECOND)
    }

    #[inline(always)]
    fn of_days<const SECOND: i64>(self) -> bool {
        for (out, &value) in self.out.iter_mut().zip(self.values) {
            *out = day::<SECOND>(present(value)) as i32;
        }
        let inside = self.inside(86_400 * SECOND);
        if inside {
            date_field(self.out, self.field);
        }
        inside
    }

    /// Whether all days are within [`DAYS`].
    #[inline(always)]
    fn inside(&self, day: i64) -> bool {
        let first = DAYS.start().saturating_mul(day);
        let last = (DAYS.end() + 1).saturating_mul(day).saturating_sub(1);
        let outside = |value: i64| value < first || value > last;
        let values = self.values.iter();
        !values.fold(false, |any, &value| any | outside(present(value)))
    }
}

#[inline(always)]
fn present(value: i64) -> i64 {
    if value == NAT { 0 } else { value }
}

// Vectors have no division of integers, so quotients are found in floats, and the smallest step
// between two of them is always larger than all rounding: with at most 2^24 days, a day of at
// most 2^31 odd units, and times of day below 2^47.

/// Added to a float below 2^51, it rounds it to an integer, which the low bits then hold.
const ROUNDS: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52

/// The float of an integer below 2^51.
#[inline(always)]
fn float(value: i64) -> f64 {
    f64::from_bits(ROUNDS.to_bits().wrapping_add(value as u64)) - ROUNDS
}

/// The integer of a whole float.
#[inline(always)]
fn integer(value: f64) -> i64 {
    (value + ROUNDS).to_bits().wrapping_sub(ROUNDS.to_bits()) as i64
}

/// `floor(value / divisor)` of whole floats.
#[inline(always)]
fn whole(value: f64, divisor: f64) -> f64 {
    // The quotient lies at least half a step from the borders between integers.
    ((value + 0.5) * (1.0 / divisor) - 0.5) + ROUNDS - ROUNDS
}

/// What is left of `value` after `whole(value, divisor)`.
#[inline(always)]
fn rest(value: f64, divisor: f64) -> f64 {
    value - whole(value, divisor) * divisor
}

/// The day since 1970 of a time within [`DAYS`].
#[inline(always)]
fn day<const SECOND: i64>(value: i64) -> i64 {
    let day = 86_400 * SECOND;
    let twos = day.trailing_zeros();
    integer(whole(float(value >> twos), (day >> twos) as f64))
}

/// Turns days into one of their fields.
#[inline(always)]
fn date_field(block: &mut [i32], field: Field) {
    #[inline(always)]
    fn each(block: &mut [i32], f: impl Fn(Date) -> i32) {
        for value in block {
            *value = f(Date::new(*value));
        }
    }
    let iso = |days: i32| Date::new(days).iso_week(weekday(days));
    match field {
        Field::Year => each(block, |d| d.year),
        Field::Month => each(block, |d| d.month as i32),
        Field::Day => each(block, |d| d.day as i32),
        Field::DayOfYear => each(block, |d| d.day_of_year as i32),
        Field::Quarter => each(block, |d| (d.month as i32 + 2) / 3),
        Field::DaysInMonth => each(block, |d| days_in_month(d.year, d.month) as i32),
        Field::IsLeapYear => each(block, |d| i32::from(is_leap(d.year))),
        Field::IsMonthStart => each(block, |d| i32::from(d.day == 1)),
        Field::IsMonthEnd => each(block, |d| i32::from(d.ends_month())),
        Field::IsQuarterStart => each(block, |d| i32::from(d.day == 1 && d.month % 3 == 1)),
        Field::IsQuarterEnd => each(block, |d| i32::from(d.month % 3 == 0 && d.ends_month())),
        Field::IsYearStart => each(block, |d| i32::from(d.day == 1 && d.month == 1)),
        Field::IsYearEnd => each(block, |d| i32::from(d.day == 31 && d.month == 12)),
        Field::Weekday => block.iter_mut().for_each(|d| *d = weekday(*d) as i32),
        Field::IsoYear => block.iter_mut().for_each(|d| *d = iso(*d).0),
        Field::IsoWeek => block.iter_mut().for_each(|d| *d = iso(*d).1 as i32),
        Field::Hour | Field::Minute | Field::Second | Field::Microsecond | Field::Nanosecond => {
            unreachable!("not of the day")
        }
    }
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
