"""Signing in by OpenID Connect: the first time and later, choosing a name, linking, showing again who one is. The provider is another site."""

import re

import pytest
from playwright.sync_api import expect

from people import PASSWORD
from provider import Provider
from test_account import status, until_its_sign_in_is_old
from test_looks import audit

CHAT = re.compile(r"^http://localhost:\d+/(#.*)?$")


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def flags():
    """Further flags of backend-auth."""
    return []


@pytest.fixture
def world(world_of, provider, tmp_path, flags):
    world = world_of(named=True, auth_flags=[*provider.flags(tmp_path), *flags])
    provider.serves(world.url)
    return world


def to_provider(page):
    page.get_by_role("link", name="Sign in with Staff").click()
    expect(page.get_by_role("heading", name="Staff")).to_be_visible()


def sign_in(page, at="/login"):
    page.goto(at)
    to_provider(page)
    page.get_by_role("link", name="Go on").click()


def sign_out(person):
    person.call("POST", "/logout")
    assert status(person) == 401


def section(page):
    return page.get_by_role("region", name="Signing in elsewhere")


def test_a_new_person_gets_an_account_and_comes_back_to_it(visit):
    ada = visit()
    page = ada.page
    # Nobody has an account yet: the login page sends on to the other one.
    page.goto("/login")
    expect(page).to_have_url(re.compile("/register$"))
    to_provider(page)
    page.get_by_role("link", name="Go on").click()
    expect(page).to_have_url(CHAT)
    expect(page.locator("#account .dot.online")).to_be_attached()
    me = ada.call("GET", "/me")
    assert (me["username"], me["roles"]) == ("ada", ["admin"])
    sign_out(ada)
    # The way back is kept, over two other pages, and so is what was ticked.
    page.goto("/account")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Faccount$"))
    page.get_by_label("Stay signed in on this device").check()
    to_provider(page)
    page.get_by_role("link", name="Go on").click()
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator("#who")).to_contain_text("ada")
    assert ada.call("GET", "/me")["user_id"] == me["user_id"]
    assert any(session["remember"] for session in ada.call("GET", "/auth/sessions")["sessions"])


def test_whose_name_is_taken_chooses_another(visit):
    visit("ada", enter=False)
    newcomer = visit()
    page = newcomer.page
    sign_in(page, "/login?next=/account")
    expect(page.get_by_role("heading", name="Choose your name")).to_be_visible()
    name = page.get_by_label("User name")
    expect(name).to_be_focused()
    expect(name).to_have_value("ada")
    newcomer.link_cut = True
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This name is taken. Choose another.")
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("a b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no blanks")
    assert status(newcomer) == 401
    name.fill("countess")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.locator("#who")).to_contain_text("countess")


def test_an_account_is_linked_opened_by_the_provider_and_unlinked(visit):
    bob = visit("bob", enter=False)
    page = bob.page
    page.goto("/account")
    line = section(page).get_by_role("listitem")
    expect(line).to_contain_text("Off")
    bob.tab_to("button", "Link with Staff")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Go on").click()
    expect(page).to_have_url(re.compile("/account$"))
    expect(line).to_contain_text("There you are ada")
    expect(line).to_contain_text("Not used yet")
    sign_out(bob)
    sign_in(page, "/login?next=/account")
    expect(page.locator("#who")).to_contain_text("bob")
    expect(line).to_contain_text("Last used")
    phone = visit("bob", again=True, enter=False)
    page.get_by_role("button", name="Unlink from Staff").click()
    page.get_by_role("dialog").get_by_role("button", name="Unlink", exact=True).click()
    expect(line).to_contain_text("Off")
    assert (status(bob), status(phone)) == (200, 401)


