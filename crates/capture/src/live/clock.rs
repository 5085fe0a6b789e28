//! The clock that the kernel stamps frames with, for seconds in which no frame comes.

use std::time::{SystemTime, UNIX_EPOCH};

use gwcore::Ts;

/// The moment it is, by the machine's clock. Below the console only live sources ask it: a feed that fell silent has no other time.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Ts {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Ts(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
        Err(before) => Ts(i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n)),
    }
}
