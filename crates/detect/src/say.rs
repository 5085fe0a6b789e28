//! What a request asks for, in words: its function, action, point and value.

use gwcore::{Op, OpClass};

use crate::Site;
use crate::fold::{End, words};
use crate::site::number;

/// Function, action and point: `operate (trip) for Feeder 3 breaker (binary output 7 of unit 1)`.
pub(crate) fn request(op: &Op, device: &End, site: &Site) -> String {
    format!("{}{}", words(op.name), point(op, device, site))
}

/// The same with the value that a set point carries.
pub(crate) fn request_with_value(op: &Op, device: &End, site: &Site) -> String {
    let value = value(op, device, site).map_or_else(String::new, |v| format!(" with value {v}"));
    format!("{}{value}", request(op, device, site))
}

/// The same as an observed value.
pub(crate) fn observed(op: &Op, device: &End, site: &Site) -> String {
    let value = |v| op.point.map_or_else(|| number(v), |p| site.say_value(device, op.proto, p, v));
    match op.value {
        Some(v) => format!("{} = {}", request(op, device, site), value(v)),
        None => request(op, device, site),
    }
}

/// The point in the site's words, with the action.
fn point(op: &Op, device: &End, site: &Site) -> String {
    let action = if op.action.is_empty() { String::new() } else { format!(" ({})", op.action) };
    let more = if op.points > 1 { format!(" and {} more", op.points - 1) } else { String::new() };
    match op.point {
        Some(p) => format!("{action} for {}{more}", site.say_point(device, op.proto, p)),
        None => action,
    }
}

/// The value of a set point; what a control does is its action.
fn value(op: &Op, device: &End, site: &Site) -> Option<String> {
    let value = op.value.filter(|_| op.class == OpClass::SetPoint || op.action.is_empty())?;
    Some(op.point.map_or_else(|| number(value), |p| site.say_value(device, op.proto, p, value)))
}

/// What makes two requests to a device the same thing: points, how many of them, and action.
pub(crate) fn thing(op: &Op) -> String {
    let at = op.point.map_or_else(String::new, |p| format!("{}:{}:{}", p.table, p.unit, p.address));
    let more = if op.points > 1 { format!("+{}", op.points - 1) } else { String::new() };
    format!("{at}{more}:{}", op.action)
}
