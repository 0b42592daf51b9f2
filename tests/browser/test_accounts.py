"""Making an account, signing in and out."""

import re

from playwright.sync_api import expect

from people import PASSWORD, Person, eventually


def test_the_first_visitor_is_led_from_nothing_to_a_first_message(visit, world):
    visitor = visit()
    page = visitor.page
    page.goto("/")
    # No account exists: the page for making one, which says what the first one is.
    expect(page).to_have_url(re.compile("/register"))
    expect(page.locator("#notice")).to_contain_text("administrator")
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill("short")
    expect(page.locator("#password-hint")).to_contain_text("more characters")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#password-error")).not_to_be_empty()
    expect(page.get_by_label("User name")).to_have_value("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    # In #general, welcomed, with the way to bring others.
    expect(page.locator("#place-title .title-text")).to_have_text("general")
    welcome = page.locator("#welcome")
    expect(welcome).to_contain_text("Welcome, ana")
    expect(welcome).to_contain_text("administer")
    address = welcome.get_by_label("Others open this address")
    address.fill("http://192.168.1.20:8080")
    code = welcome.get_by_role("img", name="QR code of the address")
    expect(code).to_be_visible()
    # Asked again until it holds: the address may still be changing, and with it the picture.
    eventually(lambda: code.evaluate("(image) => image.complete && image.naturalWidth > 0"))
    page.get_by_label("Message to #general").fill("first words")
    page.keyboard.press("Enter")
    visitor.sent("first words")
    visitor.dismiss_welcome()
    page.reload()
    visitor.sees("first words")
    expect(welcome).to_be_hidden()


def test_the_second_account_is_a_member_and_finds_the_first(visit):
    visit("ana")
    ben = visit()
    ben.page.goto("/register")
    expect(ben.page.locator("#notice")).to_be_hidden()
    ben.page.get_by_label("User name").fill("ben")
    ben.page.get_by_label("Password", exact=True).fill(PASSWORD)
    ben.page.get_by_role("button", name="Create account").click()
    expect(ben.page.locator("#welcome")).to_contain_text("everyone here reads")
    expect(ben.page.locator("#member-list .person-name")).to_contain_text(["ben"])
    expect(ben.page.locator("#member-list")).to_contain_text("ana")


def test_a_taken_name_is_said_beside_the_name_and_loses_no_input(visit):
    visit("ana", enter=False)
    other = visit()
    other.link_cut = True  # The refused call is a line in the console.
    page = other.page
    page.goto("/register")
    page.get_by_label("User name").fill("ANA")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#username-error")).not_to_be_empty()
    expect(page.get_by_label("User name")).to_be_focused()
    expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)


def test_a_wrong_password_is_told_and_the_right_one_enters(visit):
    visit("ana", enter=False)
    ana = visit()
    ana.link_cut = True
    page = ana.page
    page.goto("/")
    expect(page).to_have_url(re.compile("/login"))
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill("not the password at all")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("User name or password is wrong.")
    expect(page.get_by_label("User name")).to_have_value("ana")
    field = page.get_by_label("Password", exact=True)
    expect(field).to_be_focused()
    page.get_by_role("button", name="Show the password").click()
    expect(field).to_have_attribute("type", "text")
    field.fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#place-title .title-text")).to_have_text("general")


def test_signing_out_ends_at_the_login_page_and_back_does_not_return(visit):
    ana = visit("ana")
    ana.page.locator("#account").click()
    ana.page.get_by_role("button", name="Sign out").click()
    ana.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(ana.page).to_have_url(re.compile("/login$"))
    ana.link_cut = True
    ana.page.goto("/")
    expect(ana.page).to_have_url(re.compile("/login"))


def test_a_session_that_ends_asks_to_sign_in_and_comes_back_to_the_same_place(visit):
    ana = visit("ana")
    page = ana.page
    ana.call("POST", "/chat/channels", channel="plans")
    ana.open("plans")
    # Somewhere else the same person changes the password: this session is over.
    elsewhere = visit().login("ana")
    elsewhere.call("POST", "/password", current_password=PASSWORD, new_password=PASSWORD + " 2")
    ana.link_cut = True
    banner = page.locator("#banner")
    written = []

    def ended():
        """Each worker of the proxy may believe in the session for some seconds more."""
        written.append(f"written {len(written)}")
        ana.say(written[-1])
        return eventually(lambda: "session has ended" in banner.inner_text() or "pending" not in ana.message(written[-1]).get_attribute("class")) and (
            "session has ended" in banner.inner_text()
        )

    eventually(ended)
    banner.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD + " 2")
    page.keyboard.press("Enter")
    expect(page.locator("#place-title .title-text")).to_have_text("plans")
    ana.sent(written[-1])
    assert ana.texts() == written


def test_with_registration_by_invite_the_administrator_hands_out_links(chromium, world_of):
    world = world_of(auth_flags=["--registration", "invite"])
    ana = Person(chromium, world.url).register("ana").enter()
    ana.page.locator("#invite").click()
    dialog = ana.page.get_by_role("dialog")
    dialog.get_by_label("Others open this address").fill(world.url)
    dialog.get_by_role("button", name="Make an invite link").click()
    link = dialog.get_by_label("Invite link")
    expect(link).to_have_value(re.compile(r"/register#invite="))
    ben = Person(chromium, world.url)
    ben.page.goto(link.input_value())
    expect(ben.page.get_by_label("Invite code")).not_to_have_value("")
    ben.page.get_by_label("User name").fill("ben")
    ben.page.get_by_label("Password", exact=True).fill(PASSWORD)
    ben.page.get_by_role("button", name="Create account").click()
    expect(ben.page.locator("#place-title .title-text")).to_have_text("general")
    for person in (ana, ben):
        person.check()
        person.close()


def test_without_a_script_the_links_between_the_doors_keep_the_way(visit):
    visit("alice", enter=False)
    bob = visit(java_script_enabled=False)
    page = bob.page
    page.goto("/account?from=a%26b")
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    # There and back and there again.
    page.get_by_role("link", name="Create an account").click()
    expect(page.get_by_role("heading")).to_have_text("Create an account")
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#error")).to_have_text("This name is taken: choose another.")
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/account\?from=a%26b$"))
    assert bob.call("GET", "/me")["username"] == "bob"


def test_rule_7_passwords_are_hidden_filled_in_by_managers_and_may_be_pasted(visit):
    visit("ana", enter=False)
    page = visit().page
    for path, hints in (("/login", ["current-password"]), ("/register", ["new-password"])):
        page.goto(path)
        fields = page.locator("input[type=password]")
        expect(fields).not_to_have_count(0)
        assert [field.get_attribute("autocomplete") for field in fields.all()] == hints * fields.count()
        for field in fields.all():
            pasted = field.evaluate(
                "(field) => field.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true }))"
            )
            assert pasted, f"{path} stops a paste"
