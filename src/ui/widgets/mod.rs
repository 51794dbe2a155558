//! Small building blocks of the panels.

mod badge;
mod choice;
mod count;
mod held;
mod notice;
mod rows;
mod searched;
mod slider;
mod spinner;
mod strength;
mod time_plot;

pub use badge::{Badge, badge, badge_width};
pub use choice::{check_row, radio_row};
pub use count::count_slider;
pub use held::held_at;
pub use notice::{arrow_button, close_button, notice};
pub use rows::{
    copy_link, key_hint, link, panel_header, section, section_with, slider_row, value_row,
};
pub use searched::{Picked, Searched};
pub use slider::{LogScale, Slid, slider};
pub use spinner::{spin_slowly, spinner, spinner_at};
pub use strength::{strength_row, two_digits};
pub use time_plot::{TimePlot, values_at};
