"""Widths, themes, languages, and what assistive technology is given."""

import json
import re

import pytest
from playwright.sync_api import expect

from people import PASSWORD

PHONE = {"viewport": {"width": 390, "height": 844}}

# Own checks of what a screen reader and a tired eye need. Gives one line per fault.
AUDIT = r"""
() => {
  const faults = [];
  const shown = (node) => node.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true }) && !node.closest('[inert], [aria-hidden=true]');
  const label = (node) => (node.getAttribute('aria-label') || (node.labels && [...node.labels].map((one) => one.textContent).join(' '))
    || (node.getAttribute('aria-labelledby') || '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' ')
    || node.textContent || node.getAttribute('alt') || '').trim();
  const path = (node) => `${node.tagName.toLowerCase()}${node.id ? '#' + node.id : ''}.${node.className}`;
  for (const node of document.querySelectorAll('button, a[href], input:not([type=hidden]), textarea, select, [role=button]')) {
    if (shown(node) && !label(node)) faults.push(`no name: ${path(node)}`);
  }
  for (const image of document.querySelectorAll('img')) if (!image.hasAttribute('alt')) faults.push(`no alt: ${path(image)}`);
  const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
  for (const id of ids.filter((one, at) => ids.indexOf(one) !== at)) faults.push(`id twice: ${id}`);
  for (const name of ['aria-labelledby', 'aria-describedby', 'aria-controls']) {
    for (const node of document.querySelectorAll(`[${name}]`)) {
      for (const id of node.getAttribute(name).split(' ')) if (!document.getElementById(id)) faults.push(`${name} to nothing: ${path(node)}`);
    }
  }
  if (!document.documentElement.lang) faults.push('no lang');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (!document.title) faults.push('no title');
  for (const list of document.querySelectorAll('ul, ol')) {
    for (const child of list.children) if (child.tagName !== 'LI') faults.push(`in a list but no item: ${path(child)}`);
  }
  const parse = (text) => { const part = text.match(/[\d.]+/g).map(Number); return { rgb: part.slice(0, 3), a: part[3] ?? 1 }; };
  const light = (rgb) => rgb.map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) {
      const { rgb, a } = parse(getComputedStyle(one).backgroundColor);
      if (a > 0) layers.push({ rgb, a });
      if (a === 1) break;
    }
    return layers.reverse().reduce((under, { rgb, a }) => rgb.map((one, at) => one * a + under[at] * (1 - a)), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !shown(node) || node.closest('.sr, .skip, button:disabled, noscript')) continue;
    const style = getComputedStyle(node);
    if (Number(style.opacity) === 0) continue;
    const [one, other] = [light(parse(style.color).rgb), light(ground(node))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    const big = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (big ? 3 : 4.5)) faults.push(`contrast ${contrast.toFixed(2)}: ${path(node)} “${walker.currentNode.textContent.trim().slice(0, 30)}”`);
  }
  for (const node of document.querySelectorAll('button, a.place, input, textarea')) {
    if (!shown(node)) continue;
    const box = node.getBoundingClientRect();
    const press = node.labels?.[0]?.getBoundingClientRect() ?? box;
    if (Math.max(box.height, press.height) < 24) faults.push(`too small to press: ${path(node)}`);
  }
  return [...new Set(faults)];
}
"""


