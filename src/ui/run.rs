//! Opens the window.

use eframe::egui;
use eframe::egui_wgpu::WgpuConfiguration;

use crate::gpu::wgpu_setup;

use super::tokens::size;
use super::{App, AppOptions};

/// Names the folder of what is kept between runs.
const APP_ID: &str = "foresight";

/// Opens the window and stays until it is closed.
///
/// # Errors
/// When there is no screen or no graphics device; the message says what to do.
pub fn run(mut options: AppOptions) -> Result<(), String> {
    options.data_dir = eframe::storage_dir(APP_ID);
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Foresight")
            .with_app_id(APP_ID)
            .with_inner_size(size::WINDOW)
            .with_min_inner_size(size::MIN_WINDOW)
            .with_icon(super::icon::icon())
            .with_drag_and_drop(true),
        renderer: eframe::Renderer::Wgpu,
        wgpu_options: WgpuConfiguration {
            wgpu_setup: wgpu_setup().into(),
            ..WgpuConfiguration::default()
        },
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        APP_ID,
        native,
        Box::new(move |cc| Ok(Box::new(App::new(cc, options)))),
    )
    .map_err(|e| {
        let cause = cause(&e.to_string());
        format!("the window could not be opened: {cause}. Without a screen, try: foresight snapshot --out picture.png")
    })
}

/// What went wrong, without the line of a library's source that said so.
fn cause(text: &str) -> String {
    let after = text
        .split_once("os error at ")
        .and_then(|(_, rest)| rest.split_once(": "));
    let cause = after.map_or(text, |(_, cause)| cause);
    cause.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_names_no_place_in_a_library() {
        let said = "winit EventLoopError: os error at /home/x/src/lib.rs:765: DISPLAY is not set.";
        assert_eq!(cause(said), "DISPLAY is not set");
        assert_eq!(cause("no adapter"), "no adapter");
    }
}
