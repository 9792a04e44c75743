//! Compiles each hot loop for the baseline, AVX2 and AVX-512, and picks at run time.
//!
//! Without FMA: a fused multiply-add rounds once instead of twice and changes bits. AVX-512 turns
//! 64-bit integers into floats, which AVX2 does one by one.

/// A loop. Implementations mark `run` as `#[inline(always)]`, so that its code is compiled with
/// the features of each caller.
pub(crate) trait Kernel {
    type Output;

    fn run(self) -> Self::Output;
}

/// Runs the kernel with the best instructions that this machine has.
#[inline]
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: the processor has these parts of AVX-512, and what moves bits.
        AVX512 => return unsafe { with_avx512(kernel) },
        // SAFETY: the processor has AVX2, and what moves bits.
        AVX2 => return unsafe { with_avx2(kernel) },
        _ => {}
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
const BASELINE: u8 = 1;
#[cfg(target_arch = "x86_64")]
const AVX2: u8 = 2;
#[cfg(target_arch = "x86_64")]
const AVX512: u8 = 3;

/// Which instructions are used; `STRATUM_SIMD` set to `baseline` or `avx2` leaves out better ones,
/// so that results can be compared.
#[cfg(target_arch = "x86_64")]
#[inline]
fn level() -> u8 {
    use std::sync::atomic::{AtomicU8, Ordering};

    static LEVEL: AtomicU8 = AtomicU8::new(0);

    #[cold]
    fn detect() -> u8 {
        // What counts and moves bits has come with AVX2, but as parts of their own.
        let bits = is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt");
        let best = if !bits || !is_x86_feature_detected!("avx2") {
            BASELINE
        } else if is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
            AVX512
        } else {
            AVX2
        };
        let most = match std::env::var("STRATUM_SIMD").as_deref() {
            Ok("baseline") => BASELINE,
            Ok("avx2") => AVX2,
            _ => AVX512,
        };
        let level = best.min(most);
        LEVEL.store(level, Ordering::Relaxed);
        level
    }

    match LEVEL.load(Ordering::Relaxed) {
        0 => detect(),
        known => known,
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
#[test]
fn the_baseline_is_x86_64_v2() {
    let instructions = [
        cfg!(target_feature = "sse4.2"),
        cfg!(target_feature = "popcnt"),
    ];
    assert_eq!(
        instructions, [true; 2],
        "built without .cargo/config.toml, or with RUSTFLAGS?"
    );
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,bmi1,bmi2,lzcnt")]
fn with_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
