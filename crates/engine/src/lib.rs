//! The pipeline: from frames to ordered rows and facts.
