//! The `modbus` kind, and how a PDU becomes its row.

use gwcore::{Hex, List, Span, Sym, Text};

use super::frame::Header;
use super::parse::Pdu;
use super::table::{exception_name, function_name};

gwcore::record! {
    /// One Modbus PDU; a request and its answer are two rows (Modbus application protocol specification V1.1b3).
    pub struct ModbusPdu, ModbusColumns = "modbus", Pdu {
        /// A request of the client rather than an answer of the server.
        is_request: bool,
        /// How it was carried: `tcp` (MBAP), `udp` (MBAP) or `rtu` (serial frames with CRC on a stream).
        variant: Sym,
        /// Transaction identifier of the MBAP header.
        transaction_id: Option<u16>,
        /// Protocol identifier of the MBAP header, where it is not 0.
        protocol_id: Option<u16>,
        /// Length field of the MBAP header: unit identifier and PDU.
        length: Option<u16> ["bytes"],
        /// Unit identifier, or server address on a serial line.
        unit_id: u8,
        /// Function code without the exception bit (§5.1).
        function_code: u8,
        /// Name of the function.
        function_name: Sym,
        /// First coil, input or register, counted from 0; answers to reads repeat that of their request.
        address: Option<u16>,
        /// Number of coils, inputs or registers; answers to reads repeat that of their request.
        quantity: Option<u16>,
        /// Values read or written: registers as 0–65535, coils and inputs as 0 or 1; the data words of diagnostics.
        values: Option<List<u32>>,
        /// First register of the write half of function 23.
        write_address: Option<u16>,
        /// Registers of the write half of function 23.
        write_quantity: Option<u16>,
        /// Values of the write half of function 23.
        write_values: Option<List<u32>>,
        /// AND mask of function 22.
        and_mask: Option<u16>,
        /// OR mask of function 22.
        or_mask: Option<u16>,
        /// Exception code of a refusal (§7).
        exception_code: Option<u8>,
        /// Name of the exception.
        exception_name: Option<Sym>,
        /// Sub-function of diagnostics (§6.8).
        sub_function: Option<u16>,
        /// Exception status (§6.7) or status word of functions 11 and 12.
        status: Option<u16>,
        /// Event counter of functions 11 and 12.
        event_count: Option<u16>,
        /// Message counter of function 12.
        message_count: Option<u16>,
        /// MEI type of function 43: 13 CANopen, 14 device identification.
        mei_type: Option<u8>,
        /// Category of device identification: 1 basic, 2 regular, 3 extended, 4 one object (§6.21).
        device_id_code: Option<u8>,
        /// First object asked for.
        object_id: Option<u8>,
        /// Conformity level of the device.
        conformity_level: Option<u8>,
        /// Whether another answer holds more objects: 0 or 255.
        more_follows: Option<u8>,
        /// First object of the next answer.
        next_object_id: Option<u8>,
        /// Identifiers of the objects.
        object_ids: Option<List<u8>>,
        /// Values of the objects.
        object_values: Option<List<Text>>,
        /// Files of file records (§6.14); answers to reads repeat those of their request.
        file_numbers: Option<List<u32>>,
        /// Records within those files.
        record_numbers: Option<List<u32>>,
        /// Lengths of those records, in registers.
        record_lengths: Option<List<u32>>,
        /// Bytes that are not taken apart: makers' functions, event logs, server identifiers, what contradicts the specification.
        data: Option<Hex>,
        /// Frame of the answer, or of the request.
        pair: Option<u64>,
        /// Time from request to answer.
        response_time: Option<Span> ["s"],
    }
}

/// Lists of one row, kept to be filled again.
#[derive(Default)]
pub struct Lists {
    /// Values read or written.
    pub values: Vec<u32>,
    /// Values of the write half of function 23.
    pub writes: Vec<u32>,
    files: [Vec<u32>; 3],
    object_ids: Vec<u8>,
}

