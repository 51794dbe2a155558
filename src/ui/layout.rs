//! Where the panels are: a tree of tiles that a person can drag, and that is remembered.

use std::collections::HashSet;

use eframe::egui::{
    self, CornerRadius, Id, Margin, Rect, Response, Role, Sense, Stroke, Ui, Visuals, WidgetInfo,
    WidgetText, vec2,
};
use egui_tiles::{
    Behavior, Container, LinearDir, ResizeState, SimplificationOptions, TabState, Tabs, Tile,
    TileId, Tiles, Tree, UiResponse,
};
use serde::{Deserialize, Serialize};

use crate::session::Workspace;

use super::state::State;
use super::steering::{budget, scores, stage};
use super::tokens::{self, size, space};
use super::{canvas, checkpoint, diversity, training};

/// A panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pane {
    /// The plane.
    Canvas,
    /// What the draws say.
    Diversity,
    /// The loaded checkpoint.
    Checkpoint,
    /// Methods side by side.
    Comparison,
    /// How far each is from the exact target.
    Scores,
    /// The same at equal numbers of evaluations.
    EqualCompute,
    /// A network as it learns, beside what is exact.
    Learning,
    /// Its losses and distances.
    Curves,
}

impl Pane {
    /// The panels of a workspace, the largest first.
    fn all(workspace: Workspace) -> &'static [Self] {
        match workspace {
            // The wall has no panels of its own to move.
            Workspace::Posterior | Workspace::Images => {
                &[Self::Canvas, Self::Diversity, Self::Checkpoint]
            }
            Workspace::Steering => &[Self::Comparison, Self::Scores, Self::EqualCompute],
            Workspace::Train => &[Self::Learning, Self::Curves],
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Canvas => "Canvas",
            Self::Diversity => "Diversity",
            Self::Checkpoint => "Checkpoint",
            Self::Comparison => "Methods",
            Self::Scores => "Scores",
            Self::EqualCompute => "Equal compute",
            Self::Learning => "Learning",
            Self::Curves => "Curves",
        }
    }
}

/// Points that a heading is moved before its panel comes along.
const DRAG_BEGINS: f32 = 16.0;
/// No panel is narrower than this.
const LEAST_WIDTH: f32 = 290.0;
/// Share of the width that the canvas, or the comparison, has at first.
const CANVAS_SHARE: f32 = 0.69;

/// Share of the height that the canvases of a training have at first.
const LEARNING_SHARE: f32 = 0.64;

/// The panels of a workspace as they are at first: a large one, and tabs beside it, or one panel below it.
pub fn initial(workspace: Workspace) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let panes: Vec<_> = Pane::all(workspace)
        .iter()
        .map(|pane| tiles.insert_pane(*pane))
        .collect();
    let row = if let [large, below] = panes[..] {
        egui_tiles::Linear::new_binary(LinearDir::Vertical, [large, below], LEARNING_SHARE)
    } else {
        let side = tiles.insert_tab_tile(panes[1..].to_vec());
        let both = [panes[0], side];
        egui_tiles::Linear::new_binary(LinearDir::Horizontal, both, CANVAS_SHARE)
    };
    let root = tiles.insert_container(Container::Linear(row));
    let name = match workspace {
        Workspace::Posterior | Workspace::Images => "panels",
        Workspace::Steering => "steering panels",
        Workspace::Train => "training panels",
    };
    Tree::new(Id::unique(name), root, tiles)
}

/// Whether a remembered tree still holds every panel of its workspace once.
pub fn is_whole(tree: &Tree<Pane>, workspace: Workspace) -> bool {
    let panes: Vec<Pane> = tree
        .tiles
        .tiles()
        .filter_map(|tile| match tile {
            Tile::Pane(pane) => Some(*pane),
            Tile::Container(_) => None,
        })
        .collect();
    let all = Pane::all(workspace);
    tree.root.is_some() && panes.len() == all.len() && all.iter().all(|pane| panes.contains(pane))
}

