//! The stable codes of all mistakes that a file can hold, each with its page.

use crate::diagnostic::Severity;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident $severity:ident $title:literal;)*) => {
        /// A stable code; its number never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)*
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
                match self { $(Self::$name => concat!($($doc, "\n"),+),)* }
            }

            /// Whether it is an error or a warning.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// The text is not YAML.
    F0101 Error "YAML syntax";
    /// x
    F0102 Error "x";
    /// x
    F0103 Error "x";
    /// x
    F0104 Error "x";
    /// x
    F0105 Error "x";
    /// x
    F0106 Error "x";
    /// x
    F0107 Error "x";
    /// x
    F0108 Error "x";
    /// x
    F0109 Error "x";
    /// x
    F0110 Error "x";
    /// x
    F0111 Error "x";
    /// x
    F0112 Error "x";
    /// x
    F0113 Error "x";
    /// x
    F0206 Error "x";
    /// x
    F0201 Error "x";
    /// x
    F0202 Error "x";
    /// x
    F0203 Error "x";
    /// x
    F0204 Error "x";
    /// x
    F0205 Error "x";
    /// x
    F0207 Error "x";
    /// x
    F0208 Error "x";
    /// x
    F0211 Error "x";
    /// x
    F0212 Error "x";
    /// x
    F0213 Error "x";
    /// x
    F0214 Error "x";
    /// x
    F0215 Error "x";
    /// x
    F0216 Error "x";
    /// x
    F0217 Error "x";
    /// x
    F0220 Error "x";
    /// x
    F0221 Error "x";
    /// x
    F0222 Error "x";
    /// x
    F0223 Error "x";
    /// x
    F0224 Error "x";
    /// x
    F0230 Error "x";
    /// x
    F0231 Error "x";
    /// x
    F0232 Error "x";
    /// x
    F0233 Error "x";
    /// x
    F0234 Error "x";
    /// x
    F0235 Error "x";
    /// x
    F0236 Error "x";
    /// x
    F0237 Error "x";
    /// x
    F0239 Error "x";
    /// x
    F0301 Error "x";
    /// x
    F0302 Error "x";
    /// x
    F0303 Error "x";
    /// x
    F0304 Error "x";
    /// x
    F0305 Error "x";
    /// x
    F0306 Error "x";
    /// x
    F0307 Error "x";
    /// x
    F0308 Error "x";
    /// x
    F0309 Error "x";
    /// x
    F0310 Error "x";
    /// x
    F0311 Error "x";
    /// x
    F0312 Warning "x";
    /// x
    F0401 Error "x";
    /// x
    F0402 Warning "x";
    /// x
    F0504 Error "x";
    /// A stage refuses the value of a setting.
    F0501 Error "setting refused by the stage";
    /// A file that a setting names cannot be read.
    F0502 Error "file cannot be read";
    /// A secret that this run needs is not set.
    F0503 Error "secret not set";
    /// Two nodes write the same file; the one that ends last would replace the work of the other.
    F0505 Error "file written twice";
    /// An entity schema has a key that means nothing there: it would be ignored, and the kind would
    /// find less than was meant. At the top stand `kinds`, `skip_speakers` and `title`.
    F0510 Error "unknown key in an entity schema";
    /// A value in an entity schema is of another type than its key wants, as a number for a
    /// description.
    F0511 Error "wrong value in an entity schema";
    /// A pattern in an entity schema is not a regular expression, or is too large.
    F0512 Error "pattern that is no regular expression";
    /// An entity schema, or a kind in it, holds nothing that could be found: there are no kinds, or
    /// the kind has neither cues nor patterns nor words and the model is `rules`.
    F0513 Error "nothing to find";
    /// Something stands twice in a list of an entity schema. The second one adds nothing; one of
    /// them is perhaps a slip.
    F0514 Error "listed twice in an entity schema";
    /// Names of kinds and fields become names of columns and tables: lower-case letters, digits and
    /// `_`, a letter first.
    F0515 Error "bad name in an entity schema";
}
