//! The bytes of a file in memory, and how many lines begin where.

use super::Refusal;
use crate::buffer::Buffer;
use crate::pool::together;
use crate::simd::{Kernel, dispatch};
use std::fs::File;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that a thread reads at once; they stay in its own cache while they are looked at.
const PIECE: usize = 1 << 18;
/// Zeros before and after the text, so that cells can be loaded with what lies around them.
pub(super) const MARGIN: usize = 64;

/// A file in memory: whole lines, each with a newline at its end.
#[derive(Debug)]
pub struct Source {
    buffer: Buffer,
    /// How many bytes the text has.
    length: usize,
    /// How many lines end before each piece, and last in all of them.
    lines: Vec<usize>,
    /// Whether there are quotes.
    pub(super) quoted: bool,
    /// Whether all bytes are ASCII.
    pub(super) ascii: bool,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, there is no memory for it, it holds a carriage return or a zero
    /// byte, or it has no two lines.
    pub fn new(file: &File, threads: usize) -> Result<Self, Refusal> {
        let size = file.metadata()?.len();
        let size = usize::try_from(size).map_err(|_| Refusal::Memory)?;
        let room = size.checked_add(2 * MARGIN + 1).ok_or(Refusal::Memory)?;
        let buffer = Buffer::try_new(room).ok_or(Refusal::Memory)?;
        // SAFETY: the buffer has that many bytes, and nobody else knows of it.
        let bytes = unsafe {
            buffer.start().write_bytes(0, MARGIN);
            (buffer.start().add(MARGIN + size)).write_bytes(0, MARGIN + 1);
            std::slice::from_raw_parts_mut(buffer.start().add(MARGIN), size)
        };
        let pieces = Mutex::new(bytes.chunks_mut(PIECE).enumerate());
        let counts: Vec<AtomicUsize> = (0..size.div_ceil(PIECE)).map(|_| 0.into()).collect();
        let seen = Mutex::new((Seen::default(), None));
        together(threads.min(counts.len()), || {
            let (mut own, mut failure) = (Seen::default(), None);
            while let Some((number, piece)) = lock(&pieces).next() {
                if let Err(error) = fill(file, piece, number * PIECE) {
                    failure = Some(error);
                    break;
                }
                let found = dispatch(Look(piece));
                counts[number].store(found.newlines, Relaxed);
                own = own.with(&found);
            }
            let mut all = lock(&seen);
            all.0 = all.0.with(&own);
            all.1 = all.1.take().or(failure);
        });
        let (seen, failure) = seen.into_inner().unwrap_or_else(|error| error.into_inner());
        if let Some(error) = failure {
            return Err(Refusal::File(error));
        }
        if seen.returns {
            return Err(Refusal::Unusual("carriage returns"));
        }
        if seen.zeros {
            return Err(Refusal::Unusual("zero bytes"));
        }
        let mut source = Self {
            buffer,
            length: size,
            lines: Vec::with_capacity(counts.len() + 1),
            quoted: seen.quotes,
            ascii: !seen.high,
        };
        let mut lines = 0;
        for count in counts {
            source.lines.push(lines);
            lines += count.into_inner();
        }
        if source.text().last().is_some_and(|&last| last != b'\n') {
            // SAFETY: the margin is one byte longer than it has to be.
            unsafe { source.buffer.start().add(MARGIN + size).write(b'\n') };
            source.length += 1;
            lines += 1;
        }
        source.lines.push(lines);
        if lines < 2 {
            return Err(Refusal::Unusual("no rows"));
        }
        Ok(source)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.with_margins()[MARGIN..MARGIN + self.length]
    }

    /// The text and the zeros around it.
    pub(super) fn with_margins(&self) -> &[u8] {
        // SAFETY: initialised in `new`, and written by nobody since.
        unsafe { std::slice::from_raw_parts(self.buffer.start(), self.length + 2 * MARGIN) }
    }

