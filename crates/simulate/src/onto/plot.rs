//! Who does what to whom and when: the frames that an attack sends, and the exchanges that it puts into sessions of the capture.

use std::net::Ipv4Addr;

use super::Failure;
use super::asks::{self, Pace};
use super::exchange::{Exchange, Numbering};
use super::gaps::{Gap, gaps};
use super::live::Live;
use super::outside;
use super::pdu::Proto;
use super::site::{Host, Nanos, Pair, Site};
use super::source::Source;
use super::wire::{Conn, Frames, arp};
use crate::rng::Rng;
use crate::{Attack, Role};

pub(super) const MS: Nanos = 1_000_000;
pub(super) const SECOND: Nanos = 1_000 * MS;
/// Outstations that one attack acts on, if it is not of all.
const TARGETS: usize = 2;
/// Outstations whose breakers are moved at once.
const ALL: usize = 16;
/// From when on a connection is one that lives, rather than one of a single question.
const LIVES: (u64, Nanos) = (4, 5 * SECOND);
/// Exchanges that must find a place; what does not is left out.
const ENOUGH: usize = 8;

/// What is to be written into the copy of the capture.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) actor: String,
    pub(super) targets: Vec<String>,
    pub(super) frames: Frames,
    pub(super) sessions: Vec<(Live, Vec<Planned>)>,
}

/// An exchange with its place in a session.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) at: Nanos,
    pub(super) answered: Nanos,
    pub(super) acked: Option<Nanos>,
    pub(super) exchange: Exchange,
}

/// Everything that plotting needs.
pub(super) struct Scene<'a> {
    pub(super) site: &'a Site,
    pub(super) source: &'a Source<'a>,
    pub(super) attack: Attack,
    pub(super) role: Role,
    pub(super) rng: Rng,
}

