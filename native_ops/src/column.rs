//! Columns as they come in and go out: typed slices of any dtype.

use crate::dtype::{Bool, DType, Element};

macro_rules! columns {
    ($($name:ident => $T:ty),*) => {
        /// A column that is read.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "one variant for each dtype")]
        pub enum Column<'a> {
            $($name(&'a [$T])),*
        }

        /// A column that is written.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "one variant for each dtype")]
        pub enum ColumnMut<'a> {
            $($name(&'a mut [$T])),*
        }

        impl Column<'_> {
            /// The dtype of its elements.
            #[must_use]
            pub fn dtype(&self) -> DType {
                match self { $(Self::$name(_) => DType::$name),* }
            }

            /// The number of its rows.
            #[must_use]
            pub fn rows(&self) -> usize {
                match self { $(Self::$name(values) => values.len()),* }
            }

            pub(crate) fn address(&self) -> *const u8 {
                match self { $(Self::$name(values) => values.as_ptr().cast()),* }
            }
        }

        impl ColumnMut<'_> {
            /// The dtype of its elements.
            #[must_use]
            pub fn dtype(&self) -> DType {
                match self { $(Self::$name(_) => DType::$name),* }
            }

            /// The number of its rows.
            #[must_use]
            pub fn rows(&self) -> usize {
                match self { $(Self::$name(values) => values.len()),* }
            }

            pub(crate) fn address(&mut self) -> *mut u8 {
                match self { $(Self::$name(values) => values.as_mut_ptr().cast()),* }
            }
        }

        $(
            impl<'a> From<&'a [$T]> for Column<'a> {
                fn from(values: &'a [$T]) -> Self {
                    Self::$name(values)
                }
            }

            impl<'a> From<&'a mut [$T]> for ColumnMut<'a> {
                fn from(values: &'a mut [$T]) -> Self {
                    Self::$name(values)
                }
            }
        )*
    };
}
columns!(F64 => f64, F32 => f32, I64 => i64, I32 => i32, I16 => i16, I8 => i8,
         U64 => u64, U32 => u32, U16 => u16, U8 => u8, Bool => Bool);

/// An integer that says which row to pick; negative for none.
pub trait Position: Copy + Into<i64> {
    /// As an index: beyond all rows if it is negative.
    #[inline(always)]
    fn index(self) -> usize {
        self.into() as usize
    }
}

impl Position for i64 {}
impl Position for i32 {}

/// An operand of a kernel: a block of a column, or one value for all rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a, T> {
    Column(&'a [T]),
    Scalar(T),
}

impl<T: Element> Arg<'_, T> {
    pub(crate) fn address(&self) -> *const u8 {
        match self {
            Self::Column(values) => values.as_ptr().cast(),
            Self::Scalar(value) => (&raw const *value).cast(),
        }
    }

    /// The values of a column, or the one of all rows.
    pub(crate) fn values(&self) -> &[T] {
        match self {
            Self::Column(values) => values,
            Self::Scalar(value) => std::slice::from_ref(value),
        }
    }

    /// The value of a row.
    pub(crate) fn at(&self, row: usize) -> T {
        match self {
            Self::Column(values) => values[row],
            Self::Scalar(value) => *value,
        }
    }

    /// The number of rows, 1 for a scalar.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Column(values) => values.len(),
            Self::Scalar(_) => 1,
        }
    }

    /// Bytes from one row to the next, 0 for a scalar.
    pub(crate) fn stride(&self) -> isize {
        match self {
            Self::Column(_) => size_of::<T>() as isize,
            Self::Scalar(_) => 0,
        }
    }
}
