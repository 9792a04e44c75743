//! Dates from strings in which every part has its place.

use super::calendar::{days_in_month, days_of};
use super::{NAT, TimeUnit};
use crate::simd::{Kernel, dispatch};
use crate::text::Chunk;

/// The longest part before the fraction of a second.
const WIDTH: usize = 32;

type Row = [u8; WIDTH];
type Words = [u64; WIDTH / 8];

fn words(row: &Row) -> Words {
    std::array::from_fn(|i| u64::from_ne_bytes(row.as_chunks().0[i]))
}

/// Dates met lately: rows in order of time, or of days only, often repeat. There is room for many
/// more than a day has hours, since those that share a place drive each other out.
type Recent = [(Words, i64); RECENT];
const RECENT: usize = 1024;

/// Where a row is among the recent ones. Words that are 0 at its end make no difference.
#[inline(always)]
fn slot(row: &[u64]) -> usize {
    // Digits of one word must not make up for those of another. The high bits of the product depend
    // on all bits of the sum.
    let sum = (row.iter().zip([1, 3, 5, 9])).fold(0, |sum: u64, (word, odd)| {
        sum.wrapping_add(word.wrapping_mul(odd))
    });
    (sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % RECENT
}

/// Where the parts of a date are: what a strptime format says when all have their full width.
///
/// ```
/// use stratum_native_ops::Layout;
/// assert!(Layout::parse("%Y-%m-%dT%H:%M:%S.%fZ").is_some());
/// assert!(Layout::parse("%d %B %Y").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The least byte at each place, and how many more are allowed.
    least: Row,
    spread: Row,
    /// All bits of the places before the fraction.
    used: Words,
    width: usize,
    year: usize,
    month: usize,
    rest: [Option<usize>; 4], // day, hour, minute, second
    fraction: bool,
    /// What follows the fraction.
    suffix: Vec<u8>,
}

impl Layout {
    /// The layout of a format with `%Y` and `%m`, and perhaps `%d`, `%H`, `%M`, `%S`, `%f`, and `%z`,
    /// which stands for a `Z`. After `%f` nothing but other characters may follow.
    #[must_use]
    pub fn parse(format: &str) -> Option<Self> {
        let mut layout = Self {
            least: [0; WIDTH],
            spread: [0; WIDTH],
            used: [0; WIDTH / 8],
            width: 0,
            year: WIDTH,
            month: WIDTH,
            rest: [None; 4],
            fraction: false,
            suffix: Vec::new(),
        };
        let mut bytes = format.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => layout.directive(bytes.next()?)?,
                _ => layout.literal(byte)?,
            }
        }
        (layout.year < WIDTH && layout.month < WIDTH).then_some(layout)
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        if self.fraction {
            self.suffix.push(byte);
            return Some(());
        }
        self.place(byte, 0)
    }

    fn place(&mut self, least: u8, spread: u8) -> Option<()> {
        if self.width == WIDTH {
            return None;
        }
        self.least[self.width] = least;
        self.spread[self.width] = spread;
        let mut place = [0; WIDTH];
        place[self.width] = 0xff;
        for (used, word) in self.used.iter_mut().zip(words(&place)) {
            *used |= word;
        }
        self.width += 1;
        Some(())
    }

    fn directive(&mut self, name: u8) -> Option<()> {
        match name {
            b'z' => return self.literal(b'Z'),
            b'f' if !self.fraction => {
                self.fraction = true;
                return Some(());
            }
            _ if self.fraction => return None,
            _ => {}
        }
        let start = self.width;
        let digits = if name == b'Y' { 4 } else { 2 };
        let fresh = match name {
            b'Y' => std::mem::replace(&mut self.year, start) == WIDTH,
            b'm' => std::mem::replace(&mut self.month, start) == WIDTH,
            _ => {
                let part = b"dHMS".iter().position(|known| *known == name)?;
                self.rest[part].replace(start).is_none()
            }
        };
        if !fresh {
            return None;
        }
        (0..digits).try_for_each(|_| self.place(b'0', 9))
    }

    /// What a row has in the places before the fraction.
    #[inline(always)]
    fn before_fraction(&self, row: &Row) -> Words {
        let words = words(row);
        std::array::from_fn(|i| words[i] & self.used[i])
    }

    /// The seconds since 1970 that the bytes before the fraction stand for.
    #[inline(always)]
    fn seconds(&self, words: &Words) -> Option<i64> {
        let row: Row = std::array::from_fn(|i| words[i / 8].to_ne_bytes()[i % 8]);
        // Two arrays and one comparison, which become four vector instructions.
        let (mut digits, mut excess) = ([0; WIDTH], [0; WIDTH]);
        for i in 0..WIDTH {
            digits[i] = row[i].wrapping_sub(self.least[i]);
            excess[i] = digits[i].saturating_sub(self.spread[i]);
        }
        let mut fits = excess == [0; WIDTH];
        let pair = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
        let part = |index: usize, default: u32| self.rest[index].map_or(default, pair);
        let year = (pair(self.year) * 100 + pair(self.year + 2)) as i32;
        let month = pair(self.month);
        let (day, hour, minute, second) = (part(0, 1), part(1, 0), part(2, 0), part(3, 0));
        fits &= year > 0 && hour < 24 && minute < 60 && second < 60;
        fits &= month.wrapping_sub(1) < 12;
        if !fits || day.wrapping_sub(1) >= days_in_month(year, month) {
            return None;
        }
        let days = i64::from(days_of(year, month, day));
        Some(days * 86_400 + i64::from((hour * 60 + minute) * 60 + second))
    }

    /// The digits of the fraction, which ends a row of this layout.
    #[inline(always)]
    fn fraction<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let digits = bytes
            .get(self.width..)?
            .strip_suffix(self.suffix.as_slice())?;
        let valid = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        valid.then_some(digits)
    }
}

