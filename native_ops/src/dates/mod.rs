//! Dates: from strings of a fixed layout, and the fields of a calendar.

mod calendar;
mod fields;
mod layout;
mod parts;

pub use fields::{DateError, Field, date_fields, start_of_day};
pub use layout::{Layout, Parsed, parse_dates};
pub use parts::DatePart;

/// What an integer counts since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum TimeUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl TimeUnit {
    /// The unit that NumPy calls `name`.
    ///
    /// ```
    /// use stratum_native_ops::TimeUnit;
    /// assert_eq!(TimeUnit::parse("us"), Some(TimeUnit::Microsecond));
    /// assert_eq!(TimeUnit::parse("D"), None);
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "s" => Self::Second,
            "ms" => Self::Millisecond,
            "us" => Self::Microsecond,
            "ns" => Self::Nanosecond,
            _ => return None,
        })
    }

    /// How many make a second.
    #[must_use]
    pub const fn per_second(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }
}

/// Stands for a missing date.
pub(crate) const NAT: i64 = i64::MIN;
