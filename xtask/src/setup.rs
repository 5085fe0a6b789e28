//! `cargo xtask setup`: what only the system's packages give, listed first, then installed.

use crate::sh;

/// Program, Debian packages, what for.
pub const PACKAGES: &[(&str, &str, &str)] = &[
    ("tshark", "tshark", "the second reader of the differential tests"),
    ("chromium", "chromium", "looking at the report"),
    ("jq", "jq", "reading JSON in the show scripts"),
    ("ip", "iproute2", "network namespaces of the live shows (as root)"),
    ("tcpreplay", "tcpreplay", "traffic of the live shows"),
    ("nft", "nftables", "the gateway of the response show, in a network namespace (as root)"),
    ("zstd", "zstd", "packed captures in the first-hour checks"),
    ("python3", "python3", "the first-hour checks and the bench capture"),
    ("rsyslogd", "rsyslog rsyslog-openssl", "a receiver of syslog over UDP, TCP and TLS in the connectors' show"),
    ("openssl", "openssl", "its certificates"),
    ("softflowd", "softflowd", "flow exports of a capture"),
    ("nfcapd", "nfdump", "a second reader of flow exports"),
    ("npm", "npm", "building the console's pages and walking through them"),
];

/// Lists what is missing and installs it after consent (`yes`), as root or through sudo.
pub fn run(yes: bool) -> anyhow::Result<()> {
    let missing: Vec<_> = PACKAGES.iter().filter(|(program, _, _)| !sh::installed(program)).collect();
    if missing.is_empty() {
        println!("nothing to install");
        return Ok(());
    }
    println!("to be installed from the system's packages:");
    for (_, package, purpose) in &missing {
        println!("  {package}: {purpose}");
    }
    if !yes {
        println!("run `cargo xtask setup --yes` to install them");
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|m| m.1).collect();
    let script = format!(
        "export DEBIAN_FRONTEND=noninteractive; s=; [ $(id -u) = 0 ] || s=sudo; $s apt-get update -qq && $s apt-get install -y -qq {} >/dev/null",
        packages.join(" ")
    );
    sh::run("setup", "sh", &["-c", &script])
}
