//! Rewards on screen: the kinds there are, what is painted of them, and the handles that move them.

pub mod handles;
pub mod kinds;
pub mod outline;
pub mod picture;
pub mod places;
