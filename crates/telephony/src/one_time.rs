//! One-time tokens that let a media stream in.
//!
//! The answer to a verified webhook names a token; the carrier brings it back in the media stream, as a path segment
//! of the WebSocket or as a stream parameter. A token is good for one call, one time, and a short while. Whoever did
//! not see the markup cannot know it, so a stranger cannot open a stream.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use units::CallId;

/// Bytes of randomness in a token: 192 bits, 32 characters.
pub const TOKEN_RANDOM_BYTES: usize = 24;

/// Characters of a token.
pub const TOKEN_LEN: usize = 32;

/// Limits of a [`TokenTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    /// How long a token is good for. Default 2 minutes: the greeting is played before the stream starts.
    pub lifetime: Duration,
    /// Most tokens waiting to be used. Default 1,024.
    pub capacity: usize,
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self { lifetime: Duration::from_mins(2), capacity: 1_024 }
    }
}

/// A token, safe in a URL path. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamToken(String);

impl StreamToken {
    /// Returns the token as text, to be written into the markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Tokens issued and not yet used. Times are counted from any fixed moment.
#[derive(Clone)]
pub struct TokenTable {
    config: TokenConfig,
    waiting: Vec<Waiting>,
}

/// One token.
#[derive(Clone)]
struct Waiting {
    call_id: CallId,
    token: [u8; TOKEN_LEN],
    issued: Duration,
}

impl TokenTable {
    /// Returns an empty table.
    pub const fn new(config: TokenConfig) -> Self {
        Self { config, waiting: Vec::new() }
    }

    /// Issues a token for a call out of random bytes; an earlier token of the same call is no longer good.
    ///
    /// # Errors
    ///
    /// When too many tokens wait to be used. The call should then go to voicemail.
    pub fn issue(
        &mut self,
        now: Duration,
        call_id: CallId,
        random: [u8; TOKEN_RANDOM_BYTES],
    ) -> Result<StreamToken, IssueError> {
        self.waiting.retain(|waiting| waiting.call_id != call_id);
        self.forget_old(now);
        if self.waiting.len() >= self.config.capacity {
            return Err(IssueError { capacity: self.config.capacity });
        }
        let text = URL_SAFE_NO_PAD.encode(random);
        let token = text.as_bytes().first_chunk().copied().unwrap_or([0; TOKEN_LEN]);
        self.waiting.push(Waiting { call_id, token, issued: now });
        Ok(StreamToken(text))
    }

    /// Uses up a token and returns the call it was issued for. The stream's `start` has to name the same call.
    pub fn redeem(&mut self, now: Duration, token: &str) -> Result<CallId, RedeemError> {
        let Some(index) = self.find(token) else { return Err(RedeemError::Unknown) };
        let waiting = self.waiting.swap_remove(index);
        if now.saturating_sub(waiting.issued) >= self.config.lifetime {
            return Err(RedeemError::Expired);
        }
        Ok(waiting.call_id)
    }

    /// Uses up a token for a call that is already known. A token of another call is refused and stays good.
    pub fn redeem_for(&mut self, now: Duration, call_id: &CallId, token: &str) -> Result<(), RedeemError> {
        let other = self.find(token).and_then(|index| self.waiting.get(index)).is_some_and(|w| w.call_id != *call_id);
        if other {
            return Err(RedeemError::OtherCall);
        }
        self.redeem(now, token).map(|_| ())
    }

    /// Takes back the token of a call that ended or is served otherwise.
    pub fn revoke(&mut self, call_id: &CallId) {
        self.waiting.retain(|waiting| waiting.call_id != *call_id);
    }

    /// Returns whether a token would let somebody in, without using it up.
    pub fn is_waiting(&self, now: Duration, token: &str) -> bool {
        let waiting = self.find(token).and_then(|index| self.waiting.get(index));
        waiting.is_some_and(|waiting| now.saturating_sub(waiting.issued) < self.config.lifetime)
    }

    /// Returns how many tokens wait to be used, expired ones included.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether no token waits to be used.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Finds a token, looking at every byte of every one, so that the time taken does not tell how much was right.
    fn find(&self, token: &str) -> Option<usize> {
        let given: &[u8; TOKEN_LEN] = token.as_bytes().try_into().ok()?;
        let mut found = u64::MAX;
        for (index, waiting) in (0_u64..).zip(&self.waiting) {
            found.conditional_assign(&index, waiting.token.ct_eq(given));
        }
        usize::try_from(found).ok().filter(|index| *index < self.waiting.len())
    }

