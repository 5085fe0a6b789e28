//! Community ID v1: a flow hash that other tools compute alike (<https://github.com/corelight/community-id-spec>).

use gwcore::FlowConst;
use sha1::{Digest, Sha1};

use crate::key::icmp_counterpart;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;
const SCTP: u8 = 132;

/// Community ID under a seed, which all tools of a site must share (0 unless they were told another); none without IP.
pub fn community_id(flow: &FlowConst, seed: u16) -> Option<String> {
    if flow.src.is_none() && flow.dst.is_none() {
        return None;
    }
    let (v4_src, v4_dst) = (flow.src.as_v4(), flow.dst.as_v4());
    let (src, dst) = match (&v4_src, &v4_dst) {
        (Some(a), Some(b)) => (&a[..], &b[..]),
        _ => (&flow.src.0[..], &flow.dst.0[..]),
    };
    let (src_port, dst_port) = (flow.src_port, flow.dst_port);
    let with_ports = matches!(flow.ip_proto, ICMP | TCP | UDP | ICMP6 | SCTP);
    let is_icmp = matches!(flow.ip_proto, ICMP | ICMP6);
    let pairs = u8::try_from(src_port).is_ok_and(|t| icmp_counterpart(t, flow.ip_proto == ICMP).is_some());
    let in_order = if is_icmp && !pairs {
        true
    } else if with_ports {
        (src, src_port) <= (dst, dst_port)
    } else {
        src <= dst
    };
    let ((a, a_port), (b, b_port)) =
        if in_order { ((src, src_port), (dst, dst_port)) } else { ((dst, dst_port), (src, src_port)) };
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    hash.update(a);
    hash.update(b);
    hash.update([flow.ip_proto, 0]);
    if with_ports {
        hash.update(a_port.to_be_bytes());
        hash.update(b_port.to_be_bytes());
    }
    Some(format!("1:{}", base64(&hash.finalize())))
}

/// Base 64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let n = group.iter().chain([&0, &0]).take(3).fold(0u32, |n, b| n << 8 | u32::from(*b));
        for i in 0..4 {
            let digit = ALPHABET[(n >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }
}
