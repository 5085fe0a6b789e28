//! `gridwarden extcap`: the ring as an interface of Wireshark and tshark (doc/extcap.adoc of Wireshark; `docs/live.md` says how to put it there).

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use capture::Filter;
use clap::Args;
use gwcore::time::MINUTE;

use crate::pcap::{Wanted, write};
use crate::say::say;
use crate::sensor::keep;

/// The name of the one interface.
const INTERFACE: &str = "gridwarden";

/// Serves Wireshark: packets of a finding, or the last minutes, out of the ring.
#[derive(Args, Clone)]
pub struct Extcap {
    /// Lists the interface.
    #[arg(long)]
    extcap_interfaces: bool,
    /// Lists its link types.
    #[arg(long)]
    extcap_dlts: bool,
    /// Lists its options.
    #[arg(long)]
    extcap_config: bool,
    /// Writes packets.
    #[arg(long)]
    capture: bool,
    /// The interface that is meant.
    #[arg(long, value_name = "NAME")]
    extcap_interface: Option<String>,
    /// The version of the caller.
    #[arg(long, value_name = "VERSION")]
    extcap_version: Option<String>,
    /// A capture filter.
    #[arg(long, value_name = "EXPRESSION")]
    extcap_capture_filter: Option<String>,
    /// Where packets are written.
    #[arg(long, value_name = "PATH")]
    fifo: Option<PathBuf>,
    /// Folder that `run` keeps everything in.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/gridwarden")]
    data: PathBuf,
    /// A finding.
    #[arg(long, value_name = "ID", default_value = "")]
    alert: String,
    /// The last minutes, where no finding is named.
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u32,
}

/// Answers one call.
pub fn run(args: &Extcap) -> anyhow::Result<u8> {
    if args.extcap_interfaces {
        say!("extcap {{version={}}}{{help=file:///usr/share/doc/gridwarden}}", env!("CARGO_PKG_VERSION"));
        say!("interface {{value={INTERFACE}}}{{display=Gridwarden packet store}}");
        return Ok(0);
    }
    if let Some(other) = args.extcap_interface.as_deref().filter(|i| *i != INTERFACE) {
        anyhow::bail!("there is no interface `{other}`, only `{INTERFACE}`");
    }
    if args.extcap_dlts {
        say!("dlt {{number=1}}{{name=EN10MB}}{{display=Ethernet}}");
    } else if args.extcap_config {
        let data = args.data.display();
        say!(
            "arg {{number=0}}{{call=--data}}{{display=Data folder}}{{type=string}}{{default={data}}}{{group=Packets}}"
        );
        say!("arg {{number=1}}{{call=--alert}}{{display=Finding (id)}}{{type=string}}{{group=Packets}}");
        say!(
            "arg {{number=2}}{{call=--minutes}}{{display=Last minutes}}{{type=unsigned}}{{default=10}}{{group=Packets}}"
        );
    } else if args.capture {
        let fifo = args.fifo.as_ref().context("`--capture` needs `--fifo`")?;
        let wanted = wanted(args)?;
        let mut out =
            File::options().write(true).open(fifo).with_context(|| format!("cannot open `{}`", fifo.display()))?;
        write(&args.data, &wanted, &mut out)?;
        out.flush()?;
    } else if args.extcap_capture_filter.is_some() {
        // Wireshark asks whether a filter is right: no answer means that it is.
        filter(args)?;
    }
    Ok(0)
}

fn filter(args: &Extcap) -> anyhow::Result<Filter> {
    let text = args.extcap_capture_filter.as_deref().unwrap_or_default();
    Filter::parse(text).context("the filter is not understood")
}

fn wanted(args: &Extcap) -> anyhow::Result<Wanted> {
    if !args.alert.is_empty() {
        let finding = keep::finding(&args.data, &args.alert);
        let finding = finding.with_context(|| format!("no finding `{}` is kept", args.alert))?;
        return Ok(Wanted::of_finding(&finding));
    }
    let mut wanted = Wanted::filtered(filter(args)?);
    wanted.from = capture::live::now().plus(-i64::from(args.minutes) * MINUTE);
    Ok(wanted)
}
