//! Rewards of pictures as text: `class:3@5 + thickness@2 - brightness@0.5`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::prompt::words;
use super::{PictureRewardError, PictureTerm, Prompt};

/// A term, how strong it is, and which way.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedTerm {
    /// What it looks at.
    pub term: PictureTerm,
    /// `lambda`, 0 or more.
    pub strength: f64,
    /// Whether less of it is better.
    pub negated: bool,
}

impl WeightedTerm {
    /// A term at strength 1.
    pub fn new(term: PictureTerm) -> Self {
        Self {
            term,
            strength: 1.0,
            negated: false,
        }
    }

    /// What the term is multiplied with.
    pub fn weight(&self) -> f64 {
        if self.negated {
            -self.strength
        } else {
            self.strength
        }
    }
}

/// Without its sign: `class:3@5`.
impl fmt::Display for WeightedTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.term.kind().name)?;
        if let Some(prompt) = self.term.prompt() {
            write!(f, "({prompt})")?;
        }
        if let Some(argument) = self.term.argument() {
            write!(f, ":{argument}")?;
        }
        if self.strength == 1.0 {
            Ok(())
        } else {
            write!(f, "@{}", self.strength)
        }
    }
}

/// A weighted sum of terms, the strengths inside. Without terms it is 0 for every picture, `none` as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PictureReward {
    terms: Vec<WeightedTerm>,
}

impl PictureReward {
    /// Most terms.
    pub const MAX_TERMS: usize = 16;
    /// The strongest term.
    pub const MAX_STRENGTH: f64 = 1000.0;
    /// Longest text: the most terms, each with the longest prompt, every letter of it a quote.
    const MAX_TEXT: usize = Self::MAX_TERMS * (2 * Prompt::MAX_BYTES + 50);
    /// The text of a reward without terms.
    const NONE: &'static str = "none";

    /// Checks every term.
    ///
    /// # Errors
    /// When there are too many, or a strength is below 0, too large or no number.
    pub fn new(terms: Vec<WeightedTerm>) -> Result<Self, PictureRewardError> {
        if terms.len() > Self::MAX_TERMS {
            return Err(PictureRewardError::TooManyTerms(terms.len()));
        }
        let wrong = |term: &&WeightedTerm| !(0.0..=Self::MAX_STRENGTH).contains(&term.strength);
        if let Some(term) = terms.iter().find(wrong) {
            return Err(PictureRewardError::Strength {
                term: term.term.to_string(),
                strength: term.strength,
            });
        }
        Ok(Self { terms })
    }

    /// The terms, in order.
    pub fn terms(&self) -> &[WeightedTerm] {
        &self.terms
    }

    /// Whether nothing is rewarded.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The same reward with every strength multiplied.
    ///
    /// # Errors
    /// When a strength leaves what is allowed.
    pub fn times(&self, factor: f64) -> Result<Self, PictureRewardError> {
        let times = |term: &WeightedTerm| WeightedTerm {
            strength: term.strength * factor,
            ..term.clone()
        };
        Self::new(self.terms.iter().map(times).collect())
    }

    /// The first term without a gradient, if there is one.
    pub fn without_gradient(&self) -> Option<&PictureTerm> {
        let mut terms = self.terms.iter().map(|term| &term.term);
        terms.find(|term| !term.kind().gradient)
    }
}

impl fmt::Display for PictureTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WeightedTerm::new(self.clone()).fmt(f)
    }
}

impl fmt::Display for PictureReward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(Self::NONE);
        }
        for (index, term) in self.terms.iter().enumerate() {
            f.write_str(match (index, term.negated) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            })?;
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for PictureReward {
    type Err = PictureRewardError;

    fn from_str(text: &str) -> Result<Self, PictureRewardError> {
        let wrong = |problem: String| PictureRewardError::Text {
            text: PictureRewardError::shortened(text),
            problem,
        };
        if text.len() > Self::MAX_TEXT {
            return Err(wrong(format!("more than {} bytes", Self::MAX_TEXT)));
        }
        if text.trim() == Self::NONE {
            return Ok(Self::default());
        }
        // Names may hold a minus: a sign stands alone between two terms, or at the beginning of one.
        let mut terms = Vec::new();
        let mut sign = Some(false);
        for word in words(text).map_err(wrong)? {
            let (signed, word) = match word.strip_prefix(['+', '-']) {
                Some(rest) => (Some(word.starts_with('-')), rest),
                None => (None, word),
            };
            if let Some(negated) = signed {
                if sign.is_some() && !terms.is_empty() {
                    return Err(wrong("two signs follow one another".into()));
                }
                sign = Some(negated);
            }
            if word.is_empty() {
                continue;
            }
            let Some(negated) = sign.take() else {
                let word = PictureRewardError::shortened(word);
                return Err(wrong(format!("there is no + or - before '{word}'")));
            };
            terms.push(term(word, negated).map_err(wrong)?);
        }
        if terms.is_empty() {
            return Err(wrong("it has no term".into()));
        }
        if sign.is_some() {
            return Err(wrong("nothing follows the last sign".into()));
        }
        Self::new(terms)
    }
}

