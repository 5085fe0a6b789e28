//! A packet socket whose receive ring is shared with the kernel (AF_PACKET, TPACKET_V3): the only unsafe code of the data plane.
//!
//! Layout: `Documentation/networking/packet_mmap.rst` and `include/uapi/linux/if_packet.h` of Linux. Every offset that the kernel writes is
//! checked against the block before it is used, so a wrong one costs a frame, never memory safety.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use gwcore::Ts;

use crate::frame::LinkType;

/// Bytes of a block; a frame is never longer than one.
const BLOCK: usize = 256 << 10;
/// The kernel hands over a block that is not full after this many milliseconds.
pub(super) const RETIRE_MS: u32 = 10;
/// Room before a frame into which its VLAN tag is put back.
const TAG: usize = 4;
/// Bytes of the fixed header before each frame (`tpacket3_hdr`).
const HEADER: usize = 48;

/// An open packet socket with its ring.
pub(super) struct Socket {
    fd: OwnedFd,
    ring: NonNull<u8>,
    blocks: usize,
    /// The block that is read, or waited for.
    block: usize,
    /// Where in it the next frame stands; none while the kernel has the block.
    at: Option<Cursor>,
    /// The frame that stands first.
    head: Option<Head>,
    link: LinkType,
    promiscuous: bool,
}

// The ring belongs to this value alone; the kernel's side of it is guarded by the status word of each block.
unsafe impl Send for Socket {}

#[derive(Clone, Copy)]
struct Cursor {
    offset: usize,
    left: u32,
}

/// A frame in the block that is read.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) ts: Ts,
    pub(super) wire_len: u32,
    /// Sent by this machine.
    pub(super) outgoing: bool,
    start: usize,
    len: usize,
}

/// What the kernel counted since it was last asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kernel {
    /// Frames for this socket, with those it had no room for.
    pub(super) received: u64,
    /// Frames it had no room for.
    pub(super) dropped: u64,
}

/// State of an interface by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: i32,
    pub(super) up: bool,
}

