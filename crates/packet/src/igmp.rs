//! IGMP (RFC 1112, 2236, 3376): who listens to which multicast group. The payload is that of IP protocol 2.

use gwcore::Addr;

use crate::cursor::{array, be16};

/// An IGMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Igmp<'a> {
    /// 0x11 query, 0x12, 0x16 and 0x22 report of version 1, 2 and 3, 0x17 leave.
    pub kind: u8,
    /// Longest response time in tenths of a second (version 2; a code above 127 in version 3).
    pub max_response: u8,
    /// The group asked for, reported or left; none in a general query and in a version 3 report.
    pub group: Option<Addr>,
    records: &'a [u8],
    count: u16,
}

/// A group record of a version 3 report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// 1 include, 2 exclude, 3 and 4 change to them, 5 allow, 6 block (RFC 3376 §4.2.12).
    pub kind: u8,
    /// The group.
    pub group: Addr,
    /// Number of sources.
    pub sources: u16,
}

/// Reads a message.
pub fn parse(payload: &[u8]) -> Option<Igmp<'_>> {
    let [kind, max_response, _, _, group @ ..] = array::<8>(payload, 0)?;
    let v3 = kind == 0x22;
    let (records, count) = if v3 { (payload.get(8..)?, be16(payload, 6)?) } else { (&[][..], 0) };
    let group = (!v3 && group != [0; 4]).then(|| Addr::v4(group));
    Some(Igmp { kind, max_response, group, records, count })
}

impl Igmp<'_> {
    /// The group records of a version 3 report, as far as they are whole.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let mut rest = self.records;
        (0..self.count).map_while(move |_| {
            let [kind, aux, s0, s1, group @ ..] = array::<8>(rest, 0)?;
            let sources = u16::from_be_bytes([s0, s1]);
            rest = rest.get(8 + usize::from(sources) * 4 + usize::from(aux) * 4..)?;
            Some(Record { kind, group: Addr::v4(group), sources })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_report_and_general_query() {
        let report = parse(&[0x16, 0, 0, 0, 224, 0, 1, 129]).unwrap();
        assert_eq!((report.kind, report.group), (0x16, Some(Addr::v4([224, 0, 1, 129]))));
        let query = parse(&[0x11, 100, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!((query.max_response, query.group, query.records().count()), (100, None, 0));
        assert_eq!(parse(&[0x11; 7]), None);
    }

    #[test]
    fn version_3_records_end_where_the_bytes_do() {
        let bytes = [
            0x22, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 1, 239, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 239, 0, 0, 2, 1, 0, 0, 9,
            239, 0, 0, 3,
        ];
        let records: Vec<_> = parse(&bytes).unwrap().records().collect();
        let want = |kind, n, sources| Record { kind, group: Addr::v4([239, 0, 0, n]), sources };
        assert_eq!(records, [want(4, 1, 1), want(2, 2, 0)]);
    }
}
