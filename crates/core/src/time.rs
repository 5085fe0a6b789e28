//! Packet time: nanoseconds UTC since 1970, and its RFC 3339 text.

use std::fmt;

/// A moment in packet time: nanoseconds since 1970-01-01 UTC. Never the machine's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Ts(pub i64);

/// Nanoseconds in a millisecond.
pub const MILLI: i64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Nanoseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;

impl Ts {
    /// From seconds and nanoseconds; saturates at the ends of the range (years 1677 and 2262).
    pub fn from_parts(seconds: i64, nanos: i64) -> Ts {
        Ts(seconds.saturating_mul(SECOND).saturating_add(nanos))
    }

    /// This moment plus `ns` nanoseconds, saturating.
    #[inline]
    pub fn plus(self, ns: i64) -> Ts {
        Ts(self.0.saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to this moment, saturating; negative when `earlier` is later.
    #[inline]
    pub fn since(self, earlier: Ts) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The start of the minute this moment lies in.
    pub fn minute(self) -> Ts {
        Ts(self.0.div_euclid(MINUTE).saturating_mul(MINUTE))
    }

    /// Appends RFC 3339 with microseconds (`2017-07-14T02:40:00.830079Z`), RFC 3339 §5.6.
    pub fn write_micros(self, out: &mut Vec<u8>) {
        self.write(out, 6);
    }

    /// Appends RFC 3339 with nanoseconds.
    pub fn write_nanos(self, out: &mut Vec<u8>) {
        self.write(out, 9);
    }

    fn write(self, out: &mut Vec<u8>, digits: usize) {
        let (days, rest) = (self.0.div_euclid(24 * HOUR), self.0.rem_euclid(24 * HOUR));
        let (year, month, day) = civil(days);
        let (second, nanos) = (rest / SECOND, rest % SECOND);
        let mut buf = itoa::Buffer::new();
        let mut pad = |n: i64, width: usize| {
            let text = buf.format(n);
            out.resize(out.len() + width.saturating_sub(text.len()), b'0');
            out.extend_from_slice(text.as_bytes());
        };
        pad(year, 4);
        let parts = [(b'-', month), (b'-', day), (b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)];
        for (mark, n) in parts {
            out.push(mark);
            let mut b = itoa::Buffer::new();
            if n < 10 {
                out.push(b'0');
            }
            out.extend_from_slice(b.format(n).as_bytes());
        }
        out.push(b'.');
        let fraction = if digits == 9 { nanos } else { nanos / 1_000 };
        let mut b = itoa::Buffer::new();
        let text = b.format(fraction);
        out.resize(out.len() + digits.saturating_sub(text.len()), b'0');
        out.extend_from_slice(text.as_bytes());
        out.push(b'Z');
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(32);
        self.write_micros(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

/// Days since 1970-01-01 to (year, month, day) in the proleptic Gregorian calendar.
///
/// Eras of 400 years beginning on 1 March make the leap day the last of its year.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// (year, month, day) to days since 1970-01-01; the inverse of [`civil`]. Months outside 1–12 are clamped.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let month = month.clamp(1, 12);
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Reads RFC 3339 (§5.6): `2017-07-14T02:40:00.830079Z`, any fraction, any offset, a space for the `T`.
pub fn parse_rfc3339(text: &str) -> Option<Ts> {
    let digits = |from: usize, to: usize| -> Option<i64> {
        let t = text.get(from..to)?;
        if t.bytes().all(|b| b.is_ascii_digit()) { t.parse().ok() } else { None }
    };
    let mark = |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|b| allowed.contains(b));
    if !(mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":")) {
        return None;
    }
    let (month, day) = (digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(fraction.len());
        let shown = fraction.get(..end.min(9)).filter(|f| !f.is_empty())?;
        nanos = shown.parse::<i64>().ok()?.checked_mul(10_i64.pow(9_u32.saturating_sub(shown.len() as u32)))?;
        rest = fraction.get(end..)?;
    }
    let offset = match rest.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) => {
            let two = |a: &u8, b: &u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
            let seconds = two(h1, h2) * 3_600 + two(m1, m2) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = days_from_civil(digits(0, 4)?, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(Ts::from_parts(seconds, nanos))
}

/// A length of time in words, never rounded up: `12.4 seconds`, `29 minutes`, `1 h 59 min`, `6 days 3 h`.
pub fn length(ns: i64) -> String {
    let (minutes, hours) = (ns / MINUTE, ns / HOUR);
    let counted = |n: i64, unit: &str| if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") };
    match ns {
        i64::MIN..MINUTE => format!("{}.{} seconds", ns.max(0) / SECOND, ns.max(0) % SECOND / (SECOND / 10)),
        MINUTE..HOUR => counted(minutes, "minute"),
        _ if hours < 48 && minutes % 60 == 0 => counted(hours, "hour"),
        _ if hours < 48 => format!("{hours} h {} min", minutes % 60),
        _ if hours % 24 == 0 => counted(hours / 24, "day"),
        _ => format!("{} {} h", counted(hours / 24, "day"), hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_is_read_as_it_is_written() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(parse_rfc3339(text).map(|t| t.0), expect, "{text}");
        check("2017-07-14T02:40:00.830079Z", Some(1_500_000_000_830_079_000));
        check("2017-07-14T04:40:00.83+02:00", Some(1_500_000_000_830_000_000));
        check("2017-07-13 21:40:00-05:00", Some(1_500_000_000_000_000_000));
        check("2000-02-29T00:00:00.1234567899Z", Some(951_782_400_123_456_789));
        for bad in [
            "",
            "2017-07-14",
            "2017-13-14T02:40:00Z",
            "2017-07-14T24:40:00Z",
            "2017-07-14T02:40:00",
            "2017-07-14T02:40:00.Z",
            "2017-07-14T02:40:00+2:00",
            "20+7-07-14T02:40:00Z",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn lengths_are_never_rounded_up() {
        let check = |ns: i64, text: &str| assert_eq!(length(ns), text);
        check(0, "0.0 seconds");
        check(MINUTE - 1, "59.9 seconds");
        check(MINUTE, "1 minute");
        check(30 * MINUTE - 1, "29 minutes");
        check(2 * HOUR - 1, "1 h 59 min");
        check(2 * HOUR, "2 hours");
        check(24 * HOUR, "24 hours");
        check(147 * HOUR + 59 * MINUTE, "6 days 3 h");
        check(72 * HOUR, "3 days");
    }

    #[test]
    fn rfc3339() {
        let check = |ns: i64, text: &str| assert_eq!(Ts(ns).to_string(), text);
        check(0, "1970-01-01T00:00:00.000000Z");
        check(1_500_000_000_830_079_123, "2017-07-14T02:40:00.830079Z");
        check(951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z");
        check(-1, "1969-12-31T23:59:59.999999Z");
        check(i64::MAX, "2262-04-11T23:47:16.854775Z");
        check(i64::MIN, "1677-09-21T00:12:43.145224Z");
    }

    #[test]
    fn calendar_round_trip() {
        for days in (-200_000..200_000).step_by(37) {
            let (y, m, d) = civil(days);
            assert_eq!(days_from_civil(y, m, d), days);
        }
    }
}
