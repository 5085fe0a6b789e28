//! Gradient-boosted trees: histograms of integer gradient sums, so that the same seed gives the same model on any number of threads.

mod bins;
mod flat;
mod grow;
mod shap;
mod train;
mod tree;

pub use bins::Binned;
pub use flat::Flat;
pub use shap::Explainer;
pub use train::{Params, Target, Trained, train};
pub use tree::{Ensemble, Node, Tree, sigmoid, softmax};
