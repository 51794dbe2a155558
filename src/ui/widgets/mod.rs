//! Small building blocks of the panels.

mod badge;
mod log_slider;
mod notice;
mod rows;

pub use badge::{Badge, badge};
pub use log_slider::log_slider;
pub use notice::{close_button, notice};
pub use rows::{
    check_row, key_hint, link, radio_row, section, section_with, slider_row, value_row,
};
