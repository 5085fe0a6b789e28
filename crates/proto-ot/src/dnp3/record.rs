//! The record kinds: one row a link frame, and one row for each object or object header of its fragment.

use gwcore::{Hex, List, Span, Sym, Text, Ts};

gwcore::record! {
    /// One DNP3 link frame (IEEE 1815). A frame that completes an application fragment carries the fragment; one that does not (a
    /// transport segment of several) has `transport_seq` and no `function_code`; one without user data has neither.
    pub struct Dnp3Pdu, Dnp3Columns = "dnp3", Pdu {
        /// Whether a master asks, as the function code tells; absent without a fragment.
        is_request: Option<bool>,
        /// Link address of the sender, §9.2.4.5.
        link_src: u16,
        /// Link address of the receiver.
        link_dst: u16,
        /// Link function code, §9.2.4.4; its meaning depends on `prm`.
        link_function: u8,
        /// Its name.
        link_function_name: Sym,
        /// 1 when a master sent it, 0 when an outstation did (DIR bit).
        dir: u8,
        /// Sent by the primary station of the link transaction.
        prm: bool,
        /// Frame count bit.
        fcb: bool,
        /// Frame count valid; from a secondary station, data flow control.
        fcv: bool,
        /// Whether all CRCs of the user data are right (the header's always is: otherwise there is no row but an anomaly).
        crc_ok: bool,
        /// Transport sequence number modulo 64, §8.2.2.
        transport_seq: Option<u8>,
        /// First transport segment of a fragment.
        transport_fir: Option<bool>,
        /// Last transport segment of a fragment.
        transport_fin: Option<bool>,
        /// Link frames the fragment came in.
        segments: Option<u16>,
        /// Bytes of the application fragment.
        fragment_length: Option<u32>,
        /// Application function code, table 4-2.
        function_code: Option<u8>,
        /// Its name.
        function_name: Option<Sym>,
        /// First fragment of a message.
        fir: Option<bool>,
        /// Last fragment of a message.
        fin: Option<bool>,
        /// A confirmation is wanted.
        con: Option<bool>,
        /// Belongs to the unsolicited sequence.
        uns: Option<bool>,
        /// Application sequence number modulo 16.
        app_seq: Option<u8>,
        /// Internal indications, first octet (IIN1) high, second low.
        iin: Option<u16>,
        /// Names of the indications set.
        iin_names: Option<List<Sym>>,
        /// Object headers in the fragment.
        num_headers: Option<u16>,
        /// Object rows, those left out included.
        num_objects: Option<u32>,
        /// Object rows left out beyond the limit.
        objects_left_out: Option<u32>,
        /// Frame of the answer to this request, the request of this answer, or what this confirmation confirms.
        pair: Option<u64>,
        /// From the request to this answer; from an unsolicited report to this confirmation.
        response_time: Option<Span> ["s"],
        /// For OPERATE: frame of the SELECT that this link pair sent last and did not operate yet.
        select_pair: Option<u64>,
        /// For OPERATE: whether its objects are those of that SELECT and its sequence number the next one, §4.4.4.
        select_matches: Option<bool>,
    }
}

gwcore::record! {
    /// One object of a fragment; or one object header where no objects follow it.
    pub struct Dnp3Object, Dnp3ObjectColumns = "dnp3_object", Child of "dnp3" as "objects" {
        /// Place among the rows of the fragment, from 0.
        place: u32,
        /// Which object header of the fragment, from 0.
        header: u16,
        /// Object group.
        group: u8,
        /// Object variation.
        variation: u8,
        /// Name of the kind of point.
        name: Sym,
        /// Qualifier octet: object prefix code and range specifier code; absent when the fragment ends before it.
        qualifier: Option<u8>,
        /// First index of the header's range.
        range_start: Option<u32>,
        /// Last index of the header's range.
        range_stop: Option<u32>,
        /// On the row of a header without objects, how many it asks for; on a command, how often to execute it.
        count: Option<u32>,
        /// Index of the point.
        index: Option<u32>,
        /// Value; states are 0 and 1, of double-bit inputs 0 (intermediate), 1 (off), 2 (on), 3 (indeterminate).
        value: Option<f64>,
        /// Value, where a double does not hold it.
        value_int: Option<i64>,
        /// Octet strings, terminal data, authentication and data set bodies, file contents.
        value_bytes: Option<Hex>,
        /// Flag octet.
        flags: Option<u8>,
        /// Quality is good: flags are online and nothing else that spoils a value; absent without flags.
        good: Option<bool>,
        /// Time of the object; for relative times, added to the common time of occurrence before it; absent beyond the year 2262.
        time: Option<Ts>,
        /// Relative time or delay, in milliseconds.
        delay_ms: Option<u32> ["ms"],
        /// Control octet of a relay output block.
        control: Option<u8>,
        /// Its operation type.
        operation: Option<Sym>,
        /// Its trip-close code.
        trip_close: Option<Sym>,
        /// Its clear bit.
        clear: Option<bool>,
        /// How long a pulse is on.
        on_time_ms: Option<u32> ["ms"],
        /// How long a pulse is off.
        off_time_ms: Option<u32> ["ms"],
        /// Status of a command or of a file operation.
        status: Option<u8>,
        /// Its name.
        status_name: Option<Sym>,
        /// Name of a file.
        file_name: Option<Text>,
        /// Handle of an open file.
        file_handle: Option<u32>,
        /// Size of a file.
        file_size: Option<u32> ["B"],
        /// Mode in which a file is opened: 0 none (delete), 1 read, 2 write, 3 append.
        file_mode: Option<u16>,
        /// Block number of a file transfer.
        file_block: Option<u32>,
        /// Whether that block is the last.
        file_last: Option<bool>,
        /// Request id of a file operation.
        file_request_id: Option<u16>,
        /// Name of the user of a file authentication; the password is never kept.
        user_name: Option<Text>,
        /// User number of secure authentication.
        user_number: Option<u16>,
        /// Challenge or key change sequence number of secure authentication.
        challenge_seq: Option<u32>,
    }
}

impl<'a> Dnp3Object<'a> {
    /// A row with nothing but its header.
    pub(super) fn blank(
        header: u16,
        (group, variation, qualifier): (u8, u8, Option<u8>),
        name: &'static str,
        span: Option<(u32, u32)>,
    ) -> Dnp3Object<'a> {
        Dnp3Object {
            place: 0,
            header,
            group,
            variation,
            name,
            qualifier,
            range_start: span.map(|s| s.0),
            range_stop: span.map(|s| s.1),
            count: None,
            index: None,
            value: None,
            value_int: None,
            value_bytes: None,
            flags: None,
            good: None,
            time: None,
            delay_ms: None,
            control: None,
            operation: None,
            trip_close: None,
            clear: None,
            on_time_ms: None,
            off_time_ms: None,
            status: None,
            status_name: None,
            file_name: None,
            file_handle: None,
            file_size: None,
            file_mode: None,
            file_block: None,
            file_last: None,
            file_request_id: None,
            user_name: None,
            user_number: None,
            challenge_seq: None,
        }
    }
}
