//! The one place where the control plane reads the machine's clock.

use gwcore::Ts;

/// The machine's clock as nanoseconds UTC since 1970; before 1970 it is 0. For the control plane only: packets carry their own time.
#[allow(clippy::disallowed_methods)] // what people do has no packet time
pub fn now() -> Ts {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ts(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
