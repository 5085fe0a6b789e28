//! What a fragment means to the ordered stage: operations, values of points, identities; and its shape, to know repeats by.

use std::hash::{DefaultHasher, Hash, Hasher};

use gwcore::{Body, Limit, Op, OpClass, PointId, Sample};
use proto::Cx;

use super::app::{Fragment, function, is_answer};
use super::objects::{self, Walked};
use super::record::Dnp3Object;
use super::table;

/// What one walk over a fragment found out.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    /// Counts, and why the walk stopped.
    pub walked: Walked,
    /// Hash of groups, variations, indexes and qualities: the shape of an answer.
    pub shape: u64,
    /// The first non-zero status of a command or file operation.
    pub status: Option<(u16, &'static str)>,
    first: Option<(u8, u8)>,
    point: Option<PointId>,
    points: u32,
    value: Option<f64>,
    action: &'static str,
    file_mode: Option<u16>,
    /// Class 0, the present values, is among what is asked for (§5.1.4.3).
    has_class_0: bool,
}

/// Most rows one fragment may cause: the limit, and eight a byte.
pub fn cap(fragment_len: usize, cx: &Cx<'_>) -> usize {
    cx.limits.get(Limit::ChildRows).min(fragment_len.saturating_mul(8))
}

/// Walks a fragment once, hands values and identities on, and sums up the rest. `unit` is the link address of the outstation.
pub fn digest(fragment: &Fragment<'_>, unit: u16, cap: usize, cx: &mut Cx<'_>) -> Digest {
    let mut d = Digest::default();
    let mut hasher = DefaultHasher::new();
    fragment.iin.hash(&mut hasher);
    d.walked = objects::walk(fragment.function, fragment.body, cap, &mut |o| {
        (o.group, o.variation, o.index, o.flags.map(|f| f & 0x3f), o.status, o.count).hash(&mut hasher);
        d.note(&o, unit);
        if let Some(sample) = sample(fragment.function, &o, unit) {
            cx.sample(sample);
        }
        if let (function::WRITE, 50, 1 | 3, Some(time)) = (fragment.function, o.group, o.variation, o.time) {
            cx.fact(Body::ClockSet { proto: "dnp3", unit: u32::from(unit), time, summer: false });
        }
        tell(fragment.function, &o, cx);
    });
    d.walked.fault.map(|f| f.0).hash(&mut hasher);
    d.shape = hasher.finish();
    d
}

impl Digest {
    fn note(&mut self, o: &Dnp3Object<'_>, unit: u16) {
        self.points = self.points.saturating_add(1);
        if self.first.is_none() {
            self.first = Some((o.group, o.variation));
            self.point = o.index.or(o.range_start).map(|i| point(o.group, unit, i));
            self.value = command_value(o).or(o.value);
            self.action = o.control.map_or("", action);
        }
        self.has_class_0 |= (o.group, o.variation) == (60, 1);
        self.file_mode = self.file_mode.or(o.file_mode);
        if let (None, Some(code @ 1..), Some(name)) = (self.status, o.status, o.status_name) {
            self.status = Some((u16::from(code), name));
        }
    }

    /// The operation that a request of this function asks for; none for a confirmation or an answer.
    pub fn op(&self, code: u8) -> Option<Op> {
        if code == function::CONFIRM || is_answer(code) {
            return None;
        }
        Some(Op {
            proto: "dnp3",
            class: class(code, self.first, self.file_mode),
            function: u16::from(code),
            name: table::function_name(code).unwrap_or("unknown"),
            point: self.point,
            points: self.points,
            value: self.value,
            action: match code {
                function::READ if self.has_class_0 => "integrity poll",
                function::WRITE if self.clears_restart() => "clear the restart indication",
                _ => self.action,
            },
            is_answer: false,
            refused: None,
        })
    }
}

impl Digest {
    /// Whether the first object is IIN1.7, as 0; the other indications are not the restart's.
    fn clears_restart(&self) -> bool {
        self.first.is_some_and(|f| f.0 == 80) && self.value == Some(0.0) && self.point.is_some_and(|p| p.address == 7)
    }
}

