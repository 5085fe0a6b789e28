//! What the ordered stage hears of an S7comm message: operations, refusals, and values of variables.

use gwcore::{Op, OpClass, Sample};
use proto::Cx;

use super::item::{DONE, Datum, Spec};
use super::message::{Message, READ, Role, SETUP, WRITE};
use super::{NAME, table};

/// User-data functions are told as this, their group and their subfunction, so that they are not taken for functions.
const USER: u16 = 0x1000;

/// What a message asks for: number, name, class, and what the panel would say.
fn kind(message: &Message<'_>) -> Option<(u16, &'static str, OpClass, &'static str)> {
    if let Some((group, subfunction)) = message.user {
        let subfunction = subfunction?;
        let (name, class) = table::user(group, subfunction)?;
        return Some((USER | u16::from(group) << 8 | u16::from(subfunction), name, class, ""));
    }
    let function = message.function.filter(|f| *f != SETUP)?;
    let (name, class) = table::function(function);
    let (class, action) = match (function, message.service()) {
        (0x29, _) => (class, "stop"),
        (_, Some(service)) => table::service(service, message.argument()),
        _ => (class, ""),
    };
    Some((u16::from(function), name, class, action))
}

/// The operation of a job or question, and the values it writes.
pub fn request(message: &Message<'_>, specs: &[Spec], data: &[Datum<'_>], cx: &mut Cx<'_>) {
    if let Some(op) = describe(message, specs, data, None) {
        cx.op(op);
    }
    if message.function == Some(WRITE) {
        samples(specs, data, true, cx);
    }
}

/// What an answer tells: a refusal, the outcome of a command, the values read.
pub fn answer(
    message: &Message<'_>,
    asked: Option<(&Message<'_>, &[Spec], &[Datum<'_>])>,
    data: &[Datum<'_>],
    cx: &mut Cx<'_>,
) {
    let whole = message.error.filter(|e| *e != (0, 0)).map(|(class, code)| u16::from_be_bytes([class, code]));
    let items = data.iter().map(|d| d.code).find(|c| *c != DONE).map(u16::from);
    let refused = whole.or(items).map(|code| (code, "error"));
    let op = match asked {
        Some((request, specs, written)) => describe(request, specs, written, Some(refused)),
        None => describe(message, &[], &[], Some(refused)),
    };
    if let Some(op) = op.filter(|op| refused.is_some() || !matches!(op.class, OpClass::Read | OpClass::Identify)) {
        cx.op(op);
    }
    if message.function == Some(READ) {
        samples(asked.map_or(&[], |a| a.1), data, false, cx);
    }
}

/// The operation of a request, or with its outcome that of its answer.
fn describe(
    message: &Message<'_>,
    specs: &[Spec],
    written: &[Datum<'_>],
    answer: Option<Option<(u16, &'static str)>>,
) -> Option<Op> {
    let (function, name, class, action) = kind(message)?;
    let first = specs.iter().find_map(|s| s.place);
    let value = first.zip(written.first().filter(|_| message.function == Some(WRITE))).and_then(|(place, datum)| {
        let mut values = Vec::new();
        place.values(datum.bytes, &mut values);
        values.first().copied().filter(|v| v.is_finite())
    });
    let is_command = message.function == Some(WRITE) && first.is_some_and(|p| p.is_command());
    let is_bit = first.is_some_and(|p| p.size == table::BIT);
    let action = match value {
        Some(v) if is_bit => {
            if v == 0.0 {
                "off"
            } else {
                "on"
            }
        }
        _ => action,
    };
    Some(Op {
        proto: NAME,
        class: if is_command { OpClass::Control } else { class },
        function,
        name,
        point: first.and_then(|p| p.point(0)),
        points: u32::try_from(specs.len()).unwrap_or(u32::MAX),
        value,
        action,
        is_answer: answer.is_some() || message.role == Role::Answer,
        refused: answer.flatten(),
    })
}

/// Tells the values of variables whose elements are numbers.
fn samples(specs: &[Spec], data: &[Datum<'_>], write: bool, cx: &mut Cx<'_>) {
    let mut values = Vec::new();
    for (spec, datum) in specs.iter().zip(data) {
        let Some(place) = spec.place.filter(|_| write || datum.code == DONE) else { continue };
        place.values(datum.bytes, &mut values);
        for (i, value) in values.iter().copied().enumerate().filter(|(_, v)| v.is_finite()) {
            let Some(point) = place.point(i) else { break };
            cx.sample(Sample { proto: NAME, point, value, discrete: place.size == table::BIT, good: true, write });
        }
    }
}
