//! Open findings as they are kept beyond the process.

use std::sync::Arc;

use gwcore::{Basis, Episode, Evidence, Finding, FlowConst, Kept, PacketRef, Party, Restore, Severity, Ts};
use serde::{Deserialize, Serialize};

use crate::change::Told;
use crate::fold::{End, Folder, Open};

/// A finding with its ends; evidence as JSON, since its values are of any type.
#[derive(Serialize, Deserialize)]
struct Saved {
    id: String,
    rev: u32,
    times: [Ts; 3],
    /// Times, count and frames.
    episodes: Vec<([Ts; 3], [u64; 3])>,
    episodes_more: u64,
    detector: &'static str,
    title: String,
    severity: Severity,
    basis: Basis,
    #[serde(borrow)]
    attack: Vec<&'static str>,
    proto: &'static str,
    uids: Vec<String>,
    community_id: Option<String>,
    packets: Vec<(Arc<str>, u64)>,
    why: String,
    evidence: &'static str,
    dedup_key: String,
    count: u64,
    flow: FlowConst,
    lead: Option<(Arc<str>, u64)>,
    src: End,
    dst: End,
    born: u64,
    touched: Ts,
    told: Option<Told>,
}

impl Saved {
    fn of(open: &Open, evidence: &'static str) -> Saved {
        let f = open.finding.clone();
        let episode = |e: Episode| ([e.ts, e.ts_end, e.raised], [e.count, e.first_frame, e.last_frame]);
        Saved {
            id: f.id,
            rev: f.rev,
            times: [f.ts, f.ts_end, f.raised],
            episodes: f.episodes.into_iter().map(episode).collect(),
            episodes_more: f.episodes_more,
            detector: f.detector,
            title: f.title,
            severity: f.severity,
            basis: f.basis,
            attack: f.attack,
            proto: f.proto,
            uids: f.uids,
            community_id: f.community_id,
            packets: f.packets.into_iter().map(|p| (p.file, p.frame)).collect(),
            why: f.why,
            evidence,
            dedup_key: f.dedup_key,
            count: f.count,
            flow: f.flow,
            lead: open.lead.as_ref().map(|p| (p.file.clone(), p.frame)),
            src: open.src,
            dst: open.dst,
            born: open.born,
            touched: open.touched,
            told: open.told,
        }
    }

    fn open(self) -> Option<Open> {
        let evidence: Evidence = serde_json::from_str(self.evidence).ok()?;
        let episode = |([ts, ts_end, raised], [count, first_frame, last_frame]): ([Ts; 3], [u64; 3])| Episode {
            ts,
            ts_end,
            raised,
            count,
            first_frame,
            last_frame,
        };
        let finding = Finding {
            id: self.id,
            rev: self.rev,
            ts: self.times[0],
            ts_end: self.times[1],
            raised: self.times[2],
            episodes: self.episodes.into_iter().map(episode).collect(),
            episodes_more: self.episodes_more,
            detector: self.detector,
            title: self.title,
            severity: self.severity,
            basis: self.basis,
            attack: self.attack,
            src: Party::default(),
            dst: Party::default(),
            proto: self.proto,
            uids: self.uids,
            community_id: self.community_id,
            packets: self.packets.into_iter().map(|(file, frame)| PacketRef { file, frame }).collect(),
            why: self.why,
            evidence,
            dedup_key: self.dedup_key,
            count: self.count,
            flow: self.flow,
        };
        let lead = self.lead.map(|(file, frame)| PacketRef { file, frame });
        let (src, dst, born, touched, told) = (self.src, self.dst, self.born, self.touched, self.told);
        Some(Open { finding, lead, src, dst, born, touched, told })
    }
}

/// Open findings and those not yet told as closed, and the crowds. Limits and what was declared are those of the folder that is restored.
impl Kept for Folder {
    fn keep(&self, to: &mut Vec<u8>) {
        self.born.keep(to);
        self.crowds.keep(to);
        self.waiting.keep(to);
        for list in [self.open.values().collect::<Vec<_>>(), self.closed.iter().collect()] {
            (list.len() as u64).keep(to);
            for open in list {
                // The text stands before the finding, which then needs no place for it.
                serde_json::to_string(&open.finding.evidence).unwrap_or_default().keep(to);
                Saved::of(open, "").keep(to);
            }
        }
    }

    fn restore(&mut self, from: &mut Restore) -> Option<()> {
        self.born.restore(from)?;
        self.crowds.restore(from)?;
        self.waiting.restore(from)?;
        self.open.clear();
        for _ in 0..from.value::<u64>()? {
            let open = next(from)?;
            self.open.insert((open.finding.detector, open.finding.dedup_key.clone()), open);
        }
        self.closed.clear();
        for _ in 0..from.value::<u64>()? {
            self.closed.push(next(from)?);
        }
        Some(())
    }
}

fn next(from: &mut Restore) -> Option<Open> {
    let evidence: &'static str = from.value()?;
    Saved { evidence, ..from.value()? }.open()
}
