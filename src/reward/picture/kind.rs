//! The kinds of terms that there are: what lists are made of.

use super::brisque::Brisque;
use super::{PictureTerm, Prompt, ScorerFile};

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
    /// What follows its name in text: `:CLASS`, `("PROMPT")`, or nothing.
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

/// What follows the names of kinds that take one.
const PROMPT: &str = "(\"PROMPT\")";

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
/// deviation of about 1 (measured on MNIST and CIFAR-10), but for classes and scores of a prompt, whose units are given.
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
        ["clip", PROMPT, "CLIP score"],
        "How well it goes with a prompt: 100 times the cosine of CLIP ViT-L/14.",
        "1 is one point of its scale, a cosine of 0.01",
        Needs {
            files: &[ScorerFile::ClipLarge],
            ..PLAIN
        },
    ),
    smooth(
        ["pickscore", PROMPT, "PickScore"],
        "How often people would choose it for a prompt: a CLIP tuned on half a million choices (2023).",
        "1 is one point of its scale: chosen e times as often",
        Needs {
            files: &[ScorerFile::PickScore],
            ..PLAIN
        },
    ),
    smooth(
        ["hps", PROMPT, "HPSv2.1"],
        "How well people would like it for a prompt: a CLIP tuned on 798,090 choices (2023).",
        "1 is 0.01 of its scale, on which most pictures have 0.2 to 0.35",
        Needs {
            files: &[ScorerFile::Hps],
            ..PLAIN
        },
    ),
    smooth(
        ["imagereward", PROMPT, "ImageReward"],
        "How well people would like it for a prompt: a BLIP tuned on 137,000 comparisons (2023).",
        "1 is one standard deviation of its authors' pictures",
        Needs {
            files: &[ScorerFile::ImageReward],
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
        let prompted = PictureTerm::prompted(self.name, Prompt::usual());
        prompted
            .or_else(|_| PictureTerm::new(self.name, None))
            .unwrap_or(PictureTerm::Brightness)
    }
}
