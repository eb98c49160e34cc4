//! What is said of a template or expression that cannot be read: the place of the mistake, not the
//! place where reading came to an end.

use std::ops::Range;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::template::Unreadable;
use crate::suggest::closest;

/// What is wrong at a part of a text, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) range: Range<usize>,
    pub(super) label: String,
    pub(super) help: Option<String>,
    /// What was meant in the place of the part.
    pub(super) meant: Option<&'static str>,
}

impl Complaint {
    fn new(range: Range<usize>, label: impl Into<String>) -> Self {
        Self { range, label: label.into(), help: None, meant: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What is wrong with a text.
    pub(super) fn of(text: &str, unreadable: &Unreadable, is_expression: bool) -> Self {
        let said = unreadable.message.as_str();
        let range = unreadable.range.clone().unwrap_or_default();
        let placed = !range.is_empty() && text.get(range.clone()).is_some();
        let ended = said.contains("end of input");
        let until = if ended || !placed { text.len() } else { range.start };
        let open = Open::before(text, until, is_expression);
        if let Some(found) = never_closed(text, said, &range, &open) {
            return found;
        }
        if let Some(word) = said.strip_prefix("unknown statement ") {
            return strange_tag(word, range, &open);
        }
        let unfit = said.starts_with("unexpected `") || said.contains("end of variable block");
        if let Some(mark) = open.marks.last().filter(|_| ended || unfit) {
            return not_closed(text, mark.clone());
        }
        if ended && let Some(found) = open.end(text) {
            return found;
        }
        if let Some(help) = elsewhere(text, range.start).filter(|_| !ended) {
            return Self::new(range, "is of another language").help(help);
        }
        let range = if placed { range } else { word(text, open.last) };
        Self::new(range, in_words(said))
    }
}

/// The first word at or after a place; the whole text when there is none.
fn word(text: &str, from: usize) -> Range<usize> {
    let rest = text.get(from..).unwrap_or_default();
    let start = from + rest.len() - rest.trim_start().len();
    let rest = rest.trim_start();
    let end = start + rest.find(char::is_whitespace).unwrap_or(rest.len());
    if rest.is_empty() { 0..text.len() } else { start..end }
}

/// The first `}}` or `%}` of a template that closes nothing, neither a tag nor braces of the text.
pub(super) fn stray(text: &str) -> Option<Range<usize>> {
    if !(text.contains("}}") || text.contains("%}")) || text.contains("raw") {
        return None;
    }
    let mut open = 0_usize;
    for (token, span) in tokenize(text, false, SyntaxConfig::default()).map_while(Result::ok) {
        let Token::TemplateData(data) = token else { continue };
        for (at, sign) in data.char_indices() {
            match sign {
                '{' => open += 1,
                '}' | '%' if open == 0 && data[at + 1..].starts_with('}') => {
                    let at = span.start_offset as usize + at;
                    return Some(at..at + 2);
                }
                '}' => open = open.saturating_sub(1),
                _ => {}
            }
        }
    }
    None
}

/// A quote, comment or raw block without its end.
fn never_closed(
    text: &str,
    said: &str,
    range: &Range<usize>,
    open: &Open<'_>,
) -> Option<Complaint> {
    if said.contains("end of string") {
        let at = open.last + text.get(open.last..)?.find(['\'', '"'])?;
        let quote = text.get(at..)?.chars().next()?;
        let found = Complaint::new(at..at + 1, "this quote is not closed");
        return Some(found.help(format!("write another `{quote}` where the text ends")));
    }
    if said.contains("end of comment") {
        let at = text.get(..=range.end.min(text.len() - 1))?.rfind("{#")?;
        let found = Complaint::new(at..at + 2, "this comment is not closed");
        return Some(found.help("write `#}` where it ends"));
    }
    if said.contains("end of raw block") {
        let (at, end) = (text.rfind("{%")?, text.rfind("%}")?);
        let found = Complaint::new(at..end + 2, "this block is not closed");
        return Some(found.help("write `{% endraw %}` where it ends"));
    }
    None
}

fn not_closed(text: &str, mark: Range<usize>) -> Complaint {
    let sign = &text[mark.clone()];
    let end = match sign {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    Complaint::new(mark, format!("this `{sign}` is not closed"))
        .help(format!("write `{end}` where it ends"))
}

/// A word behind `{%` that is none, or not here.
fn strange_tag(word: &str, range: Range<usize>, open: &Open<'_>) -> Complaint {
    if let Some(block) = word.strip_prefix("end").filter(|block| BLOCKS.contains(block)) {
        let found = Complaint::new(range, format!("no `{block}` is open here"));
        return match open.blocks.last() {
            Some((inner, _)) => found.help(format!("close `{inner}` first: `{{% end{inner} %}}`")),
            None => found.help("take it away, or open the block before"),
        };
    }
    if let "else" | "elif" = word {
        let found = Complaint::new(range, "stands in no `if`");
        return found.help(format!("write `{{% if FIELD %}}..{{% {word} %}}..{{% endif %}}`"));
    }
    let found = Complaint::new(range, "is no word of the template language");
    match closest(word, TAGS.iter().chain(BLOCKS).copied()) {
        Some(near) => {
            Complaint { meant: Some(near), ..found.help(format!("did you mean `{near}`?")) }
        }
        None => found.help("`{% %}` is for `if`, `for` and `set`; a value stands in `{{ }}`"),
    }
}

/// What is open where reading came to an end.
#[derive(Debug, Default)]
struct Open<'t> {
    /// `{{` or `{%`.
    tag: Option<Range<usize>>,
    /// Brackets in it.
    marks: Vec<Range<usize>>,
    /// `if` and its like, with the whole of their tag.
    blocks: Vec<(&'t str, Range<usize>)>,
    /// The end of the last word or sign.
    last: usize,
}

impl<'t> Open<'t> {
    fn before(text: &'t str, end: usize, is_expression: bool) -> Self {
        let mut open = Self::default();
        let mut before = None;
        let tokens = tokenize(text, is_expression, SyntaxConfig::default());
        for (token, span) in tokens.map_while(Result::ok) {
            let at = span.start_offset as usize..span.end_offset as usize;
            if at.start >= end {
                break;
            }
            match token {
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                    open.marks.push(at.clone());
                }
                Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                    open.marks.pop();
                }
                Token::VariableStart | Token::BlockStart => open.tag = Some(at.clone()),
                Token::VariableEnd | Token::BlockEnd => {
                    if let (Some((_, block)), Some(tag)) = (open.blocks.last_mut(), &open.tag)
                        && block.start == tag.start
                    {
                        block.end = at.end;
                    }
                    open.tag = None;
                }
                Token::Ident(word) if before == open.tag && before.is_some() => {
                    open.word(word, &at);
                }
                _ => {}
            }
            open.last = at.end;
            before = matches!(token, Token::BlockStart).then_some(at);
        }
        open
    }

    /// The first word of a tag.
    fn word(&mut self, word: &'t str, at: &Range<usize>) {
        if BLOCKS.contains(&word) {
            let start = self.tag.as_ref().map_or(at.start, |tag| tag.start);
            self.blocks.push((word, start..at.end));
        } else if word.strip_prefix("end").is_some() {
            self.blocks.pop();
        }
    }

    /// What lacks its end: the tag, else the innermost block.
    fn end(&self, text: &str) -> Option<Complaint> {
        if let Some(tag) = &self.tag {
            let sign = text.get(tag.clone())?;
            let end = if sign.starts_with("{{") { "}}" } else { "%}" };
            let found = Complaint::new(tag.clone(), format!("this `{sign}` is not closed"));
            return Some(found.help(format!("write `{end}` where it ends")));
        }
        let (block, tag) = self.blocks.last()?;
        let found = Complaint::new(tag.clone(), "this block is not closed");
        let end = format!("write `{{% end{block} %}}` where it ends");
        Some(match *block {
            "set" => found.help(format!("{end}, or give it a value: `{{% set NAME = 1 %}}`")),
            _ => found.help(end),
        })
    }
}

/// Words behind `{%` that want an end.
const BLOCKS: &[&str] =
    &["if", "for", "with", "set", "filter", "block", "macro", "call", "autoescape", "raw"];

/// Other words behind `{%`.
const TAGS: &[&str] =
    &["else", "elif", "endif", "endfor", "endwith", "endset", "endfilter", "endmacro", "endraw"];

/// How an operator of another language, at a place of a text, is written here.
fn elsewhere(text: &str, at: usize) -> Option<&'static str> {
    let (before, rest) = (text.get(..at)?, text.get(at..)?);
    let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    Some(match word.to_lowercase().as_str() {
        "and" | "or" | "not" | "in" | "is" if word.chars().all(char::is_uppercase) => {
            "write `and`, `or`, `not`, `in` and `is` in small letters"
        }
        "like" | "contains" => "write `'part' in FIELD`",
        "between" => "write `1 <= FIELD <= 5`",
        _ if rest.starts_with('=') => "compare with `==`",
        _ if rest.starts_with('&') => "write `and`",
        _ if rest.starts_with('|') && before.ends_with('|') => "write `or`",
        _ if rest.starts_with('>') && before.ends_with('<') => "write `!=`",
        _ if rest.starts_with('!') => "write `not`",
        _ if rest.starts_with('?') => "write `ONE if FIELD else OTHER`",
        _ => return None,
    })
}

