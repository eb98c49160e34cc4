//! Puts our comparison in the place of minijinja's, which takes a text and a number for unlike and
//! says no word.

use std::fmt::Write as _;
use std::ops::Range;

use minijinja::machinery::{Token, tokenize};

/// The name that templates call the comparison by.
pub(super) const COMPARE: &str = "__compare";

/// The text with every comparison made a call: `a >= 1` becomes `__compare([0,1,5,6],a,">=",1)`;
/// the numbers say where the operands stand. Nothing when it has none, or cannot be read.
pub(super) fn guarded(text: &str, is_expression: bool) -> Option<String> {
    let mut scan = Scan { text, open: vec![Operands::default()], edits: Vec::new(), last: 0 };
    let (mut before, mut before_that) = (Seen::Other, Seen::Other);
    let mut header = false;
    let tokens = tokenize(text, is_expression, super::syntax()).collect::<Result<Vec<_>, _>>();
    for (token, span) in tokens.ok()? {
        let at = span.start_offset as usize..span.end_offset as usize;
        // `.`, `|` and `is` are followed by a name, whatever it is.
        let named = before == Seen::Naming || before == Seen::Not && before_that == Seen::Naming;
        let seen = match &token {
            Token::Ident("not") if before == Seen::Naming => Seen::Not,
            Token::Ident(_) if named => Seen::Other,
            Token::Ident("is") | Token::Dot | Token::Pipe => Seen::Naming,
            Token::Ident("not") => Seen::Not,
            Token::BlockStart => Seen::Block,
            Token::Ident("for") if before == Seen::Block => Seen::For,
            _ => Seen::Other,
        };
        header |= seen == Seen::For;
        match token {
            Token::Ident(_) if named => scan.part(at.clone()),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                scan.part(at.clone());
                scan.open.push(Operands::default());
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                scan.end();
                scan.open.pop();
                scan.open.last()?;
            }
            Token::Eq | Token::Ne | Token::Lt | Token::Lte | Token::Gt | Token::Gte => {
                scan.operator(at.clone());
            }
            Token::Ident("in") if header && scan.open.len() == 1 => {
                header = false;
                scan.end();
            }
            Token::Ident("not") if scan.begun() => {
                scan.open.last_mut()?.negated = Some(at.start);
            }
            Token::Ident("in") => {
                let from = scan.open.last_mut()?.negated.take().unwrap_or(at.start);
                scan.operator(from..at.end);
            }
            Token::Ident(_) if before == Seen::Block => scan.end(),
            Token::Ident("and" | "or" | "not" | "if" | "else")
            | Token::Comma
            | Token::Colon
            | Token::Assign
            | Token::TemplateData(_)
            | Token::VariableStart
            | Token::VariableEnd
            | Token::BlockStart
            | Token::BlockEnd => scan.end(),
            // `f(*a)`: the sign belongs to the call.
            Token::Mul | Token::Pow if !scan.begun() => {}
            _ => scan.part(at.clone()),
        }
        scan.last = at.end;
        (before_that, before) = (before, seen);
    }
    scan.end();
    scan.applied()
}

/// What the token before was, as far as it decides what a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Naming,
    Not,
    Block,
    For,
    Other,
}

/// A chain of operands with operators between them, as far as it was read.
#[derive(Default)]
struct Operands {
    /// Where the one that is being read begins.
    from: Option<usize>,
    whole: Vec<Range<usize>>,
    operators: Vec<Range<usize>>,
    /// A `not` behind an operand, which an `in` must follow.
    negated: Option<usize>,
}

struct Scan<'t> {
    text: &'t str,
    open: Vec<Operands>,
    /// What takes the place of which bytes.
    edits: Vec<(Range<usize>, String)>,
    /// The end of the token before.
    last: usize,
}

