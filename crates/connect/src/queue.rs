//! One queue on disk per destination: at least once, in order, with dead letters that can be seen and sent again.
//!
//! A folder holds segments (`NUMBER.q`, one line an item: hash, number, kind, id, key, body, separated by tabs), `cursor` (number of the first
//! item that is not done) and `dead.ndjson`. Items are durable when [`Queue::push`] returns; the cursor moves only after delivery, so that
//! after a crash the last ones are sent again, with the same ids. A torn last line is cut off.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::event::Kind;

/// Bytes after which a segment is full.
const SEGMENT: u64 = 16 << 20;
/// Bytes of the longest item.
const ITEM: usize = 4 << 20;
/// Bytes of a queue by default; beyond that nothing more is taken, which the caller sees.
pub const BYTES: u64 = 4 << 30;

/// What waits to be sent.
#[derive(Clone, Debug)]
pub struct Item {
    /// Place in the queue, from 1.
    pub seq: u64,
    /// Kind.
    pub kind: Kind,
    /// Our id of this event: the receiver's key against doubles.
    pub id: String,
    /// What keeps its order: the finding or case.
    pub key: String,
    /// The finding or case as JSON.
    pub body: Box<RawValue>,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Kind.
    pub kind: Kind,
    /// Our id of this event.
    pub id: &'a str,
    /// What keeps its order.
    pub key: &'a str,
    /// JSON.
    pub body: &'a RawValue,
}

/// An item that could not be delivered and will not be tried again by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dead {
    /// Place it had in the queue.
    pub seq: u64,
    /// Kind.
    pub kind: String,
    /// Our id.
    pub id: String,
    /// Key.
    pub key: String,
    /// Why, in the receiver's words.
    pub reason: String,
    /// JSON.
    pub body: Box<RawValue>,
}

struct Segment {
    first: u64,
    path: PathBuf,
}

struct State {
    segments: VecDeque<Segment>,
    write: File,
    write_bytes: u64,
    bytes: u64,
    next: u64,
    done: u64,
    /// Where to read on: reader in the first segment, number of the next item it gives.
    reader: Option<(BufReader<File>, u64, u64)>,
    dead: u64,
}

/// A queue on disk.
pub struct Queue {
    dir: PathBuf,
    limit: u64,
    state: Mutex<State>,
    pushed: Condvar,
    /// Held so that no other process opens the queue.
    _lock: File,
}

