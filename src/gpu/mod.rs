//! The one device, and tensors as buffers without a copy. Must not know panels.
