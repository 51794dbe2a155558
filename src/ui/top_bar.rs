//! Name, workspace, menus, help.

use eframe::egui::{
    self, Align, FontId, Layout, RichText, Role, Sense, Stroke, Ui, WidgetInfo, vec2,
};

use crate::session::{ColorTheme, ComputeChoice, Session, Workspace};

use super::errands::Pick;
use super::shortcuts::{Action, keys_of};
use super::state::State;
use super::steering::lessons;
use super::tokens::{self, size};
use super::widgets::radio_row;

/// Shows the bar.
pub fn show(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    ui.horizontal_centered(|ui| {
        let name = RichText::new("Foresight")
            .font(FontId::new(17.0, tokens::strong_family()))
            .color(palette.text_strong);
        ui.label(name);
        ui.add_space(18.0);
        ui.spacing_mut().item_spacing.x = 4.0;
        tab(ui, state, Workspace::Posterior, "Posterior");
        tab(ui, state, Workspace::Steering, "Steering");
        tab(ui, state, Workspace::Train, "Train");
        tab(ui, state, Workspace::Images, "Images");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let help = format!("{}  help", keys_of(ui.ctx(), Action::Help));
            if quiet_button(ui, &help, "Keyboard and pointer").clicked() {
                state.perform(Action::Help);
            }
            theme_toggle(ui, state);
            menu(ui, "View", |ui| view_menu(ui, state));
            menu(ui, "Session", |ui| session_menu(ui, state));
            menu(ui, "Lessons", |ui| lessons::menu(ui, state));
        });
    });
}

/// A workspace's tab.
fn tab(ui: &mut Ui, state: &mut State, workspace: Workspace, name: &str) {
    let palette = tokens::palette(ui);
    let chosen = state.session.workspace == workspace;
    let (color, fill) = if chosen {
        (palette.text_strong, palette.control_hovered)
    } else {
        (palette.text_quiet, palette.window)
    };
    let button = egui::Button::selectable(chosen, RichText::new(name).color(color))
        .fill(fill)
        .min_size(vec2(96.0, 30.0));
    let response = ui.add(button);
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, name));
    let action = Action::Workspace(workspace);
    let keys = keys_of(ui.ctx(), action);
    if response.on_hover_text(keys).clicked() {
        state.perform(action);
    }
}

fn quiet_text(ui: &Ui, text: &str) -> RichText {
    RichText::new(text).color(tokens::palette(ui).text_quiet)
}

fn quiet_button(ui: &mut Ui, text: &str, hover: &str) -> egui::Response {
    let text = quiet_text(ui, text);
    ui.add(egui::Button::new(text).frame_when_inactive(false))
        .on_hover_text(hover)
}

fn menu(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui)) {
    let text = quiet_text(ui, name);
    let button = egui::Button::new(text).frame_when_inactive(false);
    egui::containers::menu::MenuButton::from_button(button).ui(ui, contents);
}

/// A half-filled circle: light and dark.
fn theme_toggle(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(30.0, size::CONTROL), Sense::click());
    let dark = ui.visuals().dark_mode;
    let name = if dark { "Light theme" } else { "Dark theme" };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let color = if response.hovered() {
        palette.text_strong
    } else {
        palette.text_quiet
    };
    let painter = ui.painter();
    let (middle, radius) = (rect.center(), 6.5);
    painter.circle_stroke(middle, radius, Stroke::new(1.5, color));
    let half: Vec<_> = (0..=24)
        .map(|k| {
            let angle = std::f32::consts::PI * (k as f32 / 24.0 - 0.5);
            middle + radius * vec2(angle.cos(), angle.sin())
        })
        .collect();
    painter.add(egui::Shape::convex_polygon(half, color, Stroke::NONE));
    if response.has_focus() {
        painter.rect_stroke(
            rect,
            5.0,
            Stroke::new(1.5, palette.focus),
            egui::StrokeKind::Inside,
        );
    }
    if response.on_hover_text(name).clicked() {
        state.session.theme = if dark {
            ColorTheme::Light
        } else {
            ColorTheme::Dark
        };
    }
}

fn item(ui: &mut Ui, text: &str, keys: &str) -> bool {
    let faint = tokens::palette(ui).text_faint;
    let clicked = ui
        .add(egui::Button::new(text).right_text(RichText::new(keys).size(size::TICK).color(faint)))
        .clicked();
    if clicked {
        ui.close();
    }
    clicked
}

fn session_menu(ui: &mut Ui, state: &mut State) {
    ui.set_min_width(250.0);
    let open = keys_of(ui.ctx(), Action::Open);
    let save = keys_of(ui.ctx(), Action::SaveSession);
    if item(ui, "New session", "") {
        let kept = Session {
            theme: state.session.theme,
            compute: state.session.compute,
            ..Session::default()
        };
        state.open_session(kept, None);
    }
    if item(ui, "Open…", &open) {
        state.pick(Pick::Open);
    }
    if item(ui, "Save session", &save) {
        state.perform(Action::SaveSession);
    }
    if item(ui, "Save session as…", "") {
        state.pick(Pick::SaveSession);
    }
    ui.separator();
    if item(ui, "Export draws…", "csv, npz, safetensors") {
        state.pick(Pick::ExportDraws);
    }
}

fn view_menu(ui: &mut Ui, state: &mut State) {
    ui.set_width(250.0);
    if item(ui, "Reset layout", "") {
        state.reset_layout = true;
    }
    let fit = keys_of(ui.ctx(), Action::Fit);
    if item(ui, "Fit the world in view", &fit) {
        state.perform(Action::Fit);
    }
    if item(ui, "Show the hint again", "") {
        state.hint_dismissed = false;
    }
    heading(ui, "Theme");
    for (theme, name) in [
        (ColorTheme::Dark, "Dark"),
        (ColorTheme::Light, "Light"),
        (ColorTheme::System, "As the system"),
    ] {
        if radio_row(ui, state.session.theme == theme, true, name, "").clicked() {
            state.session.theme = theme;
        }
    }
    heading(ui, "Compute");
    let mut choice = state.session.compute;
    for (option, name, hover) in [
        (
            ComputeChoice::Auto,
            "Whichever is faster",
            "Measured at start.",
        ),
        (
            ComputeChoice::Shared,
            "The window's device",
            "Window and model share it; draws are painted from where they were computed.",
        ),
        (
            ComputeChoice::Cpu,
            "The processor",
            "The model's own kernel for processors.",
        ),
    ] {
        if radio_row(ui, choice == option, true, name, "")
            .on_hover_text(hover)
            .clicked()
        {
            choice = option;
        }
    }
    if choice != state.session.compute {
        state.set_compute(choice);
    }
}

fn heading(ui: &mut Ui, text: &str) {
    ui.separator();
    let quiet = tokens::palette(ui).text_quiet;
    ui.label(RichText::new(text).size(size::SMALL).color(quiet));
}
