//! The sticky exception flags of the floating point unit, in NumPy's bits.

/// A division of a finite number by zero (`NPY_FPE_DIVIDEBYZERO`).
pub const DIVIDE: u32 = 1;
/// A result too large (`NPY_FPE_OVERFLOW`).
pub const OVERFLOW: u32 = 2;
/// A result too small (`NPY_FPE_UNDERFLOW`).
pub const UNDERFLOW: u32 = 4;
/// An operation without a result (`NPY_FPE_INVALID`).
pub const INVALID: u32 = 8;

#[cfg(target_arch = "x86_64")]
mod unit {
    use super::{DIVIDE, INVALID, OVERFLOW, UNDERFLOW};
    use std::arch::asm;

    const EXCEPTIONS: u32 = 0x3f;

    /// The sticky bits, which have the same places in both units: of the vector unit, and of the
    /// x87, in which the C library raises some exceptions (`feraiseexcept(FE_OVERFLOW)`).
    fn sticky() -> (u32, u32) {
        let (mut vector, mut legacy) = (0_u32, 0_u16);
        // SAFETY: stores the 4 bytes of MXCSR and the 2 bytes of the x87's status word.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut vector, options(nostack));
            asm!("fnstsw word ptr [{}]", in(reg) &raw mut legacy, options(nostack));
        }
        (vector, u32::from(legacy))
    }

    pub(super) fn read() -> u32 {
        let (vector, legacy) = sticky();
        let status = vector | legacy;
        let bit = |from: u32, to: u32| if status & (1 << from) != 0 { to } else { 0 };
        bit(0, INVALID) | bit(2, DIVIDE) | bit(3, OVERFLOW) | bit(4, UNDERFLOW)
    }

    pub(super) fn clear() {
        let (vector, legacy) = sticky();
        // SAFETY: only the sticky bits change; rounding modes and masks, which Rust relies on,
        // stay as they are.
        unsafe {
            if vector & EXCEPTIONS != 0 {
                let cleared = vector & !EXCEPTIONS;
                asm!("ldmxcsr [{}]", in(reg) &raw const cleared, options(nostack));
            }
            if legacy & EXCEPTIONS != 0 {
                asm!("fnclex", options(nostack));
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod unit {
    use super::{DIVIDE, INVALID, OVERFLOW, UNDERFLOW};
    use std::arch::asm;

    const EXCEPTIONS: u64 = 0x9f;

    pub(super) fn read() -> u32 {
        let status: u64;
        // SAFETY: reads the floating point status register.
        unsafe { asm!("mrs {}, fpsr", out(reg) status, options(nostack)) };
        let bit = |from: u32, to: u32| if status & (1 << from) != 0 { to } else { 0 };
        bit(0, INVALID) | bit(1, DIVIDE) | bit(2, OVERFLOW) | bit(3, UNDERFLOW)
    }

    pub(super) fn clear() {
        // SAFETY: clears the sticky flags of the status register, which holds no modes.
        unsafe {
            let status: u64;
            asm!("mrs {}, fpsr", out(reg) status, options(nostack));
            asm!("msr fpsr, {}", in(reg) status & !EXCEPTIONS, options(nostack));
        }
    }
}

/// Runs `work` and adds the exceptions that it raised to `flags`.
#[inline]
pub(crate) fn watch<R>(flags: &mut u32, work: impl FnOnce() -> R) -> R {
    unit::clear();
    // Else the compiler may compute what is returned after the flags were read, or what `work` has
    // only values for before they were cleared.
    let result = std::hint::black_box(std::hint::black_box(work)());
    *flags |= unit::read();
    result
}
