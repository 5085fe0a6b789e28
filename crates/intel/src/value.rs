//! Kinds of indicators and the one form in which each is stored and looked up.

use std::net::IpAddr;

use gwcore::Addr;

/// What an indicator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An IP address.
    Address,
    /// A range of IP addresses.
    Network,
    /// A domain name.
    Domain,
    /// A URL; stored without its scheme, as host, port where it is not the scheme's own, path and query.
    Url,
    /// MD5 of a file.
    Md5,
    /// SHA-1 of a file.
    Sha1,
    /// SHA-256 of a file.
    Sha256,
    /// SHA-1 of an X.509 certificate.
    CertSha1,
    /// SHA-256 of an X.509 certificate.
    CertSha256,
    /// JA3 of a TLS client.
    Ja3,
    /// JA3S of a TLS server.
    Ja3s,
    /// JA4 of a TLS client.
    Ja4,
    /// User agent of HTTP, as sent.
    UserAgent,
    /// E-mail address.
    Email,
    /// Name of a user.
    User,
    /// Name of a file.
    FileName,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 16] = [
        Kind::Address,
        Kind::Network,
        Kind::Domain,
        Kind::Url,
        Kind::Md5,
        Kind::Sha1,
        Kind::Sha256,
        Kind::CertSha1,
        Kind::CertSha256,
        Kind::Ja3,
        Kind::Ja3s,
        Kind::Ja4,
        Kind::UserAgent,
        Kind::Email,
        Kind::User,
        Kind::FileName,
    ];

    /// The word used in reports and evidence.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Address => "address",
            Kind::Network => "network",
            Kind::Domain => "domain",
            Kind::Url => "url",
            Kind::Md5 => "md5",
            Kind::Sha1 => "sha1",
            Kind::Sha256 => "sha256",
            Kind::CertSha1 => "certificate_sha1",
            Kind::CertSha256 => "certificate_sha256",
            Kind::Ja3 => "ja3",
            Kind::Ja3s => "ja3s",
            Kind::Ja4 => "ja4",
            Kind::UserAgent => "user_agent",
            Kind::Email => "email",
            Kind::User => "user",
            Kind::FileName => "file_name",
        }
    }

    /// As a person would say it in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Address => "address",
            Kind::Network => "network",
            Kind::Domain => "domain",
            Kind::Url => "URL",
            Kind::Md5 | Kind::Sha1 | Kind::Sha256 => "file",
            Kind::CertSha1 | Kind::CertSha256 => "certificate",
            Kind::Ja3 | Kind::Ja4 => "TLS client fingerprint",
            Kind::Ja3s => "TLS server fingerprint",
            Kind::UserAgent => "user agent",
            Kind::Email => "e-mail address",
            Kind::User => "user name",
            Kind::FileName => "file name",
        }
    }

    pub(crate) fn from_u8(n: u8) -> Kind {
        Kind::ALL.get(n as usize).copied().unwrap_or(Kind::FileName)
    }
}

/// A range of addresses: its first address in 16 bytes, and how many leading bits of those are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Net {
    /// First address.
    pub base: Addr,
    /// Fixed bits, of 128; an IPv4 prefix counts from 96.
    pub bits: u8,
}

