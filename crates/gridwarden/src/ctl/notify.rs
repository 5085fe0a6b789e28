//! Tells systemd that the service is ready and alive (sd_notify(3)): datagrams to the socket that `NOTIFY_SOCKET` names.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager, where there is one.
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// Between two signs of life; none where nobody waits for them.
    pub every: Option<Duration>,
}

impl Notify {
    /// As the environment says. What it says wrongly is as if it said nothing.
    pub fn from_environment() -> Notify {
        let name = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
        let usec = std::env::var("WATCHDOG_USEC").ok().and_then(|t| t.parse::<u64>().ok()).filter(|n| *n > 0);
        let ours = std::env::var("WATCHDOG_PID").ok().is_none_or(|p| p == std::process::id().to_string());
        Notify::to(name.as_bytes(), usec.filter(|_| ours).map(Duration::from_micros))
    }

    fn to(name: &[u8], watchdog: Option<Duration>) -> Notify {
        let address = match name.split_first() {
            Some((b'@', rest)) => SocketAddr::from_abstract_name(rest).ok(),
            Some((b'/', _)) => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)).ok(),
            _ => None,
        };
        let socket = UnixDatagram::unbound().ok();
        Notify { to: socket.zip(address), every: watchdog.map(|w| w / 2) }
    }

    /// Sends assignments, as `READY=1`.
    pub fn say(&self, what: &str) {
        if let Some((socket, address)) = &self.to {
            // A service manager that went away needs no signs of life.
            let _ = socket.send_to_addr(what.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_hears_what_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::to(path.as_os_str().as_bytes(), Some(Duration::from_secs(30)));
        assert_eq!(notify.every, Some(Duration::from_secs(15)));
        notify.say("READY=1\nSTATUS=watching");
        let mut heard = [0; 64];
        let n = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..n], b"READY=1\nSTATUS=watching");
        let name = format!("gridwarden-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notify::to(format!("@{name}").as_bytes(), None).say("WATCHDOG=1");
        assert_eq!(manager.recv(&mut heard).unwrap(), 10);
        Notify::to(b"", None).say("nobody listens");
    }
}
