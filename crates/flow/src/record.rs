//! The records of a flow: `conn` at its end with Zeek's meaning of every field, `conn_part` while it lives.

use gwcore::{Span, Sym, Text};

gwcore::record! {
    /// A conversation that has ended (Zeek's conn.log; fields of the same name mean the same). Its time is that of the first packet.
    pub struct Conn, ConnColumns = "conn", Flow {
        /// Transport: tcp, udp, icmp, unknown_transport; link without IP.
        proto: Sym,
        /// Protocol recognised by content.
        service: Option<Sym>,
        /// From the first packet to the last; absent for a single packet.
        duration: Option<Span> ["s"],
        /// Payload bytes of the originator; for TCP by sequence numbers, so lost ones count. Absent without a duration.
        orig_bytes: Option<u64> ["B"],
        /// Payload bytes of the responder.
        resp_bytes: Option<u64> ["B"],
        /// S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR or OTH.
        conn_state: Sym,
        /// Whether the originator's address is private or local.
        local_orig: bool,
        /// Whether the responder's address is private or local.
        local_resp: bool,
        /// Bytes of the TCP streams that were not seen.
        missed_bytes: u64 ["B"],
        /// What happened in order, upper case for the originator: s SYN, h SYN-ACK, a ACK, d data, f FIN, r RST, c wrong checksum,
        /// g gap, t retransmission, w zero window, i inconsistent, q several of SYN, FIN, RST, ^ direction flipped. c, g, t and w
        /// come again at 10, 100, 1000 …
        history: Option<Text>,
        /// Packets of the originator.
        orig_pkts: u64,
        /// Bytes of its IP packets (for link: of its frames).
        orig_ip_bytes: u64 ["B"],
        /// Packets of the responder.
        resp_pkts: u64,
        /// Bytes of its IP packets (for link: of its frames).
        resp_ip_bytes: u64 ["B"],
        /// Outermost tunnel that carried it.
        tunnel: Option<Sym>,
        /// Mirrored copies of its packets; in no other counter.
        dup_pkts: u64,
        /// From the SYN to the ACK of the SYN-ACK; absent when one was repeated or not seen.
        handshake_rtt: Option<Span> ["s"],
        /// Shortest time from data to its ACK, retransmitted data left out (RFC 6298 §3).
        data_rtt_min: Option<Span> ["s"],
        /// Mean of the same.
        data_rtt_mean: Option<Span> ["s"],
        /// Payload bytes that the originator sent again.
        orig_retransmitted_bytes: u64 ["B"],
        /// Payload bytes that the responder sent again.
        resp_retransmitted_bytes: u64 ["B"],
        /// How long either side announced a window of zero, both sides added.
        zero_window: Span ["s"],
        /// TCP segments that brought new bytes after later ones had come.
        out_of_order: u64,
        /// TCP segments that sent known bytes again with other content.
        overlaps: u64,
        /// Why it ended: closed, reset, attempt, inactive, reused, evicted or finish (the input ended).
        end_reason: Sym,
    }
}

gwcore::record! {
    /// Five minutes of a conversation that is older than five minutes. Its time is the end of the interval.
    pub struct ConnPart, ConnPartColumns = "conn_part", Flow {
        /// Transport, as in `conn`.
        proto: Sym,
        /// Protocol recognised by content so far.
        service: Option<Sym>,
        /// Age of the flow at the end of the interval.
        age: Span ["s"],
        /// Payload bytes of the originator in the interval.
        orig_bytes: u64 ["B"],
        /// Payload bytes of the responder in the interval.
        resp_bytes: u64 ["B"],
        /// Packets of the originator in the interval.
        orig_pkts: u64,
        /// Packets of the responder in the interval.
        resp_pkts: u64,
        /// Bytes of the originator's IP packets in the interval.
        orig_ip_bytes: u64 ["B"],
        /// Bytes of the responder's IP packets in the interval.
        resp_ip_bytes: u64 ["B"],
        /// Payload bytes of the originator since the flow began.
        orig_bytes_total: u64 ["B"],
        /// Payload bytes of the responder since the flow began.
        resp_bytes_total: u64 ["B"],
        /// Packets of the originator since the flow began.
        orig_pkts_total: u64,
        /// Packets of the responder since the flow began.
        resp_pkts_total: u64,
    }
}
