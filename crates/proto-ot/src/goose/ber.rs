//! The few rules of BER (ITU-T X.690) that GOOSE uses: one-octet tags, definite lengths, integers.

use proto::Cursor;

/// Tag and content of the next element; none when it is cut, its tag takes more than one octet or its length is indefinite.
pub fn element<'a>(c: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let mut ahead = *c;
    let tag = ahead.u8().filter(|t| t & 0x1f != 0x1f)?;
    let length = match ahead.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(ahead.u8()?),
        0x82 => usize::from(ahead.u16()?),
        0x83 => usize::try_from(ahead.u24()?).ok()?,
        _ => return None,
    };
    let content = ahead.take(length)?;
    *c = ahead;
    Some((tag, content))
}

/// As [`element`], but content that is cut by the end of the bytes is given as far as it goes, with false.
pub fn element_cut<'a>(c: &mut Cursor<'a>) -> Option<(u8, &'a [u8], bool)> {
    if let Some((tag, content)) = element(c) {
        return Some((tag, content, true));
    }
    let mut ahead = *c;
    let tag = ahead.u8()?;
    let octets = match ahead.u8()? {
        0..=0x7f => 0,
        long @ 0x81..=0x83 => usize::from(long & 3),
        _ => return None,
    };
    ahead.take(octets)?;
    let content = ahead.take(ahead.left())?;
    *c = ahead;
    Some((tag, content, false))
}

/// An unsigned integer of at most 64 bits; a leading zero octet may precede them.
pub fn unsigned(content: &[u8]) -> Option<u64> {
    let significant = match content {
        [] => return None,
        [0, rest @ ..] if content.len() == 9 => rest,
        all => all,
    };
    if significant.len() > 8 {
        return None;
    }
    Some(significant.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
}

/// A signed integer of at most 64 bits.
pub fn signed(content: &[u8]) -> Option<i64> {
    let first = *content.first().filter(|_| content.len() <= 8)?;
    let start = if first & 0x80 != 0 { -1i64 } else { 0 };
    Some(content.iter().fold(start, |n, b| (n << 8) | i64::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        let check = |bytes: &[u8], expect: Option<(u8, usize)>| {
            assert_eq!(element(&mut Cursor::new(bytes)).map(|(t, c)| (t, c.len())), expect, "{bytes:02x?}");
        };
        check(&[0x85, 1, 7], Some((0x85, 1)));
        check(&[0x85, 0], Some((0x85, 0)));
        check(&[0x85, 0x81, 2, 1, 2], Some((0x85, 2)));
        check(&[0x85, 0x82, 0, 1, 9], Some((0x85, 1)));
        check(&[0x85, 0x83, 0, 0, 1, 9], Some((0x85, 1)));
        for bad in
            [&[][..], &[0x85], &[0x85, 2, 1], &[0x85, 0x80, 1], &[0x9f, 0x21, 1, 1], &[0x85, 0x84, 0, 0, 0, 1, 9]]
        {
            check(bad, None);
        }
        let cut = element_cut(&mut Cursor::new(&[0x61, 0x81, 9, 1, 2]));
        assert_eq!(cut, Some((0x61, &[1, 2][..], false)));
    }

    #[test]
    fn integers() {
        assert_eq!([unsigned(&[]), unsigned(&[0xff]), unsigned(&[0, 1, 0])], [None, Some(255), Some(256)]);
        assert_eq!(unsigned(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Some(u64::MAX));
        assert_eq!([unsigned(&[1; 9]), unsigned(&[0; 10])], [None, None]);
        assert_eq!(
            [signed(&[]), signed(&[0xff]), signed(&[0x80, 0]), signed(&[0x7f])],
            [None, Some(-1), Some(-32768), Some(127)]
        );
        assert_eq!([signed(&[0x80, 0, 0, 0, 0, 0, 0, 0]), signed(&[0; 9])], [Some(i64::MIN), None]);
    }
}