def audit(page):
    faults = page.evaluate(AUDIT)
    assert faults == [], json.dumps(faults, indent=2, ensure_ascii=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_has_names_roles_and_contrast(visit, scheme, width):
    look = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    ana = visit(**look)
    page = ana.page
    page.goto("/register")
    expect(page.locator("#notice")).to_be_visible()
    audit(page)
    ana.register("ana").enter()
    ben = visit("ben")
    ben.say("hello **there** `code` https://example.org")
    ana.sees("hello **there** code https://example.org")
    audit(page)
    ana.dismiss_welcome()
    ana.write_to("ben") if width > 760 else page.goto("/#/d/ben")
    ana.say("just to you")
    expect(ana.message("just to you")).to_have_class(re.compile("delivered|direct"))
    audit(page)
    if width <= 760:
        page.locator("#menu").click()
        audit(page)
    for opener in ("#browse-channels", "#browse-people", "#invite", "#account"):
        page.locator(opener).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        audit(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(opener)).to_be_focused()
    page.goto("/chat_client.html")
    expect(page.get_by_role("form")).to_have_count(7)
    audit(page)
    ana.call("POST", "/auth/tokens", name="backup")
    page.goto("/account")
    expect(page.locator("#sessions > li, #tokens li")).to_have_count(2)
    audit(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/admin")
    for part in ("Accounts", "Invites", "Bots", "Audit log"):
        page.get_by_role("link", name=part).click()
        expect(page.get_by_role("region", name=part)).to_be_visible()
        audit(page)
    page.get_by_role("link", name="Accounts").click()
    page.get_by_role("button", name="Manage ben").click()
    audit(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/reset#code=AAAAAAAAAAAAAAAAAAAAAA")
    expect(page.locator("#form")).to_be_visible()
    audit(page)
    ana.context.clear_cookies()
    page.goto("/login")
    expect(page.locator("#other")).to_be_visible()
    audit(page)


def test_on_a_phone_the_panels_come_over_the_messages_and_nothing_overflows(visit):
    ana = visit("ana", **PHONE)
    page = ana.page
    fits = "() => document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight"
    assert page.evaluate(fits)
    expect(page.locator("#sidebar")).to_be_hidden()
    expect(page.locator("#members")).to_be_hidden()
    expect(ana.box).to_be_in_viewport()
    page.locator("#menu").click()
    expect(page.locator("#sidebar")).to_be_visible()
    expect(page.locator("#sidebar-close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#sidebar")).to_be_hidden()
    expect(page.locator("#menu")).to_be_focused()
    page.locator("#members-toggle").click()
    expect(page.locator("#members")).to_be_visible()
    page.locator("#members-close").click()
    page.locator("#menu").click()
    ana.open("general")
    expect(page.locator("#sidebar")).to_be_hidden()
    # What is unread elsewhere shows on the button that leads there.
    ben = visit("ben")
    ben.write_to("ana")
    ben.say("psst")
    expect(page.get_by_role("button", name="Conversations, 1 unread message")).to_be_visible()
    assert page.evaluate(fits)


def test_dark_follows_the_system_and_the_choice_wins_over_it(visit):
    ana = visit("ana", color_scheme="dark")
    page = ana.page
    ground = "getComputedStyle(document.querySelector('main')).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#account").click()
    page.get_by_role("radio", name="Light").check()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light
    page.emulate_media(color_scheme="light")
    page.locator("#account").click()
    page.get_by_role("radio", name="Dark").check()
    assert page.evaluate(ground) == dark


def test_vietnamese_is_chosen_by_the_browser_or_the_reader(visit):
    ana = visit("ana", locale="vi-VN")
    page = ana.page
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    expect(page.locator("#channels-title")).to_have_text("Kênh")
    expect(page.get_by_label("Nhắn tới #general")).to_be_visible()
    expect(page.locator("#welcome")).to_contain_text("Chào mừng ana")
    ana.say("Chào buổi sáng, Việt Nam!")
    ana.sees("Chào buổi sáng, Việt Nam!")
    expect(page.locator(".day-line")).to_have_text("Hôm nay")
    page.locator("#account").click()
    page.get_by_role("radio", name="English").check()
    page.keyboard.press("Escape")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#channels-title")).to_have_text("Channels")
    expect(page.locator(".day-line")).to_have_text("Today")
    page.reload()
    expect(page.locator("#channels-title")).to_have_text("Channels")


def test_everything_can_be_done_with_the_keyboard(visit):
    ana, ben = visit("ana"), visit("ben")
    page = ana.page
    # From the top of the page the first stop leads straight to the message box.
    page.reload()
    expect(page.locator("#account .dot.online")).to_be_attached()
    expect(page.locator("#place-title .title-text")).to_have_text("general")
    expect(ana.box).to_be_focused()
    page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    address = page.url
    page.keyboard.press("Enter")
    expect(ana.box).to_be_focused()
    assert page.url == address
    page.keyboard.type("typed by hand")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("in two lines")
    page.keyboard.press("Enter")
    expect(page.locator(".said").last).to_have_text("typed by hand\nin two lines")
    # The directory: filter, arrow down, enter.
    page.locator("#browse-people").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("be")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#place-title .title-text")).to_have_text("ben")
    expect(ana.box).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    ben.open("ana")
    ben.sees("hello")
    # Alt and an arrow go through the conversations; a list is one stop with arrows inside.
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("#place-title .title-text")).to_have_text("general")
    assert page.locator('#channel-list a[tabindex="0"]').count() == 1
    page.locator("#channel-list a").first.focus()
    page.keyboard.press("Enter")
    expect(ana.box).to_be_focused()
    # Escape closes a dialog and gives the focus back.
    page.locator("#browse-channels").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#browse-channels")).to_be_focused()


def test_enter_belongs_to_the_input_method_while_it_composes(visit):
    ana = visit("ana")
    ana.box.fill("tieng Viet")
    ana.box.evaluate(
        "(box) => box.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))"
    )
    expect(ana.box).to_have_value("tieng Viet")
    ana.box.press("Enter")
    ana.sees("tieng Viet")


def test_new_messages_and_the_state_of_the_link_are_announced(visit, world):
    ana, ben = visit("ana"), visit("ben")
    ben.link_cut = True
    ana.say("listen")
    expect(ben.page.locator("#announcer")).to_contain_text("ana: listen")
    expect(ben.page.locator("#announcer")).to_have_attribute("aria-live", "polite")
    ben.context.set_offline(True)
    expect(ben.page.get_by_role("status").filter(has_text="offline")).to_be_visible()
    ben.context.set_offline(False)
    expect(ben.page.locator("#announcer")).to_contain_text("Connected again")


def test_motion_is_left_out_where_it_is_not_wanted(visit):
    ana = visit("ana", reduced_motion="reduce", **PHONE)
    assert ana.page.locator("#sidebar").evaluate("(node) => getComputedStyle(node).transitionDuration") == "0s"


def test_it_works_where_the_browser_withholds_what_needs_https(visit, world):
    """On http://some-name no crypto.randomUUID, clipboard or notifications: a LAN's first run."""
    ana = visit(base_url=world.url.replace("localhost", "chat.lan"))
    page = ana.page
    page.goto("/register")
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#account .dot.online")).to_be_attached()
    assert page.evaluate("[isSecureContext, typeof crypto.randomUUID, typeof navigator.clipboard]") == [False, "undefined", "undefined"]
    ana.say("hello from the LAN")
    ana.sent("hello from the LAN")
    expect(page.get_by_label("Others open this address")).to_have_value(re.compile(r"^http://chat\.lan:\d+$"))
    page.locator("#welcome").get_by_role("button", name="Copy").click()
    expect(page.locator(".toast")).to_have_text("Copied")
    ana.box.focus()
    page.keyboard.press("Control+V")
    expect(ana.box).to_have_value(re.compile(r"^http://chat\.lan:\d+/$"))
    page.locator("#account").click()
    expect(page.get_by_role("dialog")).to_contain_text("on https addresses and on localhost only")
    # Chromium's remark about a header that it takes on https only.
    ana.complaints = [one for one in ana.complaints if "Cross-Origin-Opener-Policy header has been ignored" not in one]
