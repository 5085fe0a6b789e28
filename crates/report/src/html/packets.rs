//! How to see the packets of a finding: display filters of Wireshark, which `tshark -Y` takes too.

use gwcore::{Finding, Party};

/// Frame numbers in one filter.
const FRAMES: usize = 40;

/// The packets themselves: the capture with its filter, for every capture that holds some.
pub(super) fn frames(f: &Finding) -> Vec<(String, String)> {
    let mut files: Vec<(&str, Vec<u64>)> = Vec::new();
    for p in f.packets.iter().take(FRAMES) {
        match files.iter_mut().find(|(file, _)| *file == &*p.file) {
            Some((_, frames)) => frames.push(p.frame),
            None => files.push((&p.file, vec![p.frame])),
        }
    }
    let one = |frames: Vec<u64>| match &frames[..] {
        [frame] => format!("frame.number == {frame}"),
        all => format!("frame.number in {{{}}}", all.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    };
    // The packet of the sentence is named first, wherever it lies.
    let sorted = |mut frames: Vec<u64>| {
        frames.sort_unstable();
        one(frames)
    };
    files.into_iter().map(|(file, frames)| (file.to_owned(), sorted(frames))).collect()
}

/// Everything between its two ends; none where no address is known.
pub(super) fn around(f: &Finding) -> Option<String> {
    let (src, dst) = (address(&f.src), address(&f.dst));
    match (src, dst) {
        (Some(a), Some(b)) if a != b => Some(format!("{a} && {b}")),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

fn address(p: &Party) -> Option<String> {
    // An address may carry a zone or be malformed text only if it is not one of ours; what is no address makes no filter.
    match (p.ip.as_deref().map(str::parse::<std::net::IpAddr>), &p.mac) {
        (Some(Ok(std::net::IpAddr::V4(ip))), _) => Some(format!("ip.addr == {ip}")),
        (Some(Ok(std::net::IpAddr::V6(ip))), _) => Some(format!("ipv6.addr == {ip}")),
        (_, Some(mac)) => Some(format!("eth.addr == {mac}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::finding;
    use gwcore::{PacketRef, Severity};

    #[test]
    fn filters_name_frames_by_file_and_both_ends() {
        let mut f = finding("scan", Severity::Medium, 0, ("d1", "d2"));
        assert_eq!((frames(&f), around(&f)), (vec![], None));
        let packet = |file: &str, frame| PacketRef { file: file.into(), frame };
        f.packets = vec![packet("a", 3), packet("b", 1), packet("a", 9)];
        f.src.ip = Some("10.0.0.1".into());
        f.dst.ip = Some("fe80::1".into());
        let text = |file: &str, filter: &str| (file.to_owned(), filter.to_owned());
        assert_eq!(frames(&f), [text("a", "frame.number in {3, 9}"), text("b", "frame.number == 1")]);
        assert_eq!(around(&f).as_deref(), Some("ip.addr == 10.0.0.1 && ipv6.addr == fe80::1"));
        f.dst.ip = Some("10.0.0.1".into());
        assert_eq!(around(&f).as_deref(), Some("ip.addr == 10.0.0.1"));
        f.src = Party { mac: Some("00:01:02:03:04:05".into()), ..Party::default() };
        f.dst = Party::default();
        assert_eq!(around(&f).as_deref(), Some("eth.addr == 00:01:02:03:04:05"));
        f.packets = (0..90).map(|n| packet("a", n)).collect();
        assert_eq!(frames(&f)[0].1.matches(',').count(), FRAMES - 1);
    }
}
