//! What there is to reward in a picture, with a name and a line about each.

use super::brisque::Brisque;
use super::{PictureRewardError, ScorerFile};
use crate::model::{IMAGENET_CLASSES, imagenet_class_of as class_of};

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
    /// Minus BRISQUE, by which photos look distorted.
    Brisque,
    /// Number of light parts that do not touch.
    Parts,
    /// Number of dark parts that are closed in.
    Holes,
    /// Size as a PNG.
    Bytes,
}

/// What a term needs beside the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// A classifier of such pictures.
    pub judge: bool,
    /// A reference picture.
    pub reference: bool,
    /// A mask of the reference picture.
    pub mask: bool,
    /// Pictures in colour.
    pub colour: bool,
    /// Files that others publish.
    pub files: &'static [ScorerFile],
    /// The least height and width of pictures; 0 where it does not matter.
    pub side: usize,
}

/// A kind of term: what lists are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureKind {
    /// In text: `class`.
    pub name: &'static str,
    /// What follows its name in text: `:CLASS`, or nothing.
    pub argument: &'static str,
    /// On screen.
    pub title: &'static str,
    /// What it rewards, in one line.
    pub what: &'static str,
    /// What 1 is, at strength 1.
    pub unit: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Whether it has a gradient: what has none can be searched with, not followed.
    pub gradient: bool,
}

const PLAIN: Needs = Needs {
    judge: false,
    reference: false,
    mask: false,
    colour: false,
    files: &[],
    side: 0,
};
const JUDGE: Needs = Needs {
    judge: true,
    ..PLAIN
};
const REFERENCE: Needs = Needs {
    reference: true,
    ..PLAIN
};
const COLOUR: Needs = Needs {
    colour: true,
    ..PLAIN
};

const IMAGENET: Needs = Needs {
    files: &[ScorerFile::EfficientNet],
    ..PLAIN
};