impl Scene<'_> {
    /// Plots the attack, or says what the capture lacks for it.
    pub(super) fn plot(mut self) -> Result<Plot, Failure> {
        match self.attack {
            Attack::Scan => outside::scan(&mut self),
            Attack::Dos => outside::flood(&mut self),
            Attack::Beacon => outside::beacon(&mut self),
            Attack::Exfiltration => outside::exfiltration(&mut self),
            Attack::GooseSpoof => outside::goose_spoof(&mut self),
            Attack::BlockCommand | Attack::BlockReporting | Attack::Frozen | Attack::Mitm => {
                untried("it takes or changes messages of the capture, and only what is added can be put onto one")
            }
            _ => self.sessions(),
        }
    }

    /// A moment between these shares of the capture (per cent).
    pub(super) fn moment(&mut self, from: i64, to: i64) -> Nanos {
        let percent = self.site.span() / 100;
        self.site.start.saturating_add(self.draw(percent.saturating_mul(from), percent.saturating_mul(to)))
    }

    /// A time in a range.
    pub(super) fn draw(&mut self, low: Nanos, high: Nanos) -> Nanos {
        self.rng.between(low.max(0) as u64, high.max(0) as u64) as Nanos
    }

    /// The pairs, busiest first.
    pub(super) fn pairs(&self) -> Vec<&Pair> {
        let mut pairs: Vec<&Pair> = self.site.pairs.values().filter(|pair| pair.exchanges > 0).collect();
        pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.exchanges), pair.client, pair.server, pair.port));
        pairs
    }

    /// Who acts against this device; the master is the one of that session, or the busiest.
    pub(super) fn actor(&mut self, target: Option<Ipv4Addr>, master: Option<Ipv4Addr>) -> Result<Host, Failure> {
        let hosts = &self.site.hosts;
        match self.role {
            Role::Master => {
                let master = master.or_else(|| self.pairs().first().map(|pair| pair.client));
                let host = master.and_then(|ip| hosts.get(&ip));
                host.cloned()
                    .ok_or_else(|| Failure::Untried("the capture holds no master that asks an outstation".into()))
            }
            Role::Known => {
                let router = self.site.router();
                let is_third =
                    |host: &&Host| Some(host.ip) != target && Some(host.ip) != master && Some(host.mac) != router;
                let near = |host: &&Host| target.is_some_and(|target| target.octets()[..3] == host.ip.octets()[..3]);
                let best = hosts.values().filter(is_third).max_by_key(|h| (near(h), h.connects, h.frames, h.ip));
                best.cloned().ok_or_else(|| Failure::Untried("the capture shows no third device".into()))
            }
            Role::New => {
                let near = target.or_else(|| hosts.values().max_by_key(|h| (h.frames, h.ip)).map(|h| h.ip));
                let near = near.ok_or_else(|| Failure::Untried("the capture shows no IPv4 host".into()))?;
                Ok(self.stranger(near))
            }
        }
    }

    /// A device that the capture does not hold, in the network of another one.
    fn stranger(&mut self, near: Ipv4Addr) -> Host {
        let [a, b, c, _] = near.octets();
        let free = |last: &u8| !self.site.hosts.contains_key(&Ipv4Addr::new(a, b, c, *last));
        let first = self.rng.between(150, 240) as u8;
        let last = (first..=254).chain(2..first).find(free).unwrap_or(first);
        let tags = self.site.hosts.get(&near).map(|host| host.tags.clone()).unwrap_or_default();
        Host {
            ip: Ipv4Addr::new(a, b, c, last),
            mac: [0x00, 0xe0, 0x4c, self.rng.word() as u8, self.rng.word() as u8, self.rng.word() as u8],
            tags,
            ttl: 128,
            window: 1_026,
            syn: Some((64_240, vec![2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2])),
            id: self.rng.word() as u16 | 1,
            serves: Default::default(),
            connects: true,
            frames: 0,
        }
    }

    /// An attack within sessions with outstations.
    fn sessions(&mut self) -> Result<Plot, Failure> {
        let (attack, begin) = (self.attack, self.moment(50, 70));
        let pairs: Vec<Pair> = self.pairs().into_iter().cloned().collect();
        let most = if attack == Attack::MassTrip { ALL } else { TARGETS };
        let (mut plot, mut why) =
            (None::<Plot>, "the capture holds no session of a master with an outstation".to_owned());
        let mut at = begin;
        for pair in &pairs {
            let done = plot.as_ref().map_or(0, |plot: &Plot| plot.targets.len());
            let is_again = plot.as_ref().is_some_and(|plot| plot.targets.contains(&pair.server.to_string()));
            if done >= most || is_again {
                continue;
            }
            let (pace, exchanges) = match asks::asks(attack, pair, at, &mut self.rng) {
                Ok(asks) => asks,
                Err(reason) => {
                    why = reason;
                    continue;
                }
            };
            // A second device is attacked by whoever attacked the first.
            let first = plot.as_ref().map(|plot| plot.actor.clone());
            match self.session(pair, at, pace, exchanges, &mut plot) {
                Ok(()) if first.is_none() || attack == Attack::MassTrip => {}
                Ok(()) => break,
                Err(Failure::Untried(reason)) => why = reason,
                Err(other) => return Err(other),
            }
            at = at.saturating_add(if attack == Attack::MassTrip { 0 } else { self.draw(SECOND, 4 * SECOND) });
        }
        match plot {
            Some(plot) if attack != Attack::MassTrip || plot.targets.len() > 1 => Ok(plot),
            Some(_) => untried("only one outstation takes commands"),
            None => untried(&why),
        }
    }

    /// Adds what is done to one outstation.
    fn session(
        &mut self,
        pair: &Pair,
        at: Nanos,
        pace: Pace,
        exchanges: Vec<Exchange>,
        plot: &mut Option<Plot>,
    ) -> Result<(), Failure> {
        let server = self.site.hosts.get(&pair.server).cloned();
        let server = server.ok_or_else(|| Failure::Untried("the outstation is never heard".into()))?;
        let same = plot.as_ref().and_then(|plot| plot.actor.parse::<Ipv4Addr>().ok());
        let is_second = matches!(self.attack, Attack::RogueMaster | Attack::Takeover);
        let lives = pair.longest.exchanges >= LIVES.0 && pair.longest.last - pair.longest.first >= LIVES.1;
        if self.role == Role::Master && same.is_some_and(|same| same != pair.client) {
            return untried("another master asks that outstation");
        }
        let (actor, frames, session) = if self.role == Role::Master && lives && !is_second {
            let session = self.spliced(pair, pace, exchanges)?;
            (self.actor(None, Some(pair.client))?, Vec::new(), Some(session))
        } else {
            let known = same.and_then(|same| self.site.hosts.get(&same).cloned()).filter(|_| self.role != Role::New);
            let actor = match (known, plot.as_ref()) {
                (Some(known), _) => known,
                // The strange device goes on; it is not among the hosts.
                (None, Some(_)) => return untried("one strange device acts on one outstation"),
                (None, None) => self.actor(Some(pair.server), Some(pair.client))?,
            };
            if actor.ip == pair.server {
                return untried("the known device is the outstation itself");
            }
            let frames = self.own(&actor, &server, pair, at, pace, exchanges);
            (actor, frames, None)
        };
        let new =
            || Plot { actor: actor.ip.to_string(), targets: Vec::new(), frames: Vec::new(), sessions: Vec::new() };
        let plot = plot.get_or_insert_with(new);
        plot.targets.push(pair.server.to_string());
        plot.frames.extend(frames);
        plot.sessions.extend(session);
        Ok(())
    }

    /// A session that the actor opens itself: it asks what the master asks, does what it came for, and leaves.
    fn own(
        &mut self,
        actor: &Host,
        server: &Host,
        pair: &Pair,
        at: Nanos,
        pace: Pace,
        exchanges: Vec<Exchange>,
    ) -> Frames {
        let mut frames = Vec::new();
        let mut at = at;
        if self.role == Role::New {
            arp(&mut frames, at, actor, server, &mut self.rng);
            at += 2 * MS;
        }
        let port = self.rng.port();
        let mut conn = Conn::open(at, (actor, port), (server, pair.port), &mut self.rng);
        let mut numbering = match pair.proto {
            Proto::Modbus => Numbering::Modbus { next: self.rng.between(1, 60) as u16, step: 1 },
            Proto::Dnp3 => Numbering::dnp3(pair.links.unwrap_or((1, 10)), [0, 0], 0),
            Proto::Iec104 => Numbering::iec104(0, 0),
        };
        let begins = matches!(exchanges.first(), Some(Exchange::Unnumbered { .. }));
        let start = asks::start(pair).filter(|_| !begins);
        let polls = if begins { Vec::new() } else { asks::polls(pair) };
        let greeting: Vec<Exchange> = start.into_iter().chain(polls.into_iter().take(3)).collect();
        let greeted = greeting.len();
        for (i, exchange) in greeting.iter().chain(&exchanges).enumerate() {
            let pace = if i < greeted { Pace::Usual } else { pace };
            let mut at = conn.last().saturating_add(self.pause(pair, pace));
            for (n, (side, bytes)) in exchange.messages(&mut numbering).into_iter().enumerate() {
                at = if n == 0 { at } else { conn.last().saturating_add(self.response(pair)) };
                conn.send(at, side, &bytes);
            }
        }
        let left = conn.last().saturating_add(self.pause(pair, Pace::Usual));
        conn.close(left);
        frames.append(&mut conn.frames);
        frames
    }

    /// The master's own session: each exchange in one of its pauses.
    fn spliced(&mut self, pair: &Pair, pace: Pace, exchanges: Vec<Exchange>) -> Result<(Live, Vec<Planned>), Failure> {
        let longest = pair.longest;
        let life = longest.last - longest.first;
        let after = longest.first + life / 100 * 35 + self.draw(0, life / 5);
        let after = after.max(self.moment(50, 60).min(longest.first + life / 10 * 7));
        let mut gaps = gaps(self.source, pair, after, self.site.end)?.into_iter();
        let (mut planned, mut gap, mut used): (Vec<Planned>, Option<Gap>, bool) = (Vec::new(), gaps.next(), false);
        for exchange in exchanges.iter() {
            let answered = self.response(pair);
            let acked = pair.acks_alone().then(|| self.draw(4 * MS, 45 * MS));
            let longest = answered.saturating_mul(3) + acked.unwrap_or(0) + MS;
            while let Some(now) = gap {
                let room = now.to - now.from - longest;
                let pause = self.pause(pair, pace);
                let pause = if pause <= room {
                    Some(pause)
                } else if room > MS && (!used || pace == Pace::Fast) {
                    Some(self.draw(MS / 5, room))
                } else {
                    None
                };
                if let Some(pause) = pause {
                    let at = now.from + pause;
                    planned.push(Planned { at, answered, acked, exchange: exchange.clone() });
                    (gap, used) = (Some(Gap { from: at + longest, to: now.to }), true);
                    break;
                }
                (gap, used) = (gaps.next(), false);
            }
        }
        if planned.len() < exchanges.len().min(ENOUGH) {
            return untried("the master's sessions leave no pause long enough");
        }
        Ok((Live::new(longest.key, pair.proto), planned))
    }

    /// How long the master of the pair pauses, at most twenty seconds; half a second to three where it never did.
    fn pause(&mut self, pair: &Pair, pace: Pace) -> Nanos {
        match pace {
            Pace::Fast => self.draw(60 * MS, 160 * MS),
            Pace::Usual => self.one_of(&pair.pauses, (SECOND / 2, 3 * SECOND)).clamp(MS, 20 * SECOND),
        }
    }

    fn response(&mut self, pair: &Pair) -> Nanos {
        self.one_of(&pair.responses, (2 * MS, 20 * MS)).clamp(MS / 10, SECOND)
    }

    fn one_of(&mut self, times: &[Nanos], otherwise: (Nanos, Nanos)) -> Nanos {
        let place = self.rng.between(0, times.len() as u64) as usize;
        match times.get(place) {
            Some(time) => time.saturating_add(self.draw(0, time / 20)),
            None => self.draw(otherwise.0, otherwise.1),
        }
    }
}

pub(super) fn untried<T>(why: &str) -> Result<T, Failure> {
    Err(Failure::Untried(why.to_owned()))
}
