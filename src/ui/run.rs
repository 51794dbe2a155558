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
        format!("the window could not be opened: {e}. Without a screen, try: foresight snapshot --out picture.png")
    })
}
