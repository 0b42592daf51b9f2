"""Messages between two people, and what a lost link does to them."""

import re
import statistics
import time

from playwright.sync_api import expect

from people import PATIENCE_MS


def test_a_message_appears_on_the_other_side_within_a_second(visit):
    ana, ben = visit("ana"), visit("ben")
    ana.say("warm-up")
    ben.sees("warm-up")
    times = []
    for number in range(5):
        began = time.monotonic()
        ana.say(f"message {number}")
        ben.sees(f"message {number}")
        times.append(time.monotonic() - began)
    # The machine may stall once; the middle one of five says what a reader gets.
    assert statistics.median(times) < 1.0, times
    ben.say("and back")
    ana.sees("and back")


def test_a_killed_tracker_comes_back_and_every_message_is_there_once(visit, world):
    ana, ben = visit("ana"), visit("ben")
    ana.link_cut = ben.link_cut = True
    said = []

    def talk(numbers):
        for number in numbers:
            for person in (ana, ben):
                text = f"{person.name} {number}"
                person.say(text)
                said.append(text)

    talk(range(5))
    ana.sent("ana 4")
    world.tracker.kill()
    for person in (ana, ben):
        expect(person.page.locator("#banner")).to_be_visible()
    talk(range(5, 8))
    expect(ana.message("ana 7")).to_have_class(re.compile("pending"))
    world.tracker.start()
    talk(range(8, 11))
    for person in (ana, ben):
        expect(person.page.locator("#banner")).to_be_hidden(timeout=2 * PATIENCE_MS)
        person.sent(f"{person.name} 10")
        for text in said:
            person.sees(text)
    stored = [one["message"] for one in ana.call("GET", "/chat/messages", channel="general", limit=200)["messages"]]
    assert sorted(stored) == sorted(said)
    # The same order for both, and that of the log.
    assert ana.texts() == ben.texts() == stored
    # Of each writer in the order of writing.
    assert [one for one in stored if one.startswith("ana")] == [one for one in said if one.startswith("ana")]


def test_the_programs_restart_one_by_one_under_an_open_page(visit, world):
    ana, ben = visit("ana"), visit("ben")
    ana.link_cut = ben.link_cut = True
    for number, program in enumerate(world.programs):
        program.stop()
        ana.say(f"while {program.name} is away")
        program.start()
        ben.sees(f"while {program.name} is away", timeout=2 * PATIENCE_MS)
        ana.sent(f"while {program.name} is away")
        assert len(ben.texts()) == number + 1


def test_what_is_written_offline_waits_and_is_sent_after_the_return(visit):
    ana, ben = visit("ana"), visit("ben")
    ana.link_cut = True
    ana.context.set_offline(True)
    expect(ana.page.locator("#banner")).to_contain_text("offline")
    ana.say("one from the tunnel")
    ana.say("two from the tunnel")
    expect(ana.message("one from the tunnel")).to_have_class(re.compile("pending"))
    expect(ana.message("one from the tunnel")).to_contain_text("Sending")
    ben.say("meanwhile outside")
    ana.context.set_offline(False)
    for text in ("one from the tunnel", "two from the tunnel"):
        ana.sent(text)
        ben.sees(text)
    ana.sees("meanwhile outside")
    expect(ana.page.locator("#banner")).to_be_hidden()
    texts = ben.texts()
    assert texts.index("one from the tunnel") < texts.index("two from the tunnel")


def test_what_was_not_sent_survives_a_reload(visit, world):
    ana, ben = visit("ana"), visit("ben")
    ana.link_cut = ben.link_cut = True
    world.tracker.kill()
    ana.say("kept over the reload")
    expect(ana.message("kept over the reload")).to_have_class(re.compile("pending"))
    ana.page.wait_for_function(
        """() => new Promise((resolve) => {
          const open = indexedDB.open('hybrid-chat:ana');
          open.onsuccess = () => {
            const count = open.result.transaction('outbox').objectStore('outbox').count();
            count.onsuccess = () => { open.result.close(); resolve(count.result === 1); };
          };
        })"""
    )
    world.tracker.start()
    ana.page.reload()
    ana.sent("kept over the reload")
    ben.sees("kept over the reload")


def test_a_refused_message_says_why_and_can_be_tried_again(visit):
    ana = visit("ana")
    ana.link_cut = True  # The refusal is a line in the console.
    ana.page.route(
        "**/broadcast-peer",
        lambda route: route.fulfill(status=403, json={"status": "error", "code": "not_a_member", "message": "no"}),
    )
    ana.say("not wanted")
    note = ana.message("not wanted")
    expect(note).to_have_class(re.compile("failed"))
    expect(note).to_contain_text("not a member")
    ana.page.reload()
    expect(note).to_have_class(re.compile("failed"))
    ana.page.unroute("**/broadcast-peer")
    note.get_by_role("button", name="Try again").click()
    ana.sent("not wanted")


def test_an_answer_that_gets_lost_does_not_double_the_message(visit):
    ana, ben = visit("ana"), visit("ben")
    ana.link_cut = True
    lost = []

    def lose_first(route):
        if not lost:
            lost.append(route.fetch().status)  # It arrived; only the answer is lost.
            route.abort()
        else:
            route.continue_()

    ana.page.route("**/broadcast-peer", lose_first)
    ana.say("exactly once")
    ana.sent("exactly once")
    ben.sees("exactly once")
    assert lost == [200]
    stored = ana.call("GET", "/chat/messages", channel="general")["messages"]
    assert [one["message"] for one in stored] == ["exactly once"]


def test_two_tabs_of_one_account_show_the_same(visit):
    ana = visit("ana")
    second = ana.new_page()
    ana.enter(second)
    ana.say("from the first tab")
    expect(second.locator("li.message .said")).to_have_text(["from the first tab"])
    second.locator("#text").fill("from the second tab")
    second.locator("#text").press("Enter")
    for page in (ana.page, second):
        expect(page.locator("li.message .said")).to_have_text(["from the first tab", "from the second tab"])
        expect(page.locator("li.message.sent")).to_have_count(2)


def test_server_sent_events_take_over_where_websockets_do_not_get_through(visit):
    ana, ben = visit("ana"), visit("ben", enter=False)
    ben.link_cut = True
    ben.context.add_init_script(
        "window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.(), 5); } close() {} send() {} };"
    )
    ben.enter()
    ana.say("another way in")
    ben.sees("another way in")


def test_presence_follows_who_comes_and_goes(visit):
    ana, ben = visit("ana"), visit("ben")
    line = ana.page.locator("#member-list li", has_text="ben")
    expect(line.locator(".dot.online")).to_be_attached()
    ben.page.goto("about:blank")
    expect(line.locator(".dot.online")).not_to_be_attached(timeout=PATIENCE_MS)


def test_a_person_who_is_pressed_while_others_come_is_the_one_that_opens(visit):
    ana, _ = visit("ana"), visit("ben")
    ana.page.locator("#browse-people").click()
    line = ana.page.locator('dialog .person[data-peer="ben"]')
    line.hover()
    ana.page.mouse.down()
    visit("zoe")
    expect(ana.page.locator('dialog .person[data-peer="zoe"]')).to_be_attached()
    ana.page.mouse.up()
    expect(ana.page.locator("#place-title .title-text")).to_have_text("ben")
