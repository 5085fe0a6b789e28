//! The control plane's clock: when people and actions did what, never when packets came.

use gwcore::Ts;

/// Now, in UTC. The only place of this crate that reads the clock.
pub fn now() -> Ts {
    #[allow(
        clippy::disallowed_methods,
        reason = "decisions and actions of people happen in real time, not in packet time"
    )]
    let now = std::time::SystemTime::now();
    Ts(now.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)))
}