/// A kind with a gradient.
const fn smooth(
    [name, argument, title]: [&'static str; 3],
    what: &'static str,
    unit: &'static str,
    needs: Needs,
) -> PictureKind {
    PictureKind {
        name,
        argument,
        title,
        what,
        unit,
        needs,
        gradient: true,
    }
}

/// A kind that is only counted.
const fn counted(
    [name, title]: [&'static str; 2],
    what: &'static str,
    unit: &'static str,
) -> PictureKind {
    PictureKind {
        gradient: false,
        ..smooth([name, "", title], what, unit, PLAIN)
    }
}

/// Units are chosen so that strength 1 is gentle and 5 strong: over digits or photos a term at strength 1 has a standard
/// deviation of about 1 (measured on MNIST and CIFAR-10), but for the class, whose unit is given.
const KINDS: &[PictureKind] = &[
    smooth(
        ["class", ":CLASS", "Class"],
        "How likely the classifier finds a class.",
        "1 is a probability e times as large",
        JUDGE,
    ),
    smooth(
        ["similar", ":REFERENCE", "Similar to a picture"],
        "How alike it is to a reference picture in the classifier's features, by their cosine.",
        "1 is a cosine of 0.25",
        Needs {
            judge: true,
            ..REFERENCE
        },
    ),
    smooth(
        ["masked", ":REFERENCE", "Keep a part"],
        "As a reference picture wherever its mask leaves nothing free: inpainting.",
        "1 is a mean squared difference of 0.02, white being 1",
        Needs {
            mask: true,
            ..REFERENCE
        },
    ),
    smooth(
        ["blurred", ":REFERENCE", "Match blurred"],
        "As a reference picture when both are blurred over a fourteenth of their side.",
        "1 is a mean squared difference of 0.01, white being 1",
        REFERENCE,
    ),
    smooth(
        ["downsampled", ":REFERENCE", "Match downsampled"],
        "As a reference picture when both are seen in blocks of 4 x 4 pixels.",
        "1 is a mean squared difference of 0.01, white being 1",
        REFERENCE,
    ),
    smooth(
        ["grey", ":REFERENCE", "Match in grey"],
        "As bright as a reference picture everywhere, in whatever colours.",
        "1 is a mean squared difference of 0.02, white being 1",
        Needs {
            colour: true,
            ..REFERENCE
        },
    ),
    smooth(
        ["brightness", "", "Brightness"],
        "Light rather than dark, on average.",
        "1 is a twentieth of the way from black to white",
        PLAIN,
    ),
    smooth(
        ["contrast", "", "Contrast"],
        "Both light and dark: the standard deviation of the brightness.",
        "1 is a twentieth of the way from black to white",
        PLAIN,
    ),
    smooth(
        ["saturation", "", "Saturation"],
        "Pixels far from grey.",
        "1 is a channel's deviation of a twentieth from its pixel's mean",
        COLOUR,
    ),
    smooth(
        ["colourfulness", "", "Colourfulness"],
        "Many and strong colours, as people judge it (Hasler and Suesstrunk, 2003).",
        "1 is 15 of their scale, on which 15 is slight and 82 high",
        COLOUR,
    ),
    smooth(
        ["warmth", "", "Warmth"],
        "Red rather than blue.",
        "1 is a tenth of the way from blue to red",
        COLOUR,
    ),
    smooth(
        ["palette", ":RRGGBB,RRGGBB,...", "Palette"],
        "Pixels near the nearest of some colours.",
        "1 is a mean squared distance of 0.04, white being 1",
        COLOUR,
    ),
    smooth(
        ["sharpness", "", "Sharpness"],
        "Sudden changes: the root mean square of the Laplacian.",
        "1 is a twentieth of the way from black to white",
        PLAIN,
    ),
    smooth(
        ["symmetry", "", "Symmetry"],
        "Left as right: the correlation with the mirror image.",
        "1 is a correlation of 0.2",
        PLAIN,
    ),
    smooth(
        ["edges", "", "Edges"],
        "Much of the picture being an edge.",
        "1 is a twentieth of the picture",
        PLAIN,
    ),
    smooth(
        ["thickness", "", "Stroke thickness"],
        "Thick light strokes on dark: twice their area over the length of their outline.",
        "1 is half a pixel",
        PLAIN,
    ),
    smooth(
        ["imagenet", ":CLASS", "ImageNet"],
        "How likely EfficientNet-lite0 finds one of ImageNet's 1,000 classes.",
        "1 is a probability e times as large",
        IMAGENET,
    ),
    smooth(
        ["imagenet-similar", ":REFERENCE", "Similar by ImageNet"],
        "How alike it is to a reference picture in EfficientNet-lite0's features, by their cosine.",
        "1 is a cosine of 0.25",
        Needs {
            reference: true,
            ..IMAGENET
        },
    ),
    smooth(
        ["aesthetic", "", "Aesthetic (LAION)"],
        "How much people liked pictures like it: LAION's aesthetic predictor V2 over CLIP ViT-L/14.",
        "1 is half a point of its scale from 1 to 10",
        Needs {
            files: &[ScorerFile::ClipLarge, ScorerFile::AestheticHead],
            ..PLAIN
        },
    ),
    smooth(
        ["brisque", "", "Undistorted (BRISQUE)"],
        "As photos without blur, noise or blocks: statistics of neighbouring pixels (BRISQUE, 2012).",
        "1 is 40 of its scale, on which 0 is best and 100 bad",
        Needs {
            files: &[ScorerFile::Brisque],
            side: Brisque::LEAST_SIDE,
            ..PLAIN
        },
    ),
    counted(
        ["hard-thickness", "Counted thickness"],
        "Thick light strokes on dark: how far their pixels are from the dark.",
        "1 is half a pixel",
    ),
    counted(
        ["parts", "Parts"],
        "Light parts that do not touch each other.",
        "1 is one part",
    ),
    counted(
        ["holes", "Holes"],
        "Dark parts that light ones close in.",
        "1 is one hole",
    ),
    counted(
        ["bytes", "Detail"],
        "What cannot be compressed: the size as a PNG.",
        "1 is a quarter of a bit for each pixel",
    ),
];

/// Most colours of a palette.
pub(super) const MOST_COLOURS: usize = 16;

impl PictureKind {
    /// All there are, in the order of lists.
    pub const ALL: &'static [PictureKind] = KINDS;

    /// The kind of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|kind| kind.name == name)
    }

    /// A term of this kind with what is usual after its name.
    pub fn usual(&self) -> PictureTerm {
        // Every kind has a term: a test goes through them.
        PictureTerm::new(self.name, None).unwrap_or(PictureTerm::Brightness)
    }
}

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
            "brisque" => plain(Self::Brisque),
            "hard-thickness" => plain(Self::HardThickness),
            "parts" => plain(Self::Parts),
            "holes" => plain(Self::Holes),
            "bytes" => plain(Self::Bytes),
            _ => Err(format!(
                "there is no reward named '{}'",
                PictureRewardError::shortened(name)
            )),
        }
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
        PictureKind::named(self.name()).unwrap_or(&KINDS[0])
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
