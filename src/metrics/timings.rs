//! What a benchmark of the window gives back.

use serde::Serialize;

/// What the rendered window measures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WindowTimings {
    /// Adapter that rendered.
    pub adapter: String,
    /// Where the draws were computed.
    pub compute: String,
    /// From starting the app to the first frame that shows draws, first time in this process.
    pub first_draw_cold_ms: f64,
    /// The same for a second app in this process.
    pub first_draw_warm_ms: f64,
    /// From moving the clock to pixels that show the new draws, median.
    pub scrub_to_pixels_median_ms: f64,
    /// The same, 99th percentile.
    pub scrub_to_pixels_p99_ms: f64,
    /// Frame time while the engine is idle, median.
    pub frame_idle_ms: f64,
    /// Frame time while the engine draws 65,536 futures in a loop, median.
    pub frame_busy_ms: f64,
    /// Size of the window in pixels.
    pub size: [u32; 2],
}

/// What the rendered window measures with a wall of pictures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WallTimings {
    /// Adapter that rendered.
    pub adapter: String,
    /// Pictures of the wall.
    pub pictures: u32,
    /// Time of a frame, every pixel of a picture a square, median.
    pub frame_sharp_ms: f64,
    /// Time of a frame, blended from pixel to pixel, median.
    pub frame_smooth_ms: f64,
    /// Time of a frame of the same window with nothing in the wall's place, median.
    pub frame_without_ms: f64,
    /// How often something was written to the device to paint pictures while the window rested.
    pub writes_at_rest: u64,
    /// Over so many frames, painted though nobody asked for them.
    pub frames_at_rest: u32,
    /// Seconds until the window at rest asks for its next frame; a very large number where it never does.
    pub next_frame_secs: f64,
    /// Size of the window in pixels.
    pub size: [u32; 2],
}
