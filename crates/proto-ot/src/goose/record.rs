//! The row of a GOOSE message.

use gwcore::{List, Sym, Text, Ts};

gwcore::record! {
    /// One GOOSE message (IEC 61850-8-1).
    pub struct GooseMessage, GooseColumns = "goose", Pdu {
        /// APPID; 0x8000–0xbfff are messages of type 1A.
        appid: u16,
        /// Octets from APPID on, as stated.
        length: u16 ["B"],
        /// GOOSE control block reference.
        gocb_ref: Option<Text>,
        /// Data set reference.
        data_set: Option<Text>,
        /// GOOSE id.
        go_id: Option<Text>,
        /// When the state number was last raised.
        t: Option<Ts>,
        /// Quality of `t`: `synchronized` or `clock_failure`, `clock_not_synchronized`; and `leap_seconds_known`.
        t_quality: Option<List<Sym>>,
        /// Bits of the fraction of `t` that are right; absent when unspecified (31).
        t_accuracy: Option<u8> ["bit"],
        /// State number: raised with each change of the data set.
        st_num: Option<u64>,
        /// Sequence number: raised with each retransmission.
        sq_num: Option<u64>,
        /// Time allowed to live: how long a subscriber waits for the next message.
        ttl_ms: Option<u64> ["ms"],
        /// Configuration revision.
        conf_rev: Option<u64>,
        /// Simulation (edition 1: test).
        simulation: Option<bool>,
        /// S bit of the first reserved field.
        header_simulation: bool,
        /// Needs commissioning.
        nds_com: Option<bool>,
        /// Number of entries stated.
        num_entries: Option<u64>,
        /// Each entry as text: structures in `{}`, arrays in `[]`, bit strings as 0 and 1, octets in hexadecimal.
        values: List<Text>,
        /// Type of each entry.
        value_types: List<Sym>,
        /// Against the message before: `first`, `retransmission`, `change`, `copy` (PRP or a second path), or `sqnum_backwards`,
        /// `sqnum_gap`, `sqnum_repeated`, `stnum_backwards`, `stnum_jump`, `content_changed`; `unknown` when numbers are missing.
        state: Sym,
        /// Copies of this message seen so far, this one included.
        copies: u32,
    }
}
