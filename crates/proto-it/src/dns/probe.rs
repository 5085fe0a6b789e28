//! How sure bytes are DNS, before anything is known of their flow.

use proto::{Carrier, Hint, Probe};

use super::{
    parse::{Header, Message, Question},
    table,
};

/// Ports of DNS, mDNS and LLMNR.
const PORTS: [u16; 3] = [53, 5353, 5355];
/// NetBIOS name service: the same grammar, another protocol.
const NBNS: u16 = 137;

/// How sure one message of `length` bytes, of which `bytes` are there, is DNS. On a port of the family a sane header and first question
/// do; elsewhere everything must be there and be right.
pub fn probe_message(bytes: &[u8], length: usize, hint: &Hint) -> Probe {
    let Some(header) = Header::read(bytes) else {
        return if bytes.len() < length { Probe::Unsure } else { Probe::No };
    };
    let on_port = PORTS.iter().any(|p| hint.port(*p));
    let mdns = hint.port(5353);
    if hint.port(NBNS) || !is_sane(&header, on_port, length) {
        return Probe::No;
    }
    let question = match (header.counts[0], Question::read(bytes, Header::BYTES)) {
        (0, _) => None,
        (_, Ok((question, _))) => Some(question),
        (_, Err("truncated_name" | "truncated_question")) if bytes.len() < length => return Probe::Unsure,
        // Few bytes that are not DNS have such a header: what breaks the question behind it is to be told, not passed over.
        (1, Err(_)) if on_port && hint.carrier == Carrier::Datagram => return Probe::Certain,
        (_, Err(_)) => return if on_port { Probe::Maybe } else { Probe::No },
    };
    let known = |class: u16| table::class_name(if mdns { class & 0x7fff } else { class }).is_some();
    match question {
        Some(q) if !known(q.qclass) => return if on_port { Probe::Maybe } else { Probe::No },
        _ if on_port => return Probe::Certain,
        Some(q) if table::type_name(q.qtype).is_some() => {}
        _ => return Probe::No,
    }
    let whole = bytes.len() == length && Message::parse(bytes).is_some_and(|m| m.is_whole());
    if whole { Probe::Certain } else { Probe::Maybe }
}

/// Whether a header makes sense: a defined operation (or, on a port of the family, one question of any), the reserved bit clear, no error
/// code in a query, and counts that the length can hold (one question and few records off the ports of the family; a truncated message may
/// count what is not there).
fn is_sane(header: &Header, on_port: bool, length: usize) -> bool {
    let [questions, answers, authorities, _] = header.counts;
    let least = Header::BYTES + usize::from(questions) * 5 + header.records() * 11;
    let is_query = !header.is_response();
    let empty = questions == 0 && header.records() == 0;
    let known = table::opcode_name(header.opcode()).is_some() || on_port && questions == 1;
    let defined = known && header.flags & 0x40 == 0;
    let counted = usize::from(questions) * 5 + Header::BYTES <= length || on_port && questions == 1;
    let plain_query = header.opcode() == 0 && is_query;
    defined
        && counted
        && (!is_query || header.rcode() == 0)
        && (!empty || (on_port && (!is_query || header.opcode() == 6)))
        && (on_port || (questions == 1 && least <= length && !(plain_query && answers + authorities > 0)))
}
