//! Names of DHCP message types (RFC 2132 §9.6 and its successors), spelled as Zeek spells them.

/// Name of a message type; none when it is not known.
pub fn message_name(code: u8) -> Option<&'static str> {
    MESSAGES.get(usize::from(code).checked_sub(1)?).copied()
}

/// Message type of an acknowledgement.
pub const ACK: u8 = 5;

/// From 1 on.
const MESSAGES: &[&str] = &[
    "DISCOVER",
    "OFFER",
    "REQUEST",
    "DECLINE",
    "ACK",
    "NAK",
    "RELEASE",
    "INFORM",
    "FORCERENEW",
    "LEASEQUERY",
    "LEASEUNASSIGNED",
    "LEASEUNKNOWN",
    "LEASEACTIVE",
    "BULKLEASEQUERY",
    "LEASEQUERYDONE",
    "ACTIVELEASEQUERY",
    "LEASEQUERYSTATUS",
    "TLS",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted_from_one() {
        assert_eq!((message_name(0), message_name(1), message_name(ACK)), (None, Some("DISCOVER"), Some("ACK")));
        assert_eq!((message_name(18), message_name(19)), (Some("TLS"), None));
    }
}
