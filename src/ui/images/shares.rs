//! How many of the draws are of which class: in a sentence, beside groups, as bars.

use eframe::egui::{
    Align2, FontId, Label, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2,
};

use crate::engine::{GroupsAnswer, WallAnswer};
use crate::session::WallOrder;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{section_with, value_row};

use super::grid::Group;
use super::hover::bar;

/// Classes that the sentence names.
const NAMED: usize = 4;

/// A group is called by a class alone where so many of its pictures are of it.
const NEARLY_ALL: f64 = 0.9;

/// Classes whose shares stand side by side, and classes that are listed where there are more.
const MOST_BARS: usize = 12;
const LISTED: usize = 8;
const CHART: f32 = 92.0;

/// A digit as a word; other names as they are.
pub fn word(name: &str) -> String {
    const DIGITS: [&str; 10] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    match name.parse::<usize>() {
        Ok(digit) if name.len() == 1 => DIGITS[digit].to_owned(),
        _ => name.to_owned(),
    }
}

/// Without decimals: shares of a few dozen draws have none to show.
fn whole_percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Classes and their shares, the most frequent first.
fn ranked(drawn: &WallAnswer) -> Vec<(usize, f64)> {
    let shares = drawn.figures.shares.iter();
    let mut ranked: Vec<_> = shares
        .copied()
        .enumerate()
        .filter(|(_, share)| *share > 0.0)
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}

/// The first `most` of the classes by their names, the rest together.
fn in_words(named: &[(String, f64)], most: usize) -> String {
    let (named, rest) = named.split_at(most.min(named.len()));
    let rest: f64 = rest.iter().map(|(_, share)| share).sum();
    let other = (rest > 0.0).then(|| ("other".to_owned(), rest));
    let all = named.iter().cloned().chain(other);
    let all = all.map(|(name, share)| format!("{} {name}", whole_percent(share)));
    all.collect::<Vec<_>>().join(", ")
}

/// `62 % nine, 30 % four, 8 % seven`.
pub fn sentence(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(20.0);
        let view = &state.images.view;
        let Some(drawn) = &view.drawn else {
            return;
        };
        let ranked = ranked(drawn);
        if let Some(text) = groups_in_words(state) {
            let text = RichText::new(text)
                .size(size::BODY + 1.0)
                .color(palette.text);
            ui.add(Label::new(text).truncate());
            return;
        }
        let named: Vec<(String, f64)> = ranked
            .iter()
            .map(|(class, share)| (word(&state.images.class_name(*class)), *share))
            .collect();
        // As many by name as have room.
        let font = FontId::proportional(size::BODY + 1.0);
        let (fresh, all) = (view.fresh(), view.tiles.len());
        let part = (fresh < all).then(|| format!("· first {fresh} of {all}"));
        let width = |text: &str, font: &FontId| {
            let (text, font) = (text.to_owned(), font.clone());
            let galley = ui.painter().layout_no_wrap(text, font, palette.text);
            galley.size().x
        };
        let part_width = part.as_ref().map_or(0.0, |text| {
            width(text, &tokens::small_font()) + ui.spacing().item_spacing.x
        });
        let room = (ui.available_width() - part_width).max(0.0);
        let fits = |text: &str| width(text, &font) <= room;
        let mut texts = (1..=NAMED).rev().map(|most| in_words(&named, most));
        // The shortest is cut where not even that has room.
        let text = texts.find(|text| fits(text));
        let text = text.unwrap_or_else(|| in_words(&named, 1));
        let text = RichText::new(text).font(font.clone()).color(palette.text);
        ui.scope(|ui| {
            ui.set_max_width(room);
            ui.add(Label::new(text).truncate());
        });
        if let Some(text) = part {
            ui.label(
                RichText::new(text)
                    .size(size::SMALL)
                    .color(palette.text_faint),
            );
        }
    });
}

/// What a group of similar pictures is called: by its commonest class, where there is a classifier.
fn group_name(state: &State, answer: &GroupsAnswer, cluster: usize) -> String {
    match answer.mostly.get(cluster).copied().flatten() {
        Some((class, share)) => {
            let name = word(&state.images.class_name(class));
            if share >= NEARLY_ALL {
                name
            } else {
                format!("mostly {name}")
            }
        }
        None => format!("group {}", cluster + 1),
    }
}

/// `62 % nine, 30 % mostly four, 8 % seven`, while the wall stands in groups.
fn groups_in_words(state: &State) -> Option<String> {
    if state.session.images.order != WallOrder::Groups {
        return None;
    }
    let answer = state.images.groups.answer.as_ref()?;
    let shares = answer.clusters.shares();
    let each = shares.iter().enumerate().map(|(cluster, share)| {
        let name = group_name(state, answer, cluster);
        format!("{} {name}", whole_percent(*share))
    });
    Some(each.collect::<Vec<_>>().join(", "))
}

