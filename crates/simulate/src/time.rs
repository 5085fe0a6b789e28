//! Simulated time: microseconds since 1970, its text, and the calendar fields that protocols carry.

/// Microseconds since 1970-01-01 UTC.
pub(crate) type Micros = u64;

pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const MINUTE: Micros = 60 * SECOND;
pub(crate) const HOUR: Micros = 60 * MINUTE;
pub(crate) const DAY: Micros = 24 * HOUR;

/// A moment taken apart in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    pub(crate) micros: u64,
    /// 1 is Monday.
    pub(crate) weekday: u64,
}

/// Days to civil date by the era method of the Gregorian calendar (400 years are 146 097 days).
pub(crate) fn civil(at: Micros) -> Civil {
    let days = at / DAY;
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day: of_year - (153 * month_from_march + 2) / 5 + 1,
        hour: at / HOUR % 24,
        minute: at / MINUTE % 60,
        second: at / SECOND % 60,
        micros: at % SECOND,
        weekday: (days + 3) % 7 + 1,
    }
}

/// RFC 3339 in UTC with microseconds.
pub(crate) fn rfc3339(at: Micros) -> String {
    let c = civil(at);
    let (date, time) = ((c.year, c.month, c.day), (c.hour, c.minute, c.second));
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", date.0, date.1, date.2, time.0, time.1, time.2, c.micros)
}

/// IMF-fixdate of RFC 9110 §5.6.7, as HTTP's `Date` has it.
pub(crate) fn http_date(at: Micros) -> String {
    let c = civil(at);
    let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][(c.weekday - 1) as usize % 7];
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names[(c.month - 1) as usize % 12];
    format!("{day}, {:02} {month} {} {:02}:{:02}:{:02} GMT", c.day, c.year, c.hour, c.minute, c.second)
}

/// A fraction of a second as 32 bits, the low half of an NTP (RFC 5905 §6) or, in its upper 24 bits, an IEC 61850 time.
pub(crate) fn fraction(at: Micros) -> u32 {
    (((at % SECOND) << 32) / SECOND) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_by_hand() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(951_782_400 * SECOND + 7), "2000-02-29T00:00:00.000007Z");
        assert_eq!(rfc3339(1_735_689_599 * SECOND), "2024-12-31T23:59:59.000000Z");
        assert_eq!(http_date(784_111_777 * SECOND), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(fraction(SECOND / 2), 1 << 31);
    }
}