/// What was found in the strings.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Parsed {
    /// How many rows are there.
    pub valid: usize,
    /// The longest fraction's number of digits.
    pub digits: usize,
}

/// Parses strings into integers of `unit`; digits below the unit are dropped.
///
/// Returns nothing when a row doesn't have the layout or is no date of the calendar (years 1 to
/// 9999), or is out of the unit's range, or when `out` has another length.
pub fn parse_dates(
    chunks: &[Chunk<'_>],
    layout: &Layout,
    unit: TimeUnit,
    out: &mut [i64],
) -> Option<Parsed> {
    if chunks.iter().map(Chunk::rows).sum::<usize>() != out.len() {
        return None;
    }
    let (mut parsed, mut rest) = (Parsed::default(), out);
    let none = ([u64::MAX; WIDTH / 8], 0); // no string has such bytes
    let mut recent = vec![none; RECENT];
    let recent: &mut Recent = recent.first_chunk_mut()?;
    for &chunk in chunks {
        let (out, after) = rest.split_at_mut(chunk.rows());
        rest = after;
        let found = dispatch(Parse {
            chunk,
            layout,
            unit,
            recent,
            out,
        })?;
        parsed.valid += found.valid;
        parsed.digits = parsed.digits.max(found.digits);
    }
    Some(parsed)
}

struct Parse<'a> {
    chunk: Chunk<'a>,
    layout: &'a Layout,
    unit: TimeUnit,
    recent: &'a mut Recent,
    out: &'a mut [i64],
}

