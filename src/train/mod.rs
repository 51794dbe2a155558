//! Losses, forward-mode derivatives, the optimisation loop. Must not know screens.
