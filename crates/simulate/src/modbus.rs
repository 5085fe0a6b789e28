//! Modbus/TCP application data units (Modbus Messaging on TCP/IP 1.0b, Application Protocol 1.1b3).

/// MBAP header and protocol data unit.
pub(crate) fn adu(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut out = transaction.to_be_bytes().to_vec();
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(pdu.len() as u16 + 1).to_be_bytes());
    out.push(unit);
    out.extend_from_slice(pdu);
    out
}

/// Function code with two words: reads (1–4), single writes (5, 6) and the answers to 5, 6, 15 and 16.
pub(crate) fn words(function: u8, first: u16, second: u16) -> Vec<u8> {
    [&[function][..], &first.to_be_bytes(), &second.to_be_bytes()].concat()
}

/// Answer to a read of registers (3, 4).
pub(crate) fn registers(function: u8, values: &[u16]) -> Vec<u8> {
    let mut out = vec![function, (values.len() * 2) as u8];
    out.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    out
}

/// Answer to a read of bits (1, 2), first bit in the lowest place.
pub(crate) fn bits(function: u8, values: &[bool]) -> Vec<u8> {
    let mut out = vec![function, values.len().div_ceil(8) as u8];
    let pack = |eight: &[bool]| eight.iter().rev().fold(0u8, |byte, bit| byte << 1 | u8::from(*bit));
    out.extend(values.chunks(8).map(pack));
    out
}

/// Request to write registers (16).
pub(crate) fn write_registers(first: u16, values: &[u16]) -> Vec<u8> {
    let mut out = words(16, first, values.len() as u16);
    out.push((values.len() * 2) as u8);
    out.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    out
}

/// Request for basic device identification (43/14).
pub(crate) const READ_DEVICE_IDENTIFICATION: [u8; 4] = [43, 14, 1, 0];

/// Answer with vendor, product and revision.
pub(crate) fn device_identification(objects: [&str; 3]) -> Vec<u8> {
    let mut out = vec![43, 14, 1, 1, 0, 0, 3];
    for (id, text) in objects.iter().enumerate() {
        out.extend_from_slice(&[id as u8, text.len() as u8]);
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_specification() {
        assert_eq!(adu(1, 17, &words(3, 0x6b, 3)), [0, 1, 0, 0, 0, 6, 17, 3, 0, 0x6b, 0, 3]);
        assert_eq!(registers(3, &[0x022b, 0, 0x64]), [3, 6, 2, 0x2b, 0, 0, 0, 0x64]);
        let coils = [true, false, true, true, false, false, true, true, true, true];
        assert_eq!(bits(1, &coils), [1, 2, 0xcd, 0x03]);
        assert_eq!(write_registers(1, &[10, 0x0102]), [16, 0, 1, 0, 2, 4, 0, 10, 1, 2]);
    }

    #[test]
    fn identification_by_hand() {
        let pdu = device_identification(["A", "BC", "1"]);
        assert_eq!(pdu, [43, 14, 1, 1, 0, 0, 3, 0, 1, b'A', 1, 2, b'B', b'C', 2, 1, b'1']);
    }
}
