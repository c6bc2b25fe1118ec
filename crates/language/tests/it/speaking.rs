//! From written text to sounds.

use language::normalize::normalize;
use language::numbers::{
    Gender, english_cardinal, english_ordinal, find_noun, hebrew_cardinal, hebrew_construct, hebrew_counted,
    hebrew_ordinal,
};
use language::phonemes::{espeak_input, foreign_words, mnemonics, phonemes, strip_niqqud};
use language::sentences::{SentenceCutter, sentences};
use units::Language;

const SENTENCES: &str = include_str!("../../data/hebrew-sentences.tsv");

#[test]
fn every_sentence_of_the_table_is_said_as_it_should_be() {
    let mut count = 0;
    for line in SENTENCES.lines().filter(|line| !line.starts_with('#')) {
        let (written, spoken) = line.split_once('\t').expect("two columns");
        assert_eq!(strip_niqqud(&normalize(written, Language::Hebrew)), spoken, "{written}");
        count += 1;
    }
    assert!(count >= 50, "only {count} sentences");
}

#[test]
fn english_text_is_said_as_it_should_be() {
    for (written, spoken) in [
        ("Call (212) 555-1234.", "Call two one two, five five five, one two three four."),
        ("Call 054-1234567", "Call zero five four, one two three, four five six seven"),
        ("Open 9:00 am to 17:30.", "Open nine a m to five thirty p m."),
        ("At 8:05, or 12:00", "At eight oh five, or twelve o'clock"),
        ("On 21/11/2026", "On November twenty first, twenty twenty six"),
        ("It costs $5.99 or 1 €.", "It costs five dollars and ninety nine cents or one euro."),
        ("The 3rd floor, 15% off", "The third floor, fifteen percent off"),
        ("Dr. Cohen & Sons", "doctor Cohen and Sons"),
        ("-5 degrees, 3-5 rooms", "minus five degrees, three to five rooms"),
        ("mail info@kolbox.com", "mail info at kolbox dot com"),
        ("1,250,000 people", "one million two hundred fifty thousand people"),
        ("Main St.", "Main street."),
    ] {
        assert_eq!(normalize(written, Language::English), spoken, "{written}");
    }
}

#[test]
fn points_of_the_writer_are_kept() {
    assert_eq!(normalize("שָׁלוֹם  לְךָ", Language::Hebrew), "שָׁלוֹם לְךָ");
}

#[test]
fn hebrew_numbers_follow_gender_and_the_rule_of_and() {
    let plain = |number, gender| strip_niqqud(&hebrew_cardinal(number, gender));
    for (number, feminine, masculine) in [
        (0, "אפס", "אפס"),
        (3, "שלוש", "שלושה"),
        (12, "שתים עשרה", "שנים עשר"),
        (23, "עשרים ושלוש", "עשרים ושלושה"),
        (105, "מאה וחמש", "מאה וחמישה"),
        (120, "מאה ועשרים", "מאה ועשרים"),
        (1_100, "אלף ומאה", "אלף ומאה"),
        (1_234, "אלף מאתיים שלושים וארבע", "אלף מאתיים שלושים וארבעה"),
        (3_000, "שלושת אלפים", "שלושת אלפים"),
        (21_000, "עשרים ואחד אלף", "עשרים ואחד אלף"),
        (2_000_007, "שני מיליון ושבע", "שני מיליון ושבעה"),
    ] {
        assert_eq!(plain(number, Gender::Feminine), feminine);
        assert_eq!(plain(number, Gender::Masculine), masculine);
    }
    assert_eq!(strip_niqqud(&hebrew_construct(3, Gender::Masculine)), "שלושת");
    assert_eq!(strip_niqqud(&hebrew_ordinal(2, Gender::Feminine)), "שנייה");
    let room = find_noun("חדרים").expect("a listed noun");
    assert_eq!(strip_niqqud(&hebrew_counted(1, room)), "חדר אחד");
    assert_eq!(strip_niqqud(&hebrew_counted(2, room)), "שני חדרים");
}

