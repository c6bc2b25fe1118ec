//! Every route, with who may use it and what it is for.

use axum::routing::{MethodRouter, delete, get, post, put};

use super::auth::Scope;
use super::{App, changes, commands, desired, devices, events, groups, health, openapi, tokens};

/// A route.
pub(super) struct Route {
    /// In lower case, as `OpenAPI` has it.
    pub(super) method: &'static str,
    /// With parameters in braces, as both axum and `OpenAPI` have them.
    pub(super) path: &'static str,
    /// What a token needs; nothing is needed without.
    pub(super) scope: Option<Scope>,
    /// What it does.
    pub(super) summary: &'static str,
    /// Parameters of the query.
    pub(super) query: &'static [Param],
    /// The schema of the body.
    pub(super) body: Option<&'static str>,
    /// The status of success, and the schema of what is answered.
    pub(super) answer: (u16, Option<&'static str>),
    /// What answers.
    pub(super) handler: MethodRouter<App>,
}

/// A parameter of a query.
#[derive(Clone, Copy)]
pub(super) struct Param {
    /// Its name.
    pub(super) name: &'static str,
    /// Its type in JSON Schema.
    pub(super) kind: &'static str,
    /// What it is for.
    pub(super) what: &'static str,
    /// Whether it has to be there.
    pub(super) required: bool,
}

const fn param(name: &'static str, kind: &'static str, what: &'static str) -> Param {
    Param { name, kind, what, required: false }
}

const LIMIT: Param = param("limit", "integer", "Items of a page, 1 to 500; default 50.");
const AFTER: Param = param("after", "string", "The `next` of the page before.");
const PAGED: &[Param] = &[LIMIT, AFTER];

impl Route {
    fn new(method: &'static str, path: &'static str, summary: &'static str, handler: MethodRouter<App>) -> Self {
        Self { method, path, scope: None, summary, query: &[], body: None, answer: (200, None), handler }
    }

