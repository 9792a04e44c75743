//! Compiles each hot loop twice, for the baseline and for AVX2, and picks at run time.
//!
//! AVX2 without FMA: a fused multiply-add rounds once instead of twice and changes bits.

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
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { with_avx2(kernel) };
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
