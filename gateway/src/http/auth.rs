//! Who asks, and what they may.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use sea_query::{Expr, ExprTrait as _, Query};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{App, Problem};
use crate::clock::now_ms;

/// What every token starts with, so that it is known where it leaks.
const PREFIX: &str = "kbx_";

/// A thing that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// See devices, groups, wishes, commands, streams and changes.
    #[serde(rename = "fleet:read")]
    FleetRead,
    /// See events and what was set aside: what callers said.
    #[serde(rename = "events:read")]
    EventsRead,
    /// Change groups, tags and wishes.
    #[serde(rename = "fleet:write")]
    FleetWrite,
    /// Give commands.
    #[serde(rename = "commands:write")]
    CommandsWrite,
    /// See who did what.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Make, see and revoke tokens.
    #[serde(rename = "tokens:write")]
    TokensWrite,
}

/// A set of scopes with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the fleet, and nothing of what callers said.
    Viewer,
    /// Works with the fleet.
    Operator,
    /// Does everything.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::FleetRead, Self::EventsRead, Self::FleetWrite, Self::CommandsWrite, Self::AuditRead, Self::TokensWrite];

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FleetRead => "fleet:read",
            Self::EventsRead => "events:read",
            Self::FleetWrite => "fleet:write",
            Self::CommandsWrite => "commands:write",
            Self::AuditRead => "audit:read",
            Self::TokensWrite => "tokens:write",
        }
    }
}

impl Role {
    /// Returns what it may.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Viewer => &[Scope::FleetRead],
            Self::Operator => &[Scope::FleetRead, Scope::EventsRead, Scope::FleetWrite, Scope::CommandsWrite],
            Self::Admin => &Scope::ALL,
        }
    }

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token as its owner has it: shown once, stored as a hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText {
    /// Names the row.
    pub id: String,
    secret: String,
}

impl TokenText {
    /// Makes a token of randomness: 64 bits to name it, 256 bits that nobody guesses.
    pub fn new(id: [u8; 8], secret: [u8; 32]) -> Self {
        Self { id: hex(&id), secret: hex(&secret) }
    }

    /// Returns what its owner sends.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// Returns what is stored. A plain hash will do: there is nothing to guess.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.secret.as_bytes()).to_vec()
    }

    fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex(id, 16) && is_hex(secret, 64)).then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({})", self.id)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's row.
    pub id: String,
    /// The token's name, for the audit.
    pub name: String,
    /// What it may.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Returns how the audit calls it.
    pub fn actor(&self) -> String {
        format!("{} ({})", self.name, self.id)
    }
}

/// Names a scope in the type of a handler.
pub trait Needs: Send + Sync + 'static {
    /// The scope.
    const SCOPE: Scope;
}

/// Makes the marker types.
macro_rules! needs {
    ($($name:ident: $scope:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Debug)]
        pub struct $name;

        impl Needs for $name {
            const SCOPE: Scope = Scope::$scope;
        }
    )*};
}

needs! {
    FleetRead: FleetRead, "Needs [`Scope::FleetRead`].";
    EventsRead: EventsRead, "Needs [`Scope::EventsRead`].";
    FleetWrite: FleetWrite, "Needs [`Scope::FleetWrite`].";
    CommandsWrite: CommandsWrite, "Needs [`Scope::CommandsWrite`].";
    AuditRead: AuditRead, "Needs [`Scope::AuditRead`].";
    TokensWrite: TokensWrite, "Needs [`Scope::TokensWrite`].";
}

/// A caller who has the scope. There is no other way to get one than to show a token that has it.
#[derive(Clone, Debug)]
pub struct Allowed<N: Needs> {
    /// Who asks.
    pub caller: Caller,
    scope: PhantomData<N>,
}

impl<N: Needs> FromRequestParts<App> for Allowed<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let unauthorized = |detail| Problem::new(StatusCode::UNAUTHORIZED, "who are you", detail);
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text =
            header.and_then(|value| value.strip_prefix("Bearer ")).and_then(|text| TokenText::parse(text.trim()));
        let token = text.ok_or_else(|| unauthorized("send 'Authorization: Bearer' and a token"))?;
        let caller =
            find(app, &token).await?.ok_or_else(|| unauthorized("the token is unknown, revoked or expired"))?;
        if !caller.scopes.contains(&N::SCOPE) {
            let detail = format!("the token lacks the scope {}", N::SCOPE);
            return Err(Problem::new(StatusCode::FORBIDDEN, "not allowed", detail).with("scope", N::SCOPE.as_str()));
        }
        Ok(Self { caller, scope: PhantomData })
    }
}

async fn find(app: &App, token: &TokenText) -> Result<Option<Caller>, Problem> {
    let mut select = Query::select();
    select
        .columns(["name", "scopes", "hash"])
        .from("tokens")
        .and_where(Expr::col("id").eq(token.id.as_str()))
        .and_where(Expr::col("revoked_ms").is_null())
        .and_where(Expr::col("expires_ms").is_null().or(Expr::col("expires_ms").gt(now_ms())));
    let Some((name, scopes, hash)): Option<(String, String, Vec<u8>)> = app.database.row(&select).await? else {
        return Ok(None);
    };
    if !bool::from(hash.ct_eq(&token.hash())) {
        return Ok(None);
    }
    let scopes = scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect();
    Ok(Some(Caller { id: token.id.clone(), name, scopes }))
}

#[cfg(test)]
mod tests {
    use super::{Role, Scope, TokenText};

    #[test]
    fn a_token_comes_back_from_its_text_and_does_not_show() {
        let token = TokenText::new([1; 8], [2; 32]);
        assert_eq!(TokenText::parse(&token.expose()), Some(token.clone()));
        assert!(!format!("{token:?}").contains("0202"));
        for text in ["", "kbx_", "kbx_01_02", &token.expose()[1..], &format!("{}0", token.expose())] {
            assert_eq!(TokenText::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_role_may_more_than_the_one_before_and_a_viewer_sees_nothing_that_callers_said() {
        let [viewer, operator, admin] = [Role::Viewer, Role::Operator, Role::Admin].map(Role::scopes);
        assert!(viewer.iter().all(|scope| operator.contains(scope)));
        assert!(operator.iter().all(|scope| admin.contains(scope)));
        assert!(!viewer.contains(&Scope::EventsRead) && !operator.contains(&Scope::TokensWrite));
    }
}
