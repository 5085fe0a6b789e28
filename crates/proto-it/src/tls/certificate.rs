//! What is told of an X.509 certificate (RFC 5280).

use gwcore::Ts;
use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// DNS names kept of one certificate.
const MAX_NAMES: usize = 256;
/// Bytes of a distinguished name kept; a text cell is shorter.
const MAX_NAME_BYTES: usize = 2_048;

/// The fields of one certificate.
#[derive(Debug, Default)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub not_before: Option<Ts>,
    pub not_after: Option<Ts>,
    pub san_dns: Vec<Box<str>>,
    pub key_alg: String,
    pub key_length: Option<u32>,
}

/// Reads a certificate; none when it is not one.
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, x509) = X509Certificate::from_der(der).ok()?;
    let time = |seconds: i64| seconds.checked_mul(1_000_000_000).map(Ts);
    let mut san_dns = Vec::new();
    if let Ok(Some(extension)) = x509.subject_alternative_name() {
        for name in &extension.value.general_names {
            if let GeneralName::DNSName(name) = name
                && san_dns.len() < MAX_NAMES
            {
                san_dns.push((*name).into());
            }
        }
    }
    let (key_alg, key_length) = key(x509.public_key());
    let serial: String = x509.raw_serial().iter().take(64).map(|b| format!("{b:02X}")).collect();
    Some(Certificate {
        subject: distinguished_name(x509.subject()),
        issuer: distinguished_name(x509.issuer()),
        serial: serial.strip_prefix("00").filter(|s| !s.is_empty()).unwrap_or(&serial).to_owned(),
        not_before: time(x509.validity().not_before.timestamp()),
        not_after: time(x509.validity().not_after.timestamp()),
        san_dns,
        key_alg,
        key_length,
    })
}

/// Most specific part first, as RFC 2253 writes it.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut bytes = 0;
    let sets: Vec<_> = name.iter_rdn().collect();
    for set in sets.iter().rev() {
        let attributes = set.iter().map(|a| {
            let oid = a.attr_type().to_id_string();
            let text = a.as_str().ok().map(str::to_owned).or_else(|| other_text(a.attr_value().tag(), a.as_slice()));
            let value = text.map_or_else(|| format!("#{}", super::fingerprint::hex(a.as_slice())), |t| escaped(&t));
            format!("{}={value}", short_name(&oid).unwrap_or(&oid))
        });
        let part = attributes.collect::<Vec<_>>().join("+");
        bytes += part.len();
        parts.push(part);
        if bytes > MAX_NAME_BYTES {
            break;
        }
    }
    parts.join(",")
}

/// Teletex strings, which are Latin-1 in practice, and those of two bytes a character (X.680 §41).
fn other_text(tag: Tag, bytes: &[u8]) -> Option<String> {
    match tag {
        Tag::T61String => Some(bytes.iter().map(|b| char::from(*b)).collect()),
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, b| n << 8 | u16::from(*b)));
            Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        _ => None,
    }
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if ",+\"\\<>;".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Short names of attribute types (RFC 4519, RFC 2985).
fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.15" => "businessCategory",
        "2.5.4.17" => "postalCode",
        "2.5.4.42" => "GN",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.3.6.1.4.1.311.60.2.1.1" => "jurisdictionL",
        "1.3.6.1.4.1.311.60.2.1.2" => "jurisdictionST",
        "1.3.6.1.4.1.311.60.2.1.3" => "jurisdictionC",
        _ => return None,
    })
}

/// Algorithm and length in bits of a public key (RFC 3279, RFC 5480, RFC 8410).
fn key(info: &SubjectPublicKeyInfo<'_>) -> (String, Option<u32>) {
    let oid = info.algorithm.algorithm.to_id_string();
    let name = match oid.as_str() {
        "1.2.840.113549.1.1.1" => "rsa",
        "1.2.840.113549.1.1.10" => "rsa_pss",
        "1.2.840.10045.2.1" => "ecdsa",
        "1.2.840.10040.4.1" => "dsa",
        "1.3.101.112" => "ed25519",
        "1.3.101.113" => "ed448",
        "2.16.840.1.101.3.4.3.17" => "ml_dsa_44",
        "2.16.840.1.101.3.4.3.18" => "ml_dsa_65",
        "2.16.840.1.101.3.4.3.19" => "ml_dsa_87",
        other => other,
    };
    let length = match (name, info.parsed()) {
        ("ecdsa", _) => info.algorithm.parameters.as_ref().and_then(|p| curve_bits(&p.as_oid().ok()?.to_id_string())),
        (_, Ok(PublicKey::RSA(rsa))) => bits(rsa.modulus),
        _ => None,
    };
    (name.to_owned(), length)
}

/// Bits of a big-endian number.
fn bits(number: &[u8]) -> Option<u32> {
    let skip = number.iter().take_while(|b| **b == 0).count();
    let digits = number.get(skip..)?;
    u32::try_from(digits.len()).ok()?.checked_mul(8)?.checked_sub(digits.first()?.leading_zeros())
}

fn curve_bits(oid: &str) -> Option<u32> {
    Some(match oid {
        "1.2.840.10045.3.1.1" => 192,
        "1.3.132.0.33" => 224,
        "1.2.840.10045.3.1.7" | "1.3.132.0.10" | "1.3.36.3.3.2.8.1.1.7" => 256,
        "1.3.132.0.34" | "1.3.36.3.3.2.8.1.1.11" => 384,
        "1.3.36.3.3.2.8.1.1.13" => 512,
        "1.3.132.0.35" => 521,
        _ => return None,
    })
}