impl Lists {
    /// Fills the lists from a PDU; an answer takes quantity and places from its request.
    pub fn fill(&mut self, pdu: &Pdu<'_>, request: Option<&Pdu<'_>>) {
        self.values.clear();
        self.writes.clear();
        self.object_ids.clear();
        self.files.iter_mut().for_each(Vec::clear);
        pdu.values.collect(pdu.quantity.or(request.and_then(|r| r.quantity)), &mut self.values);
        if let Some(write) = pdu.write {
            write.values.collect(None, &mut self.writes);
        }
        if let Some(device) = pdu.device {
            self.object_ids.extend(device.objects().map(|(id, _)| id));
        }
        for group in pdu.files.into_iter().flat_map(|f| f.groups()) {
            self.values.extend(super::parse::words(group.data).map(u32::from));
            self.files[2].push(u32::from(group.length));
        }
        let places = pdu.files.filter(|_| pdu.is_request || pdu.function == 21).or(request.and_then(|r| r.files));
        for (file, record) in places.into_iter().flat_map(|f| f.groups()).filter_map(|g| g.place) {
            self.files[0].push(u32::from(file));
            self.files[1].push(u32::from(record));
        }
    }
}

/// The other PDU of a pair: its frame and, for an answer, the time from it.
#[derive(Clone, Copy, Default)]
pub struct Pair {
    /// Frame of the other PDU.
    pub frame: Option<u64>,
    /// Response time.
    pub time: Option<Span>,
}

/// The row of one PDU, whose lists were filled before.
pub fn row<'a>(
    variant: &'static str,
    header: &Header,
    (pdu, request): (&Pdu<'a>, Option<&Pdu<'_>>),
    lists: &'a Lists,
    objects: &'a [&'a [u8]],
    pair: Pair,
) -> ModbusPdu<'a> {
    let from = request.filter(|r| r.function == pdu.function);
    let device = pdu.device;
    let [file_numbers, record_numbers, record_lengths] = &lists.files;
    let has_values = pdu.values != super::parse::Values::None || !lists.values.is_empty();
    let answered_objects = device.is_some_and(|d| d.conformity.is_some());
    ModbusPdu {
        is_request: pdu.is_request,
        variant,
        transaction_id: header.transaction,
        protocol_id: (header.protocol != 0).then_some(header.protocol),
        length: header.length,
        unit_id: header.unit,
        function_code: pdu.function,
        function_name: function_name(pdu.function),
        address: pdu.address.or(from.and_then(|r| r.address)),
        quantity: pdu.quantity.or(from.and_then(|r| r.quantity)),
        values: has_values.then_some(&lists.values[..]),
        write_address: pdu.write.map(|w| w.address),
        write_quantity: pdu.write.map(|w| w.quantity),
        write_values: pdu.write.map(|_| &lists.writes[..]),
        and_mask: pdu.masks.map(|m| m.0),
        or_mask: pdu.masks.map(|m| m.1),
        exception_code: pdu.exception,
        exception_name: pdu.exception.map(exception_name),
        sub_function: pdu.sub_function,
        status: pdu.status,
        event_count: pdu.counts.0,
        message_count: pdu.counts.1,
        mei_type: pdu.mei_type,
        device_id_code: device.map(|d| d.code),
        object_id: device.and_then(|d| d.object_id),
        conformity_level: device.and_then(|d| d.conformity),
        more_follows: device.and_then(|d| d.more).map(|m| m.0),
        next_object_id: device.and_then(|d| d.more).map(|m| m.1),
        object_ids: answered_objects.then_some(&lists.object_ids[..]),
        object_values: answered_objects.then_some(objects),
        file_numbers: pdu.files.map(|_| &file_numbers[..]),
        record_numbers: pdu.files.map(|_| &record_numbers[..]),
        record_lengths: pdu.files.map(|_| &record_lengths[..]),
        data: (!pdu.data.is_empty()).then_some(pdu.data),
        pair: pair.frame,
        response_time: pair.time,
    }
}
