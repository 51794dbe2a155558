//! Opens the window.

use eframe::egui;
use eframe::egui_wgpu::WgpuConfiguration;

use crate::gpu::wgpu_setup;

use super::tokens::size;
use super::{App, AppOptions};

/// Opens the window and stays until it is closed.
///
/// # Errors
/// When there is no screen or no graphics device; the message says what to do.
pub fn run(options: AppOptions) -> Result<(), String> {
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Foresight")
            .with_app_id("foresight")
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
        "foresight",
        native,
        Box::new(move |cc| Ok(Box::new(App::new(cc, options)))),
    )
    .map_err(|e| {
        format!("the window could not be opened: {e}. Without a screen, try: foresight snapshot --out picture.png")
    })
}
