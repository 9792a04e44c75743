//! The persistent threads that help when a program runs alone.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, Mutex, PoisonError};

/// The pool of this process; a forked child has none of its parent's threads and starts its own.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

fn pool() -> Option<Arc<ThreadPool>> {
    let mut slot = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, pool)) = slot.take() {
        if owner == process {
            *slot = Some((owner, Arc::clone(&pool)));
            return Some(pool);
        }
        // Joining threads that don't exist here would wait for ever.
        std::mem::forget(pool);
    }
    let pool = ThreadPoolBuilder::new()
        .thread_name(|index| format!("stratum-kernel-{index}"))
        .build()
        .ok()?;
    let pool = Arc::new(pool);
    *slot = Some((process, Arc::clone(&pool)));
    Some(pool)
}

/// Calls `work` on `threads` threads at once, the calling one included.
///
/// `work` must share out what there is to do by itself: when no thread can be had, the calling
/// thread does everything.
pub(crate) fn together(threads: usize, work: impl Fn() + Sync) {
    match if threads > 1 { pool() } else { None } {
        None => work(),
        Some(pool) => pool.in_place_scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|_| work());
            }
            work();
        }),
    }
}
