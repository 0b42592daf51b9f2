"""The second step of signing in: an authenticator app, recovery codes, and what helps who lost both."""

import base64
import hashlib
import hmac
import re
import struct
import time
import urllib.parse

import pytest
from playwright.sync_api import expect

from people import PASSWORD, Person, eventually
from test_account import status, to_account, until_its_sign_in_is_old
from test_looks import PHONE, audit


class App:
    """An authenticator app (RFC 6238: SHA-1, six digits, 30 seconds), which never shows a code again that was used."""

    def __init__(self, secret):
        self._seed = base64.b32decode(secret.replace(" ", ""))
        self._last = 0

    def code(self):
        """One that counts: that of now, or the next one, which a server takes from a clock that is a little ahead."""
        self._last = max(int(time.time()) // 30, self._last + 1)
        return self._at(self._last)

    def wrong_code(self):
        """One that is good neither now nor in the minutes around it."""
        now = int(time.time()) // 30
        near = {self._at(step) for step in range(now - 4, now + 5)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777", "888888", "999999") if code not in near)

    def _at(self, step):
        digest = hmac.digest(self._seed, struct.pack(">Q", step), hashlib.sha1)
        offset = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def enrol(person):
    """Adds an app without the page: it, and the recovery codes."""
    app = App(person.call("POST", "/auth/totp")["secret"])
    return app, person.call("POST", "/auth/totp/confirm", code=app.code())["recovery_codes"]


def factors(person):
    """The page's lines about the app and the codes."""
    lines = person.page.get_by_role("region", name="Second step of signing in").get_by_role("listitem")
    return lines.filter(has_text="Authenticator app"), lines.filter(has_text="Recovery codes")


def add_app(page, looked=lambda: None):
    """Adds an app by the page."""
    page.get_by_role("button", name="Add an authenticator app").click()
    dialog = page.get_by_role("dialog", name="Add an authenticator app")
    app = App(dialog.locator("#totp-secret").inner_text())
    looked()
    dialog.get_by_label("Code that the app shows").fill(app.code())
    page.keyboard.press("Enter")
    return app


def shown_codes(page):
    """The codes of the dialog that is open."""
    dialog = page.get_by_role("dialog", name="Recovery codes")
    expect(dialog.get_by_role("listitem")).to_have_count(10)
    return dialog, dialog.get_by_role("listitem").all_inner_texts()


def first_step(person, name="ana", way="/login"):
    """Shows the password at the page, until the code is asked for."""
    page = person.page
    page.goto(way)
    expect(page.get_by_role("button", name="Tiếng Việt")).to_be_visible()
    page.locator("#username").fill(name)
    page.locator("#password").fill(PASSWORD)
    person.link_cut = True  # That the password isn't enough is a line in the console.
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/login/code"))
    expect(page.get_by_role("button", name="Tiếng Việt")).to_be_visible()
    return page


def test_an_app_is_added_with_its_first_code_and_the_recovery_codes_are_told_once(visit):
    ana = visit("ana")
    phone = visit("ana", again=True, enter=False)
    page = ana.page
    to_account(ana)
    app_line, codes_line = factors(ana)
    expect(codes_line).to_have_count(0)
    app_line.get_by_role("button", name="Add").click()
    dialog = page.get_by_role("dialog", name="Add an authenticator app")
    expect(dialog.get_by_role("button", name="Copy the key")).to_be_focused()
    picture = dialog.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    eventually(lambda: picture.evaluate("(image) => image.complete && image.naturalWidth > 0"))
    key = dialog.locator("#totp-secret").inner_text()
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", key)
    link = urllib.parse.urlsplit(dialog.get_by_role("link", name="Open an app").get_attribute("href"))
    assert (link.scheme, urllib.parse.parse_qs(link.query)["secret"]) == ("otpauth", [key.replace(" ", "")])
    # A press beside it doesn't lose it; a wrong code is said in place.
    page.mouse.click(5, 5)
    app = App(key)
    field = dialog.get_by_label("Code that the app shows")
    field.fill(app.wrong_code())
    ana.link_cut = True
    dialog.get_by_role("button", name="Turn it on").click()
    expect(dialog.get_by_role("alert")).to_have_text(re.compile("^This isn’t the code .* Try the next one\\.$"))
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert status(phone) == 200
    page.keyboard.type(app.code())
    page.keyboard.press("Enter")
    # Shown once: to copy, to keep as a file, to print.
    shown, codes = shown_codes(page)
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)
    expect(shown).to_contain_text("won’t be shown again")
    expect(shown.get_by_role("button", name="Copy")).to_be_focused()
    with page.expect_download() as file:
        shown.get_by_role("button", name="Save as text").click()
    assert file.value.suggested_filename == "recovery-codes-ana.txt"
    text = file.value.path().read_text()
    assert text.splitlines()[-10:] == codes and text.startswith("ana at localhost:")
    page.evaluate("window.print = () => { window.printed = true; }")
    shown.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    assert page.locator("main").is_hidden() and shown.get_by_role("listitem").first.is_visible()
    page.emulate_media(media="screen")
    page.mouse.click(5, 5)
    shown.get_by_role("button", name="I have them").click()
    expect(app_line.get_by_role("button", name="Remove")).to_be_focused()
    expect(app_line).to_contain_text("On")
    expect(codes_line).to_contain_text("10 left")
    assert not any(code in page.content() for code in codes)
    # The others are signed out, and this one goes on.
    expect(page.locator("#sessions > li")).to_have_count(1)
    assert (status(ana), status(phone)) == (200, 401)


def test_the_password_and_a_code_lead_in_and_back_to_where_one_wanted_to_go(visit):
    app, _ = enrol(visit("ana", enter=False))
    ana = visit()
    page = first_step(ana, way="/account")
    field = page.get_by_label("Code of your app")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("inputmode", "numeric")
    expect(field).to_have_attribute("autocomplete", "one-time-code")
    assert status(ana) == 401
    field.fill(app.wrong_code())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This isn’t the code that your app shows now")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    # Reloaded, the page still knows the way.
    page.reload()
    expect(page.get_by_role("button", name="Tiếng Việt")).to_be_visible()
    page.get_by_label("Code of your app").fill(app.code())
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator("#who")).to_contain_text("ana")
    expect(factors(ana)[0]).to_contain_text("On")


