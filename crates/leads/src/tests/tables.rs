//! What a spreadsheet sees.

use units::{Language, Pii};

use super::told;
use crate::csv::{Column, Table};
use crate::{Edit, Lead, LeadId};

#[test]
fn a_table_has_the_forms_columns_and_computes_nothing_that_was_said() {
    let fact = told("CA1", 5, "0541234567", "=HYPERLINK(\"http://x\")", &[("area", "רמת גן, מרכז"), ("extra", "@x")]);
    let mut lead = Lead::begun(LeadId::new(1, 2), &fact);
    lead.fold(&fact, 5);
    lead.edit(&Edit { note: Some(Pii::new("שורה\nועוד".to_owned())), ..Edit::default() }, 6);
    let columns = |label: &str| vec![Column { id: "area".to_owned(), label: label.to_owned() }];
    let hebrew = Table::new(Language::Hebrew, columns("אזור"));
    assert_eq!(
        hebrew.head(),
        "מזהה,טלפון,טלפון לחזרה,שם,מצב,הערה,פנייה ראשונה,פנייה אחרונה,שיחות,הודעות קוליות,הודעות,פרטים נוספים,אזור\r\n"
    );
    let english = Table::new(Language::English, columns("Area"));
    assert!(english.head().starts_with("Id,Phone,Call back,Name,State,Note,") && english.head().ends_with(",Area\r\n"));
    assert_eq!(
        hebrew.line(&lead, |at| format!("day {at}")),
        "00000000000100000002,'+972541234567,,\"'=HYPERLINK(\"\"http://x\"\")\",new,\"שורה\nועוד\",day 5,day 5,1,0,0,extra: @x,\"רמת גן, מרכז\"\r\n"
    );
}