impl Net {
    /// From `10.0.0.0/8`, `2001:db8::/32`, or a single address. Bits beyond the prefix are cleared.
    pub fn parse(text: &str) -> Option<Net> {
        let (addr, prefix) = match text.split_once('/') {
            Some((a, p)) => (a.parse::<IpAddr>().ok()?, Some(p.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let most = if addr.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most {
            return None;
        }
        let bits = if addr.is_ipv4() { 96 + prefix } else { prefix };
        Some(Net { base: mask(Addr::from(addr), bits), bits })
    }

    /// Whether an address lies in it.
    pub fn has(&self, addr: Addr) -> bool {
        mask(addr, self.bits) == self.base
    }

    /// Whether another range lies in it.
    pub fn covers(&self, other: &Net) -> bool {
        other.bits >= self.bits && self.has(other.base)
    }

    /// Whether it is one address.
    pub fn is_one(&self) -> bool {
        self.bits == 128
    }

    /// As text with the prefix of its family.
    pub fn text(&self) -> String {
        match self.base.is_v4() && self.bits >= 96 {
            true => format!("{}/{}", self.base, self.bits - 96),
            false => format!("{}/{}", self.base, self.bits),
        }
    }
}

/// An address with all but its first `bits` bits cleared.
pub(crate) fn mask(addr: Addr, bits: u8) -> Addr {
    let bits = u32::from(bits.min(128));
    let keep = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
    Addr((u128::from_be_bytes(addr.0) & keep).to_be_bytes())
}

/// The stored form of a value, or why it cannot be one of this kind. Networks give the 16 bytes of their base and one of their length.
pub fn canonical(kind: Kind, text: &str) -> Result<Vec<u8>, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("empty value");
    }
    match kind {
        Kind::Address => {
            let net = Net::parse(text).ok_or("not an IP address")?;
            if !net.is_one() {
                return Err("a range, not an address");
            }
            not_everybody(&net)?;
            Ok(net.base.0.to_vec())
        }
        Kind::Network => {
            let net = Net::parse(text).ok_or("not a range of IP addresses")?;
            not_everybody(&net)?;
            let mut bytes = net.base.0.to_vec();
            bytes.push(net.bits);
            Ok(bytes)
        }
        Kind::Domain => domain(text).map(String::into_bytes),
        Kind::Url => url(text).map(String::into_bytes),
        Kind::Md5 | Kind::Ja3 | Kind::Ja3s => hex(text, 32),
        Kind::Sha1 | Kind::CertSha1 => hex(text, 40),
        Kind::Sha256 | Kind::CertSha256 => hex(text, 64),
        Kind::Ja4 => match text.len() == 36 && text.bytes().filter(|b| *b == b'_').count() == 2 {
            true => Ok(text.to_ascii_lowercase().into_bytes()),
            false => Err("not a JA4 fingerprint"),
        },
        Kind::Email => match text.split_once('@') {
            Some((a, b)) if !a.is_empty() && b.contains('.') => Ok(text.to_lowercase().into_bytes()),
            _ => Err("not an e-mail address"),
        },
        Kind::UserAgent | Kind::User | Kind::FileName => Ok(text.as_bytes().to_vec()),
    }
}

/// Loopback, multicast, unspecified and ranges that hold a large part of all addresses would match everybody.
fn not_everybody(net: &Net) -> Result<(), &'static str> {
    let wide = if net.base.is_v4() && net.bits >= 96 { net.bits < 96 + 8 } else { net.bits < 16 };
    if wide {
        return Err("a range wider than /8 (IPv6: /16) would match nearly everybody");
    }
    let ip = net.base.ip();
    let broadcast = net.base == Addr::v4([255; 4]);
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || broadcast {
        return Err("a loopback, multicast or unspecified address names nobody");
    }
    Ok(())
}

fn hex(text: &str, len: usize) -> Result<Vec<u8>, &'static str> {
    let clean: Vec<u8> = text.bytes().filter(|b| *b != b':').map(|b| b.to_ascii_lowercase()).collect();
    if clean.len() != len || !clean.iter().all(u8::is_ascii_hexdigit) {
        return Err("not a hash of this length");
    }
    Ok(clean)
}

/// A domain in lower case, without the final dot.
fn domain(text: &str) -> Result<String, &'static str> {
    let name = text.trim_start_matches("*.").trim_matches('.').to_lowercase();
    let plausible = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 253 || !name.chars().all(plausible) {
        return Err("not a domain name");
    }
    if !name.contains('.') {
        return Err("a name of one label would match a whole top-level domain");
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err("an address, not a domain name");
    }
    Ok(name)
}

