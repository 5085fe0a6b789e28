//! The queues of destinations that this process has open: one file system folder can be open only once, and deliveries, playbooks and the
//! console all look into the same.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use connect::{Health, Queue};

#[derive(Default)]
struct Open {
    queues: BTreeMap<PathBuf, Weak<Queue>>,
    health: BTreeMap<PathBuf, Health>,
}

static OPEN: Mutex<Open> = Mutex::new(Open { queues: BTreeMap::new(), health: BTreeMap::new() });

/// The queue in a folder: the one that this process has open, or opened now. Fails where another process has it open.
pub fn open(dir: &Path) -> io::Result<Arc<Queue>> {
    std::fs::create_dir_all(dir)?;
    let dir = dir.canonicalize()?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = open.queues.get(&dir).and_then(Weak::upgrade) {
        return Ok(queue);
    }
    let queue = Arc::new(Queue::open(&dir, connect::queue::BYTES)?);
    open.queues.insert(dir, Arc::downgrade(&queue));
    Ok(queue)
}

/// Whoever delivers from a folder says how it goes, for whoever looks.
pub fn tell(dir: &Path, health: Health) {
    if let Ok(dir) = dir.canonicalize() {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).health.insert(dir, health);
    }
}

/// How deliveries from a folder go, as far as this process delivers.
pub fn health(dir: &Path) -> Option<Health> {
    let dir = dir.canonicalize().ok()?;
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).health.get(&dir).cloned()
}
