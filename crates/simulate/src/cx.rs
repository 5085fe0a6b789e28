//! What an actor may do when it wakes: look at the plant, send frames, and leave orders for others.

use testkit::{Ipv4, Stack, Udp};

use crate::actors::Actor;
use crate::actors::order::{Order, Session, Task};
use crate::episode::{Episode, Fate, Message};
use crate::label::Label;
use crate::network::Host;
use crate::plant::{Change, Plant};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::tcp::Side;
use crate::time::Micros;

/// A session to which orders can be given: its place among the actors of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(pub(crate) usize);

/// What an actor leaves for the run to deliver when its wake is over.
#[derive(Default)]
pub(crate) struct Post {
    pub(crate) orders: Vec<(Handle, Order)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) actors: Vec<(Micros, Box<dyn Actor>)>,
}

/// See the module.
pub(crate) struct Cx<'a> {
    pub(crate) plant: &'a Plant,
    pub(crate) queue: &'a mut Queue,
    /// What the frames being sent are labelled with.
    pub(crate) label: Option<Label>,
    /// All episodes but the one that is awake; they see what others send.
    pub(crate) episodes: &'a mut [Option<Box<dyn Episode>>],
    pub(crate) post: &'a mut Post,
    /// Actors of the run, with those in the post.
    pub(crate) actors: usize,
}

impl Cx<'_> {
    /// Puts a frame on the wire, padded to the shortest that Ethernet allows.
    pub(crate) fn send(&mut self, at: Micros, stack: Stack) {
        let mut bytes = stack.bytes();
        bytes.resize(bytes.len().max(60), 0);
        let mut label = self.label;
        for episode in self.episodes.iter_mut().flatten() {
            // What an episode has changed as a message it may carry on as frames.
            if matches!(label, Some(Label::Attack(_))) && label != Some(episode.label()) {
                continue;
            }
            match episode.frame(at, &mut bytes) {
                Fate::Pass => {}
                Fate::Changed => label = Some(episode.label()),
                Fate::Lost => return,
            }
        }
        self.queue.push(at, label, bytes);
    }

    /// Lets the episodes see, change or suppress a message of a session before it is framed; its label, or none when it is lost.
    pub(crate) fn message(
        &mut self,
        session: Session,
        at: Micros,
        from: Side,
        bytes: &mut Vec<u8>,
    ) -> Option<Option<Label>> {
        let mut label = self.label;
        for episode in self.episodes.iter_mut().flatten() {
            if matches!(label, Some(Label::Attack(_))) {
                break;
            }
            match episode.message(Message { session, at, from, bytes: &mut *bytes }) {
                Fate::Pass => {}
                Fate::Changed => label = Some(episode.label()),
                Fate::Lost => return None,
            }
        }
        Some(label)
    }

    /// Whether an episode keeps a device from answering at that time.
    pub(crate) fn is_silent(&self, device: &Host, at: Micros) -> bool {
        self.episodes.iter().flatten().any(|episode| episode.silences(device, at))
    }

    /// A UDP datagram between two hosts of the network.
    pub(crate) fn udp(&mut self, at: Micros, from: (&Host, u16), to: (&Host, u16), data: &[u8], rng: &mut Rng) {
        let ip = Ipv4 { src: from.0.ip(), dst: to.0.ip(), ttl: from.0.ttl, id: rng.word() as u16, ..Ipv4::default() };
        let udp = Udp { src: from.1, dst: to.1, ..Udp::default() };
        self.send(at, Stack::new().eth(from.0.mac, to.0.mac).add(ip).add(udp).payload(data));
    }

    /// Orders something of a session at `at`; its randomness comes from `rng`, so that the session's own stream is not disturbed.
    pub(crate) fn order(&mut self, to: Handle, at: Micros, task: Task, rng: &mut Rng) {
        let (rng, wire) = (Rng::new(rng.word(), "order"), Rng::new(rng.word(), "wire"));
        self.post.orders.push((to, Order { at, label: self.label, rng, wire, task }));
    }

    /// The session that the front end holds all day.
    pub(crate) fn benign(&self, session: Session) -> Handle {
        // The run puts these actors first, in this order.
        Handle(session as usize)
    }

    /// A session of another client with the same server: it connects at `at`, starts up and polls as the front end does,
    /// until it is ordered to [`Task::Leave`]. Its frames carry the label of this context.
    pub(crate) fn open(&mut self, session: Session, client: &'static Host, at: Micros, rng: &mut Rng) -> Handle {
        let actor = session.foreign(client, self.label, rng.word(), at);
        self.post.actors.push((at, actor));
        self.actors += 1;
        Handle(self.actors - 1)
    }

    /// A breaker moves at a time that no frame has been sent for. What outstations and relays then report is true, so it is not labelled.
    pub(crate) fn moved(&mut self, at: Micros, breaker: usize, closed: bool) {
        self.post.changes.push(Change { at, breaker, closed, label: None, is_trip: false });
    }
}