/// `name`, `name:argument`, `name("prompt")`, each with `@strength` or without.
fn term(word: &str, negated: bool) -> Result<WeightedTerm, String> {
    let end = word.find(['(', ':', '@']).unwrap_or(word.len());
    if word[end..].starts_with('(') {
        let (prompt, rest) = Prompt::read(&word[end..])?;
        let term = PictureTerm::prompted(&word[..end], prompt)?;
        let strength = match rest.strip_prefix('@') {
            Some(number) => strength(number)?,
            None if rest.is_empty() => 1.0,
            None => {
                let rest = PictureRewardError::shortened(rest);
                return Err(format!("'{rest}' follows the bracket"));
            }
        };
        return Ok(WeightedTerm {
            term,
            strength,
            negated,
        });
    }
    let (named, strength) = match word.rsplit_once('@') {
        Some((named, number)) => (named, strength(number)?),
        None => (word, 1.0),
    };
    let (name, argument) = match named.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (named, None),
    };
    Ok(WeightedTerm {
        term: PictureTerm::new(name, argument)?,
        strength,
        negated,
    })
}

fn strength(number: &str) -> Result<f64, String> {
    let finite = number.parse::<f64>().ok().filter(|v| v.is_finite());
    finite.ok_or_else(|| {
        let number = PictureRewardError::shortened(number);
        format!("'{number}' is no finite strength")
    })
}

impl TryFrom<String> for PictureReward {
    type Error = PictureRewardError;

    fn try_from(text: String) -> Result<Self, PictureRewardError> {
        text.parse()
    }
}

impl From<PictureReward> for String {
    fn from(reward: PictureReward) -> Self {
        reward.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reward::picture::PictureKind;

    #[test]
    fn every_reward_reads_back_what_it_prints() {
        for text in [
            "none",
            "brightness",
            "-brightness@0.5",
            "class:3@5 + thickness@2 - brightness@0.5",
            "class:0 - class:9@0.001 + thickness@0",
            "similar:2@3 - hard-thickness + palette:ff8800,00102a@0.5",
        ] {
            let reward: PictureReward = text.parse().unwrap();
            assert_eq!(reward.to_string(), text);
            let ron = ron::to_string(&reward).unwrap();
            assert_eq!(ron::from_str::<PictureReward>(&ron).unwrap(), reward);
        }
        let loose: PictureReward = "  - brightness@1e-1 +thickness".parse().unwrap();
        assert_eq!(loose.to_string(), "-brightness@0.1 + thickness");
        assert_eq!(loose.terms()[0].weight(), -0.1);
        let named: PictureReward = "imagenet:golden-retriever@2 - brisque".parse().unwrap();
        assert_eq!(named.to_string(), "imagenet:207@2 - brisque");
    }

    #[test]
    fn a_wrong_reward_is_refused_with_the_reason() {
        let many = vec!["brightness"; 17].join(" + ");
        for (text, hint) in [
            ("", "it has no term"),
            ("cup", "no reward named 'cup'"),
            ("class:x", "'x' is no class"),
            ("class:-1", "'-1' is no class"),
            ("imagenet:golden", "'golden' is no class of ImageNet"),
            ("imagenet:1000", "give a number below 1000"),
            ("brightness:3", "takes nothing"),
            ("similar:0", "'0' is no reference picture"),
            ("palette:ff88", "'ff88' is no colour"),
            ("palette:ff88gg", "is no colour"),
            ("palette:", "'' is no colour"),
            ("brightness@x", "'x' is no finite strength"),
            ("brightness@-1", "is -1: give a number between 0"),
            ("brightness@nan", "no finite strength"),
            ("brightness@1001", "is 1001"),
            ("brightness thickness", "no + or - before 'thickness'"),
            ("brightness +", "nothing follows"),
            ("brightness + - thickness", "two signs"),
            (many.as_str(), "17 terms"),
        ] {
            let message = text.parse::<PictureReward>().unwrap_err().to_string();
            assert!(message.contains(hint), "{text}: {message}");
        }
        let long = "brightness + ".repeat(100_000);
        let message = long.parse::<PictureReward>().unwrap_err().to_string();
        assert!(message.len() < 400, "{message}");
    }

    #[test]
    fn every_kind_has_a_term_that_reads_back_and_a_line_about_it() {
        for (index, kind) in PictureKind::ALL.iter().enumerate() {
            let text = WeightedTerm::new(kind.usual()).to_string();
            let back: PictureReward = text.parse().unwrap();
            assert_eq!(back.terms()[0].term.kind().name, kind.name);
            assert!(kind.what.len() > 8 && kind.unit.len() > 8, "{}", kind.name);
            let before = &PictureKind::ALL[..index];
            assert!(before.iter().all(|other| other.name != kind.name));
        }
    }

    #[test]
    fn strengths_are_multiplied_together() {
        let reward: PictureReward = "class:3@5 - brightness@0.5".parse().unwrap();
        let twice = reward.times(2.0).unwrap();
        assert_eq!(twice.to_string(), "class:3@10 - brightness");
        assert!(reward.times(-1.0).is_err());
        assert!(reward.times(1e3).is_err());
    }
}
