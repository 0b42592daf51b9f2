"""The page of one's own account: password, sessions, tokens."""

import json
import re
import urllib.error
import urllib.request

from playwright.sync_api import expect

from people import PASSWORD, Person, eventually

NEW_PASSWORD = "umbrellas over seven harbours"


def status(person):
    """What the server says to this person's session."""
    return person.context.request.get("/me").status


def with_token(world, token, path):
    """A call by a program that has nothing but a token: the status, and who it is taken for."""
    request = urllib.request.Request(f"{world.url}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        return answer.code, None


def until_its_sign_in_is_old(person):
    """Until the server wants the password again before what matters."""
    eventually(lambda: person.context.request.post("/auth/tokens", data={}).status == 403)


def to_account(person):
    """From the chat, by way of the settings."""
    person.page.locator("#account").click()
    person.page.get_by_role("link", name="Account").click()
    expect(person.page.locator("#who")).to_contain_text(person.name)


def test_changing_the_password_says_how_good_it_is_and_signs_the_others_out(visit):
    ana = visit("ana")
    phone = visit("ana", again=True, enter=False)
    page = ana.page
    to_account(ana)
    expect(page.locator("#sessions > li")).to_have_count(2)
    hint = page.locator("#password-hint")
    new = page.get_by_label("New password", exact=True)
    new.fill("short")
    expect(hint).to_contain_text("7 more characters needed")
    new.fill("iloveyou2024")
    expect(hint).to_contain_text("Easy to guess")
    new.fill(NEW_PASSWORD)
    expect(hint).to_contain_text("hard to guess")
    # A wrong one is said here, and nothing typed is lost.
    ana.link_cut = True
    current = page.get_by_label("Current password", exact=True)
    current.fill("something else entirely")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#password-error")).to_have_text("The current password is not right.")
    expect(current).to_be_focused()
    expect(new).to_have_value(NEW_PASSWORD)
    current.fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_have_text("Your password is changed.")
    expect(new).to_have_value("")
    expect(page.locator("#sessions > li")).to_have_count(1)
    assert (status(ana), status(phone)) == (200, 401)
    page.get_by_role("link", name="To the chat").click()
    ana.enter_again()
    ana.say("still here")
    ana.sent("still here")


def test_ending_another_session_asks_for_the_password_and_ends_it(chromium, world_of):
    world = world_of(auth_flags=["--step-up-after", "5s"])
    ana, lost = Person(chromium, world.url).register("ana"), Person(chromium, world.url).login("ana")
    page = ana.page
    page.goto("/account")
    rows = page.locator("#sessions > li")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="This browser").get_by_role("button")).to_have_count(0)
    until_its_sign_in_is_old(ana)
    ana.link_cut = True
    sign_out = rows.get_by_role("button", name="Sign out Chrome")
    sign_out.click()
    # Whoever thinks better of it has lost nothing.
    expect(page.get_by_role("dialog", name="Is it you?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sign_out).to_be_focused()
    # Deaf until the dialog is gone altogether, which a busy machine does a moment later.
    expect(sign_out).not_to_have_attribute("aria-busy", "true")
    assert status(lost) == 200
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Is it you?")
    dialog.get_by_label("Password", exact=True).fill("not the password at all")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("The current password is not right.")
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(page.locator("#end-others")).to_be_hidden()
    assert (status(ana), status(lost)) == (200, 401)
    for person in (ana, lost):
        person.check()
        person.close()


def test_a_token_is_shown_once_opens_what_it_may_and_is_taken_back(visit, world):
    ana = visit("ana", enter=False)
    page = ana.page
    page.goto("/account")
    page.get_by_label("What it is for").fill("backup")
    page.get_by_label("Write and change chat:write").uncheck()
    page.get_by_role("radio", name="30 days").check()
    page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog", name="Token “backup”")
    expect(dialog).to_contain_text("won’t be shown again")
    expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    token = dialog.get_by_role("textbox").input_value()
    assert re.fullmatch(r"chat_pat_[\w-]{43}", token)
    # A press beside it doesn't lose it.
    page.mouse.click(5, 5)
    dialog.get_by_role("button", name="I have it").click()
    row = page.locator("#tokens li")
    expect(row).to_contain_text("chat:read")
    assert token not in page.content()
    assert with_token(world, token, "/chat/channels")[0] == 200
    assert with_token(world, token, "/me")[1]["username"] == "ana"
    row.get_by_role("button", name="Take back backup").click()
    expect(row).to_have_count(0)
    expect(page.locator("#tokens")).to_contain_text("There are no tokens.")
    assert with_token(world, token, "/me")[0] == 401


def test_an_answer_that_fails_is_said_in_its_place_and_what_was_typed_stays(visit):
    ana = visit("ana", enter=False)
    page = ana.page
    ana.link_cut = True
    page.route("**/auth/sessions", lambda route: route.abort())
    page.goto("/account")
    sessions = page.get_by_role("region", name="Where you are signed in")
    expect(sessions.get_by_role("alert").filter(has_text="can’t be reached")).to_be_visible()
    page.unroute("**/auth/sessions")
    sessions.get_by_role("button", name="Try again").click()
    expect(sessions.locator("li")).to_have_count(1)
    expect(sessions.get_by_role("button", name="Try again")).to_be_hidden()
    # A slow answer is seen to be under way, and asked for once.
    held = []
    page.route("**/auth/tokens", lambda route: held.append(route) if route.request.method == "POST" else route.fallback())
    page.get_by_label("What it is for").fill("backup")
    make = page.get_by_role("button", name="Make a token")
    make.click()
    expect(page.locator("#tokens form")).to_have_attribute("aria-busy", "true")
    make.click()
    eventually(lambda: held)
    held[0].fulfill(status=503, json={"status": "error", "code": "busy", "message": "busy"})
    expect(page.locator("#tokens form").get_by_role("alert")).to_have_text("The server is busy. Try again in a moment.")
    assert len(held) == 1
    expect(page.get_by_label("What it is for")).to_have_value("backup")
    # The session ends meanwhile: signing in happens in another window, and this one goes on.
    page.unroute("**/auth/tokens")
    ana.call("POST", "/logout")
    make.click()
    with ana.context.expect_page() as opened:
        page.locator("#tokens form").get_by_role("link", name="Sign in", exact=True).click()
    door = opened.value
    door.get_by_label("User name").fill("ana")
    door.get_by_label("Password", exact=True).fill(PASSWORD)
    door.keyboard.press("Enter")
    expect(door.locator("#who")).to_contain_text("ana")
    make.click()
    expect(page.get_by_role("dialog", name="Token “backup”")).to_be_visible()
