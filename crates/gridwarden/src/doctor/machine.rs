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
        Some(set) if set >> 13 & 1 == 1 => Check::good("rights", "packet capture is allowed (CAP_NET_RAW)"),
        Some(_) => Check::error(
            "rights",
            "packet capture is not allowed: CAP_NET_RAW is missing",
            "`gridwarden run -i` cannot open interfaces; capture files can still be analysed",
            "use the service (`systemctl start gridwarden`), run as root, or: sudo setcap cap_net_raw+ep \"$(command -v gridwarden)\"",
        ),
        None => Check::not("rights", "/proc/self/status does not report it"),
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
        0 => Check::error(
            "interfaces",
            "none except the loopback",
            "no network can be monitored live",
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
        all.push(Check::error(
            format!("interface {name}"),
            "does not exist",
            "nothing can be monitored there",
            "list the interfaces with: ip link",
        ));
        return all;
    };
    let has_link = read(name, "carrier").as_deref() == Some("1");
    all.push(if has_link {
        Check::good(format!("interface {name}"), format!("is up ({state})"))
    } else {
        Check::error(
            format!("interface {name}"),
            format!("has no link ({state})"),
            "no traffic arrives",
            format!("sudo ip link set {name} up; check the cable"),
        )
    });
    let card = machine::card(name).unwrap_or_default();
    let on: Vec<&str> =
        [("gro", card.gro), ("lro", card.lro)].into_iter().filter(|(_, v)| *v == Some(true)).map(|(n, _)| n).collect();
    all.push(match (on.is_empty(), card.gro.or(card.lro)) {
        (_, None) => Check::not(of("receive offload"), "the driver does not report it"),
        (true, _) => Check::good(of("receive offload"), "off (GRO, LRO)"),
        (false, _) => Check::warning(
            of("receive offload"),
            format!("on: {}", on.join(", ")),
            "segments arrive merged into large packets: order and timing of single packets are lost",
            format!("sudo ethtool -K {name} gro off lro off"),
        ),
    });
    let cut: Vec<&str> =
        [("tso", card.tso), ("gso", card.gso)].into_iter().filter(|(_, v)| *v == Some(true)).map(|(n, _)| n).collect();
    if !cut.is_empty() {
        all.push(Check::good(
            of("send offload"),
            format!("{} on; affects only traffic that this machine sends", cut.join(", ")),
        ));
    }
    all.push(match card.ring {
        Some((now, most)) if now < most => Check::warning(
            of("receive ring"),
            format!("{now} of {most} entries"),
            "short bursts may be lost in the network card before the kernel sees them",
            format!("sudo ethtool -G {name} rx {most}"),
        ),
        Some((now, _)) => Check::good(of("receive ring"), format!("{now} entries, the maximum")),
        None => Check::not(of("receive ring"), "the driver does not report it"),
    });
    let mtu = read(name, "mtu").and_then(|t| t.parse().ok());
    let sent = || read(name, "statistics/tx_packets").and_then(|t| t.parse::<u64>().ok());
    let missed = || read(name, "statistics/rx_missed_errors").and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    let (sent_before, missed_before) = (sent(), missed());
    match watch(name, ring_mb, seconds, mtu) {
        Ok((seen, totals, promiscuous)) => {
            all.push(if promiscuous {
                Check::good(of("promiscuous mode"), "on during capture")
            } else {
                Check::error(
                    of("promiscuous mode"),
                    "could not be turned on",
                    "only packets addressed to this machine arrive",
                    format!("sudo ip link set {name} promisc on; on a virtual machine, allow it in the hypervisor's port group"),
                )
            });
            all.extend(seen.checks(name));
            let lost = totals.dropped + missed().saturating_sub(missed_before);
            all.push(if lost > 0 {
                Check::error(
                    of("packet loss"),
                    format!("{lost} of {} packets in {seconds} s", totals.received),
                    "lost packets were not analysed",
                    "increase the kernel buffer (--ring MB) or the number of threads (-j), or mirror less (--filter)",
                )
            } else {
                Check::good(of("packet loss"), format!("none of {} packets in {seconds} s", totals.received))
            });
            let sent = sent().zip(sent_before).map(|(now, before)| now.saturating_sub(before));
            all.push(match sent {
                Some(0) => Check::good(of("own traffic"), "none: this machine sends nothing there"),
                Some(n) => Check::warning(
                    of("own traffic"),
                    format!("this machine sent {n} packets in {seconds} s"),
                    "a capture port should be silent: the sensor must not be visible to the monitored network",
                    format!("remove its addresses: sudo ip addr flush dev {name}; sudo sysctl -w net.ipv6.conf.{name}.disable_ipv6=1"),
                ),
                None => Check::not(of("own traffic"), "the driver does not count sent packets"),
            });
        }
        Err(e) => all.push(Check::error(
            of("capture"),
            format!("failed: {e:#}"),
            "nothing can be monitored there",
            "see `rights`; the kernel buffer needs --ring MB of memory",
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
            Check::good("clock", format!("synchronised, maximum error {:.0} ms", s.most_wrong_us as f64 / 1e3))
        }
        Ok(s) => {
            let found = if s.kept {
                format!("synchronised, but the error may be {:.0} ms", s.most_wrong_us as f64 / 1e3)
            } else {
                "not synchronised (no NTP, PTP or GNSS)".to_owned()
            };
            Check::warning(
                "clock",
                found,
                "timestamps of findings cannot be compared with those of relays, RTUs and other sensors",
                "sudo timedatectl set-ntp true, with the site's time server in /etc/systemd/timesyncd.conf or chrony.conf",
            )
        }
        Err(e) => Check::not("clock", format!("the kernel does not report it: {e}")),
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
        Check::error(
            "disk space",
            room,
            "packets and records are deleted early to keep the disk from filling up",
            "use a larger disk (--data), or keep less: --packets MB, --keep-days DAYS",
        )
    } else {
        Check::good("disk space", room)
    });
    if let Some(rate) = rate.filter(|r| *r > 0.0) {
        let ring = crate::upkeep::ring_bytes(None, &place) as f64;
        let days = ring / rate / 86_400.0;
        let found = format!("{days:.1} days of packets at {:.0} kB/s", rate / 1e3);
        all.push(if days < 1.0 {
            Check::warning(
                "packet retention",
                found,
                "the packets of a finding may be gone before anybody looks; records and findings are kept longer",
                "use a larger disk, or a filter such as --filter 'not port 445'",
            )
        } else {
            Check::good("packet retention", found)
        });
    }
    all.push(match write_speed(&place) {
        Ok(speed) if speed < SLOW => Check::warning(
            "disk speed",
            format!("{:.0} MB/s", speed / 1e6),
            "packets may not be stored under load",
            "use a faster disk for --data; an SD card is too slow",
        ),
        Ok(speed) => Check::good("disk speed", format!("{:.0} MB/s, written and synced", speed / 1e6)),
        Err(e) => Check::error(
            "disk speed",
            format!("cannot write below `{}`: {e}", place.display()),
            "nothing can be stored",
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
        (None, _) => Check::not("memory", "/proc/meminfo does not report it"),
        (Some(free), limit) => {
            let most = limit.map_or(free, |l| l.min(free));
            let found = format!("{:.1} GB available", most as f64 / 1e9);
            if most < NEEDED {
                Check::warning(
                    "memory",
                    found,
                    "under full load the platform may need 1 GB; the kernel would kill it",
                    "add memory, or limit searches (--memory MB) and the kernel buffer (--ring MB)",
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
        Err(e) => Check::error(
            "console port",
            format!("{address}: {e}"),
            "the console cannot start",
            format!("choose another with --listen, or find out who uses it: ss -ltnp 'sport = :{}'", address.port()),
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
        return vec![Check::not("stored data", format!("`{}` does not exist yet", data.display()))];
    }
    let mut all = Vec::new();
    let state = data.join("state.sqlite");
    if state.is_file() {
        let looked = || -> anyhow::Result<String> {
            let db = state::Db::open(&state)?;
            db.read(|c| Ok(c.query_row("PRAGMA quick_check", [], |r| r.get::<_, String>(0))?)).context("quick_check")
        };
        all.push(match looked() {
            Ok(said) if said == "ok" => Check::good("state", "intact (findings, devices, users)"),
            Ok(said) => Check::error(
                "state",
                said,
                "findings or decisions may be lost",
                "stop the service and restore the last backup: gridwarden restore FILE",
            ),
            Err(e) => Check::error(
                "state",
                format!("{e:#}"),
                "the platform cannot start",
                "use the version that wrote it, or restore a backup: gridwarden restore FILE",
            ),
        });
    }
    if data.join("ledger").is_dir() {
        all.push(match ledger::verify(&data.join("ledger")) {
            Ok(report) => match report.broken {
                None => Check::good("ledger", format!("no alteration in {} entries", report.entries)),
                Some(b) => Check::error(
                    "ledger",
                    format!("the chain breaks at {}, line {}: {}", b.file, b.line, b.what),
                    "actions since then cannot be proved",
                    "keep the folder as evidence and start a new ledger: mv ledger ledger.broken",
                ),
            },
            Err(e) => Check::error("ledger", e.to_string(), "it cannot be read", "check the permissions of the folder"),
        });
    }
    if data.join("lake").is_dir() {
        all.push(match lake::unreadable(&data.join("lake"), LOOKED_AT) {
            Ok((looked, bad)) if bad.is_empty() => {
                Check::good("records", format!("the newest {looked} files are intact"))
            }
            Ok((looked, bad)) => Check::error(
                "records",
                format!("{} of the newest {looked} files cannot be read; first: lake/{}", bad.len(), bad[0]),
                "their records are missing from searches and reports",
                "move them elsewhere so that the others can be searched, and check the disk: smartctl -a",
            ),
            Err(e) => {
                Check::error("records", e.to_string(), "they cannot be read", "check the permissions of the folder")
            }
        });
    }
    all
}
