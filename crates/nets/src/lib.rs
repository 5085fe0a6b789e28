//! Small neural nets: a multi-layer perceptron and an autoencoder, trained on the CPU.
//!
//! Gradients are Burn's (`flex`); the order of rows, the weights to begin with and the steps (Adam, Kingma and Ba 2015) are ours and follow
//! from the seed alone, so that the same rows and seed give the same weights to the bit on any number of threads. What comes out is plain
//! numbers: scoring needs no library. Rows hold standardised numbers, none of them missing.
//!
//! Burn takes minutes to build: it is behind the feature `burn` (of the program: `nets`). Without it nothing can be trained here, and that is said.
#![deny(missing_docs)]

#[cfg(feature = "burn")]
mod train;

/// Whether this build can train.
pub const CAN_TRAIN: bool = cfg!(feature = "burn");

/// A dense layer: out = weights · in + bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// One row of as many numbers as come in for each number that goes out.
    pub weights: Vec<f32>,
    /// One number for each that goes out.
    pub bias: Vec<f32>,
}

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Sizes of the layers between input and output, each followed by a ReLU.
    pub hidden: Vec<usize>,
    /// Passes over the rows at most; training ends earlier when eight in a row were no better on the rows held out.
    pub epochs: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Adam's step size.
    pub rate: f32,
    /// Weights are drawn towards zero by this at each step, times the rate (decoupled, Loshchilov and Hutter 2019).
    pub decay: f32,
    /// Chooses weights and order.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { hidden: vec![64, 32], epochs: 30, batch: 512, rate: 2e-3, decay: 1e-4, seed: 0 }
    }
}

impl Options {
    /// The sizes of an autoencoder for rows of `width` numbers: to a third, to an eighth, and back.
    pub fn autoencoder(width: usize) -> Options {
        let (outer, inner) = ((width / 3).clamp(4, 64), (width / 8).clamp(4, 16));
        Options { hidden: vec![outer, inner, outer], ..Options::default() }
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetError(pub String);

impl std::fmt::Display for NetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NetError {}

/// Trains a net that tells classes: its last layer gives one number a class, whose softmax are the probabilities. `rows` holds `width`
/// numbers a row, `classes` one number below `count` a row, `weights` how much each row counts. `each` is told of every pass (from 1) and
/// the mean loss on the rows held out.
pub fn classifier(
    rows: &[f32],
    width: usize,
    (classes, count): (&[u32], usize),
    weights: &[f32],
    options: &Options,
    each: &mut dyn FnMut(usize, f32),
) -> Result<Vec<Layer>, NetError> {
    if classes.len() != weights.len() || classes.iter().any(|c| *c as usize >= count) {
        return Err(NetError("classes and rows do not fit each other".into()));
    }
    #[cfg(feature = "burn")]
    return train::train(rows, width, &train::Aim::Classes { classes, count, weights }, options, each);
    #[cfg(not(feature = "burn"))]
    absent((rows, width, options, each))
}

/// Trains a net that gives its input back; what it cannot give back is unlike the rows it learned from.
pub fn autoencoder(
    rows: &[f32],
    width: usize,
    options: &Options,
    each: &mut dyn FnMut(usize, f32),
) -> Result<Vec<Layer>, NetError> {
    #[cfg(feature = "burn")]
    return train::train(rows, width, &train::Aim::Same, options, each);
    #[cfg(not(feature = "burn"))]
    absent((rows, width, options, each))
}

#[cfg(not(feature = "burn"))]
fn absent<T>(_: T) -> Result<Vec<Layer>, NetError> {
    Err(NetError("this build cannot train neural nets: build it with `--features nets`".into()))
}
