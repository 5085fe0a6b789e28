//! One object: its octets into the fields of a row.

use gwcore::{Ts, time::MILLI};
use proto::Cursor;

use super::record::Dnp3Object;
use super::table::{self, F, Layout};

/// Reads one object laid out as told; none when octets are missing. `occurrence` is the common time that relative times count from,
/// in milliseconds, and is set by an object that states it.
pub fn object<'a>(
    layout: Layout,
    c: &mut Cursor<'a>,
    o: &mut Dnp3Object<'a>,
    occurrence: &mut Option<i64>,
) -> Option<()> {
    match layout {
        Layout::Fields(list) => fields(list, c, o, occurrence),
        Layout::Relay => relay(c, o),
        Layout::Attribute => attribute(c, o),
        Layout::File => file(c, o),
        Layout::Auth => auth(c, o),
        Layout::Octets => {
            o.value_bytes = Some(c.take(usize::from(o.variation))?);
            Some(())
        }
        Layout::Sized => {
            o.value_bytes = Some(c.take(c.left())?);
            Some(())
        }
        Layout::Bits(_) | Layout::None | Layout::Unknown => None,
    }
}

fn fields<'a>(list: &[F], c: &mut Cursor<'a>, o: &mut Dnp3Object<'a>, occurrence: &mut Option<i64>) -> Option<()> {
    let size = list.iter().map(|f| f.size()).sum();
    let mut c = c.sub(size)?;
    for f in list {
        match f {
            F::State => set_state(o, c.u8()?, 7, 1),
            F::Double => set_state(o, c.u8()?, 6, 3),
            F::Flags => set_flags(o, c.u8()?),
            F::StateStatus => {
                let octet = c.u8()?;
                set_int(o, i64::from(octet >> 7));
                set_status(o, octet & 0x7f);
            }
            F::Status => set_status(o, c.u8()?),
            F::I16 => set_int(o, i64::from(c.u16_le()? as i16)),
            F::I32 => set_int(o, i64::from(c.u32_le()? as i32)),
            F::U8 => set_int(o, i64::from(c.u8()?)),
            F::U16 => set_int(o, i64::from(c.u16_le()?)),
            F::U32 => set_int(o, i64::from(c.u32_le()?)),
            F::F32 => o.value = Some(f64::from(f32::from_bits(c.u32_le()?))),
            F::F64 => o.value = Some(f64::from_bits(c.u64_le()?)),
            F::Bcd(n) => bcd(c.take(*n)?, o),
            F::Time => o.time = millis(time(&mut c)?),
            F::Occurrence => {
                let at = time(&mut c)?;
                o.time = millis(at);
                *occurrence = Some(at);
            }
            F::Relative => {
                let delay = c.u16_le()?;
                o.delay_ms = Some(u32::from(delay));
                o.time = occurrence.and_then(|base| millis(base.saturating_add(i64::from(delay))));
            }
            F::Delay(unit) => o.delay_ms = Some(u32::from(c.u16_le()?).saturating_mul(*unit)),
            F::Skip(n) => {
                c.take(*n)?;
            }
        }
    }
    Some(())
}

/// DNP3 time: 48 bits of milliseconds since 1970 UTC, §11.3.3.
fn time(c: &mut Cursor<'_>) -> Option<i64> {
    i64::try_from(c.u48_le()?).ok()
}

/// The moment; none beyond the year 2262, where nanoseconds end and only a broken clock points.
fn millis(ms: i64) -> Option<Ts> {
    ms.checked_mul(MILLI).map(Ts)
}

fn set_flags(o: &mut Dnp3Object<'_>, flags: u8) {
    o.flags = Some(flags);
    o.good = Some(table::is_good(o.group, flags));
}

fn set_state(o: &mut Dnp3Object<'_>, flags: u8, shift: u32, mask: u8) {
    set_flags(o, flags);
    o.value = Some(f64::from(flags >> shift & mask));
}

fn set_status(o: &mut Dnp3Object<'_>, status: u8) {
    o.status = Some(status);
    o.status_name = Some(if o.group == 70 { table::file_status(status) } else { table::command_status(status) });
}

fn set_int(o: &mut Dnp3Object<'_>, v: i64) {
    o.value = Some(v as f64);
    o.value_int = (v.unsigned_abs() > 1 << 53).then_some(v);
}

/// Binary-coded decimal, least significant octet first; digits above nine leave the value out.
fn bcd<'a>(bytes: &'a [u8], o: &mut Dnp3Object<'a>) {
    let digits = bytes.iter().rev().flat_map(|b| [b >> 4, b & 15]);
    let number = digits.into_iter().try_fold(0i64, |n, d| {
        (d < 10).then_some(())?;
        n.checked_mul(10)?.checked_add(i64::from(d))
    });
    match number {
        Some(n) => set_int(o, n),
        None => o.value_bytes = Some(bytes),
    }
}

