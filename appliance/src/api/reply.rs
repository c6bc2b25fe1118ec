//! What is answered when all is well.

use std::fmt::Display;

use axum::extract::OriginalUri;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;
use super::request::Conditions;
use super::token::hex;

/// A strong entity tag (RFC 9110 section 8.8.3): names one version of a resource, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// Makes a tag of a version: letters, digits and `-`.
    pub fn new(version: impl Display) -> Self {
        Self(format!("\"{version}\""))
    }

    /// Makes a tag of the content itself.
    pub fn of(content: &impl Serialize) -> Self {
        let digest = Sha256::digest(serde_json::to_vec(content).unwrap_or_default());
        Self::new(hex(digest.get(..12).unwrap_or_default()))
    }

    /// Returns the tag with its quotation marks.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns it as a header's value.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::try_from(&self.0).unwrap_or_else(|_not_ascii| HeaderValue::from_static("\"\""))
    }
}

/// Answers a single resource with its version, or 304 to whoever has it already.
pub fn single(conditions: &Conditions, etag: &ETag, resource: &impl Serialize) -> Response {
    if conditions.has(etag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag.value())]).into_response();
    }
    ([(header::ETAG, etag.value())], axum::Json(resource)).into_response()
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to send as `after` for the next page; null on the last one.
    pub next: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// Makes a page of at most `count` items out of what was read: one more than that, to know whether there are more.
    /// `key` is where an item stands in the list.
    pub fn of<K: Display>(mut items: Vec<T>, count: usize, key: impl Fn(&T) -> K) -> Self {
        let more = items.len() > count;
        items.truncate(count);
        let next = items.last().filter(|_| more).map(|last| write_cursor(&key(last)));
        Self { items, next }
    }

    /// Answers the page, with a link to the next one (RFC 8288).
    pub fn answer(&self, asked: &OriginalUri) -> Response {
        let mut response = axum::Json(self).into_response();
        if let Some(link) = self.next.as_ref().and_then(|next| next_link(asked, next)) {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

fn next_link(asked: &OriginalUri, next: &str) -> Option<HeaderValue> {
    let kept = form_urlencoded::parse(asked.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name != "after");
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair("after", next).finish();
    HeaderValue::try_from(format!("<{}?{query}>; rel=\"next\"", asked.path())).ok()
}

/// Writes where a list goes on, so that nobody takes it for anything else.
pub fn write_cursor(key: &impl Display) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

/// Reads it back; `None` for anything else.
pub(super) fn read_cursor(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// What a handler returns: an answer, or why there is none.
pub type Answer = Result<Response, Problem>;

#[cfg(test)]
mod tests {
    use axum::extract::OriginalUri;

    use super::{ETag, Page, read_cursor};

    #[test]
    fn a_page_knows_whether_there_are_more() {
        let page = Page::of(vec![3, 2, 1], 2, |item| *item);
        assert_eq!(page.items, [3, 2]);
        assert_eq!(read_cursor(page.next.as_deref().unwrap()).unwrap(), "2");
        assert_eq!(Page::of(vec![2, 1], 2, |item| *item).next, None);
        let asked = OriginalUri("/api/leads?q=%D7%93%D7%A0%D7%94&after=zzz&limit=2".parse().unwrap());
        let response = page.answer(&asked);
        let link = response.headers()["link"].to_str().unwrap();
        assert_eq!(link, "</api/leads?q=%D7%93%D7%A0%D7%94&limit=2&after=Mg>; rel=\"next\"");
    }

    #[test]
    fn a_tag_changes_with_the_content() {
        assert_eq!(ETag::of(&"a"), ETag::of(&"a"));
        assert_ne!(ETag::of(&"a"), ETag::of(&"b"));
        assert_eq!(ETag::new(7).as_str(), "\"7\"");
    }
}