    const fn needs(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    const fn takes(mut self, query: &'static [Param]) -> Self {
        self.query = query;
        self
    }

    const fn with_body(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }

    const fn answers(mut self, status: u16, schema: Option<&'static str>) -> Self {
        self.answer = (status, schema);
        self
    }
}

/// Returns every route.
pub(super) fn all() -> Vec<Route> {
    let mut routes = open();
    routes.extend(of_devices());
    routes.extend(of_wishes());
    routes.extend(of_the_fleet());
    routes.extend(of_tokens());
    routes
}

fn open() -> Vec<Route> {
    vec![
        Route::new("get", "/healthz", "Says that the program is there.", get(health::healthz)),
        Route::new("get", "/readyz", "Says whether every part is well; 503 where one is not.", get(health::readyz))
            .answers(200, Some("Readiness")),
        Route::new("get", "/metrics", "Returns figures in Prometheus' text format.", get(health::metrics)),
        Route::new("get", "/api/openapi.json", "Returns this document.", get(openapi::document)),
    ]
}

fn of_devices() -> Vec<Route> {
    const DEVICES: &[Param] = &[
        LIMIT,
        AFTER,
        param("group", "string", "Only members of this group."),
        param("tag", "string", "Only those with this tag."),
        param("online", "boolean", "Only those that are connected, or are not."),
    ];
    const EVENTS: &[Param] = &[
        Param { required: true, ..param("stream", "string", "calls, messages, leads, audit, metrics or logs.") },
        LIMIT,
        AFTER,
        param("kind", "string", "Only events of this kind."),
    ];
    vec![
        Route::new("get", "/api/v1/devices", "Lists devices by name.", get(devices::get_devices))
            .needs(Scope::FleetRead)
            .takes(DEVICES)
            .answers(200, Some("DevicePage")),
        Route::new("get", "/api/v1/devices/{device}", "Shows a device with its last report.", get(devices::get_device))
            .needs(Scope::FleetRead)
            .answers(200, Some("Device")),
        Route::new(
            "get",
            "/api/v1/devices/{device}/streams",
            "Shows how far each stream is stored.",
            get(devices::get_streams),
        )
        .needs(Scope::FleetRead)
        .answers(200, Some("Streams")),
        Route::new("get", "/api/v1/devices/{device}/losses", "Lists numbers that never came.", get(events::get_losses))
            .needs(Scope::FleetRead)
            .answers(200, Some("Losses")),
        Route::new(
            "get",
            "/api/v1/devices/{device}/events",
            "Lists events of a stream in order.",
            get(events::get_events),
        )
        .needs(Scope::EventsRead)
        .takes(EVENTS)
        .answers(200, Some("EventPage")),
        Route::new("put", "/api/v1/devices/{device}/tags/{tag}", "Puts a tag on a device.", put(devices::put_tag))
            .needs(Scope::FleetWrite)
            .answers(204, None),
        Route::new("delete", "/api/v1/devices/{device}/tags/{tag}", "Takes a tag off.", delete(devices::delete_tag))
            .needs(Scope::FleetWrite)
            .answers(204, None),
    ]
}

fn of_wishes() -> Vec<Route> {
    vec![
        Route::new(
            "get",
            "/api/v1/devices/{device}/desired",
            "Shows what is wished of a device.",
            get(desired::get_desired),
        )
        .needs(Scope::FleetRead)
        .answers(200, Some("Desired")),
        Route::new(
            "put",
            "/api/v1/devices/{device}/desired",
            "Changes what is wished, if nobody else did meanwhile; 409 otherwise.",
            put(desired::put_desired),
        )
        .needs(Scope::FleetWrite)
        .with_body("NewDesired")
        .answers(200, Some("Version")),
        Route::new("get", "/api/v1/devices/{device}/commands", "Lists commands.", get(commands::get_commands))
            .needs(Scope::FleetRead)
            .takes(PAGED)
            .answers(200, Some("CommandPage")),
        Route::new("post", "/api/v1/devices/{device}/commands", "Gives a command.", post(commands::post_command))
            .needs(Scope::CommandsWrite)
            .with_body("NewCommand")
            .answers(201, Some("CommandGiven")),
        Route::new(
            "get",
            "/api/v1/devices/{device}/commands/{command}",
            "Shows how far a command is.",
            get(commands::get_command),
        )
        .needs(Scope::FleetRead)
        .answers(200, Some("Command")),
    ]
}

fn of_the_fleet() -> Vec<Route> {
    const CHANGES: &[Param] =
        &[param("after", "integer", "Start behind this change; from now on without. `Last-Event-ID` does the same.")];
    const QUARANTINE: &[Param] = &[LIMIT, AFTER, param("device", "string", "Only of this device.")];
    vec![
        Route::new("get", "/api/v1/groups", "Lists groups.", get(groups::get_groups))
            .needs(Scope::FleetRead)
            .takes(PAGED)
            .answers(200, Some("GroupPage")),
        Route::new("put", "/api/v1/groups/{group}", "Makes or describes a group.", put(groups::put_group))
            .needs(Scope::FleetWrite)
            .with_body("NewGroup")
            .answers(204, None),
        Route::new(
            "delete",
            "/api/v1/groups/{group}",
            "Removes a group; its devices stay.",
            delete(groups::delete_group),
        )
        .needs(Scope::FleetWrite)
        .answers(204, None),
        Route::new(
            "put",
            "/api/v1/groups/{group}/devices/{device}",
            "Adds a device to a group.",
            put(groups::put_member),
        )
        .needs(Scope::FleetWrite)
        .answers(204, None),
        Route::new(
            "delete",
            "/api/v1/groups/{group}/devices/{device}",
            "Takes a device out of a group.",
            delete(groups::delete_member),
        )
        .needs(Scope::FleetWrite)
        .answers(204, None),
        Route::new(
            "get",
            "/api/v1/changes",
            "Follows presence, reports, wishes and commands live, as server-sent events.",
            get(changes::get_changes),
        )
        .needs(Scope::FleetRead)
        .takes(CHANGES),
        Route::new("get", "/api/v1/quarantine", "Lists what was set aside.", get(events::get_quarantine))
            .needs(Scope::EventsRead)
            .takes(QUARANTINE)
            .answers(200, Some("QuarantinePage")),
        Route::new("get", "/api/v1/audit", "Lists who did what.", get(events::get_audit))
            .needs(Scope::AuditRead)
            .takes(PAGED)
            .answers(200, Some("AuditPage")),
    ]
}

fn of_tokens() -> Vec<Route> {
    vec![
        Route::new("get", "/api/v1/tokens", "Lists tokens, without what their owners send.", get(tokens::get_tokens))
            .needs(Scope::TokensWrite)
            .takes(PAGED)
            .answers(200, Some("TokenPage")),
        Route::new("post", "/api/v1/tokens", "Makes a token; it is shown this once.", post(tokens::post_token))
            .needs(Scope::TokensWrite)
            .with_body("NewToken")
            .answers(201, Some("TokenMade")),
        Route::new("delete", "/api/v1/tokens/{token}", "Revokes a token.", delete(tokens::delete_token))
            .needs(Scope::TokensWrite)
            .answers(204, None),
    ]
}