/// The words of the template language's own complaints, less its inner names.
fn in_words(message: &str) -> String {
    let follows = ["identifier", "string", "integer", "float"];
    let expected = message.strip_prefix("unexpected ").and_then(|rest| rest.split_once(", "));
    match (message, expected) {
        ("unexpected end of variable block" | "unexpected end of block", _) => {
            return "a value should stand before this".to_owned();
        }
        ("unexpected input after expression", _) => return "nothing can follow here".to_owned(),
        (_, Some((found, "expected end of variable block" | "expected end of block")))
            if follows.contains(&found) =>
        {
            return "nothing can follow here; is an operator missing?".to_owned();
        }
        _ => {}
    }
    message
        .replace("unexpected end of input, expected expression", "ends where a value should follow")
        .replace("unexpected end of input", "it ends too early")
        .replace("end of variable block", "`}}`")
        .replace("start of variable block", "`{{`")
        .replace("end of block", "`%}`")
        .replace("start of block", "`{%`")
        .replace("template-data", "text")
        .replace("unexpected identifier", "unexpected name")
        .replace("identifier or integer", "a name")
        .replace("identifier", "a name")
        .replace("expected a filter", "the name of a filter should follow")
        .replace("invalid integer (too large)", "is too large a number")
        .replace("invalid float", "is no number")
        .replace("'_' may not occur at end of number", "is no number")
        .replace("expected in", "expected `in`")
        .replace("expected expression", "a value should follow")
        .replace("unexpected character", "cannot stand here")
}

