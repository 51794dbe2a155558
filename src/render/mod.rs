//! Paint callbacks over buffers, and the pipelines for `shaders/*.wgsl`. Must not know models.
