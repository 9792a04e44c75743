//! Memory for whole columns: big buffers that are freed are kept for the next of their size.
//!
//! Fresh pages cost as much as the arithmetic that fills them: the system clears each of them, one
//! fault after another, and on a virtual machine may first have to get them back from the host. Some
//! of the machine's memory (see [`kept`]) therefore stays with the process, the oldest buffers leave
//! first. Small buffers are the allocator's affair, which keeps them itself.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock};

/// Smaller buffers are not kept.
const BIG: usize = 1 << 18;
/// Of how much of the memory that there is a process may keep a part, and the bounds of that part.
const SHARE: usize = 32;
const LEAST: usize = 1 << 27;
const MOST: usize = 1 << 30;
/// Big buffers have a multiple of this size, so that more of them fit.
const UNIT: usize = 1 << 16;
/// The size of a large page, by which larger buffers are aligned.
const PAGE: usize = 1 << 21;

/// Memory that is aligned for vectors and not initialised.
#[derive(Debug)]
pub struct Buffer(Region);

// SAFETY: the memory is the buffer's own; who writes through `start` sees to it that nobody else
// does.
unsafe impl Sync for Buffer {}

/// Buffers without a user, the oldest first. Whoever finds it locked does without: a forked child
/// may find it so for ever.
static FREE: Mutex<VecDeque<Region>> = Mutex::new(VecDeque::new());

#[derive(Clone, Copy, Debug)]
struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a region has one owner: a buffer, or the list of free ones.
unsafe impl Send for Region {}

impl Buffer {
    /// Makes room for at least so many bytes, or ends the process as any collection would.
    pub(crate) fn new(bytes: usize) -> Self {
        Self::try_new(bytes).unwrap_or_else(|| {
            handle_alloc_error(layout(bytes).expect("a size that can exist"));
        })
    }

    /// Makes room for at least so many bytes; `None` if there is none.
    #[must_use]
    pub fn try_new(bytes: usize) -> Option<Self> {
        let layout = layout(bytes)?;
        if layout.size() >= BIG
            && let Some(found) = find(layout)
        {
            return Some(Self(found));
        }
        // SAFETY: the layout's size is not 0.
        let fresh = || NonNull::new(unsafe { alloc(layout) });
        let start = fresh().or_else(|| {
            // What is kept may be what is lacking, as where a process has a limit.
            FREE.try_lock().ok()?.drain(..).for_each(free);
            fresh()
        })?;
        if layout.align() == PAGE {
            prefer_large_pages(start, layout);
        }
        Some(Self(Region { start, layout }))
    }

    /// The first byte.
    #[must_use]
    pub fn start(&self) -> *mut u8 {
        self.0.start.as_ptr()
    }

    /// How many bytes there is room for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.layout.size()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        keep_or_free(self.0);
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    let (unit, align) = match bytes {
        0..BIG => (64, 64),
        BIG..PAGE => (UNIT, 4096),
        _ => (UNIT, PAGE),
    };
    let size = bytes.max(1).checked_next_multiple_of(unit)?;
    Layout::from_size_align(size, align).ok()
}

/// Takes the smallest free region that fits without wasting a quarter of it, the last that was used.
fn find(layout: Layout) -> Option<Region> {
    let mut free = FREE.try_lock().ok()?;
    let fits = layout.size()..=layout.size() + layout.size() / 4;
    let (at, _) = (free.iter().enumerate().rev())
        .filter(|(_, region)| fits.contains(&region.layout.size()))
        .min_by_key(|(_, region)| region.layout.size())?;
    free.remove(at)
}

fn keep_or_free(region: Region) {
    let mut leaving = Vec::new();
    if (BIG..=kept()).contains(&region.layout.size())
        && let Ok(mut free) = FREE.try_lock()
    {
        free.push_back(region);
        let mut bytes: usize = free.iter().map(|region| region.layout.size()).sum();
        while bytes > kept()
            && let Some(oldest) = free.pop_front()
        {
            bytes -= oldest.layout.size();
            leaving.push(oldest);
        }
    } else {
        leaving.push(region);
    }
    leaving.into_iter().for_each(free);
}

fn free(region: Region) {
    // SAFETY: allocated with this layout in `try_new`, and no longer among the free ones.
    unsafe { dealloc(region.start.as_ptr(), region.layout) };
}

/// The most bytes that are kept.
fn kept() -> usize {
    static KEPT: OnceLock<usize> = OnceLock::new();
    *KEPT.get_or_init(|| (memory() / SHARE).clamp(LEAST, MOST))
}

/// The memory of the machine, or of the container, as far as that is known.
fn memory() -> usize {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it only asks.
        let [pages, size] = unsafe {
            [
                libc::sysconf(libc::_SC_PHYS_PAGES),
                libc::sysconf(libc::_SC_PAGESIZE),
            ]
        };
        let machine = usize::try_from(pages.saturating_mul(size)).unwrap_or(0);
        let limits = ["memory.max", "memory/memory.limit_in_bytes"].map(|name| {
            let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
            text.trim().parse().ok()
        });
        limits.into_iter().flatten().fold(machine, usize::min)
    }
    #[cfg(not(target_os = "linux"))]
    0
}

/// Asks for large pages, of which there are fewer to clear; where there are none, nothing changes.
fn prefer_large_pages(start: NonNull<u8>, layout: Layout) {
    #[cfg(target_os = "linux")]
    // SAFETY: advice about memory of our own, aligned by pages; it changes no content.
    unsafe {
        libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, layout);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_have_room_and_are_aligned() {
        for bytes in [0, 1, 64, BIG - 1, BIG, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE] {
            let buffer = Buffer::new(bytes);
            assert!(buffer.bytes() >= bytes);
            assert!((buffer.start() as usize).is_multiple_of(64));
            // SAFETY: the buffer has that many bytes, and nobody else knows of it.
            unsafe { buffer.start().write_bytes(1, bytes) };
        }
    }

    #[test]
    fn two_buffers_never_share_memory() {
        let mut all: Vec<Buffer> = (0..4).map(|i| Buffer::new(BIG + i * UNIT)).collect();
        for round in 0..20 {
            drop(all.swap_remove(round % 4));
            all.push(Buffer::new(BIG + (round % 5) * UNIT));
            let mut ranges: Vec<_> = (all.iter())
                .map(|b| (b.start() as usize, b.start() as usize + b.bytes()))
                .collect();
            ranges.sort_unstable();
            assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        }
    }

    #[test]
    fn no_more_is_kept_than_allowed() {
        assert!((LEAST..=MOST).contains(&kept()));
        let all: Vec<Buffer> = (0..6).map(|_| Buffer::new(kept() / 4)).collect();
        drop(all);
        drop(Buffer::new(2 * kept()));
        let bytes: usize = (FREE.lock().unwrap().iter())
            .map(|region| region.layout.size())
            .sum();
        assert!(bytes <= kept());
    }
}
