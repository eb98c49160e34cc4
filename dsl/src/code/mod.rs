//! The stable codes of all mistakes that a file can hold, each with its page.
//!
//! Families: `F01` the text, `F02` names and values, `F03` wiring, `F04` hints, `F05` what only
//! shows when the plan is made. The page of a code lies beside this file.

use crate::diagnostic::Severity;

macro_rules! codes {
    ($($name:ident $severity:ident $title:literal;)*) => {
        /// A stable code; its number never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = include_str!(concat!(stringify!($name), ".md"))] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// `F0301`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The mistake in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The page: why it is a mistake, an example, the cure.
            pub const fn page(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!(stringify!($name), ".md")),)* }
            }

            /// Whether it is an error or a warning.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    F0101 Error "line that cannot be read";
    F0102 Error "key set twice";
    F0103 Error "tab";
    F0104 Error "nested too deep";
    F0105 Error "aliases stand for too much";
    F0106 Error "file too large";
    F0107 Error "second document";
    F0108 Error "unknown tag";
    F0109 Error "key is not a word";
    F0110 Error "merge key";
    F0111 Error "template without quotes";
    F0112 Error "not a pipeline";
    F0113 Error "not UTF-8";
    F0201 Error "unknown key";
    F0202 Error "unknown setting";
    F0203 Error "missing key";
    F0204 Error "missing setting";
    F0205 Error "wrong type";
    F0206 Error "two nodes of one name";
    F0207 Error "not one of the choices";
    F0208 Error "out of range";
    F0211 Error "not a duration";
    F0212 Error "not a size";
    F0213 Error "not a rate";
    F0214 Error "not a range";
    F0215 Error "not a share";
    F0216 Error "not supported yet";
    F0217 Error "not a name";
    F0218 Error "not an amount of money";
    F0220 Error "unknown param";
    F0221 Error "template cannot be read";
    F0222 Error "expression cannot be read";
    F0223 Error "field where there is no record";
    F0224 Error "unknown filter, test or function";
    F0230 Error "unknown model";
    F0231 Error "unknown limit";
    F0232 Error "unknown profile";
    F0233 Error "unknown secret";
    F0234 Error "unknown provider";
    F0235 Error "path leads nowhere";
    F0236 Error "param not declared";
    F0237 Error "value does not fit the param";
    F0238 Error "password in an address";
    F0239 Error "unknown schema";
    F0301 Error "unknown node";
    F0302 Error "unknown stage";
    F0303 Error "loop";
    F0304 Error "right key, wrong level";
    F0305 Error "no such output";
    F0306 Error "no such input port";
    F0307 Error "source with an input";
    F0308 Error "no input";
    F0309 Error "port without an input";
    F0310 Error "field does not come in";
    F0311 Error "nothing comes out of a sink";
    F0312 Warning "nobody reads it";
    F0401 Error "batch that never fills";
    F0402 Warning "hint without effect";
    F0501 Error "setting refused by the stage";
    F0502 Error "file cannot be read";
    F0503 Error "secret not set";
    F0504 Error "param without a value";
    F0505 Error "file written twice";
    F0506 Error "file written over while it is read";
    F0508 Error "budget without a price";
    F0509 Error "retry that cannot change the model";
    F0510 Error "unknown key in an entity schema";
    F0511 Error "wrong value in an entity schema";
    F0512 Error "pattern that is no regular expression";
    F0513 Error "nothing to find";
    F0514 Error "listed twice in an entity schema";
    F0515 Error "bad name in an entity schema";
}

impl Code {
    /// The code of a name, `F0301`.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name().eq_ignore_ascii_case(name))
    }
}

/// The manual of all codes: docs/errors.md.
pub fn markdown() -> String {
    let mut text = String::from(
        "# What can be wrong with a file\n\nGenerated from the pages in `dsl/src/code`.\n",
    );
    for (family, title) in [
        ("F01", "The text"),
        ("F02", "Names and values"),
        ("F03", "Wiring"),
        ("F04", "Hints"),
        ("F05", "What only shows when the plan is made"),
    ] {
        text.extend(["\n## ", title, "\n"]);
        for code in Code::ALL.iter().filter(|code| code.name().starts_with(family)) {
            let kind = if code.severity() == Severity::Warning { " (warning)" } else { "" };
            text.extend(["\n### ", code.name(), ": ", code.title(), kind, "\n\n", code.page()]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_reason_example_and_cure() {
        for code in Code::ALL {
            let parts: Vec<&str> = code.page().split("```").collect();
            assert_eq!(parts.len(), 3, "{}", code.name());
            assert!(parts[0].trim().len() > 20 && parts[2].trim().len() > 10, "{}", code.name());
            assert_eq!(Code::of(&code.name().to_lowercase()), Some(*code));
        }
        assert!(Code::ALL.is_sorted_by(|a, b| a.name() < b.name()));
    }

    #[test]
    fn the_manual_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
        if std::env::var_os("FLOW_BLESS").is_some_and(|bless| bless == "1") {
            std::fs::write(path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == markdown(), "docs/errors.md is stale: run the tests with FLOW_BLESS=1");
    }
}
