//! One dialogue for each path through a call.
//!
//! Longer than a file of tests should be: it is scripts, one below the other, with what is answered to each line.

use units::{Language, Pii};

use super::{PLAIN, REAL_ESTATE, check, receptionist};

#[test]
fn hebrew_caller_leaves_name_reason_and_number() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [greet]
        דני כהן
        0541234567
        כן
        אני מתקשר בקשר לחשבונית מהחודש שעבר
        כן, הכול נכון
        ",
        "
        > [greet]
        שלום, הגעתם אל המשרד. אין כרגע מענה אנושי, אבל אפשר להשאיר פרטים ונחזור אליכם. | מה השם, בבקשה? …
        > דני כהן
        דני כהן, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0541234567
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > אני מתקשר בקשר לחשבונית מהחודש שעבר
        תודה, רשמתי. | אז רשמתי: השם: דני כהן. סיבת הפנייה: אני מתקשר בקשר לחשבונית מהחודש שעבר. הכול נכון? …
        > כן, הכול נכון
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דני כהן confirmed; phone=0541234567 confirmed; reason=אני מתקשר בקשר לחשבונית מהחודש שעבר confirmed
        ",
    );
}

#[test]
fn several_facts_in_one_answer_are_not_asked_for_again() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        קוראים לי דני כהן והמספר שלי 0541234567
        כן
        רציתי לקבוע פגישה
        נכון
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > קוראים לי דני כהן והמספר שלי 0541234567
        דני כהן, רשמתי. | רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > רציתי לקבוע פגישה
        תודה, רשמתי. | אז רשמתי: השם: דני כהן. סיבת הפנייה: רציתי לקבוע פגישה. הכול נכון? …
        > נכון
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דני כהן confirmed; phone=0541234567 confirmed; reason=רציתי לקבוע פגישה confirmed
        ",
    );
}

#[test]
fn a_wrong_number_is_corrected_in_one_breath() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        שמי רונית לוי
        אפס חמש ארבע אחת שתיים שלוש ארבע חמש שש שבע
        לא, המספר הוא אפס חמש ארבע אחת שתיים שלוש ארבע חמש שש שמונה
        כן
        שאלה על המחיר
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > שמי רונית לוי
        רונית לוי, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > אפס חמש ארבע אחת שתיים שלוש ארבע חמש שש שבע
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > לא, המספר הוא אפס חמש ארבע אחת שתיים שלוש ארבע חמש שש שמונה
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שמונה. נכון? …
        > כן
        מה סיבת הפנייה? …
        > שאלה על המחיר
        תודה, רשמתי. | אז רשמתי: השם: רונית לוי. סיבת הפנייה: שאלה על המחיר. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=רונית לוי confirmed; phone=0541234568 confirmed; reason=שאלה על המחיר confirmed
        ",
    );
}

#[test]
fn a_refused_number_is_asked_for_again() {
    check(
        receptionist(PLAIN, Language::English),
        "
        [play]
        John Smith
        054 123 4567
        no
        054 123 4568
        yes that's right
        I want to book a meeting
        yes
        ",
        "
        > [play]
        May I have your name, please? …
        > John Smith
        John Smith, got it. | Which phone number should we call back? … (10 digits)
        > 054 123 4567
        I have zero five four, one two three, four five six seven. Is that right? …
        > no
        Which phone number should we call back? … (10 digits)
        > 054 123 4568
        I have zero five four, one two three, four five six eight. Is that right? …
        > yes that's right
        What is your call about? …
        > I want to book a meeting
        Thank you, noted. | So I have: Name: John Smith. Reason: I want to book a meeting. Is everything right? …
        > yes
        Thank you for calling the office. We will get back to you soon. Goodbye! [hangup]
        Completed: name=John Smith confirmed; phone=0541234568 confirmed; reason=I want to book a meeting confirmed
        ",
    );
}

#[test]
fn a_number_is_dictated_in_pieces() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דנה
        אפס חמש ארבע
        אחת שתיים שלוש
        ארבע חמש שש שבע
        כן
        תור לרופא
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דנה
        דנה, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > אפס חמש ארבע
        רשמתי אפס חמש ארבע. מה ההמשך? … (7 digits)
        > אחת שתיים שלוש
        רשמתי אפס חמש ארבע, אחת שתיים שלוש. מה ההמשך? … (4 digits)
        > ארבע חמש שש שבע
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > תור לרופא
        תודה, רשמתי. | אז רשמתי: השם: דנה. סיבת הפנייה: תור לרופא. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דנה confirmed; phone=0541234567 confirmed; reason=תור לרופא confirmed
        ",
    );
}

