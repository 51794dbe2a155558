//! The list of methods, grouped by what they look at, each with what it does and where it comes from.

use eframe::egui::{self, Response, RichText, ScrollArea, Ui};

use crate::steer::{Estimator, Lookahead, METHODS, Method, MethodCard, Scheme};
use crate::ui::tokens::{self, size};

/// Headings of the list, in its order.
const GROUPS: [&str; 5] = [
    "Many futures",
    "One future, or a cloud around it",
    "Particle filters",
    "Search and selection",
    "To compare with",
];
/// Width of the list.
const WIDTH: f32 = 250.0;
/// Room for the triangle that says that there is a list.
const TRIANGLE: f32 = 8.0;

/// The group of a method, by its three choices.
fn group_of(card: &MethodCard) -> &'static str {
    let index = match card.scheme {
        Scheme::Search | Scheme::BestOf | Scheme::SoftBestOf => 3,
        scheme if scheme.is_weighted() => 2,
        _ if matches!(card.estimator, Estimator::None | Estimator::ClosedForm) => 4,
        _ if matches!(
            card.lookahead,
            Lookahead::Tweedie | Lookahead::Gaussian | Lookahead::FlowMap
        ) =>
        {
            1
        }
        _ => 0,
    };
    GROUPS[index]
}

/// A button that opens the list. `chosen` is marked; a button that shows it has a triangle.
pub fn menu(
    ui: &mut Ui,
    text: RichText,
    chosen: Option<Method>,
    mut choose: impl FnMut(Method),
) -> Response {
    let size = egui::vec2(if chosen.is_some() { TRIANGLE } else { 0.0 }, 0.0);
    let room = egui::Atom::custom(egui::IdSalt::new("triangle"), size);
    let button = egui::Button::new((text, room)).truncate();
    let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        ui.set_width(WIDTH);
        let most = (ui.ctx().content_rect().height() - 120.0).max(200.0);
        let scroll = ScrollArea::vertical().max_height(most);
        // A popup has no height of its own before its content has.
        scroll.min_scrolled_height(most).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for group in GROUPS {
                let quiet = tokens::palette(ui).text_quiet;
                ui.add_space(4.0);
                ui.label(RichText::new(group).size(size::SMALL).color(quiet));
                for card in METHODS.iter().filter(|card| group_of(card) == group) {
                    if entry(ui, card, chosen == Some(card.method)) {
                        choose(card.method);
                        ui.close();
                    }
                }
            }
        });
    });
    if chosen.is_some() {
        let color = ui.style().interact(&response).fg_stroke.color;
        let middle = response.rect.right_center() - egui::vec2(13.0, 0.0);
        let corners = [(-4.0, -2.0), (4.0, -2.0), (0.0, 3.0)];
        let triangle = corners.map(|(x, y)| middle + egui::vec2(x, y)).to_vec();
        let none = egui::Stroke::NONE;
        ui.painter()
            .add(egui::Shape::convex_polygon(triangle, color, none));
    }
    response
}

fn entry(ui: &mut Ui, card: &MethodCard, chosen: bool) -> bool {
    let width = ui.available_width();
    let button = egui::Button::selectable(chosen, card.title).min_size(egui::vec2(width, 22.0));
    ui.add(button)
        .on_hover_ui(|ui| describe(ui, card))
        .clicked()
}

/// What a method does and where it comes from.
pub fn describe(ui: &mut Ui, card: &MethodCard) {
    let palette = tokens::palette(ui);
    ui.set_max_width(300.0);
    ui.label(card.summary);
    let fate = if card.samples_the_tilt {
        "Follows the tilted target as steps and draws grow."
    } else {
        "Does not follow the tilted target, however long it runs."
    };
    if card.method != Method::Base {
        ui.label(RichText::new(fate).size(size::SMALL).color(palette.text));
    }
    let source = RichText::new(card.source).size(size::SMALL);
    ui.label(source.color(palette.text_quiet));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_stand_where_a_reader_looks_for_them() {
        let group = |method: Method| group_of(method.card());
        assert_eq!(group(Method::MfmGf), GROUPS[0]);
        assert_eq!(group(Method::Wdm), GROUPS[0]);
        assert_eq!(group(Method::Dps), GROUPS[1]);
        assert_eq!(group(Method::Fmrg), GROUPS[1]);
        assert_eq!(group(Method::Tds), GROUPS[2]);
        assert_eq!(group(Method::Search), GROUPS[3]);
        assert_eq!(group(Method::Exact), GROUPS[4]);
    }
}