/// What a function does, by its first object where that decides.
fn class(code: u8, first: Option<(u8, u8)>, file_mode: Option<u16>) -> OpClass {
    let group = first.map(|f| f.0);
    match code {
        function::READ if group == Some(0) => OpClass::Identify,
        function::READ if group == Some(70) => OpClass::Upload,
        function::READ | 28 => OpClass::Read,
        function::WRITE => match group {
            // Variations 2 and 4 are times at which something is to be done, not the clock.
            Some(50) if !matches!(first, Some((_, 2 | 4))) => OpClass::TimeSet,
            Some(80) => OpClass::Clear,
            Some(10) => OpClass::Control,
            Some(40) => OpClass::SetPoint,
            Some(70) => OpClass::Download,
            Some(112) => OpClass::Other,
            Some(120) => OpClass::Authenticate,
            _ => OpClass::Parameter,
        },
        function::SELECT => OpClass::Select,
        function::OPERATE..=function::DIRECT_OPERATE_NR if group == Some(41) => OpClass::SetPoint,
        function::OPERATE..=function::DIRECT_OPERATE_NR => OpClass::Control,
        // Freeze and clear, answered or not.
        9 | 10 => OpClass::Clear,
        7 | 8 | 11 | 12 => OpClass::Freeze,
        13 | 14 => OpClass::Restart,
        15..=18 => OpClass::Mode,
        19 | 22 => OpClass::Parameter,
        20 => OpClass::ReportsOn,
        21 => OpClass::ReportsOff,
        24 => OpClass::TimeSet,
        function::OPEN_FILE => match file_mode {
            Some(1) => OpClass::Upload,
            Some(2 | 3) => OpClass::Download,
            _ => OpClass::Other,
        },
        27 => OpClass::Delete,
        29 | function::AUTHENTICATE_REQ | function::AUTH_REQ_NO_ACK => OpClass::Authenticate,
        30 => OpClass::Cancel,
        31 => OpClass::Download,
        _ => OpClass::Other,
    }
}

/// What a panel would say of a relay output block: trip and close go before the way they are done.
fn action(control: u8) -> &'static str {
    match (table::trip_close(control), table::operation(control)) {
        ("trip", _) => "trip",
        ("close", _) => "close",
        (_, "pulse_on") => "pulse on",
        (_, "pulse_off") => "pulse off",
        (_, "latch_on") => "latch on",
        (_, "latch_off") => "latch off",
        (_, "nul") => "nul",
        _ => "reserved",
    }
}

/// The state that a relay output block commands, where it commands one.
fn command_value(o: &Dnp3Object<'_>) -> Option<f64> {
    match action(o.control?) {
        "close" | "pulse on" | "latch on" => Some(1.0),
        "trip" | "pulse off" | "latch off" => Some(0.0),
        _ => None,
    }
}

/// The point that an object is about: commands are about outputs.
fn point(group: u8, unit: u16, address: u32) -> PointId {
    let table = match group {
        12 | 13 => "binary_output",
        41 | 43 => "analog_output",
        _ => table::group_name(group),
    };
    PointId { table, unit: u32::from(unit), address }
}

/// The value of a point that an object reports or writes. A selection changes nothing, and an answer to a command only echoes it.
fn sample(code: u8, o: &Dnp3Object<'_>, unit: u16) -> Option<Sample> {
    let write = matches!(code, function::WRITE | function::OPERATE..=function::DIRECT_OPERATE_NR);
    let value = match o.group {
        12 | 41 if write => command_value(o).or(o.value)?,
        1..=4 | 10 | 11 | 20..=23 | 30..=34 | 40 | 42 if write || is_answer(code) => o.value?,
        _ => return None,
    };
    let discrete = matches!(o.group, 1..=4 | 10..=12);
    let good = o.good.unwrap_or(true);
    Some(Sample { proto: "dnp3", point: point(o.group, unit, o.index?), value, discrete, good, write })
}

/// Identities from device attributes, and users of file authentication.
fn tell(code: u8, o: &Dnp3Object<'_>, cx: &mut Cx<'_>) {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned().into_boxed_str();
    // The answer carries the key, not the user (IEEE 1815, group 70 variation 2).
    if let Some(user) = o.user_name.filter(|user| !is_answer(code) && !user.is_empty()) {
        cx.fact(Body::Login { proto: "dnp3", user: text(user), cleartext: true, accepted: None });
    }
    let field = match (o.group, o.variation) {
        (0, 242) => "version",
        (0, 248) => "serial",
        (0, 250) => "model",
        (0, 252) => "vendor",
        _ => return,
    };
    if let (true, Some(value)) = (is_answer(code), o.value_bytes) {
        cx.fact(Body::Identity { field, value: text(value), source: "dnp3" });
    }
}
