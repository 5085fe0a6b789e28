//! What the ordered stage learns from a PDU: operations, values of points, identities.

use gwcore::{Body, Op, OpClass, PointId, Sample};
use proto::Cx;

use super::parse::{Device, Pdu, Values};
use super::record::Lists;
use super::table::{exception_name, operation, point_table};

const PROTO: &str = "modbus";
/// Second data byte of a UMAS answer that refuses.
const UMAS_ERROR: u8 = 0xfd;

/// The operation of a request and the values it writes, which `lists` holds.
pub fn request(unit: u8, pdu: &Pdu<'_>, lists: &Lists, cx: &mut Cx<'_>) {
    cx.op(describe(unit, pdu, false, None));
    let is_command = matches!(pdu.function, 6 | 15 | 16) || matches!(pdu.values, Values::Coil(0 | 0xff00));
    if is_command {
        samples((unit, pdu.function, pdu.address), &lists.values, true, cx);
    }
    if let Some(write) = pdu.write {
        samples((unit, pdu.function, Some(write.address)), &lists.writes, true, cx);
    }
}

/// What an answer tells: a refusal, the outcome of a command, the values read, the identity of the device.
pub fn answer(unit: u8, pdu: &Pdu<'_>, request: Option<&Pdu<'_>>, lists: &Lists, cx: &mut Cx<'_>) {
    let asked = request.unwrap_or(pdu);
    let refused = match pdu.exception {
        Some(code) => Some((u16::from(code), exception_name(code))),
        None if pdu.function == 90 && pdu.data.get(1) == Some(&UMAS_ERROR) => {
            Some((u16::from(UMAS_ERROR), "umas_error"))
        }
        None => None,
    };
    let op = describe(unit, asked, true, refused);
    if refused.is_some() || !matches!(op.class, OpClass::Read | OpClass::Identify) {
        cx.op(op);
    }
    if matches!(pdu.function, 1..=4 | 23) && pdu.exception.is_none() {
        samples((unit, pdu.function, request.and_then(|r| r.address)), &lists.values, false, cx);
    }
    if let Some(device) = pdu.device {
        identity(device, cx);
    }
}

fn describe(unit: u8, pdu: &Pdu<'_>, is_answer: bool, refused: Option<(u16, &'static str)>) -> Op {
    let (class, name) = operation(pdu.function, pdu.operation_code());
    let (address, quantity, values) = match pdu.write {
        Some(w) => (Some(w.address), Some(w.quantity), w.values),
        None => (pdu.address, pdu.quantity, pdu.values),
    };
    let table = point_table(pdu.function);
    let point = table.zip(address).map(|(table, address)| PointId {
        table,
        unit: u32::from(unit),
        address: u32::from(address),
    });
    let points = if point.is_some() { quantity.map_or(1, u32::from) } else { 0 };
    Op {
        proto: PROTO,
        class,
        function: u16::from(pdu.function),
        name,
        point,
        points,
        value: first(values),
        action: action(pdu, name),
        is_answer,
        refused,
    }
}

fn first(values: Values<'_>) -> Option<f64> {
    match values {
        Values::None => None,
        Values::Words(bytes) => super::parse::words(bytes).next().map(f64::from),
        Values::Bits(bytes) => bytes.first().map(|b| f64::from(b & 1)),
        Values::Coil(0xff00) => Some(1.0),
        Values::Coil(other) => Some(f64::from(other)),
    }
}

fn action(pdu: &Pdu<'_>, name: &'static str) -> &'static str {
    match (pdu.values, pdu.sub_function, name) {
        (Values::Coil(0xff00), ..) => "on",
        (Values::Coil(0), ..) => "off",
        (_, Some(1), _) => "restart",
        (_, Some(4), _) => "listen only",
        (_, Some(10), _) => "clear counters",
        (.., "umas_start_plc") => "start",
        (.., "umas_stop_plc") => "stop",
        _ => "",
    }
}

fn samples((unit, function, first): (u8, u8, Option<u16>), values: &[u32], write: bool, cx: &mut Cx<'_>) {
    let (Some(table), Some(first)) = (point_table(function), first) else { return };
    let discrete = matches!(table, "coil" | "discrete_input");
    for (address, value) in (u32::from(first)..=u32::from(u16::MAX)).zip(values) {
        let point = PointId { table, unit: u32::from(unit), address };
        cx.sample(Sample { proto: PROTO, point, value: f64::from(*value), discrete, good: true, write });
    }
}

/// Objects 0–2 are vendor, product code and version, 4 and 5 product and model name (§6.21); without a model name the code stands for it.
fn identity(device: Device<'_>, cx: &mut Cx<'_>) {
    let has_model = device.objects().any(|(id, v)| id == 5 && !v.is_empty());
    for (id, value) in device.objects().filter(|(_, v)| !v.is_empty()) {
        let field = match id {
            0 => "vendor",
            1 if has_model => "product_code",
            1 | 5 => "model",
            2 => "version",
            4 => "product",
            _ => continue,
        };
        cx.fact(Body::Identity { field, value: crate::fact_text(value), source: PROTO });
    }
}
