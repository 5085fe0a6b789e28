//! From a rule's detection to a predicate; every refusal names the line.

use std::collections::HashSet;
use std::net::IpAddr;

use gwcore::Addr;

use crate::condition::{self, Condition};
use crate::predicate::{Affix, Predicate, Test, Unit};
use crate::source::Source;
use crate::strings::{Glob, base64, base64_offsets};
use crate::yaml::{Body, Node};

/// Why something cannot be compiled, and in which line.
pub(crate) type Fault = (usize, String);

/// Above so many plain texts a set is faster than one test each.
const MANY: usize = 8;

/// Compiles a detection for a kind of record.
pub(crate) fn detection(node: &Node, source: &Source) -> Result<Predicate, Fault> {
    let Body::Map(pairs) = &node.body else { return Err((node.line, "`detection` is no mapping".into())) };
    let mut searches: Vec<(&str, &Node)> = Vec::new();
    let mut conditions: Vec<(usize, String)> = Vec::new();
    for (key, line, value) in pairs {
        match key.as_str() {
            "condition" => {
                for c in value.list() {
                    let text = c.text().ok_or((c.line, "a condition is a text".to_owned()))?;
                    conditions.push((c.line, text.to_owned()));
                }
            }
            "timeframe" => {
                return Err((*line, "`timeframe` belongs to the old aggregations: write a correlation rule".into()));
            }
            name => searches.push((name, value)),
        }
    }
    if conditions.is_empty() {
        return Err((node.line, "no condition".into()));
    }
    let names: Vec<&str> = searches.iter().map(|s| s.0).collect();
    let mut parts = Vec::new();
    for (line, text) in conditions {
        let condition = condition::parse(&text, &names).map_err(|e| (line, e))?;
        parts.push(of(&condition, &searches, source)?);
    }
    Ok(any(parts))
}

fn of(condition: &Condition, searches: &[(&str, &Node)], source: &Source) -> Result<Predicate, Fault> {
    let each = |list: &[Condition]| list.iter().map(|c| of(c, searches, source)).collect::<Result<Vec<_>, _>>();
    Ok(match condition {
        Condition::And(list) => all(each(list)?),
        Condition::Or(list) => any(each(list)?),
        Condition::Not(inner) => Predicate::Not(Box::new(of(inner, searches, source)?)),
        Condition::Name(name) => match searches.iter().find(|s| s.0 == name) {
            Some((_, node)) => search(node, source)?,
            None => return Err((0, format!("no search is called `{name}`"))),
        },
    })
}

fn all(mut parts: Vec<Predicate>) -> Predicate {
    if parts.len() == 1 { parts.remove(0) } else { Predicate::And(parts) }
}

fn any(mut parts: Vec<Predicate>) -> Predicate {
    if parts.len() == 1 { parts.remove(0) } else { Predicate::Or(parts) }
}

fn search(node: &Node, source: &Source) -> Result<Predicate, Fault> {
    match &node.body {
        Body::Map(pairs) if pairs.is_empty() => Err((node.line, "an empty search".into())),
        Body::Map(pairs) => {
            let parts: Result<Vec<_>, _> = pairs.iter().map(|(k, line, v)| field(k, *line, v, source)).collect();
            Ok(all(parts?))
        }
        Body::List(list) if list.is_empty() => Err((node.line, "an empty search".into())),
        Body::List(list) => Ok(any(list.iter().map(|n| search(n, source)).collect::<Result<Vec<_>, _>>()?)),
        _ => keyword(node),
    }
}

fn keyword(node: &Node) -> Result<Predicate, Fault> {
    let text = node.text().ok_or((node.line, "a keyword is a text".to_owned()))?;
    Ok(Predicate::Anywhere(Glob::parse(text, false).around(true, true)))
}

