//! The parts of dates, block by block: days of times, fields of days, fields of times.

use super::calendar::{DAYS, Date, days_in_month, is_leap, weekday};
use super::fields::Field;
use super::{NAT, TimeUnit};
use crate::dtype::DType;
use crate::listed::{LISTED, extremes, pick};
use crate::simd::{Kernel, dispatch};

/// A step on the way from times to their fields, each of which is an i32.
///
/// Missing times count as 1970-01-01. Fields that are true or false are 1 or 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DatePart {
    /// The day since 1970 of a time.
    Day(TimeUnit),
    /// A field of a day.
    OfDay(Field),
    /// A field of a time that is none of its day.
    OfTime(TimeUnit, Field),
}

impl DatePart {
    /// The part that a field is of its time, if that takes one step, else of its day.
    #[must_use]
    pub fn of(field: Field, unit: TimeUnit) -> Self {
        if field.is_of_time() {
            Self::OfTime(unit, field)
        } else {
            Self::OfDay(field)
        }
    }

    /// What it is a part of: times as i64, or days as i32.
    pub(crate) fn reads(self) -> DType {
        match self {
            Self::OfDay(_) => DType::I32,
            Self::Day(_) | Self::OfTime(..) => DType::I64,
        }
    }

    /// How many values it can have, from 0 on, if these are few.
    pub(crate) fn count(self) -> Option<usize> {
        match self {
            Self::Day(_) => None,
            Self::OfDay(field) | Self::OfTime(_, field) => field.count(),
        }
    }

    /// Writes the part of each time; false if one is outside of the calendar.
    pub(crate) fn of_times(self, out: &mut [i32], times: &[i64]) -> bool {
        dispatch(OfTimes {
            part: self,
            times,
            out,
        })
    }

    /// Writes the field of each day; false if one is outside of the calendar.
    pub(crate) fn of_days(self, out: &mut [i32], days: &[i32]) -> bool {
        let Self::OfDay(field) = self else {
            unreachable!("not of days");
        };
        dispatch(OfDays { field, days, out })
    }
}

struct OfTimes<'a> {
    part: DatePart,
    times: &'a [i64],
    out: &'a mut [i32],
}

impl Kernel for OfTimes<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let (DatePart::Day(unit) | DatePart::OfTime(unit, _)) = self.part else {
            unreachable!("not of times");
        };
        match unit {
            TimeUnit::Second => self.write::<1>(),
            TimeUnit::Millisecond => self.write::<1_000>(),
            TimeUnit::Microsecond => self.write::<1_000_000>(),
            TimeUnit::Nanosecond => self.write::<1_000_000_000>(),
        }
    }
}

impl OfTimes<'_> {
    #[inline(always)]
    fn write<const SECOND: i64>(self) -> bool {
        let second = SECOND as f64;
        let DatePart::OfTime(_, field) = self.part else {
            return self.each::<SECOND>(day::<SECOND>);
        };
        match field {
            Field::Hour => self.each::<SECOND>(hour::<SECOND>),
            Field::Minute => self.of_day::<SECOND>(|t| rest(whole(t, 60.0 * second), 60.0)),
            Field::Second => self.of_day::<SECOND>(|t| rest(whole(t, second), 60.0)),
            Field::Microsecond if SECOND < 1_000_000 => {
                self.of_day::<SECOND>(|t| rest(t, second) * (1e6 / second))
            }
            Field::Microsecond => self.of_day::<SECOND>(|t| whole(rest(t, second), second / 1e6)),
            Field::Nanosecond if SECOND < 1_000_000_000 => self.of_day::<SECOND>(|_| 0.0),
            Field::Nanosecond => self.of_day::<SECOND>(|t| rest(t, 1_000.0)),
            _ => unreachable!("not of the time"),
        }
    }

    /// Writes what follows from the time of day.
    #[inline(always)]
    fn of_day<const SECOND: i64>(self, field: impl Fn(f64) -> f64) -> bool {
        self.each::<SECOND>(|time| {
            // Times outside mean nothing here, but must not overflow before they are refused.
            let midnight = i64::from(day::<SECOND>(time)).wrapping_mul(86_400 * SECOND);
            integer(field(float(time.wrapping_sub(midnight)))) as i32
        })
    }

    /// Writes a part of each time, 0 where it is missing; false if a day is outside of [`DAYS`].
    #[inline(always)]
    fn each<const SECOND: i64>(self, part: impl Fn(i64) -> i32) -> bool {
        let day = 86_400 * SECOND;
        // Within these powers of two no time is missing, and a look at all of them is enough.
        let near = 1 << DAYS.end().saturating_mul(day).ilog2();
        let mut bits = 0;
        for (out, &time) in self.out.iter_mut().zip(self.times) {
            *out = part(time);
            bits |= time.wrapping_add(near);
        }
        if bits as u64 >> near.trailing_zeros() <= 1 {
            return true;
        }
        for (out, &time) in self.out.iter_mut().zip(self.times) {
            *out = part(present(time));
        }
        let first = DAYS.start().saturating_mul(day);
        let last = (DAYS.end() + 1).saturating_mul(day).saturating_sub(1);
        (self.times.iter()).all(|&time| (first..=last).contains(&present(time)))
    }
}

