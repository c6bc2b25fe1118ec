//! receptionist
