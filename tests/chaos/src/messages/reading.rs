//! What the box shows of its conversations.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::check::{Post, Row, Said, Thread};
use crate::box_api::BoxApi;
use crate::victim::pause;

/// Time between two looks at what waits.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Returns how many answers somebody has, sent or not.
pub(super) async fn answers(api: &BoxApi, contact: &str) -> anyhow::Result<usize> {
    let found = conversations(api).await?.remove(contact);
    let Some((id, _)) = found else { return Ok(0) };
    Ok(rows(api, &id).await?.iter().filter(|row| row.is_answer()).count())
}

/// Waits until everybody is answered and nothing waits to be sent. Returns how long that took; `None` when something is
/// left.
pub(super) async fn settle(
    api: &BoxApi,
    said: &[(String, Vec<Said>)],
    patience: Duration,
) -> anyhow::Result<Option<Duration>> {
    let began = Instant::now();
    loop {
        let found = conversations(api).await?;
        let mut is_settled = true;
        for (contact, said) in said {
            let rows = match found.get(contact) {
                Some((id, _)) => rows(api, id).await?,
                None => Vec::new(),
            };
            let asked = said.iter().filter(|said| said.asks).count();
            is_settled &= rows.iter().filter(|row| row.is_answer()).count() >= asked;
            is_settled &= !rows.iter().any(Row::is_waiting);
        }
        if is_settled {
            return Ok(Some(began.elapsed()));
        }
        if began.elapsed() >= patience {
            return Ok(None);
        }
        pause(LOOK_EVERY).await;
    }
}

/// Puts together what is known of each conversation: what was said, sent and handed over, and what the box shows.
pub(super) async fn threads(
    api: &BoxApi,
    said: Vec<(String, Vec<Said>)>,
    templates: Vec<(String, String)>,
    posts: Vec<(String, Post)>,
) -> anyhow::Result<BTreeMap<String, Thread>> {
    let mut threads: BTreeMap<String, Thread> = BTreeMap::new();
    for (contact, said) in said {
        threads.entry(contact).or_default().said = said;
    }
    for (contact, template) in templates {
        threads.entry(contact).or_default().templates.push(template);
    }
    for (contact, post) in posts {
        threads.entry(contact).or_default().posts.push(post);
    }
    for (contact, (id, answers)) in conversations(api).await? {
        let thread = threads.entry(contact).or_default();
        thread.rows = rows(api, &id).await?;
        thread.is_left_alone = answers == "nobody";
    }
    Ok(threads)
}

/// Returns every conversation by who writes: its name, and who answers.
async fn conversations(api: &BoxApi) -> anyhow::Result<BTreeMap<String, (String, String)>> {
    let items = api.list("/api/whatsapp/conversations").await?;
    let of = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(items.iter().map(|item| (of(item, "contact"), (of(item, "id"), of(item, "answers")))).collect())
}

/// Returns the messages of a conversation, the oldest first.
async fn rows(api: &BoxApi, id: &str) -> anyhow::Result<Vec<Row>> {
    let items = api.list(&format!("/api/whatsapp/conversations/{id}/messages")).await?;
    let row = |item: &Value| {
        let field = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let template = field("template");
        Row {
            is_inbound: field("direction").as_deref() == Some("in"),
            is_template: template.is_some(),
            key: template.or(field("text")).unwrap_or_default(),
            state: field("state").unwrap_or_default(),
        }
    };
    Ok(items.iter().rev().map(row).collect())
}
