//! A whole box in this process, and a carrier that rings it: what the end-to-end tests stand on.
//!
//! [`TestBox`] builds the real [`appliance::app::App`] on a free port with a store of its own and scripted engines,
//! and beside it a [`testcall::Carrier`] whose REST interface the box is told of. [`PhraseBook`] is a language of
//! tones that a caller speaks and a recognizer understands without a model. [`Socket`] is a media stream by hand, for
//! what a proper carrier would never send. [`Cloud`] is the gateway's program as a process of its own, with its API.
//!
//! **Invariant:** nothing here waits for a time; [`wait_until`] waits for a state, with a deadline.

mod api;
mod cloud;
mod phrases;
mod running;
pub mod schema;
mod socket;
mod wait;

pub use self::api::ApiClient;
pub use self::cloud::{Cloud, DEVICE};
pub use self::phrases::PhraseBook;
pub use self::running::{ACCOUNT, Answer, BoxOptions, KEY, TestBox, engines, incoming_params};
pub use self::socket::{Came, Socket};
pub use self::wait::{PATIENCE, wait_until};
