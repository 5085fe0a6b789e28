//! Rows of 32-bit numbers, missing as NaN.

/// A dense table, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// How many columns.
    pub width: usize,
    /// `rows × width` numbers.
    pub cells: Vec<f32>,
}

impl Matrix {
    /// With room for so many rows.
    pub fn new(width: usize, rows: usize) -> Matrix {
        Matrix { width, cells: Vec::with_capacity(width * rows) }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// One row.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.cells[at * self.width..(at + 1) * self.width]
    }

    /// These rows, in this order.
    pub fn take(&self, rows: &[u32]) -> Matrix {
        let mut out = Matrix::new(self.width, rows.len());
        for &r in rows {
            out.cells.extend_from_slice(self.row(r as usize));
        }
        out
    }
}
