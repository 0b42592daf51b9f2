"""Who is at the other end: what is refused, and what two people can compare."""

import json
import re

import pytest
from playwright.sync_api import expect

from people import eventually
from test_links import talk


def tamper(person, kind, change):
    """Changes offers or answers on their way to the server, as somebody in between would."""

    def alter(route):
        body = json.loads(route.request.post_data)
        if body["signal"]["kind"] == kind:
            change(body["signal"])
        route.continue_(post_data=json.dumps(body))

    person.page.route("**/chat/signal", alter)


def foreign_fingerprint(signal):
    signal["sdp"] = re.sub(r"(a=fingerprint:sha-256 )..", r"\1" + "00", signal["sdp"])


def second_fingerprint(signal):
    line = re.search(r"a=fingerprint:sha-256 .*", signal["sdp"]).group().strip()
    signal["sdp"] += line[:-2] + ("00" if line[-2:] != "00" else "01") + "\r\n"


def foreign_signature(signal):
    signal["signature"] = ("A" if signal["signature"][0] != "A" else "B") + signal["signature"][1:]


@pytest.mark.parametrize("kind", ["offer", "answer"])
@pytest.mark.parametrize("change", [foreign_fingerprint, second_fingerprint, foreign_signature])
def test_a_description_that_was_tampered_with_is_refused_and_shown(visit, kind, change):
    """ana's page offers, because her name is the lower one."""
    ana, ben = visit("ana"), visit("ben")
    author, victim = (ana, ben) if kind == "offer" else (ben, ana)
    tamper(author, kind, change)
    victim.write_to(author.name)
    author.write_to(victim.name)
    warning = victim.page.locator(".talk-notice.refused")
    expect(warning).to_contain_text(f"claimed to be {author.name}")
    author.say("not over this link")
    victim.went("not over this link", "got-mailbox")
    author.went("not over this link", "delivered")
    assert victim.page.locator("#link-state").get_attribute("data-state") not in ("direct", "relayed")
    warning.get_by_role("button", name="Dismiss").click()
    # Without the one in between the next attempt succeeds.
    author.page.unroute("**/chat/signal")
    for person in (author, victim):
        person.linked()
    author.say("now it is you")
    victim.went("now it is you", "got-direct")
    expect(warning).to_have_count(0)


def test_a_rogue_offer_by_the_api_gets_no_answer(visit):
    """abe may signal, and his device is registered; the offer is signed by another key than the device's."""
    abe, ben = visit("abe"), visit("ben")
    answers = []
    ben.page.on("request", lambda request: answers.append(request.post_data) if request.url.endswith("/chat/signal") else None)
    ben_device = ben.call("GET", "/chat/devices")["devices"][0]["device"]
    abe_device = abe.call("GET", "/chat/devices")["devices"][0]["device"]
    ben.page.goto("/#/d/abe")
    expect(ben.page.locator("#link-state")).to_be_visible()
    ben.linked()
    offer = abe.page.evaluate(
        """async ([device, to]) => {
          const { publicKeyOf, sign } = await import('/js/crypto/ed25519.js');
          const { toBase64url } = await import('/js/crypto/base64url.js');
          const { fingerprint, linkStatement, bytesOf } = await import('/js/p2p/proof.js');
          const secret = crypto.getRandomValues(new Uint8Array(32));
          const pc = new RTCPeerConnection();
          pc.createDataChannel('msg', { protocol: 'hybrid-chat.1' });
          await pc.setLocalDescription();
          const { sdp } = pc.localDescription;
          const session = Date.now();
          const claim = { role: 'offer', session, from: { peer: 'abe', device }, to: { peer: 'ben', device: to } };
          const signature = toBase64url(sign(bytesOf(linkStatement(claim, fingerprint(sdp))), secret));
          return { session, signal: { kind: 'offer', sdp, public_key: toBase64url(publicKeyOf(secret)), signature } };
        }""",
        [abe_device, ben_device],
    )
    answers.clear()
    abe.call("POST", "/chat/signal", **{"from": "abe", "from_device": abe_device, "to": "ben", "to_device": ben_device, **offer})
    expect(ben.page.locator(".talk-notice.refused")).to_contain_text("claimed to be abe")
    assert [one for one in answers if json.loads(one)["signal"]["kind"] == "answer"] == []
    # The link that was there stays.
    ben.linked()
    ben.say("to the real one")
    abe.open("ben")
    abe.went("to the real one", "got-direct")


def digits(person):
    """The safety number that a person's dialog shows for the one device of the other."""
    person.page.locator("#link-state").click()
    number = person.page.get_by_role("dialog").locator(".safety-number")
    expect(number).to_have_count(1)
    return number.locator("span").all_inner_texts()


def test_both_people_see_the_same_safety_number_and_can_mark_it_as_compared(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    numbers = [[group.strip() for group in digits(person)] for person in (ana, ben)]
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) == 12 and all(re.fullmatch(r"\d{5}", group) for group in numbers[0])
    dialog = ana.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Direct link")
    # localhost is as good as https.
    expect(dialog.locator("#link-http")).to_have_count(0)
    dialog.get_by_label("We have compared it").check()
    expect(dialog.locator(".tag.good")).to_have_text("Compared")
    ana.page.keyboard.press("Escape")
    ana.page.reload()
    ana.linked()
    digits(ana)
    expect(dialog.get_by_label("We have compared it")).to_be_checked()


def test_the_number_is_the_same_in_a_tab_that_does_not_lead(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    first = digits(ana)
    second = ana.new_page()
    ana.enter(second)
    second.goto(ana.page.url)
    ana.linked(page=second)
    ana.page = second
    assert digits(ana) == first


def test_a_partner_s_new_device_is_told_once(visit):
    ana, ben = visit("ana"), visit("ben")
    talk(ana, ben)
    notice = ana.page.locator(".talk-notice")
    expect(notice).to_have_count(0)
    phone = visit("ben", again=True)
    phone.write_to("ana")
    phone.linked()
    expect(notice).to_contain_text("ben has a new device")
    expect(notice).to_contain_text(re.compile(r"Chrom\w+ on Linux"))
    notice.get_by_role("button", name="Compare").click()
    dialog = ana.page.get_by_role("dialog")
    expect(dialog.locator(".device")).to_have_count(2)
    expect(dialog.locator(".tag", has_text="New")).to_have_count(1)
    ana.page.keyboard.press("Escape")
    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)
    ana.page.reload()
    ana.linked()
    expect(notice).to_have_count(0)
    # ben himself hears of it too.
    ben.write_to("ana")
    ben.say("from the laptop")
    phone.went("from the laptop", "copy")
    eventually(lambda: ben.page.locator(".talk-notice", has_text="also used on another device").count() == 1)


def test_a_page_on_plain_http_says_what_its_keys_are_worth(visit):
    ana, ben = visit("ana", host="chat.lan"), visit("ben", host="chat.lan")
    talk(ana, ben)
    numbers = [digits(person) for person in (ana, ben)]
    assert numbers[0] == numbers[1]
    expect(ana.page.locator("#link-http")).to_contain_text("plain http")
