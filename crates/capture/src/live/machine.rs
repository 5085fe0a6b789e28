//! What the kernel says of a network card and of its clock: offloads, receive ring, synchronisation. Reads only.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `SIOCETHTOOL` of `linux/sockios.h`.
const SIOCETHTOOL: u64 = 0x8946;
/// Commands of `linux/ethtool.h`.
const GET_RING: u32 = 0x10;
const GET_TSO: u32 = 0x1e;
const GET_GSO: u32 = 0x23;
const GET_FLAGS: u32 = 0x25;
const GET_GRO: u32 = 0x2b;
/// `ETH_FLAG_LRO`, and those of VLAN tags taken off and put on.
const LRO: u32 = 1 << 15;
const RX_VLAN: u32 = 1 << 8;

/// What a network card does with frames before anybody captures them; none where its driver does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Segments of one conversation are merged by the kernel (generic receive offload).
    pub gro: Option<bool>,
    /// Segments are merged by the card (large receive offload).
    pub lro: Option<bool>,
    /// Segments are cut by the card (TCP segmentation offload): what this machine sends is seen uncut.
    pub tso: Option<bool>,
    /// Segments are cut late by the kernel (generic segmentation offload).
    pub gso: Option<bool>,
    /// VLAN tags are taken off by the card; the kernel hands them over beside the frame.
    pub rx_vlan: Option<bool>,
    /// Places in the receive ring, and the most there can be.
    pub ring: Option<(u32, u32)>,
}

/// Asks the kernel about a card. Needs no rights.
pub fn card(interface: &str) -> io::Result<Card> {
    // SAFETY: a plain system call; the descriptor is owned from the moment it exists.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    let value = |command: u32| -> Option<u32> {
        let mut words = [command, 0];
        ask(&socket, interface, &mut words).ok()?;
        Some(words[1])
    };
    let flags = value(GET_FLAGS);
    // struct ethtool_ringparam: command, four maxima (rx first), four current ones (rx first).
    let mut ring = [GET_RING, 0, 0, 0, 0, 0, 0, 0, 0];
    let ring = ask(&socket, interface, &mut ring).ok().map(|()| (ring[5], ring[1]));
    Ok(Card {
        gro: value(GET_GRO).map(|v| v != 0),
        lro: flags.map(|f| f & LRO != 0),
        tso: value(GET_TSO).map(|v| v != 0),
        gso: value(GET_GSO).map(|v| v != 0),
        rx_vlan: flags.map(|f| f & RX_VLAN != 0),
        ring: ring.filter(|(_, most)| *most > 0),
    })
}

/// One question in words of 32 bits; the answer takes its place.
fn ask(socket: &OwnedFd, interface: &str, words: &mut [u32]) -> io::Result<()> {
    // SAFETY: a zeroed ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let name = interface.as_bytes();
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast::<c_void>().cast();
    // SAFETY: the kernel reads the command and writes the structure of that command, which the words are as long as.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// How the machine's clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Whether something keeps it (NTP, PTP, GNSS).
    pub kept: bool,
    /// Greatest error as the kernel estimates it, in microseconds.
    pub most_wrong_us: i64,
}

/// Asks the kernel how its clock stands (adjtimex(2)). Needs no rights.
pub fn sync() -> io::Result<Sync> {
    // SAFETY: a zeroed timex asks for everything and sets nothing.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex)
    };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let kept = state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
    Ok(Sync { kept, most_wrong_us: timex.maxerror })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_and_the_clock_answer() {
        assert!(card("lo").unwrap().gro.is_some());
        assert_eq!(card("no-such-if0").unwrap(), Card::default());
        assert_eq!(card(&"x".repeat(100)).unwrap(), Card::default());
        assert!(sync().unwrap().most_wrong_us >= 0);
    }
}
