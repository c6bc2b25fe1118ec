//! `OpenAI` and Google as they look from a box, with their faults: support for tests, over real HTTP on this machine.
//!
//! [`Cloud`] is both providers on one port. It takes requests as they do (keys, signed tokens, fields, limits) and
//! refuses in their words; it hears by looking its [`Clips`] up, replies by [`ChatRule`]s, and speaks with a voice that
//! is given to it. [`Graph`] is Meta's Cloud API for messages, on a port of its own. [`Behaviour`] says what goes wrong, for each [`Service`]; [`Nowhere`] is a place where there is no
//! provider at all.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use fakes::{Behaviour, Cloud, CloudConfig, Fault, Service};
//!
//! let cloud = Cloud::start(CloudConfig::default()).await?;
//! cloud.set(Service::Chat, Behaviour { after_items: 3, ..Behaviour::faulty(Fault::StallMidStream) });
//! // ... a client of `cloud.openai_url()` now hears three events and then nothing.
//! assert_eq!(cloud.requests(Service::Chat), 0);
//! cloud.stop().await;
//! # Ok::<(), std::io::Error>(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`crm::Crm`] is a receiver of what the box tells the office's CRM, with faults of its own.
//!
//! The crate knows no client: what it expects of one is in the providers' documents, not in our code.
//!
//! **Invariant:** nothing here is reachable from another machine, and none of its keys opens anything.

mod answer;
mod behaviour;
mod clips;
mod cloud;
mod credentials;
pub mod crm;
mod google;
mod graph;
mod nowhere;
mod openai;
mod voice;

pub use crate::behaviour::{Behaviour, Fault, SLOW_FIRST_BYTE, Service};
pub use crate::clips::Clips;
pub use crate::cloud::{Cloud, CloudConfig, Speak};
pub use crate::credentials::Credentials;
pub use crate::graph::{Graph, GraphFault};
pub use crate::nowhere::{BadPlace, Nowhere};
pub use crate::openai::ChatRule;
