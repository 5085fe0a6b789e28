//! A progress bar on a terminal, lines where a program asks for them, nothing in a pipe.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// Set to `lines` it makes progress a line `progress BYTES TOTAL` on standard error for each hundredth of the input: the console's imports.
const LINES: &str = "GRIDWARDEN_PROGRESS";

/// Progress in bytes of input.
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    total: u64,
    /// Hundredths that were told.
    told: AtomicU64,
}

impl Progress {
    /// Of `total` bytes, hidden when quiet or when standard error is no terminal.
    pub fn new(total: u64, quiet: bool) -> Progress {
        use std::io::IsTerminal;
        let shown = !quiet && std::io::stderr().is_terminal();
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {eta}").ok();
        let bar = shown.then(|| match style {
            Some(style) => ProgressBar::new(total).with_style(style),
            None => ProgressBar::new(total),
        });
        let lines = total > 0 && std::env::var_os(LINES).is_some_and(|v| v == "lines");
        Progress { bar, lines, total, told: AtomicU64::new(0) }
    }

    /// So many bytes are done.
    pub fn at(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
        if self.lines {
            let part = bytes.saturating_mul(100) / self.total;
            if self.told.fetch_max(part, Ordering::Relaxed) < part {
                crate::say::complaint(format_args!("progress {bytes} {}", self.total));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
