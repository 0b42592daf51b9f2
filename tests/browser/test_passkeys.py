"""Passkeys: added, shown alone and after the password, and removed. Chromium brings the authenticator."""

import re

import pytest
from playwright.sync_api import expect

from people import PASSWORD, Person
from test_account import status, until_its_sign_in_is_old
from test_factors import first_step, shown_codes
from test_looks import PHONE, audit


@pytest.fixture
def world(world_of):
    """A server that knows its name, to which passkeys belong."""
    return world_of(named=True)


# Passkeys are asked for in two ways: the browser prompts, or offers them with what it fills in. The owner's finger is there while it prompts; what is
# offered is picked or not.
TELL_PROMPTS = """
if (window === top && navigator.credentials) {
  window.__offers = 0;
  for (const name of ['create', 'get']) {
    const original = navigator.credentials[name].bind(navigator.credentials);
    navigator.credentials[name] = async (options) => {
      if (options.mediation === 'conditional') {
        window.__offers += 1;
        return original(options);
      }
      await window.__prompts(true);
      try {
        return await original(options);
      } finally {
        await window.__prompts(false);
      }
    };
  }
}
"""


class Authenticator:
    """That of the page's device, as the person wants it."""

    def __init__(self, person):
        self._talk = person.context.new_cdp_session(person.page)
        self._talk.send("WebAuthn.enable")
        self._id = None
        self._nods, self._picks, self._prompts = True, False, False
        person.context.expose_function("__prompts", self._prompted)
        person.context.add_init_script(TELL_PROMPTS)

    def plug_in(self):
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
        self._id = self._talk.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
        self._touch()
        return self

    def pull_out(self):
        self._talk.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self._id})
        self._id = None

    def keys(self):
        return self._talk.send("WebAuthn.getCredentials", {"authenticatorId": self._id})["credentials"]

    def recognise(self, its_owner):
        """Whether who is there from now on is its owner."""
        self._talk.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": its_owner})

    def nods(self, at_once):
        """Whether its owner touches it as soon as the browser prompts, or never."""
        self._nods = at_once
        self._touch()

    def picks(self, what_is_offered):
        """Whether its owner picks its passkey wherever the browser offers it."""
        self._picks = what_is_offered
        self._touch()

    def _prompted(self, prompts):
        self._prompts = prompts
        self._touch()

    def _touch(self):
        if self._id:
            enabled = self._picks or (self._prompts and self._nods)
            self._talk.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self._id, "enabled": enabled})


def offered(page, times=1):
    """Until the browser was asked to offer passkeys, so often since the page was loaded."""
    page.wait_for_function("(times) => window.__offers === times", arg=times)


def section(page):
    return page.get_by_role("region", name="Second step of signing in")


