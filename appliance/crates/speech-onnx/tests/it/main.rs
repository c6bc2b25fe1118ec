//! The recognizer and the diacritizer on real graphs. What needs ONNX Runtime or the shared test data says that it
//! is skipped where they are not there.

mod diacritizer;
mod fixture;
mod front_end;
mod library;
mod support;
mod tiny;
