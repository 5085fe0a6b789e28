//! Tests of the S7comm messages alone; those of the stack stand with TPKT.

use super::{Message, Role, S7};
use proto::{Carrier, Hint, Parser, Probe};

fn check(bytes: &[u8], expect: Option<(Role, Option<u8>, Option<&'static str>)>) {
    let read = Message::parse(bytes).map(|m| (m.role, m.function, m.fault));
    assert_eq!(read, expect, "{bytes:02x?}");
}

#[test]
fn headers_are_read_and_lengths_checked() {
    check(&[0x32, 1, 0, 0, 0, 1, 0, 2, 0, 1, 4, 1, 9], Some((Role::Request, Some(4), None)));
    check(&[0x32, 1, 0, 0, 0, 1, 0, 2, 0, 2, 4, 1, 9], Some((Role::Request, Some(4), Some("length_mismatch"))));
    check(&[0x32, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0x81, 4], Some((Role::Answer, None, None)));
    check(&[0x32, 1, 0, 0, 0, 1, 0, 2, 0, 0, 0xf0, 0], Some((Role::Request, Some(0xf0), Some("setup_cut"))));
    check(&[0x32, 7, 0, 0, 0, 1, 0, 6, 0, 0, 0, 1, 0x12, 4, 0x11, 0x44], Some((Role::Request, None, None)));
    check(&[0x32, 7, 0, 0, 0, 1, 0, 0, 0, 0], Some((Role::Notice, None, None)));
    check(&[0x32, 4, 0, 0, 0, 1, 0, 0, 0, 0], None);
    check(&[0x72, 1, 0, 0, 0, 1, 0, 0, 0, 0], None);
    check(&[0x32, 1, 0, 0, 0, 1, 0, 0, 0], None);
}

#[test]
fn a_message_is_certain_when_its_lengths_add_up() {
    let hint = Hint { carrier: Carrier::Child("cotp"), src_port: 1, dst_port: 102, from_start: true };
    let head = [0x32, 1, 0, 0, 0, 1, 0, 2, 0, 1, 4, 1, 9];
    assert_eq!(S7::probe(&head, &hint), Probe::Certain);
    assert_eq!(S7::probe(&head[..12], &hint), Probe::Maybe);
    assert_eq!(S7::probe(&head[..9], &hint), Probe::No);
}
