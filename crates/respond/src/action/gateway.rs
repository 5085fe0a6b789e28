//! nftables on a gateway: a set with a time-out, so that the kernel itself ends a block even where this program is gone.
//!
//! Addresses are written from their parsed form; nothing of a finding's text reaches the rule language.

use std::io::Write;
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gwcore::Ts;
use gwcore::time::SECOND;

use crate::action::{Action, Effector};

/// The table that is ours alone.
const TABLE: &str = "gridwarden";
/// A gateway that does not answer within this time does not answer at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an error that are kept.
const ERROR: usize = 400;

/// A gateway, reached by a command that reads nftables rules on its standard input.
pub struct Gateway {
    command: Vec<String>,
}

impl Gateway {
    /// With the command that runs `nft`, for example `["nft"]` or `["ip", "netns", "exec", "gw", "nft"]`; `-f -` is added.
    pub fn new(command: Vec<String>) -> Gateway {
        Gateway { command }
    }

    fn run(&self, arguments: &[&str], rules: &str) -> Result<String, String> {
        let (program, rest) = self.command.split_first().ok_or("the gateway has no command")?;
        let mut child = Command::new(program)
            .args(rest)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot run `{program}`: {e}"))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(rules.as_bytes()).map_err(|e| e.to_string())?;
        }
        wait(&mut child, program)?;
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(text.chars().take(ERROR).map(|c| if c.is_control() { ' ' } else { c }).collect())
    }

    /// Packets that the gateway dropped because of this address, by its own counter; none where it is not blocked.
    pub fn dropped(&self, address: &IpAddr) -> Result<Option<u64>, String> {
        let text = self.run(&["list", "set", "inet", TABLE, set(address)], "")?;
        let shown = address.to_string();
        Ok(text.split([',', '{', '\n']).find(|e| e.split_whitespace().next() == Some(&shown)).and_then(|element| {
            let mut words = element.split_whitespace().skip_while(|w| *w != "packets");
            words.nth(1)?.parse().ok()
        }))
    }
}

/// Waits for the command; one that hangs is ended. What it prints fits into the pipes: a set of ours, or an error.
fn wait(child: &mut Child, program: &str) -> Result<(), String> {
    let began = Instant::now();
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if began.elapsed() > PATIENCE {
            // It may end just now; either way it is over.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("`{program}` did not end within {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn set(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "blocked4" } else { "blocked6" }
}

/// Table, sets and rules; adding what is there already changes nothing, and rules are written once since the chain is emptied first.
fn base() -> String {
    let mut out = format!("add table inet {TABLE}\n");
    for (set, kind) in [("blocked4", "ipv4_addr"), ("blocked6", "ipv6_addr")] {
        out += &format!("add set inet {TABLE} {set} {{ type {kind}; flags timeout; counter; }}\n");
    }
    for (chain, hook) in [("forward", "forward"), ("input", "input")] {
        out += &format!("add chain inet {TABLE} {chain} {{ type filter hook {hook} priority -10; policy accept; }}\n");
        out += &format!("flush chain inet {TABLE} {chain}\n");
        for (family, set) in [("ip", "blocked4"), ("ip6", "blocked6")] {
            for side in ["saddr", "daddr"] {
                out += &format!("add rule inet {TABLE} {chain} {family} {side} @{set} drop\n");
            }
        }
    }
    out
}

impl Effector for Gateway {
    fn apply(&mut self, action: &Action, now: Ts) -> Result<String, String> {
        let seconds = action.expires.since(now) / SECOND;
        if seconds < 1 {
            return Err("its time is over already".to_owned());
        }
        let set = set(&action.address);
        // An element that is there keeps its old time-out: it is deleted first, which fails where there is none, so in a call of its own.
        let _ = self.run(&["-f", "-"], &format!("delete element inet {TABLE} {set} {{ {} }}\n", action.address));
        self.run(
            &["-f", "-"],
            &format!("{}add element inet {TABLE} {set} {{ {} timeout {seconds}s }}\n", base(), action.address),
        )?;
        Ok(format!("{} is dropped for {seconds} s", action.address))
    }

    fn undo(&mut self, action: &Action) -> Result<String, String> {
        let set = set(&action.address);
        match self.run(&["-f", "-"], &format!("delete element inet {TABLE} {set} {{ {} }}\n", action.address)) {
            Ok(_) => Ok(format!("{} passes again", action.address)),
            // The kernel's own time-out came first, or the table is gone: then nothing is blocked, which is what was wanted.
            Err(e) if e.contains("No such file") => Ok(format!("{} passes already", action.address)),
            Err(e) => Err(e),
        }
    }
}
