//! The `MetaFlowMap` trait and the networks. Must not know files or screens.
