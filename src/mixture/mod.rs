//! Gaussian mixtures and every closed form. Must not know networks or screens.
