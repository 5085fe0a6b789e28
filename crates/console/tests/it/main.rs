//! Tests of the console over HTTP.

mod cases;
mod centre;
mod console;