impl Scan<'_> {
    fn begun(&self) -> bool {
        self.open.last().is_some_and(|operands| operands.from.is_some())
    }

    /// A token that belongs to an operand.
    fn part(&mut self, at: Range<usize>) {
        if let Some(operands) = self.open.last_mut() {
            operands.from.get_or_insert(at.start);
        }
    }

    fn operator(&mut self, at: Range<usize>) {
        let end = self.text[..at.start].trim_end().len();
        if let Some(operands) = self.open.last_mut()
            && let Some(from) = operands.from.take()
        {
            operands.whole.push(from..end);
            operands.operators.push(at);
        }
    }

    /// The chain is at its end.
    fn end(&mut self) {
        let Some(operands) = self.open.last_mut() else { return };
        let Operands { from, mut whole, operators, .. } = std::mem::take(operands);
        let Some(from) = from.filter(|_| !operators.is_empty()) else { return };
        whole.push(from..self.last);
        let (first, end) = (whole[0].start, self.last);
        let mut places = String::new();
        for place in &whole {
            let _ = write!(places, "{},{},", place.start, place.end);
        }
        self.edits.push((first..first, format!("{COMPARE}([{places}],")));
        for operator in operators {
            let words: Vec<&str> = self.text[operator.clone()].split_whitespace().collect();
            self.edits.push((operator, format!(",\"{}\",", words.join(" "))));
        }
        self.edits.push((end..end, ")".to_owned()));
    }

    fn applied(mut self) -> Option<String> {
        if self.edits.is_empty() {
            return None;
        }
        // Of two at one place, the call that closes comes before the one that opens, and the outer
        // opens first: it was found last.
        self.edits.reverse();
        self.edits.sort_by_key(|(at, new)| (at.start, new != ")"));
        let mut text = String::with_capacity(self.text.len() * 2);
        let mut from = 0;
        for (at, new) in self.edits {
            text.push_str(&self.text[from..at.start]);
            text.push_str(&new);
            from = at.end;
        }
        text.push_str(&self.text[from..]);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the places.
    fn shown(text: &str, is_expression: bool) -> String {
        let mut text = guarded(text, is_expression).unwrap_or_else(|| "-".to_owned());
        while let Some(at) = text.find(COMPARE) {
            let end = at + text[at..].find("],").unwrap() + 2;
            text.replace_range(at..end, "C(");
        }
        text
    }

    #[test]
    fn every_comparison_becomes_a_call() {
        for (text, expected) in [
            ("a + 1", "-"),
            ("a >= 1", "C(a ,\">=\", 1)"),
            ("(a)==(b + 1)", "C((a),\"==\",(b + 1))"),
            ("not a == b or -c < d", "not C(a ,\"==\", b) or C(-c ,\"<\", d)"),
            ("1 < a.in|not <= f(b != 2)", "C(1 ,\"<\", a.in|not ,\"<=\", f(C(b ,\"!=\", 2)))"),
            ("a not  in [b == c, 2]", "C(a ,\"not in\", [C(b ,\"==\", c), 2])"),
            ("a is not defined and b in c", "a is not defined and C(b ,\"in\", c)"),
            (
                "a == 1 if b == 2 else c == 3",
                "C(a ,\"==\", 1) if C(b ,\"==\", 2) else C(c ,\"==\", 3)",
            ),
            ("((a == b) == c)", "(C((C(a ,\"==\", b)) ,\"==\", c))"),
            ("{'a == b': c == d}[e:f == g]", "{'a == b': C(c ,\"==\", d)}[e:C(f ,\"==\", g)]"),
            ("f(*a, k=b == c)", "f(*a, k=C(b ,\"==\", c))"),
            ("a == 'ü' == b", "C(a ,\"==\", 'ü' ,\"==\", b)"),
        ] {
            assert_eq!(shown(text, true), expected, "{text}");
        }
        for (text, expected) in [
            ("a == b", "-"),
            ("{{ a == b -}} c < {{d}}", "{{ C(a ,\"==\", b) -}} c < {{d}}"),
            (
                "{% for x in y if x == 1 %}{% set z = x in y %}{% endfor %}",
                "{% for x in y if C(x ,\"==\", 1) %}{% set z = C(x ,\"in\", y) %}{% endfor %}",
            ),
            ("{% raw %}{{ a == b }}{% endraw %}{# a == b #}", "-"),
            (
                "{% if a > 1 %}{% elif a < 0 %}{% endif %}",
                "{% if C(a ,\">\", 1) %}{% elif C(a ,\"<\", 0) %}{% endif %}",
            ),
        ] {
            assert_eq!(shown(text, false), expected, "{text}");
        }
    }
}