    /// Forgets tokens that are no longer good.
    fn forget_old(&mut self, now: Duration) {
        let lifetime = self.config.lifetime;
        self.waiting.retain(|waiting| now.saturating_sub(waiting.issued) < lifetime);
    }
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenTable").field("config", &self.config).field("waiting", &self.waiting.len()).finish()
    }
}

/// Too many tokens wait to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{capacity} stream tokens are waiting already")]
pub struct IssueError {
    /// The limit.
    pub capacity: usize,
}

/// Why a token does not let a stream in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedeemError {
    /// It was never issued, or was used already.
    #[error("stream token is unknown or was used")]
    Unknown,
    /// It is too old.
    #[error("stream token has expired")]
    Expired,
    /// It was issued for another call.
    #[error("stream token belongs to another call")]
    OtherCall,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: TokenConfig = TokenConfig { lifetime: Duration::from_mins(1), capacity: 3 };

    #[test]
    fn a_token_lets_one_stream_in_once() {
        let (mut table, token) = with_one_token();
        assert!(token.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(token.as_str().len(), TOKEN_LEN);
        assert_eq!(table.redeem(Duration::from_secs(59), token.as_str()), Ok(call("CA1")));
        assert_eq!(table.redeem(Duration::from_secs(59), token.as_str()), Err(RedeemError::Unknown));
    }

    #[test]
    fn a_token_is_good_for_its_call_only_and_survives_a_wrong_one() {
        let (mut table, token) = with_one_token();
        let now = Duration::from_secs(1);
        assert_eq!(table.redeem_for(now, &call("CA2"), token.as_str()), Err(RedeemError::OtherCall));
        assert_eq!(table.redeem_for(now, &call("CA1"), token.as_str()), Ok(()));
        assert!(table.is_empty());
    }

    #[test]
    fn an_old_token_is_refused_and_gone() {
        let (mut table, token) = with_one_token();
        assert_eq!(table.redeem(Duration::from_mins(1), token.as_str()), Err(RedeemError::Expired));
        assert_eq!(table.redeem(Duration::ZERO, token.as_str()), Err(RedeemError::Unknown));
    }

    #[test]
    fn almost_right_is_wrong() {
        let (mut table, token) = with_one_token();
        let text = token.as_str();
        let mut last_changed = text.to_owned();
        last_changed.pop();
        for wrong in ["", &last_changed, &format!("{last_changed}~"), &format!("{text}A"), &text.to_lowercase()] {
            assert_eq!(table.redeem(Duration::ZERO, wrong), Err(RedeemError::Unknown), "{wrong}");
        }
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_second_token_replaces_the_first_and_a_full_table_says_so() {
        let (mut table, first) = with_one_token();
        let second = table.issue(Duration::ZERO, call("CA1"), [9; 24]).unwrap();
        assert_eq!(table.redeem(Duration::ZERO, first.as_str()), Err(RedeemError::Unknown));
        for (name, byte) in [("CA2", 2), ("CA3", 3)] {
            table.issue(Duration::ZERO, call(name), [byte; 24]).unwrap();
        }
        assert_eq!(table.issue(Duration::ZERO, call("CA4"), [4; 24]), Err(IssueError { capacity: 3 }));
        assert_eq!(table.redeem(Duration::ZERO, second.as_str()), Ok(call("CA1")));
        assert!(table.issue(Duration::from_secs(90), call("CA4"), [4; 24]).is_ok());
        assert_eq!(table.len(), 1);
        table.revoke(&call("CA4"));
        assert!(table.is_empty());
    }

    #[test]
    fn tokens_do_not_show() {
        let (table, token) = with_one_token();
        let shown = format!("{table:?} {token:?}");
        assert!(!shown.contains(token.as_str()), "{shown}");
    }

    fn with_one_token() -> (TokenTable, StreamToken) {
        let mut table = TokenTable::new(CONFIG);
        let token = table.issue(Duration::ZERO, call("CA1"), *b"Kj3-random-bytes-24-long").unwrap();
        (table, token)
    }

    fn call(name: &str) -> CallId {
        name.parse().unwrap()
    }
}
