//! The whole screen, at several sizes and in both languages.

use super::support::*;
use crate::event::{Delivery, Event, Route};
use crate::links::Way;
use crate::terminal::effect::Outcome;

/// A talk with Bob: a message of each, the own one delivered.
fn talk(desk: &mut Desk) {
    desk.link("bob", Some(Way::Direct));
    desk.enters("/msg bob").outcome(Outcome::Talk {
        with: peer("bob"),
        older: false,
        result: Ok(vec![direct("bob", "alice", 5, "see you at three?")]),
    });
    desk.enters("yes");
    let serial = desk.sending();
    desk.outcome(Outcome::Sent { to: peer("bob"), serial, result: Ok(id("a1")) });
    let delivery = Delivery::Delivered(Route::Direct);
    desk.event(Event::Delivery { id: id("a1"), to: peer("bob"), delivery });
}

fn assert_looks(desk: &Desk, wanted: &str) {
    let wanted: Vec<&str> = wanted.trim_matches('\n').lines().map(str::trim_end).collect();
    let rows = desk.rows();
    assert_eq!(rows, wanted, "\n{}\n", rows.join("\n"));
}

#[test]
fn a_talk_at_80x24() {
    let mut desk = Desk::new(WIDE);
    talk(&mut desk);
    assert_looks(
        &desk,
        r"
alice        online │ bob · online · direct
Channels            │
  #games          2 │
  #general          │
                    │
Direct messages     │
● bob        direct │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │  Messages between you and bob. They are kept on this
                    │  device.
                    │ ── Wednesday 4 March 2026 ────────────────────────────────
                    │ 14:05 bob: see you at three? · direct
                    │ 15:00 you: yes · direct
                    │ ──────────────────────────────────────────────── F1 help ─
                    │ > Message bob
",
    );
}

#[test]
fn a_channel_at_40x12() {
    let desk = Desk::new(NARROW);
    assert_looks(
        &desk,
        r"
(2) #general · 3 members





 This is where #general begins.
── Wednesday 4 March 2026 ──────────────
12:01 bob: hello
12:02 bob: anybody here?
─────────── F1 help · F2 conversations ─
> Message #general
",
    );
}

#[test]
fn a_talk_at_80x24_in_vietnamese() {
    let mut desk = Desk::in_language("vi_VN.UTF-8", WIDE);
    talk(&mut desk);
    assert_looks(
        &desk,
        r"
alice    trực tuyến │ bob · trực tuyến · trực tiếp
Kênh                │
  #games          2 │
  #general          │
                    │
Tin nhắn riêng      │
● bob     trực tiếp │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │
                    │  Tin nhắn giữa bạn và bob. Chúng được giữ trên thiết bị
                    │  này.
                    │ ── Thứ Tư, 4/3/2026 ──────────────────────────────────────
                    │ 14:05 bob: see you at three? · trực tiếp
                    │ 15:00 bạn: yes · trực tiếp
                    │ ──────────────────────────────────────────── F1 trợ giúp ─
                    │ > Nhắn cho bob
",
    );
}

#[test]
fn a_channel_at_40x12_in_vietnamese() {
    let desk = Desk::in_language("vi_VN.UTF-8", NARROW);
    assert_looks(
        &desk,
        r"
(2) #general · 3 thành viên





 Đây là điểm bắt đầu của #general.
── Thứ Tư, 4/3/2026 ────────────────────
12:01 bob: hello
12:02 bob: anybody here?
────────── F1 trợ giúp · F2 trò chuyện ─
> Nhắn tới #general
",
    );
}

#[test]
fn a_long_notice_at_40x10() {
    let mut desk = Desk::new((40, 10));
    desk.enters("/etc");
    assert_looks(
        &desk,
        r"
(2) #general · 3 members


 This is where #general begins.
── Wednesday 4 March 2026 ──────────────
12:01 bob: hello
12:02 bob: anybody here?
─ There is no command /etc. Two slashes
  at the beginning send it as text
> /etc
",
    );
}
