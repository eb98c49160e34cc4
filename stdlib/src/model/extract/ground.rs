//! Finding a quote in the text that it is said to come from.

/// A text in which quotes are looked for.
pub(super) struct Ground<'a> {
    text: &'a str,
    /// The text as it is compared: made when a quote is not there to the letter.
    loose: Option<Loose>,
}

/// A text in which only words and signs count: lower case, no accents, one space between words.
struct Loose {
    text: String,
    /// For each byte, where its character begins and ends in the original.
    origin: Vec<(u32, u32)>,
}

impl<'a> Ground<'a> {
    /// Looks in this text.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, loose: None }
    }

    /// Where a quote stands, in characters, and the words that stand there: to the letter, or else
    /// whatever the case, accents, kind of quotes and white space.
    pub(super) fn find(&mut self, quote: &str) -> Option<((usize, usize), String)> {
        let (start, end) = match self.text.find(quote) {
            Some(start) => (start, start + quote.len()),
            None => self.find_loosely(quote)?,
        };
        let first = self.text[..start].chars().count();
        let words = &self.text[start..end];
        Some(((first, first + words.chars().count()), words.to_owned()))
    }

    fn find_loosely(&mut self, quote: &str) -> Option<(usize, usize)> {
        let wanted = Loose::new(quote);
        let outer = |c: char| c == ' ' || c == '"' || c == '\'' || c == '.' || c == '…';
        let wanted = wanted.text.trim_matches(outer);
        let loose = self.loose.get_or_insert_with(|| Loose::new(self.text));
        let start = loose.text.find(wanted).filter(|_| !wanted.is_empty())?;
        let first = loose.origin.get(start)?.0;
        let last = loose.origin.get(start + wanted.len() - 1)?.1;
        Some((first as usize, last as usize))
    }
}

impl Loose {
    fn new(original: &str) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut origin = Vec::with_capacity(original.len());
        for (at, letter) in original.char_indices() {
            let key = crate::model::plain::key(letter.encode_utf8(&mut [0; 4]));
            if key.trim().is_empty() {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            } else {
                text.push_str(&key);
            }
            let small = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
            origin.resize(text.len(), (small(at), small(at + letter.len_utf8())));
        }
        Self { text, origin }
    }
}
