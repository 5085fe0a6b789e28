//! The grammar of one Modbus PDU (application protocol specification V1.1b3 §6): bytes in, borrowed views out.

use proto::Cursor;

/// Values as they stand on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values<'a> {
    /// None.
    #[default]
    None,
    /// Registers, two bytes each, big-endian.
    Words(&'a [u8]),
    /// Coils or inputs, the least significant bit of the first byte first.
    Bits(&'a [u8]),
    /// The value of one coil: 0xff00 is on, 0 is off.
    Coil(u16),
}

impl Values<'_> {
    /// Bytes on the wire.
    pub fn bytes(self) -> usize {
        match self {
            Values::None => 0,
            Values::Words(bytes) | Values::Bits(bytes) => bytes.len(),
            Values::Coil(_) => 2,
        }
    }

    /// Appends the numbers, at most `limit` where it is known (the last byte of coils is padded).
    pub fn collect(self, limit: Option<u16>, to: &mut Vec<u32>) {
        let limit = limit.map_or(usize::MAX, usize::from);
        match self {
            Values::None => {}
            Values::Words(bytes) => to.extend(words(bytes).map(u32::from)),
            Values::Bits(bytes) => {
                to.extend(bytes.iter().flat_map(|b| (0..8).map(move |i| u32::from(b >> i & 1))).take(limit));
            }
            Values::Coil(0xff00) => to.push(1),
            Values::Coil(other) => to.push(u32::from(other)),
        }
    }
}

/// Big-endian 16-bit words; an odd last byte is left out.
pub fn words(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).filter_map(|w| Some(u16::from_be_bytes(w.try_into().ok()?)))
}

/// The write half of function 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write<'a> {
    /// First register written.
    pub address: u16,
    /// Registers written.
    pub quantity: u16,
    /// The values.
    pub values: Values<'a>,
}

/// Groups of a file record request or answer (§6.14, §6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Files<'a> {
    groups: &'a [u8],
    shape: FileShape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileShape {
    /// Reference type, file, record, length.
    Asked,
    /// Length, reference type, data.
    Answered,
    /// Reference type, file, record, length, data.
    Written,
}

/// One group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// File and record number; absent in answers to reads.
    pub place: Option<(u16, u16)>,
    /// Registers of the record.
    pub length: u16,
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> Files<'a> {
    /// The groups up to the first broken one.
    pub fn groups(self) -> impl Iterator<Item = Group<'a>> {
        let mut c = Cursor::new(self.groups);
        std::iter::from_fn(move || group(&mut c, self.shape))
    }
}

/// A group, none when it is cut or its reference type is not 6.
fn group<'a>(c: &mut Cursor<'a>, shape: FileShape) -> Option<Group<'a>> {
    if shape == FileShape::Answered {
        let n = usize::from(c.u8()?).checked_sub(1)?;
        let (kind, data) = (c.u8()?, c.take(n)?);
        let length = u16::try_from(n / 2).ok()?;
        return (kind == 6 && n % 2 == 0).then_some(Group { place: None, length, data });
    }
    let (kind, place) = (c.u8()?, Some((c.u16()?, c.u16()?)));
    let length = c.u16()?;
    let data = if shape == FileShape::Written { c.take(usize::from(length) * 2)? } else { &[] };
    (kind == 6).then_some(Group { place, length, data })
}

/// Device identification (§6.21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device<'a> {
    /// Category asked for: 1 basic, 2 regular, 3 extended, 4 one object.
    pub code: u8,
    /// First object asked for.
    pub object_id: Option<u8>,
    /// Conformity level of the device.
    pub conformity: Option<u8>,
    /// Whether another answer holds more, and from which object on.
    pub more: Option<(u8, u8)>,
    objects: &'a [u8],
}

impl<'a> Device<'a> {
    /// Identifier and value of each object, up to the first one that is cut.
    pub fn objects(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut c = Cursor::new(self.objects);
        std::iter::from_fn(move || {
            let (id, n) = (c.u8()?, c.u8()?);
            Some((id, c.take(usize::from(n))?))
        })
    }
}

