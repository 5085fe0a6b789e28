//! Binary time of IEC 60870-5-101: CP56Time2a (§7.2.6.18), CP24Time2a (§7.2.6.19).

use gwcore::Ts;
use gwcore::time::{MILLI, days_from_civil};

/// CP56Time2a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cp56 {
    /// The moment, read as UTC: whether a station sends UTC or local time is agreed between the parties and not on the wire. None when it is
    /// no moment (month 13, minute 60 …).
    pub ts: Option<Ts>,
    /// IV, or no moment.
    pub invalid: bool,
    /// SU: summer time.
    pub summer: bool,
}

impl Cp56 {
    /// From its seven octets.
    pub fn read(b: [u8; 7]) -> Cp56 {
        let [m0, m1, minute, hour, day, month, year] = b;
        let millis = i64::from(u16::from_le_bytes([m0, m1]));
        let (min, h, d) = (i64::from(minute & 0x3f), i64::from(hour & 0x1f), i64::from(day & 0x1f));
        let (mon, y) = (i64::from(month & 0x0f), i64::from(year & 0x7f));
        let y = if y < 70 { 2000 + y } else { 1900 + y };
        let days = days_from_civil(y, mon, d);
        let exists = (1..=12).contains(&mon) && d >= 1 && gwcore::time::civil(days) == (y, mon, d);
        let in_range = exists && millis < 60_000 && min < 60 && h < 24 && year & 0x7f < 100;
        let ts = in_range.then(|| Ts((((days * 24 + h) * 60 + min) * 60_000 + millis) * MILLI));
        Cp56 { ts, invalid: minute & 0x80 != 0 || ts.is_none(), summer: hour & 0x80 != 0 }
    }
}

/// CP24Time2a: milliseconds within the hour, none when out of range, and whether it is invalid.
pub fn cp24([m0, m1, minute]: [u8; 3]) -> (Option<u32>, bool) {
    let millis = u32::from(u16::from_le_bytes([m0, m1]));
    let min = u32::from(minute & 0x3f);
    let within = (millis < 60_000 && min < 60).then_some(min * 60_000 + millis);
    (within, minute & 0x80 != 0 || within.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cp56_reads_as_utc() {
        let check = |b: [u8; 7], text: &str, invalid: bool, summer: bool| {
            let t = Cp56::read(b);
            let shown = t.ts.map(|t| t.to_string()).unwrap_or_default();
            assert_eq!((shown.as_str(), t.invalid, t.summer), (text, invalid, summer), "{b:02x?}");
        };
        // 12,345 ms = 0x3039; minute 34, hour 15, day 13 (Thursday, 4 << 5), August 2009.
        check([0x39, 0x30, 34, 15, 13 | 4 << 5, 8, 9], "2009-08-13T15:34:12.345000Z", false, false);
        check([0x39, 0x30, 34 | 0x80, 15 | 0x80, 13, 8, 9], "2009-08-13T15:34:12.345000Z", true, true);
        check([0, 0, 0, 0, 29, 2, 24], "2024-02-29T00:00:00.000000Z", false, false);
        check([0, 0, 0, 0, 1, 1, 99], "1999-01-01T00:00:00.000000Z", false, false);
        check([0, 0, 0, 0, 29, 2, 23], "", true, false);
        check([0, 0, 60, 0, 1, 1, 20], "", true, false);
        check([0x60, 0xea, 0, 0, 1, 1, 20], "", true, false);
        check([0; 7], "", true, false);
        check([0xff; 7], "", true, true);
    }

    #[test]
    fn cp24_lies_within_the_hour() {
        assert_eq!(cp24([0x39, 0x30, 34]), (Some(34 * 60_000 + 12_345), false));
        assert_eq!(cp24([0x5f, 0xea, 59 | 0x80]), (Some(3_599_999), true));
        assert_eq!(cp24([0x60, 0xea, 0]), (None, true));
    }
}