/// What the modifiers of a field ask for.
#[derive(Default)]
struct Asked {
    before: bool,
    after: bool,
    all: bool,
    cased: bool,
    exists: bool,
    not: bool,
    regex: Option<[bool; 3]>,
    compare: Option<(bool, bool)>,
    cidr: bool,
    reference: bool,
    windash: bool,
    base64: Option<bool>,
    wide: Option<&'static str>,
    clock: Option<Unit>,
}

fn field(key: &str, line: usize, node: &Node, source: &Source) -> Result<Predicate, Fault> {
    let mut words = key.split('|');
    let name = words.next().unwrap_or_default();
    let mut asked = Asked::default();
    for word in words {
        match word {
            "contains" => (asked.before, asked.after) = (true, true),
            "startswith" => asked.after = true,
            "endswith" => asked.before = true,
            "all" => asked.all = true,
            "cased" => asked.cased = true,
            "exists" => asked.exists = true,
            "neq" => asked.not = true,
            "re" => asked.regex = Some([false; 3]),
            "i" | "m" | "s" if asked.regex.is_some() => {
                let flags = asked.regex.get_or_insert_default();
                let place = usize::from(word == "m") + 2 * usize::from(word == "s");
                flags[place] = true;
            }
            "lt" => asked.compare = Some((true, false)),
            "lte" => asked.compare = Some((true, true)),
            "gt" => asked.compare = Some((false, false)),
            "gte" => asked.compare = Some((false, true)),
            "cidr" => asked.cidr = true,
            "fieldref" => asked.reference = true,
            "windash" => asked.windash = true,
            "base64" => asked.base64 = Some(false),
            "base64offset" => asked.base64 = Some(true),
            "wide" | "utf16le" => asked.wide = Some("le"),
            "utf16be" => asked.wide = Some("be"),
            "utf16" => asked.wide = Some("bom"),
            "minute" => asked.clock = Some(Unit::Minute),
            "hour" => asked.clock = Some(Unit::Hour),
            "day" => asked.clock = Some(Unit::Day),
            "week" => asked.clock = Some(Unit::Week),
            "month" => asked.clock = Some(Unit::Month),
            "year" => asked.clock = Some(Unit::Year),
            "expand" => return Err((line, "`expand` needs lists of the site, which rules cannot name yet".into())),
            other => return Err((line, format!("modifier `{other}` is not read"))),
        }
    }
    if name.is_empty() {
        let parts: Vec<Predicate> = node.list().iter().map(keyword).collect::<Result<_, _>>()?;
        return Ok(if asked.all { all(parts) } else { any(parts) });
    }
    let place = source.place(name).map_err(|e| (line, e))?;
    let values = node.list();
    if values.is_empty() {
        return Err((line, format!("`{name}` has no values")));
    }
    let test = |t: Test| Predicate::Field(place, name.into(), t);
    // Many plain texts are one look-up.
    let globs: Vec<Glob> = match asked.is_plain() {
        true => values.iter().filter_map(|v| v.text()).map(|t| Glob::parse(t, false)).collect(),
        false => Vec::new(),
    };
    let mut parts = Vec::new();
    if values.len() >= MANY && globs.len() == values.len() && globs.iter().all(|g| g.plain().is_some()) {
        let set: HashSet<String> = globs.iter().filter_map(Glob::plain).map(str::to_owned).collect();
        parts.push(test(Test::OneOf(set)));
    } else {
        for v in values {
            for t in tests(v, &asked, source)? {
                parts.push(test(t));
            }
        }
    }
    let whole = if asked.all { all(parts) } else { any(parts) };
    Ok(if asked.not { Predicate::Not(Box::new(whole)) } else { whole })
}

impl Asked {
    fn is_plain(&self) -> bool {
        let texts = self.base64.is_some() || self.wide.is_some() || self.windash || self.cased;
        let others = self.regex.is_some() || self.compare.is_some() || self.cidr || self.reference || self.exists;
        !(self.before || self.after || self.all || texts || others || self.clock.is_some())
    }
}

