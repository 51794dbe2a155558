//! Model files: read, write, inspect. Must not know screens.