/// Shows the panels.
pub fn show(ui: &mut Ui, tree: &mut Tree<Pane>, state: &mut State) {
    let workspace = state.session.workspace;
    if std::mem::take(&mut state.reset_layout) || !is_whole(tree, workspace) {
        *tree = initial(workspace);
    }
    if workspace == Workspace::Posterior && std::mem::take(&mut state.show_details) {
        tree.make_active(|_, tile| matches!(tile, Tile::Pane(Pane::Checkpoint)));
    }
    let tabbed = tree
        .tiles
        .iter()
        .filter(|(_, tile)| matches!(tile, Tile::Container(Container::Tabs(_))))
        .flat_map(|(_, tile)| match tile {
            Tile::Container(container) => container.children_vec(),
            Tile::Pane(_) => Vec::new(),
        })
        .collect();
    keep_readable(tree, ui.available_width());
    tree.ui(&mut Panels { state, tabbed }, ui);
}

/// Widens a panel that a small window leaves too narrow to read, at its neighbour's cost.
fn keep_readable(tree: &mut Tree<Pane>, width: f32) {
    let Some(root) = tree.root else { return };
    let Some(Tile::Container(Container::Linear(row))) = tree.tiles.get_mut(root) else {
        return;
    };
    let &[left, right] = row.children.as_slice() else {
        return;
    };
    if row.dir != LinearDir::Horizontal || width < 2.0 * LEAST_WIDTH {
        return;
    }
    let total = row.shares[left] + row.shares[right];
    let least = total * LEAST_WIDTH / width;
    for (narrow, wide) in [(left, right), (right, left)] {
        if row.shares[narrow] < least {
            row.shares.set_share(narrow, least);
            row.shares.set_share(wide, total - least);
        }
    }
}

struct Panels<'a> {
    state: &'a mut State,
    /// Panes behind a bar of tabs: the bar paints their ground.
    tabbed: HashSet<TileId>,
}

impl Panels<'_> {
    fn contents(&mut self, ui: &mut Ui, pane: Pane, has_tab: bool) -> UiResponse {
        match pane {
            Pane::Canvas => {
                let grip = canvas::header(ui, self.state);
                canvas::show(ui, self.state);
                if is_moved(&grip) && !has_tab {
                    return UiResponse::DragStarted;
                }
            }
            Pane::Comparison => {
                let grip = stage::header(ui, self.state);
                stage::show(ui, self.state);
                if is_moved(&grip) && !has_tab {
                    return UiResponse::DragStarted;
                }
            }
            Pane::Learning => {
                let grip = training::header(ui, self.state);
                training::show(ui, self.state);
                if is_moved(&grip) && !has_tab {
                    return UiResponse::DragStarted;
                }
            }
            Pane::Curves => {
                let grip = training::curves::header(ui, self.state, has_tab);
                training::curves::show(ui, self.state);
                if is_moved(&grip) && !has_tab {
                    return UiResponse::DragStarted;
                }
            }
            Pane::Diversity | Pane::Checkpoint | Pane::Scores | Pane::EqualCompute => {
                if !has_tab && is_moved(&heading(ui, pane.title())) {
                    return UiResponse::DragStarted;
                }
                match pane {
                    Pane::Diversity => diversity::show(ui, self.state),
                    Pane::Scores => scores::show(ui, self.state),
                    Pane::EqualCompute => budget::show(ui, self.state),
                    _ => checkpoint::show(ui, self.state),
                }
            }
        }
        UiResponse::None
    }
}

/// Whether a heading is dragged far enough that the panel is meant to move: a slow click is none.
fn is_moved(grip: &Response) -> bool {
    grip.dragged()
        && grip
            .total_drag_delta()
            .is_some_and(|moved| moved.length() > DRAG_BEGINS)
}

fn heading(ui: &mut Ui, title: &str) -> Response {
    let strong = tokens::palette(ui).text_strong;
    let text = egui::RichText::new(title)
        .font(tokens::heading_font())
        .color(strong);
    let response = ui.add(
        egui::Label::new(text)
            .selectable(false)
            .sense(Sense::drag()),
    );
    ui.add_space(space::HEADING);
    response
}