#[test]
fn the_callers_own_number_is_offered() {
    check(
        receptionist(PLAIN, Language::Hebrew).with_caller_number(&Pii::new("+972541234567".to_owned())),
        "
        [play]
        דנה לוי
        כן
        בירור
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דנה לוי
        דנה לוי, רשמתי. | לחזור אליכם למספר שממנו התקשרתם, שמסתיים בַּסְּפָרוֹת ארבע חמש שש שבע? …
        > כן
        תודה, רשמתי. | מה סיבת הפנייה? …
        > בירור
        תודה, רשמתי. | אז רשמתי: השם: דנה לוי. סיבת הפנייה: בירור. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דנה לוי confirmed; phone=0541234567 from caller id confirmed; reason=בירור confirmed
        ",
    );
}

#[test]
fn the_callers_own_number_is_refused_with_another_one() {
    check(
        receptionist(PLAIN, Language::Hebrew).with_caller_number(&Pii::new("+972541234567".to_owned())),
        "
        [play]
        דנה לוי
        לא, עדיף 036543210
        כן
        בירור
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דנה לוי
        דנה לוי, רשמתי. | לחזור אליכם למספר שממנו התקשרתם, שמסתיים בַּסְּפָרוֹת ארבע חמש שש שבע? …
        > לא, עדיף 036543210
        רשמתי אפס שלוש, שש חמש ארבע, שלוש שתיים אחת אפס. נכון? …
        > כן
        מה סיבת הפנייה? …
        > בירור
        תודה, רשמתי. | אז רשמתי: השם: דנה לוי. סיבת הפנייה: בירור. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דנה לוי confirmed; phone=036543210 confirmed; reason=בירור confirmed
        ",
    );
}

#[test]
fn the_callers_own_number_is_refused_with_a_plain_no() {
    check(
        receptionist(PLAIN, Language::English).with_caller_number(&Pii::new("+972541234567".to_owned())),
        "
        [play]
        my name is Dana Levy
        no
        zero three six five four three two one oh
        yes
        a question about my bill
        yes
        ",
        "
        > [play]
        May I have your name, please? …
        > my name is Dana Levy
        Dana Levy, got it. | Shall we call back the number you are calling from, ending in four five six seven? …
        > no
        Which phone number should we call back? … (10 digits)
        > zero three six five four three two one oh
        I have zero three, six five four, three two one zero. Is that right? …
        > yes
        What is your call about? …
        > a question about my bill
        Thank you, noted. | So I have: Name: Dana Levy. Reason: a question about my bill. Is everything right? …
        > yes
        Thank you for calling the office. We will get back to you soon. Goodbye! [hangup]
        Completed: name=Dana Levy confirmed; phone=036543210 confirmed; reason=a question about my bill confirmed
        ",
    );
}

#[test]
fn two_answers_not_understood_lead_to_a_free_message() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        [noise]
        [noise]
        אני עוד כאן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > [noise]
        סליחה, לא הבנתי. | אפשר לומר רק את השם. למשל: דנה לוי. …
        > [noise]
        לא הצלחתי להבין, אבל אפשר להשאיר הודעה אחרי הצפצוף, ונחזור אליכם. [voicemail]
        > אני עוד כאן
        [voicemail]
        Voicemail:
        ",
    );
}

