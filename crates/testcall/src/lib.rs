//! testcall
