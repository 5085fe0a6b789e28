//! The row of a transaction from its query, its response, or both.

use gwcore::Span;
use proto::{Cx, Mark};

use super::{
    DnsRow, Query, UPDATE, is_paired,
    parse::{Header, Message},
    table, variant,
};

/// Writes the row of a query, a response, or both. A lone response stands under the direction of the client, in multicast of its sender.
pub fn emit(query: Option<(Mark, &Query)>, response: Option<(Mark, &Message)>, cx: &mut Cx<'_>) {
    let (q, r) = (query.map(|q| &q.1.header), response.map(|r| &r.1.header));
    let (Some(asked), Some(counted)) = (q.or(r), r.or(q)) else { return };
    let mark = match (query, response) {
        (Some((mark, _)), _) => mark,
        (None, Some((mark, _))) if is_paired(cx) => Mark { dir: mark.dir.flip(), ..mark },
        (None, Some((mark, _))) => mark,
        (None, None) => return,
    };
    let variant = variant(cx);
    let class = |class: u16| if variant == "mdns" { class & 0x7fff } else { class };
    let question = query.and_then(|q| q.1.question.as_ref()).or(response.and_then(|r| r.1.question.as_ref()));
    let answered = |m: &Message| m.sections.first().and_then(|s| s.names.slices().first().map(|n| n.to_vec()));
    let owner = if question.is_none() { response.and_then(|r| answered(r.1)) } else { None };
    let high = response.and_then(|r| r.1.edns).map(|e| e.rcode_high).filter(|high| *high > 0);
    let extended_rcode = r.zip(high).map(|(r, high)| u16::from(high) << 4 | r.rcode());
    let rcode = r.map(Header::rcode);
    let edns = query.and_then(|q| q.1.edns).or(response.and_then(|r| r.1.edns));
    let rtt = query.zip(response).map(|(q, r)| r.0.ts.since(q.0.ts)).filter(|ns| *ns >= 0);
    let update = query.filter(|q| q.1.header.opcode() == UPDATE).map(|q| &q.1.update);
    let none = Default::default();
    let [answers, auth, addl] = update.or(response.map(|r| &r.1.sections)).unwrap_or(&none);
    let [num_queries, num_answers, num_authorities, num_additionals] = counted.counts;
    cx.emit_at(
        mark,
        DnsRow {
            proto_variant: variant,
            trans_id: asked.id,
            query_frame: query.map(|q| q.0.frame),
            response_frame: response.map(|r| r.0.frame),
            rtt: rtt.map(Span),
            query: question.map(|q| &q.name[..]).or(owner.as_deref()),
            qclass: question.map(|q| class(q.qclass)),
            qclass_name: question.and_then(|q| table::class_name(class(q.qclass))),
            qtype: question.map(|q| q.qtype),
            qtype_name: question.and_then(|q| table::type_name(q.qtype)),
            rcode,
            rcode_name: extended_rcode.or(rcode).and_then(table::rcode_name),
            extended_rcode,
            opcode: asked.opcode(),
            opcode_name: table::opcode_name(asked.opcode()),
            aa: r.is_some_and(Header::aa),
            tc: q.is_some_and(Header::tc) || r.is_some_and(Header::tc),
            rd: asked.rd(),
            ra: r.is_some_and(Header::ra),
            z: asked.z(),
            query_flags: q.map(|h| h.flags),
            response_flags: r.map(|h| h.flags),
            rejected: r.is_some_and(|r| r.records() == 0 || (r.rcode() != 0 && num_queries == 0)),
            total_questions: asked.counts[0],
            num_queries,
            num_answers,
            num_authorities,
            num_additionals,
            answers: &answers.texts.slices(),
            ttls: &answers.ttls,
            answer_names: &answers.names.slices(),
            answer_types: &answers.types,
            answer_rdata: &answers.rdata.slices(),
            auth: &auth.texts.slices(),
            auth_ttls: &auth.ttls,
            auth_names: &auth.names.slices(),
            auth_types: &auth.types,
            auth_rdata: &auth.rdata.slices(),
            addl: &addl.texts.slices(),
            addl_ttls: &addl.ttls,
            addl_names: &addl.names.slices(),
            addl_types: &addl.types,
            addl_rdata: &addl.rdata.slices(),
            edns_version: edns.map(|e| e.version),
            edns_udp_size: edns.map(|e| e.udp_size),
            edns_do: edns.map(|e| e.dnssec_ok),
        },
    );
}