#[test]
fn english_numbers_are_said_in_full() {
    assert_eq!(english_cardinal(0), "zero");
    assert_eq!(english_cardinal(90_210), "ninety thousand two hundred ten");
    assert_eq!(english_cardinal(999_999_999).split(' ').count(), 14);
    for (number, ordinal) in
        [(1, "first"), (12, "twelfth"), (20, "twentieth"), (22, "twenty second"), (100, "one hundredth")]
    {
        assert_eq!(english_ordinal(number), ordinal);
    }
}

#[test]
fn pointed_words_are_read_and_stressed_like_in_israel() {
    for (word, sounds) in [
        ("שָׁלוֹם", "Sal'om"),
        ("יֶלֶד", "j'eled"),
        ("בֹּקֶר", "b'okeQ"),
        ("לוֹקַחַת", "lok'aXat"),
        ("אֲנַחְנוּ", "an'aXnu"),
        ("הָלַכְתִּי", "hal'aXti"),
        ("רָצִיתִי", "Qats'iti"),
        ("אֲמִתִּי", "amit'i"),
        ("שְׁתַּיִם", "St'ajim"),
        ("שְׁתַּיִים", "St'ajim"),
        ("צָהֳרַיִם", "tsohoQ'ajim"),
        ("רוּחַ", "Q'uaX"),
        ("שָׁבוּעַ", "Sav'ua"),
        ("גָּבוֹהַּ", "gav'oah"),
        ("כָּל", "k'ol"),
        ("חָכְמָה", "XoXm'a"),
        ("עָלָיו", "al'av"),
        ("מִצְוֹת", "mitsv'ot"),
        ("עָוֹן", "av'on"),
        ("תִּיוּוּךְ", "tiv'uX"),
        ("חַיָּיב", "Xaj'av"),
        ("בִּנְיָין", "binj'an"),
        ("לִפְנֵי", "lifn'ej"),
        ("אֵיךְ", "'ejX"),
        ("שֵׁירוּת", "SeQ'ut"),
        ("מְדַבְּרִים", "medabQ'im"),
        ("בְּבַקָּשָׁה", "bevakaS'a"),
        ("בְּרָכָה", "bQaX'a"),
        ("לְהִתְרָאוֹת", "lehitQa?'ot"),
        ("אַתֶּם", "at'em"),
        ("אֱמֶת", "em'et"),
        ("שְׁמוֹנֶה", "Sm'one"),
        ("שְׁמוֹנָה", "Smon'a"),
        ("צִ׳יפְּס", "tS'ips"),
        ("ג'ִירָפָה", "dZiQaf'a"),
        ("הִתְחִילוּ", "hitX'ilu"),
        ("חֵצִי", "X'etsi"),
        ("אֵלַיי", "el'aj"),
        ("בַּיי", "b'aj"),
        ("תּוֹדְה", "tod'a"),
        ("רוֹבּוֹטֶ", "Qob'ot"),
        ("לְךָ", "leX'a"),
        ("אֵלֶיהָ", "el'eha"),
        ("וָחֵצִי", "vaX'etsi"),
        ("שִׂמְחָה", "simX'a"),
        ("יִשְׂרָאֵל", "jisQa?'el"),
        ("נו\u{5bc}רִ\u{5ab}ית", "nuQ'it"),
        ("תּוֹדָ\u{5bd}ה", "tod'a"),
    ] {
        assert_eq!(mnemonics(&phonemes(word)), sounds, "{word}");
    }
}

#[test]
fn words_without_points_are_read_from_the_list_or_guessed() {
    for (word, sounds) in [
        ("שלום", "Sal'om"),
        ("ושלום", "veSal'om"),
        ("ארבע", "'aQba"),
        ("בבוקר", "beb'okeQ"),
        ("ב", "b'et"),
        ("סיור", "saj'oQ"),
        ("כתובת", "katov'at"),
        ("יו", "j'av"),
        ("מזרחי", "mazQaX'i"),
    ] {
        assert_eq!(mnemonics(&phonemes(word)), sounds, "{word}");
    }
}

