"""What is unread, where the reader stands, and the way back through history."""

import re

from playwright.sync_api import expect

from people import eventually


def test_unread_messages_show_in_the_list_the_title_and_the_divider(visit):
    ana, ben = visit("ana"), visit("ben")
    ana.call("POST", "/chat/channels", channel="plans")
    ben.call("POST", "/chat/channels/join", channel="plans")
    ben.open("plans")
    ana.say("one")
    ana.say("two")
    badge = ben.place("general").locator(".badge")
    expect(badge).to_have_text("2")
    expect(ben.page).to_have_title(re.compile(r"^\(2\) #plans"))
    ben.open("general")
    divider = ben.page.locator(".new-line")
    expect(divider).to_have_text("New messages")
    rows = ben.page.locator("#messages > li").evaluate_all("(rows) => rows.map((row) => row.className.split(' ')[0])")
    assert rows.index("new-line") < rows.index("message")
    expect(badge).to_have_count(0)
    expect(ben.page).to_have_title(re.compile("^#general"))
    ben.open("plans")
    ben.open("general")
    expect(divider).to_have_count(0)


def test_what_one_device_has_read_is_read_on_the_other(visit):
    ana, ben = visit("ana"), visit("ben")
    ana.call("POST", "/chat/channels", channel="plans")
    ben.call("POST", "/chat/channels/join", channel="plans")
    ben.open("plans")
    ana.say("hello")
    expect(ben.place("general").locator(".badge")).to_have_text("1")
    phone = visit(viewport={"width": 390, "height": 844}).login("ben").enter()
    phone.sees("hello")
    expect(ben.place("general").locator(".badge")).to_have_count(0)


def test_scrolling_back_loads_history_and_keeps_the_place(visit):
    ana = visit("ana", enter=False)
    ana.broadcast("general", *[f"line {number}" for number in range(1, 181)])
    ana.enter()
    ana.dismiss_welcome()
    ana.sees("line 180")
    assert eventually(ana.at_end)
    expect(ana.message("line 1")).to_have_count(0)
    held = ana.page.locator("li.message").first
    before = held.get_attribute("data-key")
    ana.scroller.evaluate("(node) => { node.scrollTop = 300; }")
    eventually(lambda: ana.page.locator("li.message").first.get_attribute("data-key") != before)
    # The message that was first is where it was, though fifty more stand above it.
    top = ana.page.locator(f'[data-key="{before}"]').evaluate("(node) => node.getBoundingClientRect().top")
    frame = ana.scroller.evaluate("(node) => node.getBoundingClientRect().top")
    assert abs(top - frame) < 600, (top, frame)
    ana.scroller.focus()

    def at_the_beginning():
        ana.page.keyboard.press("Home")
        return ana.message("line 1").count() == 1

    eventually(at_the_beginning)
    expect(ana.page.locator(".start-line")).to_be_visible()
    assert ana.texts() == [f"line {number}" for number in range(1, 181)]


def test_a_reader_of_old_messages_is_not_pulled_away(visit):
    ana, ben = visit("ana"), visit("ben", enter=False)
    ana.broadcast("general", *[f"line {number}" for number in range(1, 61)])
    ben.enter()
    ben.dismiss_welcome()
    ben.sees("line 60")
    ben.page.locator("#jump").evaluate("(node) => node.hidden") or ben.page.locator("#jump").click()
    eventually(ben.at_end)
    ben.scroller.evaluate("(node) => { node.scrollTop -= 500; }")
    jump = ben.page.locator("#jump")
    expect(jump).to_be_visible()
    eventually(lambda: ben.call("GET", "/chat/channels")["channels"][0]["unread"] == 0)
    place = ben.scroller.evaluate("(node) => node.scrollTop")
    ana.say("news")
    ben.sees("news")
    expect(jump).to_contain_text("1 new message")
    assert abs(ben.scroller.evaluate("(node) => node.scrollTop") - place) < 3
    expect(ben.page.locator(".new-line")).to_have_count(1)
    assert ben.call("GET", "/chat/channels")["channels"][0]["unread"] == 1
    jump.click()
    expect(jump).to_be_hidden()
    eventually(lambda: ben.call("GET", "/chat/channels")["channels"][0]["unread"] == 0)


