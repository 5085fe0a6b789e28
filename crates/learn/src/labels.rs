//! What each row is, by the label column and the options.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::setup::{Setup, Task};
use crate::table::Table;

/// The labels of a table's usable rows.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// Rows of the table that count: whole, labelled, not ignored. All lists below have one entry for each.
    pub rows: Vec<u32>,
    /// Index into `classes`.
    pub class: Vec<u32>,
    /// The label as it stands, or its class after `--map`; `normal` without a label column.
    pub said: Vec<u32>,
    /// Names of `said`.
    pub values: Vec<String>,
    /// Class names: `normal`, `attack` for two classes, else the normal class first where there is one, then by name.
    pub classes: Vec<String>,
    /// Which class is normal.
    pub normal: Option<usize>,
    /// Rows that do not count, by reason.
    pub left_out: BTreeMap<String, usize>,
}

impl Labels {
    /// Reads the labels.
    pub fn read(table: &Table, setup: &Setup) -> Result<Labels> {
        let column = setup.label.as_deref().map(|l| table.need(l)).transpose()?;
        let mut out = Labels::default();
        // By the bits of the cell: class name, value name, normal; None is ignored.
        let mut known: crate::hash::HashMap<u64, Option<(String, String, bool)>> = crate::hash::HashMap::default();
        let mut of_row: Vec<(u32, u64)> = Vec::new();
        for row in 0..table.rows {
            if let Some(fault) = table.faults.get(&(row as u32)) {
                let fault = match fault {
                    crate::table::Fault::Short(..) => "too few fields",
                    crate::table::Fault::Long(..) => "too many fields",
                    crate::table::Fault::Header => "the header again",
                };
                *out.left_out.entry(fault.to_owned()).or_default() += 1;
                continue;
            }
            let Some(column) = column else {
                of_row.push((row as u32, 0));
                continue;
            };
            let column = &table.columns[column];
            let Some(text) = column.text(row) else {
                *out.left_out.entry("no label".into()).or_default() += 1;
                continue;
            };
            let entry = known.entry(column.bits(row)).or_insert_with(|| {
                let class = setup.class(&text).unwrap_or(&text).to_owned();
                let ignored = setup.is_ignored(&text) || setup.is_ignored(&class);
                (!ignored).then(|| (class, text.clone(), setup.is_normal(&text)))
            });
            match entry {
                Some(_) => of_row.push((row as u32, column.bits(row))),
                None => *out.left_out.entry(format!("label {text} is ignored")).or_default() += 1,
            }
        }
        if column.is_none() {
            known.insert(0, Some(("normal".into(), "normal".into(), true)));
        }
        out.classes = classes(setup.task, known.values().flatten())?;
        out.normal = normal_class(setup.task, &out.classes, known.values().flatten());
        let mut values: Vec<&String> = known.values().flatten().map(|(c, v, _)| value(setup, c, v)).collect();
        values.sort_unstable();
        values.dedup();
        let index: crate::hash::HashMap<u64, (u32, u32)> = known
            .iter()
            .filter_map(|(bits, entry)| {
                let (class, text, normal) = entry.as_ref()?;
                let said = values.binary_search(&value(setup, class, text)).ok()? as u32;
                let class = match setup.task {
                    Task::Multiclass if *normal => out.normal?,
                    Task::Multiclass => out.classes.iter().position(|c| c == class)?,
                    _ => usize::from(!*normal),
                };
                Some((*bits, (class as u32, said)))
            })
            .collect();
        out.values = values.into_iter().cloned().collect();
        for (row, bits) in of_row {
            let (class, said) = index[&bits];
            out.rows.push(row);
            out.class.push(class);
            out.said.push(said);
        }
        if out.rows.is_empty() {
            return Err(Error::Data("no row has a label that counts".into()));
        }
        Ok(out)
    }

    /// Whether an entry is normal.
    pub fn is_normal(&self, at: usize) -> bool {
        self.normal == Some(self.class[at] as usize)
    }

    /// How many entries each class has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.class.iter().for_each(|&c| counts[c as usize] += 1);
        counts
    }
}

/// What a family split goes by: the class of a mapped label, else the label.
fn value<'a>(setup: &Setup, class: &'a String, text: &'a String) -> &'a String {
    if setup.map.is_empty() { text } else { class }
}

fn classes<'a>(task: Task, known: impl Iterator<Item = &'a (String, String, bool)>) -> Result<Vec<String>> {
    if task != Task::Multiclass {
        return Ok(vec!["normal".into(), "attack".into()]);
    }
    let (mut normal, mut others) = (None::<String>, Vec::new());
    for (class, _, is_normal) in known {
        match (is_normal, &normal) {
            (true, Some(n)) if n <= class => {}
            (true, _) => normal = Some(class.clone()),
            (false, _) => others.push(class.clone()),
        }
    }
    others.sort_unstable();
    others.dedup();
    let classes: Vec<String> = normal.into_iter().chain(others).collect();
    if classes.len() > 1000 {
        return Err(Error::Data(format!("{} classes: is this the label column?", classes.len())));
    }
    Ok(classes)
}

fn normal_class<'a>(
    task: Task,
    classes: &[String],
    mut known: impl Iterator<Item = &'a (String, String, bool)>,
) -> Option<usize> {
    if task != Task::Multiclass {
        return Some(0);
    }
    known.any(|(_, _, normal)| *normal).then_some(0).filter(|_| !classes.is_empty())
}
