//! Conditions of if and while: comparisons of variables and literals joined by AND, OR and NOT, as STIX patterns write them.

use crate::playbook::variables::{Values, is_name};

/// Bytes of the longest condition, and how deep parentheses go.
const LENGTH: usize = 4_096;
const DEPTH: usize = 32;

/// Whether a condition holds. `=`, `!=`, `<`, `>`, `<=`, `>=`, `IN (…)`; numbers compare as numbers, all else as text.
pub fn evaluate(text: &str, values: &Values) -> Result<bool, String> {
    if text.len() > LENGTH {
        return Err("the condition is too long".to_owned());
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, values, depth: 0 };
    let value = parser.or()?;
    match parser.tokens.get(parser.at) {
        None => Ok(value),
        Some(t) => Err(format!("`{t:?}` is not expected there")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Variable(String),
    Literal(String),
    Word(String),
    Symbol(&'static str),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (bytes, mut at, mut out) = (text.as_bytes(), 0, Vec::new());
    while let Some(&b) = bytes.get(at) {
        match b {
            b if b.is_ascii_whitespace() => at += 1,
            b'\'' => {
                let mut value = Vec::new();
                at += 1;
                loop {
                    match bytes.get(at) {
                        None => return Err("a text without its closing quote".to_owned()),
                        Some(b'\\') => {
                            value.extend(bytes.get(at + 1));
                            at += 2;
                        }
                        Some(b'\'') => break at += 1,
                        Some(b) => {
                            value.push(*b);
                            at += 1;
                        }
                    }
                }
                out.push(Token::Literal(String::from_utf8_lossy(&value).into_owned()));
            }
            _ => {
                let symbol =
                    ["!=", "<=", ">=", "=", "<", ">", "(", ")", ","].into_iter().find(|s| text[at..].starts_with(s));
                if let Some(symbol) = symbol {
                    out.push(Token::Symbol(symbol));
                    at += symbol.len();
                    continue;
                }
                let end = text[at..]
                    .find(|c: char| c.is_whitespace() || "!<>=(),'".contains(c))
                    .map_or(text.len(), |n| at + n);
                if end == at {
                    return Err(format!("`{}` is not expected", &text[at..]));
                }
                let word = &text[at..end];
                out.push(match word.strip_suffix(":value") {
                    Some(name) if is_name(name) => Token::Variable(name.to_owned()),
                    _ if word.parse::<f64>().is_ok() || matches!(word, "true" | "false") => {
                        Token::Literal(word.to_owned())
                    }
                    _ => Token::Word(word.to_owned()),
                });
                at = end;
            }
        }
    }
    Ok(out)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    values: &'a Values,
    depth: usize,
}

impl Parser<'_> {
    fn is(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w == word)
            || matches!(self.tokens.get(self.at), Some(Token::Symbol(s)) if *s == word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<bool, String> {
        let mut value = self.and()?;
        while self.is("OR") {
            value |= self.and()?;
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut value = self.not()?;
        while self.is("AND") {
            value &= self.not()?;
        }
        Ok(value)
    }

    fn not(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("the condition is nested too deeply".to_owned());
        }
        let value = if self.is("NOT") {
            !self.not()?
        } else if self.is("(") {
            let value = self.or()?;
            if !self.is(")") {
                return Err("`)` is missing".to_owned());
            }
            value
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn comparison(&mut self) -> Result<bool, String> {
        let left = self.operand()?;
        if self.is("IN") {
            if !self.is("(") {
                return Err("`IN` wants a list in parentheses".to_owned());
            }
            let mut found = false;
            loop {
                let one = self.operand()?;
                found |= compare(&left, &one).is_eq();
                if self.is(")") {
                    return Ok(found);
                }
                if !self.is(",") {
                    return Err("`,` or `)` is missing".to_owned());
                }
            }
        }
        for (symbol, holds) in [
            ("!=", (|o| o != std::cmp::Ordering::Equal) as fn(std::cmp::Ordering) -> bool),
            ("<=", |o| o.is_le()),
            (">=", |o| o.is_ge()),
            ("=", |o| o.is_eq()),
            ("<", |o| o.is_lt()),
            (">", |o| o.is_gt()),
        ] {
            if self.is(symbol) {
                let right = self.operand()?;
                return Ok(holds(compare(&left, &right)));
            }
        }
        match left.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("`{other}` is neither true nor false")),
        }
    }

    fn operand(&mut self) -> Result<String, String> {
        let token = self.tokens.get(self.at).ok_or("the condition ends too early")?;
        self.at += 1;
        match token {
            Token::Literal(text) => Ok(text.clone()),
            Token::Variable(name) => {
                self.values.get(name).cloned().ok_or_else(|| format!("variable `{name}` has no value"))
            }
            other => Err(format!("`{other:?}` is no value")),
        }
    }
}

fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}
