//! Writing results past the caches.
//!
//! A store that misses first loads the line that it overwrites. Where more is written than the
//! caches hold, that is a third of all traffic: streaming stores go to memory line by line instead.

use crate::dtype::Element;

/// Runs that write fewer bytes leave them in the caches for the next reader. Builds for tests do
/// so only with very few, so that small programs come both ways.
pub(crate) const LARGE: usize = if cfg!(debug_assertions) {
    1 << 11
} else {
    16 << 20
};

/// Copies values, past the caches if asked to; [`settle`] must follow before others read them.
#[inline]
pub(crate) fn write<T: Element>(out: &mut [T], values: &[T], past_caches: bool) {
    #[cfg(target_arch = "x86_64")]
    if past_caches {
        stream(out, values);
        return;
    }
    let _ = past_caches;
    out.copy_from_slice(values);
}

/// Makes what this thread streamed visible to the others.
#[inline]
pub(crate) fn settle() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(target_arch = "x86_64")]
fn stream<T: Element>(out: &mut [T], values: &[T]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};

    const LINE: usize = 64;
    assert_eq!(out.len(), values.len());
    let lead = out.as_ptr().align_offset(LINE).min(out.len());
    let (first, out) = out.split_at_mut(lead);
    let (first_values, values) = values.split_at(lead);
    first.copy_from_slice(first_values);
    let lines = size_of_val(out) / LINE;
    let (body, last) = out.split_at_mut(lines * LINE / size_of::<T>());
    let (body_values, last_values) = values.split_at(body.len());
    let (to, from) = (
        body.as_mut_ptr().cast::<__m128i>(),
        body_values.as_ptr().cast::<__m128i>(),
    );
    for part in 0..lines * (LINE / size_of::<__m128i>()) {
        // SAFETY: `body` holds `lines` lines and starts at one; `body_values` has its length.
        unsafe { _mm_stream_si128(to.add(part), _mm_loadu_si128(from.add(part))) };
    }
    last.copy_from_slice(last_values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_write_what_copies_write() {
        let values: Vec<u16> = (0..1_000).collect();
        for start in 0..70 {
            for length in [0, 1, 31, 32, 33, 95, 96, 500] {
                let mut out = vec![7; 1_000];
                write(&mut out[start..start + length], &values[..length], true);
                settle();
                assert_eq!(out[start..start + length], values[..length]);
                assert!(
                    out[..start]
                        .iter()
                        .chain(&out[start + length..])
                        .all(|&v| v == 7)
                );
            }
        }
    }
}