class TestWithoutAPassword:
    """An account that the provider vouches for, some seconds after it was made."""

    @pytest.fixture
    def flags(self):
        return ["--step-up-after", "5s"]

    def test_one_shows_again_who_one_is_and_sets_a_password(self, visit, provider):
        ada = visit()
        page = ada.page
        sign_in(page, "/register?next=/account")
        expect(page.get_by_role("heading", name="Set a password")).to_be_visible()
        expect(page.get_by_label("Current password", exact=True)).to_be_hidden()
        ada.link_cut = True
        page.get_by_role("button", name="Unlink from Staff").click()
        sure = page.get_by_role("dialog").get_by_role("button", name="Unlink", exact=True)
        sure.click()
        dialog = page.get_by_role("dialog", name="Unlink your account from Staff?")
        expect(dialog.get_by_role("alert")).to_contain_text("Set a password")
        page.keyboard.press("Escape")
        until_its_sign_in_is_old(ada)
        page.get_by_label("New password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Set a password").click()
        dialog = page.get_by_role("dialog", name="Is it you?")
        expect(dialog.get_by_label("Password")).to_have_count(0)
        dialog.get_by_role("link", name="Sign in with Staff").click()
        expect(page.get_by_text("ada wants to sign in again.")).to_be_visible()
        assert (provider.visits[-1]["prompt"], provider.visits[-1]["max_age"]) == ("login", "0")
        page.get_by_role("link", name="Go on").click()
        expect(page).to_have_url(re.compile("/account$"))
        expect(page.get_by_role("heading", name="Set a password")).to_be_visible()
        page.get_by_label("New password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Change password")).to_be_visible()
        expect(page.get_by_label("Current password", exact=True)).to_be_visible()
        assert ada.context.request.post("/login", data={"username": "ada", "password": PASSWORD}).ok


def test_who_cancels_is_told_in_place_and_in_the_own_language(visit):
    visit("root", enter=False)
    ada = visit(locale="vi-VN")
    page = ada.page
    page.goto("/login?next=/account")
    page.get_by_role("link", name="Đăng nhập bằng Staff").click()
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(re.compile(r"/login\?error=oidc_denied&next=/account$"))
    expect(page.get_by_role("alert")).to_contain_text("Nhà cung cấp không cho bạn vào")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Sign in with Staff")).to_be_visible()
    # Nor is anything lost on the page of the account.
    bob = visit("bob", enter=False)
    bob.page.goto("/account")
    bob.page.get_by_role("button", name="Link with Staff").click()
    bob.page.get_by_role("link", name="Cancel").click()
    expect(section(bob.page).get_by_role("alert").first).to_contain_text("The provider didn’t let you in")
    expect(bob.page).to_have_url(re.compile("/account$"))


def test_an_administrator_takes_a_link_away(visit):
    root = visit("root", enter=False)
    ada = visit()
    sign_in(ada.page)
    expect(ada.page).to_have_url(CHAT)
    page = root.page
    page.goto("/admin")
    page.get_by_role("button", name="Manage ada").click()
    page.get_by_role("button", name="Unlink from the provider").click()
    sure = page.get_by_role("dialog", name="Unlink ada from the provider?")
    sure.get_by_role("button", name="Unlink from the provider").click()
    expect(sure).to_have_count(0)
    expect(page.get_by_role("button", name="Unlink from the provider")).to_have_count(0)
    ada.link_cut = True
    assert status(ada) == 401


def test_it_works_without_a_script(visit):
    visit("ada", enter=False)
    newcomer = visit(java_script_enabled=False)
    page = newcomer.page
    sign_in(page, "/login?next=/account")
    expect(page.get_by_role("heading", name="Choose your name")).to_be_visible()
    page.get_by_label("User name").fill("ADA")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("alert")).to_have_text("This name is taken: choose another.")
    page.get_by_label("User name").fill("countess")
    page.get_by_role("button", name="Create account").click()
    expect(page).to_have_url(re.compile("/account$"))
    assert newcomer.call("GET", "/me")["username"] == "countess"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_have_names_roles_and_contrast(visit, scheme, width):
    look = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    visit("ada", enter=False)
    newcomer = visit(**look)
    page = newcomer.page
    for at in ("/login", "/register"):
        page.goto(at)
        link = page.get_by_role("link", name="Sign in with Staff")
        expect(link).to_be_visible()
        assert link.bounding_box()["height"] >= 44
        audit(page)
    newcomer.tab_to("link", "Sign in with Staff")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_label("User name")).to_have_value("ada")
    audit(page)
    page.get_by_label("User name").fill("countess")
    page.keyboard.press("Enter")
    expect(page).to_have_url(CHAT)
    page.goto("/account")
    expect(section(page)).to_contain_text("There you are ada")
    audit(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, overflow