/// What a PDU says. Absent is what its function does not carry or what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// A request rather than an answer.
    pub is_request: bool,
    /// Function without the exception bit.
    pub function: u8,
    /// Exception code of a refusal.
    pub exception: Option<u8>,
    /// First coil or register, or the FIFO pointer.
    pub address: Option<u16>,
    /// How many.
    pub quantity: Option<u16>,
    /// Values read, or written by functions other than 23.
    pub values: Values<'a>,
    /// The write half of function 23.
    pub write: Option<Write<'a>>,
    /// AND and OR mask of function 22.
    pub masks: Option<(u16, u16)>,
    /// Sub-function of diagnostics.
    pub sub_function: Option<u16>,
    /// Exception status, or the status word of functions 11 and 12.
    pub status: Option<u16>,
    /// Event and message counts of functions 11 and 12.
    pub counts: (Option<u16>, Option<u16>),
    /// MEI type of function 43.
    pub mei_type: Option<u8>,
    /// Device identification.
    pub device: Option<Device<'a>>,
    /// File records.
    pub files: Option<Files<'a>>,
    /// Bytes not taken apart.
    pub data: &'a [u8],
    /// What contradicts the specification first.
    pub fault: Option<&'static str>,
}

impl<'a> Pdu<'a> {
    fn note(&mut self, ok: bool, fault: &'static str) {
        if !ok && self.fault.is_none() {
            self.fault = Some(fault);
        }
    }

    /// Sub-function, MEI type or UMAS code: what tells apart the operations of one function.
    pub fn operation_code(&self) -> Option<u16> {
        match self.function {
            8 => self.sub_function,
            43 => self.mei_type.map(u16::from),
            90 if self.is_request => self.data.get(1).map(|b| u16::from(*b)),
            _ => None,
        }
    }
}

/// Whether the specification describes the function in full.
pub fn is_public(function: u8) -> bool {
    matches!(function, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43)
}

/// Reads one PDU as a request or as an answer; none only when it is empty. What does not fit stands in `fault` and `data`.
pub fn parse(is_request: bool, bytes: &[u8]) -> Option<Pdu<'_>> {
    let mut c = Cursor::new(bytes);
    let code = c.u8()?;
    let mut pdu = Pdu { is_request, function: code & 0x7f, ..Pdu::default() };
    pdu.note(pdu.function != 0, "function_zero");
    let read = match (code & 0x80 != 0, is_request) {
        (true, true) => {
            pdu.note(false, "exception_as_request");
            Some(())
        }
        (true, false) => exception(&mut pdu, &mut c),
        (false, true) => request(&mut pdu, &mut c),
        (false, false) => answer(&mut pdu, &mut c),
    };
    pdu.note(read.is_some(), "pdu_cut");
    if !c.is_empty() {
        pdu.data = c.rest();
        let opaque = !is_public(pdu.function) || (code & 0x80 != 0 && is_request);
        pdu.note(opaque, "trailing_bytes");
    }
    Some(pdu)
}

fn exception<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    pdu.exception = Some(c.u8()?);
    Some(())
}

fn request<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    match pdu.function {
        1 | 2 => range(pdu, c, 2_000),
        3 | 4 => range(pdu, c, 125),
        5 | 6 => single(pdu, c),
        8 => diagnostics(pdu, c),
        15 => {
            range(pdu, c, 1_968)?;
            let bytes = usize::from(pdu.quantity?.div_ceil(8));
            pdu.values = Values::Bits(counted(pdu, c, Some(bytes))?);
            Some(())
        }
        16 => {
            range(pdu, c, 123)?;
            let bytes = usize::from(pdu.quantity?) * 2;
            pdu.values = Values::Words(counted(pdu, c, Some(bytes))?);
            Some(())
        }
        20 => files(pdu, c, FileShape::Asked),
        21 => files(pdu, c, FileShape::Written),
        22 => mask_write(pdu, c),
        23 => {
            range(pdu, c, 125)?;
            let (address, quantity) = (c.u16()?, c.u16()?);
            let mut write = Write { address, quantity, values: Values::None };
            pdu.write = Some(write);
            pdu.note((1..=121).contains(&quantity), "quantity_out_of_range");
            write.values = Values::Words(counted(pdu, c, Some(usize::from(quantity) * 2))?);
            pdu.write = Some(write);
            Some(())
        }
        24 => {
            pdu.address = Some(c.u16()?);
            Some(())
        }
        43 => encapsulated(pdu, c),
        _ => Some(()),
    }
}

