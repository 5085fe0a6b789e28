//! What a model finds while traffic is read: rows of features are scored as they become complete, and what stands above the threshold is told
//! with the features that made it so.

use std::collections::BTreeMap;
use std::sync::Arc;

use features::{Gather, Row, Which, address};
use gwcore::time::{HOUR, MINUTE};
use gwcore::{
    Addr, Basis, Episode, Evidence, Finding, FlowConst, LimitHits, Limits, Out, PacketRef, Party, Severity, Ts,
};
use serde::{Deserialize, Serialize};

use crate::scorer::{Bound, ScoreError, Scorer};

/// The detector's name.
pub const DETECTOR: &str = "unusual-window";
/// Silence that ends an episode.
const SILENCE: i64 = 5 * MINUTE;
/// A finding takes in repeats for so long after its last row.
const REPEATS: i64 = HOUR;
/// Features named at most.
const REASONS: usize = 5;
/// Findings kept; further devices are counted.
const FINDINGS: usize = 4_096;

/// What is usual of a feature on clean days: an hundredth, the middle, and all but a hundredth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// The feature.
    pub name: String,
    /// A hundredth lies below.
    pub low: f32,
    /// Half lies below.
    pub middle: f32,
    /// A hundredth lies above.
    pub high: f32,
}

/// A model at work.
pub struct Live {
    gather: Gather,
    which: Which,
    scorer: Scorer,
    bound: Bound,
    about: ModelRef,
    threshold: f64,
    usual: Vec<Usual>,
    rows: Vec<Row>,
    open: BTreeMap<(Addr, Addr), Told>,
    closed: Vec<((Addr, Addr), Told)>,
    /// Rows scored.
    pub scored: u64,
    /// Rows above the threshold.
    pub above: u64,
    /// Devices or pairs beyond the limit.
    pub dropped: u64,
}

/// Which model spoke.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelRef {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// SHA-256 of the model.
    pub hash: String,
    /// Family and version of its features.
    pub features: String,
}

struct Told {
    episodes: Vec<Episode>,
    /// The highest score, and why.
    score: f64,
    reasons: Vec<Reason>,
    single: bool,
    ts: Ts,
    packets: Vec<(u32, u64)>,
    count: u64,
    rev: u32,
    /// Whether it was told of, and whether it grew since.
    is_told: bool,
    grew: bool,
}

/// A feature that made a row unusual.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// Name.
    pub feature: String,
    /// Its value; none where it was missing.
    pub value: Option<f32>,
    /// Lower and upper end of what is usual.
    pub usual: [f32; 2],
}

impl Live {
    /// A model at work on a family. Without a threshold it cannot tell.
    pub fn new(
        scorer: Scorer,
        which: Which,
        about: ModelRef,
        usual: Vec<Usual>,
        limits: &Limits,
    ) -> Result<Live, ScoreError> {
        let bound = scorer.bind(&which.family())?;
        let Some(threshold) = scorer.threshold else {
            return Err(ScoreError(
                "the model has no threshold: promote it with the features of clean days (--clean)".into(),
            ));
        };
        // Threads of the scoring come into being here, before rights are given up.
        scorer.scores(&vec![f32::NAN; scorer.features.len()])?;
        Ok(Live {
            gather: Gather::new(which, limits),
            which,
            scorer,
            bound,
            about,
            threshold,
            usual,
            rows: Vec::new(),
            open: BTreeMap::new(),
            closed: Vec::new(),
            scored: 0,
            above: 0,
            dropped: 0,
        })
    }

    /// Takes a batch of the ordered stage.
    pub fn batch(&mut self, out: &Out) -> Result<(), ScoreError> {
        let mut rows = std::mem::take(&mut self.rows);
        self.gather.batch(out, &mut rows);
        let told = self.judge(&rows);
        rows.clear();
        self.rows = rows;
        told
    }

    /// The input is over.
    pub fn finish(&mut self, now: Ts) -> Result<(), ScoreError> {
        let mut rows = Vec::new();
        self.gather.finish(now, &mut rows);
        self.judge(&rows)
    }

    /// Limits hit.
    pub fn hits(&self) -> LimitHits {
        self.gather.hits()
    }

