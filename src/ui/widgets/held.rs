//! Where the pointer puts what it drags or clicks.

use eframe::egui::{Pos2, Response};

/// Where a widget is held, or was let go of or clicked in this frame.
///
/// egui ends a drag in the frame of its release. A slow frame holds the last move and the release, and what was moved
/// must still end there.
pub fn held_at(response: &Response) -> Option<Pos2> {
    let held = response.dragged() || response.drag_stopped() || response.clicked();
    response.interact_pointer_pos().filter(|_| held)
}

#[cfg(test)]
mod tests {
    use eframe::egui::{Event, Modifiers, PointerButton, Sense, pos2, vec2};
    use egui_kittest::Harness;

    use super::*;

    #[test]
    fn a_drag_ends_where_it_is_let_go_also_when_the_last_move_came_in_the_frame_of_the_release() {
        let mut at = None;
        let mut window = Harness::new_ui(|ui| {
            let (_, response) = ui.allocate_exact_size(vec2(200.0, 40.0), Sense::click_and_drag());
            at = held_at(&response).or(at);
        });
        let press = |pos, pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        let [from, on_the_way, end] = [20.0, 60.0, 150.0].map(|x| pos2(x, 20.0));
        let frames = [
            vec![Event::PointerMoved(from)],
            vec![press(from, true)],
            vec![Event::PointerMoved(on_the_way)],
            vec![Event::PointerMoved(end), press(end, false)],
        ];
        for events in frames {
            // All of them in one frame.
            window.input_mut().events.extend(events);
            window.step();
        }
        drop(window);
        assert_eq!(at, Some(end));
    }
}
