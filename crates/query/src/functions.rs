//! The functions that analysts of networks miss in plain SQL.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, UInt16Type};
use arrow::error::ArrowError;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::dictionary::{over_text, text};

/// Name, form and meaning of each function.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("in_subnet", "in_subnet(address, 'CIDR')", "Whether an address lies in a network, IPv4 or IPv6."),
    (
        "community_id",
        "community_id(src_ip, dst_ip, src_port, dst_port, ip_proto)",
        "Community ID version 1 of a conversation, seed 0, as Zeek and Suricata write it.",
    ),
    (
        "time_bucket",
        "time_bucket('5 minutes', ts)",
        "Start of the stretch of time that a moment lies in, counted from 1970.",
    ),
    ("entropy", "entropy(text)", "Shannon entropy in bits per byte."),
    (
        "asset",
        "asset(address)",
        "Name of the device with this IP or MAC address, else its id; null where there is none.",
    ),
];

/// Names of devices by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assets(Arc<HashMap<String, String>>);

impl Assets {
    /// From lines of `assets.ndjson`. An address of several devices belongs to the one that comes first.
    pub fn of(devices: &[Value]) -> Assets {
        let mut names = HashMap::new();
        for device in devices {
            let first = &device["names"][0];
            let name =
                first.as_str().or_else(|| first["name"].as_str()).or_else(|| device["id"].as_str()).unwrap_or_default();
            let lists = [&device["ips"], &device["macs"]];
            for address in lists.iter().filter_map(|l| l.as_array()).flatten().filter_map(Value::as_str) {
                names.entry(address.to_owned()).or_insert_with(|| name.to_owned());
            }
        }
        Assets(Arc::new(names))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Which {
    InSubnet,
    CommunityId,
    TimeBucket,
    Entropy,
    Asset,
}

#[derive(Debug)]
struct Function {
    which: Which,
    signature: Signature,
    assets: Assets,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.which == other.which && Arc::ptr_eq(&self.assets.0, &other.assets.0)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.which.hash(state);
    }
}

/// Every function.
pub(crate) fn all(assets: &Assets) -> Vec<ScalarUDF> {
    use Which::*;
    let arity = |which| match which {
        InSubnet | TimeBucket => 2,
        CommunityId => 5,
        Entropy | Asset => 1,
    };
    [InSubnet, CommunityId, TimeBucket, Entropy, Asset]
        .into_iter()
        .map(|which| {
            let signature = Signature::any(arity(which), Volatility::Immutable);
            ScalarUDF::new_from_impl(Function { which, signature, assets: assets.clone() })
        })
        .collect()
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        match self.which {
            Which::InSubnet => "in_subnet",
            Which::CommunityId => "community_id",
            Which::TimeBucket => "time_bucket",
            Which::Entropy => "entropy",
            Which::Asset => "asset",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.which {
            Which::InSubnet => DataType::Boolean,
            Which::TimeBucket => time_type(),
            Which::Entropy => DataType::Float64,
            Which::CommunityId | Which::Asset => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = |at: usize| match args.args.get(at) {
            Some(ColumnarValue::Scalar(value)) => Ok(value.to_string()),
            _ => Err(DataFusionError::Plan(format!("`{}` needs a constant as its argument {}", self.name(), at + 1))),
        };
        let array = |at: usize| match args.args.get(at) {
            Some(value) => value.to_array(args.number_rows),
            None => Err(DataFusionError::Plan(format!("`{}` needs more arguments", self.name()))),
        };
        let result: ArrayRef = match self.which {
            Which::InSubnet => {
                let net = Net::parse(&constant(1)?)
                    .ok_or_else(|| plan("`in_subnet` needs a network such as '10.0.0.0/8'"))?;
                over_text(&array(0)?, |t| {
                    Arc::new(t.iter().map(|a| Some(net.holds(a?.parse().ok()?))).collect::<BooleanArray>())
                })?
            }
            Which::TimeBucket => {
                let width =
                    width(&constant(0)?).ok_or_else(|| plan("`time_bucket` needs a length such as '5 minutes'"))?;
                let times = cast(&array(1)?, &time_type())?;
                let times = times.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
                let buckets: TimestampMicrosecondArray =
                    times.iter().map(|t| t.map(|t| t.div_euclid(width) * width)).collect();
                Arc::new(buckets.with_timezone("UTC"))
            }
            Which::Entropy => {
                over_text(&array(0)?, |t| Arc::new(t.iter().map(|s| s.map(entropy)).collect::<Float64Array>()))?
            }
            Which::Asset => over_text(&array(0)?, |t| {
                let name = |a: &str| self.assets.0.get(a).map(String::as_str);
                Arc::new(t.iter().map(|a| name(a?)).collect::<StringArray>())
            })?,
            Which::CommunityId => community_ids([array(0)?, array(1)?, array(2)?, array(3)?, array(4)?])?,
        };
        Ok(ColumnarValue::Array(result))
    }
}

fn plan(text: &str) -> DataFusionError {
    DataFusionError::Plan(text.to_owned())
}

/// A network.
struct Net {
    bits: u128,
    mask: u128,
    is_v4: bool,
}

impl Net {
    /// From `ADDRESS/BITS`; an address alone is a network of one.
    fn parse(text: &str) -> Option<Net> {
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Some(width), |b| b.parse().ok()).filter(|b| *b <= width)?;
        let mask = if bits == 0 { 0 } else { u128::MAX << (width - bits) };
        Some(Net { bits: number(address) & mask, mask, is_v4: address.is_ipv4() })
    }

    fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_v4 && number(address) & self.mask == self.bits
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

/// Microseconds of a length in words: `1 hour`, `5 minutes`, `30s`.
fn width(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (n, unit) = text.split_at(digits);
    let n: i64 = if n.is_empty() { 1 } else { n.parse().ok()? };
    let micros = match unit.trim().trim_end_matches('s') {
        _ if unit.trim() == "ms" => 1_000,
        "" | "sec" | "second" => 1_000_000,
        "m" | "min" | "minute" => 60_000_000,
        "h" | "hour" => 3_600_000_000,
        "d" | "day" => 86_400_000_000,
        "w" | "week" => 604_800_000_000,
        _ => return None,
    };
    n.checked_mul(micros).filter(|w| *w > 0)
}

/// Shannon entropy in bits per byte; 0 for nothing.
fn entropy(text: &str) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let all = text.len() as f64;
    let share = |n: &u32| f64::from(*n) / all;
    -counts.iter().filter(|n| **n > 0).map(|n| share(n) * share(n).log2()).sum::<f64>() + 0.0
}

fn community_ids(args: [ArrayRef; 5]) -> std::result::Result<ArrayRef, ArrowError> {
    let [src, dst, sport, dport, proto] = args;
    let (src, dst) = (text(&src)?, text(&dst)?);
    let ports = |a: &ArrayRef| cast(a, &DataType::UInt16);
    let (sport, dport, proto) = (ports(&sport)?, ports(&dport)?, ports(&proto)?);
    let at = |a: &ArrayRef, i: usize| a.is_valid(i).then(|| a.as_primitive::<UInt16Type>().value(i));
    let mut out = StringBuilder::with_capacity(src.len(), src.len() * 30);
    for i in 0..src.len() {
        let id = (|| {
            let address = |a: &StringArray| a.is_valid(i).then(|| a.value(i).parse::<IpAddr>().ok()).flatten();
            community_id(address(&src)?, address(&dst)?, at(&sport, i), at(&dport, i), at(&proto, i)?)
        })();
        out.append_option(id);
    }
    Ok(Arc::new(out.finish()))
}

/// Community ID version 1, seed 0 (github.com/corelight/community-id-spec). None for ICMP, whose type and code are in no port column, and
/// for addresses of two families.
fn community_id(src: IpAddr, dst: IpAddr, sport: Option<u16>, dport: Option<u16>, proto: u16) -> Option<String> {
    let proto = u8::try_from(proto).ok().filter(|p| !matches!(p, 1 | 58))?;
    if src.is_ipv4() != dst.is_ipv4() {
        return None;
    }
    let ports = sport.zip(dport);
    let (a, b) = ((src, ports.map(|p| p.0)), (dst, ports.map(|p| p.1)));
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut hash = Sha1::new();
    hash.update([0_u8, 0]);
    for (address, _) in [first, second] {
        match address {
            IpAddr::V4(a) => hash.update(a.octets()),
            IpAddr::V6(a) => hash.update(a.octets()),
        }
    }
    hash.update([proto, 0]);
    if let (Some(one), Some(two)) = (first.1, second.1) {
        hash.update(one.to_be_bytes());
        hash.update(two.to_be_bytes());
    }
    Some(format!("1:{}", base64(&hash.finalize())))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().chain([0, 0].iter()).take(3).fold(0_u32, |w, b| w << 8 | u32::from(*b));
        for i in 0..4 {
            let is_padding = i > chunk.len();
            let letter = LETTERS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if is_padding { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let check = |net: &str, address: &str, expect: Option<bool>| {
            let got = Net::parse(net).map(|n| n.holds(address.parse().unwrap()));
            assert_eq!(got, expect, "{address} in {net}");
        };
        check("10.0.0.0/8", "10.255.0.1", Some(true));
        check("10.0.0.0/8", "11.0.0.1", Some(false));
        check("0.0.0.0/0", "255.255.255.255", Some(true));
        check("0.0.0.0/0", "::1", Some(false));
        check("::/0", "::1", Some(true));
        check("fe80::/10", "febf::1", Some(true));
        check("10.0.0.7", "10.0.0.7", Some(true));
        check("10.0.0.0/33", "10.0.0.7", None);
        check("rubbish", "10.0.0.7", None);
    }

    #[test]
    fn community_ids_are_the_specification_s() {
        // baseline_deflt.json of corelight/community-id-spec.
        let id = |s: &str, d: &str, sp, dp, p| {
            community_id(s.parse().unwrap(), d.parse().unwrap(), Some(sp), Some(dp), p).unwrap()
        };
        assert_eq!(id("128.232.110.120", "66.35.250.204", 34855, 80, 6), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id("66.35.250.204", "128.232.110.120", 80, 34855, 6), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id("192.168.1.52", "8.8.8.8", 54585, 53, 17), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        assert_eq!(community_id("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), None, None, 1), None);
    }

    #[test]
    fn lengths_and_entropy() {
        assert_eq!(width("5 minutes"), Some(300_000_000));
        assert_eq!(
            (width("1h"), width("30s"), width("250 ms")),
            (Some(3_600_000_000), Some(30_000_000), Some(250_000))
        );
        assert_eq!(
            (width("hour"), width("0 s"), width("1 parsec"), width("")),
            (Some(3_600_000_000), None, None, Some(1_000_000))
        );
        assert!((entropy("aabb") - 1.0).abs() < 1e-12 && entropy("aaaa") == 0.0 && entropy("") == 0.0);
    }
}