impl Behavior<Pane> for Panels<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, tile_id: TileId, pane: &mut Pane) -> UiResponse {
        let has_tab = self.tabbed.contains(&tile_id);
        let palette = tokens::palette(ui);
        let mut frame = tokens::card(palette);
        if has_tab {
            frame = frame.fill(egui::Color32::TRANSPARENT).stroke(Stroke::NONE);
            frame.inner_margin.top = 6;
        }
        frame.inner_margin.right = 4;
        if matches!(
            *pane,
            Pane::Canvas | Pane::Comparison | Pane::Learning | Pane::Curves
        ) {
            frame.inner_margin = Margin {
                left: 14,
                right: 14,
                top: 10,
                bottom: 8,
            };
        }
        let pane = *pane;
        frame
            .show(ui, |ui| {
                ui.set_min_size(ui.available_size());
                self.contents(ui, pane, has_tab)
            })
            .inner
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.title().into()
    }

    fn tab_ui(
        &mut self,
        tiles: &mut Tiles<Pane>,
        ui: &mut Ui,
        id: Id,
        tile_id: TileId,
        tab: &TabState,
    ) -> Response {
        let palette = tokens::palette(ui);
        let title = match tiles.get(tile_id) {
            Some(Tile::Pane(pane)) => pane.title().to_owned(),
            _ => "Panels".to_owned(),
        };
        let color = if tab.active {
            palette.text_strong
        } else {
            palette.text_faint
        };
        let galley = ui
            .painter()
            .layout_no_wrap(title.clone(), tokens::heading_font(), color);
        let (_, rect) = ui.allocate_space(vec2(galley.size().x + 18.0, ui.available_height()));
        let response = ui.interact(rect, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::selected(Role::Tab, true, tab.active, &title));
        let color = if response.hovered() && !tab.active {
            palette.text
        } else {
            color
        };
        let place = egui::Align2::LEFT_CENTER.align_size_within_rect(galley.size(), rect);
        ui.painter()
            .galley_with_override_text_color(place.min, galley, color);
        if response.has_focus() {
            let stroke = Stroke::new(1.5, palette.focus);
            let around = place.expand2(vec2(6.0, 3.0));
            ui.painter()
                .rect_stroke(around, 4.0, stroke, egui::StrokeKind::Inside);
        }
        response.on_hover_cursor(egui::CursorIcon::PointingHand)
    }

    /// Called before anything else of a bar of tabs: paints the ground for the bar and what is below.
    fn tab_bar_left_ui(&mut self, tiles: &Tiles<Pane>, ui: &mut Ui, tile_id: TileId, _tabs: &Tabs) {
        let Some(rect) = tiles.rect(tile_id) else {
            return;
        };
        let palette = tokens::palette(ui);
        ui.painter().with_clip_rect(rect).rect(
            rect,
            CornerRadius::same(size::PANEL_RADIUS),
            palette.panel,
            Stroke::new(1.0, palette.outline),
            egui::StrokeKind::Inside,
        );
        ui.add_space(f32::from(space::PANEL) - 2.0);
    }

    fn tab_bar_height(&self, _style: &egui::Style) -> f32 {
        42.0
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        space::GAP
    }

    fn min_size(&self) -> f32 {
        LEAST_WIDTH
    }

    fn resize_stroke(&self, style: &egui::Style, state: ResizeState) -> Stroke {
        match state {
            ResizeState::Idle => Stroke::NONE,
            ResizeState::Hovering => {
                Stroke::new(2.0, style.visuals.widgets.hovered.bg_stroke.color)
            }
            ResizeState::Dragging => Stroke::new(2.0, style.visuals.selection.stroke.color),
        }
    }

    fn tab_bar_color(&self, _visuals: &Visuals) -> egui::Color32 {
        egui::Color32::TRANSPARENT
    }

    fn tab_bar_hline_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::NONE
    }

    fn paint_drag_preview(
        &self,
        visuals: &Visuals,
        painter: &egui::Painter,
        _parent: Option<Rect>,
        preview: Rect,
    ) {
        let color = visuals.selection.stroke.color;
        painter.rect(
            preview,
            CornerRadius::same(size::PANEL_RADIUS),
            tokens::faded(color, 0.12),
            Stroke::new(1.0, color),
            egui::StrokeKind::Inside,
        );
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions {
            all_panes_must_have_tabs: false,
            ..SimplificationOptions::default()
        }
    }
}
