//! Scores: one line for each row of a table, whatever it holds.

use std::io::Write;

use rayon::prelude::*;

use crate::error::Result;
use crate::gbdt::{Flat, sigmoid, softmax};
use crate::matrix::Matrix;
use crate::model::{Body, Model};
use crate::table::{Table, number_text};

/// Rows scored together.
const BLOCK: usize = 8192;

/// What a model says of rows.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Larger is more suspicious.
    pub score: Vec<f64>,
    /// Class of each row.
    pub label: Vec<u32>,
    /// Small is suspicious; empty without calibration.
    pub p_value: Vec<f64>,
    /// Row after row the probability of each class; empty for detectors.
    pub classes: Vec<f64>,
}

impl Model {
    /// Scores encoded rows: probability of attack, or 1 − P(normal), or anomaly.
    pub fn raw_scores(&self, x: &Matrix) -> Vec<f64> {
        self.parts(x).0
    }

    /// Scores and class probabilities.
    fn parts(&self, x: &Matrix) -> (Vec<f64>, Vec<f64>) {
        let k = self.classes.len();
        let of_classes = |mut p: Vec<f64>| {
            p.par_chunks_exact_mut(k).for_each(softmax);
            let score = p.chunks_exact(k).map(|p| self.normal.map_or(0.0, |n| attack_share(p, n))).collect();
            (score, p)
        };
        match &self.body {
            Body::Trees { ensemble } => {
                let flat = Flat::new(ensemble);
                let blocks: Vec<Vec<f64>> = blocks(x).into_par_iter().map(|b| flat.margins(&b)).collect();
                let margins: Vec<f64> = blocks.concat();
                if ensemble.outputs() == 1 {
                    let score: Vec<f64> = margins.iter().map(|m| sigmoid(*m)).collect();
                    let classes = score.iter().flat_map(|s| [1.0 - s, *s]).collect();
                    let normal_is_second = self.normal == Some(1);
                    let score = if normal_is_second { score.iter().map(|s| 1.0 - s).collect() } else { score };
                    (score, classes)
                } else {
                    of_classes(margins)
                }
            }
            Body::Net { dense, net } => {
                let blocks: Vec<Vec<f64>> = blocks(x)
                    .into_par_iter()
                    .map(|b| {
                        let z = dense.all(&b);
                        let mut work = [Vec::new(), Vec::new()];
                        z.cells.chunks_exact(z.width).flat_map(|r| net.run(r, &mut work)).map(f64::from).collect()
                    })
                    .collect();
                of_classes(blocks.concat())
            }
            Body::Detectors { dense, members } => {
                let blocks: Vec<Vec<f64>> = blocks(x)
                    .into_par_iter()
                    .map(|b| {
                        let z = dense.all(&b);
                        if let [one] = &members[..] {
                            return one.detector.scores(&z);
                        }
                        // Smallest p times members, as minus its logarithm.
                        let less = (members.len() as f64).ln();
                        let mut out = vec![f64::NEG_INFINITY; z.rows()];
                        for member in members {
                            let scores = member.detector.scores(&z);
                            out.iter_mut()
                                .zip(scores)
                                .for_each(|(o, s)| *o = o.max(member.calibration.surprise(s) - less));
                        }
                        out
                    })
                    .collect();
                (blocks.concat(), Vec::new())
            }
        }
    }

    /// Scores, labels and p-values of encoded rows.
    pub fn scores(&self, x: &Matrix) -> Scores {
        let (score, classes) = self.parts(x);
        let k = self.classes.len();
        let calibration = self.calibration.as_ref().filter(|_| self.normal.is_some());
        let label = score
            .iter()
            .enumerate()
            .map(|(r, s)| {
                let p = classes.get(r * k..(r + 1) * k);
                let attack = match (calibration, self.normal) {
                    (Some(c), Some(_)) => Some(*s > c.threshold),
                    (None, Some(_)) if k == 2 => Some(*s > 0.5),
                    _ => None,
                };
                match (attack, self.normal, p) {
                    (Some(false), Some(n), _) => n as u32,
                    (Some(true), Some(n), Some(p)) => largest(p, Some(n)),
                    (Some(true), Some(n), None) => (0..k).find(|c| *c != n).unwrap_or(0) as u32,
                    (_, _, Some(p)) => largest(p, None),
                    _ => 0,
                }
            })
            .collect();
        let p_value = calibration.map_or(Vec::new(), |c| score.iter().map(|s| c.p_value(*s)).collect());
        Scores { score, label, p_value, classes }
    }

    /// Scores a table and writes `row,score,label,p_value,error` and, with more than two classes, `score_CLASS…`.
    pub fn write_scores(&self, table: &Table, out: &mut dyn Write) -> Result<Written> {
        let encoded = self.encoder.encode(table)?;
        let scores = self.scores(&encoded.matrix);
        let many = self.setup.task == crate::Task::Multiclass;
        let k = self.classes.len();
        let io = |e: std::io::Error| crate::Error::Data(format!("cannot write the scores: {e}"));
        let mut head = "row,score,label,p_value,error".to_owned();
        if many {
            for class in &self.classes {
                head.push(',');
                head.push_str(&quoted(&format!("score_{class}")));
            }
        }
        writeln!(out, "{head}").map_err(io)?;
        let names: Vec<String> = self.classes.iter().map(|c| quoted(c)).collect();
        let mut written = Written { rows: table.rows, ..Written::default() };
        for row in 0..table.rows {
            let mut line = format!("{},", row + 1);
            match &encoded.errors[row] {
                Some(error) => {
                    line.push_str(&format!(",,,{}", quoted(error)));
                    line.push_str(&",".repeat(if many { k } else { 0 }));
                    written.errors += 1;
                }
                None => {
                    line.push_str(&number_text(scores.score[row]));
                    line.push(',');
                    line.push_str(&names[scores.label[row] as usize]);
                    line.push(',');
                    if let Some(p) = scores.p_value.get(row) {
                        line.push_str(&number_text(*p));
                    }
                    line.push(',');
                    if many {
                        for p in &scores.classes[row * k..(row + 1) * k] {
                            line.push(',');
                            line.push_str(&number_text(*p));
                        }
                    }
                    written.attacks += usize::from(Some(scores.label[row] as usize) != self.normal);
                }
            }
            writeln!(out, "{line}").map_err(io)?;
        }
        Ok(written)
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub rows: usize,
    /// Rows labelled as something else than normal.
    pub attacks: usize,
    /// Rows without a score.
    pub errors: usize,
}

/// 1 − P(normal) without the loss of digits near 0.
fn attack_share(p: &[f64], normal: usize) -> f64 {
    p.iter().enumerate().filter(|(c, _)| *c != normal).map(|(_, p)| p).sum()
}

/// The likeliest class, `but` one.
fn largest(p: &[f64], but: Option<usize>) -> u32 {
    let mut best = (f64::NEG_INFINITY, 0);
    for (c, p) in p.iter().enumerate().filter(|(c, _)| Some(*c) != but) {
        if *p > best.0 {
            best = (*p, c as u32);
        }
    }
    best.1
}

fn blocks(x: &Matrix) -> Vec<Matrix> {
    let size = BLOCK * x.width.max(1);
    x.cells.chunks(size).map(|c| Matrix { width: x.width, cells: c.to_vec() }).collect()
}

/// A field of a CSV line; no program takes it for a formula.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