impl Socket {
    /// Opens a socket that receives nothing yet, with `ring_bytes` of ring. Needs CAP_NET_RAW; nothing after it does.
    pub(super) fn open(ring_bytes: usize, snaplen: u32, promiscuous: bool) -> io::Result<Socket> {
        // SAFETY: plain system calls; the descriptor is owned from the moment it exists.
        let fd = unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
            check(fd)?;
            OwnedFd::from_raw_fd(fd)
        };
        set(&fd, libc::SOL_PACKET, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as i32))?;
        set(&fd, libc::SOL_PACKET, libc::PACKET_RESERVE, &(TAG as u32))?;
        // Linux 4.20; before that, frames are told apart by their packet type.
        let _ = set(&fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1i32);
        let blocks = (ring_bytes / BLOCK).max(2);
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK as u32,
            tp_block_nr: blocks as u32,
            tp_frame_size: 2048,
            tp_frame_nr: (BLOCK / 2048 * blocks) as u32,
            tp_retire_blk_tov: RETIRE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set(&fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        // SAFETY: a new mapping of the size just asked for; the address is not used when it failed.
        let ring = unsafe {
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            let p = libc::mmap(std::ptr::null_mut(), BLOCK * blocks, prot, libc::MAP_SHARED, fd.as_raw_fd(), 0);
            if p == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            NonNull::new(p.cast::<u8>()).ok_or_else(|| io::Error::other("the ring lies nowhere"))?
        };
        let socket = Socket { fd, ring, blocks, block: 0, at: None, head: None, link: LinkType::ETHERNET, promiscuous };
        socket.keep(snaplen)?;
        Ok(socket)
    }

    /// Begins to receive from an interface, or goes on with one that came back.
    pub(super) fn bind(&mut self, name: &str) -> io::Result<()> {
        let interface = self.interface(name)?;
        self.link = self.link_type(name)?;
        // SAFETY: a zeroed sockaddr_ll is a valid one.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = interface.index;
        // SAFETY: address and length belong together.
        check(unsafe {
            let len = size_of::<libc::sockaddr_ll>() as u32;
            libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), len)
        })?;
        if self.promiscuous && self.link == LinkType::ETHERNET {
            let request = libc::packet_mreq {
                mr_ifindex: interface.index,
                mr_type: libc::PACKET_MR_PROMISC as u16,
                mr_alen: 0,
                mr_address: [0; 8],
            };
            set(&self.fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)?;
        }
        Ok(())
    }

    /// How frames begin.
    pub(super) fn link(&self) -> LinkType {
        self.link
    }

    /// Keeps at most so many bytes of each frame; 0 lets no further frame in.
    pub(super) fn keep(&self, bytes: u32) -> io::Result<()> {
        // BPF_RET | BPF_K: the classic filter that accepts so many bytes.
        let mut code = [libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: bytes }];
        let program = libc::sock_fprog { len: 1, filter: code.as_mut_ptr() };
        set(&self.fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// What the kernel counted since this was last asked.
    pub(super) fn statistics(&self) -> io::Result<Kernel> {
        let mut stats = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let mut len = size_of::<libc::tpacket_stats_v3>() as u32;
        // SAFETY: the kernel writes at most `len` bytes.
        check(unsafe {
            let (level, name) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
            libc::getsockopt(self.fd.as_raw_fd(), level, name, (&raw mut stats).cast(), &raw mut len)
        })?;
        Ok(Kernel { received: u64::from(stats.tp_packets), dropped: u64::from(stats.tp_drops) })
    }

    /// The interface of a name, at this moment.
    pub(super) fn interface(&self, name: &str) -> io::Result<Interface> {
        let mut request = request(name)?;
        // SAFETY: both calls read and write the request alone.
        unsafe {
            check(libc::ioctl(self.fd.as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut request))?;
            let index = request.ifr_ifru.ifru_ifindex;
            check(libc::ioctl(self.fd.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request))?;
            let flags = i32::from(request.ifr_ifru.ifru_flags);
            let running = libc::IFF_UP | libc::IFF_RUNNING;
            Ok(Interface { index, up: flags & running == running })
        }
    }

    fn link_type(&self, name: &str) -> io::Result<LinkType> {
        let mut request = request(name)?;
        // SAFETY: the call reads and writes the request alone.
        let family = unsafe {
            check(libc::ioctl(self.fd.as_raw_fd(), libc::SIOCGIFHWADDR as _, &raw mut request))?;
            request.ifr_ifru.ifru_hwaddr.sa_family
        };
        match family {
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Ok(LinkType::ETHERNET),
            libc::ARPHRD_NONE | libc::ARPHRD_PPP => Ok(LinkType::RAW),
            libc::ARPHRD_IEEE80211_RADIOTAP => Ok(LinkType::RADIOTAP),
            n => Err(io::Error::other(format!("interfaces of hardware type {n} are not read"))),
        }
    }

    /// The frame that stands first, if there is one; it stays there until [`Socket::pass`].
    pub(super) fn head(&mut self) -> Option<Head> {
        while self.head.is_none() {
            let Some(cursor) = self.at else {
                if self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                    return None;
                }
                // `num_pkts` and `offset_to_first_pkt` of `tpacket_hdr_v1`.
                self.at = Some(Cursor { left: self.u32(12), offset: self.u32(16) as usize });
                continue;
            };
            if cursor.left == 0 || cursor.offset == 0 || cursor.offset > BLOCK - HEADER {
                self.release();
                continue;
            }
            let next = self.u32(cursor.offset) as usize;
            // The last frame of a block has no next one.
            let offset = if next == 0 { 0 } else { cursor.offset.saturating_add(next) };
            self.head = self.frame(cursor.offset);
            self.at = Some(Cursor { offset, left: cursor.left - 1 });
        }
        self.head
    }

    /// The bytes of the first frame.
    pub(super) fn data(&self, head: &Head) -> &[u8] {
        // SAFETY: `frame` checked that it lies in the block, which stays ours until `release`, for which `self` must be borrowed anew.
        unsafe { std::slice::from_raw_parts(self.base().add(head.start), head.len) }
    }

    /// The first frame is done with.
    pub(super) fn pass(&mut self) {
        self.head = None;
    }

    /// Reads the header of a frame and puts a VLAN tag back that the interface took out.
    fn frame(&mut self, at: usize) -> Option<Head> {
        let (seconds, nanos) = (self.u32(at + 4), self.u32(at + 8));
        let (mut len, mut wire_len) = (self.u32(at + 12) as usize, self.u32(at + 16));
        let status = self.u32(at + 20);
        let mut start = at.checked_add(usize::from(self.u16(at + 24)))?;
        if start < HEADER || start.checked_add(len)? > BLOCK {
            return None;
        }
        // `sll_pkttype` of the address behind the header.
        let outgoing = self.u16(at + HEADER + 10) as u8 == libc::PACKET_OUTGOING;
        // A tag of 0 is a tag: the flag says whether there was one.
        if status & libc::TP_STATUS_VLAN_VALID != 0 && len >= 12 && start >= at + HEADER + TAG {
            let told = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
            let tpid = if told { self.u16(at + 36) } else { 0x8100 };
            let tci = self.u32(at + 32) as u16;
            // SAFETY: `start - TAG` lies behind this frame's header, in room reserved for it (PACKET_RESERVE), and 12 bytes follow.
            unsafe {
                let from = self.base().add(start);
                let to = from.sub(TAG);
                std::ptr::copy(from, to, 12);
                std::ptr::copy_nonoverlapping(tpid.to_be_bytes().as_ptr(), to.add(12), 2);
                std::ptr::copy_nonoverlapping(tci.to_be_bytes().as_ptr(), to.add(14), 2);
            }
            (start, len, wire_len) = (start - TAG, len + TAG, wire_len.saturating_add(TAG as u32));
        }
        let ts = Ts::from_parts(i64::from(seconds), i64::from(nanos));
        Some(Head { ts, wire_len: wire_len.max(len as u32), outgoing, start, len })
    }

    fn release(&mut self) {
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.block = (self.block + 1) % self.blocks;
        self.at = None;
    }

    fn base(&self) -> *mut u8 {
        // SAFETY: `block` is below `blocks`, for which the ring was mapped.
        unsafe { self.ring.as_ptr().add(self.block * BLOCK) }
    }

    /// `block_status` of the block that is read.
    fn status(&self) -> &AtomicU32 {
        // SAFETY: aligned, in the mapping, and shared with the kernel, which an atomic is for.
        unsafe { AtomicU32::from_ptr(self.base().add(8).cast()) }
    }

    fn u32(&self, at: usize) -> u32 {
        if at > BLOCK - 4 {
            return 0;
        }
        // SAFETY: within the block, as just checked.
        unsafe { self.base().add(at).cast::<u32>().read_unaligned() }
    }

    fn u16(&self, at: usize) -> u16 {
        if at > BLOCK - 2 {
            return 0;
        }
        // SAFETY: within the block, as just checked.
        unsafe { self.base().add(at).cast::<u16>().read_unaligned() }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the mapping of `open`, which nobody borrows any more.
        unsafe {
            libc::munmap(self.ring.as_ptr().cast(), BLOCK * self.blocks);
        }
    }
}

