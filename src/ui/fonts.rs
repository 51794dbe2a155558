//! The window's typeface: Inter in two weights, with egui's own fonts behind it.

use std::sync::Arc;

use eframe::egui::{
    self, FontData, FontDefinitions, FontFamily, FontTweak, epaint::text::VariationCoords,
};

use super::tokens;

const INTER: &[u8] = include_bytes!("../../assets/fonts/Inter.ttf");
const REGULAR: f32 = 410.0;
const STRONG: f32 = 610.0;

/// Installs the fonts; what Inter lacks comes from egui's own.
pub fn install(ctx: &egui::Context) {
    let mut fonts = FontDefinitions::default();
    for (name, weight) in [("Inter", REGULAR), ("Inter strong", STRONG)] {
        let data = FontData::from_static(INTER).tweak(FontTweak {
            coords: VariationCoords::new([(b"wght", weight)]),
            ..FontTweak::default()
        });
        fonts.font_data.insert(name.to_owned(), Arc::new(data));
    }
    let fallback = fonts
        .families
        .get(&FontFamily::Proportional)
        .cloned()
        .unwrap_or_default();
    for (family, name) in [
        (FontFamily::Proportional, "Inter"),
        (tokens::strong_family(), "Inter strong"),
    ] {
        let mut chain = vec![name.to_owned()];
        chain.extend(fallback.iter().cloned());
        fonts.families.insert(family, chain);
    }
    if let Some(chain) = fonts.families.get_mut(&FontFamily::Monospace) {
        chain.push("Inter".to_owned());
    }
    ctx.set_fonts(fonts);
}
