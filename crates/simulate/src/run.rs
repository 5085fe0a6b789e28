//! A run in progress: who wakes when, and what they leave for each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Options;
use crate::actors::{self, Actor, News};
use crate::cx::{Cx, Handle, Post};
use crate::episode::Episode;
use crate::label::{Label, Row};
use crate::plant::Plant;
use crate::queue::Queue;
use crate::rng::Rng;
use crate::time::{DAY, HOUR, MINUTE, Micros};
use crate::{attack, trap};

pub(crate) struct Run {
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) queue: Queue,
    plant: Plant,
    actors: Vec<Box<dyn Actor>>,
    episodes: Vec<Option<Box<dyn Episode>>>,
    /// When each actor and each episode wakes next; other entries in `wakes` are void.
    due: Vec<Micros>,
    episode_due: Vec<Micros>,
    wakes: BinaryHeap<Reverse<(Micros, Who)>>,
    over: bool,
}

/// Field order is the order in which those wake whose time is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Actor(usize),
    Episode(usize),
}

impl Run {
    pub(crate) fn new(options: &Options) -> Run {
        let seed = options.seed;
        let mut rng = Rng::new(seed, "calendar");
        // A morning between 2024-01-01 and 2025-12-30, at six o'clock and some minutes.
        let start = 19_723 * DAY + rng.between(0, 730) * DAY + 6 * HOUR + rng.between(0, 20 * MINUTE);
        let end = start + u64::from(options.minutes) * MINUTE;
        let mut traps = options.traps.clone();
        traps.sort_unstable();
        traps.dedup();
        let mut attacks = options.attacks.clone();
        attacks.sort_unstable();
        attacks.dedup();
        let plant = Plant::new(seed, start, end, &traps);
        let mut episodes: Vec<Option<Box<dyn Episode>>> = Vec::new();
        episodes.extend(traps.iter().map(|trap| Some(trap::episode(*trap, seed, &plant))));
        episodes.extend(attacks.iter().map(|kind| Some(attack::episode(*kind, options.actor, seed, &plant))));
        let mut run = Run {
            start,
            end,
            queue: Queue::default(),
            actors: actors::substation(seed, &plant),
            plant,
            episodes,
            due: Vec::new(),
            episode_due: Vec::new(),
            wakes: BinaryHeap::new(),
            over: false,
        };
        run.due = run.actors.iter().map(|actor| actor.begin(start)).collect();
        run.episode_due = run.episodes.iter().flatten().map(|episode| episode.begin()).collect();
        let actors = run.due.iter().enumerate().map(|(i, at)| Reverse((*at, Who::Actor(i))));
        let episodes = run.episode_due.iter().enumerate().map(|(i, at)| Reverse((*at, Who::Episode(i))));
        run.wakes = actors.chain(episodes).collect();
        run
    }

    /// A row of the label file for each episode.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let row = |episode: &dyn Episode| {
            let (actor, targets) = episode.parties();
            let actor = match episode.label() {
                Label::Trap(_) => String::new(),
                Label::Attack(_) => actor.ip().to_string(),
            };
            let targets: Vec<String> = targets.iter().map(|host| host.ip().to_string()).collect();
            Row::new(episode.label(), actor, targets.join(" "))
        };
        self.episodes.iter().flatten().map(|episode| row(episode.as_ref())).collect()
    }

    /// Wakes the next one; returns until when the frames in the queue are complete, none after the end.
    pub(crate) fn step(&mut self) -> Option<Micros> {
        if self.over {
            return None;
        }
        if let Some(Reverse((now, who))) = self.wakes.pop().filter(|next| next.0.0 < self.end) {
            self.wake(now, who);
            if let Some(Reverse((next, _))) = self.wakes.peek() {
                return Some(self.end.min(*next));
            }
        }
        self.over = true;
        Some(self.end)
    }

    fn wake(&mut self, now: Micros, who: Who) {
        let planned = match who {
            Who::Actor(i) => self.due[i],
            Who::Episode(i) => self.episode_due[i],
        };
        // An earlier wake has taken this one's place.
        if planned != now {
            return;
        }
        let mut awake = match who {
            Who::Episode(i) => self.episodes[i].take(),
            Who::Actor(_) => None,
        };
        let mut post = Post::default();
        let mut cx = Cx {
            plant: &self.plant,
            queue: &mut self.queue,
            label: awake.as_ref().map(|episode| episode.label()),
            episodes: &mut self.episodes,
            post: &mut post,
            actors: self.actors.len(),
        };
        let next = match (&mut awake, who) {
            (Some(episode), _) => episode.wake(now, &mut cx),
            (None, Who::Actor(i)) => self.actors[i].wake(now, &mut cx),
            (None, Who::Episode(_)) => None,
        };
        if let Who::Episode(i) = who {
            self.episodes[i] = awake;
        }
        self.schedule(who, next.map_or(Micros::MAX, |next| next.max(now + 1)));
        self.deliver(now, post);
    }

    fn schedule(&mut self, who: Who, at: Micros) {
        match who {
            Who::Actor(i) => self.due[i] = at,
            Who::Episode(i) => self.episode_due[i] = at,
        }
        if at < self.end {
            self.wakes.push(Reverse((at, who)));
        }
    }

    fn deliver(&mut self, now: Micros, post: Post) {
        for (at, actor) in post.actors {
            self.actors.push(actor);
            self.due.push(at);
            self.schedule(Who::Actor(self.actors.len() - 1), at.max(now + 1));
        }
        for (Handle(i), order) in post.orders {
            self.tell(now, i, News::Order(order));
        }
        for change in post.changes {
            self.plant.add(change);
            for i in 0..self.actors.len() {
                self.tell(now, i, News::Change(change));
            }
        }
    }

    fn tell(&mut self, now: Micros, i: usize, news: News) {
        let wanted = self.actors[i].news(news).map(|at| at.max(now + 1));
        if let Some(at) = wanted.filter(|at| *at < self.due[i]) {
            self.schedule(Who::Actor(i), at);
        }
    }
}