struct OfDays<'a> {
    field: Field,
    days: &'a [i32],
    out: &'a mut [i32],
}

impl Kernel for OfDays<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { field, days, out } = self;
        let (first, last) = extremes(days);
        if days.is_empty() {
            return true;
        }
        if i64::from(first) < *DAYS.start() || i64::from(last) > *DAYS.end() {
            return false;
        }
        let span = (last - first) as usize + 1;
        if span > LISTED.min(days.len() / 2) {
            out.copy_from_slice(days);
            date_field(out, field);
            return true;
        }
        let mut table = [0; LISTED];
        for (day, entry) in (first..).zip(&mut table[..span]) {
            *entry = day;
        }
        date_field(&mut table[..span], field);
        pick(out, days, |day| table[(day - first) as usize % LISTED]);
        true
    }
}

#[inline(always)]
fn present(value: i64) -> i64 {
    if value == NAT { 0 } else { value }
}

// Vectors have no division of integers, so quotients are found in floats, and the smallest step
// between two of them is always larger than all rounding: with at most 2^24 days, 2^28 hours (2^22 of
// nanoseconds), a day of at most 2^31 odd units, an hour of at most 2^29 (2^22 where there are more
// hours), and times of day below 2^47.

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

/// `floor(value / DIVISOR) + ROUNDS` of times within [`DAYS`], for days and hours.
#[inline(always)]
fn quotient<const DIVISOR: i64>(value: i64) -> f64 {
    let twos = DIVISOR.trailing_zeros();
    let odd = (DIVISOR >> twos) as f64;
    // Vectors have no shift of negative integers: what is shifted is above zero.
    let above = (value as u64 ^ 1 << 63) >> twos;
    let bits = above.wrapping_add(ROUNDS.to_bits().wrapping_sub(1 << (63 - twos)));
    // Measured from the middle between two borders, the quotient lies at least half a step
    // less than a half from the integer that it is rounded to.
    let middle = (odd - 1.0) / 2.0;
    (f64::from_bits(bits) - (ROUNDS + middle)) * (1.0 / odd) + ROUNDS
}

/// The day since 1970 of a time within [`DAYS`].
#[inline(always)]
fn day<const SECOND: i64>(value: i64) -> i32 {
    let day = match SECOND {
        1 => quotient::<86_400>(value),
        1_000 => quotient::<86_400_000>(value),
        1_000_000 => quotient::<86_400_000_000>(value),
        _ => quotient::<86_400_000_000_000>(value),
    };
    day.to_bits() as i32 // of ROUNDS these bits are 0
}

/// The hour of a time within [`DAYS`].
#[inline(always)]
fn hour<const SECOND: i64>(value: i64) -> i32 {
    let hours = match SECOND {
        1 => quotient::<3_600>(value),
        1_000 => quotient::<3_600_000>(value),
        1_000_000 => quotient::<3_600_000_000>(value),
        _ => quotient::<3_600_000_000_000>(value),
    };
    let days = ((hours - ROUNDS) * (1.0 / 24.0) - 11.5 / 24.0) + ROUNDS - ROUNDS;
    (hours - days * 24.0).to_bits() as i32
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_of_days_near_each_other_are_those_of_each(
            first in -12_000_000..11_000_000_i32,
            steps in prop::collection::vec(0..4_i32, 0..700),
            far in prop::option::of(0..20_000_i32),
        ) {
            let mut days: Vec<i32> = (steps.iter())
                .scan(first, |day, step| {
                    *day += step / 3;
                    Some(*day)
                })
                .collect();
            days.extend(far.map(|far| first + far));
            for name in ["year", "month", "day", "day_of_week", "iso_week", "is_month_end"] {
                let part = DatePart::OfDay(Field::parse(name).unwrap());
                let mut out = vec![0; days.len()];
                prop_assert!(part.of_days(&mut out, &days));
                for (&day, &value) in days.iter().zip(&out) {
                    let mut alone = [0];
                    prop_assert!(part.of_days(&mut alone, &[day]));
                    prop_assert_eq!(alone[0], value);
                    prop_assert!(part.count().is_none_or(|count| (value as usize) < count));
                }
            }
        }
    }

    #[test]
    fn days_outside_of_the_calendar_are_refused() {
        let part = DatePart::OfDay(Field::Year);
        for day in [
            i32::MIN,
            *DAYS.start() as i32 - 1,
            *DAYS.end() as i32 + 1,
            i32::MAX,
        ] {
            assert!(!part.of_days(&mut [0; 2], &[0, day]));
        }
    }
}