#[cfg(test)]
mod tests {
    use super::super::template::{uses_of_expression, uses_of_template};
    use super::*;

    fn said(text: &str, unreadable: &Unreadable, is_expression: bool) -> String {
        let found = Complaint::of(text, unreadable, is_expression);
        let help = found.help.unwrap_or_default();
        format!("{}: {}; {help}", &text[found.range], found.label)
    }

    #[test]
    fn the_mistake_itself_is_shown() {
        for (text, expected) in [
            (
                "{% if a %}x",
                "{% if a %}: this block is not closed; write `{% endif %}` where it ends",
            ),
            (
                "{% for x in a %}{% if x %}{% endif %}",
                "{% for x in a %}: this block is not closed; write `{% endfor %}` where it ends",
            ),
            ("{% fi a %}", "fi: is no word of the template language; did you mean `if`?"),
            ("{% endif %}", "endif: no `if` is open here; take it away, or open the block before"),
            (
                "{% if a %}{% endfor %}",
                "endfor: no `for` is open here; close `if` first: `{% endif %}`",
            ),
            ("{{ a", "{{: this `{{` is not closed; write `}}` where it ends"),
            ("{% if a", "{%: this `{%` is not closed; write `%}` where it ends"),
            ("{{ f(a, [b }}", "[: this `[` is not closed; write `]` where it ends"),
            ("ü {{ 'a }}", "': this quote is not closed; write another `'` where the text ends"),
            ("a {# b", "{#: this comment is not closed; write `#}` where it ends"),
            (
                "{% raw %} a",
                "{% raw %}: this block is not closed; write `{% endraw %}` where it ends",
            ),
            ("{{ a + }}", "}}: a value should stand before this; "),
            ("{{ a b }}", "b: nothing can follow here; is an operator missing?; "),
        ] {
            let unreadable = uses_of_template(text).unwrap_err();
            assert_eq!(said(text, &unreadable, false), expected, "{text}");
        }
        for (text, expected) in [
            ("a == 'x", "': this quote is not closed; write another `'` where the text ends"),
            ("(a", "(: this `(` is not closed; write `)` where it ends"),
            ("a ==", "==: ends where a value should follow; "),
            (
                "a > 9999999999999999999999999999999999999999999",
                "9999999999999999999999999999999999999999999: is too large a number; ",
            ),
            ("a ? b : c", "?: is of another language; write `ONE if FIELD else OTHER`"),
            ("a = 1", "=: is of another language; compare with `==`"),
        ] {
            let unreadable = uses_of_expression(text).unwrap_err();
            assert_eq!(said(text, &unreadable, true), expected, "{text}");
        }
    }

    #[test]
    fn what_closes_nothing_is_found_in_text_alone() {
        for (text, expected) in [
            ("name }}", Some(5..7)),
            ("{{ name }} b }}", Some(13..15)),
            ("ü{{ a }}%}", Some(9..11)),
            ("{\"a\": {\"b\": {{ name }}}}", None),
            ("{{ '}}' }} 100%", None),
            ("{% if a %}}{% endif %}", None),
            ("{% raw %}}}{% endraw %}", None),
        ] {
            assert_eq!(stray(text), expected, "{text}");
        }
    }
}
