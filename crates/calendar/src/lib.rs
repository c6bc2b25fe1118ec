//! When the office is open, and who answers when it is not.
