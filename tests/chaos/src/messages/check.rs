//! What was acknowledged and handed over against what the box shows.

mod align;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::align::{Cost, align};
use super::herald::Status;
use crate::box_report::{self, Examples};

/// A text that the box acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The words, which its writer says once only.
    pub(super) text: String,
    /// Whether it is to be answered.
    pub(super) asks: bool,
}

/// A message of the box that the provider took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Post {
    /// The provider's name for it.
    pub(super) name: String,
    /// The words, or the name of the template.
    pub(super) key: String,
}

/// A message as the box shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) is_inbound: bool,
    pub(super) is_template: bool,
    /// The words, or the name of the template.
    pub(super) key: String,
    /// The box's word for where it stands.
    pub(super) state: String,
}

impl Row {
    /// Tells whether it answers a text.
    pub(super) const fn is_answer(&self) -> bool {
        !self.is_inbound && !self.is_template
    }

    /// Tells whether it is still to be sent.
    pub(super) fn is_waiting(&self) -> bool {
        !self.is_inbound && ["queued", "sending"].contains(&self.state.as_str())
    }

    fn is_uncertain(&self) -> bool {
        self.state == "uncertain"
    }

    /// Tells whether it says that nothing was handed over.
    fn is_unsent(&self) -> bool {
        self.is_waiting() || ["refused", "withdrawn"].contains(&self.state.as_str())
    }
}

/// A conversation, from both sides.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    /// What the box acknowledged of the other side, in order.
    pub(super) said: Vec<Said>,
    /// The templates that the box acknowledged.
    pub(super) templates: Vec<String>,
    /// What the provider took, in order.
    pub(super) posts: Vec<Post>,
    /// What the box shows, the oldest first.
    pub(super) rows: Vec<Row>,
    /// Whether the box says that the other side wants no messages.
    pub(super) is_left_alone: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// Texts and templates that the box acknowledged.
    pub(crate) acknowledged: u64,
    /// Texts that were delivered after the box had taken them.
    pub(crate) repeated: u64,
    /// Messages that the provider took.
    pub(crate) sent: u64,
    /// Messages of which the box does not know whether they were sent.
    pub(crate) uncertain: u64,
    /// Those of them that were.
    pub(crate) uncertain_sent: u64,
    /// Messages that were not sent, because somebody opted out meanwhile or the provider refused.
    pub(crate) refused: u64,
    /// People who want no messages in the end.
    pub(crate) opted_out: u64,
    /// How often the box was told what became of a message.
    pub(crate) statuses: u64,
    /// Acknowledged, and not in the conversation.
    pub(crate) lost: u64,
    /// In the conversation, but more often than they were said.
    pub(crate) doubled: u64,
    /// Texts that stand before one that was said earlier.
    pub(crate) out_of_order: u64,
    /// Texts that wait for an answer for ever.
    pub(crate) unanswered: u64,
    /// Answers that nobody asked for.
    pub(crate) unasked: u64,
    /// Handed over, but no row of the box stands for it: a second time, or in another order.
    pub(crate) twice: u64,
    /// Shown as sent, and never handed over.
    pub(crate) never_sent: u64,
    /// Shown in another state than the furthest that was told.
    pub(crate) stale: u64,
    /// People who are written to though they opted out, or not though they came back.
    pub(crate) wishes_forgotten: u64,
    /// Some of what is wrong, in words.
    examples: Examples,
}

impl box_report::Findings for Findings {
    const NAME: &'static str = "messages";
    const PROMISE: &'static str = "every text is there and answered, nothing was sent twice";

    fn is_good(&self) -> bool {
        let wrong = [self.lost, self.doubled, self.out_of_order, self.unanswered, self.unasked];
        let also = [self.twice, self.never_sent, self.stale, self.wishes_forgotten];
        wrong.iter().chain(&also).all(|count| *count == 0) && self.acknowledged > 0
    }

    fn figures(&self) -> Vec<(&'static str, u64, &'static str)> {
        vec![
            ("acknowledged", self.acknowledged, "texts of people, templates of the office"),
            ("delivered again", self.repeated, "after they were acknowledged, or twice at once"),
            ("sent", self.sent, "as the provider counts"),
            ("uncertain", self.uncertain, "shown as such, and not sent again"),
            ("uncertain, sent", self.uncertain_sent, "as the provider knows"),
            ("refused", self.refused, ""),
            ("opted out", self.opted_out, "in the end"),
            ("statuses told", self.statuses, ""),
            ("lost", self.lost, "must be 0"),
            ("doubled", self.doubled, "must be 0"),
            ("out of order", self.out_of_order, "must be 0"),
            ("unanswered", self.unanswered, "must be 0"),
            ("unasked", self.unasked, "must be 0"),
            ("sent twice", self.twice, "must be 0"),
            ("never sent", self.never_sent, "must be 0"),
            ("stale states", self.stale, "must be 0"),
            ("wishes forgotten", self.wishes_forgotten, "must be 0"),
        ]
    }

    fn examples(&self) -> &Examples {
        &self.examples
    }
}

