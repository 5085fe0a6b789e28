//! Which version of overlapping TCP data a receiver keeps, and which receivers keep which.
//!
//! The rules are those of Novak and Sturges, "Target-Based TCP Stream Reassembly" (2007), in the reading that Suricata gives them
//! (`stream-tcp-list.c`): the later segment is compared with each earlier one that it touches.

use std::str::FromStr;

use gwcore::Addr;

/// Which version of overlapping TCP data a receiver keeps.
///
/// Data goes up on arrival under `First`; under the others it waits for its ACK, since a later segment may still replace it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverlapPolicy {
    /// What came first (Vista and later Windows).
    #[default]
    First,
    /// What came last.
    Last,
    /// What came first, unless the later segment begins before it (BSD, HP-UX 10, IRIX, Mac OS, Windows before Vista).
    Bsd,
    /// As `Bsd`; the later segment also wins when it begins at the same place and reaches further (Linux 2.4 and later).
    Linux,
    /// As `Bsd`; the later segment also wins when it begins at the same place and ends there or after (Linux 2.2 and before).
    OldLinux,
    /// The later segment when it ends after the earlier one, or at its end without beginning inside it (Solaris, HP-UX 11).
    Solaris,
}

/// Policies by the names that Suricata's `host-os-policy` and Snort's `policy` give them.
const NAMES: [(&str, OverlapPolicy); 13] = [
    ("first", OverlapPolicy::First),
    ("vista", OverlapPolicy::First),
    ("last", OverlapPolicy::Last),
    ("bsd", OverlapPolicy::Bsd),
    ("hpux10", OverlapPolicy::Bsd),
    ("irix", OverlapPolicy::Bsd),
    ("macos", OverlapPolicy::Bsd),
    ("windows", OverlapPolicy::Bsd),
    ("windows2k3", OverlapPolicy::Bsd),
    ("linux", OverlapPolicy::Linux),
    ("old-linux", OverlapPolicy::OldLinux),
    ("solaris", OverlapPolicy::Solaris),
    ("hpux11", OverlapPolicy::Solaris),
];

impl OverlapPolicy {
    /// Whether the later of two overlapping segments (each from, to) replaces the earlier.
    pub(crate) fn later_wins(self, old: (i64, i64), new: (i64, i64)) -> bool {
        let before = new.0 < old.0;
        let same_start = new.0 == old.0;
        match self {
            OverlapPolicy::First => false,
            OverlapPolicy::Last => true,
            OverlapPolicy::Bsd => before,
            OverlapPolicy::Linux => before || (same_start && new.1 > old.1),
            OverlapPolicy::OldLinux => before || (same_start && new.1 >= old.1),
            OverlapPolicy::Solaris => new.1 > old.1 || (new.1 == old.1 && new.0 <= old.0),
        }
    }
}

impl FromStr for OverlapPolicy {
    type Err = String;

    fn from_str(name: &str) -> Result<OverlapPolicy, String> {
        let found = NAMES.iter().find(|(n, _)| *n == name).map(|(_, p)| *p);
        found.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(n, _)| *n).collect();
            format!("no policy `{name}`: it is one of {}", names.join(", "))
        })
    }
}

/// Receivers, by prefix, that keep data by a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    network: u128,
    /// Leading bits that count, of the 128 that every address has.
    bits: u32,
    policy: OverlapPolicy,
}

impl Target {
    fn holds(&self, addr: u128) -> bool {
        let shift = 128 - self.bits;
        (self.network ^ addr).checked_shr(shift).unwrap_or(0) == 0
    }
}

impl FromStr for Target {
    type Err = String;

