//! What the routes do, by subject.

pub(crate) mod devices;
pub(crate) mod findings;
pub(crate) mod hunt;
pub(crate) mod imports;
pub(crate) mod people;
pub(crate) mod system;
