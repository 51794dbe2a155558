//! What there is to reward in a picture.

use super::{PictureKind, PictureRewardError, Prompt};
use crate::model::{IMAGENET_CLASSES, PromptScoreKind, imagenet_class_of as class_of};
use crate::reward::nearest::no_reward_named;

/// What a term looks at. Numbers of reference pictures count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureTerm {
    /// `ln p(class | x)` by a classifier of such pictures.
    Class(u32),
    /// Cosine of the classifier's features of the picture and of a reference.
    Similar(u32),
    /// Minus the mean squared difference from a reference where its mask leaves nothing free.
    Masked(u32),
    /// The same of both pictures blurred.
    Blurred(u32),
    /// The same of both pictures in blocks of 4 x 4 pixels.
    Downsampled(u32),
    /// The same of both pictures without their colours.
    Grey(u32),
    /// Mean brightness.
    Brightness,
    /// Standard deviation of the brightness.
    Contrast,
    /// Mean distance of the pixels from grey.
    Saturation,
    /// Colourfulness of Hasler and Suesstrunk (2003).
    Colourfulness,
    /// Mean of red minus blue.
    Warmth,
    /// Minus the mean squared distance of the pixels from the nearest of some colours.
    Palette(Vec<[u8; 3]>),
    /// Root mean square of the Laplacian.
    Sharpness,
    /// Correlation of the picture with its mirror image.
    Symmetry,
    /// Share of the picture that is an edge.
    Edges,
    /// Area of the light strokes over half the length of their outline.
    Thickness,
    /// Thickness by the distance to the nearest dark pixel.
    HardThickness,
    /// `ln p(class | x)` of one of ImageNet's classes.
    ImageNet(u32),
    /// Cosine of that network's features of the picture and of a reference.
    ImageNetSimilar(u32),
    /// LAION's aesthetic score.
    Aesthetic,
    /// How well it goes with a prompt.
    Prompt(PromptScoreKind, Prompt),
    /// The same by ImageReward.
    ImageReward(Prompt),
    /// Minus BRISQUE, by which photos look distorted.
    Brisque,
    /// Number of light parts that do not touch.
    Parts,
    /// Number of dark parts that are closed in.
    Holes,
    /// Size as a PNG.
    Bytes,
}

/// Most colours of a palette.
pub(super) const MOST_COLOURS: usize = 16;

impl PictureTerm {
    /// The term of a name and of what stands after its colon.
    pub(super) fn new(name: &str, argument: Option<&str>) -> Result<Self, String> {
        let plain = |term| match argument {
            None => Ok(term),
            Some(_) => Err(format!("'{name}' takes nothing after its name")),
        };
        let reference = || number(argument.unwrap_or("1"), 1, "reference picture");
        match name {
            "class" => number(argument.unwrap_or("0"), 0, "class").map(Self::Class),
            "similar" => reference().map(Self::Similar),
            "masked" => reference().map(Self::Masked),
            "blurred" => reference().map(Self::Blurred),
            "downsampled" => reference().map(Self::Downsampled),
            "grey" => reference().map(Self::Grey),
            "brightness" => plain(Self::Brightness),
            "contrast" => plain(Self::Contrast),
            "saturation" => plain(Self::Saturation),
            "colourfulness" => plain(Self::Colourfulness),
            "warmth" => plain(Self::Warmth),
            "palette" => colours(argument.unwrap_or("f4b860,1d3557")).map(Self::Palette),
            "sharpness" => plain(Self::Sharpness),
            "symmetry" => plain(Self::Symmetry),
            "edges" => plain(Self::Edges),
            "thickness" => plain(Self::Thickness),
            "imagenet" => imagenet(argument.unwrap_or("207")).map(Self::ImageNet),
            "imagenet-similar" => reference().map(Self::ImageNetSimilar),
            "aesthetic" => plain(Self::Aesthetic),
            _ if prompted(name).is_some() => Err(format!(
                "'{name}' needs a prompt: write {name}(\"a red fox\")"
            )),
            "brisque" => plain(Self::Brisque),
            "hard-thickness" => plain(Self::HardThickness),
            "parts" => plain(Self::Parts),
            "holes" => plain(Self::Holes),
            "bytes" => plain(Self::Bytes),
            _ => Err(unknown(name)),
        }
    }