impl Kernel for Parse<'_> {
    type Output = Option<Parsed>;

    #[inline(always)]
    fn run(self) -> Option<Parsed> {
        let Self {
            chunk,
            layout,
            unit,
            recent,
            out,
        } = self;
        let (data, width, per_second) = (chunk.data(), layout.width, unit.per_second());
        let mut parsed = Parsed::default();
        if let Some(rows) = chunk.rows_of(width).filter(|_| !layout.fraction) {
            let known_rows = match width.div_ceil(8) {
                1 => known_rows::<1>,
                2 => known_rows::<2>,
                3 => known_rows::<3>,
                _ => known_rows::<4>,
            };
            while parsed.valid < out.len() {
                let (rest, out) = (&rows[parsed.valid * width..], &mut out[parsed.valid..]);
                let Some(next) = rest.first_chunk() else {
                    break; // the last rows lack bytes behind them
                };
                let words = layout.before_fraction(next);
                let entry = &mut recent[slot(&words)];
                if entry.0 != words {
                    *entry = (words, layout.seconds(&words)?.checked_mul(per_second)?);
                }
                parsed.valid += known_rows(layout, recent, rest, out);
            }
        }
        let mut row = parsed.valid;
        while row < out.len() {
            if !chunk.is_valid(row) {
                out[row] = NAT;
                row += 1;
                continue;
            }
            let range = chunk.range(row);
            if range.len() != width && !(layout.fraction && range.len() > width) {
                return None;
            }
            let bytes = match data[range.start..].first_chunk() {
                Some(whole) => layout.before_fraction(whole),
                None => {
                    let mut bytes = [0; WIDTH];
                    bytes[..width].copy_from_slice(&data[range.start..range.start + width]);
                    words(&bytes)
                }
            };
            let (known, ticks) = &mut recent[slot(&bytes)];
            if *known != bytes {
                *ticks = layout.seconds(&bytes)?.checked_mul(per_second)?;
                *known = bytes;
            }
            let mut ticks = *ticks;
            if layout.fraction {
                let digits = layout.fraction(&data[range])?;
                parsed.digits = parsed.digits.max(digits.len());
                ticks = ticks.checked_add(sub_second(digits, per_second))?;
            }
            out[row] = ticks;
            parsed.valid += 1;
            row += 1;
        }
        Some(parsed)
    }
}

/// Writes the dates of rows until one is not among the recent ones, or has no whole words behind it;
/// returns how many. The parts of a date are in the first `WORDS` words.
#[inline(never)] // alone the loop keeps what it needs in registers
fn known_rows<const WORDS: usize>(
    layout: &Layout,
    recent: &Recent,
    rows: &[u8],
    out: &mut [i64],
) -> usize {
    let last = layout.used[WORDS - 1]; // of the other words all is used
    for (row, out) in out.iter_mut().enumerate() {
        let Some(whole) = rows[row * layout.width..].first_chunk::<WIDTH>() else {
            return row;
        };
        let mut words: [u64; WORDS] =
            std::array::from_fn(|i| u64::from_ne_bytes(whole.as_chunks().0[i]));
        words[WORDS - 1] &= last;
        let (known, ticks) = &recent[slot(&words)];
        if (0..WORDS).fold(0, |other, i| other | (known[i] ^ words[i])) != 0 {
            return row;
        }
        *out = *ticks;
    }
    out.len()
}

