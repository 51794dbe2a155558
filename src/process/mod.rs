//! The interpolant, `sigma_t`, conversions, time grids and addressed noise. Must not know networks, files or screens.