def test_a_recovery_code_leads_in_once_and_new_ones_make_the_old_ones_worthless(visit):
    owner = visit("ana", enter=False)
    _, codes = enrol(owner)
    first, later = visit(), visit()

    def show_code(person, code):
        page = first_step(person)
        page.get_by_role("button", name="Use a recovery code instead").click()
        field = page.get_by_label("Recovery code", exact=True)
        expect(field).to_be_focused()
        expect(field).to_have_attribute("inputmode", "text")
        expect(field).to_have_attribute("autocomplete", "off")
        # However it was written down.
        field.fill(code.lower().replace("-", " "))
        page.keyboard.press("Enter")
        return page

    expect(show_code(first, codes[0]).locator("#place-title .title-text")).to_have_text("general")
    page = show_code(later, codes[0])
    expect(page.get_by_role("alert")).to_contain_text("neither a six-digit code nor one of your recovery codes")
    expect(page.get_by_label("Recovery code", exact=True)).to_have_value(codes[0].lower().replace("-", " "))
    # Back to the app's code, and what was said is taken back.
    page.get_by_role("button", name="Use the app’s code instead").click()
    expect(page.locator("#error")).to_be_empty()
    expect(page.get_by_label("Code of your app")).to_have_value("")
    assert status(later) == 401
    # New ones, whose number shows.
    owner.page.goto("/account")
    _, codes_line = factors(owner)
    expect(codes_line).to_contain_text("9 left")
    codes_line.get_by_role("button", name="Make new codes").click()
    sure = owner.page.get_by_role("dialog", name="Make new recovery codes")
    expect(sure).to_contain_text("stop working")
    expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
    sure.get_by_role("button", name="Make new codes").click()
    _, fresh = shown_codes(owner.page)
    owner.page.keyboard.press("Escape")
    expect(codes_line).to_contain_text("10 left")
    assert not set(fresh) & set(codes)
    expect(show_code(later, codes[1]).get_by_role("alert")).to_contain_text("neither")
    expect(show_code(later, fresh[1]).locator("#place-title .title-text")).to_have_text("general")