fn answer<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    match pdu.function {
        1 | 2 => {
            pdu.values = Values::Bits(counted(pdu, c, None)?);
            Some(())
        }
        3 | 4 | 23 => {
            let bytes = counted(pdu, c, None)?;
            pdu.note(bytes.len() % 2 == 0, "byte_count_mismatch");
            pdu.values = Values::Words(bytes);
            Some(())
        }
        5 | 6 => single(pdu, c),
        7 => {
            pdu.status = Some(u16::from(c.u8()?));
            Some(())
        }
        8 => diagnostics(pdu, c),
        11 => {
            pdu.status = Some(c.u16()?);
            pdu.counts.0 = Some(c.u16()?);
            Some(())
        }
        12 => event_log(pdu, c),
        15 => range(pdu, c, 1_968),
        16 => range(pdu, c, 123),
        17 => {
            pdu.data = counted(pdu, c, None)?;
            Some(())
        }
        20 => files(pdu, c, FileShape::Answered),
        21 => files(pdu, c, FileShape::Written),
        22 => mask_write(pdu, c),
        24 => fifo(pdu, c),
        43 => encapsulated(pdu, c),
        _ => Some(()),
    }
}

fn range<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>, most: u16) -> Option<()> {
    let address = c.u16()?;
    pdu.address = Some(address);
    let quantity = c.u16()?;
    pdu.quantity = Some(quantity);
    pdu.note((1..=most).contains(&quantity), "quantity_out_of_range");
    pdu.note(u32::from(address) + u32::from(quantity) <= 0x1_0000, "address_out_of_range");
    Some(())
}

fn single<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    pdu.address = Some(c.u16()?);
    let value = c.take(2)?;
    if pdu.function == 6 {
        pdu.values = Values::Words(value);
        return Some(());
    }
    let coil = words(value).next()?;
    pdu.values = Values::Coil(coil);
    pdu.note(coil == 0 || coil == 0xff00, "coil_value_invalid");
    Some(())
}

/// Bytes after a byte count, which must announce exactly what is there and, where it follows from a quantity, `expected`.
fn counted<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>, expected: Option<usize>) -> Option<&'a [u8]> {
    let count = usize::from(c.u8()?);
    if count != c.left() || expected.is_some_and(|e| e != count) {
        pdu.note(false, "byte_count_mismatch");
        return None;
    }
    c.take(count)
}

fn diagnostics<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    pdu.sub_function = Some(c.u16()?);
    let bytes = c.take(c.left() & !1)?;
    pdu.values = Values::Words(bytes);
    Some(())
}

fn mask_write<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    pdu.address = Some(c.u16()?);
    pdu.masks = Some((c.u16()?, c.u16()?));
    Some(())
}

fn event_log<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    let mut log = Cursor::new(counted(pdu, c, None)?);
    pdu.status = Some(log.u16()?);
    pdu.counts = (Some(log.u16()?), Some(log.u16()?));
    pdu.data = log.rest();
    Some(())
}

fn fifo<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    let (bytes, count) = (c.u16()?, c.u16()?);
    pdu.quantity = Some(count);
    pdu.note(count <= 31, "quantity_out_of_range");
    if u32::from(bytes) != u32::from(count) * 2 + 2 || c.left() != usize::from(count) * 2 {
        pdu.note(false, "byte_count_mismatch");
        return None;
    }
    pdu.values = Values::Words(c.take(c.left())?);
    Some(())
}

fn files<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>, shape: FileShape) -> Option<()> {
    let groups = counted(pdu, c, None)?;
    let mut walk = Cursor::new(groups);
    let mut read = 0;
    while group(&mut walk, shape).is_some() {
        read = groups.len() - walk.left();
    }
    pdu.files = Some(Files { groups: groups.get(..read).unwrap_or_default(), shape });
    if read < groups.len() || groups.is_empty() {
        pdu.data = groups.get(read..).unwrap_or_default();
        pdu.note(false, "file_group_broken");
    }
    Some(())
}

fn encapsulated<'a>(pdu: &mut Pdu<'a>, c: &mut Cursor<'a>) -> Option<()> {
    let mei = c.u8()?;
    pdu.mei_type = Some(mei);
    if mei != 14 {
        pdu.data = c.take(c.left())?;
        return Some(());
    }
    let mut device = Device { code: c.u8()?, ..Device::default() };
    pdu.note((1..=4).contains(&device.code), "device_id_code_invalid");
    pdu.device = Some(device);
    if pdu.is_request {
        device.object_id = Some(c.u8()?);
        pdu.device = Some(device);
        return Some(());
    }
    device.conformity = Some(c.u8()?);
    device.more = Some((c.u8()?, c.u8()?));
    let count = c.u8()?;
    let start = c.rest();
    let mut whole = Some(());
    for _ in 0..count {
        let object = |c: &mut Cursor<'a>| {
            c.u8()?;
            let n = usize::from(c.u8()?);
            c.take(n)
        };
        whole = object(c).map(drop);
        if whole.is_none() {
            break;
        }
    }
    device.objects = start.get(..start.len() - c.left()).unwrap_or_default();
    pdu.device = Some(device);
    whole
}
