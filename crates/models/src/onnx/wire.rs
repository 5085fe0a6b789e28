//! Protobuf as ONNX needs it: a writer, and a reader that checks every length before it believes it.

/// What is wrong with bytes that should be protobuf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("damaged protobuf: {0}")]
pub struct WireError(pub &'static str);

type Result<T> = std::result::Result<T, WireError>;

/// Appends a variable-length integer.
pub fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn key(out: &mut Vec<u8>, field: u32, wire: u32) {
    varint(out, u64::from(field << 3 | wire));
}

/// Appends an integer field.
pub fn int(out: &mut Vec<u8>, field: u32, n: i64) {
    key(out, field, 0);
    varint(out, n as u64);
}

/// Appends a float field.
pub fn float(out: &mut Vec<u8>, field: u32, x: f32) {
    key(out, field, 5);
    out.extend_from_slice(&x.to_le_bytes());
}

/// Appends bytes, a text or a message.
pub fn bytes(out: &mut Vec<u8>, field: u32, content: &[u8]) {
    key(out, field, 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Appends a text where there is one.
pub fn text(out: &mut Vec<u8>, field: u32, text: &str) {
    if !text.is_empty() {
        bytes(out, field, text.as_bytes());
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Wire type 0.
    Int(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// As a signed integer.
    pub fn int(self) -> Result<i64> {
        match self {
            Field::Int(n) => Ok(n as i64),
            _ => Err(WireError("an integer is of another type")),
        }
    }
    /// As bytes.
    pub fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Field::Bytes(b) => Ok(b),
            _ => Err(WireError("a message or text is of another type")),
        }
    }
    /// As text.
    pub fn text(self) -> Result<String> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| WireError("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }
    /// As a float.
    pub fn float(self) -> Result<f32> {
        match self {
            Field::Fixed32(n) => Ok(f32::from_bits(n)),
            _ => Err(WireError("a float is of another type")),
        }
    }
    /// Appends one integer, or those packed in bytes.
    pub fn ints(self, out: &mut Vec<i64>) -> Result<()> {
        match self {
            Field::Int(n) => out.push(n as i64),
            Field::Bytes(b) => {
                let mut r = Reader(b);
                while !r.0.is_empty() {
                    out.push(r.varint()? as i64);
                }
            }
            _ => return Err(WireError("integers are of another type")),
        }
        Ok(())
    }
    /// Appends one float, or those packed in bytes.
    pub fn floats(self, out: &mut Vec<f32>) -> Result<()> {
        match self {
            Field::Fixed32(n) => out.push(f32::from_bits(n)),
            Field::Bytes(b) if b.len().is_multiple_of(4) => {
                out.extend(b.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])));
            }
            _ => return Err(WireError("floats are of another type")),
        }
        Ok(())
    }
}

/// Fields of a message one after the other.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(WireError("it ends too early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut n = 0u64;
        for shift in (0..70).step_by(7) {
            let [b] = self.take(1)? else { return Err(WireError("it ends too early")) };
            if shift == 63 && *b > 1 {
                return Err(WireError("an integer is too long"));
            }
            n |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(WireError("an integer is too long"))
    }

    /// The next field; none at the end.
    pub fn field(&mut self) -> Result<Option<(u32, Field<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = u32::try_from(key >> 3).map_err(|_| WireError("a field number is too large"))?;
        let value = match key & 7 {
            0 => Field::Int(self.varint()?),
            1 => {
                let b: [u8; 8] = self.take(8)?.try_into().map_err(|_| WireError("it ends too early"))?;
                Field::Fixed64(u64::from_le_bytes(b))
            }
            2 => {
                let n = self.varint()?;
                Field::Bytes(self.take(usize::try_from(n).map_err(|_| WireError("it ends too early"))?)?)
            }
            5 => {
                let b: [u8; 4] = self.take(4)?.try_into().map_err(|_| WireError("it ends too early"))?;
                Field::Fixed32(u32::from_le_bytes(b))
            }
            _ => return Err(WireError("an unknown wire type")),
        };
        Ok(Some((field, value)))
    }
}
