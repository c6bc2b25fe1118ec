//! What the API can do, as a table: the router and the description are both made of it, so they cannot drift apart.

use std::sync::Arc;
use std::time::Duration;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::once::ANSWERS_FOR;
use super::reply::Page;
use super::request::Paging;
use super::token::Scope;
use crate::app::Parts;

/// Adds a type to the description and returns how to refer to it.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// One thing the API can do.
pub struct Operation {
    pub(super) method: Method,
    /// Below `/api`, with `{id}` where an id stands.
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) scope: Option<Scope>,
    pub(super) query: Option<Describe>,
    pub(super) body: Option<Describe>,
    pub(super) answers: Vec<Described>,
    pub(super) refusals: Vec<u16>,
    pub(super) conditional: bool,
    pub(super) key: Option<Key>,
    pub(super) handler: MethodRouter<Arc<Parts>>,
}

/// The `Idempotency-Key` of an operation.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) known_for: Duration,
    pub(super) is_required: bool,
}

/// An answer of an operation.
pub(super) struct Described {
    pub(super) status: u16,
    pub(super) what: &'static str,
    pub(super) media_type: &'static str,
    pub(super) schema: Option<Describe>,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $method:ident),* $(,)?) => {
        $($(#[$doc])*
        pub fn $name<H, T>(path: &'static str, name: &'static str, summary: &'static str, scope: Scope, handler: H) -> Self
        where
            H: Handler<T, Arc<Parts>>,
            T: 'static,
        {
            Self::new(Method::$method, path, name, summary, Some(scope), on(MethodFilter::$method, handler))
        })*
    };
}

impl Operation {
    operations!(
        /// Describes a GET. `path` is below `/api`; `name` is unique among all operations.
        get = GET,
        /// Describes a POST.
        post = POST,
        /// Describes a PATCH.
        patch = PATCH,
        /// Describes a PUT.
        put = PUT,
        /// Describes a DELETE.
        delete = DELETE,
    );

    pub(super) fn new(
        method: Method,
        path: &'static str,
        name: &'static str,
        summary: &'static str,
        scope: Option<Scope>,
        handler: MethodRouter<Arc<Parts>>,
    ) -> Self {
        Self {
            method,
            path,
            name,
            summary,
            scope,
            query: None,
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            conditional: false,
            key: None,
            handler,
        }
    }

    /// Takes the fields of `Q` as parameters of the query.
    #[must_use]
    pub fn query<Q: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::root_schema_for::<Q>), ..self }
    }

    /// Takes `B` as its body.
    #[must_use]
    pub fn takes<B: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<B>), ..self }
    }

    /// Answers `R` as JSON.
    #[must_use]
    pub fn answers<R: JsonSchema>(mut self, status: u16, what: &'static str) -> Self {
        let schema: Describe = SchemaGenerator::subschema_for::<R>;
        self.answers.push(Described { status, what, media_type: "application/json", schema: Some(schema) });
        self
    }

    /// Answers something else than JSON; `media_type` is empty for nothing at all.
    #[must_use]
    pub fn answers_with(mut self, status: u16, what: &'static str, media_type: &'static str) -> Self {
        self.answers.push(Described { status, what, media_type, schema: None });
        self
    }

    /// Answers a problem with this status, beside those that follow from the rest.
    #[must_use]
    pub fn refuses(mut self, status: u16) -> Self {
        self.refusals.push(status);
        self
    }

    /// Answers 200 with a page of `R`. Takes [`Paging`] unless [`Operation::query`] says what else.
    #[must_use]
    pub fn pages<R: JsonSchema>(self) -> Self {
        let query: Describe = SchemaGenerator::root_schema_for::<Paging>;
        let query = self.query.or(Some(query));
        Self { query, ..self }.answers::<Page<R>>(200, "A page of the list.")
    }

    /// Has an `ETag`: a GET takes `If-None-Match`, anything else needs `If-Match`.
    #[must_use]
    pub fn conditional(self) -> Self {
        Self { conditional: true, ..self }
    }

    /// Takes an `Idempotency-Key`, as [`Once`](super::once::Once) does.
    #[must_use]
    pub fn once(self) -> Self {
        Self { key: Some(Key { known_for: ANSWERS_FOR, is_required: false }), ..self }
    }

    /// Needs an `Idempotency-Key`, which is known for so long.
    #[must_use]
    pub fn needs_key(self, known_for: Duration) -> Self {
        Self { key: Some(Key { known_for, is_required: true }), ..self }
    }
}
