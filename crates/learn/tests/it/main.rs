//! Tests of the crate as a whole: properties that hold for any table, and figures on made ones.

mod bars;
mod properties;
mod tables;
