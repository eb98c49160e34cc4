//! Values and lines that begin with something that YAML uses itself.

use std::ops::Range;

use super::lines;
use super::patch::Repair;
use super::syntax::{Mistake, Stop};
use crate::code::Code;

impl Stop<'_> {
    pub(super) fn item_on_line(&self) -> Mistake {
        let item = self.rest(self.at);
        let text = self.text[item.clone()].trim_start_matches("- ");
        Mistake {
            code: Code::F0101,
            at: self.character(self.at),
            message: "a list item stands on the line of its key".to_owned(),
            label: "",
            help: format!("write `[{text}]`, or put each item on a line of its own"),
            repair: Repair::Value(item.start..self.last_item(&item)),
        }
    }

    /// The end of the deeper lines below an item.
    fn last_item(&self, item: &Range<usize>) -> usize {
        lines::block(self.text, &self.line()).end.max(item.end)
    }

    pub(super) fn special(&self, at: usize) -> Mistake {
        let value = self.rest(at);
        let end = if self.open.is_empty() {
            value.end
        } else {
            let inside = self.text[value.clone()].find([',', ']', '}']);
            inside.map_or(value.end, |length| value.start + length.max(1))
        };
        let character = self.character(at);
        let first = &self.text[character.clone()];
        let text = &self.text[value.start..end];
        Mistake {
            code: Code::F0101,
            message: format!("a value cannot begin with `{first}`"),
            label: "means something else in YAML",
            help: format!("put it in quotes: `'{}'`", text.replace('\'', "''")),
            repair: Repair::Value(value.start..end),
            at: character,
        }
    }

    pub(super) fn tag(&self) -> Mistake {
        let value = lines::value(self.text, &self.line());
        let start = value.start.min(self.at);
        Mistake {
            code: Code::F0108,
            at: start..self.rest(start).end,
            message: "a value cannot begin with `!`".to_owned(),
            label: "a YAML tag",
            help: "put the value in quotes".to_owned(),
            repair: Repair::Value(start..self.rest(start).end),
        }
    }

    pub(super) fn invisible(&self) -> Mistake {
        let at = self.character(self.at);
        let code = self.text[at.clone()].chars().next().map_or(0, u32::from);
        Mistake {
            code: Code::F0101,
            at: at.clone(),
            message: format!("the character U+{code:04X} cannot stand in a file"),
            label: "not visible",
            help: "delete it; in double quotes it can be written with a backslash".to_owned(),
            repair: Repair::Space(at),
        }
    }

    pub(super) fn other(&self) -> Mistake {
        let here = self.line();
        let here = if lines::is_blank(self.text, &here) {
            lines::before(self.text, self.at).unwrap_or(here)
        } else {
            here
        };
        let word = lines::first_word(self.text, &here);
        Mistake {
            code: Code::F0101,
            at: word,
            message: "the line cannot be read as `key: value` or `- item`".to_owned(),
            label: "",
            help: "put text with special characters in quotes".to_owned(),
            repair: Repair::Lines(lines::block(self.text, &here)),
        }
    }
}
