"""Direct messages by way of the mailbox."""

import re

from playwright.sync_api import expect

from people import PATIENCE_MS


def test_a_message_to_someone_away_is_queued_and_becomes_delivered(visit):
    ana, ben = visit("ana"), visit("ben")
    ben.page.goto("about:blank")
    ana.write_to("ben")
    ana.say("for when you are back")
    note = ana.message("for when you are back")
    expect(note).to_have_class(re.compile("queued"))
    expect(note).to_contain_text("Queued")
    ben.enter()
    expect(ben.place("ana").locator(".badge")).to_have_text("1")
    expect(note).to_have_class(re.compile("delivered"))
    ben.open("ana")
    ben.sees("for when you are back")
    expect(ben.place("ana").locator(".badge")).to_have_count(0)
    assert ben.call("GET", "/chat/mailbox")["messages"] == []


def test_two_people_talk_and_both_keep_the_talk_over_a_reload(visit):
    ana, ben = visit("ana", links=False), visit("ben")
    ana.write_to("ben")
    ana.say("hello ben")
    ben.open("ana")
    ben.sees("hello ben")
    ben.say("hello ana")
    ana.sees("hello ana")
    for person in (ana, ben):
        person.page.reload()
        expect(person.page.locator("li.message .said")).to_have_text(["hello ben", "hello ana"])
    expect(ana.message("hello ben")).to_have_class(re.compile("delivered"))


def test_delivery_that_happened_while_the_sender_was_away_is_learned_later(visit):
    ana, ben = visit("ana"), visit("ben")
    ben.page.goto("about:blank")
    ana.write_to("ben")
    ana.say("see you")
    expect(ana.message("see you")).to_have_class(re.compile("queued"))
    place = ana.page.url
    ana.page.goto("about:blank")
    ben.enter()
    expect(ben.place("ana")).to_be_visible()
    ana.page.goto(place)
    expect(ana.message("see you")).to_have_class(re.compile("delivered"))


def test_a_direct_message_survives_a_killed_tracker_once(visit, world):
    ana, ben = visit("ana", links=False), visit("ben")
    ana.link_cut = ben.link_cut = True
    ana.write_to("ben")
    ana.say("before")
    ben.open("ana")
    ben.sees("before")
    world.tracker.kill()
    ana.say("between")
    expect(ana.message("between")).to_have_class(re.compile("pending"))
    world.tracker.start()
    ben.sees("between", timeout=2 * PATIENCE_MS)
    expect(ana.message("between")).to_have_class(re.compile("delivered"), timeout=2 * PATIENCE_MS)
    assert ben.texts() == ["before", "between"]


def test_writing_to_nobody_fails_truthfully(visit):
    ana = visit("ana")
    ana.link_cut = True  # The refusal is a line in the console.
    ana.page.goto("/#/d/nobody")
    expect(ana.page.locator("#place-title .title-text")).to_have_text("nobody")
    ana.say("is anyone there?")
    note = ana.message("is anyone there?")
    expect(note).to_have_class(re.compile("failed"))
    expect(note).to_contain_text("nobody of this name")
    note.get_by_role("button", name="Discard").click()
    expect(note).to_have_count(0)