impl Queue {
    /// Opens or creates the queue in `dir`. Fails where another process has it open.
    pub fn open(dir: &Path, limit: u64) -> io::Result<Queue> {
        fs::create_dir_all(dir)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        lock.try_lock().map_err(|e| {
            let text = format!("`{}` is in use by another process ({e})", dir.display());
            io::Error::new(io::ErrorKind::WouldBlock, text)
        })?;
        let done = match fs::read_to_string(dir.join("cursor")) {
            Ok(text) => text.trim().parse().map_err(|_| io::Error::other("`cursor` holds no number"))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => 1,
            Err(e) => return Err(e),
        };
        let mut segments: Vec<Segment> = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".q"));
            if let Some(first) = name.and_then(|n| n.parse().ok()) {
                segments.push(Segment { first, path });
            }
        }
        segments.sort_by_key(|s| s.first);
        let (mut next, mut after_last): (u64, u64) = (done, 0);
        if let Some(last) = segments.last() {
            let (whole, after) = whole_lines(&last.path, last.first)?;
            let file = OpenOptions::new().write(true).open(&last.path)?;
            file.set_len(whole)?;
            file.sync_all()?;
            next = next.max(after);
            after_last = after;
        }
        let mut segments = VecDeque::from(segments);
        // Numbers in a segment follow each other: what comes after a loss begins a new one.
        let ends_short = segments.back().is_some_and(|last| next > after_last.max(last.first));
        if segments.is_empty() || ends_short {
            segments.push_back(Segment { first: next, path: segment_path(dir, next) });
        }
        let last = &segments[segments.len() - 1].path;
        let write = OpenOptions::new().create(true).append(true).open(last)?;
        let write_bytes = write.metadata()?.len();
        let bytes = segments.iter().map(|s| fs::metadata(&s.path).map_or(0, |m| m.len())).sum();
        let dead = count_lines(&dir.join("dead.ndjson"))?;
        sync_dir(dir)?;
        let state = State { segments, write, write_bytes, bytes, next, done, reader: None, dead };
        Ok(Queue { dir: dir.to_owned(), limit, state: Mutex::new(state), pushed: Condvar::new(), _lock: lock })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked between two writes left a line that opening would cut off; the counters are still right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds items; when it returns they are on the disk. Fails whole where the queue is full or an item too long.
    pub fn push(&self, items: &[New<'_>]) -> io::Result<()> {
        let mut text = Vec::new();
        let mut state = self.state();
        let mut next = state.next;
        for item in items {
            if item.body.get().len() > ITEM {
                return Err(io::Error::other(format!("`{}` is longer than 4 MiB", item.id)));
            }
            let line = format!(
                "{next}\t{}\t{}\t{}\t{}",
                item.kind.name(),
                clean(item.id),
                clean(item.key),
                one_line(item.body)
            );
            text.extend_from_slice(format!("{:016x}\t{line}\n", xxh3_64(line.as_bytes())).as_bytes());
            next += 1;
        }
        if state.bytes + text.len() as u64 > self.limit {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("the queue `{}` is full", self.dir.display()),
            ));
        }
        if state.write_bytes >= SEGMENT {
            let path = segment_path(&self.dir, state.next);
            state.write = OpenOptions::new().create(true).append(true).open(&path)?;
            state.write_bytes = 0;
            let first = state.next;
            state.segments.push_back(Segment { first, path });
            sync_dir(&self.dir)?;
        }
        let before = state.write_bytes;
        if let Err(e) = state.write.write_all(&text).and_then(|()| state.write.sync_data()) {
            // What is half written must not be followed by whole lines.
            state.write.set_len(before)?;
            return Err(e);
        }
        state.write_bytes += text.len() as u64;
        state.bytes += text.len() as u64;
        state.next = next;
        drop(state);
        self.pushed.notify_all();
        Ok(())
    }

    /// The next items in order that were not given yet, at most `most`; waits up to `wait` where there are none.
    pub fn take(&self, most: usize, wait: Duration) -> io::Result<Vec<Item>> {
        let mut state = self.state();
        if state.reader.as_ref().map_or(state.done, |(_, at, _)| *at) >= state.next {
            let (again, _) = self.pushed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = again;
        }
        let mut out = Vec::new();
        while out.len() < most {
            let at = state.reader.as_ref().map_or(state.done, |(_, at, _)| *at);
            if at >= state.next {
                break;
            }
            if state.reader.as_ref().is_none_or(|(_, at, end)| at >= end) {
                let Some(index) = state.segments.iter().rposition(|s| s.first <= at) else {
                    return Err(io::Error::other(format!("item {at} is in no segment of `{}`", self.dir.display())));
                };
                let end = state.segments.get(index + 1).map_or(u64::MAX, |s| s.first);
                let segment = &state.segments[index];
                state.reader =
                    Some((BufReader::with_capacity(256 << 10, File::open(&segment.path)?), segment.first, end));
            }
            let (done, next) = (state.done, state.next);
            let Some((reader, at, end)) = &mut state.reader else { break };
            if *at >= next {
                break;
            }
            let mut line = Vec::new();
            let read = Read::take(&mut *reader, 2 * ITEM as u64).read_until(b'\n', &mut line)?;
            if read == 0 {
                // The segment was the last one when it was opened and has a successor now.
                *end = *at;
                let first = *at;
                if !state.segments.iter().any(|s| s.first == first) {
                    return Err(io::Error::other(format!(
                        "segment of `{}` ends before item {first}",
                        self.dir.display()
                    )));
                }
                continue;
            }
            let seq = *at;
            *at += 1;
            if seq < done {
                continue;
            }
            match parse(&line) {
                Some(item) if item.seq == seq => out.push(item),
                _ => {
                    let reason = "the line in the queue is damaged";
                    let body = RawValue::from_string("null".to_owned()).map_err(io::Error::other)?;
                    let dead = Dead {
                        seq,
                        kind: "unknown".into(),
                        id: String::new(),
                        key: String::new(),
                        reason: reason.into(),
                        body,
                    };
                    append_dead(&self.dir, &dead)?;
                    state.dead += 1;
                }
            }
        }
        Ok(out)
    }

    /// What was taken and is not done is given again by the next [`Queue::take`].
    pub fn rewind(&self) {
        self.state().reader = None;
    }

    /// All items before `seq` are done: the cursor moves, segments that are done go.
    pub fn done_before(&self, seq: u64) -> io::Result<()> {
        let mut state = self.state();
        if seq <= state.done {
            return Ok(());
        }
        state.done = seq.min(state.next);
        let at = self.dir.join("cursor");
        let beside = self.dir.join("cursor.new");
        fs::write(&beside, format!("{}\n", state.done))?;
        fs::rename(&beside, &at)?;
        while state.segments.len() > 1 && state.segments[1].first <= state.done {
            if let Some(old) = state.segments.pop_front() {
                state.bytes = state.bytes.saturating_sub(fs::metadata(&old.path).map_or(0, |m| m.len()));
                fs::remove_file(&old.path)?;
            }
        }
        Ok(())
    }

    /// Puts an item among the dead letters.
    pub fn bury(&self, item: &Item, reason: &str) -> io::Result<()> {
        let dead = Dead {
            seq: item.seq,
            kind: item.kind.name().to_owned(),
            id: item.id.clone(),
            key: item.key.clone(),
            reason: reason.to_owned(),
            body: item.body.clone(),
        };
        append_dead(&self.dir, &dead)?;
        self.state().dead += 1;
        Ok(())
    }

    /// The dead letters, oldest first, at most `most`.
    pub fn dead(&self, most: usize) -> io::Result<Vec<Dead>> {
        let _guard = self.state();
        read_dead(&self.dir, most)
    }

    /// The dead letters of a queue that another process has open.
    pub fn dead_in(dir: &Path, most: usize) -> io::Result<Vec<Dead>> {
        read_dead(dir, most)
    }

    /// Asks whoever has the queue in `dir` open to put dead letters (all, or those of these ids) into it again.
    pub fn ask_resend(dir: &Path, ids: &[String]) -> io::Result<()> {
        let beside = dir.join("resend.new");
        fs::write(&beside, ids.join("\n"))?;
        fs::rename(&beside, dir.join("resend"))
    }

    /// Does what was asked by [`Queue::ask_resend`] since the last call; how many wait again.
    pub fn resend_asked(&self) -> io::Result<Option<usize>> {
        let path = self.dir.join("resend");
        let ids = match fs::read_to_string(&path) {
            Ok(text) => text.lines().map(str::to_owned).collect::<Vec<_>>(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let n = self.resend((!ids.is_empty()).then_some(ids.as_slice()))?;
        fs::remove_file(&path)?;
        Ok(Some(n))
    }

    /// Puts dead letters (all, or those of these ids) into the queue again; tells how many.
    pub fn resend(&self, ids: Option<&[String]>) -> io::Result<usize> {
        let dead = self.dead(usize::MAX)?;
        let (again, stay): (Vec<Dead>, Vec<Dead>) =
            dead.into_iter().partition(|d| Kind::parse(&d.kind).is_some() && ids.is_none_or(|ids| ids.contains(&d.id)));
        let new: Vec<New<'_>> = again
            .iter()
            .filter_map(|d| Some(New { kind: Kind::parse(&d.kind)?, id: &d.id, key: &d.key, body: &d.body }))
            .collect();
        // First into the queue, then out of the dead letters: a crash between the two sends twice, never not at all.
        self.push(&new)?;
        let mut text = String::new();
        for d in &stay {
            text += &serde_json::to_string(d).map_err(io::Error::other)?;
            text.push('\n');
        }
        let mut state = self.state();
        let beside = self.dir.join("dead.new");
        fs::write(&beside, text)?;
        fs::rename(&beside, self.dir.join("dead.ndjson"))?;
        state.dead = stay.len() as u64;
        Ok(again.len())
    }

    /// Items waiting, dead letters, bytes on the disk.
    pub fn counts(&self) -> (u64, u64, u64) {
        let state = self.state();
        (state.next.saturating_sub(state.done), state.dead, state.bytes)
    }

    /// Wakes whoever waits in [`Queue::take`].
    pub fn wake(&self) {
        self.pushed.notify_all();
    }
}

/// The line of a body: JSON has line breaks only between its parts, where they mean nothing.
fn one_line(body: &RawValue) -> String {
    body.get().replace(['\n', '\r', '\t'], " ")
}

fn clean(text: &str) -> String {
    text.replace(|c: char| c.is_control(), "_")
}

fn parse(line: &[u8]) -> Option<Item> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (hash, rest) = line.split_once('\t')?;
    if u64::from_str_radix(hash, 16).ok()? != xxh3_64(rest.as_bytes()) {
        return None;
    }
    let mut parts = rest.splitn(5, '\t');
    let seq = parts.next()?.parse().ok()?;
    let kind = Kind::parse(parts.next()?)?;
    let (id, key) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    Some(Item { seq, kind, id, key, body: RawValue::from_string(parts.next()?.to_owned()).ok()? })
}

/// Bytes of the whole lines of a segment, and the number after its last item.
fn whole_lines(path: &Path, first: u64) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut whole, mut next, mut line) = (0, first, Vec::new());
    loop {
        line.clear();
        let read = Read::take(&mut reader, 2 * ITEM as u64).read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok((whole, next));
        }
        whole += read as u64;
        next += 1;
    }
}

fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.q"))
}

fn append_dead(dir: &Path, dead: &Dead) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("dead.ndjson"))?;
    let mut line = serde_json::to_string(dead).map_err(io::Error::other)?;
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

fn read_dead(dir: &Path, most: usize) -> io::Result<Vec<Dead>> {
    let file = match File::open(dir.join("dead.ndjson")) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let lines = BufReader::new(file).lines().take(most);
    lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)).collect()
}

fn count_lines(path: &Path) -> io::Result<u64> {
    let Ok(mut file) = File::open(path) else { return Ok(0) };
    file.seek(SeekFrom::Start(0))?;
    let (mut buffer, mut lines) = (vec![0; 64 << 10], 0);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(lines);
        }
        lines += buffer[..n].iter().filter(|b| **b == b'\n').count() as u64;
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
