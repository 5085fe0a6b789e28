//! A progress bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressStyle};

/// Progress in bytes of input.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Of `total` bytes, hidden when quiet or when standard error is no terminal.
    pub fn new(total: u64, quiet: bool) -> Progress {
        use std::io::IsTerminal;
        let shown = !quiet && std::io::stderr().is_terminal();
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {eta}").ok();
        Progress(shown.then(|| match style {
            Some(style) => ProgressBar::new(total).with_style(style),
            None => ProgressBar::new(total),
        }))
    }

    /// So many bytes are done.
    pub fn at(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
