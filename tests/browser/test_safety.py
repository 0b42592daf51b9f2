"""What people write stays text, and the policy of the pages holds."""

from playwright.sync_api import expect

ATTACKS = [
    "<img src=x onerror=\"window.hacked=1\">",
    "<script>window.hacked=1</script>",
    "</li></ol><svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "https://example.org/\"onmouseover=\"window.hacked=1",
    "{{constructor.constructor('window.hacked=1')()}}",
]


def test_markup_in_messages_and_names_stays_text(visit):
    ana, ben = visit("ana"), visit("ben")
    for attack in ATTACKS:
        ana.say(attack)
        ben.sees(attack)
        ana.sees(attack)
    for person in (ana, ben):
        assert person.page.evaluate("window.hacked") is None
        assert person.page.locator("#messages img, #messages script, #messages svg:not(.icon)").count() == 0
        for link in person.page.locator(".said a").all():
            assert link.get_attribute("href").startswith("https://example.org/")
            assert "noopener" in link.get_attribute("rel")


def test_a_hostile_address_bar_does_nothing(visit):
    ana = visit("ana")
    ana.page.goto("/#/d/%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E")
    expect(ana.page.locator("#place-title .title-text")).to_have_text("<img src=x onerror=window.hacked=1>")
    ana.page.goto("/#/c/%E0%A4%A")
    ana.page.goto("/?next=javascript:window.hacked=1#/c/none")
    expect(ana.page.locator("#place-title .title-text")).to_have_text("general")
    assert ana.page.evaluate("window.hacked") is None


def test_after_signing_in_nobody_is_sent_to_another_site(visit, world):
    from people import PASSWORD

    visit("ana", enter=False)
    for target in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        stranger = visit()
        stranger.page.goto("/login?next=" + target)
        stranger.page.get_by_label("User name").fill("ana")
        stranger.page.get_by_label("Password", exact=True).fill(PASSWORD)
        stranger.page.keyboard.press("Enter")
        expect(stranger.page.locator("#place-title .title-text")).to_have_text("general")
        assert stranger.page.url.startswith(world.url + "/#/")


def test_long_words_and_blanks_are_kept_and_never_widen_the_page(visit):
    ana = visit("ana", viewport={"width": 390, "height": 844})
    word = "w" * 3000
    code = "if x:\n    y = 1\n\tz = 2"
    ana.say(word)
    ana.say(code)
    ana.say("```\n" + code + "\n```")
    ana.sees(word)
    expect(ana.page.locator(".said").nth(1)).to_have_css("white-space-collapse", "preserve")
    assert ana.page.locator(".said").nth(1).evaluate("(node) => node.textContent") == code
    assert ana.page.locator(".said pre").evaluate("(node) => node.textContent") == code
    assert ana.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_message_over_the_limit_is_held_back_with_a_count(visit):
    ana = visit("ana")
    ana.box.fill("ô" * 8000)
    count = ana.page.locator("#text-count")
    expect(count).to_have_text("384 bytes left")
    ana.box.fill("ô" * 8193)
    expect(count).to_have_text("Too long by 2 bytes")
    expect(ana.page.locator("#send")).to_be_disabled()
    ana.box.press("Enter")
    expect(ana.box).not_to_have_value("")
    ana.box.fill("ô" * 8192)
    ana.box.press("Enter")
    ana.sent("ô" * 8192)


def test_the_api_tester_makes_the_seven_calls(visit):
    ana = visit("ana")
    page = ana.page
    page.goto("/chat_client.html")
    forms = page.get_by_role("form")
    expect(forms).to_have_count(7)
    for number in range(7):
        forms.nth(number).get_by_role("button").click()
        expect(page.locator("#answers li")).to_have_count(number + 1)
        expect(page.locator("#answers li").first).to_contain_text("200")
        expect(page.locator("#answers li").first).to_contain_text('"status": "success"')