/// The tests that one value stands for, any of which suffices.
fn tests(v: &Node, asked: &Asked, source: &Source) -> Result<Vec<Test>, Fault> {
    let bad = |what: &str| Err((v.line, what.to_owned()));
    let number = match &v.body {
        Body::Int(n, _) => Some(*n as f64),
        Body::Float(f, _) => Some(*f),
        Body::Text(t) => t.parse().ok(),
        _ => None,
    };
    if asked.exists {
        return match &v.body {
            Body::Bool(b, _) => Ok(vec![Test::Exists(*b)]),
            Body::Text(t) if t == "yes" || t == "no" => Ok(vec![Test::Exists(t == "yes")]),
            _ => bad("`exists` is true or false"),
        };
    }
    if let Some((less, or_equal)) = asked.compare {
        let Some(n) = number else { return bad("a number is compared with") };
        return Ok(vec![if less { Test::Less(n, or_equal) } else { Test::Greater(n, or_equal) }]);
    }
    if let Some(unit) = asked.clock {
        let Some(n) = number else { return bad("a part of a time is a number") };
        return Ok(vec![Test::Clock(unit, n as i64)]);
    }
    if matches!(v.body, Body::Null) {
        return Ok(vec![Test::Null]);
    }
    let Some(text) = v.text() else { return bad("a value is a text, a number, true, false or null") };
    if asked.cidr {
        let Some((base, bits)) = cidr(text) else { return bad("no range of addresses") };
        return Ok(vec![Test::Net(base, bits)]);
    }
    if asked.reference {
        let other = source.place(text).map_err(|e| (v.line, e))?;
        let affix = match (asked.before, asked.after) {
            (true, true) => Affix::Inside,
            (false, true) => Affix::Start,
            (true, false) => Affix::End,
            (false, false) => Affix::Whole,
        };
        return Ok(vec![Test::Same(other, affix)]);
    }
    if let Some([i, m, s]) = asked.regex {
        let built = regex::RegexBuilder::new(text)
            .case_insensitive(i)
            .multi_line(m)
            .dot_matches_new_line(s)
            .size_limit(1 << 20)
            .build();
        return match built {
            Ok(regex) => Ok(vec![Test::Regex(regex)]),
            Err(e) => {
                let why = e.to_string();
                bad(&format!("the expression cannot be used: {}", why.lines().last().unwrap_or_default()))
            }
        };
    }
    if let Body::Int(..) | Body::Float(..) = v.body
        && let (Some(n), true) = (number, asked.is_plain())
    {
        return Ok(vec![Test::Number(n)]);
    }
    Ok(texts(text, asked).into_iter().map(Test::Glob).collect())
}

fn texts(text: &str, asked: &Asked) -> Vec<Glob> {
    let around = |g: Glob| g.around(asked.before, asked.after);
    if asked.base64.is_none() && asked.wide.is_none() {
        let mut forms = vec![text.to_owned()];
        if asked.windash {
            for dash in ["-", "/", "–", "—", "―"] {
                let form = text.replacen('-', dash, 1);
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
        return forms.iter().map(|t| around(Glob::parse(t, asked.cased))).collect();
    }
    let bytes: Vec<u8> = match asked.wide {
        Some("be") => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Some("bom") => [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        Some(_) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        None => text.as_bytes().to_vec(),
    };
    match asked.base64 {
        Some(true) => base64_offsets(&bytes).iter().map(|t| around(Glob::literal(t, true))).collect(),
        Some(false) => vec![around(Glob::literal(&base64(&bytes), true))],
        None => vec![around(Glob::literal(&String::from_utf8_lossy(&bytes), asked.cased))],
    }
}

fn cidr(text: &str) -> Option<(Addr, u8)> {
    let (addr, prefix) = text.split_once('/').unwrap_or((text, ""));
    let addr: IpAddr = addr.parse().ok()?;
    let most = if addr.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = if prefix.is_empty() { most } else { prefix.parse().ok()? };
    (prefix <= most).then(|| (Addr::from(addr), if addr.is_ipv4() { 96 + prefix } else { prefix }))
}
