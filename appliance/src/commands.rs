//! What the program can do, one module each. Thin: they print, the rest decides.

pub mod bench;
pub mod call;
pub mod demo;
pub mod doctor;
pub mod models;
pub mod replay;
pub mod run;
pub mod token;

mod arrived;
mod boxed;
mod callers;
mod clouds;
mod gateway;
mod output;
mod target;
mod transcript;
mod voices;