    /// `ADDRESS=POLICY` or `ADDRESS/BITS=POLICY`.
    fn from_str(text: &str) -> Result<Target, String> {
        let (network, policy) = text.split_once('=').ok_or("expected `ADDRESS/BITS=POLICY`")?;
        let (addr, bits) = network.split_once('/').map_or((network, None), |(a, b)| (a, Some(b)));
        let addr: std::net::IpAddr = addr.parse().map_err(|_| format!("no address: `{addr}`"))?;
        let most = if addr.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(b) => b.parse().ok().filter(|b| *b <= most).ok_or(format!("no prefix length up to {most}: `{b}`"))?,
        };
        let network = u128::from_be_bytes(Addr::from(addr).0);
        Ok(Target { network, bits: bits + 128 - most, policy: policy.parse()? })
    }
}

/// Which policy holds for which receiver: that of the longest prefix, of equals the last; `First` where none holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets(Vec<Target>);

impl Targets {
    /// From a list in any order.
    pub fn new(mut list: Vec<Target>) -> Targets {
        list.reverse();
        list.sort_by_key(|t| std::cmp::Reverse(t.bits));
        Targets(list)
    }

    /// The policy of a receiver.
    pub(crate) fn of(&self, receiver: Addr) -> OverlapPolicy {
        let addr = u128::from_be_bytes(receiver.0);
        self.0.iter().find(|t| t.holds(addr)).map_or(OverlapPolicy::First, |t| t.policy)
    }
}

impl From<OverlapPolicy> for Targets {
    /// One policy for all.
    fn from(policy: OverlapPolicy) -> Targets {
        Targets(vec![Target { network: 0, bits: 0, policy }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        use OverlapPolicy::*;
        let check = |old, new, winners: &[OverlapPolicy]| {
            for policy in [First, Last, Bsd, Linux, OldLinux, Solaris] {
                assert_eq!(policy.later_wins(old, new), winners.contains(&policy), "{policy:?} {old:?} {new:?}");
            }
        };
        check((10, 20), (15, 18), &[Last]);
        check((10, 20), (15, 20), &[Last]);
        check((10, 20), (15, 25), &[Last, Solaris]);
        check((10, 20), (10, 18), &[Last]);
        check((10, 20), (10, 20), &[Last, OldLinux, Solaris]);
        check((10, 20), (10, 25), &[Last, Linux, OldLinux, Solaris]);
        check((10, 20), (5, 15), &[Last, Bsd, Linux, OldLinux]);
        check((10, 20), (5, 20), &[Last, Bsd, Linux, OldLinux, Solaris]);
        check((10, 20), (5, 25), &[Last, Bsd, Linux, OldLinux, Solaris]);
    }

    #[test]
    fn the_longest_prefix_decides() {
        let list =
            ["10.0.0.0/8=linux", "10.1.0.0/16=last", "0.0.0.0/0=windows", "2001:db8::/32=solaris", "10.1.2.3=vista"];
        let targets = Targets::new(list.iter().map(|t| t.parse().unwrap()).collect());
        let check = |addr: &str, policy| {
            assert_eq!(targets.of(addr.parse::<std::net::IpAddr>().unwrap().into()), policy, "{addr}")
        };
        check("10.2.0.0", OverlapPolicy::Linux);
        check("10.1.255.255", OverlapPolicy::Last);
        check("10.1.2.3", OverlapPolicy::First);
        check("11.0.0.0", OverlapPolicy::Bsd);
        check("2001:db8:ffff::", OverlapPolicy::Solaris);
        check("2001:db9::", OverlapPolicy::First);
        let twice = Targets::new(vec!["1.1.1.1=last".parse().unwrap(), "1.1.1.1=bsd".parse().unwrap()]);
        assert_eq!(twice.of(Addr::v4([1; 4])), OverlapPolicy::Bsd);
    }

    #[test]
    fn what_is_no_target_is_refused() {
        let check = |text: &str, word: &str| {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        };
        check("10.0.0.0/8", "ADDRESS/BITS=POLICY");
        check("10.0.0.0/33=linux", "up to 32");
        check("::/129=linux", "up to 128");
        check("10.0.0/8=linux", "no address");
        check("10.0.0.0/8=beos", "old-linux");
        assert!("10.0.0.0/32=linux".parse::<Target>().is_ok() && "::/0=last".parse::<Target>().is_ok());
    }
}
