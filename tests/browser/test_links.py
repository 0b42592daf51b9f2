"""Two people and the link between their browsers."""

import re

from playwright.sync_api import expect

from people import PATIENCE_MS, eventually


def talk(ana, ben):
    """Both have the talk with each other open, linked."""
    ana.write_to(ben.name)
    ben.write_to(ana.name)
    for person in (ana, ben):
        person.linked()


def test_two_people_link_and_their_messages_go_straight_across(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    ana.say("hello ben")
    ben.sees("hello ben")
    ana.went("hello ben", "direct")
    ben.went("hello ben", "got-direct")
    ben.say("hello ana")
    ana.went("hello ana", "got-direct")
    ben.went("hello ana", "direct")
    assert ana.call("GET", "/chat/mailbox")["messages"] == []
    for person in (ana, ben):
        person.page.reload()
        expect(person.page.locator("li.message .said")).to_have_text(["hello ben", "hello ana"])
    ana.went("hello ben", "direct")


def test_the_server_gets_no_text_while_two_people_are_linked(visit, world):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    calls = []
    for person in (ana, ben):
        person.page.on("request", lambda request: calls.append(f"{request.url} {request.post_data or ''}"))
    ana.say("between you and me")
    ben.sees("between you and me")
    ana.went("between you and me", "direct")
    assert [one for one in calls if "/send-peer" in one or "between you and me" in one] == []


def test_a_thousand_messages_each_way_arrive_once_and_in_order(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    from_ana, from_ben = ([f"{name} {number}" for number in range(1000)] for name in ("ana", "ben"))
    ana.say_all(from_ana)
    ben.say_all(from_ben)
    for person, mine in ((ana, from_ana), (ben, from_ben)):
        expect(person.page.locator("li.message")).to_have_count(2000, timeout=4 * PATIENCE_MS)
        expect(person.page.locator("li.message.mine.direct")).to_have_count(1000, timeout=4 * PATIENCE_MS)
        expect(person.page.locator("li.message.got-direct")).to_have_count(1000)
        texts = person.texts()
        assert [one for one in texts if one.startswith("ana")] == from_ana
        assert [one for one in texts if one.startswith("ben")] == from_ben


def test_messages_go_on_over_the_link_while_the_server_is_away(visit, world):
    ana, ben = visit("ana"), visit("ben")
    ana.link_cut = ben.link_cut = True
    talk(ana, ben)
    for program in world.programs:
        program.kill()
    expect(ana.page.locator("#banner")).to_be_visible()
    ana.say("who needs a server")
    ben.sees("who needs a server")
    ana.went("who needs a server", "direct")
    ben.say("not us")
    ana.went("not us", "got-direct")


def test_a_person_who_leaves_gets_the_rest_by_mailbox_and_is_linked_again_after_the_return(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    ben.page.goto("about:blank")
    ana.linked("offline")
    ana.say("for later")
    ana.went("for later", "queued")
    ben.enter()
    ana.went("for later", "delivered")
    ben.open("ana")
    ben.went("for later", "got-mailbox")
    for person in (ana, ben):
        person.linked()
    ben.say("back again")
    ana.went("back again", "got-direct")


def test_signals_come_over_server_sent_events_too(visit):
    ana, ben = visit("ana"), visit("ben", enter=False)
    ben.link_cut = True
    ben.context.add_init_script(
        "window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.(), 5); } close() {} send() {} };"
    )
    ben.enter()
    talk(ana, ben)
    ben.say("another way in")
    ana.went("another way in", "got-direct")


def test_a_page_that_dies_gets_the_rest_by_mailbox(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    ben.crash()
    ana.say("are you still there?")
    ana.went("are you still there?", "queued")
    ben.enter()
    ben.open("ana")
    ben.went("are you still there?", "got-mailbox")
    ana.went("are you still there?", "delivered")
    ana.linked()
    ben.say("here again")
    ana.went("here again", "got-direct")


def test_a_session_that_ends_ends_its_links(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    ben.link_cut = True
    ben.context.clear_cookies()
    # The next call finds out.
    ben.page.locator("#browse-people").click()
    ben.page.keyboard.press("Escape")
    expect(ben.page.locator("#banner")).to_contain_text("session has ended")
    expect(ana.page.locator("#link-state")).not_to_have_attribute("data-state", "direct")


def test_a_reload_amid_many_messages_loses_and_doubles_none(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    texts = [f"number {number}" for number in range(200)]
    ana.say_all(texts)
    expect(ben.page.locator("li.message")).not_to_have_count(0)
    ana.page.reload()
    ana.enter_again()
    expect(ben.page.locator("li.message")).to_have_count(200, timeout=2 * PATIENCE_MS)
    eventually(lambda: ana.page.locator("li.message.pending, li.message.queued").count() == 0)
    assert ben.texts() == texts
    assert ana.texts() == texts


def test_a_receiver_who_reloads_amid_many_messages_misses_and_doubles_none(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    texts = [f"number {number}" for number in range(200)]
    ana.say_all(texts)
    expect(ben.page.locator("li.message")).not_to_have_count(0)
    ben.page.reload()
    expect(ben.page.locator("li.message")).to_have_count(200, timeout=2 * PATIENCE_MS)
    eventually(lambda: ana.page.locator("li.message.pending, li.message.queued").count() == 0)
    assert ben.texts() == texts
    assert ana.texts() == texts


def test_a_link_is_made_anew_after_each_reload_at_the_first_attempt(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    for who in (ana, ben) * 4:
        who.page.reload()
        # An attempt that comes to nothing takes 15 s.
        expect(who.page.locator("#link-state")).to_have_attribute("data-state", "direct", timeout=14_000)


def test_a_channel_message_reaches_linked_members_ahead_of_the_log(visit, world):
    ana, ben = visit("ana"), visit("ben")
    ana.link_cut = ben.link_cut = True
    talk(ana, ben)
    for person in (ana, ben):
        person.open("general")
    world.tracker.kill()
    ana.say("ahead of the log")
    ben.went("ahead of the log", "post")
    world.tracker.start()
    expect(ben.message("ahead of the log")).to_have_class(re.compile(r"\breceived\b"), timeout=2 * PATIENCE_MS)
    ana.sent("ahead of the log")
    for person in (ana, ben):
        assert person.texts() == ["ahead of the log"]
