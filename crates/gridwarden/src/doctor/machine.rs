//! What the machine is asked about: rights, cards, clock, disk, memory, ports, stored data.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use capture::live::{Event, Live, LiveOptions, machine};

use super::Check;
use super::observe::Observed;
use crate::upkeep::Disk;

/// Bytes written to see how fast the disk takes them.
const TRIAL: usize = 32 << 20;
/// Bytes that the disk should take a second at least.
const SLOW: f64 = 20e6;
/// Memory that sensor and centre may come to need together under load, in bytes.
const NEEDED: u64 = 1 << 30;
/// Greatest error of the clock that is still well, in microseconds.
const WRONG_US: i64 = 500_000;
/// Files of the lake whose footer is looked at: the newest.
const LOOKED_AT: usize = 500;

/// Whether this process may capture.
pub fn rights() -> Check {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|l| l.strip_prefix("CapEff:")).map(str::trim);
    match effective.and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
        // CAP_NET_RAW is bit 13 (linux/capability.h).
        Some(set) if set >> 13 & 1 == 1 => Check::good("rights", "may capture (CAP_NET_RAW)"),
        Some(_) => Check::bad(
            "rights",
            "may not capture: CAP_NET_RAW is missing",
            "`gridwarden run -i` cannot open interfaces; captures can be analysed all the same",
            "run it as the service (`systemctl start gridwarden`), as root, or: sudo setcap cap_net_raw+ep \"$(command -v gridwarden)\"",
        ),
        None => Check::not("rights", "/proc/self/status does not say"),
    }
}

/// Interfaces that could be watched, where none is named.
pub fn interfaces() -> Check {
    let mut up = Vec::new();
    for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "lo" {
            let state = read(&name, "operstate").unwrap_or_default();
            let packets = read(&name, "statistics/rx_packets").unwrap_or_default();
            up.push(format!("{name} ({state}, {packets} packets received)"));
        }
    }
    up.sort();
    match up.len() {
        0 => Check::bad(
            "interfaces",
            "there is none but the loopback",
            "no network can be watched live",
            "add a network card, or replay captures: gridwarden run --replay FILE",
        ),
        _ => Check::good("interfaces", up.join(", ")),
    }
}

fn read(interface: &str, what: &str) -> Option<String> {
    fs::read_to_string(Path::new("/sys/class/net").join(interface).join(what)).ok().map(|t| t.trim().to_owned())
}

/// An interface: its state, its card, and what comes in for a while.
pub fn interface(name: &str, ring_mb: usize, seconds: u64) -> Vec<Check> {
    let mut all = Vec::new();
    let of = |what: &str| format!("{what} of {name}");
    let Some(state) = read(name, "operstate") else {
        all.push(Check::bad(
            format!("interface {name}"),
            "is not there",
            "nothing can be watched on it",
            "see the names with: ip link",
        ));
        return all;
    };
    let has_link = read(name, "carrier").as_deref() == Some("1");
    all.push(if has_link {
        Check::good(format!("interface {name}"), format!("is up ({state})"))
    } else {
        Check::bad(
            format!("interface {name}"),
            format!("has no link ({state})"),
            "nothing arrives on it",
            format!("sudo ip link set {name} up; check the cable"),
        )
    });
    let card = machine::card(name).unwrap_or_default();
    let on: Vec<&str> =
        [("gro", card.gro), ("lro", card.lro)].into_iter().filter(|(_, v)| *v == Some(true)).map(|(n, _)| n).collect();
    all.push(match (on.is_empty(), card.gro.or(card.lro)) {
        (_, None) => Check::not(of("merging"), "the driver does not say"),
        (true, _) => Check::good(of("merging"), "off (GRO, LRO)"),
        (false, _) => Check::notice(
            of("merging"),
            format!("on: {}", on.join(", ")),
            "segments of a conversation arrive as one long packet: order and times of single packets are lost",
            format!("sudo ethtool -K {name} gro off lro off"),
        ),
    });
    let cut: Vec<&str> =
        [("tso", card.tso), ("gso", card.gso)].into_iter().filter(|(_, v)| *v == Some(true)).map(|(n, _)| n).collect();
    if !cut.is_empty() {
        all.push(Check::good(
            of("cutting"),
            format!("{} on: matters only for what this machine sends itself", cut.join(", ")),
        ));
    }
    all.push(match card.ring {
        Some((now, most)) if now < most => Check::notice(
            of("receive ring"),
            format!("{now} of {most} places"),
            "short bursts may be lost in the card before the kernel sees them",
            format!("sudo ethtool -G {name} rx {most}"),
        ),
        Some((now, _)) => Check::good(of("receive ring"), format!("{now} places, the most the card has")),
        None => Check::not(of("receive ring"), "the driver does not say"),
    });
    let mtu = read(name, "mtu").and_then(|t| t.parse().ok());
    let sent = || read(name, "statistics/tx_packets").and_then(|t| t.parse::<u64>().ok());
    let missed = || read(name, "statistics/rx_missed_errors").and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    let (sent_before, missed_before) = (sent(), missed());
    match watch(name, ring_mb, seconds, mtu) {
        Ok((seen, totals, promiscuous)) => {
            all.push(if promiscuous {
                Check::good(of("promiscuous mode"), "on while it is watched")
            } else {
                Check::bad(
                    of("promiscuous mode"),
                    "the kernel did not switch it on",
                    "only packets to this machine arrive",
                    format!("sudo ip link set {name} promisc on; on a virtual machine allow it in the hypervisor's port group"),
                )
            });
            all.extend(seen.checks(name));
            let lost = totals.dropped + missed().saturating_sub(missed_before);
            all.push(if lost > 0 {
                Check::bad(
                    of("losses"),
                    format!("{lost} packets of {} in {seconds} s", totals.received),
                    "what was lost was not judged",
                    "give the kernel's buffer more room (--ring MB), the platform more threads (-j), or mirror less (--filter)",
                )
            } else {
                Check::good(of("losses"), format!("none of {} packets in {seconds} s", totals.received))
            });
            let sent = sent().zip(sent_before).map(|(now, before)| now.saturating_sub(before));
            all.push(match sent {
                Some(0) => Check::good(of("own traffic"), "this machine sends nothing there"),
                Some(n) => Check::notice(
                    of("own traffic"),
                    format!("this machine sent {n} packets on it in {seconds} s"),
                    "a capture port should stay silent: the network under watch must not see the sensor",
                    format!("take addresses and services off it: sudo ip addr flush dev {name}; sudo sysctl -w net.ipv6.conf.{name}.disable_ipv6=1"),
                ),
                None => Check::not(of("own traffic"), "the driver does not count"),
            });
        }
        Err(e) => all.push(Check::bad(
            of("capture"),
            format!("cannot be opened: {e:#}"),
            "nothing can be watched on it",
            "see `rights`; the kernel's buffer needs memory for --ring MB",
        )),
    }
    all
}

