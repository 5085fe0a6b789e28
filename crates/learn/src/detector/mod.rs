//! Detectors that know only normal rows: the larger the score, the less a row is like them.

mod hst;
mod iforest;
mod mahalanobis;

use serde::{Deserialize, Serialize};

pub use hst::HalfSpace;
pub use iforest::Forest;
pub use mahalanobis::Mahalanobis;

use crate::matrix::Matrix;
use crate::net::{CUT, Net};

/// A fitted detector over dense rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Detector {
    Mahalanobis(Mahalanobis),
    Iforest(Forest),
    Hst(HalfSpace),
    /// Gives the dense row back; the score is the mean squared error. Trained elsewhere (crate `nets`).
    Autoencoder(Net),
}

impl Detector {
    /// As on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Detector::Mahalanobis(_) => "mahalanobis",
            Detector::Iforest(_) => "iforest",
            Detector::Hst(_) => "hst",
            Detector::Autoencoder(_) => "autoencoder",
        }
    }

    /// Scores of dense rows.
    pub fn scores(&self, x: &Matrix) -> Vec<f64> {
        match self {
            Detector::Mahalanobis(m) => m.scores(x),
            Detector::Iforest(f) => f.scores(x),
            Detector::Hst(h) => h.scores(x),
            Detector::Autoencoder(net) => {
                let mut work = [Vec::new(), Vec::new()];
                let mut error = |row: &[f32]| {
                    let out = net.run(row, &mut work);
                    let sum: f64 = out.iter().zip(row).map(|(o, x)| f64::from(o - x.clamp(-CUT, CUT)).powi(2)).sum();
                    sum / row.len() as f64
                };
                x.cells.chunks_exact(x.width).map(&mut error).collect()
            }
        }
    }

    /// Checks what scoring relies on.
    pub fn check(&self, width: usize) -> Result<(), String> {
        match self {
            Detector::Mahalanobis(m) => m.check(width),
            Detector::Iforest(f) => f.check(width),
            Detector::Hst(h) => h.check(width),
            Detector::Autoencoder(net) => net.check(width, width),
        }
    }
}
