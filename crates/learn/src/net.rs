//! Neural nets as they are kept and scored: dense layers with ReLU between, so that scoring needs no library; training is another crate's.

use serde::{Deserialize, Serialize};

/// What goes in is cut here: a wild number must not drown the others.
pub const CUT: f32 = 10.0;

/// Layers one after the other; between them negative numbers become zero. What goes in is cut at ±[`CUT`] first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Net {
    pub layers: Vec<Layer>,
}

/// out = weights · in + bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// `bias.len()` rows of as many numbers as the input has.
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Net {
    /// The last layer's numbers for a row; `work` is memory to use.
    pub fn run(&self, row: &[f32], work: &mut [Vec<f32>; 2]) -> Vec<f32> {
        let [from, to] = work;
        from.clear();
        from.extend(row.iter().map(|x| x.clamp(-CUT, CUT)));
        for (at, layer) in self.layers.iter().enumerate() {
            let last = at + 1 == self.layers.len();
            to.clear();
            to.extend(layer.bias.iter().zip(layer.weights.chunks_exact(from.len())).map(|(b, w)| {
                let sum = b + dot(w, from);
                if last { sum } else { sum.max(0.0) }
            }));
            std::mem::swap(from, to);
        }
        from.clone()
    }

    /// Checks sizes and numbers: `inputs` numbers in, `outputs` out.
    pub fn check(&self, inputs: usize, outputs: usize) -> Result<(), String> {
        let mut width = inputs;
        for layer in &self.layers {
            let finite = layer.weights.iter().chain(&layer.bias).all(|w| w.is_finite());
            if width == 0 || layer.weights.len() != width * layer.bias.len() || !finite {
                return Err("a net's layers do not fit each other".into());
            }
            width = layer.bias.len();
        }
        if width == outputs && !self.layers.is_empty() { Ok(()) } else { Err("a net's ends do not fit".into()) }
    }
}

/// Eight sums side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = ca.remainder().iter().zip(cb.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in ca.zip(cb) {
        for l in 0..8 {
            sums[l] += x[l] * y[l];
        }
    }
    sums.iter().sum::<f32>() + rest
}
