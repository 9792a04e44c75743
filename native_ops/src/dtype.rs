//! The element types of columns and scalars, and the macros that pick code for one of them.

use std::fmt;

/// The dtype of a column or scalar, named as in `numpy.dtype(...).kind` plus bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum DType {
    F64,
    F32,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl DType {
    /// Every dtype.
    pub const ALL: [Self; 11] = [
        Self::F64,
        Self::F32,
        Self::I64,
        Self::I32,
        Self::I16,
        Self::I8,
        Self::U64,
        Self::U32,
        Self::U16,
        Self::U8,
        Self::Bool,
    ];

    /// The dtype called `name` (`"f64"`, ..., `"bool"`).
    ///
    /// ```
    /// use stratum_native_ops::DType;
    /// assert_eq!(DType::parse("u16"), Some(DType::U16));
    /// assert_eq!(DType::parse("object"), None);
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// The name: `"f64"`, ..., `"bool"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U64 => "u64",
            Self::U32 => "u32",
            Self::U16 => "u16",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }

    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether this is a floating point type.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32)
    }

    /// Whether this is an integer type (bool is not).
    #[must_use]
    pub fn is_integer(self) -> bool {
        !self.is_float() && self != Self::Bool
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One byte of a NumPy bool array: any byte but 0 is true, as in NumPy.
///
/// Rust's own `bool` must never hold another byte than 0 and 1, which memory from outside can.
#[derive(Clone, Copy, Default, Debug)]
#[repr(transparent)]
pub struct Bool(pub u8);

impl Bool {
    /// Whether it is true.
    #[inline(always)]
    #[must_use]
    pub fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool {
    #[inline(always)]
    fn from(value: bool) -> Self {
        Self(u8::from(value))
    }
}

impl PartialEq for Bool {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl PartialOrd for Bool {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.get().partial_cmp(&other.get())
    }
}

/// A Rust type that is the element of a column.
///
/// # Safety
///
/// Every bit pattern must be a value of the type, its size must be that of `DTYPE`, and its
/// alignment must not exceed 8.
pub unsafe trait Element:
    Copy + Default + PartialOrd + Send + Sync + fmt::Debug + 'static
{
    /// The dtype of this type.
    const DTYPE: DType;

    /// Whether the value is missing in the sense of pandas: NaN.
    #[inline(always)]
    fn is_missing(self) -> bool {
        false
    }

    /// Bits by which tables compare keys: equal exactly for values that pandas' hash tables call
    /// equal (one NaN, one zero).
    fn key(self) -> u64;

    /// The bits of the value.
    #[inline(always)]
    fn bits(self) -> u64 {
        Cell::new(self).word()
    }
}

macro_rules! plain_elements {
    ($($T:ty => $dtype:ident),*) => {$(
        // SAFETY: a primitive integer of the size that the dtype names.
        unsafe impl Element for $T {
            const DTYPE: DType = DType::$dtype;

            #[inline(always)]
            fn key(self) -> u64 {
                self as u64
            }
        }
    )*};
}
plain_elements!(i64 => I64, i32 => I32, i16 => I16, i8 => I8, u64 => U64, u32 => U32, u16 => U16, u8 => U8);

macro_rules! float_elements {
    ($($T:ty => $dtype:ident),*) => {$(
        // SAFETY: a primitive float of the size that the dtype names.
        unsafe impl Element for $T {
            const DTYPE: DType = DType::$dtype;

            #[inline(always)]
            fn is_missing(self) -> bool {
                self.is_nan()
            }

            #[inline(always)]
            fn key(self) -> u64 {
                if self.is_nan() {
                    u64::MAX
                } else {
                    u64::from((self + 0.0).to_bits())
                }
            }
        }
    )*};
}
float_elements!(f64 => F64, f32 => F32);

// SAFETY: `Bool` wraps a byte, of which every pattern is a value.
unsafe impl Element for Bool {
    const DTYPE: DType = DType::Bool;

    #[inline(always)]
    fn key(self) -> u64 {
        u64::from(self.get())
    }
}

/// One value of some dtype, as bits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scalar {
    dtype: DType,
    cell: Cell,
}

/// Room for one element of any dtype.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
#[repr(C, align(8))]
pub(crate) struct Cell([u8; 8]);

impl Cell {
    pub(crate) fn new<T: Element>(value: T) -> Self {
        let mut cell = Self::default();
        *cell.get_mut::<T>() = value;
        cell
    }

    #[inline(always)]
    fn word(self) -> u64 {
        u64::from_ne_bytes(self.0)
    }

    pub(crate) fn get<T: Element>(&self) -> T {
        // SAFETY: the cell is 8 bytes at alignment 8, enough for any Element, of which every bit
        // pattern is a value.
        unsafe { *(&raw const self.0).cast::<T>() }
    }

    pub(crate) fn get_mut<T: Element>(&mut self) -> &mut T {
        // SAFETY: as in `get`; the borrow of the cell is exclusive.
        unsafe { &mut *(&raw mut self.0).cast::<T>() }
    }
}

impl Scalar {
    /// A scalar with the dtype of `T`.
    ///
    /// ```
    /// use stratum_native_ops::Scalar;
    /// assert_eq!(Scalar::new(2.5_f32).get::<f32>(), 2.5);
    /// ```
    pub fn new<T: Element>(value: T) -> Self {
        Self {
            dtype: T::DTYPE,
            cell: Cell::new(value),
        }
    }

    pub(crate) fn from_cell(dtype: DType, cell: Cell) -> Self {
        Self { dtype, cell }
    }

    /// Its dtype.
    #[must_use]
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The value.
    ///
    /// # Panics
    ///
    /// When `T` is not the type of this scalar's dtype.
    #[must_use]
    pub fn get<T: Element>(self) -> T {
        assert_eq!(self.dtype, T::DTYPE, "the scalar has another dtype");
        self.cell.get()
    }
}

/// Runs `$body` with `$T` standing for the type of `$dtype`, for the listed dtypes; else `$other`.
macro_rules! match_dtype {
    ($dtype:expr, $T:ident in [$($name:ident => $type:ty),*] => $body:expr, else $other:expr) => {
        match $dtype {
            $(crate::dtype::DType::$name => { type $T = $type; $body })*
            #[allow(unreachable_patterns, reason = "some lists hold every dtype")]
            _ => $other,
        }
    };
}

macro_rules! with_any {
    ($dtype:expr, $T:ident => $body:expr) => {
        crate::dtype::match_dtype!($dtype, $T in [
            F64 => f64, F32 => f32, I64 => i64, I32 => i32, I16 => i16, I8 => i8,
            U64 => u64, U32 => u32, U16 => u16, U8 => u8, Bool => crate::dtype::Bool
        ] => $body, else unreachable!())
    };
}

macro_rules! with_number {
    ($dtype:expr, $T:ident => $body:expr) => {
        crate::dtype::match_dtype!($dtype, $T in [
            F64 => f64, F32 => f32, I64 => i64, I32 => i32, I16 => i16, I8 => i8,
            U64 => u64, U32 => u32, U16 => u16, U8 => u8
        ] => $body, else unreachable!("checked when the program was built"))
    };
}

macro_rules! with_integer {
    ($dtype:expr, $T:ident => $body:expr) => {
        crate::dtype::match_dtype!($dtype, $T in [
            I64 => i64, I32 => i32, I16 => i16, I8 => i8,
            U64 => u64, U32 => u32, U16 => u16, U8 => u8
        ] => $body, else unreachable!("checked when the program was built"))
    };
}

macro_rules! with_float {
    ($dtype:expr, $T:ident => $body:expr) => {
        crate::dtype::match_dtype!($dtype, $T in [F64 => f64, F32 => f32] => $body,
            else unreachable!("checked when the program was built"))
    };
}

pub(crate) use {match_dtype, with_any, with_float, with_integer, with_number};
