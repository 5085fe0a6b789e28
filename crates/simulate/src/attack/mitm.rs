//! Somebody between the front end and two devices makes the load look smaller: currents and powers are scaled on their way.

use super::Cast;
use super::path::Path;
use crate::actors::order::Session;
use crate::cx::Cx;
use crate::episode::{Episode, Fate, Message};
use crate::iec104::kind;
use crate::label::Label;
use crate::network::{Host, METER, OUTSTATION};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::site::rtu3;
use crate::tcp::Side;
use crate::time::Micros;

/// What is shown of what is measured.
const SHOWN: f32 = 0.7;

pub(crate) struct Mitm {
    cast: Cast,
    rng: Rng,
    path: Path,
}

impl Mitm {
    /// Between 45 and 65 hundredths of the run, for up to a tenth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Mitm {
        let path = Path::planned(cast.host, vec![&METER, &OUTSTATION], &mut rng, plant, (45, 65));
        Mitm { cast, rng, path }
    }
}

impl Episode for Mitm {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, self.path.devices())
    }

    fn begin(&self) -> Micros {
        self.path.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        self.path.wake(now, cx, &mut self.rng)
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        if !self.path.holds(message.session.server(), message.at) || message.from != Side::Server {
            return Fate::Pass;
        }
        let is_changed = match message.session {
            Session::Meter => scale_meter(message.bytes),
            Session::Rtu3 => scale_104(message.bytes),
            Session::Rtu1 | Session::Rtu2 | Session::Plc => false,
        };
        if is_changed { Fate::Changed } else { Fate::Pass }
    }

    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        self.path.frame(at, bytes)
    }
}

/// Scales current and power, the second and third value, in an answer of the meter: floats by function 4, words by function 3.
fn scale_meter(adu: &mut [u8]) -> bool {
    match adu.get(7..9) {
        Some([4, 16]) => adu[13..21].chunks_exact_mut(4).for_each(|value| {
            let float = f32::from_be_bytes([value[0], value[1], value[2], value[3]]);
            value.copy_from_slice(&(float * SHOWN).to_be_bytes());
        }),
        Some([3, 8]) => adu[11..15].chunks_exact_mut(2).for_each(|value| {
            let word = f32::from(u16::from_be_bytes([value[0], value[1]]));
            value.copy_from_slice(&((word * SHOWN) as u16).to_be_bytes());
        }),
        _ => return false,
    }
    true
}

/// Scales the same two in an ASDU of measurements, with or without time.
fn scale_104(asdu: &mut [u8]) -> bool {
    let len = match asdu.first() {
        Some(&kind::MEASURED_FLOAT) => 3 + 5,
        Some(&kind::MEASURED_FLOAT_TIME) => 3 + 5 + 7,
        _ => return false,
    };
    let mut is_changed = false;
    for object in asdu[6..].chunks_exact_mut(len) {
        let address = u32::from_le_bytes([object[0], object[1], object[2], 0]);
        if address == rtu3::MEASURED + 1 || address == rtu3::MEASURED + 2 {
            let float = f32::from_le_bytes([object[3], object[4], object[5], object[6]]);
            object[3..7].copy_from_slice(&(float * SHOWN).to_le_bytes());
            is_changed = true;
        }
    }
    is_changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iec104::{asdu, float};
    use crate::modbus::{adu, registers};

    #[test]
    fn only_current_and_power_are_scaled() {
        let words = |values: [u16; 4]| adu(9, 1, &registers(3, &values));
        let mut shown = words([20_000, 1_000, 2_000, 50_000]);
        assert!(scale_meter(&mut shown));
        assert_eq!(shown, words([20_000, 700, 1_400, 50_000]));
        let report = |value| asdu(kind::MEASURED_FLOAT, 20, 71, &[(1_001, float(8.0)), (1_003, float(value))]);
        let mut shown = report(10.0);
        assert!(scale_104(&mut shown));
        assert_eq!(shown, report(7.0));
        assert!(!scale_104(&mut asdu(kind::MEASURED_FLOAT, 3, 71, &[(1_001, float(8.0))])));
    }
}
