//! Rows: a link frame, its fragment, and the objects in it.

use std::hash::{DefaultHasher, Hash, Hasher};

use gwcore::Span;
use proto::{Cx, Mark};

use super::app::{Fragment, is_answer};
use super::facts::{self, Digest};
use super::objects;
use super::record::{Dnp3Object, Dnp3Pdu};
use super::state::{Envelope, Held, Selected};
use super::table;

/// What a row says about the other half of its exchange.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pairing {
    /// Frame of the other half.
    pub frame: Option<u64>,
    /// Time since the other half, on the later one.
    pub after: Option<Span>,
    /// For OPERATE, its selection.
    pub select: Option<Selected>,
}

impl Pairing {
    /// The later half of an exchange.
    pub fn later(first: Mark, cx: &Cx<'_>) -> Pairing {
        Pairing { frame: Some(first.frame), after: Some(Span(cx.now().since(first.ts).max(0))), select: None }
    }
}

/// Writes the row of a frame that completes no fragment.
pub fn frame(envelope: &Envelope, cx: &mut Cx<'_>) {
    cx.emit(row(envelope));
}

/// Writes the rows of a fragment kept earlier.
pub fn held(held: &Held, frame: Option<u64>, cx: &mut Cx<'_>) {
    let pairing = Pairing { frame, after: None, select: held.select };
    fragment(held.mark, &held.envelope, &held.bytes, &held.digest, pairing, cx);
}

/// Writes the row of a fragment and the rows of its objects.
pub fn fragment(mark: Mark, envelope: &Envelope, bytes: &[u8], digest: &Digest, pairing: Pairing, cx: &mut Cx<'_>) {
    let Some(fragment) = Fragment::parse(bytes) else { return };
    let mut names = Vec::new();
    table::iin_names(fragment.iin.unwrap_or(0), &mut names);
    let walked = digest.walked;
    let stamp = cx.emit_at(
        mark,
        Dnp3Pdu {
            is_request: Some(!is_answer(fragment.function)),
            fragment_length: u32::try_from(bytes.len()).ok(),
            function_code: Some(fragment.function),
            function_name: Some(table::function_name(fragment.function).unwrap_or("unknown")),
            fir: Some(fragment.fir()),
            fin: Some(fragment.fin()),
            con: Some(fragment.con()),
            uns: Some(fragment.uns()),
            app_seq: Some(fragment.seq()),
            iin: fragment.iin,
            iin_names: fragment.iin.map(|_| names.as_slice()),
            num_headers: Some(walked.headers),
            num_objects: Some(walked.rows),
            objects_left_out: (walked.left_out > 0).then_some(walked.left_out),
            pair: pairing.frame,
            response_time: pairing.after,
            select_pair: pairing.select.and_then(|s| s.frame),
            select_matches: pairing.select.map(|s| s.matches),
            ..row(envelope)
        },
    );
    let cap = facts::cap(bytes.len(), cx);
    objects::walk(fragment.function, fragment.body, cap, &mut |o: Dnp3Object<'_>| cx.emit_child(stamp, o));
}

/// What link and transport headers say.
fn row<'a>(envelope: &Envelope) -> Dnp3Pdu<'a> {
    let link = envelope.link;
    Dnp3Pdu {
        is_request: None,
        link_src: link.src,
        link_dst: link.dst,
        link_function: link.function(),
        link_function_name: table::link_function_name(link.prm(), link.function()),
        dir: u8::from(link.by_master()),
        prm: link.prm(),
        fcb: link.fcb(),
        fcv: link.fcv(),
        crc_ok: envelope.crc_ok,
        transport_seq: envelope.octet.map(|o| o.seq()),
        transport_fir: envelope.octet.map(|o| o.fir()),
        transport_fin: envelope.octet.map(|o| o.fin()),
        segments: envelope.segments,
        fragment_length: None,
        function_code: None,
        function_name: None,
        fir: None,
        fin: None,
        con: None,
        uns: None,
        app_seq: None,
        iin: None,
        iin_names: None,
        num_headers: None,
        num_objects: None,
        objects_left_out: None,
        pair: None,
        response_time: None,
        select_pair: None,
        select_matches: None,
    }
}

/// Hash of what a fragment asks for: link addresses, function and body, not its sequence number.
pub fn request_hash(envelope: &Envelope, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (envelope.link.src, envelope.link.dst, bytes.get(1..)).hash(&mut hasher);
    hasher.finish()
}
