//! What the routes do, by subject.

pub(crate) mod cases;
pub(crate) mod devices;
pub(crate) mod findings;
pub(crate) mod hunt;
pub(crate) mod imports;
pub(crate) mod intelligence;
pub(crate) mod maintenance;
pub(crate) mod models;
pub(crate) mod people;
pub(crate) mod response;
pub(crate) mod system;
