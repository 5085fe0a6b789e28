//! The grammar of STIX patterns (STIX 2.1 §9.4 to §9.8), by recursive descent with a bounded depth.

use gwcore::Ts;

use super::{Compare, Expr, Literal, Parsed, PatternError, Test};
use crate::Net;

/// Longest pattern read, in bytes.
const LONGEST: usize = 1 << 20;
/// Deepest nesting of parentheses.
const DEEPEST: usize = 32;
/// Observations in one pattern.
const MOST_LEAVES: usize = 4_096;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Literal(Literal),
    Mark(&'static str),
}

/// Parses a pattern.
pub(crate) fn parse(text: &str) -> Result<Parsed, PatternError> {
    if text.len() > LONGEST {
        return Err(PatternError { at: LONGEST, what: "longer than 1 MiB".into() });
    }
    let tokens = Lexer { text, at: 0 }.all()?;
    let mut p = Parser { tokens, next: 0, leaves: Vec::new(), end: text.len() };
    let expr = p.followed_by(0)?;
    if p.peek().is_some() {
        return Err(p.wrong("unexpected text"));
    }
    Ok(Parsed { leaves: p.leaves, expr })
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn all(mut self) -> Result<Vec<(usize, Token)>, PatternError> {
        let mut out = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let blank = rest.len() - rest.trim_start().len();
            self.at += blank;
            if self.at >= self.text.len() {
                return Ok(out);
            }
            let at = self.at;
            out.push((at, self.token()?));
        }
    }

    fn token(&mut self) -> Result<Token, PatternError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else { return Err(self.wrong("the pattern ends")) };
        for mark in ["!=", "<>", "<=", ">=", "==", "[", "]", "(", ")", ",", ":", ".", "=", "<", ">", "*"] {
            if rest.starts_with(mark) {
                self.at += mark.len();
                return Ok(Token::Mark(match mark {
                    "<>" => "!=",
                    "==" => "=",
                    m => m,
                }));
            }
        }
        let quoted = |prefix: char| rest.starts_with(prefix) && rest.get(1..2) == Some("'");
        if first == '\'' {
            return Ok(Token::Literal(Literal::Text(self.quoted()?)));
        }
        for prefix in ['t', 'h', 'b'] {
            if quoted(prefix) {
                self.at += 1;
                let text = self.quoted()?;
                let bad = |what: &str| PatternError { at: self.at, what: what.into() };
                return Ok(Token::Literal(match prefix {
                    't' => Literal::Time(gwcore::time::parse_rfc3339(&text).ok_or_else(|| bad("not a time"))?),
                    'h' => Literal::Bytes(unhex(&text).ok_or_else(|| bad("not hexadecimal"))?),
                    _ => Literal::Bytes(unbase64(&text).ok_or_else(|| bad("not base64"))?),
                }));
            }
        }
        if first.is_ascii_digit() || ((first == '-' || first == '+') && rest.len() > 1) {
            let is_part = |(i, b): (usize, u8)| {
                b.is_ascii_digit() || (i == 0 && (b == b'-' || b == b'+')) || b == b'.' || b == b'e' || b == b'E'
            };
            let len = rest.bytes().enumerate().take_while(|x| is_part(*x)).count();
            let number = rest.get(..len).unwrap_or_default();
            self.at += len;
            return match number.parse::<i64>() {
                Ok(n) => Ok(Token::Literal(Literal::Int(n))),
                Err(_) => match number.parse::<f64>() {
                    Ok(f) if f.is_finite() => Ok(Token::Literal(Literal::Float(f))),
                    _ => Err(self.wrong("not a number")),
                },
            };
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
            let word = rest.get(..len).unwrap_or_default();
            self.at += len;
            return Ok(match word {
                "true" => Token::Literal(Literal::Bool(true)),
                "false" => Token::Literal(Literal::Bool(false)),
                w => Token::Word(w.to_owned()),
            });
        }
        Err(self.wrong(&format!("unexpected `{first}`")))
    }

    fn quoted(&mut self) -> Result<String, PatternError> {
        let start = self.at;
        let mut out = String::new();
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let mut chars = rest.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at = start + 1 + i + 1;
                    return Ok(out);
                }
                '\\' => out.extend(chars.next().map(|(_, c)| c)),
                c => out.push(c),
            }
        }
        Err(PatternError { at: start + 1, what: "a quotation that does not end".into() })
    }

    fn wrong(&self, what: &str) -> PatternError {
        PatternError { at: self.at + 1, what: what.to_owned() }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|d| d.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|p| p.iter().fold(0, |a, d| (a << 4) | d)).collect())
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut n) = (Vec::new(), 0_u32, 0);
    for b in text.bytes().filter(|b| *b != b'=') {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(six)) & 0xff_ffff;
        n += 6;
        if n >= 8 {
            n -= 8;
            out.push((bits >> n) as u8);
        }
    }
    Some(out)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    leaves: Vec<Compare>,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, t)| t)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).map(|(_, t)| t.clone());
        self.next += 1;
        token
    }

    fn is(&mut self, mark: &'static str) -> bool {
        let yes = self.peek() == Some(&Token::Mark(mark));
        self.next += usize::from(yes);
        yes
    }

    fn word(&mut self, word: &str) -> bool {
        let yes = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.next += usize::from(yes);
        yes
    }

    fn wrong(&self, what: &str) -> PatternError {
        PatternError { at: self.tokens.get(self.next).map_or(self.end, |(at, _)| *at) + 1, what: what.to_owned() }
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), PatternError> {
        if self.is(mark) { Ok(()) } else { Err(self.wrong(&format!("`{mark}` expected"))) }
    }

    fn followed_by(&mut self, depth: usize) -> Result<Expr, PatternError> {
        let mut left = self.or(depth)?;
        while self.word("FOLLOWEDBY") {
            left = Expr::FollowedBy(Box::new(left), Box::new(self.or(depth)?));
        }
        Ok(left)
    }

    fn or(&mut self, depth: usize) -> Result<Expr, PatternError> {
        let mut left = self.and(depth)?;
        while self.word("OR") {
            left = Expr::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expr, PatternError> {
        let mut left = self.observation(depth)?;
        while self.word("AND") {
            left = Expr::And(Box::new(left), Box::new(self.observation(depth)?));
        }
        Ok(left)
    }

    fn observation(&mut self, depth: usize) -> Result<Expr, PatternError> {
        if depth > DEEPEST {
            return Err(self.wrong("nested more than 32 deep"));
        }
        let mut expr = if self.is("[") {
            let compare = self.compare_or(depth + 1)?;
            self.expect("]")?;
            if self.leaves.len() >= MOST_LEAVES {
                return Err(self.wrong("more than 4,096 observations"));
            }
            self.leaves.push(compare);
            Expr::One(self.leaves.len() - 1)
        } else if self.is("(") {
            let inner = self.followed_by(depth + 1)?;
            self.expect(")")?;
            inner
        } else {
            return Err(self.wrong("`[` expected"));
        };
        loop {
            if self.word("WITHIN") {
                let seconds = match self.take() {
                    Some(Token::Literal(Literal::Int(n))) if n > 0 => n as f64,
                    Some(Token::Literal(Literal::Float(f))) if f > 0.0 => f,
                    _ => return Err(self.wrong("a positive number of seconds expected")),
                };
                if !self.word("SECONDS") {
                    return Err(self.wrong("`SECONDS` expected"));
                }
                expr = Expr::Within(Box::new(expr), (seconds * 1e9).min(9e18) as i64);
            } else if self.word("REPEATS") {
                let Some(Token::Literal(Literal::Int(n @ 1..=1_000_000))) = self.take() else {
                    return Err(self.wrong("a positive number expected"));
                };
                if !self.word("TIMES") {
                    return Err(self.wrong("`TIMES` expected"));
                }
                expr = Expr::Repeats(Box::new(expr), n as u32);
            } else if self.word("START") {
                let from = self.time()?;
                if !self.word("STOP") {
                    return Err(self.wrong("`STOP` expected"));
                }
                let to = self.time()?;
                if to <= from {
                    return Err(self.wrong("STOP must be later than START"));
                }
                expr = Expr::Between(Box::new(expr), from, to);
            } else {
                return Ok(expr);
            }
        }
    }

    fn time(&mut self) -> Result<Ts, PatternError> {
        match self.take() {
            Some(Token::Literal(Literal::Time(t))) => Ok(t),
            Some(Token::Literal(Literal::Text(t))) => {
                gwcore::time::parse_rfc3339(&t).ok_or_else(|| self.wrong("a time expected"))
            }
            _ => Err(self.wrong("a time expected")),
        }
    }

    fn compare_or(&mut self, depth: usize) -> Result<Compare, PatternError> {
        let mut parts = vec![self.compare_and(depth)?];
        while self.word("OR") {
            parts.push(self.compare_and(depth)?);
        }
        Ok(if parts.len() > 1 { Compare::Or(parts) } else { parts.remove(0) })
    }

    fn compare_and(&mut self, depth: usize) -> Result<Compare, PatternError> {
        let mut parts = vec![self.test(depth)?];
        while self.word("AND") {
            parts.push(self.test(depth)?);
        }
        Ok(if parts.len() > 1 { Compare::And(parts) } else { parts.remove(0) })
    }

    fn test(&mut self, depth: usize) -> Result<Compare, PatternError> {
        if depth > DEEPEST {
            return Err(self.wrong("nested more than 32 deep"));
        }
        if self.is("(") {
            let inner = self.compare_or(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.word("EXISTS") {
            let (object, path) = self.path()?;
            return Ok(Compare::Test { object, path, negated: false, test: Test::Exists });
        }
        let (object, path) = self.path()?;
        let negated = self.word("NOT");
        let test = match self.take() {
            Some(Token::Mark("=")) => Test::Equal(self.literal()?),
            Some(Token::Mark("!=")) => Test::NotEqual(self.literal()?),
            Some(Token::Mark("<")) => Test::Less(self.literal()?),
            Some(Token::Mark("<=")) => Test::LessOrEqual(self.literal()?),
            Some(Token::Mark(">")) => Test::Greater(self.literal()?),
            Some(Token::Mark(">=")) => Test::GreaterOrEqual(self.literal()?),
            Some(Token::Word(w)) => match w.as_str() {
                "IN" => {
                    self.expect("(")?;
                    let mut all = vec![self.literal()?];
                    while self.is(",") {
                        all.push(self.literal()?);
                    }
                    self.expect(")")?;
                    Test::In(all)
                }
                "LIKE" => Test::Like(self.text()?),
                "MATCHES" => {
                    let text = self.text()?;
                    let regex = regex::RegexBuilder::new(&text).size_limit(1 << 20).dot_matches_new_line(true).build();
                    let short = |e: regex::Error| e.to_string().lines().last().unwrap_or_default().to_owned();
                    Test::Matches(Box::new(
                        regex.map_err(|e| {
                            self.wrong(&format!("the expression of MATCHES cannot be used: {}", short(e)))
                        })?,
                    ))
                }
                "ISSUBSET" | "ISSUPERSET" => {
                    let text = self.text()?;
                    let net = Net::parse(&text).ok_or_else(|| self.wrong("a range of addresses expected"))?;
                    if w == "ISSUBSET" { Test::IsSubset(net) } else { Test::IsSuperset(net) }
                }
                _ => {
                    self.next -= 1;
                    return Err(self.wrong("a comparison expected"));
                }
            },
            _ => {
                self.next -= 1;
                return Err(self.wrong("a comparison expected"));
            }
        };
        Ok(Compare::Test { object, path, negated, test })
    }

    fn literal(&mut self) -> Result<Literal, PatternError> {
        match self.take() {
            Some(Token::Literal(l)) => Ok(l),
            _ => {
                self.next -= 1;
                Err(self.wrong("a value expected"))
            }
        }
    }

    fn text(&mut self) -> Result<String, PatternError> {
        match self.literal()? {
            Literal::Text(t) => Ok(t),
            _ => Err(self.wrong("a text expected")),
        }
    }

    /// `network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'`, `email-message:body_multipart[*].body`.
    fn path(&mut self) -> Result<(String, String), PatternError> {
        let Some(Token::Word(object)) = self.take() else {
            self.next -= 1;
            return Err(self.wrong("an object type expected"));
        };
        self.expect(":")?;
        let mut path = self.step()?;
        loop {
            if self.is(".") {
                path.push('.');
                path.push_str(&self.step()?);
            } else if self.is("[") {
                match self.take() {
                    Some(Token::Mark("*")) => path.push_str("[*]"),
                    Some(Token::Literal(Literal::Int(n))) if n >= 0 => path.push_str(&format!("[{n}]")),
                    _ => return Err(self.wrong("a number or `*` expected")),
                }
                self.expect("]")?;
            } else {
                return Ok((object, path));
            }
        }
    }

    fn step(&mut self) -> Result<String, PatternError> {
        match self.take() {
            Some(Token::Word(w)) => Ok(w),
            Some(Token::Literal(Literal::Text(t))) => Ok(t),
            _ => {
                self.next -= 1;
                Err(self.wrong("a property expected"))
            }
        }
    }
}