    /// The term of a name and of the prompt in its brackets.
    pub(super) fn prompted(name: &str, prompt: Prompt) -> Result<Self, String> {
        prompted(name)
            .map(|of| of(prompt))
            .ok_or_else(|| match PictureKind::named(name) {
                Some(kind) => format!("'{}' takes no prompt", kind.name),
                None => unknown(name),
            })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Class(_) => "class",
            Self::Similar(_) => "similar",
            Self::Masked(_) => "masked",
            Self::Blurred(_) => "blurred",
            Self::Downsampled(_) => "downsampled",
            Self::Grey(_) => "grey",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::Saturation => "saturation",
            Self::Colourfulness => "colourfulness",
            Self::Warmth => "warmth",
            Self::Palette(_) => "palette",
            Self::Sharpness => "sharpness",
            Self::Symmetry => "symmetry",
            Self::Edges => "edges",
            Self::Thickness => "thickness",
            Self::ImageNet(_) => "imagenet",
            Self::ImageNetSimilar(_) => "imagenet-similar",
            Self::Aesthetic => "aesthetic",
            Self::Prompt(PromptScoreKind::Clip, _) => "clip",
            Self::Prompt(PromptScoreKind::Pick, _) => "pickscore",
            Self::Prompt(PromptScoreKind::Hps, _) => "hps",
            Self::ImageReward(_) => "imagereward",
            Self::Brisque => "brisque",
            Self::HardThickness => "hard-thickness",
            Self::Parts => "parts",
            Self::Holes => "holes",
            Self::Bytes => "bytes",
        }
    }

    /// What it is called and what it needs.
    pub fn kind(&self) -> &'static PictureKind {
        // Every term has a kind: a test goes through them.
        PictureKind::named(self.name()).unwrap_or(&PictureKind::ALL[0])
    }

    /// What stands after its colon, where something does.
    pub(super) fn argument(&self) -> Option<String> {
        match self {
            Self::Palette(colours) => {
                let text = |[r, g, b]: &[u8; 3]| format!("{r:02x}{g:02x}{b:02x}");
                Some(colours.iter().map(text).collect::<Vec<_>>().join(","))
            }
            Self::Class(class) | Self::ImageNet(class) => Some(class.to_string()),
            _ => self.reference().map(|number| number.to_string()),
        }
    }

    /// The same compared with another reference picture; as it is where it is compared with none.
    #[must_use]
    pub fn with_reference(&self, number: u32) -> Self {
        match self {
            Self::Similar(_) => Self::Similar(number),
            Self::Masked(_) => Self::Masked(number),
            Self::Blurred(_) => Self::Blurred(number),
            Self::Downsampled(_) => Self::Downsampled(number),
            Self::Grey(_) => Self::Grey(number),
            Self::ImageNetSimilar(_) => Self::ImageNetSimilar(number),
            other => other.clone(),
        }
    }

    /// What the picture should show, where the term is about that.
    pub fn prompt(&self) -> Option<&Prompt> {
        match self {
            Self::Prompt(_, prompt) | Self::ImageReward(prompt) => Some(prompt),
            _ => None,
        }
    }

    /// The same of another prompt; as it is where it has none.
    #[must_use]
    pub fn with_prompt(&self, prompt: Prompt) -> Self {
        match self {
            Self::Prompt(judge, _) => Self::Prompt(*judge, prompt),
            Self::ImageReward(_) => Self::ImageReward(prompt),
            other => other.clone(),
        }
    }

    /// The reference picture that it is compared with, from 1.
    pub fn reference(&self) -> Option<u32> {
        match self {
            Self::Similar(n)
            | Self::Masked(n)
            | Self::Blurred(n)
            | Self::Downsampled(n)
            | Self::Grey(n)
            | Self::ImageNetSimilar(n) => Some(*n),
            _ => None,
        }
    }
}

/// What makes a term of a prompt, where a name is that of such a kind.
fn prompted(name: &str) -> Option<fn(Prompt) -> PictureTerm> {
    match name {
        "clip" => Some(|prompt| PictureTerm::Prompt(PromptScoreKind::Clip, prompt)),
        "pickscore" => Some(|prompt| PictureTerm::Prompt(PromptScoreKind::Pick, prompt)),
        "hps" => Some(|prompt| PictureTerm::Prompt(PromptScoreKind::Hps, prompt)),
        "imagereward" => Some(PictureTerm::ImageReward),
        _ => None,
    }
}

fn unknown(name: &str) -> String {
    let known = PictureKind::ALL.iter().map(|kind| kind.name);
    no_reward_named(name, &PictureRewardError::shortened(name), known)
}

fn imagenet(text: &str) -> Result<u32, String> {
    class_of(text).ok_or_else(|| {
        format!(
            "'{}' is no class of ImageNet: give a number below {IMAGENET_CLASSES}, or a name as in golden-retriever",
            PictureRewardError::shortened(text)
        )
    })
}

fn number(text: &str, least: u32, what: &str) -> Result<u32, String> {
    text.parse().ok().filter(|n| *n >= least).ok_or_else(|| {
        format!(
            "'{}' is no {what}: give a whole number from {least}",
            PictureRewardError::shortened(text)
        )
    })
}

/// `rrggbb`, some of them between commas.
fn colours(text: &str) -> Result<Vec<[u8; 3]>, String> {
    let colour = |text: &str| {
        let digits = text.len() == 6 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        let number = number.ok_or_else(|| {
            format!(
                "'{}' is no colour: give six hexadecimal digits, as in ff8800",
                PictureRewardError::shortened(text)
            )
        })?;
        let [_, r, g, b] = number.to_be_bytes();
        Ok([r, g, b])
    };
    let some = text.split(',').take(MOST_COLOURS + 1);
    let colours = some.map(colour).collect::<Result<Vec<_>, String>>()?;
    if colours.len() > MOST_COLOURS {
        return Err(format!("a palette has at most {MOST_COLOURS} colours"));
    }
    Ok(colours)
}
