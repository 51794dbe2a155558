//! Distances, occupancies and counters. Must not know screens.