/// Watches for a while.
fn watch(
    name: &str,
    ring_mb: usize,
    seconds: u64,
    mtu: Option<u32>,
) -> anyhow::Result<(Observed, capture::live::Totals, bool)> {
    let options = LiveOptions { ring_bytes: ring_mb << 20, ..LiveOptions::default() };
    let mut live = Live::open(&[name.to_owned()], &options)?;
    // IFF_PROMISC of linux/if.h.
    let flags = read(name, "flags").and_then(|t| u32::from_str_radix(t.trim_start_matches("0x"), 16).ok());
    let mut seen = Observed::new(mtu);
    let began = Instant::now();
    while let Some(event) = live.next() {
        if let Event::Frame(frame, _) = event {
            seen.see(&frame);
        }
        if began.elapsed() >= Duration::from_secs(seconds) {
            live.end();
        }
    }
    Ok((seen, live.totals(), flags.is_some_and(|f| f & 0x100 != 0)))
}

/// Whether the machine's clock is kept.
pub fn clock() -> Check {
    match machine::sync() {
        Ok(s) if s.kept && s.most_wrong_us <= WRONG_US => {
            Check::good("clock", format!("kept, wrong by {:.0} ms at most", s.most_wrong_us as f64 / 1e3))
        }
        Ok(s) => {
            let found = if s.kept {
                format!("kept, but wrong by up to {:.0} ms", s.most_wrong_us as f64 / 1e3)
            } else {
                "kept by nothing (NTP, PTP or GNSS)".to_owned()
            };
            Check::notice(
                "clock",
                found,
                "times of findings cannot be set beside those of relays, RTUs and other sensors",
                "sudo timedatectl set-ntp true, with a time server of the plant in /etc/systemd/timesyncd.conf or chrony.conf",
            )
        }
        Err(e) => Check::not("clock", format!("the kernel does not say: {e}")),
    }
}

/// Room and speed of the disk; `rate` is the bytes a second that come in, where that is known.
pub fn disk(data: &Path, rate: Option<f64>) -> Vec<Check> {
    let place = existing(data);
    let mut all = Vec::new();
    let disk = match Disk::of(&place) {
        Ok(disk) => disk,
        Err(e) => return vec![Check::not("disk", format!("{e:#}"))],
    };
    let (free, total) = (disk.free as f64 / 1e9, disk.total as f64 / 1e9);
    let room = format!("{free:.1} of {total:.1} GB free below `{}`", place.display());
    all.push(if disk.free < disk.total / 20 || disk.free < 1 << 30 {
        Check::bad(
            "disk room",
            room,
            "packets and records are deleted early to keep the disk from filling",
            "name a larger disk with --data, or keep less: --packets MB, --keep-days DAYS",
        )
    } else {
        Check::good("disk room", room)
    });
    if let Some(rate) = rate.filter(|r| *r > 0.0) {
        let ring = crate::upkeep::ring_bytes(None, &place) as f64;
        let days = ring / rate / 86_400.0;
        let found = format!("{days:.1} days of packets at {:.0} kB/s", rate / 1e3);
        all.push(if days < 1.0 {
            Check::notice(
                "disk days",
                found,
                "the packets of a finding may be gone before somebody looks; records and findings stay longer",
                "a larger disk, or a filter: --filter 'not port 445'",
            )
        } else {
            Check::good("disk days", found)
        });
    }
    all.push(match write_speed(&place) {
        Ok(speed) if speed < SLOW => Check::notice(
            "disk speed",
            format!("{:.0} MB/s", speed / 1e6),
            "under load packets may not be stored",
            "a faster disk for --data; an SD card is too slow",
        ),
        Ok(speed) => Check::good("disk speed", format!("{:.0} MB/s written and synced", speed / 1e6)),
        Err(e) => Check::bad(
            "disk speed",
            format!("cannot write below `{}`: {e}", place.display()),
            "nothing can be kept",
            format!("sudo chown -R gridwarden: {}", data.display()),
        ),
    });
    all
}

