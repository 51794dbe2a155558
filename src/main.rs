//! The program: a thin start for the window and the command line.
fn main() {}