def test_after_too_many_codes_the_way_leads_to_the_password_and_on(chromium, world_of):
    world = world_of(auth_flags=["--second-factor-tries", "2"])
    owner, ana = Person(chromium, world.url).register("ana"), Person(chromium, world.url)
    app, codes = enrol(owner)
    page = first_step(ana, way="/account")
    field, alert = page.get_by_label("Code of your app"), page.get_by_role("alert")
    for said in ("This isn’t the code", "This isn’t the code", "Sign in again"):
        field.fill(app.wrong_code())
        page.keyboard.press("Enter")
        expect(alert).to_contain_text(said)
        expect(page.locator("#form")).not_to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("link", name="Back to the password")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Faccount$"))
    page = first_step(ana, way=page.url)
    page.get_by_role("button", name="Use a recovery code instead").click()
    page.get_by_label("Recovery code", exact=True).fill(codes[0])
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_contain_text("ana")
    for person in (owner, ana):
        person.check()
        person.close()


def test_the_page_for_the_code_offers_what_the_account_can_show(visit):
    visit("ana", enter=False)
    page = visit().page
    others = page.locator("#other-ways")
    for factors, label, instead in (
        ("totp", "Code of your app", []),
        ("recovery_code", "Recovery code", []),
        ("recovery_code+totp", "Recovery code", ["Use the app’s code instead"]),
        ("totp+of+another+day", "Code of your app", []),
        ("passkey+recovery_code", None, ["Use a recovery code instead"]),
        ("totp+passkey+recovery_code", "Code of your app", ["Use a passkey instead", "Use a recovery code instead"]),
        ("", "Code of your app", ["Use a recovery code instead", "Use a passkey instead"]),
    ):
        page.goto(f"/login/code?factors={factors}")
        if label:
            expect(page.get_by_label(label, exact=True)).to_be_focused()
        else:
            expect(page.get_by_role("button", name="Show your passkey")).to_be_focused()
            expect(page.get_by_role("textbox")).to_have_count(0)
        expect(others.get_by_role("button")).to_have_text(instead)


