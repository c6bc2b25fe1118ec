//! Everything about Hebrew and English text that needs no model.
//!
//! On the way out, what the agent says: [`sentences`] cuts the streamed reply, [`normalize`] turns digits, times, money
//! and abbreviations into words, [`readings`] points the words that a model would read wrongly, [`phonemes`] reads pointed
//! Hebrew for the voice. Pointing the rest is a model's work and
//! not done here; only number words and abbreviations come pointed.
//!
//! On the way in, what the caller said: [`digits`] finds numbers in words, [`phone`] knows how long telephone numbers
//! are, [`intent`] understands short answers, [`completeness`] tells whether more is to come. [`compare`] measures word
//! errors, [`script`] tells the languages apart, [`summary`] says what a message is about.
//!
//! Everything is a function of its arguments. The crate knows no model, no audio and no call.
//!
//! **Invariant:** no function panics, whatever the text.
//! **Invariant:** digits a caller spoke leave this crate inside [`units::Pii`].
#![no_std]

extern crate alloc;

pub mod compare;
pub mod completeness;
pub mod digits;
pub mod intent;
pub mod normalize;
pub mod numbers;
pub mod phone;
pub mod phonemes;
pub mod readings;
pub mod script;
pub mod sentences;
pub mod summary;

mod phrases;
mod words;
