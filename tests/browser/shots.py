"""Pictures of the pages, made of the real programs: the one in the README, and some to look at.

    python tests/browser/shots.py [FOLDER]

writes docs/images/chat.png, and with a FOLDER the chat, the account and administration in four looks: wide and narrow,
light and dark, English and Vietnamese.
"""

import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from people import LAUNCH, Person
from programs import REPOSITORY, World

WIDE = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}


def stage(browser, world):
    """A team with something to say."""
    linh, minh, bao, thu = (Person(browser, world.url).register(name) for name in ("linh", "minh", "bao", "thu.nguyen"))
    for person in (linh, minh, bao, thu):
        person.enter()
    for person in (linh, minh):
        for channel in ("design", "lớp-10A", "weekend"):
            if person is linh:
                person.call("POST", "/chat/channels", channel=channel)
            else:
                person.call("POST", "/chat/channels/join", channel=channel)
    linh.call("POST", "/chat/channels", channel="budget", private=True)
    linh.call("POST", "/chat/channels/join", channel="budget", member="minh")
    minh.broadcast("general", "Good morning! The new server is up in the storage room. It needs no Internet, by the way.")
    minh.broadcast("general", "Open http://192.168.1.20:8080 on your phones, the QR code is at the door.")
    bao.broadcast("general", "Works here 🎉", "Chào cả nhà!")
    linh.broadcast("general", "Lovely. I moved the plan for Friday to #weekend.")
    thu.broadcast(
        "general", "To see who is connected from a terminal:\n```\ncurl -b cookies http://192.168.1.20:8080/get-list\n```\nIt answers with `peers` and `count`."
    )
    minh.broadcast("general", "Thanks, Thu! I'll put that on the wiki.")
    minh.broadcast("design", "First sketch is ready", "Comments are welcome", "until Thursday")
    minh.broadcast("weekend", "Who brings the guitar?")
    for person in (bao, linh):
        person.page.goto("about:blank")
    return thu


def picture(browser, world, file, thu, name="linh", place="general", welcome=False, act=None, **look):
    # Direct messages live in the browser that fetched them: each picture has a browser of its own.
    thu.call("POST", "/send-peer", from_peer=thu.name, to_peer=name, message="Do you have a minute later?")
    person = Person(browser, world.url, **look).login(name)
    person.enter()
    if not welcome:
        person.dismiss_welcome()
    person.page.goto(f"{world.url}/#/{'d' if place.startswith('@') else 'c'}/{place.lstrip('@')}")
    expect(person.page.locator("#place-title .title-text")).to_have_text(place.lstrip("@"))
    expect(person.page.locator("li.message").first).to_be_attached()
    if act:
        act(person)
    expect(person.place(thu.name).locator(".badge")).to_be_attached()
    person.page.wait_for_load_state("networkidle")
    person.page.screenshot(path=file)
    person.check()
    person.close()


def desk(browser, world, folder, look, **options):
    """The pages beside the chat, from top to bottom."""
    person = Person(browser, world.url, **options).login("linh")
    for name, ready in {"account": "#tokens li", "admin": "#users-list li", "admin#invites": "#invites-list li", "admin#bots": "#bots-list li",
                        "admin#audit": "#audit-list li"}.items():
        # From elsewhere, so that another part is another page.
        person.page.goto("about:blank")
        person.page.goto(f"{world.url}/{name}")
        expect(person.page.locator(ready).first).to_be_visible()
        person.page.screenshot(path=folder / f"{name.replace('#', '-')}-{look}.png", full_page=True)
    person.check()
    person.close()


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    image = REPOSITORY / "docs/images/chat.png"
    image.parent.mkdir(parents=True, exist_ok=True)
    world = World()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**LAUNCH)
            thu = stage(browser, world)
            picture(browser, world, image, thu, **WIDE)
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
                picture(browser, world, folder / "wide-light-en.png", thu, welcome=True, **WIDE)
                picture(browser, world, folder / "wide-dark-vi.png", thu, color_scheme="dark", locale="vi-VN", **WIDE)
                picture(browser, world, folder / "phone-light-vi.png", thu, welcome=True, locale="vi-VN", **PHONE)
                picture(browser, world, folder / "phone-dark-en.png", thu, color_scheme="dark", **PHONE)
                linh = Person(browser, world.url).login("linh")
                linh.call("POST", "/auth/tokens", name="backup")
                linh.call("POST", "/invites", uses=5)
                linh.call("POST", "/auth/admin/bots", username="weather")
                linh.close()
                desk(browser, world, folder, "wide-light-en", **WIDE)
                desk(browser, world, folder, "wide-dark-vi", color_scheme="dark", locale="vi-VN", **WIDE)
                desk(browser, world, folder, "phone-light-vi", locale="vi-VN", **PHONE)
                desk(browser, world, folder, "phone-dark-en", color_scheme="dark", **PHONE)
            browser.close()
    finally:
        world.close()


if __name__ == "__main__":
    main()
