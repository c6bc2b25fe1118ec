//! Google: voices (Text-to-Speech v1) and recognizers (Speech-to-Text v2), with a service account.
//!
//! Requests carry tokens that the box signs itself, without asking Google for them first: one round trip less, and one
//! host less that has to be there. Their time of issue is the box's clock, so that a wrong one shows at once.

mod account;
mod hear;
mod speak;

pub use self::account::{CredentialError, ServiceAccount, WallClock};
pub use self::hear::Hearer;
pub use self::speak::{Speaker, probe};
