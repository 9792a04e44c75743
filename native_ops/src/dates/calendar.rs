//! The proleptic Gregorian calendar, without branches, so that loops over days are vectorised.
//!
//! From days to dates after C. Neri and L. Schneider, "Euclidean affine functions and their
//! application to calendar algorithms" (2023).

/// Days from the shifted origin, a first of March 400 * 82 years before 0000, to 1970-01-01.
const SHIFT: i64 = 719_468 + 146_097 * ERAS;
const ERAS: i64 = 82;

/// The days since 1970 that [`Date::new`] can take: years -32,800 to 32,767.
pub(crate) const DAYS: std::ops::RangeInclusive<i64> = -SHIFT..=11_248_737;

/// A day of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Date {
    pub(crate) year: i32,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) day_of_year: u32,
}

impl Date {
    /// The date of a day within [`DAYS`].
    #[inline(always)]
    pub(crate) fn new(days: i32) -> Self {
        let shifted = (days + SHIFT as i32) as u32;
        let quarters = 4 * shifted + 3;
        let century = quarters / 146_097;
        let product = 2_939_745 * u64::from(4 * (quarters % 146_097 / 4) + 3);
        let year_of_century = (product >> 32) as u32;
        // Years start in March here; day 306 is the first of January.
        let day_of_year = product as u32 / 2_939_745 / 4;
        let months = 2_141 * day_of_year + 197_913;
        let past = u32::from(day_of_year >= 306);
        let year = (100 * century + year_of_century + past) as i32 - 400 * ERAS as i32;
        Self {
            year,
            month: (months >> 16) - 12 * past,
            day: (months & 0xffff) / 2_141 + 1,
            day_of_year: if past == 1 {
                day_of_year - 305
            } else {
                day_of_year + 60 + u32::from(is_leap(year))
            },
        }
    }

    /// Whether this is the last day of its month.
    #[inline(always)]
    pub(crate) fn ends_month(self) -> bool {
        self.day == days_in_month(self.year, self.month)
    }

    /// The year and week that ISO 8601 counts the day to.
    #[inline(always)]
    pub(crate) fn iso_week(self, weekday: u32) -> (i32, u32) {
        // Weeks belong to the year of their Thursday.
        let week = (self.day_of_year + 9 - weekday) / 7;
        if week == 0 {
            (self.year - 1, weeks(self.year - 1))
        } else if week > weeks(self.year) {
            (self.year + 1, 1)
        } else {
            (self.year, week)
        }
    }
}

/// Monday is 0.
#[inline(always)]
pub(crate) fn weekday(days: i32) -> u32 {
    // 1970-01-01 was a Thursday; 7 divides 146,097, and so what is added.
    (days + 3 + 146_097 * 88) as u32 % 7
}

#[inline(always)]
pub(crate) fn is_leap(year: i32) -> bool {
    // A multiple of 100 that is one of 16 is one of 400.
    let mask = if year % 100 == 0 { 15 } else { 3 };
    year & mask == 0
}

#[inline(always)]
pub(crate) fn days_in_month(year: i32, month: u32) -> u32 {
    if month == 2 {
        28 + u32::from(is_leap(year))
    } else {
        30 | (month ^ (month >> 3))
    }
}

/// The number of weeks that ISO 8601 counts in a year.
#[inline(always)]
fn weeks(year: i32) -> u32 {
    let first = weekday(days_of(year, 1, 1));
    52 + u32::from(first == 3 || (first == 2 && is_leap(year)))
}

/// The days from 1970-01-01 to a date whose year is between -32,768 and 32,767.
#[inline(always)]
pub(crate) fn days_of(year: i32, month: u32, day: u32) -> i32 {
    let late = u32::from(month <= 2);
    let year = (year + 400 * ERAS as i32) as u32 - late;
    let month = month + 12 * late;
    let century = year / 100;
    let days_before_year = 1_461 * year / 4 - century + century / 4;
    let days_before_month = (979 * month - 2_919) / 32;
    (days_before_year + days_before_month + day - 1) as i32 - SHIFT as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_over_the_whole_range() {
        let (mut year, mut month, mut day, mut day_of_year) = (-32_767, 1, 1, 1);
        let first = days_of(year, month, day);
        for days in first..=*DAYS.end() as i32 {
            let date = Date {
                year,
                month,
                day,
                day_of_year,
            };
            assert_eq!(Date::new(days), date, "{days}");
            assert_eq!(days_of(year, month, day), days);
            assert_eq!(date.ends_month(), day == days_in_month(year, month));
            (day, day_of_year) = (day + 1, day_of_year + 1);
            if day > days_in_month(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month, day_of_year) = (year + 1, 1, 1);
            }
        }
        assert_eq!(year, 32_768);
    }

    #[test]
    fn known_days() {
        assert_eq!(days_of(1970, 1, 1), 0);
        assert_eq!(weekday(0), 3);
        assert_eq!(weekday(-1), 2);
        let week = |y, m, d| {
            let days = days_of(y, m, d);
            Date::new(days).iso_week(weekday(days))
        };
        assert_eq!(week(2005, 1, 1), (2004, 53));
        assert_eq!(week(2008, 12, 29), (2009, 1));
        assert_eq!(week(2010, 1, 3), (2009, 53));
        assert_eq!(
            [2000, 1900, 2024, 2023, -4].map(is_leap),
            [true, false, true, false, true]
        );
        assert_eq!((1..=12).map(|m| days_in_month(2023, m)).sum::<u32>(), 365);
    }
}
