//! The window's icon: a state, and two of its futures.

use eframe::egui::{Color32, IconData};

use super::tokens::DARK;

const SIDE: usize = 64;

/// Painted once, from the tokens.
pub fn icon() -> IconData {
    let mut rgba = Vec::with_capacity(4 * SIDE * SIDE);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let at = [x, y].map(|v| (v as f32 + 0.5) / SIDE as f32);
            rgba.extend(pixel(at).to_srgba_unmultiplied());
        }
    }
    IconData {
        rgba,
        width: SIDE as u32,
        height: SIDE as u32,
    }
}

fn pixel(at: [f32; 2]) -> Color32 {
    let from = |x: f32, y: f32| (at[0] - x).hypot(at[1] - y);
    // 1 inside, 0 outside, soft over a pixel.
    let inside = |signed: f32| (0.5 - signed * SIDE as f32).clamp(0.0, 1.0);
    let corner = (at[0] - 0.5).abs().max((at[1] - 0.5).abs());
    let rounded = ((at[0] - 0.5).abs() - 0.28)
        .max(0.0)
        .hypot(((at[1] - 0.5).abs() - 0.28).max(0.0));
    let mut color = Color32::TRANSPARENT;
    color = mix(
        color,
        DARK.panel,
        inside(if corner < 0.28 { -1.0 } else { rounded - 0.2 }),
    );
    color = mix(color, DARK.learned, inside(from(0.32, 0.66) - 0.17));
    color = mix(
        color,
        DARK.exact,
        inside((from(0.32, 0.66) - 0.22).abs() - 0.018),
    );
    color = mix(color, DARK.learned, inside(from(0.70, 0.32) - 0.10));
    color = mix(
        color,
        DARK.state,
        inside((from(0.56, 0.53) - 0.085).abs() - 0.025),
    );
    mix(color, DARK.state, inside(from(0.56, 0.53) - 0.035))
}

fn mix(under: Color32, over: Color32, share: f32) -> Color32 {
    under.lerp_to_gamma(over, share)
}