def add(page, name):
    """Adds a passkey by the page."""
    page.get_by_role("button", name="Add a passkey").click()
    dialog = page.get_by_role("dialog", name="Add a passkey")
    expect(dialog.get_by_label("Name of the passkey")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")


def with_passkey(visit, name="ana", **context):
    """Someone who has one, at the page of the account."""
    person = visit(name, enter=False, **context)
    device = Authenticator(person).plug_in()
    person.page.goto("/account")
    add(person.page, "Laptop")
    shown_codes(person.page)
    person.page.keyboard.press("Escape")
    expect(person.page.get_by_role("button", name="Remove the passkey Laptop")).to_be_visible()
    return person, device


def sign_out(person):
    person.call("POST", "/logout")
    assert status(person) == 401


def test_a_passkey_is_added_and_signs_in_without_a_password(visit):
    ana = visit("ana", enter=False)
    phone = visit("ana", again=True, enter=False)
    device = Authenticator(ana).plug_in()
    page = ana.page
    page.goto("/account")
    line = section(page).get_by_role("listitem").filter(has_text="Passkeys")
    expect(line).to_contain_text("Off")
    add(page, "Laptop <i>")
    dialog, _ = shown_codes(page)
    dialog.get_by_role("button", name="I have them").click()
    expect(page.get_by_role("button", name="Add a passkey")).to_be_focused()
    expect(line).to_contain_text("1 passkey")
    own = section(page).get_by_role("listitem").filter(has_text="Laptop <i>")
    expect(own).to_contain_text("Not used yet")
    expect(section(page).get_by_role("listitem").filter(has_text="Recovery codes")).to_contain_text("10 left")
    assert (status(ana), status(phone)) == (200, 401)
    assert len(device.keys()) == 1
    # The same device has one already; that is said where the name was typed, which stays.
    ana.link_cut = True
    add(page, "Again")
    again = page.get_by_role("dialog", name="Add a passkey")
    expect(again.get_by_role("alert")).to_contain_text("has a passkey for this account already")
    expect(again.get_by_label("Name of the passkey")).to_have_value("Again")
    sign_out(ana)
    page.goto("/account")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Faccount"))
    # The button does it, whatever the browser offers meanwhile.
    offered(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator("#who")).to_contain_text("ana")
    expect(own).to_contain_text("Last used")


def test_a_passkey_is_the_second_step_after_the_password(visit):
    ana, device = with_passkey(visit)
    sign_out(ana)
    page = first_step(ana, way="/account")
    press = page.get_by_role("button", name="Show your passkey")
    expect(press).to_be_focused()
    expect(page.get_by_role("textbox")).to_have_count(0)
    # A finger that it doesn't know is no complaint, and the other way is open.
    device.recognise(False)
    with page.expect_response("**/login/second/passkey"):
        page.keyboard.press("Enter")
    expect(page.locator("#form")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#error")).to_be_empty()
    page.get_by_role("button", name="Use a recovery code instead").click()
    expect(page.get_by_label("Recovery code", exact=True)).to_be_focused()
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(press).to_be_focused()
    device.recognise(True)
    # Nor is the other way closed while the browser waits for a nod.
    device.nods(False)
    with page.expect_response("**/login/second/passkey"):
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Use a recovery code instead").click()
    expect(page.locator("#submit")).to_be_enabled()
    page.get_by_role("button", name="Use a passkey instead").click()
    device.nods(True)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator("#who")).to_contain_text("ana")


def test_whoever_picks_the_passkey_that_the_browser_offers_for_the_name_is_signed_in(visit):
    ana, device = with_passkey(visit)
    sign_out(ana)
    device.picks(True)
    page = ana.page
    page.goto("/login?next=/account")
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator("#who")).to_contain_text("ana")
    # Offered, and not picked.
    sign_out(ana)
    device.picks(False)
    page.goto("/login")
    expect(page.get_by_label("User name")).to_have_attribute("autocomplete", "username webauthn")
    offered(page)
    assert status(ana) == 401


def test_whoever_types_the_password_is_signed_in_by_it_whatever_the_browser_offers(visit):
    ana, _ = with_passkey(visit)
    sign_out(ana)
    ana.register("ben")
    sign_out(ana)
    page = ana.page
    page.goto("/login")
    offered(page)
    page.get_by_label("User name").fill("ben")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#place-title .title-text")).to_have_text("general")
    assert ana.call("GET", "/me")["username"] == "ben"


