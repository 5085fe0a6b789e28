//! The row of a PTP message.

use gwcore::{Sym, Text, Ts};

gwcore::record! {
    /// One message of the Precision Time Protocol (IEEE 1588).
    pub struct PtpMessage, PtpColumns = "ptp", Pdu {
        /// Message type: `sync`, `delay_req`, `pdelay_req`, `pdelay_resp`, `follow_up`, `delay_resp`, `pdelay_resp_follow_up`, `announce`,
        /// `signaling`, `management`.
        message_type: Sym,
        /// versionPTP.
        version: u8,
        /// Domain number.
        domain: u8,
        /// Clock identity and port number of the sender.
        source_port_identity: Text,
        /// Sequence id.
        sequence_id: u16,
        /// flagField, its first octet high.
        flags: u16,
        /// Whether a follow-up carries the precise time.
        two_step: bool,
        /// correctionField.
        correction_ns: f64 ["ns"],
        /// Time the message carries: of sending, or in answers of receipt; absent when zero. On the PTP time scale this is TAI.
        origin_time: Option<Ts>,
        /// Time carried plus correction, less the time of the packet (of a follow-up: that of its sync), as UTC once an announce told the
        /// offset. It holds the delay from the sender to the point of capture and the error of the capture's own clock.
        offset_s: Option<f64> ["s"],
        /// Port whose request is answered, or that is addressed.
        target_port_identity: Option<Text>,
        /// Clock identity of the grandmaster.
        grandmaster: Option<Text>,
        /// Priority 1 of the grandmaster.
        priority1: Option<u8>,
        /// Priority 2 of the grandmaster.
        priority2: Option<u8>,
        /// Class of the grandmaster's clock.
        clock_class: Option<u8>,
        /// Accuracy of the grandmaster's clock (IEEE 1588 table of clockAccuracy).
        clock_accuracy: Option<u8>,
        /// Communication paths between the grandmaster and the sender.
        steps_removed: Option<u16>,
        /// Where the grandmaster has its time from.
        time_source: Option<Sym>,
        /// TAI less UTC.
        utc_offset: Option<i64> ["s"],
    }
}
