//! Tests of the language crate through its public face.

mod comparing;
mod listening;
mod properties;
mod speaking;
