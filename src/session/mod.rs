//! What a person would want back: serialisable documents and history. Must not know tensors or screens.
