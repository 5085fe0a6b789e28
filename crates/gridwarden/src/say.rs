//! Lines for whoever runs the program; a reader that went away (`| head`) ends no run and is no error.

use std::fmt::Arguments;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that was to be told could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line to standard output.
pub fn line(text: Arguments<'_>) {
    if let Err(e) = writeln!(std::io::stdout().lock(), "{text}")
        && e.kind() != ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        complaint(format_args!("cannot write to standard output: {e}"));
    }
}

/// A line to standard error.
pub fn complaint(text: Arguments<'_>) {
    // There is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "gridwarden: {text}");
}

/// A line on a terminal that the next one replaces; nothing in a pipe.
pub fn passing(text: &str) {
    let mut to = std::io::stderr().lock();
    if to.is_terminal() {
        let _ = write!(to, "\r\x1b[K{}", report::plain(text));
    }
}

/// Whether a line was lost for another reason than a reader that went away.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// A line to standard output, formatted as by `println!`.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}
pub(crate) use say;
