//! Attacks onto captures made by hand: what is put in, what is counted on, what is refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gwcore::Limits;
use testkit::{Pcap, Session, Stack};

use super::reader::{Body, read};
use super::{Failure, Onto};
use crate::dnp3::{FIR_FIN, Station, function, request, response};
use crate::iec104::Numbers;
use crate::modbus::{adu, registers, words};
use crate::{Attack, Role};

const SECOND: i64 = 1_000_000_000;

/// A capture on the disk that goes with its test.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("gridwarden-onto-{}-{name}.pcap", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A master reads a holding register every two seconds.
fn modbus() -> Vec<u8> {
    let mut session = Session::new(1_700_000_000 * SECOND, 502);
    session.acks = false;
    session.open();
    for i in 0..60u16 {
        session.wait(2 * SECOND).client(&adu(100 + i, 3, &words(3, 8, 2)));
        session.wait(5_000_000).server(&adu(100 + i, 3, &registers(3, &[700 + i, 9])));
    }
    session.close().pcap()
}

/// A master asks for class 1 every two seconds.
fn dnp3() -> Vec<u8> {
    let mut session = Session::new(1_700_000_000 * SECOND, 20_000);
    let mut master = Station { own: 1, peer: 10, is_master: true, transport: 60 };
    let mut outstation = Station { own: 10, peer: 1, is_master: false, transport: 3 };
    session.acks = false;
    session.open();
    for i in 0..60u8 {
        let control = FIR_FIN | i & 15;
        session.wait(2 * SECOND).client(&master.frames(&request(control, function::READ, &[60, 2, 6])));
        let answer = response(control, function::RESPONSE, 0, &[]);
        session.wait(5_000_000).server(&outstation.frames(&answer));
    }
    session.pcap()
}

/// A client commands one point every two seconds.
fn iec104() -> Vec<u8> {
    let mut session = Session::new(1_700_000_000 * SECOND, 2_404);
    let (mut client, mut server) = (Numbers { sent: 0x7ff0, received: 5 }, Numbers { sent: 5, received: 0x7ff0 });
    session.acks = false;
    session.open();
    for _ in 0..40 {
        let command = |cause| [45, 1, cause, 0, 7, 0, 9, 0, 0, 1];
        session.wait(2 * SECOND).client(&client.numbered(&command(6)));
        server.receive();
        session.wait(5_000_000).server(&server.numbered(&command(7)));
        client.receive();
    }
    session.pcap()
}

/// Copy, labels and labels of frames.
fn written(file: &File, attack: Attack, role: Role) -> Result<(Vec<u8>, String, String), Failure> {
    let (limits, mut out) = (Limits::default(), (Vec::new(), Vec::new(), Vec::new()));
    Onto::plan(&file.0, attack, role, 1, &limits)?.write(&mut out.0, &mut out.1, &mut out.2)?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ok((out.0, text(out.1), text(out.2)))
}

/// Times in nanoseconds and octets of the frames of a classic capture.
fn frames(pcap: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let scale = if pcap[0] == 0x4d { 1 } else { 1_000 };
    let word = |at: usize| i64::from(u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap()));
    let (mut at, mut out) = (24, Vec::new());
    while at < pcap.len() {
        let len = word(at + 8) as usize;
        out.push((word(at) * SECOND + word(at + 4) * scale, pcap[at + 16..at + 16 + len].to_vec()));
        at += 16 + len;
    }
    out
}

/// The streams of both directions by their first port, each octet where its sequence number puts it; nothing sent twice, nothing missing.
fn streams(frames: &[(i64, Vec<u8>)]) -> BTreeMap<u16, Vec<u8>> {
    let mut next: BTreeMap<u16, u32> = BTreeMap::new();
    let mut out: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    for (_, frame) in frames {
        let Some(Body::Tcp(segment)) = read(frame).map(|seen| seen.body) else { continue };
        let place = next.entry(segment.src).or_insert(segment.seq);
        assert_eq!(*place, segment.seq, "the sequence goes on");
        *place = place.wrapping_add(segment.len + u32::from(segment.flags & 3 != 0));
        out.entry(segment.src).or_default().extend(segment.data);
        if segment.flags & 0x10 != 0
            && let Some(peer) = next.get(&segment.dst)
        {
            assert_eq!(*peer, segment.ack, "what was sent is acknowledged");
        }
        let mut sealed = frame.clone();
        crate::seal::seal(&mut sealed);
        assert_eq!(&sealed, frame, "checksums are right");
    }
    out
}

