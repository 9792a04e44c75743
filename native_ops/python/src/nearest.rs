//! The class `Nearest`: the nearest rows, block by block.

use crate::arrays::{Inputs, Outputs, invalid};
use pyo3::prelude::*;
use stratum_native_ops::{Column, ColumnMut};

/// The nearest of rows that are offered block by block.
#[pyclass(module = "stratum_dask._native")]
pub(crate) struct Nearest(Option<stratum_native_ops::Nearest>);

#[pymethods]
impl Nearest {
    #[new]
    fn new(k: usize, margins: &Bound<'_, PyAny>) -> PyResult<Self> {
        let inputs = Inputs::new([(margins, "margins")])?;
        let [Column::F32(margins)] = inputs.columns() else {
            return Err(invalid("margins must be float32"));
        };
        Ok(Self(Some(stratum_native_ops::Nearest::new(k, margins))))
    }

    /// Looks at rows, numbered from `start` on.
    fn offer(
        &mut self,
        py: Python<'_>,
        products: &Bound<'_, PyAny>,
        least: &Bound<'_, PyAny>,
        doubt: &Bound<'_, PyAny>,
        start: usize,
    ) -> PyResult<()> {
        let inputs = Inputs::new([(products, "products"), (least, "least"), (doubt, "doubt")])?;
        let [
            Column::F32(products),
            Column::F32(least),
            Column::F32(doubt),
        ] = inputs.columns()
        else {
            return Err(invalid("products, least and doubt must be float32"));
        };
        let nearest = self.0.as_mut().ok_or_else(settled)?;
        py.detach(|| nearest.offer(products, least, doubt, start))
            .map_err(invalid)
    }

    /// Writes the nearest of what was offered, and their squared distances.
    fn settle(
        &mut self,
        py: Python<'_>,
        offered: &Bound<'_, PyAny>,
        rows: &Bound<'_, PyAny>,
        nearest: &Bound<'_, PyAny>,
        squares: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let inputs = Inputs::new([(offered, "offered"), (rows, "rows")])?;
        let mut outputs = Outputs::new(
            [(nearest, "nearest"), (squares, "squares")],
            inputs.arrays(),
        )?;
        let (
            [Column::F64(offered), Column::F64(rows)],
            [ColumnMut::I64(nearest), ColumnMut::F64(squares)],
        ) = (inputs.columns(), outputs.columns())
        else {
            return Err(invalid("nearest must be int64, all others float64"));
        };
        let found = self.0.take().ok_or_else(settled)?;
        py.detach(|| found.settle(offered, rows, nearest, squares))
            .map_err(invalid)
    }
}

fn settled() -> PyErr {
    invalid("the nearest rows have been asked for already")
}
