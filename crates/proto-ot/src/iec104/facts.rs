//! What the ordered stage hears of an ASDU: operations, their refusals, and values of points.

use gwcore::{Body, Op, OpClass, PointId, Sample};
use proto::Cx;

use super::asdu::Asdu;
use super::element::{Object, is_good};
use super::state::Phase;
use super::table::{Element, cause_name, u_name};

/// Name of the protocol in facts.
const PROTO: &str = super::NAME;
/// U functions are told as this and their control octet, so that they are not taken for types.
const U_FUNCTION: u16 = 0x100;

/// Tells an operation of STARTDT and STOPDT.
pub fn u_function(control: u8, cx: &mut Cx<'_>) {
    let class = match control {
        0x07 | 0x0b => OpClass::ReportsOn,
        0x13 | 0x23 => OpClass::ReportsOff,
        _ => return,
    };
    cx.op(Op {
        proto: PROTO,
        class,
        function: U_FUNCTION | u16::from(control),
        name: u_name(control).unwrap_or_default(),
        point: None,
        points: 0,
        value: None,
        action: "",
        is_answer: matches!(control, 0x0b | 0x23),
        refused: None,
    });
}

/// Tells the operation of an ASDU, and its values: those sent by an outstation, and those of commands and set points that are activated
/// and not only selected. Values sent for test are not told.
pub fn asdu(asdu: &Asdu<'_>, phase: Phase, from_master: bool, cx: &mut Cx<'_>) {
    if let Some(op) = operation(asdu, phase, from_master) {
        cx.op(op);
    }
    reports(asdu, phase, cx);
    let write = phase == Phase::Request && asdu.cause == 6;
    if asdu.test || !(write || phase == Phase::Monitor) {
        return;
    }
    for o in asdu.objects().filter(|o| o.select != Some(true)) {
        let (Some(point), Some(value)) = (point(asdu, &o), o.value) else { continue };
        // What is no number is not to be believed, whatever its quality says; the value before it is no longer the last.
        let good = o.quality.is_none_or(is_good) && value.is_finite();
        cx.sample(Sample { proto: PROTO, point, value, discrete: o.element.is_discrete(), good, write });
    }
}

/// Tells that an outstation reported by itself (causes 1 to 3: cyclic, background scan, spontaneous), and the time that a clock is set to.
fn reports(asdu: &Asdu<'_>, phase: Phase, cx: &mut Cx<'_>) {
    let unit = u32::from(asdu.ca);
    match (phase, asdu.type_id, asdu.cause) {
        _ if asdu.test => {}
        (Phase::Monitor, _, 1..=3) => cx.fact(Body::Reported { proto: PROTO, unit }),
        (Phase::Request, 103, 6) => {
            let Some(o) = asdu.first().filter(|o| o.time_invalid != Some(true)) else { return };
            if let Some(time) = o.time {
                cx.fact(Body::ClockSet { proto: PROTO, unit, time, summer: o.summer == Some(true) });
            }
        }
        _ => {}
    }
}

fn point(asdu: &Asdu<'_>, o: &Object<'_>) -> Option<PointId> {
    let table = o.element.table();
    let address = o.ioa.filter(|_| !table.is_empty())?;
    Some(PointId { table, unit: u32::from(asdu.ca), address })
}

fn operation(asdu: &Asdu<'_>, phase: Phase, from_master: bool) -> Option<Op> {
    let info = asdu.info?;
    let first = asdu.first();
    let class = class(asdu, first.as_ref(), from_master)?;
    let refused = match (asdu.cause, asdu.negative) {
        (44..=47, _) => Some((u16::from(asdu.cause), cause_name(asdu.cause))),
        (7 | 9 | 10, true) => Some((u16::from(asdu.cause), "negative confirmation")),
        _ => None,
    };
    if phase == Phase::Termination && refused.is_none() {
        return None;
    }
    let is_file = asdu.type_id >= 120;
    let is_answer = matches!(phase, Phase::Confirmation | Phase::Termination) || refused.is_some();
    Some(Op {
        proto: PROTO,
        class,
        function: u16::from(asdu.type_id),
        name: info.name,
        point: first.as_ref().and_then(|o| point(asdu, o)),
        points: u32::from(asdu.count),
        value: first.as_ref().filter(|_| !is_file).and_then(|o| o.value),
        action: first.as_ref().and_then(|o| o.action).unwrap_or_default(),
        is_answer: is_answer || (is_file && !from_master),
        refused,
    })
}

/// Groups types as the other protocols' functions are; none for values.
fn class(asdu: &Asdu<'_>, first: Option<&Object<'_>>, from_master: bool) -> Option<OpClass> {
    let (id, cause) = (asdu.type_id, asdu.cause);
    let qualifier = first.and_then(|o| o.qualifier).unwrap_or(0);
    Some(match id {
        45..=64 | 100..=113 if matches!(cause, 8 | 9) => OpClass::Cancel,
        45..=64 if first.is_some_and(|o| o.select == Some(true)) => OpClass::Select,
        45..=47 | 58..=60 => OpClass::Control,
        48..=51 | 61..=64 => OpClass::SetPoint,
        81..=95 => OpClass::Authenticate,
        // QCC (IEC 60870-5-101 §7.2.6.23): bits 7–8 freeze, freeze with reset, or reset.
        101 if qualifier >> 6 == 1 => OpClass::Freeze,
        101 if qualifier >> 6 > 1 => OpClass::Clear,
        100..=102 => OpClass::Read,
        103 => OpClass::TimeSet,
        104 | 107 => OpClass::Identify,
        105 => OpClass::Restart,
        106 => OpClass::Other,
        110..=113 => OpClass::Parameter,
        // SCQ (§7.2.6.30): 4 deletes the file.
        122 if qualifier & 0x0f == 4 => OpClass::Delete,
        // These are sent by the side that has the file, the others by the side that gets it (§7.4.11).
        120 | 121 | 123 | 125 | 126 if from_master => OpClass::Download,
        122 | 124 | 127 if !from_master => OpClass::Download,
        120..=127 => OpClass::Upload,
        _ => return None,
    })
}

/// Whether the ASDU commands or configures something: it is never left out.
pub fn is_command(asdu: &Asdu<'_>) -> bool {
    let frozen = || asdu.first().and_then(|o| o.qualifier).is_some_and(|q| q >> 6 != 0);
    let reads = matches!(asdu.type_id, 100 | 102 | 104 | 107) || (asdu.type_id == 101 && !frozen());
    let values = asdu.info.is_some_and(|t| !t.element.table().is_empty() || t.element == Element::Qualifier);
    !(reads || (asdu.type_id <= 41 && values))
}
