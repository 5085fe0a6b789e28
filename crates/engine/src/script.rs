//! A source that gives what a test wrote down, live or not: for tests of this crate and of those that drive it.

use std::collections::VecDeque;
use std::time::Duration;

use capture::{Frame, LinkType, Loss};
use gwcore::Ts;

use crate::{Ingested, Input, Source, Tick};

/// One line of a script.
#[derive(Default)]
pub enum Line {
    /// An Ethernet frame.
    Frame(Ts, Vec<u8>),
    /// A tick of a live interface.
    Tick(Tick),
    /// Lost frames.
    Loss(Loss),
    /// Rows and facts that come from no packet.
    Record(Box<Ingested>),
    /// Nothing at the moment.
    #[default]
    Idle,
    /// Nothing for so long by the clock on the wall, then idle.
    Wait(Duration),
}

/// Gives its lines one after the other, then ends.
#[derive(Default)]
pub struct Script {
    lines: VecDeque<Line>,
    /// The line given last: frames are borrowed from it.
    given: Line,
    frames: u64,
    interfaces: Vec<String>,
}

impl Script {
    /// A script of these lines on one interface.
    pub fn new(lines: impl IntoIterator<Item = Line>) -> Script {
        let interfaces = vec!["script".to_owned()];
        Script { lines: lines.into_iter().collect(), interfaces, ..Script::default() }
    }

    /// Frames with their times in nanoseconds, as `testkit::Session` makes them.
    pub fn frames(frames: impl IntoIterator<Item = (i64, Vec<u8>)>) -> Script {
        Script::new(frames.into_iter().map(|(ts, data)| Line::Frame(Ts(ts), data)))
    }
}

impl Source for Script {
    fn next(&mut self) -> Option<Input<'_>> {
        self.given = self.lines.pop_front()?;
        Some(match &mut self.given {
            Line::Frame(ts, data) => {
                self.frames += 1;
                let (seq, number) = (self.frames - 1, self.frames);
                let wire_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
                Input::Frame(Frame {
                    seq,
                    ts: *ts,
                    file: 0,
                    number,
                    interface: 0,
                    link: LinkType::ETHERNET,
                    wire_len,
                    data,
                })
            }
            Line::Tick(tick) => Input::Tick(*tick),
            Line::Loss(loss) => Input::Loss(*loss),
            Line::Record(record) => Input::Record(std::mem::take(record)),
            Line::Idle => Input::Idle,
            Line::Wait(time) => {
                std::thread::sleep(*time);
                Input::Idle
            }
        })
    }

    fn interfaces(&self) -> &[String] {
        &self.interfaces
    }
}