    /// The first line without its newline.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.text()[..self.line_from(0) - 1]
    }

    /// The number of lines after the first.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines[self.lines.len() - 1] - 1
    }

    /// The rows in parts of about so many bytes.
    pub(super) fn parts(&self, bytes: usize) -> Vec<Part> {
        let places = (bytes..self.length).step_by(bytes);
        let mut starts = vec![self.line_from(0)];
        for place in places {
            let start = self.line_from(place - 1);
            if start > starts[starts.len() - 1] && start < self.length {
                starts.push(start);
            }
        }
        self.parts_from(&starts).unwrap_or_default()
    }

    /// The rows in parts that begin at some places; nothing where these are no lines' beginnings.
    pub(super) fn parts_from(&self, starts: &[usize]) -> Option<Vec<Part>> {
        let text = self.text();
        let begins = |&start: &usize| (1..self.length).contains(&start) && text[start - 1] == b'\n';
        if starts.first() != Some(&self.line_from(0))
            || !starts.is_sorted()
            || !starts.iter().all(begins)
        {
            return None;
        }
        let mut ends: Vec<_> = (starts.iter())
            .map(|&start| {
                let piece = start / PIECE;
                let lines = count_newlines(&text[piece * PIECE..start]);
                (start, self.lines[piece] + lines - 1)
            })
            .collect();
        ends.push((self.length, self.rows()));
        let parts = ends.windows(2).map(|pair| Part {
            bytes: pair[0].0..pair[1].0,
            rows: pair[0].1..pair[1].1,
        });
        Some(parts.filter(|part| !part.bytes.is_empty()).collect())
    }

    /// Where the line after the newline begins that comes first from some place on.
    pub(super) fn line_from(&self, place: usize) -> usize {
        let text = self.text();
        place + find_newline(&text[place..]).map_or(text.len() - place, |at| at + 1)
    }
}

/// Some rows.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Where they are in the text.
    pub(super) bytes: Range<usize>,
    pub(super) rows: Range<usize>,
}

fn count_newlines(text: &[u8]) -> usize {
    dispatch(Look(text)).newlines
}

/// Where the first newline is.
fn find_newline(text: &[u8]) -> Option<usize> {
    text.iter().position(|&byte| byte == b'\n')
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|error| error.into_inner())
}

/// Reads as many bytes as there is room for.
fn fill(file: &File, room: &mut [u8], place: usize) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, room, place as u64);
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < room.len() {
            let place = (place + done) as u64;
            match std::os::windows::fs::FileExt::seek_read(file, &mut room[done..], place)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }
}

/// What some bytes hold.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    newlines: usize,
    quotes: bool,
    returns: bool,
    zeros: bool,
    high: bool,
}

impl Seen {
    fn with(self, other: &Self) -> Self {
        Self {
            newlines: self.newlines + other.newlines,
            quotes: self.quotes | other.quotes,
            returns: self.returns | other.returns,
            zeros: self.zeros | other.zeros,
            high: self.high | other.high,
        }
    }
}

/// Looks for bytes that matter.
struct Look<'a>(&'a [u8]);

impl Kernel for Look<'_> {
    type Output = Seen;

    #[inline(always)]
    fn run(self) -> Seen {
        let mut seen = Seen::default();
        // As many as a byte can count.
        for block in self.0.chunks(255 * 32) {
            let mut marks = [[0_u8; 32]; 5];
            let (groups, rest) = block.as_chunks::<32>();
            for group in groups {
                look(group, &mut marks);
            }
            if !rest.is_empty() {
                let mut group = [b' '; 32];
                group[..rest.len()].copy_from_slice(rest);
                look(&group, &mut marks);
            }
            seen.newlines += marks[0].iter().map(|&n| usize::from(n)).sum::<usize>();
            seen.quotes |= marks[1] != [0; 32];
            seen.returns |= marks[2] != [0; 32];
            seen.zeros |= marks[3] != [0; 32];
            seen.high |= marks[4].iter().any(|&byte| byte > 127);
        }
        seen
    }
}

#[inline(always)]
fn look(group: &[u8; 32], marks: &mut [[u8; 32]; 5]) {
    for (i, &byte) in group.iter().enumerate() {
        marks[0][i] += u8::from(byte == b'\n');
        marks[1][i] |= u8::from(byte == b'"');
        marks[2][i] |= u8::from(byte == b'\r');
        marks[3][i] |= u8::from(byte == 0);
        marks[4][i] |= byte;
    }
}
