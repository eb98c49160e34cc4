//! The scanner's complaints, sorted by what the writer of the file did.

/// What was done wrong, as far as the scanner can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint {
    /// A tab where indentation is expected.
    Tab,
    /// A quote that is not closed.
    Unclosed,
    /// `\d` in double quotes.
    Escape,
    /// Text behind a closing quote.
    AfterQuote,
    /// `]` or `}` that closes nothing.
    Bracket,
    /// Something wrong within brackets.
    InBrackets,
    /// Brackets in brackets in brackets.
    TooDeep,
    /// A second colon, a missing one above, or a line too deep.
    Colon,
    /// A word without a colon.
    NoColon,
    /// Indentation that fits nothing, or a list item among keys.
    Indentation,
    /// A key among list items.
    KeyInList,
    /// Text behind `|` or `>`.
    Block,
    /// `- x` behind a key.
    ItemOnLine,
    /// A value that begins with a character that means something.
    Special,
    /// `!tag`.
    Tag,
    /// A character that nobody can see.
    Invisible,
    /// Anything else.
    Other,
}

const COMPLAINTS: &[(&str, Complaint)] = &[
    ("recursion limit", Complaint::TooDeep),
    ("tab", Complaint::Tab),
    ("trailing content after double-quoted", Complaint::AfterQuote),
    ("unknown escape", Complaint::Escape),
    ("hexadecimal", Complaint::Escape),
    ("escape code", Complaint::Escape),
    ("quoted scalar", Complaint::Unclosed),
    ("misplaced bracket", Complaint::Bracket),
    ("flow", Complaint::InBrackets),
    ("illegal placement of ':'", Complaint::InBrackets),
    ("mapping values are not allowed", Complaint::Colon),
    ("simple key expect", Complaint::NoColon),
    ("parsing a block mapping", Complaint::Indentation),
    ("parsing a block collection", Complaint::KeyInList),
    ("invalid indentation", Complaint::Indentation),
    ("block scalar", Complaint::Block),
    ("block sequence entries", Complaint::ItemOnLine),
    ("unprintable", Complaint::Invisible),
    ("byte order mark", Complaint::Invisible),
    ("tag", Complaint::Tag),
    ("TAG", Complaint::Tag),
    ("handle", Complaint::Tag),
    ("anchor", Complaint::Special),
    ("unexpected character", Complaint::Special),
    ("mapping keys are not allowed", Complaint::Special),
    ("must be followed by a valid YAML whitespace", Complaint::Special),
];

/// What the scanner means.
pub(super) fn complaint(info: &str) -> Complaint {
    let found = COMPLAINTS.iter().find(|(words, _)| {
        // `tab` must not be found in `table` and the like.
        *words != "tab" && info.contains(words)
            || *words == "tab" && info.split(|c: char| !c.is_alphabetic()).any(is_tab)
    });
    found.map_or(Complaint::Other, |&(_, complaint)| complaint)
}

fn is_tab(word: &str) -> bool {
    matches!(word, "tab" | "tabs")
}