/// The value of a fraction's digits in units of which `per_second` make a second.
fn sub_second(digits: &[u8], per_second: i64) -> i64 {
    let (mut value, mut scale) = (0, per_second);
    for &digit in digits {
        scale /= 10;
        value += i64::from(digit - b'0') * scale;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(format: &str, text: &str, unit: TimeUnit) -> Option<i64> {
        let offsets = [0, text.len() as i64];
        let chunk = Chunk::new(None, &offsets, text.as_bytes()).unwrap();
        let mut out = [0];
        parse_dates(&[chunk], &Layout::parse(format)?, unit, &mut out).map(|_| out[0])
    }

    #[test]
    fn known_dates() {
        let iso = "%Y-%m-%dT%H:%M:%S%z";
        let second = |text| parse(iso, text, TimeUnit::Second);
        assert_eq!(second("2013-01-01T10:00:00Z"), Some(1_357_034_400));
        assert_eq!(second("1969-12-31T23:59:59Z"), Some(-1));
        assert_eq!(second("2024-02-29T00:00:00Z"), Some(1_709_164_800));
        for bad in [
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-01-00T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:60:00Z",
            "2023-01-01T00:00:60Z",
            "0000-01-01T00:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01T00:00:00Zz",
            "2023-01-01 00:00:00Z",
            "+023-01-01T00:00:00Z",
            "",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert_eq!(second(bad), None, "{bad}");
        }
        assert_eq!(
            parse("%d/%m/%Y", "02/01/1970", TimeUnit::Second),
            Some(86_400)
        );
        assert_eq!(parse("%Y%m", "197001", TimeUnit::Second), Some(0));
    }

    #[test]
    fn dates_that_repeat_over_chunks() {
        let (format, day) = ("%Y-%m-%d %H:%M:%S", 86_400);
        for hours in [1, 20, 3_000] {
            let of = |row: i64| 1_356_998_400 + row * 7 % hours * 3_600 + row / 500 * day;
            let rows: Vec<String> = (0..4_000)
                .map(|row| {
                    let (days, time) = (of(row) / day, of(row) % day);
                    let date = crate::dates::calendar::Date::new(days as i32);
                    let (year, month, day) = (date.year, date.month, date.day);
                    let hour = time / 3_600;
                    format!("{year:04}-{month:02}-{day:02} {hour:02}:00:00")
                })
                .collect();
            let data = rows.concat();
            let offsets: Vec<i64> = (0..=4_000).map(|row| row * 19).collect();
            let cut = 1_234;
            let chunks = [&offsets[..=cut], &offsets[cut..]]
                .map(|offsets| Chunk::new(None, offsets, data.as_bytes()).unwrap());
            let mut out = vec![0; rows.len()];
            let layout = Layout::parse(format).unwrap();
            let parsed = parse_dates(&chunks, &layout, TimeUnit::Second, &mut out).unwrap();
            assert_eq!(parsed.valid, rows.len());
            assert!((0..).zip(&out).all(|(row, &found)| found == of(row)));
        }
    }

    #[test]
    fn fractions() {
        let format = "%Y-%m-%d %H:%M:%S.%fZ";
        let parse = |text, unit| parse(format, text, unit);
        let text = "1970-01-01 00:00:01.25Z";
        assert_eq!(parse(text, TimeUnit::Microsecond), Some(1_250_000));
        let text = "1970-01-01 00:00:00.123456789Z";
        assert_eq!(parse(text, TimeUnit::Nanosecond), Some(123_456_789));
        assert_eq!(parse("1970-01-01 00:00:00.Z", TimeUnit::Second), None);
        assert_eq!(
            parse("1970-01-01 00:00:00.1234567890Z", TimeUnit::Second),
            None
        );
        assert_eq!(parse("1600-01-01 00:00:00.1Z", TimeUnit::Nanosecond), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            format in "(%[YmdHMSfz]|[-/.: TZ]){0,12}",
            rows in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5),
        ) {
            let Some(layout) = Layout::parse(&format) else { return Ok(()) };
            let mut offsets = vec![0];
            offsets.extend(rows.iter().scan(0, |end, row| {
                *end += row.len() as i64;
                Some(*end)
            }));
            let data = rows.concat();
            let chunk = Chunk::new(None, &offsets, &data).unwrap();
            let mut out = vec![0; rows.len()];
            parse_dates(&[chunk], &layout, TimeUnit::Nanosecond, &mut out);
        }

        #[test]
        fn dates_survive_the_way_through_text(
            year in 1..10_000, month in 1..=12_u32, day in 1..=28_u32, second in 0..86_400_u32,
        ) {
            let (h, m, s) = (second / 3_600, second / 60 % 60, second % 60);
            let text = format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}");
            let expected = i64::from(days_of(year, month, day)) * 86_400 + i64::from(second);
            prop_assert_eq!(parse("%Y-%m-%d %H:%M:%S", &text, TimeUnit::Second), Some(expected));
        }
    }
}
