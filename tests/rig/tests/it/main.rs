//! The servers and the bad network, as tests use them.

mod proxy;
mod servers;
