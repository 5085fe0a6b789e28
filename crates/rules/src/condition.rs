//! The condition of a detection: `selection and not 1 of filter_*`.

/// A condition over named searches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Name(String),
}

/// Deepest nesting of parentheses.
const DEEPEST: usize = 32;

/// Parses a condition; `names` are the searches there are.
pub(crate) fn parse(text: &str, names: &[&str]) -> Result<Condition, String> {
    if text.contains('|') {
        return Err("aggregation after `|` is no part of Sigma 2: write a correlation rule".into());
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    if words.len() > 4_096 {
        return Err("a condition of more than 4,096 words".into());
    }
    let mut p = Parser { words: &words, next: 0, names };
    let condition = p.or(0)?;
    match p.peek() {
        None => Ok(condition),
        Some(word) => Err(format!("unexpected `{word}` in the condition")),
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    next: usize,
    names: &'a [&'a str],
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.next).copied()
    }

    fn is(&mut self, word: &str) -> bool {
        let yes = self.peek().is_some_and(|w| w.eq_ignore_ascii_case(word));
        self.next += usize::from(yes);
        yes
    }

    fn or(&mut self, depth: usize) -> Result<Condition, String> {
        let mut parts = vec![self.and(depth)?];
        while self.is("or") {
            parts.push(self.and(depth)?);
        }
        Ok(if parts.len() > 1 { Condition::Or(parts) } else { parts.remove(0) })
    }

    fn and(&mut self, depth: usize) -> Result<Condition, String> {
        let mut parts = vec![self.not(depth)?];
        while self.is("and") {
            parts.push(self.not(depth)?);
        }
        Ok(if parts.len() > 1 { Condition::And(parts) } else { parts.remove(0) })
    }

    fn not(&mut self, depth: usize) -> Result<Condition, String> {
        if depth > DEEPEST {
            return Err("a condition nested more than 32 deep".into());
        }
        if self.is("not") {
            return Ok(Condition::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.is("(") {
            let inner = self.or(depth + 1)?;
            return if self.is(")") { Ok(inner) } else { Err("`)` is missing in the condition".into()) };
        }
        let Some(word) = self.peek().map(str::to_owned) else { return Err("the condition ends too early".into()) };
        self.next += 1;
        let is_of = self.peek().is_some_and(|w| w.eq_ignore_ascii_case("of"));
        if is_of {
            self.next += 1;
            let Some(what) = self.peek().map(str::to_owned) else { return Err("nothing after `of`".into()) };
            self.next += 1;
            let found: Vec<Condition> = self
                .names
                .iter()
                .filter(|n| if what == "them" { !n.starts_with('_') } else { fits(&what, n) })
                .map(|n| Condition::Name((*n).to_owned()))
                .collect();
            if found.is_empty() {
                return Err(format!("no search is called `{what}`"));
            }
            return match word.to_ascii_lowercase().as_str() {
                "all" => Ok(Condition::And(found)),
                "1" | "any" => Ok(Condition::Or(found)),
                other => Err(format!("`{other} of` is not read: only `1 of` and `all of`")),
            };
        }
        if self.names.contains(&word.as_str()) {
            return Ok(Condition::Name(word));
        }
        Err(format!("no search is called `{word}`"))
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    crate::strings::Glob::parse(pattern, true).is_met(name, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_and_selection() {
        let names = ["selection", "filter_a", "filter_b", "_hidden"];
        let name = |n: &str| Condition::Name(n.into());
        let check = |text: &str, expect: Condition| assert_eq!(parse(text, &names), Ok(expect), "{text}");
        let both = || vec![name("filter_a"), name("filter_b")];
        check("selection", name("selection"));
        check(
            "selection and not 1 of filter_*",
            Condition::And(vec![name("selection"), Condition::Not(Box::new(Condition::Or(both())))]),
        );
        check("all of filter_*", Condition::And(both()));
        check("selection or filter_a and filter_b", Condition::Or(vec![name("selection"), Condition::And(both())]));
        check("1 of them", Condition::Or(vec![name("selection"), name("filter_a"), name("filter_b")]));
        for bad in [
            "",
            "selection and",
            "(selection",
            "nothing",
            "1 of x*",
            "selection | count() > 5",
            "2 of them",
            "selection)",
        ] {
            assert!(parse(bad, &names).is_err(), "{bad}");
        }
        assert!(parse(&format!("{}selection{}", "(".repeat(500), ")".repeat(500)), &names).is_err());
    }
}
