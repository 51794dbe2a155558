//! What the panels of 2D worlds show, how time runs, and what the whole window is set to.

use serde::{Deserialize, Serialize};

/// Where `x_t` was last placed by hand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Time of the placement, in [0, 1].
    pub t: f64,
    /// World coordinates.
    pub x: [f64; 2],
}

/// How draws are painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DrawStyle {
    /// One dot a draw.
    Points,
    /// A smoothed count of draws.
    Density,
}

/// What the posterior panel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Show {
    /// Heat map of `p_t`.
    pub density: bool,
    /// The draws.
    pub draws: bool,
    /// Contours of the exact posterior.
    pub contours: bool,
    /// Arrows of the exact velocity.
    pub velocity: bool,
    /// The denoised (Tweedie) mean.
    pub mean: bool,
    /// The path of `x_t` along the probability flow.
    pub path: bool,
    /// Handles of the world's modes, for editing.
    pub edit: bool,
}

impl Default for Show {
    fn default() -> Self {
        Self {
            density: true,
            draws: true,
            contours: true,
            velocity: false,
            mean: true,
            path: true,
            edit: false,
        }
    }
}

/// The part of the plane in view.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Centre, world coordinates.
    pub center: [f64; 2],
    /// Half of the shorter side, world units.
    pub half_extent: f64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            center: [0.0, 0.0],
            half_extent: 6.0,
        }
    }
}

/// How time runs when it plays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playback {
    /// Multiple of the normal speed (0 to 1 in 8 s).
    pub speed: f64,
    /// Start again at the end.
    pub repeat: bool,
}

impl Default for Playback {
    fn default() -> Self {
        Self {
            speed: 1.0,
            repeat: true,
        }
    }
}

/// Where the mathematics runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ComputeChoice {
    /// Whichever a measurement at start finds faster.
    #[default]
    Auto,
    /// The device that paints the window.
    Shared,
    /// The processor.
    Cpu,
}

/// Light, dark, or as the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColorTheme {
    /// Dark.
    #[default]
    Dark,
    /// Light.
    Light,
    /// As the system.
    System,
}