/// Waits until one of the sockets has a block, at most so many milliseconds. An interface that went away wakes nobody twice: its error is
/// taken off the socket here.
pub(super) fn wait(sockets: &[&Socket], milliseconds: i32) {
    let fd = |s: &&Socket| libc::pollfd { fd: s.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut list: Vec<libc::pollfd> = sockets.iter().map(fd).collect();
    // SAFETY: pointer and length belong together.
    let n = unsafe { libc::poll(list.as_mut_ptr(), list.len() as _, milliseconds) };
    if n <= 0 {
        return;
    }
    let mut failed = false;
    for fd in list.iter().filter(|fd| fd.revents & (libc::POLLERR | libc::POLLNVAL | libc::POLLHUP) != 0) {
        let (mut error, mut len) = (0i32, 4u32);
        // SAFETY: the kernel writes at most four bytes.
        unsafe {
            libc::getsockopt(fd.fd, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &raw mut len);
        }
        failed = true;
    }
    if failed {
        std::thread::sleep(std::time::Duration::from_millis(u64::from(RETIRE_MS)));
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set<T>(fd: &OwnedFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: pointer and length belong together.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const *value).cast(), size_of::<T>() as u32) })
        .map(drop)
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: a zeroed request is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no name of an interface")));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as _;
    }
    Ok(request)
}
