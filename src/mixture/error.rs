//! What can be wrong with a mixture or the file that holds one, and what to do about it.

use std::path::PathBuf;

use thiserror::Error;

use super::Mixture;

/// Why a mixture, a world file or a point cloud was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MixtureError {
    /// Nothing to draw from.
    #[error("a world needs at least one mode: add one")]
    NoModes,
    /// More modes than the app computes with.
    #[error("{count} modes are more than the limit of {limit}: leave some out", limit = Mixture::MAX_MODES)]
    TooManyModes {
        /// Modes that were given.
        count: usize,
    },
    /// One mode is unusable.
    #[error("mode {} (counting from 1): {problem}", index + 1)]
    Mode {
        /// Which one, counting from 0.
        index: usize,
        /// What is wrong with it.
        problem: ModeProblem,
    },
    /// An edit names a mode that is not there.
    #[error("there is no mode {} (counting from 1): the world has {count}", index + 1)]
    NoSuchMode {
        /// The mode that was named, counting from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The width of a point cloud's Gaussians is unusable.
    #[error("a bandwidth of {0} cannot be used: give a standard deviation between {min} and {max} world units",
        min = Mixture::MIN_SD, max = Mixture::MAX_SD)]
    Bandwidth(f64),
    /// Neither a preset nor a file.
    #[error(
        "there is no world called \"{given}\": use one of {presets}, or the path of a .ron or .csv file"
    )]
    UnknownWorld {
        /// What was asked for.
        given: String,
        /// Names of the presets.
        presets: String,
    },
    /// Not RON, or not a world.
    #[error("line and column {}: {}{}", .0.span, shortened(&.0.code.to_string(), 400), layout_hint(&.0.code))]
    Ron(Box<ron::error::SpannedError>),
    /// The operating system refused.
    #[error("cannot read it: {0}")]
    Io(#[from] std::io::Error),
    /// A folder, a device or a pipe.
    #[error("this is not a regular file: give the path of a file")]
    NotAFile,
    /// Larger than any real world file.
    #[error("{bytes} bytes are more than the limit of {limit} for this kind of file")]
    TooLarge {
        /// Size on disk.
        bytes: u64,
        /// Largest size that is read.
        limit: u64,
    },
    /// A point cloud without points.
    #[error("there are no points in it: give one line `x,y` or `x,y,w` for each point")]
    NoPoints,
    /// A point cloud with more points than modes are allowed.
    #[error("{rows} rows are more than the limit of {limit} points: take a random subset", limit = Mixture::MAX_MODES)]
    TooManyRows {
        /// Rows in the file.
        rows: usize,
    },
    /// A line of a point cloud is unusable.
    #[error("line {line}: {problem}")]
    Row {
        /// Line of the file, counting from 1.
        line: u64,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// Any of the above, in a file.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<MixtureError>,
    },
}

impl MixtureError {
    /// Adds the path of the file at fault.
    pub(super) fn in_file(self, path: &std::path::Path) -> Self {
        Self::InFile {
            path: path.to_owned(),
            source: Box::new(self),
        }
    }
}

/// Text that reads but holds an unusable mixture has said so already; anything else is helped by an example.
fn layout_hint(code: &ron::Error) -> &'static str {
    match code {
        ron::Error::Message(_) => "",
        _ => " (this is not a world file: any world saved by Foresight shows the layout)",
    }
}

/// What is wrong with one mode.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModeProblem {
    /// Zero, negative or not finite.
    #[error("its weight is {0}: give a number above 0, or remove the mode")]
    Weight(f64),
    /// Not finite, or far outside what f32 draws can show.
    #[error("its mean ({0}, {1}) is not within {limit} world units of the origin: move it", limit = Mixture::MAX_COORDINATE)]
    Mean(f64, f64),
    /// An entry is infinite or not a number.
    #[error("its covariance is not finite: give three finite numbers")]
    CovarianceNotFinite,
    /// Not positive definite.
    #[error(
        "its covariance is singular or not positive definite (xx {xx}, xy {xy}, yy {yy}): \
         make xx and yy positive and xy smaller than sqrt(xx * yy)"
    )]
    Singular {
        /// The covariance as given.
        xx: f64,
        /// The covariance as given.
        xy: f64,
        /// The covariance as given.
        yy: f64,
    },
    /// An axis is too short or too long.
    #[error("its axes have standard deviations {major} and {minor}: keep them between {min} and {max}",
        min = Mixture::MIN_SD, max = Mixture::MAX_SD)]
    Axes {
        /// Standard deviation along the major axis.
        major: f64,
        /// Standard deviation along the minor axis.
        minor: f64,
    },
    /// One axis is so much longer that digits are lost.
    #[error("one axis is {ratio:.0} times as long as the other: keep the ratio below {limit}", limit = Mixture::MAX_AXIS_RATIO)]
    Stretched {
        /// Major over minor standard deviation.
        ratio: f64,
    },
}

/// What is wrong with one line of a point cloud.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum RowProblem {
    /// Not two or three columns.
    #[error("{0} columns: each line holds `x,y` or `x,y,w`")]
    Columns(usize),
    /// The first line names other columns.
    #[error("the header is \"{0}\": it must be `x,y` or `x,y,w`, or be left out")]
    Header(String),
    /// Text where a number belongs.
    #[error("\"{0}\" is not a number")]
    NotANumber(String),
    /// Infinite, not a number, or far out.
    #[error("the coordinate {0} cannot be used: it must be within {limit} of 0", limit = Mixture::MAX_COORDINATE)]
    Coordinate(f64),
    /// Zero, negative or not finite.
    #[error(
        "the weight {0} cannot be used: it must be above 0 and finite; remove the line to leave the point out"
    )]
    Weight(f64),
    /// The reader lost track of the lines.
    #[error("it cannot be read as comma-separated values: {0}")]
    Csv(String),
}

/// Messages show what was found, not a megabyte of it: the beginning and the end of a text of more than `most` letters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let letters = text.chars().count();
    if letters <= most {
        return text.to_owned();
    }
    let (start, end) = (most - most / 4, most / 4);
    text.chars()
        .take(start)
        .chain(['…'])
        .chain(text.chars().skip(letters - end))
        .collect()
}
