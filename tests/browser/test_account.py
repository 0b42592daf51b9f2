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