/// The folder itself, or the nearest one above it that is there.
fn existing(data: &Path) -> std::path::PathBuf {
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    absolute.ancestors().find(|p| p.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn write_speed(folder: &Path) -> std::io::Result<f64> {
    let path = folder.join(format!(".gridwarden-doctor-{}", std::process::id()));
    let trial = || -> std::io::Result<f64> {
        let block = vec![0xa5; 1 << 20];
        let mut file = File::create(&path)?;
        let began = Instant::now();
        for _ in 0..TRIAL / block.len() {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        Ok(TRIAL as f64 / began.elapsed().as_secs_f64().max(1e-6))
    };
    let speed = trial();
    let _ = fs::remove_file(&path);
    speed
}

/// Whether the memory suffices.
pub fn memory() -> Check {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kb = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb << 10)
    };
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|t| t.trim().parse::<u64>().ok());
    match (kb("MemAvailable:"), limit) {
        (None, _) => Check::not("memory", "/proc/meminfo does not say"),
        (Some(free), limit) => {
            let most = limit.map_or(free, |l| l.min(free));
            let found = format!("{:.1} GB can be used", most as f64 / 1e9);
            if most < NEEDED {
                Check::notice(
                    "memory",
                    found,
                    "under full load sensor, centre and searches may need 1 GB together; the kernel would end them",
                    "more memory, or smaller searches (--memory MB) and a smaller kernel buffer (--ring MB)",
                )
            } else {
                Check::good("memory", found)
            }
        }
    }
}

/// Whether the console can listen, or does.
pub fn port(address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::good("console port", format!("{address} is free")),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && is_ours(address) => {
            Check::good("console port", format!("the console answers at {address}"))
        }
        Err(e) => Check::bad(
            "console port",
            format!("{address}: {e}"),
            "the console cannot start",
            format!("name another with --listen, or see who has it: ss -ltnp 'sport = :{}'", address.port()),
        ),
    }
}

fn is_ours(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut to = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        to.set_read_timeout(Some(Duration::from_secs(2)))?;
        to.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        to.take(4_096).read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"))
    };
    ask().unwrap_or(false)
}

/// Whether state, ledger and lake are whole.
pub fn stored(data: &Path) -> Vec<Check> {
    if !data.is_dir() {
        return vec![Check::not("stored data", format!("there is no `{}` yet", data.display()))];
    }
    let mut all = Vec::new();
    let state = data.join("state.sqlite");
    if state.is_file() {
        let looked = || -> anyhow::Result<String> {
            let db = state::Db::open(&state)?;
            db.read(|c| Ok(c.query_row("PRAGMA quick_check", [], |r| r.get::<_, String>(0))?)).context("quick_check")
        };
        all.push(match looked() {
            Ok(said) if said == "ok" => Check::good("state", "whole (findings, devices, users)"),
            Ok(said) => Check::bad(
                "state",
                said,
                "findings or decisions may be lost",
                "stop the service and put back the last backup: gridwarden restore FILE",
            ),
            Err(e) => Check::bad(
                "state",
                format!("{e:#}"),
                "the platform cannot start over it",
                "use the version that wrote it, or put back a backup: gridwarden restore FILE",
            ),
        });
    }
    if data.join("ledger").is_dir() {
        all.push(match ledger::verify(&data.join("ledger")) {
            Ok(report) => match report.broken {
                None => Check::good("ledger", format!("no alteration in {} entries", report.entries)),
                Some(b) => Check::bad(
                    "ledger",
                    format!("the chain breaks at {}, line {}: {}", b.file, b.line, b.what),
                    "what was done since then cannot be proved",
                    "keep the folder as it is, and begin a new one: mv ledger ledger.broken",
                ),
            },
            Err(e) => Check::bad("ledger", e.to_string(), "it cannot be read", "check the rights of the folder"),
        });
    }
    if data.join("lake").is_dir() {
        all.push(match lake::unreadable(&data.join("lake"), LOOKED_AT) {
            Ok((looked, bad)) if bad.is_empty() => {
                Check::good("records", format!("the newest {looked} files are whole"))
            }
            Ok((looked, bad)) => Check::bad(
                "records",
                format!("{} of the newest {looked} files cannot be read, the first is lake/{}", bad.len(), bad[0]),
                "their rows are missing from searches and reports",
                "move them away to search the others, and check the disk: smartctl -a",
            ),
            Err(e) => Check::bad("records", e.to_string(), "they cannot be read", "check the rights of the folder"),
        });
    }
    all
}
