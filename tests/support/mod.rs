//! What tests and benches share: a loopback server that speaks the wire format of models.

pub(crate) mod model;