def test_without_a_script_the_forms_lead_the_same_way(visit):
    app, _ = enrol(visit("ana", enter=False))
    ana = visit(java_script_enabled=False)
    page = ana.page
    page.goto("/account")
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill("not the password at all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("There is no account with this name and password.")
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    field = page.get_by_label("Code of your app, or a recovery code")
    expect(page.get_by_role("button")).to_have_count(1)
    field.fill(app.wrong_code())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This isn't the code that your app shows now")
    # Back to the password and on, the way is still known.
    page.get_by_role("link", name="Back to the password").click()
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    field.fill(app.code())
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/account$"))
    assert status(ana) == 200


def test_without_a_script_only_codes_that_the_account_can_show_are_asked_for(visit):
    owner = visit("ana", enter=False)
    app, codes = enrol(owner)
    for code in codes:
        helper = visit()
        assert helper.context.request.post("/login", data={"username": "ana", "password": PASSWORD}).status == 403
        helper.call("POST", "/login/code", code=code)
    ana = visit(java_script_enabled=False)
    page = ana.page
    page.goto("/login")
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    field = page.get_by_label("Code of your app", exact=True)
    expect(field).to_have_accessible_description("The app shows six digits.")
    field.fill(app.wrong_code())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This isn't the code that your app shows now")
    expect(field).to_be_focused()
    # What needs a script is said where there is none.
    need = "nothing but passkeys, which need JavaScript"
    page.goto("/login/code?factors=passkey")
    expect(page.locator("#code-hint")).to_contain_text(need, use_inner_text=True)
    owner.page.goto("/login/code?factors=passkey")
    expect(owner.page.get_by_role("button", name="Show your passkey")).to_be_visible()
    expect(owner.page.locator("#code-hint")).not_to_contain_text(need)


def test_a_form_that_is_sent_before_its_script_runs_goes_on_in_the_reader_s_language(visit):
    visit("ana", enter=False)
    ana = visit(locale="vi-VN")
    page = ana.page
    # The script is on its way for ever.
    page.route("**/js/pages/login.js", lambda route: None)
    page.goto("/account", wait_until="commit")
    for password in ("not the password at all", PASSWORD):
        page.get_by_label("User name").fill("ana")
        page.get_by_label("Password", exact=True).fill(password)
        with page.expect_navigation(wait_until="commit"):
            page.locator("#submit").click(no_wait_after=True)
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator("#who")).to_contain_text("ana")
    # What the server says of such a form is told in the reader's language once the script is there.
    ana.context.clear_cookies()
    page.unroute("**/js/pages/login.js")
    page.goto("/login?error=sign_in_again&next=%2Faccount")
    expect(page.get_by_role("alert")).to_have_text("Đã quá lâu hoặc thử quá nhiều lần. Hãy đăng nhập lại.")


def test_removing_the_app_asks_who_it_is_and_then_the_password_alone_is_enough(chromium, world_of):
    world = world_of(auth_flags=["--step-up-after", "5s"])
    ana = Person(chromium, world.url).register("ana")
    enrol(ana)
    page = ana.page
    page.goto("/account")
    app_line, codes_line = factors(ana)
    expect(codes_line).to_have_count(1)
    until_its_sign_in_is_old(ana)
    ana.link_cut = True
    app_line.get_by_role("button", name="Remove").click()
    sure = page.get_by_role("dialog", name="Remove the authenticator app?")
    expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
    # Whoever thinks better of it keeps it.
    page.keyboard.press("Enter")
    expect(app_line.get_by_role("button", name="Remove")).to_be_focused()
    page.keyboard.press("Enter")
    sure.get_by_role("button", name="Remove", exact=True).click()
    asked = page.get_by_role("dialog", name="Is it you?")
    asked.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The authenticator app is removed.")).to_be_visible()
    expect(codes_line).to_have_count(0)
    expect(app_line).to_contain_text("Off")
    expect(app_line.get_by_role("button", name="Add")).to_be_focused()
    assert Person(chromium, world.url).context.request.post("/login", data={"username": "ana", "password": PASSWORD}).status == 200
    # Adding asks as well.
    until_its_sign_in_is_old(ana)
    page.keyboard.press("Enter")
    asked.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Add an authenticator app")).to_be_visible()
    page.keyboard.press("Escape")
    expect(app_line.get_by_role("button", name="Add")).to_be_focused()
    ana.check()
    ana.close()


def test_an_administrator_takes_lost_factors_away(visit):
    ana, ben = visit("ana", enter=False), visit("ben", enter=False)
    enrol(ben)
    page = ana.page
    page.goto("/admin")
    page.get_by_role("button", name="Manage ben").click()
    dialog = page.get_by_role("dialog", name="ben", exact=True)
    press = dialog.get_by_role("button", name="Remove second factors")
    press.click()
    sure = page.get_by_role("dialog", name="Remove the second factors of ben?")
    expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(press).to_be_focused()
    assert status(ben) == 200
    page.keyboard.press("Enter")
    sure.get_by_role("button", name="Remove second factors").click()
    expect(page.locator(".toast")).to_have_text("ben: done.")
    # There is nothing more to remove.
    expect(press).to_have_count(0)
    expect(dialog.get_by_role("button", name="Make administrator")).to_be_focused()
    assert status(ben) == 401
    assert ben.context.request.post("/login", data={"username": "ben", "password": PASSWORD}).status == 200
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Audit log").click()
    entries = page.locator("#audit-list > li")
    expect(entries.filter(has_text="Second factors removed")).to_contain_text("by ana · about ben")
    expect(entries.filter(has_text="Second factor added")).to_contain_text("by ben")