def test_passkeys_are_offered_again_after_another_way_led_nowhere(visit):
    ana, device = with_passkey(visit)
    sign_out(ana)
    ana.link_cut = True
    page = ana.page
    page.goto("/login?next=/account")
    offered(page)
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill("not the password at all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).not_to_be_empty()
    offered(page, 2)
    # A prompt that is closed is no complaint.
    device.recognise(False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    offered(page, 3)
    expect(page.locator("#error")).to_be_empty()
    device.recognise(True)
    device.picks(True)
    page.get_by_label("Password", exact=True).fill("nor this one")
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_contain_text("ana")


def test_removing_a_passkey_asks_and_then_it_opens_nothing(chromium, world_of):
    world = world_of(named=True, auth_flags=["--step-up-after", "5s"])
    ana = Person(chromium, world.url).register("ana")
    Authenticator(ana).plug_in()
    page = ana.page
    page.goto("/account")
    until_its_sign_in_is_old(ana)
    ana.link_cut = True
    add(page, "Laptop")
    asked = page.get_by_role("dialog", name="Is it you?")
    asked.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    shown_codes(page)
    page.keyboard.press("Escape")
    until_its_sign_in_is_old(ana)
    press = page.get_by_role("button", name="Remove the passkey Laptop")
    press.click()
    sure = page.get_by_role("dialog", name="Remove the passkey “Laptop”?")
    expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(press).to_be_focused()
    page.keyboard.press("Enter")
    sure.get_by_role("button", name="Remove", exact=True).click()
    asked.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The passkey “Laptop” is removed.")).to_be_visible()
    expect(section(page).get_by_role("listitem")).to_have_count(2)
    # The device still has it, and shows it in vain.
    sign_out(ana)
    page.goto("/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("isn’t known here")
    offered(page, 2)
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#place-title .title-text")).to_have_text("general")
    ana.check()
    ana.close()


def test_who_shows_no_passkey_goes_on_where_one_was(visit):
    ana = visit("ana", enter=False)
    device = Authenticator(ana).plug_in()
    page = ana.page
    page.goto("/account")
    # Whoever closes the dialog meanwhile has made none.
    device.nods(False)
    with page.expect_response("**/auth/passkeys/begin"):
        add(page, "Laptop")
    expect(page.get_by_role("dialog", name="Add a passkey").locator("form")).to_have_attribute("aria-busy", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Add a passkey")).to_be_focused()
    # A prompt that was closed is no complaint, and what was typed is there for another try.
    page.evaluate("() => { navigator.credentials.create = () => Promise.reject(new DOMException('closed', 'NotAllowedError')); }")
    with page.expect_response("**/auth/passkeys/begin"):
        add(page, "Laptop")
    dialog = page.get_by_role("dialog", name="Add a passkey")
    expect(dialog.locator("form")).not_to_have_attribute("aria-busy", "true")
    expect(dialog.get_by_label("Name of the passkey")).to_be_focused()
    expect(dialog.get_by_label("Name of the passkey")).to_have_value("Laptop")
    expect(dialog.locator("#passkey-error")).to_be_empty()
    assert ana.call("GET", "/auth/factors")["passkeys"] == []
    # Nothing is there that could answer.
    device.pull_out()
    sign_out(ana)
    page.goto("/login")
    press = page.get_by_role("button", name="Sign in with a passkey")
    with page.expect_response("**/login/passkey"):
        press.click()
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#place-title .title-text")).to_have_text("general")


def test_a_browser_that_neither_offers_passkeys_nor_has_their_json_shows_them_all_the_same(visit):
    ana = visit(enter=False)
    ana.context.add_init_script("""
      delete PublicKeyCredential.isConditionalMediationAvailable;
      delete PublicKeyCredential.parseCreationOptionsFromJSON;
      delete PublicKeyCredential.parseRequestOptionsFromJSON;
      delete PublicKeyCredential.prototype.toJSON;""")
    ana.register("ana")
    Authenticator(ana).plug_in()
    page = ana.page
    page.goto("/account")
    assert page.evaluate("'parseCreationOptionsFromJSON' in PublicKeyCredential || 'toJSON' in PublicKeyCredential.prototype") is False
    add(page, "Laptop")
    shown_codes(page)
    sign_out(ana)
    page.goto("/login?next=/account")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#who")).to_contain_text("ana")
    sign_out(ana)
    page = first_step(ana, way="/account")
    page.get_by_role("button", name="Show your passkey").click()
    expect(page.locator("#who")).to_contain_text("ana")


def test_where_passkeys_cannot_work_the_page_says_why(visit, chromium, world_of):
    far = visit("ana", enter=False, host="chat.lan")
    # Told no name, it has passkeys at localhost only; this is another name of the same machine.
    nameless = Person(chromium, world_of().url.replace("localhost", "chat.localhost")).register("ben")
    old = visit("cam", enter=False)
    old.context.add_init_script("delete window.PublicKeyCredential")
    for person, why in ((far, "need a secure connection"), (nameless, "This server has no passkeys"), (old, "This browser has no passkeys")):
        page = person.page
        page.goto("/account")
        expect(section(page).get_by_role("listitem").filter(has_text="Passkeys")).to_contain_text(why)
        expect(page.get_by_role("button", name="Add a passkey")).to_have_count(0)
        page.context.clear_cookies()
        asked = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(person.url)))
        with page.expect_response("**/auth/info"):
            page.goto("/login")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
        # Nor is the server asked for what the browser could offer.
        page.evaluate("() => fetch('/auth/info')")
        assert "/auth/info" in asked and "/login/passkey" not in asked
    # Who has nothing else is told as well.
    far.page.goto("/login/code?factors=passkey")
    expect(far.page.get_by_text("need a secure connection")).to_be_visible()
    expect(far.page.get_by_role("button", name="Show your passkey")).to_have_count(0)
    nameless.check()
    nameless.close()


def test_a_passkey_is_renamed_with_the_keyboard_alone(visit):
    ana, _ = with_passkey(visit)
    page = ana.page
    page.get_by_role("button", name="Rename the passkey Laptop").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Rename the passkey “Laptop”")
    expect(dialog.get_by_label("Name of the passkey")).to_be_focused()
    expect(dialog.get_by_label("Name of the passkey")).to_have_value("Laptop")
    # It is refused where it was typed, and stays.
    ana.link_cut = True
    dialog.get_by_label("Name of the passkey").fill(" ")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    expect(dialog.get_by_label("Name of the passkey")).to_be_focused()
    dialog.get_by_label("Name of the passkey").fill("Old <b>laptop</b>")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    # The line has the new name, and the button that opened the dialog the focus.
    expect(page.get_by_role("button", name="Rename the passkey Old <b>laptop</b>")).to_be_focused()
    expect(page.get_by_text("The passkey is now called “Old <b>laptop</b>”.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Remove the passkey Old <b>laptop</b>")).to_be_visible()


def test_at_localhost_passkeys_work_without_any_setting(chromium, world_of):
    url = world_of().url
    assert url.startswith("http://localhost:")
    ana = Person(chromium, url).register("ana")
    page = ana.page
    Authenticator(ana).plug_in()
    page.goto("/account")
    add(page, "Laptop")
    shown_codes(page)
    page.keyboard.press("Escape")
    sign_out(ana)
    page.goto("/account")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#who")).to_contain_text("ana")
    # By another name of this machine it isn't offered.
    first_step(ana, way=url.replace("localhost", "chat.localhost") + "/login?next=%2Faccount")
    expect(page.get_by_label("Recovery code", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Use a passkey instead")).to_have_count(0)
    ana.check()
    ana.close()


def test_in_vietnamese_a_passkey_is_added_and_shown(visit):
    ana = visit("ana", enter=False, locale="vi-VN")
    Authenticator(ana).plug_in()
    page = ana.page
    page.goto("/account")
    page.get_by_role("button", name="Thêm khóa truy cập").click()
    dialog = page.get_by_role("dialog", name="Thêm khóa truy cập")
    dialog.get_by_label("Tên của khóa").fill("Máy tính")
    dialog.get_by_role("button", name="Tiếp tục").click()
    page.get_by_role("dialog", name="Mã khôi phục").get_by_role("button", name="Tôi đã lưu").click()
    expect(page.get_by_role("button", name="Gỡ khóa Máy tính")).to_be_visible()
    sign_out(ana)
    page.goto("/login")
    page.get_by_role("button", name="Đăng nhập bằng khóa truy cập").click()
    expect(page.locator("#place-title .title-text")).to_have_text("general")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("look", [PHONE, {}], ids=["390", "1280"])
def test_the_pages_with_passkeys_have_names_and_contrast_and_nothing_overflows(visit, look, scheme):
    ana, _ = with_passkey(visit, color_scheme=scheme, **look)
    page = ana.page

    def looks_well():
        audit(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for dialog in page.get_by_role("dialog").all():
            assert dialog.evaluate("(node) => node.scrollWidth <= node.clientWidth")

    looks_well()
    page.get_by_role("button", name="Add a passkey").click()
    looks_well()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove the passkey Laptop").click()
    looks_well()
    sign_out(ana)
    page.goto("/login")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
    looks_well()
    page = first_step(ana)
    looks_well()