/// Beside a group of the wall: its class and its share.
pub fn group_label(ui: &mut Ui, state: &State, group: &Group, rect: Rect) {
    let palette = tokens::palette(ui);
    let answer = state.images.groups.answer.as_ref();
    let name = match (group.class, group.cluster.zip(answer)) {
        (Some(class), _) => word(&state.images.class_name(class)),
        (None, Some((cluster, answer))) => group_name(state, answer, cluster),
        (None, None) if state.session.images.order == WallOrder::Groups => "new".to_owned(),
        (None, None) => "not judged".to_owned(),
    };
    let share = group.items.len() as f64 / state.images.view.tiles.len().max(1) as f64;
    let text = whole_percent(share);
    let response = ui.interact(
        rect,
        ui.scope_id().with(("group", group.class, group.cluster)),
        Sense::hover(),
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name} {text}")));
    let painter = ui.painter();
    let at = rect.left_top();
    let color = palette.text_strong;
    painter.text(at, Align2::LEFT_TOP, &name, tokens::strong_font(), color);
    let room = rect.height() >= 32.0;
    let (at, anchor) = if room {
        (at + vec2(0.0, 17.0), Align2::LEFT_TOP)
    } else {
        (rect.right_top() + vec2(-10.0, 1.0), Align2::RIGHT_TOP)
    };
    let color = palette.text_quiet;
    painter.text(at, anchor, text, tokens::small_font(), color);
}

/// Shares as upright bars over their names.
fn chart(ui: &mut Ui, names: &[String], shares: &[f64]) {
    let palette = tokens::palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), CHART), Sense::hover());
    let spoken: Vec<String> = names
        .iter()
        .zip(shares)
        .filter(|(_, share)| **share > 0.0)
        .map(|(name, share)| format!("{} {}", word(name), whole_percent(*share)))
        .collect();
    let spoken = format!("Shares: {}", spoken.join(", "));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    let painter = ui.painter();
    let step = rect.width() / names.len().max(1) as f32;
    let (top, base) = (rect.top() + 15.0, rect.bottom() - 17.0);
    let most = shares.iter().copied().fold(0.0, f64::max).max(1e-9);
    for (index, (name, share)) in names.iter().zip(shares).enumerate() {
        let x = rect.left() + (index as f32 + 0.5) * step;
        let height = (base - top) * (*share / most) as f32;
        let bar = Rect::from_min_max(
            pos2(x - step * 0.34, base - height.max(1.0)),
            pos2(x + step * 0.34, base),
        );
        let color = if *share > 0.0 {
            palette.learned
        } else {
            palette.control_active
        };
        painter.rect_filled(bar, 1.5, color);
        if *share >= 0.005 {
            painter.text(
                bar.center_top() - vec2(0.0, 2.0),
                Align2::CENTER_BOTTOM,
                format!("{:.0}", share * 100.0),
                tokens::tick_font(),
                palette.text_quiet,
            );
        }
        let at = pos2(x, base + 3.0);
        let color = palette.text;
        painter.text(at, Align2::CENTER_TOP, name, tokens::small_font(), color);
    }
}

/// Shares of all classes as bars, and how different the draws are.
pub fn section(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let drawn = state.images.view.drawn.clone();
    let count = drawn.as_ref().map_or(0, |drawn| drawn.len());
    let right = |ui: &mut Ui| {
        if count > 0 {
            let text = format!("% of {} draws", format::count(count as u64));
            ui.label(
                RichText::new(text)
                    .size(size::SMALL)
                    .color(palette.text_faint),
            );
        }
    };
    section_with(ui, "Shares", right, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let Some(drawn) = &drawn else {
            return;
        };
        if drawn.figures.judged.is_none() {
            let text = "There is no classifier for these pictures: shares, labels and their order need one.";
            let text = RichText::new(text)
                .size(size::SMALL)
                .color(palette.text_quiet);
            ui.add(Label::new(text).wrap());
            return;
        }
        let names: Vec<String> = (0..drawn.figures.shares.len())
            .map(|class| state.images.class_name(class))
            .collect();
        if names.len() <= MOST_BARS && names.iter().all(|name| name.chars().count() <= 2) {
            chart(ui, &names, &drawn.figures.shares);
        } else {
            for (class, share) in ranked(drawn).into_iter().take(LISTED) {
                bar(ui, &word(&names[class]), share as f32);
            }
        }
    });
    let Some(drawn) = drawn else {
        return;
    };
    section_with(
        ui,
        "Diversity",
        |_| {},
        |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            value_row(
                ui,
                "pixel distance",
                format::fixed(drawn.figures.pairwise, 3),
            );
            if drawn.figures.judged.is_some() {
                value_row(
                    ui,
                    "feature distance",
                    format::fixed(drawn.figures.pairwise_features, 3),
                );
                let bits = format!("{} bits", format::fixed(drawn.figures.entropy, 2));
                value_row(ui, "label entropy", bits);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_in_the_sentence_is_counted_as_other() {
        let shares = [("nine", 0.62), ("four", 0.3), ("seven", 0.08)];
        let shares = shares.map(|(name, share)| (name.to_owned(), share));
        assert_eq!(in_words(&shares, 4), "62 % nine, 30 % four, 8 % seven");
        assert_eq!(in_words(&shares, 1), "62 % nine, 38 % other");
        assert_eq!(in_words(&[], 4), "");
    }

    #[test]
    fn digits_are_words_and_other_names_stay() {
        assert_eq!(word("9"), "nine");
        assert_eq!(word("0"), "zero");
        assert_eq!(word("12"), "12");
        assert_eq!(word("truck"), "truck");
    }
}
