//! The command line: what is accepted, under which names.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Network detection and response for electric, gas and water utilities.
#[derive(Parser)]
#[command(name = "gridwarden", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Analyse captures: what is in them, and what does not belong.
    Analyze(Analyze),
    /// Learn what is normal from captures, and say how much that knowledge is worth.
    Learn(Learn),
    /// Generate a labelled capture of a simulated substation.
    Simulate(Simulate),
    /// Simulate a substation, analyse it, write a report and show it in the console; needs no root and no network.
    Demo {
        /// Exit after the report.
        #[arg(long)]
        once: bool,
    },
    /// Try each attack by each actor on a copy of the site's own traffic, and report what would be found.
    Prove(Prove),
    /// Run the platform: watch interfaces, keep what was seen, report what does not belong.
    Run(crate::run::Run),
    /// Write the packets of a finding, a conversation or a filter to a capture file.
    Pcap(crate::pcap::Pcap),
    /// Serve stored packets to Wireshark (extcap).
    Extcap(Box<crate::extcap::Extcap>),
    /// Read, decode and judge; started by `run`.
    #[command(hide = true)]
    Sensor(Box<crate::sensor::Sensor>),
    /// Back up what cannot be recorded again: state, ledger, models.
    Backup(crate::backup::Backup),
    /// Restore a backup into an empty data folder.
    Restore(crate::backup::Restore),
    /// Serve the web console without a sensor: stored findings, searches, imports.
    Console(crate::console::Console),
    /// Control a running platform: statistics, reload, rotate the packet store.
    Ctl(crate::ctl::Ctl),
    /// Check rights, network cards, mirror port, clock, disk, memory and stored data, and suggest what fixes each problem.
    Doctor(crate::doctor::Doctor),
    /// Check configuration, site files, point lists, rules, indicators and playbooks; list all problems with line and column.
    Check(crate::check::CheckArgs),
    /// Search the records with SQL.
    Hunt(crate::hunt::Hunt),
    /// Show or verify the audit ledger, and write evidence packages.
    Audit(crate::audit::Audit),
    /// Import, export, list, promote and roll back models.
    Models(crate::models::Models),
    /// Run a foreign model in a separate process; started by `models import`.
    #[command(hide = true)]
    ModelWorker,
    /// Extract features for machine learning from captures.
    Features(crate::features::Features),
    /// Manage cases: build from findings, list, assign, merge, split, decide, export evidence.
    Case(crate::case::CaseArgs),
    /// Review and approve what a running platform proposes as normal.
    Baseline(crate::approval::BaselineArgs),
    /// Check, test and feed other systems (SIEM, SOAR, ticketing), and resend what they refused.
    Connect(crate::connect::ConnectArgs),
    /// List, check, dry-run and run CACAO 2.0 playbooks.
    Playbook(crate::playbook::PlaybookArgs),
    /// Write reports: a case, the shift, the week, the network.
    Report(crate::reports::ReportArgs),
    /// Export records, findings, devices and cases as CSV, JSON Lines or Parquet.
    Export(crate::export::Export),
    /// Clean rows of CSV or Parquet files, with a counted reason for every change.
    Clean(crate::clean::Clean),
    /// Rank columns by how much they say about the label, and report shortcuts.
    Select(crate::clean::Select),
    /// Train a model on rows of CSV or Parquet files.
    Train(crate::train::Train),
    /// Score rows of CSV or Parquet files with a model.
    Score(crate::score::Score),
    /// Explain why a model scores rows as it does.
    Explain(crate::explain::Explain),
    /// Validate a model, or a way of training one, on unseen data.
    Validate(crate::validate::Validate),
    /// Read flow exports and logs, and analyse them.
    Ingest(crate::ingest::Command),
    /// Check and list threat intelligence.
    Intel(crate::intel::Command),
    /// Check and list Sigma rules.
    Rules(crate::rules::Command),
    /// Install a signed bundle of indicators, rules or other knowledge, or revert to the previous one.
    Update(crate::update::Command),
    /// Write man pages and shell completions.
    Reference(crate::reference::Reference),
    /// List the detectors: what they find, what they need, their severity.
    Detectors {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Analyse captures: what is in them, and what does not belong.
#[derive(Args, Clone)]
pub struct Analyze {
    /// Capture files or folders, or - for standard input.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Output folder; default: NAME.gridwarden beside the first input.
    #[arg(short = 'o', long = "output", short_alias = 'l')]
    pub output: Option<PathBuf>,
    /// Record formats.
    #[arg(long, value_delimiter = ',', default_value = "parquet")]
    pub logs: Vec<Logs>,
    /// `summary` leaves out repeated polls, `full` writes every message.
    #[arg(long, value_enum, default_value_t = Detail::Summary)]
    pub detail: Detail,
    /// Analyse each file independently.
    #[arg(long)]
    pub separate: bool,
    /// Worker threads; 0 means one per core.
    #[arg(short = 'j', long, default_value_t = 0)]
    pub threads: usize,
    /// auto: accept bad checksums only from hosts that use checksum offload; none: do not check; all: reject every bad checksum.
    #[arg(short = 'k', long = "checksums", value_enum, default_value_t = Checksums::Auto)]
    pub checksums: Checksums,
    /// Same as `-k none`.
    #[arg(short = 'C')]
    pub ignore_checksums: bool,
    /// Which version of overlapping TCP data receivers keep: ADDRESS/BITS=POLICY, may be repeated; the longest prefix decides. Policies:
    /// first (the default), last, bsd, linux, old-linux, windows, windows2k3, vista, macos, solaris, hpux10, hpux11, irix.
    #[arg(long, value_name = "ADDRESS/BITS=POLICY")]
    pub reassembly_policy: Vec<flow::Target>,
    /// Keep conversations of different VLANs apart even where addresses and sequence numbers agree.
    #[arg(long)]
    pub vlan_in_key: bool,
    /// Seed of Community IDs; all tools of a site must have the same.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub community_id_seed: u16,
    /// Run only these detectors.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Run all detectors except these.
    #[arg(long, value_delimiter = ',')]
    pub without: Vec<String>,
    /// Baseline written by `gridwarden learn`; without it nothing is reported for being new.
    #[arg(long)]
    pub baseline: Option<PathBuf>,
    /// Site model (TOML): names, roles, masters, point lists.
    #[arg(long)]
    pub site: Option<PathBuf>,
    /// Maintenance windows (CSV: start,end,asset,reason; times in RFC 3339 or seconds since 1970): alarms inside these windows are lowered by
    /// one severity.
    #[arg(long)]
    pub maintenance: Option<PathBuf>,
    /// Rules of Sigma, files or folders; may be repeated. They judge every message, also those that the summary leaves out.
    #[arg(long, short = 'S', value_name = "FILE|DIR")]
    pub rules: Vec<PathBuf>,
    /// What is known to be bad: STIX, MISP, Zeek intel, CSV and risk lists, files or folders; may be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    pub intel: Vec<PathBuf>,
    /// Scores each minute by a model: NAME[@VERSION] of the registry, or a file of `train`; may be repeated.
    #[arg(long, value_name = "NAME|FILE")]
    pub model: Vec<String>,
    /// Data folder, for models by name.
    #[arg(long, default_value = crate::models::DATA)]
    pub data: PathBuf,
    /// Read only packets that pass this filter, in tcpdump's syntax; what it leaves out is counted and not judged.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Write a report (HTML).
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Print only errors.
    #[arg(long, short = 'q')]
    pub quiet: bool,
    /// Print `summary.json` instead of the page.
    #[arg(long)]
    pub json: bool,
    /// Divides every table and buffer limit, to test that small ones do no harm.
    #[arg(long, default_value_t = 1, hide = true)]
    pub limits_divisor: usize,
    /// Fixes the key of hash tables, to test that no output depends on it.
    #[arg(long, hide = true)]
    pub hash_seed: Option<u64>,
    /// Writes the state of devices, detectors and points to a file every so many seconds of packet time, and goes on from what is read back,
    /// to test that a restart changes nothing.
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub restart_every: Option<u32>,
}

/// Learn what is normal from captures, and say how much that knowledge is worth.
#[derive(Args, Clone)]
pub struct Learn {
    /// Capture files or folders, or - for standard input. Inputs are read several times; a pipe is first copied next to the baseline.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The baseline to write.
    #[arg(long)]
    pub baseline: PathBuf,
    /// Add to the existing baseline instead of starting a new one.
    #[arg(long)]
    pub add: bool,
    /// Do not learn these: windows (CSV: start,end,asset,reason; times in RFC 3339 or seconds since 1970), or frames of the one input (CSV:
    /// frame,label; all but benign ones).
    #[arg(long)]
    pub exclude: Vec<PathBuf>,
    /// Learn items that would be left out as suspicious: an item as listed, or `all`.
    #[arg(long, value_delimiter = ',')]
    pub accept: Vec<String>,
    /// Write a page (HTML) on what the baseline is worth, to read before it is approved.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Worker threads; 0 means one per core.
    #[arg(short = 'j', long, default_value_t = 0)]
    pub threads: usize,
    /// Checksums, as for `analyze`.
    #[arg(short = 'k', long = "checksums", value_enum, default_value_t = Checksums::Auto)]
    pub checksums: Checksums,
    /// Print only errors.
    #[arg(long, short = 'q')]
    pub quiet: bool,
    /// Divides every table and buffer limit, to test that small ones do no harm.
    #[arg(long, default_value_t = 1, hide = true)]
    pub limits_divisor: usize,
}

/// Generate a labelled capture of a simulated substation.
#[derive(Args, Clone)]
pub struct Simulate {
    /// What to simulate: `substation`.
    #[arg(required_unless_present = "onto", conflicts_with = "onto")]
    pub scenario: Option<String>,
    /// Insert one attack into a copy of a capture, using the devices, points and sessions found there.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trap", "minutes"])]
    pub onto: Option<PathBuf>,
    /// The capture.
    #[arg(short = 'o', long = "output")]
    pub output: PathBuf,
    /// Labels: what was attacked when (CSV); frame labels are written to NAME.frames.csv.
    #[arg(long)]
    pub labels: PathBuf,
    /// Seed of the simulated day; the same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Length of the capture in minutes.
    #[arg(long, default_value_t = 60)]
    pub minutes: u32,
    /// Benign events that look like attacks: `failover`, `fault`, `link-loss`, `relay-test`, `replacement`, `rtu-restart`,
    /// `site-scanner`, `switching`, `time-loss`, `vendor`.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub trap: Vec<String>,
    /// Attacks to insert: `alarm-suppression`, `beacon`, `block-command`, `block-reporting`, `brute-force-io`, `dos`, `exfiltration`,
    /// `frozen`, `function-enumeration`, `goose-spoof`, `mass-trip`, `mitm`, `mode`, `program`, `ramp`, `replay`, `rogue-master`, `scan`,
    /// `setpoint`, `takeover`, `time`, `unauthorized-control`.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub attack: Vec<String>,
    /// Who attacks: a `new` device, a `known` one, or the `master` itself; impossible combinations are rejected.
    #[arg(long, default_value = "new")]
    pub actor: String,
    /// Print only errors.
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

/// Try each attack by each actor on a copy of the site's own traffic, and report what would be found.
#[derive(Args, Clone)]
pub struct Prove {
    /// Captures of the site; each attack is tried on the first one that has what it needs.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Baseline written by `learn`.
    #[arg(long)]
    pub baseline: PathBuf,
    /// Folder for `prove.json` and `prove.csv`.
    #[arg(short = 'o', long = "output")]
    pub output: Option<PathBuf>,
    /// Attacks to try; default: all.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub attack: Vec<String>,
    /// Who attacks; default: each of `new`, `known` and `master`.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub actor: Vec<String>,
    /// Count low findings as found, for short baselines (under 6 h), which raise no alarm.
    #[arg(long)]
    pub low: bool,
    /// Seed of times and values of the attacks.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Worker threads; 0 means one per core.
    #[arg(short = 'j', long, default_value_t = 0)]
    pub threads: usize,
    /// Checksums, as for `analyze`.
    #[arg(short = 'k', long = "checksums", value_enum, default_value_t = Checksums::Auto)]
    pub checksums: Checksums,
    /// Print only errors and the table.
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Logs {
    Parquet,
    Ndjson,
    Zeek,
    ZeekJson,
    Eve,
    /// EVE, and beside it our own kinds of records that Suricata does not know.
    #[value(name = "eve+own")]
    EveOwn,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Detail {
    Summary,
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Checksums {
    Auto,
    None,
    All,
}

/// Parses the arguments; without a verb, `-r PATH` means `analyze PATH` and `-i IFACE` means `run -i IFACE`, as the peers have it.
pub fn parse() -> Result<Cli, clap::Error> {
    Cli::try_parse_from(crate::config::expand(rewrite(std::env::args_os().collect()))?)
}

impl Cli {
    /// From a line of arguments, the program's name first.
    pub fn from_line(line: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line)
    }
}

/// Puts in the verb that is left out: `-r PATH` and a path alone mean `analyze`, `-i IFACE` means `run`, `-T` means `check`.
fn rewrite(mut args: Vec<OsString>) -> Vec<OsString> {
    use clap::CommandFactory;
    let command = Cli::command();
    let is_verb = |name: &str| name == "help" || command.get_subcommands().any(|c| c.get_name() == name);
    let Some(first) = args.get(1) else { return args };
    if first.to_str().is_some_and(is_verb) {
        return args;
    }
    let place = |flag: &str| args.iter().position(|a| a == flag);
    if let Some(at) = place("-r") {
        args.remove(at);
        args.insert(1, "analyze".into());
    } else if place("-i").is_some() && is_verb("run") {
        args.insert(1, "run".into());
    } else if let (Some(at), true) = (place("-T"), is_verb("check")) {
        args.remove(at);
        args.insert(1, "check".into());
    } else if first == "-" || std::path::Path::new(first).exists() {
        args.insert(1, "analyze".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Cli {
        Cli::try_parse_from(rewrite(line.split(' ').map(OsString::from).collect())).unwrap()
    }

    #[test]
    fn peers_options_mean_analyze() {
        let Command::Analyze(a) = check("gridwarden -C -r x.pcap -l out -k none").command else { panic!("no analyze") };
        assert!(a.ignore_checksums && a.checksums == Checksums::None);
        assert_eq!((a.paths[0].to_str(), a.output.unwrap().to_str()), (Some("x.pcap"), Some("out")));
    }

    #[test]
    fn a_path_without_a_verb_is_analysed_and_a_verb_stays_one() {
        let here = env!("CARGO_MANIFEST_DIR");
        let Command::Analyze(a) = check(&format!("gridwarden {here} --quiet")).command else { panic!("no analyze") };
        assert_eq!(a.paths[0].to_str(), Some(here));
        assert!(matches!(check("gridwarden detectors").command, Command::Detectors { .. }));
        let line = ["gridwarden", "no-such-file-or-verb"].map(OsString::from);
        assert_eq!(rewrite(line.to_vec()), line, "clap names what is unknown");
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
