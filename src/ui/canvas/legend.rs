//! What the colours mean, below the canvas, and who says so, above it.

use eframe::egui::{self, Align, Color32, Layout, RichText, Sense, Shape, Stroke, Ui, vec2};

use crate::lookahead::Source;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::{Badge, badge};

/// The colour of a set of draws: exact is orange, learned is blue; a second learned set is green.
pub fn color_of(state: &State, source: Source, is_overlay: bool, palette: &Palette) -> Color32 {
    if source == Source::Exact {
        palette.exact
    } else if is_overlay && state.source() != Source::Exact {
        palette.overlay
    } else {
        palette.learned
    }
}

/// Who a source's draws come from.
pub fn badge_of(state: &State, source: Source, is_overlay: bool, palette: &Palette) -> Badge {
    let color = color_of(state, source, is_overlay, palette);
    let model = state.model.current.as_ref();
    let (text, hover) = match (source, model) {
        (Source::Exact, _) => (
            "exact".to_owned(),
            "Drawn from the closed form of the posterior.".to_owned(),
        ),
        (source, Some(model)) => (
            format!("{} · learned · {}", source.short(), model.checkpoint.short_hash()),
            format!("Drawn by the network in {}.", model.name),
        ),
        (source, None) => (
            format!("{} · exact velocity", source.short()),
            "Integrated from the closed form of the velocity; only the solver's steps are approximate."
                .to_owned(),
        ),
    };
    Badge { text, color, hover }
}

/// The badges of what is shown, from right to left.
pub fn badges(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    if let Some(overlay) = state.overlay() {
        badge(ui, &badge_of(state, overlay, true, palette));
        ui.label(
            RichText::new("and")
                .size(size::SMALL)
                .color(palette.text_faint),
        );
    }
    badge(ui, &badge_of(state, state.source(), false, palette));
    if let Some(answer) = &state.answers.main.draws
        && answer.request.draws < state.session.draws
    {
        let text = format!(
            "{} of {} while it moves",
            format::count(u64::from(answer.request.draws)),
            format::count(u64::from(state.session.draws))
        );
        ui.label(
            RichText::new(text)
                .size(size::SMALL)
                .color(palette.text_quiet),
        );
    }
}

/// How something looks on the canvas.
pub enum Sign {
    /// A particle.
    Dot(Color32),
    /// A contour.
    Line(Color32),
    /// A path.
    Dashes(Color32),
    /// A heat map.
    Square(Color32),
    /// A mark.
    Cross(Color32),
    /// An arrow.
    Arrow(Color32),
}

/// One line that names every sign on the canvas.
pub fn show(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let show = state.session.show;
    let mut entries: Vec<(Sign, String)> = Vec::new();
    if show.draws {
        let source = state.source();
        let kind = |source: Source| match source {
            Source::Exact => "exact draws".to_owned(),
            _ if state.is_learned(source) => "learned draws".to_owned(),
            other => format!("{} draws, exact velocity", other.short()),
        };
        entries.push((
            Sign::Dot(color_of(state, source, false, palette)),
            kind(source),
        ));
        if let Some(overlay) = state.overlay() {
            entries.push((
                Sign::Dot(color_of(state, overlay, true, palette)),
                if state.is_learned(overlay) {
                    format!("{}, {}", kind(overlay), overlay.short())
                } else {
                    kind(overlay)
                },
            ));
        }
    }
    if show.contours {
        entries.push((
            Sign::Line(palette.exact),
            "exact posterior: 50, 80, 95 %".to_owned(),
        ));
    }
    if show.density {
        let what = if show.edit {
            "density of the data"
        } else {
            "density of p_t"
        };
        entries.push((Sign::Square(palette.heat), what.to_owned()));
    }
    if show.mean {
        entries.push((Sign::Cross(palette.mean), "denoised mean".to_owned()));
    }
    if show.path && state.session.carry {
        entries.push((Sign::Dashes(palette.flow), "path of x_t".to_owned()));
    }
    if show.velocity {
        entries.push((Sign::Arrow(palette.flow), "exact velocity".to_owned()));
    }
    line(ui, &entries);
}

/// Signs and what they mean, side by side.
pub fn line(ui: &mut Ui, entries: &[(Sign, String)]) {
    let palette = tokens::palette(ui);
    ui.with_layout(
        Layout::left_to_right(Align::Center).with_main_wrap(true),
        |ui| {
            ui.spacing_mut().item_spacing = vec2(16.0, 4.0);
            for (sign, text) in entries {
                entry(ui, sign, text, palette);
            }
        },
    );
}

fn entry(ui: &mut Ui, sign: &Sign, text: &str, palette: &Palette) {
    let galley =
        ui.painter()
            .layout_no_wrap(text.to_owned(), tokens::small_font(), palette.text_quiet);
    let width = 22.0 + galley.size().x;
    let (rect, response) = ui.allocate_exact_size(vec2(width, galley.size().y), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, text));
    let painter = ui.painter();
    let middle = rect.left_center() + vec2(7.0, 0.0);
    let half = vec2(7.0, 0.0);
    match *sign {
        Sign::Dot(color) => {
            painter.circle_filled(middle, 3.5, color);
        }
        Sign::Line(color) => {
            painter.line_segment([middle - half, middle + half], Stroke::new(1.8, color));
        }
        Sign::Dashes(color) => {
            let stroke = Stroke::new(1.4, color);
            painter.extend(Shape::dashed_line(
                &[middle - half, middle + half],
                stroke,
                4.0,
                3.0,
            ));
        }
        Sign::Square(color) => {
            let square = egui::Rect::from_center_size(middle, egui::Vec2::splat(10.0));
            painter.rect_filled(square, 2.0, color);
        }
        Sign::Cross(color) => {
            let (one, other) = (vec2(4.0, 4.0), vec2(4.0, -4.0));
            let stroke = Stroke::new(2.0, color);
            painter.line_segment([middle - one, middle + one], stroke);
            painter.line_segment([middle - other, middle + other], stroke);
        }
        Sign::Arrow(color) => {
            painter.arrow(middle - half, 2.0 * half, Stroke::new(1.3, color));
        }
    }
    painter.galley(
        rect.left_top() + vec2(22.0, 0.0),
        galley,
        palette.text_quiet,
    );
}
