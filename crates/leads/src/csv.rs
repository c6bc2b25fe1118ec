//! Leads as a table for spreadsheets (RFC 4180).

use std::fmt::Write as _;

use units::Language;

use crate::lead::Lead;
use crate::view::LeadView;

/// What spreadsheets take for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A column of the office's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The field's id.
    pub id: String,
    /// What stands above it.
    pub label: String,
}

/// What the table looks like.
#[derive(Clone, Debug)]
pub struct Table {
    language: Language,
    columns: Vec<Column>,
}

/// What stands above the columns that every office has: in Hebrew, in English.
const HEADINGS: [(&str, &str); 12] = [
    ("מזהה", "Id"),
    ("טלפון", "Phone"),
    ("טלפון לחזרה", "Call back"),
    ("שם", "Name"),
    ("מצב", "State"),
    ("הערה", "Note"),
    ("פנייה ראשונה", "First seen"),
    ("פנייה אחרונה", "Last seen"),
    ("שיחות", "Calls"),
    ("הודעות קוליות", "Voicemails"),
    ("הודעות", "Messages"),
    ("פרטים נוספים", "More"),
];

impl Table {
    /// Makes a table with the form's columns behind those that every office has.
    pub fn new(language: Language, columns: Vec<Column>) -> Self {
        Self { language, columns }
    }

    /// Writes the first line.
    pub fn head(&self) -> String {
        let own = HEADINGS.iter().map(|(hebrew, english)| match self.language {
            Language::Hebrew => (*hebrew).to_owned(),
            Language::English => (*english).to_owned(),
        });
        line(own.chain(self.columns.iter().map(|column| column.label.clone())))
    }

    /// Writes the line of a lead. `day` writes a time, given in milliseconds since 1970.
    pub fn line(&self, lead: &Lead, day: impl Fn(u64) -> String) -> String {
        let view = LeadView::of(lead);
        let text =
            |text: &Option<units::Pii<String>>| text.as_ref().map(|text| text.reveal().clone()).unwrap_or_default();
        let count = |kind: &str| view.sources.get(kind).copied().unwrap_or_default().to_string();
        let is_more = |id: &str| !self.columns.iter().any(|column| column.id == id);
        let more = view.fields.iter().filter(|(id, _)| is_more(id));
        let more: Vec<String> = more.map(|(id, value)| format!("{id}: {}", value.reveal())).collect();
        let own = [
            view.id.clone(),
            text(&view.phone),
            text(&view.callback),
            text(&view.name),
            view.state.clone(),
            view.note.reveal().clone(),
            day(view.first_seen_wall_ms),
            day(view.last_seen_wall_ms),
            count("call"),
            count("voicemail"),
            count("message"),
            more.join("; "),
        ];
        let value =
            |column: &Column| view.fields.get(&column.id).map(|value| value.reveal().clone()).unwrap_or_default();
        line(own.into_iter().chain(self.columns.iter().map(value)))
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|text| cell(&text)).collect();
    let mut line = cells.join(",");
    line.push_str("\r\n");
    line
}

/// Writes a cell. One that a spreadsheet would take for a formula gets an apostrophe before it: what a stranger said on
/// the phone is computed by nobody.
pub fn cell(text: &str) -> String {
    let mut written = String::new();
    // A string takes everything.
    let _always_ok: std::fmt::Result = if text.trim_start().starts_with(FORMULA) || text.starts_with(FORMULA) {
        write!(written, "'{text}")
    } else {
        write!(written, "{text}")
    };
    if written.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", written.replace('"', "\"\"")) } else { written }
}
