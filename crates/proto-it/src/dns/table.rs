//! Names of DNS codes: record types, classes, operations, response codes (IANA DNS Parameters), spelled as Zeek spells them.

/// Name of a record type or query type; none when it is not known.
pub fn type_name(code: u16) -> Option<&'static str> {
    lookup(TYPES, code)
}

/// Name of a class; none when it is not known.
pub fn class_name(code: u16) -> Option<&'static str> {
    lookup(CLASSES, code)
}

/// Name of an operation; none when it is not known.
pub fn opcode_name(code: u8) -> Option<&'static str> {
    lookup(OPCODES, u16::from(code))
}

/// Name of a response code, the extended ones of RFC 6891 included; none when it is not known.
pub fn rcode_name(code: u16) -> Option<&'static str> {
    lookup(RCODES, code)
}

/// Name of a service parameter (RFC 9460 §14.3.2); none when it is not known.
pub fn parameter_name(code: u16) -> Option<&'static str> {
    lookup(PARAMETERS, code)
}

/// The tables are in order of their codes.
fn lookup(table: &[(u16, &'static str)], code: u16) -> Option<&'static str> {
    let at = table.binary_search_by_key(&code, |entry| entry.0).ok()?;
    table.get(at).map(|entry| entry.1)
}

const TYPES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (3, "MD"),
    (4, "MF"),
    (5, "CNAME"),
    (6, "SOA"),
    (7, "MB"),
    (8, "MG"),
    (9, "MR"),
    (10, "NULL"),
    (11, "WKS"),
    (12, "PTR"),
    (13, "HINFO"),
    (14, "MINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (19, "X25"),
    (20, "ISDN"),
    (21, "RT"),
    (22, "NSAP"),
    (23, "NSAP-PTR"),
    (24, "SIG"),
    (25, "KEY"),
    (26, "PX"),
    (27, "GPOS"),
    (28, "AAAA"),
    (29, "LOC"),
    (30, "NXT"),
    (31, "EID"),
    (32, "NIMLOC"),
    (33, "SRV"),
    (34, "ATMA"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (38, "A6"),
    (39, "DNAME"),
    (40, "SINK"),
    (41, "OPT"),
    (42, "APL"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (55, "HIP"),
    (56, "NINFO"),
    (57, "RKEY"),
    (58, "TALINK"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (100, "UINFO"),
    (101, "UID"),
    (102, "GID"),
    (103, "UNSPEC"),
    (104, "NID"),
    (105, "L32"),
    (106, "L64"),
    (107, "LP"),
    (108, "EUI48"),
    (109, "EUI64"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (253, "MAILB"),
    (254, "MAILA"),
    (255, "*"),
    (256, "URI"),
    (257, "CAA"),
    (32768, "TA"),
    (32769, "DLV"),
    (65281, "WINS"),
    (65282, "WINS-R"),
];

const CLASSES: &[(u16, &str)] =
    &[(1, "C_INTERNET"), (2, "C_CSNET"), (3, "C_CHAOS"), (4, "C_HESIOD"), (254, "C_NONE"), (255, "C_ANY")];

const OPCODES: &[(u16, &str)] =
    &[(0, "query"), (1, "iquery"), (2, "server-status"), (4, "notify"), (5, "dynamic-update"), (6, "dso")];

const RCODES: &[(u16, &str)] = &[
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSet"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADVERS"),
    (17, "BADKEY"),
    (18, "BADTIME"),
    (19, "BADMODE"),
    (20, "BADNAME"),
    (21, "BADALG"),
    (22, "BADTRUNC"),
    (23, "BADCOOKIE"),
];

const PARAMETERS: &[(u16, &str)] = &[
    (0, "mandatory"),
    (1, "alpn"),
    (2, "no-default-alpn"),
    (3, "port"),
    (4, "ipv4hint"),
    (5, "ech"),
    (6, "ipv6hint"),
    (7, "dohpath"),
    (8, "ohttp"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_ordered_and_found_in() {
        for table in [TYPES, CLASSES, OPCODES, RCODES, PARAMETERS] {
            assert!(table.is_sorted_by(|a, b| a.0 < b.0), "{:?}", table.first());
        }
        assert_eq!((type_name(28), type_name(54), type_name(255)), (Some("AAAA"), None, Some("*")));
        assert_eq!((class_name(1), class_name(5)), (Some("C_INTERNET"), None));
        assert_eq!((opcode_name(5), opcode_name(3)), (Some("dynamic-update"), None));
        assert_eq!((rcode_name(3), rcode_name(12), rcode_name(16)), (Some("NXDOMAIN"), None, Some("BADVERS")));
        assert_eq!((parameter_name(1), parameter_name(100)), (Some("alpn"), None));
    }
}
