//! What a picture should show, in words, and how that is written inside a reward: `clip("a red fox")`.

use std::fmt;

/// A prompt of at least one word: single blanks between its words, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt(String);

impl Prompt {
    /// The longest one. Towers of texts read some 75 pieces of words, a few hundred bytes.
    pub const MAX_BYTES: usize = 1_000;

    /// Takes a text; every run of blanks and new lines becomes one blank, as for every tokenizer.
    ///
    /// # Errors
    /// When it is empty, too long or holds control characters.
    pub fn new(text: &str) -> Result<Self, String> {
        // Before anything is made of it.
        if text.len() > Self::MAX_BYTES {
            return Err(format!(
                "the prompt has {} bytes; {} are the most, and a text tower reads only some 75 pieces of words",
                text.len(),
                Self::MAX_BYTES
            ));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            return Err("the prompt is empty: say what the picture should show".into());
        }
        if let Some(control) = text.chars().find(|c| c.is_control() && !c.is_whitespace()) {
            return Err(format!(
                "the prompt holds the control character U+{:04X}: take it out",
                u32::from(control)
            ));
        }
        Ok(Self(words.join(" ")))
    }

    /// What a new term begins with.
    pub fn usual() -> Self {
        Self("a red fox".to_owned())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Reads `("...")` or `('...')` at the beginning of a text; the prompt and what follows.
    pub(super) fn read(text: &str) -> Result<(Self, &str), String> {
        const HOW: &str = "write the prompt in quotes, as in (\"a red fox\")";
        let inside = text.strip_prefix('(').map_or("", str::trim_start);
        let quote = inside.chars().next().filter(|c| is_quote(*c)).ok_or(HOW)?;
        let mut prompt = String::new();
        // A quote is one byte.
        let mut letters = inside[1..].char_indices();
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                let rest = inside[1 + at + 1..].trim_start();
                let rest = rest.strip_prefix(')').ok_or(HOW)?;
                return Ok((Self::new(&prompt)?, rest));
            }
            prompt.push(match letter {
                '\\' => letters.next().ok_or(HOW)?.1,
                letter => letter,
            });
        }
        Err(HOW.into())
    }
}

/// In quotes, with a backslash before quotes and backslashes.
impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for letter in self.0.chars() {
            if matches!(letter, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{letter}")?;
        }
        f.write_str("\"")
    }
}

fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '\'')
}

/// The words of a reward: what stands between blanks, a bracket with all that is in it being part of its word.
pub(super) fn words(text: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    let mut from = None;
    let mut open = false;
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(end), letter) if letter == end => quote = None,
            (Some(_), _) => {}
            (None, letter) if open && is_quote(letter) => quote = Some(letter),
            (None, ')') => open = false,
            (None, letter) if letter.is_whitespace() && !open => {
                words.extend(from.take().map(|from| &text[from..at]));
                continue;
            }
            (None, letter) => open |= letter == '(',
        }
        from.get_or_insert(at);
    }
    if quote.is_some() {
        return Err("a quote is not closed".into());
    }
    if open {
        return Err("a bracket is not closed".into());
    }
    words.extend(from.map(|from| &text[from..]));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reward::picture::PictureReward;

    #[test]
    fn hostile_prompts_are_read_back_as_they_were() {
        for text in [
            "a red fox",
            "\"quoted\" and \\ back\\slashed\\",
            "ends with a backslash \\",
            "\"",
            "brackets ) ( \") + clip(\"x\")@3 - class:3",
            "a@5 - b@2 + (c)",
            "it's 'single'",
            "<|endoftext|> {} ${HOME} %s \u{202e} \u{1f98a} \u{e9}",
            "none",
        ] {
            let prompt = Prompt::new(text).unwrap();
            assert_eq!(prompt.text(), text);
            let reward = format!("class:3 - clip({prompt})@0.5 + hps({prompt})");
            let parsed: PictureReward = reward.parse().unwrap();
            assert_eq!(parsed.to_string(), reward);
            assert_eq!(parsed.terms()[1].term.prompt(), Some(&prompt));
            let ron = ron::to_string(&parsed).unwrap();
            assert_eq!(ron::from_str::<PictureReward>(&ron).unwrap(), parsed);
        }
        // The longest reward there is can be read back.
        let longest = Prompt::new(&"\"".repeat(Prompt::MAX_BYTES)).unwrap();
        let many = vec![format!("pickscore({longest})@0.123456789012345678"); 16].join(" + ");
        let parsed: PictureReward = many.parse().unwrap();
        assert_eq!(parsed.to_string().parse::<PictureReward>().unwrap(), parsed);
    }

    #[test]
    fn loose_forms_are_read_and_printed_in_one_way() {
        for (text, printed) in [
            (" - clip( 'a  red\n fox' )@2", "-clip(\"a red fox\")@2"),
            ("hps('a dog\\'s bone')", "hps(\"a dog's bone\")"),
            ("pickscore(\"a \\fox\")@1", "pickscore(\"a fox\")"),
        ] {
            let reward: PictureReward = text.parse().unwrap();
            assert_eq!(reward.to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_prompt_is_refused_with_the_reason() {
        let long = format!("clip(\"{}\")", "a".repeat(1_001));
        for (text, hint) in [
            ("clip", "'clip' needs a prompt: write clip(\"a red fox\")"),
            ("clip:fox", "needs a prompt"),
            ("clip@3", "needs a prompt"),
            ("clip(a red fox)", "in quotes"),
            ("clip()", "in quotes"),
            ("clip(\"a\" b)", "in quotes"),
            ("clip(\"\")", "the prompt is empty"),
            ("clip(\" \n\")", "the prompt is empty"),
            ("clip(\"a\u{1b}[2J\")", "control character U+001B"),
            ("clip(\"a\")x", "'x' follows the bracket"),
            ("clip(\"a\")@x", "'x' is no finite strength"),
            ("clip(\"a\") @2", "no + or - before '@2'"),
            ("clip(\"a", "a quote is not closed"),
            ("clip(\"a\\\")", "a quote is not closed"),
            ("clip(", "a bracket is not closed"),
            ("class(\"3\")", "'class' takes no prompt"),
            ("cup(\"3\")", "no reward named 'cup'"),
            (long.as_str(), "the prompt has 1001 bytes"),
        ] {
            let message = text.parse::<PictureReward>().unwrap_err().to_string();
            assert!(message.contains(hint), "{text}: {message}");
            assert!(message.len() < 500, "{message}");
        }
    }
}