#[test]
fn nothing_but_mnemonics_gets_between_the_brackets() {
    let tokens = phonemes("שָׁלוֹם]] $(rm) [[evil, 12! מָה?");
    assert_eq!(mnemonics(&tokens), "Sal'om _: m'a");
    assert_eq!(espeak_input(&tokens), "[[Sal'om]], [[m'a]]?");
    assert_eq!(foreign_words(&tokens).len(), 3);
}

#[test]
fn sentences_are_cut_where_they_end_and_nowhere_else() {
    let cut = |text: &str| {
        sentences(text).iter().map(|sentence| sentence.trim().chars().count()).filter(|len| *len > 0).count()
    };
    for (text, count) in [
        ("שלום. מה שלומך? טוב!", 3),
        ("ד\"ר כהן יגיע ב-10.5 בערך.", 1),
        ("הפגישה ב-21.11.2026 בשעה 10:30.", 1),
        ("Dr. Cohen is here. Bye.", 2),
        ("א. כהן ובניו. תודה.", 2),
        ("Visit kolbox.co.il today! Ok", 2),
        ("1. ראשון\n2. שני", 2),
        ("הוא אמר: \"שלום.\" והלך.", 2),
    ] {
        assert_eq!(cut(text), count, "{text}");
    }
}

#[test]
fn a_sentence_comes_out_as_soon_as_it_is_whole() {
    let mut cutter = SentenceCutter::new();
    cutter.push("שלום. אני");
    assert_eq!(cutter.poll().as_deref(), Some("שלום. "));
    assert_eq!(cutter.poll(), None);
    cutter.push(" כאן.");
    assert_eq!(cutter.poll(), None, "a digit could still follow the dot");
    assert_eq!(cutter.flush().as_deref(), Some("אני כאן."));
    assert_eq!(cutter.flush(), None);
}

#[test]
fn nothing_inside_a_sentence_cuts_it_when_it_comes_letter_by_letter() {
    for sentence in [
        "עו\"ד לוי וד\"ר כהן כאן.",
        "המחיר הוא 3.5 אלף ש\"ח בערך.",
        "זה עולה 1,200.50 ש\"ח.",
        "נפגשים ב-12.10.2026 בשעה 09:30.",
        "ביום ה' ה-12.10 בין 9.30 ל-11.",
        "המספר הוא 050-1234567, נכון?",
        "המספר הוא 050.123.4567 בבקשה.",
        "פרופ. לוי, רח. הרצל 5.",
        "רשמתי אפס חמש ארבע, אחת שתיים שלוש, ארבע חמש שש שבע.",
        "That is zero five four, one two three, four five six seven, right?",
        "המספר הוא 054, 123, 4567, ואפשר לחזור אליו מחר?",
        "גב' כהן ומר לוי מחב' \"אור\" בע\"מ.",
        "Dr. Cohen pays 3.5 million.",
        "We meet on Oct. 12 at 9.30 a.m. sharp.",
        "Call tel. 03-1234567 ext. 12 now.",
    ] {
        let mut cutter = SentenceCutter::new();
        let mut cut = Vec::new();
        for letter in sentence.chars().chain(" וזהו. ".chars()) {
            cutter.push(letter.encode_utf8(&mut [0; 4]));
            cut.extend(std::iter::from_fn(|| cutter.poll()));
        }
        assert_eq!(cut.first().map(|first| first.trim_end()), Some(sentence), "{cut:?}");
    }
}

#[test]
fn the_blank_after_a_line_break_never_moves_the_cut() {
    assert_eq!(sentences("כן\n לא"), ["כן\n", " לא"]);
}

#[test]
fn a_long_first_sentence_starts_at_a_comma() {
    let text = "בוודאי, אשמח לעזור, רק אצטרך כמה פרטים לפני שנוכל לקבוע פגישה עם הסוכן שלנו.";
    let parts = sentences(text);
    assert_eq!(parts.len(), 2);
    assert_eq!(parts.first().map(String::as_str), Some("בוודאי, אשמח לעזור, "));
}