    fn judge(&mut self, rows: &[Row]) -> Result<(), ScoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut all = Vec::with_capacity(rows.len() * self.scorer.features.len());
        rows.iter().for_each(|r| all.extend(self.bound.row(r)));
        let scores = self.scorer.scores(&all)?;
        self.scored += rows.len() as u64;
        let width = self.scorer.features.len().max(1);
        for ((row, x), score) in rows.iter().zip(all.chunks_exact(width)).zip(scores) {
            if score > self.threshold {
                self.above += 1;
                self.tell(row, x, score)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, row: &Row, x: &[f32], score: f64) -> Result<(), ScoreError> {
        let id = &row.identity;
        let key = (id.src, id.dst);
        if self.open.len() >= FINDINGS && !self.open.contains_key(&key) {
            self.dropped += 1;
            return Ok(());
        }
        let is_over = |t: &Told| t.episodes.last().is_some_and(|e| id.ts.since(e.ts_end) > REPEATS);
        if self.open.get(&key).is_some_and(is_over)
            && let Some(told) = self.open.remove(&key)
        {
            self.closed.push((key, told));
        }
        let (reasons, single) = self.reasons(x)?;
        let told = self.open.entry(key).or_insert_with(|| Told {
            episodes: Vec::new(),
            score,
            reasons: reasons.clone(),
            single,
            ts: id.ts,
            packets: Vec::new(),
            count: 0,
            rev: 0,
            is_told: false,
            grew: false,
        });
        if score > told.score {
            (told.score, told.reasons, told.single, told.ts) = (score, reasons, single, id.ts);
        }
        told.count += 1;
        told.grew = true;
        if told.packets.len() < 100 && id.frame.1 != 0 {
            told.packets.push(id.frame);
        }
        let frame = id.frame.1;
        let has_room = told.episodes.len() < 200;
        match told.episodes.last_mut().filter(|e| id.ts.since(e.ts_end) < SILENCE) {
            Some(e) => {
                (e.ts_end, e.last_frame) = (id.end, frame);
                e.count += 1;
            }
            None if has_room => {
                let (first_frame, last_frame) = (frame, frame);
                told.episodes.push(Episode {
                    ts: id.ts,
                    ts_end: id.end,
                    raised: id.end,
                    count: 1,
                    first_frame,
                    last_frame,
                });
            }
            None => {}
        }
        Ok(())
    }

    /// The features that made a row unusual: put back to the middle one after the other, the one that helps most first, until the score is
    /// below the threshold. False where that was not reached: then no single cause is named.
    fn reasons(&self, x: &[f32]) -> Result<(Vec<Reason>, bool), ScoreError> {
        let mut x = x.to_vec();
        let mut reasons = Vec::new();
        let names = &self.scorer.features;
        while reasons.len() < REASONS {
            let candidates: Vec<(usize, &Usual)> = (0..x.len()).filter_map(|i| Some((i, self.odd(i, &x)?))).collect();
            if candidates.is_empty() {
                return Ok((reasons, false));
            }
            let mut tries = Vec::with_capacity(candidates.len() * x.len());
            for (i, u) in &candidates {
                let at = tries.len();
                tries.extend_from_slice(&x);
                tries[at + i] = u.middle;
            }
            let scores = self.scorer.scores(&tries)?;
            let best = scores.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            let Some((k, score)) = best else { return Ok((reasons, false)) };
            let (i, u) = candidates[k];
            let value = Some(x[i]).filter(|v| !v.is_nan());
            reasons.push(Reason { feature: names[i].clone(), value, usual: [u.low, u.high] });
            x[i] = u.middle;
            if *score <= self.threshold {
                return Ok((reasons, true));
            }
        }
        Ok((reasons, false))
    }

    /// What is usual of a column, where a row is outside of it.
    fn odd(&self, column: usize, row: &[f32]) -> Option<&Usual> {
        let (name, x) = (self.scorer.features.get(column)?, row.get(column)?);
        self.usual.iter().find(|u| u.name == *name && (*x < u.low || *x > u.high))
    }

    /// What was found, one finding a device or pair and stretch of time.
    pub fn findings(&self, file: &dyn Fn(u32) -> Arc<str>) -> Vec<Finding> {
        let all = self.closed.iter().map(|(key, told)| (key, told)).chain(&self.open);
        all.map(|((src, dst), told)| self.finding(*src, *dst, told, file)).collect()
    }

    /// What opened, grew or closed since the last call, by these words. With `is_end` everything closes.
    pub fn changes(&mut self, is_end: bool, file: &dyn Fn(u32) -> Arc<str>) -> Vec<(&'static str, Finding)> {
        if is_end {
            self.closed.extend(std::mem::take(&mut self.open));
        }
        let mut changes = Vec::new();
        for told in self.open.values_mut().filter(|t| t.grew) {
            told.rev += 1;
        }
        for ((src, dst), told) in self.open.iter().filter(|(_, t)| t.grew) {
            changes.push((if told.is_told { "grew" } else { "opened" }, self.finding(*src, *dst, told, file)));
        }
        for told in self.open.values_mut() {
            (told.is_told, told.grew) = (true, false);
        }
        for ((src, dst), mut told) in std::mem::take(&mut self.closed) {
            told.rev += 1;
            changes.push(("closed", self.finding(src, dst, &told, file)));
        }
        changes
    }

    fn finding(&self, src: Addr, dst: Addr, told: &Told, file: &dyn Fn(u32) -> Arc<str>) -> Finding {
        let party = |a: Addr| {
            let text = (!a.is_none()).then(|| address(a));
            let is_mac =
                text.as_ref().is_some_and(|t| t.len() == 17 && t.matches(':').count() == 5 && !t.contains("::"));
            if is_mac { Party { mac: text, ..Party::default() } } else { Party { ip: text, ..Party::default() } }
        };
        let first = told.episodes.first();
        let (ts, raised) = first.map_or((told.ts, told.ts), |e| (e.ts, e.raised));
        let ts_end = told.episodes.last().map_or(ts, |e| e.ts_end);
        let dedup_key = format!(
            "{}|{}|{}",
            self.about.name,
            address(src),
            if dst.is_none() { String::new() } else { address(dst) }
        );
        let who = address(src);
        let with = if dst.is_none() { String::new() } else { format!(" with {}", address(dst)) };
        let say = |r: &Reason| {
            let number = |x: f32| if x == x.trunc() && x.abs() < 1e9 { format!("{x:.0}") } else { format!("{x:.3}") };
            let value = r.value.map_or("absent".to_owned(), number);
            format!(
                "{} {value} (usually {} to {})",
                r.feature.replace('_', " "),
                number(r.usual[0]),
                number(r.usual[1])
            )
        };
        let list = told.reasons.iter().map(say).collect::<Vec<_>>().join(", ");
        let why = match (told.single, told.reasons.is_empty()) {
            (true, false) => {
                format!("what {who} did{with} in the minute of {} is unlike its clean days: {list}", told.ts)
            }
            (false, false) => format!(
                "what {who} did{with} in the minute of {} is unlike its clean days in no single cause; furthest off: {list}",
                told.ts
            ),
            _ => format!(
                "what {who} did{with} in the minute of {} is unlike its clean days as a whole; no value alone is",
                told.ts
            ),
        };
        let mut more = BTreeMap::new();
        more.insert("model".to_owned(), serde_json::json!(self.about));
        more.insert("reasons".to_owned(), serde_json::json!(told.reasons));
        more.insert("rows".to_owned(), serde_json::json!(told.count));
        Finding {
            id: Finding::id_of(DETECTOR, &dedup_key, ts),
            rev: told.rev.max(1),
            ts,
            ts_end,
            raised,
            episodes: told.episodes.clone(),
            episodes_more: 0,
            detector: DETECTOR,
            title: format!("Unusual traffic of {who}{with}"),
            severity: Severity::Medium,
            basis: Basis::Statistical,
            attack: Vec::new(),
            src: party(src),
            dst: party(dst),
            proto: "",
            uids: Vec::new(),
            community_id: None,
            packets: told.packets.iter().map(|(f, frame)| PacketRef { file: file(*f), frame: *frame }).collect(),
            why,
            evidence: Evidence {
                observed: format!("score {:.4}", told.score),
                expected: Some(format!("at most {:.4}", self.threshold)),
                seen: Some(told.count),
                threshold: Some(self.threshold),
                in_packet: None,
                more,
            },
            dedup_key,
            count: told.count,
            flow: FlowConst::default(),
        }
    }

    /// Name and version of the model.
    pub fn name(&self) -> String {
        format!("{}@{}", self.about.name, self.about.version)
    }

    /// Which family of features it reads.
    pub fn family(&self) -> Which {
        self.which
    }
}
