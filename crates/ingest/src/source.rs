//! The collector: datagrams in, what the engine takes out, with a report by source.

use std::collections::BTreeMap;

use engine::Ingested;
use gwcore::{Addr, Ts};

use crate::clean::{Cleaner, Fate, Fates};
use crate::flows::{Counters, Decoder, Version};
use crate::rows::{self, About, Quarantine};
use crate::syslog;
use crate::zeek::{self, LineFormat};

/// Sources reported by name; further ones are counted under `other`.
const SOURCES: usize = 4_096;
/// Bytes of something unreadable that are kept.
const KEPT: usize = 128;

/// What came from one source and what became of it.
#[derive(Clone, Debug, Default)]
pub struct SourceReport {
    /// Messages.
    pub messages: u64,
    /// First and last, by the time of receipt.
    pub span: Option<(Ts, Ts)>,
    /// What became of each flow or line.
    pub fates: Fates,
    /// For flow exports: what the exporter's domains count.
    pub counters: BTreeMap<String, Counters>,
}

/// Takes messages of all sources.
#[derive(Default)]
pub struct Collector {
    decoder: Decoder,
    cleaner: Cleaner,
    zeek: zeek::Files,
    reports: BTreeMap<String, SourceReport>,
    numbers: u64,
}

impl Collector {
    /// A message that came by UDP from an address to a port at a time, and the index of its source among the files.
    pub fn flow_message(&mut self, exporter: Addr, bytes: &[u8], received: Ts, file: u32) -> Box<Ingested> {
        self.numbers += 1;
        let number = self.numbers;
        let mut to = Box::new(Ingested::new(received));
        let name = format!("flow export of {exporter}");
        let (decoded, fates) = match self.decoder.decode(exporter, bytes) {
            Err(fault) => {
                let mut fates = Fates::default();
                fates.add(Fate::Unreadable);
                quarantine(&mut to, exporter, "flow_export", fault.name(), bytes, (received, file, number));
                (None, fates)
            }
            Ok(message) => {
                let skew = self.cleaner.skew(exporter, message.exported, received);
                let about = About {
                    version: message.version,
                    exporter,
                    domain: message.domain,
                    exported: message.exported,
                    skew,
                    file,
                    number,
                };
                let mut fates = Fates::default();
                for f in &message.flows {
                    let (fate, start, end) = self.cleaner.judge(f, exporter, skew, received);
                    fates.add(fate);
                    match fate {
                        Fate::Kept | Fate::SkewCorrected => rows::flow(&mut to, f, &about, start, end),
                        fate if fate.is_quarantined() => {
                            let text = format!("{f:?}");
                            quarantine(
                                &mut to,
                                exporter,
                                "flow_export",
                                fate.name(),
                                text.as_bytes(),
                                (received, file, number),
                            );
                        }
                        _ => {}
                    }
                }
                let counters = self.decoder.counters(exporter, message.version, message.domain);
                (Some((message.version, message.domain, counters)), fates)
            }
        };
        let report = self.report(&name);
        report.messages += 1;
        seen(report, received, &fates);
        if let Some((version, domain, counters)) = decoded {
            report.counters.insert(format!("{} {domain}", version.name()), counters);
        }
        to
    }

    /// A line of a log and who sent it.
    pub fn log_line(&mut self, sender: Addr, line: &[u8], received: Ts, file: u32) -> Box<Ingested> {
        self.numbers += 1;
        let number = self.numbers;
        let mut to = Box::new(Ingested::new(received));
        let fate = syslog::line(&mut to, sender, line, received, (file, number));
        if fate == Fate::Unreadable {
            quarantine(&mut to, sender, "syslog", fate.name(), line, (received, file, number));
        }
        let mut fates = Fates::default();
        fates.add(fate);
        let report = self.report(&format!("syslog of {sender}"));
        report.messages += 1;
        seen(report, received, &fates);
        to
    }

    /// A line of a log that Zeek or Suricata wrote; `name` is that of the file. None for lines that are no record, as Zeek's headers.
    pub fn tool_line(&mut self, name: &str, format: LineFormat, line: &str, file: u32) -> Option<Box<Ingested>> {
        self.numbers += 1;
        let number = self.numbers;
        let outcome = self.zeek.line(name, format, line, (file, number))?;
        let mut fates = Fates::default();
        let (to, received) = match outcome {
            Ok((to, ts)) => {
                fates.add(Fate::Kept);
                (to, Some(ts))
            }
            Err((reason, ts)) => {
                fates.add(Fate::Unreadable);
                let mut to = Box::new(Ingested::new(ts));
                quarantine(&mut to, Addr::NONE, "log_file", reason, line.as_bytes(), (ts, file, number));
                (to, None)
            }
        };
        let report = self.report(name);
        report.messages += 1;
        if let Some(ts) = received {
            report.span = Some(report.span.map_or((ts, ts), |(a, b)| (a.min(ts), b.max(ts))));
        }
        for (fate, n) in fates.0 {
            *report.fates.0.entry(fate).or_default() += n;
        }
        Some(to)
    }

    /// What came from whom and what became of it.
    pub fn reports(&self) -> &BTreeMap<String, SourceReport> {
        &self.reports
    }

    /// Messages that are no flow export, by reason.
    pub fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.decoder.faults
    }

    fn report(&mut self, name: &str) -> &mut SourceReport {
        let name = if self.reports.len() < SOURCES || self.reports.contains_key(name) { name } else { "other" };
        self.reports.entry(name.to_owned()).or_default()
    }
}

fn seen(report: &mut SourceReport, received: Ts, fates: &Fates) {
    report.span = Some(report.span.map_or((received, received), |(a, b)| (a.min(received), b.max(received))));
    for (fate, n) in &fates.0 {
        *report.fates.0.entry(fate).or_default() += n;
    }
}

fn quarantine(
    to: &mut Ingested,
    sender: Addr,
    source: &'static str,
    reason: &'static str,
    data: &[u8],
    at: (Ts, u32, u64),
) {
    let (ts, file, number) = at;
    let flow = to.flow(gwcore::FlowConst { src: sender, file, interface: u32::MAX, ..Default::default() });
    let data = data.get(..KEPT).unwrap_or(data);
    to.row(ts, number, flow, Quarantine { source, reason, data });
}

/// Which version a message claims, without decoding it: whether a datagram is a flow export at all.
pub fn claims(bytes: &[u8]) -> Option<Version> {
    match (bytes.first_chunk::<4>()?, bytes.len()) {
        ([0, 0, 0, 5], 28..) => Some(Version::Sflow5),
        ([0, 5, 0, 1..=30], 72..) => Some(Version::Netflow5),
        ([0, 9, ..], 24..) => Some(Version::Netflow9),
        ([0, 10, a, b], n) if usize::from(u16::from_be_bytes([*a, *b])) <= n && n >= 20 => Some(Version::Ipfix),
        _ => None,
    }
}
