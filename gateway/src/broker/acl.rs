//! Who may do what on which topic. Pure; the broker asks it for every publish, every will and every subscription.
//!
//! The same rules stand in `deploy/` as access lists for brokers of others; a test holds the two together.

use protocol::{DeviceId, Topic, device_may_publish, device_may_subscribe};

/// What every topic starts with: the protocol's name and version.
const ROOT: [&str; 2] = ["kolbox", "v1"];

/// Whom a connection speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A device, by the id its certificate names.
    Device(DeviceId),
    /// One of the gateway's own workers.
    Worker,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To publish to a topic, or to leave a will for it.
    Publish,
    /// To subscribe to a filter, shared (`$share/…`) or not.
    Subscribe,
}

/// Returns whether `identity` may do `action` on `topic`, which is a filter where the action is to subscribe.
///
/// A device publishes what it owns and subscribes to what the gateway tells it, each in its own subtree. A worker reads
/// everything below the root and writes every document that the broker keeps: it must also be able to clear what a
/// device left behind when the device is removed. Events come from devices only.
pub fn allowed(identity: &Identity, action: Action, topic: &str) -> bool {
    match (identity, action) {
        (Identity::Device(device), Action::Publish) => device_may_publish(device, topic),
        (Identity::Device(device), Action::Subscribe) => device_may_subscribe(device, topic),
        (Identity::Worker, Action::Publish) => topic.parse().is_ok_and(|topic: Topic| topic.is_retained()),
        (Identity::Worker, Action::Subscribe) => is_below_root(unshared(topic)),
    }
}

/// Returns the filter behind `$share/{group}/`, or the filter itself.
fn unshared(filter: &str) -> &str {
    filter
        .strip_prefix("$share/")
        .and_then(|shared| shared.split_once('/'))
        .filter(|(group, _)| !group.is_empty() && !group.contains(['+', '#']))
        .map_or(filter, |(_, filter)| filter)
}

fn is_below_root(filter: &str) -> bool {
    let mut levels = filter.split('/');
    ROOT.iter().all(|root| levels.next() == Some(root)) && levels.next().is_some()
}

#[cfg(test)]
mod tests;
