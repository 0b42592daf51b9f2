"""The page of administration, and the page that a reset link leads to."""

import re

from playwright.sync_api import expect

from people import PASSWORD, Person, eventually
from test_account import until_its_sign_in_is_old

NEW_PASSWORD = "umbrellas over seven harbours"


def status(person):
    """What the server says to this person's session."""
    return person.context.request.get("/me").status


def told_once(page):
    """The secret of the dialog that is open, which is closed then."""
    dialog = page.get_by_role("dialog").last
    expect(dialog).to_contain_text("won’t be shown again")
    secret = dialog.get_by_role("textbox").input_value()
    dialog.get_by_role("button", name="I have it").click()
    return secret


def test_an_administrator_invites_resets_disables_and_reads_what_happened(visit, world):
    ana, ben = visit("ana"), visit("ben", enter=False)
    page = ana.page
    page.locator("#account").click()
    page.get_by_role("link", name="Administration").click()
    expect(page.locator("#users-list > li")).to_have_count(2)
    # An invite for two, which leads to the page for making an account.
    page.get_by_role("link", name="Invites").click()
    page.get_by_label("For how many accounts").fill("2")
    page.get_by_role("radio", name="1 day").check()
    page.get_by_role("button", name="Make an invite link").click()
    assert re.search(r"/register#invite=[\w-]{22}$", told_once(page))
    invite = page.locator("#invites-list > li")
    expect(invite).to_contain_text("2 of 2 accounts left")
    invite.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("No invite is out.")).to_be_visible()
    # Ben forgot the password: a link by which he chooses one.
    page.get_by_role("link", name="Accounts").click()
    page.get_by_label("Find by name").fill("BE")
    expect(page.locator("#users-list > li")).to_have_count(1)
    page.get_by_role("button", name="Manage ben").click()
    page.get_by_role("button", name="Make a reset link").click()
    link = told_once(page)
    door = ben.page
    door.goto(f"/reset{link[link.index('#'):]}")
    ben.link_cut = True
    door.get_by_label("New password", exact=True).fill("password1234")
    door.get_by_role("button", name="Save the password").click()
    expect(door.get_by_role("alert")).to_contain_text("anyone would guess")
    door.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    door.keyboard.press("Enter")
    expect(door.get_by_text("Your new password is saved.")).to_be_visible()
    assert "code" not in door.url
    assert status(ben) == 401
    door.keyboard.press("Enter")
    door.get_by_label("User name").fill("ben")
    door.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    door.keyboard.press("Enter")
    eventually(lambda: status(ben) == 200)
    # Disabled, he is out at once.
    page.get_by_role("dialog", name="ben").get_by_role("button", name="Disable", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Enable")).to_be_focused()
    assert status(ben) == 401
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Manage ben")).to_be_focused()
    expect(page.locator("#users-list > li")).to_contain_text("Disabled")
    # The last administrator stays one, and is told why.
    page.get_by_label("Find by name").fill("ana")
    page.get_by_role("button", name="Manage ana").click()
    ana.link_cut = True
    page.get_by_role("button", name="Make member").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("the only administrator")
    page.keyboard.press("Escape")
    # Pages of three, so that there are several.
    page.route("**/auth/admin/audit?*", lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=3")))
    page.get_by_role("link", name="Audit log").click()
    entries = page.locator("#audit-list > li")
    expect(entries).to_have_count(3)
    more = page.get_by_role("region", name="Audit log").get_by_role("button", name="Show more")
    more.click()
    expect(entries).to_have_count(6)
    expect(entries.filter(has_text="Account disabled")).to_contain_text("by ana · about ben")
    page.get_by_label("Only what was refused").check()
    # Ben's first new password, and Ana's own role.
    expect(entries).to_have_count(2)
    expect(entries.filter(has_text="last_admin")).to_have_count(1)
    expect(more).to_be_hidden()
    with page.expect_download() as file:
        page.get_by_role("link", name="As a file").click()
    assert "last_admin" in file.value.path().read_text() and "disable" not in file.value.path().read_text()


def test_making_an_invite_asks_for_the_password_and_goes_on_with_what_was_filled_in(chromium, world_of):
    world = world_of(auth_flags=["--step-up-after", "5s"])
    ana = Person(chromium, world.url).register("ana")
    page = ana.page
    page.goto("/admin")
    page.get_by_role("link", name="Invites").click()
    page.get_by_label("For how many accounts").fill("3")
    page.get_by_role("radio", name="30 days").check()
    until_its_sign_in_is_old(ana)
    ana.link_cut = True
    press = page.get_by_role("button", name="Make an invite link")
    press.click()
    asked = page.get_by_role("dialog", name="Is it you?")
    expect(asked.get_by_label("Password", exact=True)).to_be_focused()
    # Whoever thinks better of it has made none, and what was filled in is there for another try.
    page.keyboard.press("Escape")
    expect(press).to_be_focused()
    expect(page.locator("#invite-form")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#invite-error")).to_be_empty()
    assert ana.call("GET", "/auth/admin/invites")["invites"] == []
    page.keyboard.press("Enter")
    asked.get_by_label("Password", exact=True).fill("not the password at all")
    page.keyboard.press("Enter")
    expect(asked.get_by_role("alert")).to_have_text("The current password is not right.")
    assert ana.call("GET", "/auth/admin/invites")["invites"] == []
    asked.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(asked).to_have_count(0)
    link = told_once(page)
    expect(page.locator("#invites-list > li")).to_have_count(1)
    expect(page.locator("#invites-list > li")).to_contain_text("3 of 3 accounts left")
    # The sign-in is a recent one now: taking the invite back asks for nothing.
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("No invite is out.")).to_be_visible()
    assert re.search(r"/register#invite=[\w-]{22}$", link)
    ana.check()
    ana.close()


def test_a_bot_gets_its_token_with_the_keyboard_alone(visit, world):
    ana = visit("ana", enter=False)
    page = ana.page
    page.goto("/admin")
    expect(page.locator("#users-list > li")).to_have_count(1)
    ana.tab_to("link", "Bots")
    page.keyboard.press("Enter")
    ana.tab_to("textbox", "Name of the bot")
    page.keyboard.type("weather")
    page.keyboard.press("Enter")
    # On to what a bot needs.
    dialog = page.get_by_role("dialog", name="weather")
    expect(dialog.get_by_label("What it is for")).to_be_focused()
    page.keyboard.type("forecast")
    ana.tab_to("checkbox", "Write and change")
    page.keyboard.press("Space")
    ana.tab_to("radio", "90 days")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    secret = page.get_by_role("dialog", name="Token “forecast”")
    expect(secret.get_by_role("button", name="Copy")).to_be_focused()
    token = secret.get_by_role("textbox").input_value()
    page.keyboard.press("Escape")
    expect(dialog.locator("li.item")).to_contain_text("chat:read")
    headers = {"Authorization": f"Bearer {token}"}
    whoami = lambda: visit().context.request.get("/me", headers=headers)  # noqa: E731
    assert whoami().json()["username"] == "weather"
    ana.tab_to("button", "Take back forecast")
    page.keyboard.press("Enter")
    expect(dialog.locator("li.item")).to_have_count(0)
    assert whoami().status == 401
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Manage weather")).to_be_focused()


def test_a_member_sees_nothing_of_administration(visit):
    visit("ana", enter=False)
    ben = visit("ben")
    page = ben.page
    page.locator("#account").click()
    expect(page.get_by_role("dialog").get_by_role("link")).to_have_count(1)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/admin")
    expect(page.get_by_text("This page is for administrators.")).to_be_visible()
    expect(page.get_by_role("region")).to_have_count(0)
    assert not any("/auth/" in url for url in asked)
    assert ben.context.request.get("/auth/admin/users").status == 403
    stranger = visit()
    stranger.page.goto("/admin")
    expect(stranger.page).to_have_url(re.compile(r"/login\?next=%2Fadmin$"))


def manage(page, name):
    """The dialog of an account."""
    page.get_by_role("button", name=f"Manage {name}").click()
    return page.get_by_role("dialog", name=name)


def test_an_account_is_promoted_signed_out_disabled_enabled_and_removed(visit):
    ana, ben = visit("ana", enter=False), visit("ben", enter=False)
    page = ana.page
    page.goto("/admin")
    expect(page.locator("#users-list > li")).to_have_count(2)
    line = page.locator("#users-list > li").filter(has_text="ben")
    dialog = manage(page, "ben")
    # Another role begins with another session.
    dialog.get_by_role("button", name="Make administrator").click()
    expect(dialog.get_by_role("button", name="Make member")).to_be_focused()
    expect(line).to_contain_text("Administrator")
    assert status(ben) == 401
    ben.login("ben")
    assert ben.context.request.get("/auth/admin/users").status == 200
    page.keyboard.press("Escape")
    page.reload()
    dialog = manage(page, "ben")
    dialog.get_by_role("button", name="Sign out", exact=True).click()
    expect(dialog.get_by_role("button", name="Sign out", exact=True)).to_be_hidden()
    assert status(ben) == 401
    dialog.get_by_role("button", name="Disable", exact=True).click()
    dialog.get_by_role("button", name="Enable").click()
    expect(dialog.get_by_role("button", name="Disable", exact=True)).to_be_focused()
    ben.login("ben")
    assert status(ben) == 200
    # Removing asks once more, and can be thought better of.
    dialog.get_by_role("button", name="Remove", exact=True).click()
    sure = page.get_by_role("dialog").last
    sure.get_by_role("button", name="Cancel").click()
    assert status(ben) == 200
    dialog.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog").last.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#users-list > li")).to_have_count(1)
    assert status(ben) == 401