/// g12v1 and g12v2, §A.8.
fn relay(c: &mut Cursor<'_>, o: &mut Dnp3Object<'_>) -> Option<()> {
    let mut c = c.sub(11)?;
    let control = c.u8()?;
    o.control = Some(control);
    o.operation = Some(table::operation(control));
    o.trip_close = Some(table::trip_close(control));
    o.clear = Some(control & 0x20 != 0);
    o.count = Some(u32::from(c.u8()?));
    o.on_time_ms = Some(c.u32_le()?);
    o.off_time_ms = Some(c.u32_le()?);
    set_status(o, c.u8()? & 0x7f);
    Some(())
}

/// g0: data type, length, value (§A.1). Type 255 has 256 octets more than its length octet says.
fn attribute<'a>(c: &mut Cursor<'a>, o: &mut Dnp3Object<'a>) -> Option<()> {
    let mut head = *c;
    let (kind, length) = (head.u8()?, usize::from(head.u8()?));
    let length = if kind == 255 { length + 256 } else { length };
    let bytes = head.take(length)?;
    *c = head;
    let le = |sign: bool| {
        let fill = if sign && bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut all = [fill; 8];
        all.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(i64::from_le_bytes(all))
    };
    match kind {
        2 | 3 => match le(kind == 3) {
            Some(v) if kind == 3 || v >= 0 => set_int(o, v),
            _ => o.value_bytes = Some(bytes),
        },
        4 if length == 4 => o.value = Cursor::new(bytes).u32_le().map(|v| f64::from(f32::from_bits(v))),
        4 if length == 8 => o.value = Cursor::new(bytes).u64_le().map(f64::from_bits),
        7 => o.time = time(&mut Cursor::new(bytes)).and_then(millis),
        _ => o.value_bytes = Some(bytes),
    }
    Some(())
}

/// g70, §A.25.
fn file<'a>(c: &mut Cursor<'a>, o: &mut Dnp3Object<'a>) -> Option<()> {
    let whole = c.rest();
    match o.variation {
        2 => {
            let (at, size) = (c.u16_le()?, c.u16_le()?);
            c.take(8)?;
            o.user_name = text_at(whole, at, size);
        }
        3 => {
            let (at, size) = (c.u16_le()?, c.u16_le()?);
            o.time = millis(time(c)?);
            c.take(6)?;
            o.file_size = Some(c.u32_le()?);
            o.file_mode = Some(c.u16_le()?);
            c.take(2)?;
            o.file_request_id = Some(c.u16_le()?);
            o.file_name = text_at(whole, at, size);
        }
        4 => {
            o.file_handle = Some(c.u32_le()?);
            o.file_size = Some(c.u32_le()?);
            c.take(2)?;
            o.file_request_id = Some(c.u16_le()?);
            set_status(o, c.u8()?);
        }
        5 | 6 => {
            o.file_handle = Some(c.u32_le()?);
            let block = c.u32_le()?;
            o.file_block = Some(block & 0x7fff_ffff);
            o.file_last = Some(block >> 31 == 1);
            if o.variation == 6 {
                set_status(o, c.u8()?);
            } else {
                o.value_bytes = Some(c.rest());
            }
        }
        7 => {
            let (at, size) = (c.u16_le()?, c.u16_le()?);
            c.take(2)?;
            o.file_size = Some(c.u32_le()?);
            o.time = millis(time(c)?);
            c.take(2)?;
            o.file_request_id = Some(c.u16_le()?);
            o.file_name = text_at(whole, at, size);
        }
        8 => o.file_name = Some(whole),
        _ => o.value_bytes = Some(whole),
    }
    c.take(c.left())?;
    Some(())
}

/// Text at an offset of the object; absent when it lies outside.
fn text_at(whole: &[u8], at: u16, size: u16) -> Option<&[u8]> {
    whole.get(usize::from(at)..)?.get(..usize::from(size))
}

/// g120, §A.45: the body raw, with the sequence and user numbers that most variations begin with. Without a size prefix only the
/// variations of fixed size are readable.
fn auth<'a>(c: &mut Cursor<'a>, o: &mut Dnp3Object<'a>) -> Option<()> {
    let body = match o.variation {
        3 => c.take(6)?,
        4 => c.take(2)?,
        _ => c.take(c.left())?,
    };
    let mut head = Cursor::new(body);
    if matches!(o.variation, 1 | 2 | 3 | 5 | 6 | 7 | 12 | 13) {
        o.challenge_seq = head.u32_le();
    }
    if matches!(o.variation, 1..=7 | 12 | 13) {
        o.user_number = head.u16_le();
    }
    if o.variation == 7 {
        head.u16_le();
        o.status = head.u8();
    }
    o.value_bytes = Some(body);
    Some(())
}