#[test]
fn an_optional_question_is_dropped_after_two_answers_not_understood() {
    check(
        receptionist(REAL_ESTATE, Language::Hebrew),
        "
        [play]
        דני
        לשכור
        רמת גן
        שלוש
        לא יודע
        אין לי מושג
        0501112233
        כן
        מחר בבוקר
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דני
        דני, רשמתי. | מדובר בשכירות או בקנייה? …
        > לשכור
        שכירות, רשמתי. | באיזו עיר או שכונה? …
        > רמת גן
        תודה, רשמתי. | כמה חדרים? …
        > שלוש
        חדרים: 3, רשמתי. | מה התקציב, בערך, בשקלים? …
        > לא יודע
        סליחה, לא הבנתי. | אפשר לומר סכום. למשל: שישה אלף לחודש, או שני מיליון. …
        > אין לי מושג
        לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0501112233
        רשמתי אפס חמש אפס, אחת אחת אחת, שתיים שתיים שלוש שלוש. נכון? …
        > כן
        מתי נוח שנחזור אליכם? …
        > מחר בבוקר
        תודה, רשמתי. | אז רשמתי: השם: דני. סוג העסקה: שכירות. אזור: רמת גן. חדרים: 3. מתי לחזור: מחר בבוקר. הכול נכון? …
        > כן
        תודה שהתקשרתם אל משרד התיווך. נחזור אליכם עם הצעות מתאימות. להתראות! [hangup]
        Completed: area=רמת גן confirmed; deal=rent confirmed; name=דני confirmed; phone=0501112233 confirmed; rooms=3 confirmed; when=מחר בבוקר confirmed
        ",
    );
}

#[test]
fn real_estate_caller_says_everything_at_once() {
    check(
        receptionist(REAL_ESTATE, Language::Hebrew),
        "
        [play]
        קוראים לי דני כהן, אני מחפש דירה לשכור עם 3 חדרים בתקציב של 6000 שקלים, המספר שלי 054-1234567
        כן
        ברמת גן
        בערב
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > קוראים לי דני כהן, אני מחפש דירה לשכור עם 3 חדרים בתקציב של 6000 שקלים, המספר שלי 054-1234567
        דני כהן, שכירות, חדרים: 3, תקציב בשקלים: 6000, רשמתי. | רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        באיזו עיר או שכונה? …
        > ברמת גן
        תודה, רשמתי. | מתי נוח שנחזור אליכם? …
        > בערב
        תודה, רשמתי. | אז רשמתי: השם: דני כהן. סוג העסקה: שכירות. אזור: ברמת גן. חדרים: 3. תקציב בשקלים: 6000. מתי לחזור: בערב. הכול נכון? …
        > כן
        תודה שהתקשרתם אל משרד התיווך. נחזור אליכם עם הצעות מתאימות. להתראות! [hangup]
        Completed: area=ברמת גן confirmed; budget=6000 confirmed; deal=rent confirmed; name=דני כהן confirmed; phone=0541234567 confirmed; rooms=3 confirmed; when=בערב confirmed
        ",
    );
}

#[test]
fn english_caller_buys() {
    check(
        receptionist(REAL_ESTATE, Language::English),
        "
        [greet]
        I'm Mary Jones
        buying
        Tel Aviv
        three and a half rooms
        two million
        0521234567
        correct
        tomorrow morning
        yes
        ",
        "
        > [greet]
        Hello, you have reached the real estate office. A few short questions, and we will call you back with what fits. | May I have your name, please? …
        > I'm Mary Jones
        Mary Jones, got it. | Are you looking to rent or to buy? …
        > buying
        buy, got it. | In which city or neighbourhood? …
        > Tel Aviv
        Thank you, noted. | How many rooms? …
        > three and a half rooms
        Rooms: 3.5, got it. | What is your budget, roughly, in shekels? …
        > two million
        Budget in shekels: 2000000, got it. | Which phone number should we call back? … (10 digits)
        > 0521234567
        I have zero five two, one two three, four five six seven. Is that right? …
        > correct
        When is a good time to call you back? …
        > tomorrow morning
        Thank you, noted. | So I have: Name: Mary Jones. Deal: buy. Area: Tel Aviv. Rooms: 3.5. Budget in shekels: 2000000. When to call: tomorrow morning. Is everything right? …
        > yes
        Thank you for calling the real estate office. We will be back with what fits. Goodbye! [hangup]
        Completed: area=Tel Aviv confirmed; budget=2000000 confirmed; deal=buy confirmed; name=Mary Jones confirmed; phone=0521234567 confirmed; rooms=3.5 confirmed; when=tomorrow morning confirmed
        ",
    );
}

