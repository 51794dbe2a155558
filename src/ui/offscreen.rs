//! The real window, rendered without a screen: pictures of it, and measurements.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use eframe::egui;
use egui_kittest::Harness;

use crate::engine::Compute;
use crate::gpu::SharedDevice;
use crate::metrics::WindowTimings;
use crate::session::{ComputeChoice, Session, encode_png, probe, write_atomically};

use super::{App, AppOptions};

/// No picture waits longer than this for its figures.
const PATIENCE: Duration = Duration::from_mins(3);
/// Clock positions of the scrub measurement.
const SCRUBS: usize = 60;
/// Frames of the frame-time measurement.
const FRAMES: usize = 60;
/// Size of the measured window, points.
pub(super) const BENCH_SIZE: (u32, u32) = (1280, 800);

/// Renders the window as `options` describe it, once every figure has arrived, and writes a PNG.
///
/// `size` is in points, `scale` in pixels a point.
///
/// # Errors
/// When there is no graphics device (not even a software one), or the file cannot be written.
pub fn snapshot(
    options: AppOptions,
    size: (u32, u32),
    scale: f32,
    out: &Path,
) -> Result<(), String> {
    if !(0.5..=4.0).contains(&scale) {
        return Err(format!("a scale of {scale} is not possible: 0.5 to 4 are"));
    }
    check_png(out)?;
    let mut harness = open(options, size, scale)?;
    let begun = Instant::now();
    while !harness.state().is_settled() {
        if begun.elapsed() > PATIENCE {
            return Err(format!(
                "the figures did not arrive within {} s; ask for fewer draws or steps",
                PATIENCE.as_secs()
            ));
        }
        harness.step();
        std::thread::sleep(Duration::from_millis(4));
    }
    for _ in 0..4 {
        harness.step();
    }
    let picture = harness.render()?;
    let (width, height) = (picture.width(), picture.height());
    let bytes = encode_png(&picture.into(), None)?;
    write_atomically(out, |file| file.write_all(&bytes)).map_err(|e| {
        format!(
            "{}: could not be written: {e}. Check free space and permissions of the folder",
            out.display()
        )
    })?;
    println!(
        "{}: {width} x {height} pixels, t = {:.3}",
        out.display(),
        harness.state().clock()
    );
    Ok(())
}

/// Sees that a picture can be written there before it is painted.
fn check_png(out: &Path) -> Result<(), String> {
    let name = out.display();
    let ending = out.extension().map(|e| e.to_string_lossy().to_lowercase());
    if ending.as_deref() != Some("png") || out.is_dir() {
        return Err(format!(
            "{name}: a snapshot is a PNG file: end the name in .png"
        ));
    }
    match out.parent().filter(|f| !f.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => Err(format!(
            "{name}: the folder {} does not exist. Create it first, or choose another place",
            folder.display()
        )),
        _ => probe(out).map_err(|e| {
            format!(
                "{name}: could not be written: {e}. Check free space and permissions of the folder"
            )
        }),
    }
}

pub(super) fn open(
    options: AppOptions,
    (width, height): (u32, u32),
    scale: f32,
) -> Result<Harness<'static, App>, String> {
    let shared = SharedDevice::headless().map_err(|e| e.to_string())?;
    Ok(Harness::builder()
        .with_size(egui::vec2(width as f32, height as f32))
        .with_pixels_per_point(scale)
        .with_accessibility_check(false)
        .allow_missing_glyphs()
        .with_render_cursor(false)
        .with_max_steps(16)
        .with_os(egui::os::OperatingSystem::from_target_os())
        .wgpu_setup(shared.existing_setup())
        .build_eframe(|cc| App::new(cc, options)))
}

/// Measures the window: time to the first draw, from scrub to pixels, and frame times.
///
/// # Errors
/// When there is no graphics device, or the draws do not arrive.
pub fn measure_window(choice: Option<ComputeChoice>) -> Result<WindowTimings, String> {
    let session = Session {
        compute: choice.unwrap_or_default(),
        ..Session::default()
    };
    let mut timings = WindowTimings {
        size: [BENCH_SIZE.0, BENCH_SIZE.1],
        ..WindowTimings::default()
    };
    let (cold, harness) = first_draw(&session)?;
    drop(harness);
    let (warm, mut harness) = first_draw(&session)?;
    timings.first_draw_cold_ms = cold;
    timings.first_draw_warm_ms = warm;
    settle(&mut harness)?;
    let shared = SharedDevice::headless().map_err(|e| e.to_string())?;
    timings.adapter.clone_from(&shared.info.name);
    timings.compute = match harness.state().active_compute() {
        Compute::Shared => "shared device".into(),
        Compute::Cpu => "processor".into(),
    };

    let mut scrubs = Vec::with_capacity(SCRUBS);
    for k in 0..SCRUBS {
        let t = 0.1 + 0.6 * k as f64 / SCRUBS as f64;
        let begun = Instant::now();
        harness.state_mut().set_time(t);
        while harness.state().shown_time() != Some(t) {
            harness.step();
            if begun.elapsed() > PATIENCE {
                return Err("the draws did not arrive".into());
            }
        }
        harness.render()?;
        scrubs.push(ms(begun));
    }
    scrubs.sort_by(f64::total_cmp);
    timings.scrub_to_pixels_median_ms = scrubs[SCRUBS / 2];
    timings.scrub_to_pixels_p99_ms = scrubs[SCRUBS * 99 / 100];

    settle(&mut harness)?;
    timings.frame_idle_ms = frame_time(&mut harness, false)?;
    timings.frame_busy_ms = frame_time(&mut harness, true)?;
    Ok(timings)
}

fn first_draw(session: &Session) -> Result<(f64, Harness<'static, App>), String> {
    let begun = Instant::now();
    let mut harness = open(AppOptions::for_session(session.clone()), BENCH_SIZE, 1.0)?;
    while harness.state().shown_time().is_none() {
        harness.step();
        std::thread::sleep(Duration::from_millis(1));
        if begun.elapsed() > PATIENCE {
            return Err("the first draws did not arrive".into());
        }
    }
    harness.render()?;
    Ok((ms(begun), harness))
}

pub(super) fn settle(harness: &mut Harness<'static, App>) -> Result<(), String> {
    let begun = Instant::now();
    while !harness.state().is_settled() {
        harness.step();
        std::thread::sleep(Duration::from_millis(4));
        if begun.elapsed() > PATIENCE {
            return Err("the window did not come to rest".into());
        }
    }
    Ok(())
}

/// Median time of a frame; with `busy`, the clock moves and 65,536 futures are drawn all the while.
pub(super) fn frame_time(harness: &mut Harness<'static, App>, busy: bool) -> Result<f64, String> {
    if busy {
        harness.state_mut().set_draws(65_536);
    }
    let mut frames = Vec::with_capacity(FRAMES);
    for k in 0..FRAMES {
        if busy {
            harness.state_mut().set_time(0.1 + 0.01 * k as f64);
        }
        let begun = Instant::now();
        harness.step();
        harness.render()?;
        frames.push(ms(begun));
    }
    frames.sort_by(f64::total_cmp);
    Ok(frames[FRAMES / 2])
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
