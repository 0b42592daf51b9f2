"""One person in several tabs and on several devices."""

import re

from playwright.sync_api import expect

from people import PATIENCE_MS, eventually
from test_links import talk


def open_tab(person):
    """Another tab of the same browser, in the same conversation."""
    page = person.new_page()
    person.enter(page)
    page.goto(person.page.url)
    expect(page.locator("#text")).to_be_visible()
    return page


def ben_in_two_tabs(visit):
    """Ana and Ben, linked, and Ben's second tab."""
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    second = open_tab(ben)
    ben.linked(page=second)
    return ana, ben, second


def texts(page):
    return page.locator("li.message .said").all_inner_texts()


def say(page, text):
    page.locator("#text").fill(text)
    page.locator("#text").press("Enter")


def links_of(person):
    """Devices of this person with a link that is up, as the dialog of the open talk lists them."""
    person.page.locator("#link-state").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog.locator(".device").first).to_be_visible()
    up = dialog.locator(".device-state.up").count()
    person.page.keyboard.press("Escape")
    return up


def test_two_tabs_share_one_link_and_show_each_message_once(visit):
    ana, ben, second = ben_in_two_tabs(visit)
    ana.say("for both tabs")
    for page in (ben.page, second):
        expect(page.locator("li.message.got-direct .said")).to_have_text(["for both tabs"])
    say(second, "from the second tab")
    ana.went("from the second tab", "got-direct")
    for page in (ben.page, second):
        expect(page.locator("li.message .said")).to_have_text(["for both tabs", "from the second tab"])
        expect(page.locator("li.message.mine.direct")).to_have_count(1)
    assert links_of(ana) == 1


def test_when_the_leading_tab_is_closed_another_one_takes_over(visit):
    ana, ben, second = ben_in_two_tabs(visit)
    ben.page.close()
    ben.page = second
    say(second, "the other one is gone")
    ana.sees("the other one is gone")
    for person in (ana, ben):
        person.linked()
    ana.say("and we are linked again")
    ben.went("and we are linked again", "got-direct")
    ana.went("and we are linked again", "direct")
    assert ana.texts() == texts(second) == ["the other one is gone", "and we are linked again"]


def test_a_message_written_in_a_tab_that_is_closed_at_once_is_sent_by_the_other(visit):
    ana, ben, second = ben_in_two_tabs(visit)
    say(second, "gone in a moment")
    expect(second.locator("li.message .said")).to_have_text(["gone in a moment"])
    second.close()
    ana.sees("gone in a moment")
    ben.sees("gone in a moment")
    assert ana.texts() == ["gone in a moment"]


def test_the_other_tab_hears_of_a_message_before_the_disk_has_it(visit):
    ana, ben, second = ben_in_two_tabs(visit)
    # No transaction of this tab ever comes to an end that it hears of.
    second.evaluate("Object.defineProperty(IDBTransaction.prototype, 'oncomplete', { set() {} })")
    say(second, "sent by the other tab")
    ana.sees("sent by the other tab")


def test_a_message_to_a_channel_that_a_closed_tab_left_is_sent_by_the_leading_one(visit):
    ana, ben = visit("ana"), visit("ben")
    second = open_tab(ben)
    ben.link_cut = True
    second.route("**/broadcast-peer", lambda route: route.abort())
    with second.expect_event("requestfailed"):
        say(second, "held up on the way")
    second.close()
    ana.sees("held up on the way")
    ben.sent("held up on the way")
    assert ana.texts() == ben.texts() == ["held up on the way"]


def test_laptop_and_phone_both_get_a_message_once_and_the_sender_s_other_device_a_copy(visit):
    ana, ana_phone = visit("ana"), visit("ana", again=True)
    ben, ben_phone = visit("ben"), visit("ben", again=True)
    everyone = (ana, ana_phone, ben, ben_phone)
    for person, other in ((ana, "ben"), (ana_phone, "ben"), (ben, "ana"), (ben_phone, "ana")):
        person.write_to(other)
    for person in everyone:
        person.linked()
    eventually(lambda: links_of(ana) == 2)
    ana.say("to both of you")
    for person in (ben, ben_phone):
        person.went("to both of you", "got-direct")
    ana.went("to both of you", "direct")
    ana_phone.went("to both of you", "copy")
    ben_phone.say("to all of us")
    ben_phone.went("to all of us", "direct")
    ben.went("to all of us", "copy")
    for person in (ana, ana_phone):
        person.went("to all of us", "got-direct")
    for person in everyone:
        assert person.texts() == ["to both of you", "to all of us"]
    assert ben.call("GET", "/chat/mailbox")["messages"] == []


def test_a_device_that_can_not_be_linked_gets_the_message_by_mailbox_beside_the_link(visit, walled):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    phone = visit("ben", again=True, browser=walled)
    phone.write_to("ana")
    phone.linked("none")
    ana.page.locator("#link-state").click()
    expect(ana.page.get_by_role("dialog").locator(".device", has_text="No link")).to_be_visible()
    ana.page.keyboard.press("Escape")
    ana.say("wherever you are")
    ben.sees("wherever you are")
    phone.sees("wherever you are")
    # It has passed the server: nobody is told that it went direct.
    ana.went("wherever you are", "delivered")
    assert phone.texts() == ben.texts() == ["wherever you are"]


def test_own_devices_are_listed_and_can_be_removed(visit):
    ana, phone = visit("ana"), visit("ana", again=True)
    phone.page.goto("about:blank")
    ana.page.locator("#account").click()
    ana.page.locator("#own-devices").click()
    devices = ana.page.get_by_role("dialog").locator(".device")
    expect(devices).to_have_count(2)
    expect(devices.filter(has_text="This browser")).to_have_count(1)
    expect(devices.first).to_contain_text(re.compile(r"Chrom\w+ on Linux"))
    ana.page.get_by_role("button", name=re.compile("^Remove")).click()
    expect(devices).to_have_count(1)
    assert len(ana.call("GET", "/chat/devices")["devices"]) == 1
    # Who is signed in there is a device again.
    phone.enter()
    eventually(lambda: len(ana.call("GET", "/chat/devices")["devices"]) == 2)


def test_a_device_that_was_removed_while_its_page_is_open_registers_anew(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    ben.link_cut = ana.link_cut = True
    for device in ben.call("GET", "/chat/devices")["devices"]:
        ben.call("POST", "/chat/devices/remove", device=device["device"])
    eventually(lambda: any(one["live"] for one in ben.call("GET", "/chat/devices")["devices"]))
    ana.say("still there?")
    ben.sees("still there?")
    expect(ben.page.locator("#account .dot.online")).to_be_attached(timeout=PATIENCE_MS)


def test_without_web_locks_a_lease_decides_who_leads(visit):
    """On plain http and another name than localhost, where browsers offer neither locks nor WebCrypto."""
    ana, ben = visit("ana", host="chat.lan"), visit("ben", host="chat.lan")
    assert ana.page.evaluate("[isSecureContext, 'locks' in navigator, crypto.subtle === undefined]") == [False, False, True]
    talk(ana, ben)
    second = open_tab(ben)
    ben.linked(page=second)
    ana.say("for both tabs")
    for page in (ben.page, second):
        expect(page.locator("li.message.got-direct .said")).to_have_text(["for both tabs"])
    # It dies without giving the lease back.
    ben.crash()
    ben.page.close()
    ben.page = second
    say(second, "the other one is gone")
    ana.sees("the other one is gone")
    for person in (ana, ben):
        person.linked()
    ana.say("linked again")
    ben.went("linked again", "got-direct")
