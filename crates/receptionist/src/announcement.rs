//! What a person of the office hears before taking a caller.

use units::Language;

use crate::form::{FieldKind, Form};
use crate::record::{FormRecord, Value};

/// Longest reason that is read out, in characters: whoever picked up decides in a few seconds.
const MAX_REASON: usize = 120;

/// Returns what is said to the person who picks up: for whom the call is, who calls and why, as far as the record knows,
/// and which key takes it. `key` is one key of a telephone.
///
/// ```
/// use receptionist::{Form, announcement};
/// use units::Language;
///
/// let form = Form::from_toml(r#"
///     version = 1
///     name = "demo"
///     languages = ["en"]
///     office = { en = "the bakery" }
///     greeting = { en = "Hello." }
///     [[fields]]
///     id = "name"
///     kind = "name"
///     label = { en = "Name" }
///     prompt = { en = "Your name?" }
/// "#)?;
/// assert_eq!(announcement(&form, None, Language::English, '1'), "A call for the bakery. To take it, press 1.");
/// # Ok::<(), receptionist::FormError>(())
/// ```
pub fn announcement(form: &Form, record: Option<&FormRecord>, language: Language, key: char) -> String {
    let language = if form.speaks(language) { language } else { form.languages.first().copied().unwrap_or(language) };
    let name = record.and_then(|record| said(form, record, |kind| *kind == FieldKind::Name));
    let reason = record.and_then(|record| said(form, record, |kind| *kind == FieldKind::Reason));
    let office = form.office.get(language);
    let mut sentences = Vec::new();
    match language {
        Language::Hebrew => {
            sentences.push(match name {
                Some(name) => format!("שיחה אל {office}, מאת {name}."),
                None => format!("שיחה אל {office}."),
            });
            sentences.extend(reason.map(|reason| format!("הנושא: {reason}.")));
            sentences.push(format!("כדי לקבל את השיחה, הקישו {key}."));
        }
        Language::English => {
            sentences.push(match name {
                Some(name) => format!("A call for {office}, from {name}."),
                None => format!("A call for {office}."),
            });
            sentences.extend(reason.map(|reason| format!("It is about: {reason}.")));
            sentences.push(format!("To take it, press {key}."));
        }
    }
    sentences.join(" ")
}

/// Returns the words of the first field of a kind, cut short.
fn said(form: &Form, record: &FormRecord, is_wanted: impl Fn(&FieldKind) -> bool) -> Option<String> {
    let field = form.fields.iter().find(|field| is_wanted(&field.kind))?;
    let Value::Text(text) = record.fields.get(&field.id)?.value.reveal() else { return None };
    let text = text.trim().trim_end_matches(['.', '!', '?']);
    let end = text.char_indices().nth(MAX_REASON).map_or(text.len(), |(at, _)| at);
    text.get(..end).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use units::Language;

    use super::announcement;
    use crate::{Form, Receptionist};

    const FORM: &str = r#"
version = 1
name = "office"
languages = ["he", "en"]
office = { he = "משרד לוי", en = "Levi's office" }
greeting = { he = "שלום.", en = "Hello." }

[[fields]]
id = "who"
kind = "name"
label = { he = "שם", en = "Name" }
prompt = { he = "מה השם?", en = "Your name?" }

[[fields]]
id = "why"
kind = "reason"
label = { he = "סיבה", en = "Reason" }
prompt = { he = "במה מדובר?", en = "What is it about?" }
"#;

    #[test]
    fn the_person_hears_who_calls_why_and_which_key_takes_it() {
        let form = Form::from_toml(FORM).unwrap();
        let mut receptionist = Receptionist::new(form.clone(), Language::Hebrew);
        let said =
            |receptionist: &Receptionist| announcement(&form, Some(&receptionist.record()), Language::Hebrew, '1');
        assert_eq!(said(&receptionist), "שיחה אל משרד לוי. כדי לקבל את השיחה, הקישו 1.");
        receptionist.fill("who", &json!("דנה"), true).unwrap();
        receptionist.fill("why", &json!("הדירה ברחוב הרצל."), false).unwrap();
        assert_eq!(
            said(&receptionist),
            "שיחה אל משרד לוי, מאת דנה. הנושא: הדירה ברחוב הרצל. כדי לקבל את השיחה, הקישו 1."
        );
        receptionist.fill("why", &json!("א".repeat(400)), false).unwrap();
        assert!(said(&receptionist).chars().count() < 220);
    }
}