#[test]
fn the_language_follows_the_caller() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        my name is John Smith
        0541234567
        yes
        I am calling about an invoice
        yes
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > my name is John Smith
        John Smith, got it. | Which phone number should we call back? … (10 digits)
        > 0541234567
        I have zero five four, one two three, four five six seven. Is that right? …
        > yes
        What is your call about? …
        > I am calling about an invoice
        Thank you, noted. | So I have: Name: John Smith. Reason: I am calling about an invoice. Is everything right? …
        > yes
        Thank you for calling the office. We will get back to you soon. Goodbye! [hangup]
        Completed: name=John Smith confirmed; phone=0541234567 confirmed; reason=I am calling about an invoice confirmed
        ",
    );
}

#[test]
fn a_person_may_be_asked_for_at_any_time() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דנה
        אפשר לדבר עם מישהו בבקשה
        הלו
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דנה
        דנה, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > אפשר לדבר עם מישהו בבקשה
        רק רגע, השיחה עוברת למשרד. [transfer]
        > הלו
        [voicemail]
        Transfer: name=דנה
        ",
    );
}

#[test]
fn a_goodbye_ends_the_call_with_what_is_known() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דנה
        [bye] לא משנה, ביי
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דנה
        דנה, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > [bye] לא משנה, ביי
        תודה שהתקשרתם. להתראות! [hangup]
        Goodbye: name=דנה
        ",
    );
}

#[test]
fn a_goodbye_with_the_last_fact_completes_the_form() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דנה
        0541234567
        כן
        [bye] בירור על הזמנה, תודה ולהתראות
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דנה
        דנה, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0541234567
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > [bye] בירור על הזמנה, תודה ולהתראות
        תודה, רשמתי. | תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דנה; phone=0541234567 confirmed; reason=בירור על הזמנה
        ",
    );
}

#[test]
fn silence_is_met_with_the_question_and_then_a_goodbye() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        [silence]
        [silence]
        [silence for the last time]
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > [silence]
        לא שמעתי תשובה. | מה השם, בבקשה? …
        > [silence]
        לא שמעתי תשובה. | מה השם, בבקשה? …
        > [silence for the last time]
        לא שמעתי אתכם. אפשר להתקשר אלינו שוב בכל עת. להתראות! [hangup]
        Silent:
        ",
    );
}

#[test]
fn keys_are_taken_for_the_number_and_for_yes() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דנה
        מממ לא הבנת אותי
        [keys 0541234567]
        [keys 1]
        בירור
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דנה
        דנה, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > מממ לא הבנת אותי
        סליחה, לא הבנתי. | אפשר לומר את המספר ספרה אחר ספרה. | אפשר גם להקיש את המספר, ובסוף סולמית. … (10 digits)
        > [keys 0541234567]
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > [keys 1]
        מה סיבת הפנייה? …
        > בירור
        תודה, רשמתי. | אז רשמתי: השם: דנה. סיבת הפנייה: בירור. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דנה confirmed; phone=0541234567 keyed confirmed; reason=בירור confirmed
        ",
    );
}

#[test]
fn something_is_changed_when_everything_is_read_back() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דני כהן
        0541234567
        כן
        בירור
        לא, השם הוא רוני כהן
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דני כהן
        דני כהן, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0541234567
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > בירור
        תודה, רשמתי. | אז רשמתי: השם: דני כהן. סיבת הפנייה: בירור. הכול נכון? …
        > לא, השם הוא רוני כהן
        רוני כהן, רשמתי. | אז רשמתי: השם: רוני כהן. סיבת הפנייה: בירור. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=רוני כהן confirmed; phone=0541234567 confirmed; reason=בירור confirmed
        ",
    );
}

#[test]
fn what_is_wrong_is_named_and_asked_for_again() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דני כהן
        0541234567
        כן
        בירור
        לא
        השם
        רוני כהן
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דני כהן
        דני כהן, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0541234567
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > בירור
        תודה, רשמתי. | אז רשמתי: השם: דני כהן. סיבת הפנייה: בירור. הכול נכון? …
        > לא
        מה לתקן? …
        > השם
        מה השם, בבקשה? …
        > רוני כהן
        רוני כהן, רשמתי. | אז רשמתי: השם: רוני כהן. סיבת הפנייה: בירור. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=רוני כהן confirmed; phone=0541234567 confirmed; reason=בירור confirmed
        ",
    );
}

