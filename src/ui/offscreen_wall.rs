//! The window with a wall of pictures, rendered without a screen and measured.

use std::time::{Duration, Instant};

use egui_kittest::Harness;

use crate::gpu::{SharedDevice, uploads};
use crate::metrics::WallTimings;
use crate::session::{ComputeChoice, Images, Middle, Session};

use super::offscreen::{BENCH_SIZE, frame_time, open, settle};
use super::{App, AppOptions};

/// Frames in which the last hover or fade comes to rest.
const RESTING: usize = 60;
/// Frames of a window at rest.
const AT_REST: u32 = 30;

/// Measures frames of the window with walls of so many pictures.
///
/// # Errors
/// When there is no graphics device, or a wall does not arrive.
pub fn measure_walls(
    choice: Option<ComputeChoice>,
    walls: &[u32],
) -> Result<Vec<WallTimings>, String> {
    let shared = SharedDevice::headless().map_err(|e| e.to_string())?;
    let one = |pictures: &u32| measure(&shared, choice, *pictures);
    walls.iter().map(one).collect()
}

fn measure(
    shared: &SharedDevice,
    choice: Option<ComputeChoice>,
    pictures: u32,
) -> Result<WallTimings, String> {
    let frame = |smooth: bool, middle: Middle| -> Result<(f64, Harness<'static, App>), String> {
        let session = Session {
            compute: choice.unwrap_or_default(),
            ..Session::of_images(Images {
                draws: pictures,
                smooth,
                middle,
                ..Images::default()
            })
        };
        let mut harness = open(AppOptions::for_session(session), BENCH_SIZE, 1.0)?;
        settle(&mut harness)?;
        harness.run_steps(RESTING);
        Ok((frame_time(&mut harness, false)?, harness))
    };
    // The gallery is empty: all that is around the wall, without it.
    let (frame_without_ms, _) = frame(false, Middle::Gallery)?;
    let (frame_smooth_ms, _) = frame(true, Middle::Wall)?;
    let (frame_sharp_ms, mut harness) = frame(false, Middle::Wall)?;
    let before = uploads();
    let mut soonest = Duration::MAX;
    let begun = Instant::now();
    let mut frames_at_rest = 0;
    while frames_at_rest < AT_REST {
        frames_at_rest += 1;
        harness.step();
        harness.render()?;
        let delays = harness.output().viewport_output.values();
        let delay = delays.map(|viewport| viewport.repaint_delay).min();
        soonest = soonest.min(delay.unwrap_or(Duration::MAX));
        if begun.elapsed() > Duration::from_mins(1) {
            break;
        }
    }
    let after = uploads();
    let writes = after.pictures - before.pictures + after.lists - before.lists;
    Ok(WallTimings {
        adapter: shared.info.name.clone(),
        pictures,
        frame_sharp_ms,
        frame_smooth_ms,
        frame_without_ms,
        writes_at_rest: writes,
        frames_at_rest,
        next_frame_secs: soonest.as_secs_f64().min(f64::from(u32::MAX)),
        size: [BENCH_SIZE.0, BENCH_SIZE.1],
    })
}
