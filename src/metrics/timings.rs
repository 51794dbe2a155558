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
