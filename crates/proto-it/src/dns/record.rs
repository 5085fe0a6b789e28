//! The `dns` kind: one query with its answer, under Zeek's names.

use gwcore::{List, Span, Sym, Text};

gwcore::record! {
    /// A DNS, mDNS or LLMNR transaction: a query and the response to it, or one of them when the other was not seen. Named as Zeek's `dns.log`.
    pub struct DnsRow, DnsColumns = "dns", Transaction {
        /// Which of the family: `dns`, `mdns` (RFC 6762) or `llmnr` (RFC 4795), told by the port.
        proto_variant: Sym,
        /// Transaction id (RFC 1035 §4.1.1).
        trans_id: u16,
        /// Frame that completed the query.
        query_frame: Option<u64>,
        /// Frame that completed the response.
        response_frame: Option<u64>,
        /// From query to response.
        rtt: Option<Span> ["s"],
        /// Name of the first question; the root is `.`, a dot inside a label is `\.`.
        query: Option<Text>,
        /// Class of the first question; in mDNS without the unicast-response bit.
        qclass: Option<u16>,
        /// Name of the class, where known.
        qclass_name: Option<Sym>,
        /// Type of the first question.
        qtype: Option<u16>,
        /// Name of the type, where known.
        qtype_name: Option<Sym>,
        /// Response code in the header (4 bits).
        rcode: Option<u16>,
        /// Name of the response code, the extended one where there is one.
        rcode_name: Option<Sym>,
        /// Response code with the upper bits from EDNS (RFC 6891 §6.1.3), where EDNS gives any.
        extended_rcode: Option<u16>,
        /// Operation.
        opcode: u8,
        /// Name of the operation, where known.
        opcode_name: Option<Sym>,
        /// Authoritative answer (of the response).
        aa: bool,
        /// Query or response is truncated.
        tc: bool,
        /// Recursion desired (of the query, of the response when there is no query).
        rd: bool,
        /// Recursion available (of the response).
        ra: bool,
        /// The three bits after `ra`: reserved, authentic data, checking disabled (of the query, of the response when there is no query).
        z: u8,
        /// The header's second word in the query.
        query_flags: Option<u16>,
        /// The header's second word in the response.
        response_flags: Option<u16>,
        /// The response holds no records at all, or an error without a question.
        rejected: bool,
        /// Questions in the query (in the response when there is no query).
        total_questions: u16,
        /// Questions in the response (in the query when there is no response).
        num_queries: u16,
        /// Answer records, counted likewise.
        num_answers: u16,
        /// Authority records, counted likewise.
        num_authorities: u16,
        /// Additional records, counted likewise.
        num_additionals: u16,
        /// The answers' data, one text per record: an address, a name, `TXT 5 hello` …; empty where there is no text for it.
        answers: List<Text>,
        /// Time to live of each answer.
        ttls: List<f64> ["s"],
        /// Owner name of each answer.
        answer_names: List<Text>,
        /// Type of each answer.
        answer_types: List<u16>,
        /// All data of each answer where `answers` holds only a part: `MX` preference, `SRV` priority, weight and port, `SOA` numbers …; else empty.
        answer_rdata: List<Text>,
        /// The authority records' data; in a dynamic update the records to be changed.
        auth: List<Text>,
        /// Time to live of each authority record.
        auth_ttls: List<f64> ["s"],
        /// Owner name of each authority record.
        auth_names: List<Text>,
        /// Type of each authority record.
        auth_types: List<u16>,
        /// All data of each authority record where `auth` holds only a part.
        auth_rdata: List<Text>,
        /// The additional records' data, without EDNS.
        addl: List<Text>,
        /// Time to live of each additional record.
        addl_ttls: List<f64> ["s"],
        /// Owner name of each additional record.
        addl_names: List<Text>,
        /// Type of each additional record.
        addl_types: List<u16>,
        /// All data of each additional record where `addl` holds only a part.
        addl_rdata: List<Text>,
        /// EDNS version (of the query, of the response when the query has none).
        edns_version: Option<u8>,
        /// Largest datagram the sender takes, by EDNS.
        edns_udp_size: Option<u16> ["B"],
        /// The sender wants DNSSEC records.
        edns_do: Option<bool>,
    }
}
