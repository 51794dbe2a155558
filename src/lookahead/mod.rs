//! Ways to look from `x_t` to `x1`. Must not know rewards or screens.
