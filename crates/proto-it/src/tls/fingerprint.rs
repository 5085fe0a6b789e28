//! JA3, JA3S (Salesforce, MD5 over decimal lists) and JA4 (FoxIO, client part) of hellos.

use md5::{Digest, Md5};
use sha2::Sha256;

use super::parse::{ClientHello, ServerHello};
use super::table::is_grease;

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' + n - 10 });
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn decimal(numbers: impl IntoIterator<Item = u32>) -> String {
    let kept = numbers.into_iter().filter(|n| u16::try_from(*n).map_or(true, |n| !is_grease(n)));
    kept.map(|n| n.to_string()).collect::<Vec<_>>().join("-")
}

fn wide(numbers: &[u16]) -> impl Iterator<Item = u32> + '_ {
    numbers.iter().map(|n| u32::from(*n))
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// JA3: version, suites, extensions, groups, point formats.
pub fn ja3(hello: &ClientHello<'_>) -> String {
    let formats = hello.point_formats.iter().map(|b| u32::from(*b));
    let lists = [
        decimal(hello.ciphers.iter().copied()),
        decimal(wide(&hello.extensions)),
        decimal(wide(&hello.groups)),
        decimal(formats),
    ];
    md5(&format!("{},{}", hello.version, lists.join(",")))
}

/// JA3S: version, suite, extensions.
pub fn ja3s(hello: &ServerHello<'_>) -> String {
    // GREASE in an answer would be a server's own and is kept, as the reference does.
    let extensions = hello.extensions.iter().map(u16::to_string).collect::<Vec<_>>().join("-");
    md5(&format!("{},{},{extensions}", hello.version, hello.cipher))
}

/// First twelve digits of the SHA-256 of a list; zeros for an empty one.
fn short(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    let mut hash = hex(&Sha256::digest(text.as_bytes()));
    hash.truncate(12);
    hash
}

fn hex_list(numbers: impl Iterator<Item = u16>) -> String {
    numbers.map(|n| format!("{n:04x}")).collect::<Vec<_>>().join(",")
}

/// JA4 of a ClientHello over TCP.
pub fn ja4(hello: &ClientHello<'_>) -> String {
    let real = |numbers: &[u16]| numbers.iter().copied().filter(|n| !is_grease(*n)).collect::<Vec<_>>();
    let offered = real(&hello.versions).into_iter().max().unwrap_or(hello.version);
    let mut ciphers: Vec<u16> =
        hello.ciphers.iter().filter_map(|c| u16::try_from(*c).ok()).filter(|c| !is_grease(*c)).collect();
    let mut extensions = real(&hello.extensions);
    let name = if extensions.contains(&0) { 'd' } else { 'i' };
    let counts = (ciphers.len().min(99), extensions.len().min(99));
    ciphers.sort_unstable();
    extensions.retain(|e| !matches!(e, 0 | 16));
    extensions.sort_unstable();
    let mut second = hex_list(extensions.into_iter());
    let signatures = real(&hello.signature_algorithms);
    if !signatures.is_empty() && !second.is_empty() {
        second = format!("{second}_{}", hex_list(signatures.into_iter()));
    }
    let first = hex_list(ciphers.into_iter());
    let version = ja4_version(offered);
    let (alpn, c, e) = (ja4_alpn(hello.alpns.first().copied().unwrap_or_default()), counts.0, counts.1);
    format!("t{version}{name}{c:02}{e:02}{alpn}_{}_{}", short(&first), short(&second))
}

fn ja4_version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character; of the hexadecimal form where either is not alphanumeric.
fn ja4_alpn(alpn: &[u8]) -> String {
    let (Some(first), Some(last)) = (alpn.first(), alpn.last()) else { return "00".into() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)].iter().collect();
    }
    let (first, last) = (hex(&[*first]), hex(&[*last]));
    first.chars().take(1).chain(last.chars().skip(1)).collect()
}
