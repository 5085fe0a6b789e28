//! The capture onto which an attack is put: read as often as needed, never held in memory.

use std::path::Path;

use capture::{Frame, Inputs, LinkType, Single};
use gwcore::Limits;

use super::Failure;
use super::site::Nanos;

/// Times that a classic capture can hold: unsigned 32-bit seconds.
const LATEST: Nanos = 0xffff_ffff * 1_000_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Source<'a> {
    inputs: Inputs,
    name: String,
    limits: &'a Limits,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &Path, limits: &'a Limits) -> Result<Source<'a>, Failure> {
        let name = path.display().to_string();
        if name == "-" || path.is_dir() {
            return Err(Failure::Unreadable(name, "it is read several times, so it must be one file".to_owned()));
        }
        Ok(Source { inputs: Inputs::find(&[path.to_owned()], limits), name, limits })
    }

    /// Calls `act` for each frame in the order of the file, until it says no.
    pub(super) fn each(&self, mut act: impl FnMut(&Frame<'_>) -> Result<bool, Failure>) -> Result<(), Failure> {
        let unreadable = |why: &str| Failure::Unreadable(self.name.clone(), why.to_owned());
        let mut single =
            Single::open(&self.inputs, 0, self.limits).ok_or_else(|| unreadable("there is no such file"))?;
        while let Some(frame) = single.next() {
            if frame.link != LinkType::ETHERNET {
                return Err(Failure::Untried("the capture is not one of Ethernet".to_owned()));
            }
            if !(0..=LATEST).contains(&frame.ts.0) {
                return Err(unreadable("its times lie before 1970 or after 2106"));
            }
            if !act(&frame)? {
                return Ok(());
            }
        }
        match single.finish() {
            Some(report) if report.failed() => Err(unreadable(&report.reason().unwrap_or_default())),
            _ => Ok(()),
        }
    }
}
