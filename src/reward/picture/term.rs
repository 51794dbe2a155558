//! What there is to reward in a picture, with a name and a line about each.

use super::PictureRewardError;

/// What a term looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureTerm {
    /// `ln p(class | x)` by a classifier of such pictures.
    Class(u32),
    /// Mean brightness.
    Brightness,
    /// Area of the light strokes over half the length of their outline.
    Thickness,
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

const KINDS: [PictureKind; 3] = [
    smooth(
        ["class", ":CLASS", "Class"],
        "how likely the classifier finds a class",
        "1 is a probability e times as large",
        Needs {
            judge: true,
            ..PLAIN
        },
    ),
    smooth(
        ["brightness", "", "Brightness"],
        "light rather than dark",
        "1 is a twentieth of the way from black to white, on average",
        PLAIN,
    ),
    smooth(
        ["thickness", "", "Stroke thickness"],
        "thick light strokes on dark",
        "1 is half a pixel of thickness",
        PLAIN,
    ),
];

impl PictureKind {
    /// All there are, in the order of lists.
    pub const ALL: &'static [PictureKind] = &KINDS;

    /// The kind of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|kind| kind.name == name)
    }

    /// A term of this kind with what is usual after its name.
    pub fn usual(&self) -> PictureTerm {
        // Every kind has a term: the table's own test says so.
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
        match name {
            "class" => number(argument.unwrap_or("0"), 0, "a class").map(Self::Class),
            "brightness" => plain(Self::Brightness),
            "thickness" => plain(Self::Thickness),
            _ => Err(format!(
                "there is no reward named '{}'",
                PictureRewardError::shortened(name)
            )),
        }
    }

    /// What it is called and what it needs.
    pub fn kind(&self) -> &'static PictureKind {
        let name = match self {
            Self::Class(_) => "class",
            Self::Brightness => "brightness",
            Self::Thickness => "thickness",
        };
        PictureKind::named(name).unwrap_or(&KINDS[0])
    }

    /// What stands after its colon, where something does.
    pub(super) fn argument(&self) -> Option<String> {
        match self {
            Self::Class(class) => Some(class.to_string()),
            _ => None,
        }
    }
}

fn number(text: &str, least: u32, what: &str) -> Result<u32, String> {
    text.parse().ok().filter(|n| *n >= least).ok_or_else(|| {
        format!(
            "'{}' is no {what}: give a whole number from {least}",
            PictureRewardError::shortened(text)
        )
    })
}
