//! Live capture against a veth pair in a network namespace of the test's own (`unshare`; root, or user namespaces where they are allowed).
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use capture::live::{Event, Live, LiveOptions};

/// Runs an ignored test of this file in a new network namespace.
#[track_caller]
fn in_namespace(test: &str) {
    let exe = std::env::current_exe().unwrap();
    // SAFETY: asks for a number.
    let root = unsafe { libc::geteuid() } == 0;
    let flags = if root { "-n" } else { "-rn" };
    let line = ["--exact", test, "--ignored", "--nocapture", "--test-threads=1"];
    let run = Command::new("unshare").arg(flags).arg(exe).args(line).output();
    let out = run.expect("`unshare` of util-linux");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("1 passed"), "{test}: {text}");
}

fn ip(line: &str) {
    let out = Command::new("ip").args(line.split(' ')).output().expect("`ip` of iproute2");
    assert!(out.status.success(), "ip {line}: {}", String::from_utf8_lossy(&out.stderr));
}

fn pair() {
    ip("link add tap0 type veth peer name feed0");
    for name in ["tap0", "feed0"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1").unwrap();
        ip(&format!("link set {name} up"));
    }
}

/// Sends frames out of an interface.
struct Sender(OwnedFd);

impl Sender {
    fn new(name: &str) -> Sender {
        // SAFETY: plain system calls with values of their own.
        unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            let fd = OwnedFd::from_raw_fd(fd);
            let name = std::ffi::CString::new(name).unwrap();
            let mut to: libc::sockaddr_ll = std::mem::zeroed();
            (to.sll_family, to.sll_ifindex) = (libc::AF_PACKET as u16, libc::if_nametoindex(name.as_ptr()) as i32);
            let len = size_of::<libc::sockaddr_ll>() as u32;
            assert_eq!(libc::bind(fd.as_raw_fd(), (&raw const to).cast(), len), 0);
            Sender(fd)
        }
    }

    fn send(&self, frame: &[u8]) {
        // SAFETY: pointer and length belong together.
        let n = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(n, frame.len() as isize, "{}", std::io::Error::last_os_error());
    }
}

/// A frame for somebody else, of an EtherType that nobody answers.
fn frame(n: u32, tag: Option<u16>) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1];
    if let Some(tci) = tag {
        f.extend([0x81, 0x00]);
        f.extend(tci.to_be_bytes());
    }
    f.extend([0x88, 0xb5]);
    f.extend(n.to_be_bytes());
    f.extend([0x5a; 42]);
    f
}

/// Reads until `want` frames came, or five seconds passed.
fn read(live: &mut Live, want: usize) -> Vec<Vec<u8>> {
    let (mut all, until) = (Vec::new(), Instant::now() + Duration::from_secs(5));
    while all.len() < want && Instant::now() < until {
        if let Some(Event::Frame(f, _)) = live.next() {
            all.push(f.data.to_vec());
        }
    }
    all
}

/// Ends it; what was given after that.
fn drain(live: &mut Live) -> u64 {
    live.end();
    let mut frames = 0;
    while let Some(event) = live.next() {
        frames += u64::from(matches!(event, Event::Frame(..)));
    }
    frames
}

fn open() -> Live {
    Live::open(&["tap0".into()], &LiveOptions { ring_bytes: 4 << 20, ..LiveOptions::default() }).unwrap()
}

#[test]
fn frames_come_whole_with_their_tags_and_without_our_own() {
    in_namespace("inner_frames");
}

#[test]
#[ignore = "run in a namespace by the test above"]
fn inner_frames() {
    pair();
    let mut live = open();
    let (feed, own) = (Sender::new("feed0"), Sender::new("tap0"));
    let sent = [frame(1, None), frame(2, Some(0)), frame(3, Some(0x6005))];
    own.send(&frame(99, None));
    sent.iter().for_each(|f| feed.send(f));
    assert_eq!(read(&mut live, 3), sent);
    assert_eq!(drain(&mut live), 0);
    let t = live.totals();
    assert_eq!((t.given, t.dropped, t.received), (3, 0, 3 + t.own));
}

#[test]
fn every_frame_is_given_or_counted_as_dropped() {
    in_namespace("inner_drops");
}

#[test]
#[ignore = "run in a namespace by the test above"]
fn inner_drops() {
    pair();
    // Two blocks of ring, which nobody reads while many more are sent.
    let mut live = Live::open(&["tap0".into()], &LiveOptions { ring_bytes: 1, ..LiveOptions::default() }).unwrap();
    let feed = Sender::new("feed0");
    (0..20_000).for_each(|n| feed.send(&frame(n, None)));
    std::thread::sleep(Duration::from_millis(100));
    drain(&mut live);
    let t = live.totals();
    assert!(t.dropped > 1_000 && t.given > 1_000, "{t:?}");
    assert_eq!((t.received, t.given + t.dropped), (20_000, 20_000), "{t:?}");
}

#[test]
fn an_interface_that_vanished_and_returns_is_read_again() {
    in_namespace("inner_reopen");
}

#[test]
#[ignore = "run in a namespace by the test above"]
fn inner_reopen() {
    pair();
    let mut live = open();
    Sender::new("feed0").send(&frame(1, None));
    assert_eq!(read(&mut live, 1), [frame(1, None)]);
    ip("link del tap0");
    let (mut down, until) = (false, Instant::now() + Duration::from_secs(5));
    while !down && Instant::now() < until {
        if let Some(Event::Second(s)) = live.next() {
            down = !s.up;
        }
    }
    assert!(down, "its absence is told");
    pair();
    let (mut up, until) = (false, Instant::now() + Duration::from_secs(5));
    while !up && Instant::now() < until {
        if let Some(Event::Second(s)) = live.next() {
            up = s.up;
        }
    }
    assert!(up, "its return is told");
    Sender::new("feed0").send(&frame(2, None));
    assert_eq!(read(&mut live, 1), [frame(2, None)]);
    assert_eq!(live.totals().reopened, 1);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let e = Live::open(&["nosuch0".into()], &LiveOptions::default()).err().unwrap();
    assert!(e.to_string().contains("nosuch0"), "{e}");
}
