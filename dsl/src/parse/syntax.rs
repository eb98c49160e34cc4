//! A line that is not YAML, in the words of the one who wrote it, and how to read on behind it.

use std::ops::Range;

use super::lines;
use super::patch::Repair;
use super::words::{Complaint, complaint};
use crate::code::Code;

/// A mistake of syntax, at bytes of the text as it is read.
pub(super) struct Mistake {
    pub(super) code: Code,
    pub(super) at: Range<usize>,
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: String,
    pub(super) repair: Repair,
}

/// Where reading stopped.
pub(super) struct Stop<'a> {
    /// The text as it is read.
    pub(super) text: &'a str,
    /// The byte that the scanner names.
    pub(super) at: usize,
    /// What it says.
    pub(super) info: &'a str,
    /// Brackets that are open there.
    pub(super) open: &'a [usize],
    /// Where the last bare or quoted text began.
    pub(super) scalar: usize,
}

impl Stop<'_> {
    /// The mistake in the user's words.
    pub(super) fn mistake(&self) -> Mistake {
        match complaint(self.info) {
            Complaint::Tab => self.tab(),
            Complaint::Unclosed => self.unclosed_quote(),
            Complaint::Escape => self.escape(),
            Complaint::AfterQuote => self.after_quote(),
            Complaint::Bracket => self.bracket(),
            Complaint::InBrackets => self.in_brackets(),
            Complaint::TooDeep => self.too_deep(),
            Complaint::Colon => self.colon(),
            Complaint::NoColon => self.no_colon(),
            Complaint::Indentation => self.indentation(),
            Complaint::KeyInList => self.key_in_list(),
            Complaint::ItemOnLine => self.item_on_line(),
            Complaint::Block | Complaint::Special => self.special(self.at),
            Complaint::Tag => self.tag(),
            Complaint::Invisible => self.invisible(),
            Complaint::Other => self.other(),
        }
    }

    /// The lines that nothing better is known to do with.
    pub(super) fn give_up_line(&self) -> Repair {
        let line = lines::line(self.text, self.at);
        let line = if lines::is_blank(self.text, &line) {
            lines::before(self.text, self.at).unwrap_or(line)
        } else {
            line
        };
        Repair::Lines(lines::block(self.text, &line))
    }

    pub(super) fn line(&self) -> Range<usize> {
        lines::line(self.text, self.at)
    }

    /// From a byte to the end of its line, trailing spaces left out.
    pub(super) fn rest(&self, at: usize) -> Range<usize> {
        let end = lines::line(self.text, at).end.max(at);
        at..at + self.text[at..end].trim_end().len()
    }

    pub(super) fn character(&self, at: usize) -> Range<usize> {
        at..at + self.text[at..].chars().next().map_or(0, char::len_utf8)
    }

    fn tab(&self) -> Mistake {
        let line = self.line();
        let lead = &self.text[line.start..line.start + lines::indent(self.text, &line)];
        let Some(first) = lead.find('\t') else {
            // A tab further on, between words: as good as a space.
            let tab = self.text[line.start..line.end].find('\t').map(|at| line.start + at);
            let at = tab.map_or(self.character(self.at), |tab| tab..tab + 1);
            return Mistake {
                code: Code::F0103,
                at: at.clone(),
                message: "a tab stands between the words".to_owned(),
                label: "this is a tab",
                help: "put a space in its place".to_owned(),
                repair: Repair::Space(at),
            };
        };
        let tabs = lead[first..].len() - lead[first..].trim_start_matches('\t').len();
        Mistake {
            code: Code::F0103,
            at: line.start + first..line.start + first + tabs,
            message: "the line is indented with a tab".to_owned(),
            label: "this is a tab",
            help: "indent with spaces, two for each level".to_owned(),
            repair: Repair::Tabs,
        }
    }

    fn unclosed_quote(&self) -> Mistake {
        let quote = self.character(self.at);
        let character = &self.text[quote.clone()];
        Mistake {
            code: Code::F0101,
            message: format!("the quote `{character}` is never closed"),
            label: "opened here",
            help: format!("write `{character}` at the end of the text too"),
            repair: Repair::Value(self.rest(self.at)),
            at: quote,
        }
    }

    fn escape(&self) -> Mistake {
        let text = &self.text[self.at..];
        let mut at = self.at..(self.at + 1).min(self.text.len());
        let mut backslash = false;
        for (place, character) in text.char_indices() {
            if backslash && !"0abt\tnvfre \"/\\N_LPxuU\n\r".contains(character) {
                at = self.at + place - 1..self.at + place + character.len_utf8();
                break;
            }
            backslash = character == '\\' && !backslash;
        }
        let what = &self.text[at.clone()];
        let message = if what.starts_with('\\') {
            format!("`{what}` means nothing in double quotes")
        } else {
            "a backslash in double quotes is not followed by a character code".to_owned()
        };
        Mistake {
            code: Code::F0101,
            at,
            message,
            label: "",
            help: "use single quotes: in them a backslash is only a backslash".to_owned(),
            repair: Repair::Value(self.rest(self.at)),
        }
    }

    fn after_quote(&self) -> Mistake {
        let at = self.rest(self.at);
        let gap = self.text[at.clone()].len() - self.text[at.clone()].trim_start().len();
        let value = lines::value(self.text, &self.line());
        let start = value.start.min(self.at);
        Mistake {
            code: Code::F0101,
            at: at.start + gap..at.end,
            message: "there is more text behind the closing quote".to_owned(),
            label: "not part of the quoted text",
            help: "put all of the value in single quotes: `'...'`".to_owned(),
            repair: Repair::Value(start..at.end),
        }
    }

    fn bracket(&self) -> Mistake {
        let at = self.character(self.at);
        Mistake {
            code: Code::F0101,
            message: format!("`{}` closes nothing", &self.text[at.clone()]),
            label: "",
            help: "take it away, or put text that has brackets in quotes".to_owned(),
            repair: Repair::Space(at.clone()),
            at,
        }
    }

    fn in_brackets(&self) -> Mistake {
        let here = self.line();
        let opener = self.open.iter().rev().copied().find(|&open| open <= self.at);
        let Some(open) = opener else { return self.other() };
        let first = lines::line(self.text, open);
        let left = self.at >= self.text.len()
            || here.start > first.start
                && lines::indent(self.text, &here) <= lines::indent(self.text, &first);
        let bracket = self.character(open);
        let closer = if self.text[bracket.clone()].starts_with('[') { ']' } else { '}' };
        let outermost = self.open.iter().copied().find(|&open| open >= first.start).unwrap_or(open);
        if left {
            let end = self.last_deeper(&first).max(self.rest(open).end);
            return Mistake {
                code: Code::F0101,
                message: format!("the `{}` is never closed", &self.text[bracket.clone()]),
                label: "opened here",
                help: format!("write `{closer}` at the end"),
                repair: Repair::Value(outermost..end),
                at: bracket,
            };
        }
        Mistake {
            code: Code::F0101,
            at: self.character(self.at),
            message: format!("a `,` or `{closer}` is missing before this"),
            label: "",
            help: "write a comma between entries; put text with `:`, `,` or brackets in quotes"
                .to_owned(),
            repair: Repair::Value(outermost..self.rest(self.at.max(outermost)).end),
        }
    }

    /// The end of the lines below one that are deeper and come before where reading stopped.
    fn last_deeper(&self, line: &Range<usize>) -> usize {
        lines::block(self.text, line).end.min(self.at.max(line.end))
    }

    fn too_deep(&self) -> Mistake {
        let open = self.open.first().copied().unwrap_or(self.line().start);
        let from = lines::line(self.text, open.min(self.at)).start;
        Mistake {
            code: Code::F0104,
            at: self.character(self.at),
            message: format!("more than {} brackets stand inside each other", super::MAX_DEPTH),
            label: "",
            help: "split it: no pipeline needs so many".to_owned(),
            repair: Repair::Tail(from),
        }
    }

    fn colon(&self) -> Mistake {
        let scalar_line = lines::line(self.text, self.scalar);
        let here = self.line();
        let before_scalar = self.text[scalar_line.start..self.scalar.max(scalar_line.start)].trim();
        if scalar_line.start == here.start {
            let value = lines::value(self.text, &here);
            return Mistake {
                code: Code::F0101,
                at: self.character(self.at),
                message: "there is a second `:` on the line".to_owned(),
                label: "",
                help: "put the value in quotes, or what follows on a line of its own".to_owned(),
                repair: Repair::Value(value),
            };
        }
        if before_scalar.is_empty() || before_scalar == "-" {
            return self.missing_colon(&scalar_line);
        }
        let word = lines::first_word(self.text, &here);
        Mistake {
            code: Code::F0101,
            at: word.clone(),
            message: format!(
                "`{}` is indented below a line that has a value already",
                &self.text[word]
            ),
            label: "indented too far",
            help: "indent it as far as the line above".to_owned(),
            repair: Repair::Lines(lines::block(self.text, &here)),
        }
    }

    fn missing_colon(&self, line: &Range<usize>) -> Mistake {
        let mut word = lines::first_word(self.text, line);
        if self.text[word.clone()] == *"-" {
            word = lines::first_word(self.text, &((word.end + 1).min(line.end)..line.end));
        }
        let key = &self.text[word.clone()];
        if let Some((name, rest)) = self.text[word.start..line.end].trim_end().split_once(':')
            && !rest.is_empty()
            && !rest.starts_with(' ')
            && !name.contains(' ')
        {
            let at = word.start + name.len();
            return Mistake {
                code: Code::F0101,
                at: at..at + 1,
                message: format!("a space is missing behind `{name}:`"),
                label: "",
                help: format!("write `{name}: {rest}`"),
                repair: Repair::Lines(line.clone()),
            };
        }
        let rest = self.text[word.end..line.end].trim();
        Mistake {
            code: Code::F0101,
            message: format!("a `:` is missing behind `{key}`"),
            label: "",
            help: format!("write `{}`", format!("{key}: {rest}").trim_end()),
            repair: Repair::Colon(word.clone()),
            at: word,
        }
    }

    fn no_colon(&self) -> Mistake {
        let here = self.line();
        let at_start = self.text[here.start..self.at.max(here.start)].trim().is_empty();
        match lines::before(self.text, self.at) {
            Some(above) if at_start => self.missing_colon(&above),
            _ if lines::is_blank(self.text, &here) => self.other(),
            _ => self.missing_colon(&here),
        }
    }

    fn indentation(&self) -> Mistake {
        let here = self.line();
        let word = lines::first_word(self.text, &here);
        let value = lines::value(self.text, &here);
        let item = self.text[word.start..].starts_with("- ");
        if self.at > word.start && !(item && self.at <= word.end + 1) {
            let template = self.text[value.clone()].starts_with("{{");
            let from = value.start.min(self.at);
            return Mistake {
                code: if template { Code::F0111 } else { Code::F0101 },
                at: if template { value.clone() } else { self.rest(self.at) },
                message: if template {
                    "a value that begins with `{{` must stand in quotes".to_owned()
                } else {
                    "there is more text behind the value".to_owned()
                },
                label: "",
                help: format!("write `\"{}\"`", &self.text[value]),
                repair: Repair::Value(from..self.rest(self.at).end),
            };
        }
        Mistake {
            code: Code::F0101,
            message: if item {
                "a list item stands among keys".to_owned()
            } else {
                format!("the indentation of `{}` fits no line above", &self.text[word.clone()])
            },
            label: "",
            help: if item {
                "indent it below the key whose list it belongs to".to_owned()
            } else {
                "give it the same indentation as the lines that it belongs with".to_owned()
            },
            repair: Repair::Lines(lines::block(self.text, &here)),
            at: word,
        }
    }

    fn key_in_list(&self) -> Mistake {
        let here = self.line();
        let word = lines::first_word(self.text, &here);
        Mistake {
            code: Code::F0101,
            message: format!("`{}` stands among list items", &self.text[word.clone()]),
            label: "not an item: no `- ` before it",
            help: "write `- ` before it, or take it out of the list".to_owned(),
            repair: Repair::Lines(lines::block(self.text, &here)),
            at: word,
        }
    }
}