def test_the_audit_log_is_searched_by_name_address_and_request(visit, world):
    ana = visit("ana", enter=False)
    visit("ben", enter=False)
    page = ana.page
    page.goto("/admin#audit")
    entries = page.locator("#audit-list > li")
    expect(entries).to_have_count(2)
    find = page.get_by_label("Search")
    find.fill("ben")
    expect(entries).to_have_count(1)
    expect(entries).to_contain_text("by ben")
    # The request's name is the one that the front door gave it, by which its log is found.
    request = re.search(r"Request (\w{32})", entries.inner_text())[1]
    proxy = next(program for program in world.programs if program.name == "proxy")
    eventually(lambda: f"id={request}" in proxy.log.read_text())
    find.fill(request)
    expect(entries).to_have_count(1)
    find.fill("127.0.0.1")
    expect(entries).to_have_count(2)
    with page.expect_download() as file:
        page.get_by_role("link", name="As a file").click()
    assert request in file.value.path().read_text()
    find.fill("nobody of this name")
    expect(page.get_by_text("No entry fits.")).to_be_visible()


def test_administration_is_in_vietnamese_too(visit):
    ana = visit("ana", enter=False, locale="vi-VN")
    page = ana.page
    page.goto("/admin")
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    for part in page.get_by_role("navigation").get_by_role("link").all():
        if (part.get_attribute("href") or "").startswith("#"):
            part.click()
            expect(page.get_by_role("region", name=part.inner_text())).to_be_visible()
    page.goto("/admin#users")
    page.get_by_role("button", name="Quản lý ana").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Chuyển thành thành viên")).to_be_visible()