#[test]
fn the_number_is_changed_after_it_was_agreed_to() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דני כהן
        0541234567
        כן
        בעצם המספר הוא 0549999999
        כן
        בירור
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דני כהן
        דני כהן, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0541234567
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > בעצם המספר הוא 0549999999
        רשמתי אפס חמש ארבע, תשע תשע תשע, תשע תשע תשע תשע. נכון? …
        > כן
        מה סיבת הפנייה? …
        > בירור
        תודה, רשמתי. | אז רשמתי: השם: דני כהן. סיבת הפנייה: בירור. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דני כהן confirmed; phone=0549999999 confirmed; reason=בירור confirmed
        ",
    );
}

#[test]
fn a_question_not_heard_is_repeated() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        סליחה?
        מה אמרתם
        דנה
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > סליחה?
        מה השם, בבקשה? …
        > מה אמרתם
        מה השם, בבקשה? …
        > דנה
        דנה, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        Open: name=דנה
        ",
    );
}

#[test]
fn an_answer_beside_the_question_is_kept() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        אני מתקשר בקשר לחשבונית
        דני כהן
        0541234567
        כן
        כן
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > אני מתקשר בקשר לחשבונית
        תודה, רשמתי. | מה השם, בבקשה? …
        > דני כהן
        דני כהן, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0541234567
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        > כן
        אז רשמתי: השם: דני כהן. סיבת הפנייה: אני מתקשר בקשר לחשבונית. הכול נכון? …
        > כן
        תודה שהתקשרתם אל המשרד. נחזור אליכם בהקדם. להתראות! [hangup]
        Completed: name=דני כהן confirmed; phone=0541234567 confirmed; reason=אני מתקשר בקשר לחשבונית confirmed
        ",
    );
}

#[test]
fn a_request_taken_back_is_forgotten() {
    check(
        receptionist(PLAIN, Language::Hebrew),
        "
        [play]
        דני
        [undo]
        דני כהן
        0541234567
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דני
        דני, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > דני כהן
        דני כהן, רשמתי. | לאיזה מספר טלפון לחזור אליכם? … (10 digits)
        > 0541234567
        רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע. נכון? …
        Open: name=דני כהן; phone=0541234567
        ",
    );
}

#[test]
fn the_end_of_the_time_is_a_goodbye() {
    check(
        receptionist(PLAIN, Language::English),
        "
        [play]
        Mary
        [time is up]
        ",
        "
        > [play]
        May I have your name, please? …
        > Mary
        Mary, got it. | Which phone number should we call back? … (10 digits)
        > [time is up]
        Thank you for calling. Goodbye! [hangup]
        Goodbye: name=Mary
        ",
    );
}

#[test]
fn a_choice_left_open_is_asked_again() {
    check(
        receptionist(REAL_ESTATE, Language::Hebrew),
        "
        [play]
        דני
        אולי לשכור ואולי לקנות
        לא לשכור, לקנות
        ",
        "
        > [play]
        מה השם, בבקשה? …
        > דני
        דני, רשמתי. | מדובר בשכירות או בקנייה? …
        > אולי לשכור ואולי לקנות
        סליחה, לא הבנתי. | אפשר לומר: שכירות, קנייה או מכירה. …
        > לא לשכור, לקנות
        קנייה, רשמתי. | באיזו עיר או שכונה? …
        Open: deal=buy; name=דני
        ",
    );
}

#[test]
fn a_caller_who_has_nothing_to_change_after_all_is_done() {
    check(
        receptionist(PLAIN, Language::English),
        "
        [play]
        John Smith
        054 123 4567
        yes
        I want to book a meeting
        no
        no
        ",
        "
        > [play]
        May I have your name, please? …
        > John Smith
        John Smith, got it. | Which phone number should we call back? … (10 digits)
        > 054 123 4567
        I have zero five four, one two three, four five six seven. Is that right? …
        > yes
        What is your call about? …
        > I want to book a meeting
        Thank you, noted. | So I have: Name: John Smith. Reason: I want to book a meeting. Is everything right? …
        > no
        What should I change? …
        > no
        Thank you for calling the office. We will get back to you soon. Goodbye! [hangup]
        Completed: name=John Smith confirmed; phone=0541234567 confirmed; reason=I want to book a meeting confirmed
        ",
    );
}