def test_in_vietnamese_from_adding_to_signing_in(visit):
    ana = visit("ana", enter=False, locale="vi-VN")
    page = ana.page
    page.goto("/account")
    section = page.get_by_role("region", name="Bước thứ hai khi đăng nhập")
    section.get_by_role("button", name="Thêm ứng dụng xác thực").click()
    dialog = page.get_by_role("dialog", name="Thêm ứng dụng xác thực")
    app = App(dialog.locator("#totp-secret").inner_text())
    dialog.get_by_label("Mã ứng dụng đang hiện").fill(app.code())
    dialog.get_by_role("button", name="Bật").click()
    codes = page.get_by_role("dialog", name="Mã khôi phục")
    expect(codes.get_by_role("listitem")).to_have_count(10)
    codes.get_by_role("button", name="Tôi đã lưu").click()
    expect(section).to_contain_text("còn 10")
    ana.context.clear_cookies()
    page = first_step(ana)
    expect(page.get_by_role("heading")).to_have_text("Bước thứ hai")
    expect(page).to_have_title("Bước thứ hai · Hybrid chat")
    page.get_by_role("button", name="Dùng mã khôi phục").click()
    expect(page.get_by_label("Mã khôi phục")).to_be_focused()
    # The language is chosen here too, and the way of showing who one is stays.
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Use the app’s code instead").click()
    page.get_by_role("button", name="Tiếng Việt").click()
    page.get_by_label("Mã trong ứng dụng của bạn").fill(app.code())
    page.keyboard.press("Enter")
    expect(page.locator("#place-title .title-text")).to_have_text("general")


def test_an_app_is_added_with_the_keyboard_alone(visit):
    ana = visit("ana", enter=False)
    page = ana.page
    page.goto("/account")
    expect(page.locator("#factors-list > li")).to_have_count(2)
    ana.tab_to("button", "Add an authenticator app")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add an authenticator app")
    expect(dialog.get_by_role("button", name="Copy the key")).to_be_focused()
    ana.tab_to("textbox", "Code that the app shows")
    page.keyboard.type(App(dialog.locator("#totp-secret").inner_text()).code())
    page.keyboard.press("Enter")
    shown_codes(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Remove the authenticator app")).to_be_focused()
    ana.tab_to("button", "Make new codes")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("look", [PHONE, {}], ids=["390", "1280"])
def test_the_pages_have_names_and_contrast_and_nothing_overflows(visit, look, scheme):
    ana = visit("ana", enter=False, color_scheme=scheme, **look)
    page = ana.page
    page.goto("/account")

    def looks_well():
        audit(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for dialog in page.get_by_role("dialog").all():
            assert dialog.evaluate("(node) => node.scrollWidth <= node.clientWidth")

    app = add_app(page, looks_well)
    dialog, _ = shown_codes(page)
    looks_well()
    dialog.get_by_role("button", name="I have them").click()
    expect(page.locator("#factors-list > li")).to_have_count(3)
    looks_well()
    page.get_by_role("button", name="Remove the authenticator app").click()
    looks_well()
    ana.context.clear_cookies()
    page = first_step(ana)
    looks_well()
    page.get_by_label("Code of your app").fill(app.wrong_code())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).not_to_be_empty()
    looks_well()
    page.get_by_role("button", name="Use a recovery code instead").click()
    looks_well()