/// A URL as it is looked up: no scheme, host in lower case, no port that its scheme implies, no fragment, at least `/` for a path.
pub(crate) fn url(text: &str) -> Result<String, &'static str> {
    let (scheme, rest) = match text.split_once("://") {
        Some((s, r)) if s.len() <= 8 && s.bytes().all(|b| b.is_ascii_alphanumeric()) => (s.to_ascii_lowercase(), r),
        _ => ("http".to_owned(), text),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default().to_lowercase();
    let port = match scheme.as_str() {
        "https" => ":443",
        "ftp" => ":21",
        _ => ":80",
    };
    let host = host.strip_suffix(port).unwrap_or(&host).trim_end_matches('.');
    if host.is_empty() || host.bytes().any(|b| b.is_ascii_whitespace()) {
        return Err("not a URL");
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(format!("{host}{slash}{path}"))
}

/// The kind that a value without a stated type plainly is.
pub fn guess(text: &str) -> Option<Kind> {
    let text = text.trim();
    let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    match text.len() {
        32 if is_hex => return Some(Kind::Md5),
        40 if is_hex => return Some(Kind::Sha1),
        64 if is_hex => return Some(Kind::Sha256),
        36 if canonical(Kind::Ja4, text).is_ok() => return Some(Kind::Ja4),
        _ => {}
    }
    if let Some(net) = Net::parse(text) {
        return Some(if net.is_one() { Kind::Address } else { Kind::Network });
    }
    if text.contains("://") {
        return Some(Kind::Url);
    }
    if text.contains('@') {
        return canonical(Kind::Email, text).ok().map(|_| Kind::Email);
    }
    if text.contains('/') {
        let host = text.split('/').next().unwrap_or_default();
        let is_host = domain(host).is_ok() || host.parse::<IpAddr>().is_ok();
        return is_host.then_some(Kind::Url);
    }
    domain(text).is_ok().then_some(Kind::Domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_form() {
        let check = |kind, text: &str, expect: &str| {
            let got = canonical(kind, text).map(|b| String::from_utf8_lossy(&b).into_owned());
            assert_eq!(got.as_deref(), Ok(expect), "{text}");
        };
        check(Kind::Domain, "Bad.Example.", "bad.example");
        check(Kind::Url, "HTTP://Bad.Example:80", "bad.example/");
        check(Kind::Url, "https://bad.example:443/A?b#c", "bad.example/A?b");
        check(Kind::Url, "bad.example:8080?x", "bad.example:8080/?x");
        check(Kind::Url, "http://user@bad.example/x", "bad.example/x");
        check(
            Kind::CertSha1,
            "B0:54:E2:6E:F8:27:FB:BF:58:29:F8:4A:9B:DB:B6:97:A5:B0:42:FC",
            "b054e26ef827fbbf5829f84a9bdbb697a5b042fc",
        );
        assert_eq!(canonical(Kind::Address, "192.0.2.7").unwrap(), Addr::v4([192, 0, 2, 7]).0);
    }

    #[test]
    fn what_would_match_everybody_is_refused() {
        for text in ["0.0.0.0", "127.0.0.1", "255.255.255.255", "224.0.0.1", "::1", "::"] {
            assert!(canonical(Kind::Address, text).is_err(), "{text}");
        }
        for text in ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/3"] {
            assert!(canonical(Kind::Network, text).is_err(), "{text}");
        }
        assert!(canonical(Kind::Domain, "com").is_err());
        assert!(canonical(Kind::Network, "10.0.0.0/8").is_ok());
    }

    #[test]
    fn kinds_are_guessed_from_values() {
        let check = |text: &str, kind| assert_eq!(guess(text), kind, "{text}");
        check("192.0.2.0/24", Some(Kind::Network));
        check("2001:db8::1", Some(Kind::Address));
        check("bad.example", Some(Kind::Domain));
        check("http://bad.example/x", Some(Kind::Url));
        check("bad.example/x", Some(Kind::Url));
        check("a@bad.example", Some(Kind::Email));
        check("d41d8cd98f00b204e9800998ecf8427e", Some(Kind::Md5));
        check("t13d1516h2_8daaf6152771_e5627efa2ab1", Some(Kind::Ja4));
        check("hello world", None);
        check("localhost", None);
    }

    #[test]
    fn nets_hold_what_they_should() {
        let net = Net::parse("192.0.2.0/25").unwrap();
        assert!(net.has(Addr::v4([192, 0, 2, 127])) && !net.has(Addr::v4([192, 0, 2, 128])));
        assert_eq!(net.text(), "192.0.2.0/25");
        assert!(net.covers(&Net::parse("192.0.2.64/26").unwrap()) && !net.covers(&Net::parse("192.0.0.0/16").unwrap()));
        assert_eq!(Net::parse("10.0.0.0/33"), None);
    }
}
