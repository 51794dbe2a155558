//! Texts as the numbers of their pieces: OpenAI's byte-pair vocabulary, which every published CLIP has.

use std::fmt;
use std::sync::LazyLock;

use instant_clip_tokenizer::{Token, Tokenizer};

/// The longest text, in bytes. A tower reads some 75 pieces of it.
const MAX_TEXT_BYTES: usize = 4_096;

/// How a text is cleaned before it is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleaning {
    /// As in the transformers library: nothing but capitals and blanks. Accents that are written as characters of their
    /// own are not joined to their letters.
    HuggingFace,
    /// As in OpenCLIP: typographic quotes become straight, ligatures and wide letters plain, `&amp;` and its like what
    /// they stand for. Of what the library ftfy does beyond that nothing is done: texts whose bytes were read in a wrong
    /// encoding stay as they are.
    OpenClip,
}

/// The vocabulary, and the way of cutting. It is made once.
#[derive(Clone, Copy)]
pub struct ClipTokens(&'static Tokenizer);

impl fmt::Debug for ClipTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClipTokens")
    }
}

impl Default for ClipTokens {
    fn default() -> Self {
        static VOCABULARY: LazyLock<Tokenizer> = LazyLock::new(Tokenizer::new);
        Self(&VOCABULARY)
    }
}

impl ClipTokens {
    /// The numbers of a text's pieces between the two markers; what is beyond `most` in all is cut off.
    ///
    /// # Errors
    /// When the text is absurdly long.
    pub fn ids(self, text: &str, cleaning: Cleaning, most: usize) -> Result<Vec<u32>, String> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(format!(
                "the prompt has {} bytes, of which a text tower reads the first few hundred; {MAX_TEXT_BYTES} at most",
                text.len()
            ));
        }
        let mut tokens = vec![self.0.start_of_text()];
        match cleaning {
            Cleaning::HuggingFace => {
                // Letter by letter: a sigma at a word's end is one as any other.
                let lower: String = text.chars().flat_map(char::to_lowercase).collect();
                self.plain(&lower, &mut tokens);
            }
            Cleaning::OpenClip => self.0.encode(&cleaned(text), &mut tokens),
        }
        tokens.truncate(most.saturating_sub(1).max(1));
        tokens.push(self.0.end_of_text());
        Ok(tokens
            .into_iter()
            .map(|token| u32::from(token.to_u16()))
            .collect())
    }

    /// Pieces of a text in which OpenCLIP's markers are words as any others.
    fn plain(self, text: &str, tokens: &mut Vec<Token>) {
        let mut rest = text;
        let markers = ["<start_of_text>", "<end_of_text>"];
        // Between a sign and a letter every text is cut.
        while let Some(at) = markers.iter().filter_map(|marker| rest.find(marker)).min() {
            self.0.encode(&rest[..=at], tokens);
            rest = &rest[at + 1..];
        }
        self.0.encode(rest, tokens);
    }
}

/// A text as OpenCLIP cleans it; pieces do not depend on how many blanks there are.
fn cleaned(text: &str) -> String {
    // Once where there is no markup, as ftfy does, and twice again.
    let mut text = if text.contains('<') {
        text.to_owned()
    } else {
        unescaped(text)
    };
    text = text.chars().flat_map(plain_letters).collect();
    for _ in 0..2 {
        text = unescaped(&text);
    }
    text
}

/// A character without its typography.
fn plain_letters(c: char) -> impl Iterator<Item = char> {
    let (single, several): (Option<char>, &str) = match c {
        '\u{2018}'..='\u{201b}' | '\u{02bc}' => (Some('\''), ""),
        '\u{201c}'..='\u{201f}' => (Some('"'), ""),
        '\u{fb00}' => (None, "ff"),
        '\u{fb01}' => (None, "fi"),
        '\u{fb02}' => (None, "fl"),
        '\u{fb03}' => (None, "ffi"),
        '\u{fb04}' => (None, "ffl"),
        '\u{fb05}' => (None, "\u{17f}t"),
        '\u{fb06}' => (None, "st"),
        '\u{132}' => (None, "IJ"),
        '\u{133}' => (None, "ij"),
        '\u{3000}' => (Some(' '), ""),
        // The wide forms of ASCII lie in its order.
        '\u{ff01}'..='\u{ff5e}' => (char::from_u32(c as u32 - 0xfee0), ""),
        _ => (Some(c), ""),
    };
    single.into_iter().chain(several.chars())
}

/// A text with the entities of HTML that people meet replaced by what they stand for.
fn unescaped(text: &str) -> String {
    const NAMED: [(&str, char); 11] = [
        ("amp", '&'),
        ("AMP", '&'),
        ("lt", '<'),
        ("LT", '<'),
        ("gt", '>'),
        ("GT", '>'),
        ("quot", '"'),
        ("QUOT", '"'),
        ("apos", '\''),
        ("nbsp", '\u{a0}'),
        ("hellip", '\u{2026}'),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let found = after.split_once(';').and_then(|(name, after)| {
            let number = match name.strip_prefix('#') {
                Some(hex) if hex.starts_with(['x', 'X']) => u32::from_str_radix(&hex[1..], 16).ok(),
                Some(decimal) => decimal.parse().ok(),
                None => None,
            };
            let named = NAMED.iter().find(|(known, _)| *known == name);
            let c = number.and_then(char::from_u32).filter(|c| !c.is_control());
            Some((c.or(named.map(|(_, c)| *c))?, after))
        });
        if let Some((c, after)) = found {
            out.push(c);
            rest = after;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}
