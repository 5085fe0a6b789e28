//! What the sensor gives up once its descriptors are open: capabilities, new files, new sockets, other programs.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// How far the sensor was confined; what the kernel does not have is named.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Confined {
    /// Capabilities that are left.
    pub capabilities: &'static str,
    /// Landlock: `full`, `partly` or why not.
    pub files: String,
    /// seccomp: `on` or why not.
    pub calls: String,
}

/// Gives up everything that reading, storing and telling does not need. `writable` are the folders that stay open for writing.
///
/// Called before the threads that do the work are made, so that these inherit it.
pub fn confine(readable: &[&Path], writable: &[&Path]) -> Confined {
    let files = landlock(readable, writable).unwrap_or_else(|e| format!("not there: {e}"));
    let capabilities = if drop_capabilities() { "none" } else { "unchanged" };
    let calls = seccomp().map_or_else(|e| format!("not there: {e}"), |()| "on".to_owned());
    Confined { capabilities, files, calls }
}

/// Drops all capabilities, and with `no_new_privs` any way to get them again.
fn drop_capabilities() -> bool {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_no_new_privs(true).is_ok() && rustix::thread::set_capabilities(None, sets).is_ok()
}

fn landlock(readable: &[&Path], writable: &[&Path]) -> Result<String, landlock::RulesetError> {
    let abi = ABI::V6;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    for path in readable {
        if let Ok(fd) = PathFd::new(path) {
            let read = if path.is_dir() { AccessFs::from_read(abi) } else { AccessFs::ReadFile.into() };
            rules = rules.add_rule(PathBeneath::new(fd, read))?;
        }
    }
    for path in writable {
        if let Ok(fd) = PathFd::new(path) {
            let most = AccessFs::from_all(abi)
                & !(AccessFs::Execute | AccessFs::MakeSock | AccessFs::MakeChar | AccessFs::MakeBlock);
            rules = rules.add_rule(PathBeneath::new(fd, most))?;
        }
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => "full".into(),
        RulesetStatus::PartiallyEnforced => "partly: the kernel is older than the rules".into(),
        RulesetStatus::NotEnforced => "not there: the kernel has no Landlock".into(),
    })
}

/// Calls that the sensor never makes after its start; each is refused with EPERM.
const REFUSED: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_open_by_handle_at,
    libc::SYS_memfd_create,
];

fn seccomp() -> anyhow::Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// Tries what a confined sensor must not be able to do; each try with what came of it, for the show.
pub fn try_out() -> Vec<(&'static str, String)> {
    let said = |r: std::io::Result<()>| r.map_or_else(|e| format!("refused: {e}"), |()| "ALLOWED".to_owned());
    vec![
        ("read /etc/passwd", said(std::fs::read("/etc/passwd").map(drop))),
        ("write /tmp/x", said(std::fs::write("/tmp/gridwarden-escape", "x"))),
        ("open a TCP socket", said(std::net::TcpStream::connect("127.0.0.1:9").map(drop))),
        ("open a UDP socket", said(std::net::UdpSocket::bind("127.0.0.1:0").map(drop))),
        ("open a Unix socket", said(std::os::unix::net::UnixDatagram::unbound().map(drop))),
        ("run a program", said(std::process::Command::new("/bin/true").status().map(drop))),
    ]
}
