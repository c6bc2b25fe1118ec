//! Hebrew and English text.
#![no_std]

extern crate alloc;

pub mod phonemes;