/// Compares each conversation from both sides; `furthest` is what was told of each message, by the provider's name.
pub(super) fn check(threads: &BTreeMap<String, Thread>, furthest: &BTreeMap<String, Status>) -> Findings {
    let mut findings = Findings::default();
    for (number, thread) in threads.values().enumerate() {
        findings.acknowledged += (thread.said.len() + thread.templates.len()) as u64;
        let texts: Vec<&str> = thread.said.iter().map(|said| said.text.as_str()).collect();
        let order = look_for(number, &texts, &keys(thread, |row| row.is_inbound), &mut findings);
        findings.out_of_order += order.windows(2).filter(|pair| matches!(pair, [a, b] if a > b)).count() as u64;
        let templates: Vec<&str> = thread.templates.iter().map(String::as_str).collect();
        look_for(number, &templates, &keys(thread, |row| row.is_template), &mut findings);
        count_answers(number, thread, &mut findings);
        compare_sent(number, thread, furthest, &mut findings);
    }
    findings
}

fn keys(thread: &Thread, of: impl Fn(&Row) -> bool) -> Vec<&str> {
    thread.rows.iter().filter(|row| of(row)).map(|row| row.key.as_str()).collect()
}

/// Looks for each of what was acknowledged among what is shown, and returns the places.
fn look_for(number: usize, acknowledged: &[&str], shown: &[&str], findings: &mut Findings) -> Vec<usize> {
    let mut places = Vec::new();
    for text in acknowledged {
        if let Some(place) = shown.iter().position(|row| row == text) {
            places.push(place);
        } else {
            findings.lost += 1;
            findings.examples.push(|| format!("conversation {number} lost '{text}'"));
        }
    }
    let surplus = (shown.len() - places.len()) as u64;
    findings.doubled += surplus;
    if surplus > 0 {
        findings.examples.push(|| format!("conversation {number} has {shown:?} of {acknowledged:?}"));
    }
    places
}

fn count_answers(number: usize, thread: &Thread, findings: &mut Findings) {
    let asked = thread.said.iter().filter(|said| said.asks).count() as u64;
    let answers = thread.rows.iter().filter(|row| row.is_answer()).count() as u64;
    findings.unanswered += asked.saturating_sub(answers);
    findings.unasked += answers.saturating_sub(asked);
    if asked != answers {
        findings.examples.push(|| format!("conversation {number} has {answers} answers to {asked} texts"));
    }
    // Whoever said last that nothing is to be answered wants to be left alone.
    let opted_out = thread.said.last().is_some_and(|said| !said.asks);
    findings.opted_out += u64::from(opted_out);
    if opted_out != thread.is_left_alone {
        findings.wishes_forgotten += 1;
        findings.examples.push(|| format!("the wish of conversation {number} is forgotten"));
    }
}

/// Finds a row for each message that was handed over, and counts what is without one and should not be.
fn compare_sent(number: usize, thread: &Thread, furthest: &BTreeMap<String, Status>, findings: &mut Findings) {
    let rows: Vec<&Row> = thread.rows.iter().filter(|row| !row.is_inbound).collect();
    let pairs = pair_up(&thread.posts, &rows, furthest);
    for (post, row) in &pairs {
        let (Some(post), Some(row)) = (thread.posts.get(*post), rows.get(*row)) else { continue };
        findings.uncertain_sent += u64::from(row.is_uncertain());
        if is_stale(post, row, furthest) {
            findings.stale += 1;
            let told = furthest.get(&post.name);
            findings.examples.push(|| format!("conversation {number}: {} is {}, not {told:?}", post.name, row.state));
        }
    }
    let twice = (thread.posts.len() - pairs.len()) as u64;
    let found: BTreeSet<usize> = pairs.into_iter().map(|(_, row)| row).collect();
    let never = rows.iter().enumerate().filter(|(place, row)| !found.contains(place) && !may_be_unsent(row));
    let never = never.count() as u64;
    findings.sent += thread.posts.len() as u64;
    findings.uncertain += rows.iter().filter(|row| row.is_uncertain()).count() as u64;
    findings.refused += rows.iter().filter(|row| row.is_unsent()).count() as u64;
    findings.twice += twice;
    findings.never_sent += never;
    if twice > 0 || never > 0 {
        findings.examples.push(|| format!("conversation {number}: {twice} sent without a row, {never} never sent"));
    }
}

/// Pairs what was handed over with the rows that say so, in order, so that the fewest findings are left.
fn pair_up(posts: &[Post], rows: &[&Row], furthest: &BTreeMap<String, Status>) -> Vec<(usize, usize)> {
    let leave_row = |row: usize| match rows.get(row) {
        Some(row) if !may_be_unsent(row) => Cost::Finding,
        Some(_) | None => Cost::Nothing,
    };
    align(
        posts.len(),
        rows.len(),
        |_post| Cost::Finding,
        leave_row,
        |post, row| {
            let (post, row) = (posts.get(post)?, rows.get(row)?);
            let fits = post.key == row.key && !row.is_unsent();
            fits.then(|| if is_stale(post, row, furthest) { Cost::Little } else { Cost::Nothing })
        },
    )
}

fn is_stale(post: &Post, row: &Row, furthest: &BTreeMap<String, Status>) -> bool {
    let told = furthest.get(&post.name).map_or("accepted", |status| status.as_str());
    !row.is_uncertain() && row.state != told
}

fn may_be_unsent(row: &Row) -> bool {
    row.is_uncertain() || row.is_unsent()
}

#[cfg(test)]
mod tests;
