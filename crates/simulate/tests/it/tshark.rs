//! tshark as a second reader of half an hour; where it is not installed the test says so.

use std::io::BufWriter;
use std::path::Path;
use std::process::Command;

use simulate::{Attack, Options, Role, Trap, substation};

/// What tshark prints for these arguments.
fn tshark(pcap: &Path, arguments: &[&str]) -> String {
    let checks = ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"].map(|name| format!("{name}:TRUE"));
    let mut command = Command::new("tshark");
    command.arg("-r").arg(pcap).args(checks.iter().flat_map(|check| ["-o", check]));
    let out = command.args(arguments).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn tshark_finds_no_fault_in_half_an_hour() {
    if Command::new("tshark").arg("--version").output().is_err() {
        // The test's own report of what it could not do.
        #[allow(clippy::print_stdout)]
        {
            println!("not checked: tshark is not installed");
        }
        return;
    }
    // Severity 0x600000 is a warning, 0x800000 an error; a scan is resets, of which tshark warns.
    let options = |seed| Options { seed, minutes: 30, ..Options::default() };
    check(options(3), "_ws.malformed || tcp.analysis.flags || _ws.expert.severity >= 0x600000");
    for (seed, actor) in (4..).zip(Role::ALL) {
        let attacks = Attack::by(actor);
        check(
            Options { attacks, actor, ..options(seed) },
            "_ws.malformed || (tcp.analysis.flags && !tcp.analysis.reused_ports) || _ws.expert.severity >= 0x800000",
        );
    }
    // A lost line is retransmissions and unanswered attempts.
    let traps = Trap::ALL.to_vec();
    check(
        Options { traps, minutes: 90, ..options(7) },
        "_ws.malformed || tcp.analysis.lost_segment || _ws.expert.severity >= 0x800000",
    );
}

/// No frame matches `faults`, and every protocol of the substation is recognised.
fn check(options: Options, faults: &str) {
    let seed = options.seed;
    let path = std::env::temp_dir().join(format!("gridwarden-simulate-{}-{seed}.pcap", std::process::id()));
    let file = BufWriter::new(std::fs::File::create(&path).unwrap());
    substation(&options).write(file, std::io::sink(), std::io::sink()).unwrap();
    let found = tshark(&path, &["-Y", faults]);
    let sums = tshark(&path, &["-Y", "dnp.hdr.CRC.status in {0, 2} || dnp.data_chunk.CRC.status in {0, 2}"]);
    let protocols = tshark(&path, &["-q", "-z", "io,phs"]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!((found.as_str(), sums.as_str()), ("", ""));
    for name in
        ["arp", "dhcp", "dnp3", "dns", "goose", "http", "iec60870_asdu", "lldp", "modbus", "ntp", "ptp", "stp", "tls"]
    {
        assert!(
            protocols.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))),
            "{name}: {protocols}"
        );
    }
}
