//! Tests of the receptionist.