def test_a_hidden_page_marks_nothing_as_read(visit):
    ana, ben = visit("ana"), visit("ben")
    ben.page.evaluate(
        """() => {
          Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    ana.say("are you there?")
    ben.sees("are you there?")
    expect(ben.page).to_have_title(re.compile(r"^\(1\)"))
    assert ben.call("GET", "/chat/channels")["channels"][0]["unread"] == 1
    ben.page.evaluate("() => { delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange')); }")
    expect(ben.page).to_have_title(re.compile("^#general"))
    eventually(lambda: ben.call("GET", "/chat/channels")["channels"][0]["unread"] == 0)


def test_a_gap_of_hundreds_of_messages_is_closed_after_the_return(visit, world):
    ana, ben = visit("ana"), visit("ben")
    ben.link_cut = True
    ana.say("before the gap")
    ben.sees("before the gap")
    ben.context.set_offline(True)
    expect(ben.page.locator("#banner")).to_be_visible()
    ana.broadcast("general", *[f"gap {number}" for number in range(1, 251)])
    ben.context.set_offline(False)
    ben.sees("gap 250")
    ben.sees("gap 1")
    ben.sees("before the gap")


def test_the_box_comes_with_the_conversation_that_it_writes_to(visit):
    ana = visit("ana")
    held = []
    ana.page.route("**/chat/channels?scope=all", lambda route: held.append(route))
    with ana.page.expect_request("**/chat/channels?scope=all"):
        ana.page.reload()
    expect(ana.box).to_be_hidden()
    held[0].continue_()
    expect(ana.box).to_be_focused()
    ana.page.keyboard.type("nothing is lost")
    ana.page.keyboard.press("Enter")
    ana.sees("nothing is lost")


def test_a_draft_waits_in_its_conversation_over_a_reload(visit):
    ana = visit("ana")
    ana.call("POST", "/chat/channels", channel="plans")
    ana.box.fill("half a thought")
    ana.open("plans")
    expect(ana.box).to_have_value("")
    ana.page.reload()
    expect(ana.page.locator("#place-title .title-text")).to_have_text("plans")
    ana.open("general")
    expect(ana.box).to_have_value("half a thought")


def test_channels_are_made_found_joined_and_left(visit):
    ana, ben = visit("ana"), visit("ben")
    page = ana.page
    page.locator("#browse-channels").click()
    page.get_by_label("Name", exact=True).fill("#lớp 10A")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("#place-title .title-text")).to_have_text("lớp-10A")
    ben.page.locator("#browse-channels").click()
    ben.page.get_by_role("button", name="Join #lớp-10A").click()
    expect(ben.page.locator("#place-title .title-text")).to_have_text("lớp-10A")
    expect(page.locator("#member-list")).to_contain_text("ben")
    ben.say("chào cả lớp")
    ana.sees("chào cả lớp")
    ben.page.get_by_role("button", name="Leave #lớp-10A").click()
    ben.page.get_by_role("dialog").get_by_role("button", name="Leave", exact=True).click()
    expect(ben.place("lớp-10A")).to_have_count(0)
    expect(page.locator("#member-list")).not_to_contain_text("ben")


def test_a_private_channel_is_for_those_who_were_added(visit):
    ana, ben = visit("ana"), visit("ben")
    page = ana.page
    page.locator("#browse-channels").click()
    page.get_by_label("Name", exact=True).fill("secret")
    page.get_by_label("Private: only members see it and read it").check()
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("#place-note")).to_contain_text("Private")
    ana.say("just us")
    ana.sent("just us")
    expect(ben.place("secret")).to_have_count(0)
    page.locator("#add-member").click()
    page.locator('dialog .person[data-peer="ben"]').click()
    ben.open("secret")
    ben.sees("just us")