/// The frames that were not added, and those that were.
fn parted(copy: &(Vec<u8>, String, String)) -> (Vec<(i64, Vec<u8>)>, Vec<(i64, Vec<u8>)>) {
    let labelled: Vec<usize> =
        copy.2.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    let all = frames(&copy.0);
    assert!(all.is_sorted_by_key(|frame| frame.0));
    let (added, kept) = all.into_iter().enumerate().partition::<Vec<_>, _>(|(i, _)| labelled.contains(&(i + 1)));
    let strip = |list: Vec<(usize, (i64, Vec<u8>))>| list.into_iter().map(|(_, frame)| frame).collect();
    (strip(kept), strip(added))
}

#[test]
fn a_write_in_the_masters_session_is_counted_on() {
    let file = File::new("modbus", &modbus());
    let copy = written(&file, Attack::Setpoint, Role::Master).unwrap();
    let (kept, added) = parted(&copy);
    let before = frames(&modbus());
    assert_eq!(kept.len(), before.len());
    assert!(kept.iter().zip(&before).all(|(a, b)| a.0 == b.0), "times stay");
    assert_eq!(added.len(), 8, "four writes with their echoes");
    let streams = streams(&frames(&copy.0));
    let requests = streams.iter().find(|(port, _)| **port != 502).unwrap().1;
    let numbers: Vec<u16> = requests.chunks(12).map(|adu| u16::from_be_bytes([adu[0], adu[1]])).collect();
    assert_eq!(numbers, (100..164).collect::<Vec<u16>>(), "transactions go on");
    let writes: Vec<&[u8]> = requests.chunks(12).filter(|adu| adu[7] == 6).collect();
    assert_eq!(writes.len(), 4);
    assert!(writes.iter().all(|adu| adu[6] == 3 && adu[8..10] == [0, 8]), "unit and register as they are polled");
    assert_eq!(streams[&502].len(), 60 * 13 + 4 * 12);
    assert!(copy.1.lines().nth(1).unwrap().contains(",setpoint,10.0.0.1,10.0.0.2,"), "{}", copy.1);
}

#[test]
fn before_the_attack_nothing_differs() {
    let file = File::new("before", &modbus());
    let (kept, added) = parted(&written(&file, Attack::Setpoint, Role::Master).unwrap());
    let (first, before) = (added[0].0, frames(&modbus()));
    assert!(kept.iter().zip(&before).all(|(a, b)| a.0 > first || a == b));
    let (kept, _) = parted(&written(&file, Attack::Setpoint, Role::New).unwrap());
    assert_eq!(kept, before, "a session of its own changes nothing of others");
}

#[test]
fn dnp3_sequences_go_on_around_a_command() {
    let file = File::new("dnp3", &dnp3());
    let copy = written(&file, Attack::BruteForceIo, Role::Master).unwrap();
    let streams = streams(&frames(&copy.0));
    let requests = streams.iter().find(|(port, _)| **port != 20_000).unwrap().1;
    let pdus = super::pdu::Proto::Dnp3.split(requests).unwrap();
    assert!(pdus.len() > 70);
    for (i, pdu) in pdus.iter().enumerate() {
        assert_eq!(usize::from(pdu[10] & 0x3f), (60 + i) & 0x3f, "transport sequence of {i}");
        assert_eq!(usize::from(pdu[11] & 15), i & 15, "application sequence of {i}");
        let sum = u16::from_le_bytes(pdu[pdu.len() - 2..].try_into().unwrap());
        let block = (pdu.len() - 10 - 1) % 18 + 1;
        assert_eq!(crate::dnp3::crc(&pdu[pdu.len() - block..pdu.len() - 2]), sum);
    }
    assert_eq!(super::pdu::Proto::Dnp3.split(&streams[&20_000]).unwrap().len(), pdus.len(), "each is answered");
}

