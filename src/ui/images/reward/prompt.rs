//! What pictures should show, in words. It is applied on Enter or when the field is left: each prompt has to be read by a
//! text tower, which takes seconds.

use eframe::egui::{Event, Key, Label, RichText, TextEdit, Ui, WidgetInfo};

use crate::reward::picture::{PictureTerm, Prompt};
use crate::ui::tokens::{self, size, space};

/// What is being typed.
#[derive(Clone)]
struct Draft {
    text: String,
    /// The prompt that it began as: a draft of another term is none of this one.
    of: Prompt,
    /// What is wrong with it, once it was left.
    trouble: Option<String>,
}

/// Shows the prompt of a term that has one; changes it where another was typed.
pub fn show(ui: &mut Ui, term: &mut PictureTerm) {
    let Some(current) = term.prompt().cloned() else {
        return;
    };
    let name = format!("Prompt of {}", term.kind().title);
    let hint = "what the picture should show";
    let id = ui.scope_id().with("prompt");
    let draft: Option<Draft> = ui.data(|data| data.get_temp(id)).flatten();
    let mut draft = draft
        .filter(|draft| draft.of == current)
        .unwrap_or_else(|| Draft {
            text: current.text().to_owned(),
            of: current.clone(),
            trouble: None,
        });
    // Long ones are read whole; Enter makes no line.
    let edit = TextEdit::multiline(&mut draft.text)
        .return_key(None)
        .desired_rows(1)
        .id(id.with("field"))
        .desired_width(f32::INFINITY)
        // More is refused; this keeps what is pasted within bounds.
        .char_limit(2 * Prompt::MAX_BYTES)
        .hint_text(hint);
    let response = ui
        .add(edit)
        .on_hover_text("Enter applies it; Escape takes it back.");
    let text = draft.text.clone();
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, "", &text, hint);
        info.label = Some(name.clone());
        info
    });
    if response.changed() {
        draft.trouble = None;
    }
    let mut keep = response.has_focus() || draft.trouble.is_some();
    let is_entered = response.has_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if is_entered {
        response.surrender_focus();
    }
    if response.lost_focus() || is_entered {
        keep = false;
        // Among the raw events: shortcuts have taken the key out of the others.
        let is_taken_back = ui.input(|input| input.raw.events.iter().any(is_escape));
        if !is_taken_back && draft.text != current.text() {
            match Prompt::new(&draft.text) {
                Ok(prompt) => *term = term.with_prompt(prompt),
                Err(trouble) => {
                    draft.trouble = Some(trouble);
                    keep = true;
                }
            }
        }
    }
    if let Some(trouble) = &draft.trouble {
        let error = tokens::palette(ui).error;
        let text = RichText::new(trouble).size(size::SMALL).color(error);
        ui.add(Label::new(text).wrap());
    }
    ui.add_space(space::ROW);
    ui.data_mut(|data| data.insert_temp(id, keep.then_some(draft)));
}

fn is_escape(event: &Event) -> bool {
    matches!(
        event,
        Event::Key {
            key: Key::Escape,
            pressed: true,
            ..
        }
    )
}
