use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

fn typed(text: &str) -> Editor {
    let mut editor = Editor::default();
    editor.set(text);
    editor
}

fn keys(editor: &mut Editor, edits: impl IntoIterator<Item = Edit>) {
    for edit in edits {
        editor.edit(edit, &Sent::default());
    }
}

#[test]
fn the_cursor_moves_by_grapheme() {
    let mut editor = typed("xe\u{302}\u{301}👨‍👩‍👧");
    keys(&mut editor, [Edit::Left]);
    assert_eq!(&editor.text()[editor.cursor()..], "👨‍👩‍👧");
    keys(&mut editor, [Edit::Backspace]);
    assert_eq!(editor.text(), "x👨‍👩‍👧");
    keys(&mut editor, [Edit::Delete]);
    assert_eq!(editor.text(), "x");
}

#[test]
fn words_are_cut_and_put_back() {
    let mut editor = typed("git push origin/main");
    keys(&mut editor, [Edit::CutWordLeft]);
    assert_eq!(editor.text(), "git push origin/");
    keys(&mut editor, [Edit::CutBack]);
    assert_eq!(editor.text(), "git push ");
    keys(&mut editor, [Edit::Paste]);
    assert_eq!(editor.text(), "git push origin/");
    keys(&mut editor, [Edit::WordLeft, Edit::WordLeft, Edit::CutWordRight]);
    assert_eq!(editor.text(), "git  origin/");
}

#[test]
fn lines_have_their_own_beginning_and_end() {
    let mut editor = typed("one\ntwo");
    keys(&mut editor, [Edit::Home, Edit::Insert("> ".into())]);
    assert_eq!(editor.text(), "one\n> two");
    keys(&mut editor, [Edit::Up, Edit::CutToEnd]);
    assert_eq!(editor.text(), "on\n> two");
    keys(&mut editor, [Edit::CutToEnd]);
    assert_eq!(editor.text(), "on> two", "at an end the line break goes");
    keys(&mut editor, [Edit::CutToHome]);
    assert_eq!(editor.text(), "> two");
}

#[test]
fn up_and_down_go_through_what_was_sent_and_come_back_to_the_draft() {
    let mut sent = Sent::default();
    sent.push("first");
    sent.push("second");
    let mut editor = typed("a draft");
    editor.edit(Edit::Up, &sent);
    assert_eq!(editor.text(), "second");
    editor.edit(Edit::Up, &sent);
    editor.edit(Edit::Up, &sent);
    assert_eq!(editor.text(), "first");
    editor.edit(Edit::Down, &sent);
    editor.edit(Edit::Down, &sent);
    assert_eq!(editor.text(), "a draft");
}

#[test]
fn a_pasted_text_without_room_is_cut_between_characters() {
    let mut editor = Editor::default();
    let long = "ế".repeat(DRAFT_BYTES);
    assert!(!editor.edit(Edit::Insert(long), &Sent::default()));
    assert!(editor.text().len() <= DRAFT_BYTES && editor.text().ends_with('ế'));
}

#[test]
fn what_is_pasted_has_no_control_characters() {
    let mut editor = Editor::default();
    editor.edit(Edit::Insert("a\u{1b}[31m\r\nb\tc".into()), &Sent::default());
    assert_eq!(editor.text(), "a␛[31m\nb    c");
}

fn any_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => "[a ế\u{301}\u{302}日\n]{0,4}".prop_map(Edit::Insert),
        1 => any::<String>().prop_map(Edit::Insert),
        1 => prop::sample::select(vec!["🇻", "🇳", "👨", "\u{200d}", "👩", "\u{fe0f}"])
            .prop_map(|text| Edit::Insert(text.to_owned())),
        8 => prop::sample::select(vec![
            Edit::Left,
            Edit::Right,
            Edit::WordLeft,
            Edit::WordRight,
            Edit::Home,
            Edit::End,
            Edit::Backspace,
            Edit::Delete,
            Edit::CutBack,
            Edit::CutWordLeft,
            Edit::CutWordRight,
            Edit::CutToHome,
            Edit::CutToEnd,
            Edit::Paste,
            Edit::Up,
            Edit::Down,
        ]),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_keys_leaves_the_cursor_within_a_grapheme(edits in prop::collection::vec(any_edit(), 0..60)) {
        let mut sent = Sent::default();
        sent.push("🇻🇳 one\ntwo");
        let mut editor = Editor::default();
        for edit in edits {
            editor.edit(edit, &sent);
            let at = editor.cursor();
            let boundary = at == editor.text().len() || editor.text().grapheme_indices(true).any(|(start, _)| start == at);
            prop_assert!(boundary, "{:?} at {}", editor.text(), at);
        }
    }
}