#[test]
fn iec104_numbers_go_on_over_their_wrap() {
    let file = File::new("iec104", &iec104());
    let copy = written(&file, Attack::Replay, Role::Master).unwrap();
    let streams = streams(&frames(&copy.0));
    let sent = |pdu: &[u8]| u16::from_le_bytes([pdu[2], pdu[3]]) >> 1;
    for (port, first) in [(streams.keys().copied().find(|port| *port != 2_404).unwrap(), 0x7ff0), (2_404, 5)] {
        for (i, pdu) in super::pdu::Proto::Iec104.split(&streams[&port]).unwrap().iter().enumerate() {
            assert_eq!(sent(pdu), (first + i as u16) & 0x7fff, "{i} of port {port}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let file = File::new("same", &modbus());
    for (attack, role) in [(Attack::Scan, Role::New), (Attack::Setpoint, Role::Master), (Attack::Beacon, Role::Master)]
    {
        assert_eq!(written(&file, attack, role).unwrap(), written(&file, attack, role).unwrap(), "{attack}");
    }
}

#[test]
fn what_the_capture_lacks_is_said() {
    let check = |file: &File, attack, role, part: &str| {
        let said = written(file, attack, role).unwrap_err().to_string();
        assert!(said.starts_with("cannot be tried: ") && said.contains(part) && !said.contains('\n'), "{said}");
    };
    let file = File::new("lacks", &modbus());
    check(&file, Attack::Takeover, Role::New, "no IEC 104 outstation");
    check(&file, Attack::Replay, Role::New, "no master of the capture gives a command");
    check(&file, Attack::Scan, Role::Known, "no third device");
    check(&file, Attack::Setpoint, Role::Known, "no third device");
    check(&file, Attack::GooseSpoof, Role::New, "nobody publishes GOOSE");
    check(&file, Attack::GooseSpoof, Role::Master, "makes no sense by `master`");
    check(&file, Attack::Mitm, Role::New, "takes or changes messages");
    check(&File::new("empty", &Pcap::micros(1).bytes()), Attack::Scan, Role::New, "no frame");
    let mut raw = Pcap::micros(101);
    raw.frame(SECOND, &[0x45; 40]);
    check(&File::new("raw", &raw.bytes()), Attack::Scan, Role::New, "not one of Ethernet");
    let mut arp = Pcap::micros(1);
    arp.frame(SECOND, &Stack::new().eth([2; 6], [4; 6]).payload(&[0; 46]).bytes());
    check(&File::new("bare", &arp.bytes()), Attack::Setpoint, Role::New, "no session of a master");
}

#[test]
fn a_damaged_capture_is_refused_and_a_damaged_frame_is_not() {
    let whole = modbus();
    let bad = File::new("bad", b"no capture at all");
    let said = written(&bad, Attack::Scan, Role::New).unwrap_err().to_string();
    assert!(said.starts_with("cannot read `"), "{said}");
    // Every 97th octet of the frames is another one; the records stay whole.
    let mut pcap = Pcap::micros(1);
    for (i, (at, mut frame)) in frames(&whole).into_iter().enumerate() {
        let place = i * 97 % frame.len();
        frame[place] ^= 0xff;
        pcap.frame(at, &frame);
    }
    let file = File::new("flipped", &pcap.bytes());
    for attack in Attack::ALL {
        for role in Role::ALL {
            match written(&file, attack, role) {
                Ok((copy, ..)) => assert!(frames(&copy).len() >= frames(&whole).len(), "{attack} by {role}"),
                Err(error) => assert!(error.to_string().starts_with("cannot be tried: "), "{error}"),
            }
        }
    }
}

#[test]
fn small_limits_make_it_see_less_and_do_no_harm() {
    let file = File::new("small", &modbus());
    let (mut limits, mut sink) = (Limits::scaled(1_000_000), Vec::new());
    limits.set(gwcore::Limit::SiteExchanges, 1);
    let planned = Onto::plan(&file.0, Attack::Setpoint, Role::New, 1, &limits);
    let said = planned.map(|_| ()).unwrap_err().to_string();
    assert!(said.starts_with("cannot be tried: "), "{said}");
    limits.set(gwcore::Limit::SiteHosts, 2);
    let planned = Onto::plan(&file.0, Attack::Setpoint, Role::New, 1, &limits).unwrap();
    planned.write(&mut sink, std::io::sink(), std::io::sink()).unwrap();
    assert!(frames(&sink).len() > 130);
}
