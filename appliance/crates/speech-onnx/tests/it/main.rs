//! The recognizer and the diacritizer on real graphs. What needs ONNX Runtime or the shared test data says that it
//! is skipped where they are not there.
#![cfg(test)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "test signals are made of small numbers"
)]

mod diacritizer;
mod fixture;
mod front_end;
mod library;
mod mini;
mod support;
mod tiny;
mod voice;
