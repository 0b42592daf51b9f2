"""Files from person to person."""

import hashlib
import struct

import pytest
from playwright.sync_api import expect

from papers import CARRY, GATE, LINKS, MIB, choose, moved, noise, paper, phase, png, press, row, saved, stage
from people import PASSWORD, PATIENCE_MS, eventually
from test_looks import audit


@pytest.fixture
def pair(visit):
    """Two people who look at their talk."""

    def make(**looks):
        ana, ben = visit("ana", **looks), visit("ben", **looks)
        for one, other in ((ana, "ben"), (ben, "ana")):
            one.page.goto(f"/#/d/{other}")
            expect(one.page.locator("#place-title .title-text")).to_have_text(other)
            if one.page.locator("#welcome").is_visible():
                one.dismiss_welcome()
            # From now on the browser hands choosers to the test, also to one that is quick with its keys.
            one.page.on("filechooser", lambda _: None)
        return ana, ben

    return make


def test_a_file_goes_both_ways_bit_for_bit(pair):
    ana, ben = pair()
    for sender, receiver, name, seed in ((ana, ben, "plan.pdf", 1), (ben, ana, "answer.zip", 2)):
        content = noise(5 * MIB + 12_345, seed)
        choose(sender, paper(name, content))
        expect(row(sender, name)).to_contain_text("Waiting for")
        expect(row(receiver, name)).to_contain_text(f"{sender.name} would like to send you this file.")
        expect(row(receiver, name)).to_contain_text("5.3 MB")
        press(receiver, "Accept", name)
        stage(receiver, name, "done")
        stage(sender, name, "done")
        expect(row(sender, name)).to_contain_text(f"Arrived at {receiver.name}, complete and checked")
        for person in (sender, receiver):
            expect(row(person, name).locator(".file-way")).to_have_text("direct")
        assert hashlib.sha256(saved(receiver, name)).digest() == hashlib.sha256(content).digest()
        expect(row(receiver, name)).to_contain_text("Saved.")
    # Both stand in the talk after a reload; what was saved is not kept twice.
    for person in (ana, ben):
        person.page.reload()
        expect(person.page.locator(".file-name")).to_have_text(["plan.pdf", "answer.zip"])
    expect(row(ben, "plan.pdf")).to_contain_text("Received and saved")


def test_an_empty_file_and_one_without_ending_arrive(pair):
    ana, ben = pair()
    choose(ana, paper("empty.txt", b""), paper("LICENSE", b"free"))
    for name, content in (("empty.txt", b""), ("LICENSE", b"free")):
        press(ben, "Accept", name)
        stage(ben, name, "done")
        assert saved(ben, name) == content


def test_no_is_no(pair):
    ana, ben = pair()
    choose(ana, paper("plan.pdf", noise(MIB)))
    press(ben, "Decline", "plan.pdf")
    expect(row(ana, "plan.pdf")).to_contain_text("ben declined")
    expect(row(ben, "plan.pdf")).to_contain_text("You declined")
    # It can be offered once more, and taken out of sight.
    press(ana, "Try again", "plan.pdf")
    press(ben, "Accept", "plan.pdf")
    stage(ana, "plan.pdf", "done")
    ana.page.get_by_role("button", name="Remove plan.pdf from the talk").click()
    expect(row(ana, "plan.pdf")).to_have_count(0)
    ana.page.reload()
    expect(ana.page.locator("#account .dot.online")).to_be_attached()
    expect(ana.page.locator("li.file")).to_have_count(0)


def test_an_offer_that_is_taken_back_goes_away(pair):
    ana, ben = pair()
    choose(ana, paper("plan.pdf", noise(MIB)))
    expect(row(ben, "plan.pdf")).to_be_visible()
    press(ana, "Cancel", "plan.pdf")
    expect(row(ana, "plan.pdf")).to_contain_text("You cancelled")
    expect(row(ben, "plan.pdf")).to_have_count(0)


@pytest.mark.parametrize("stopper", ["ana", "ben"])
def test_either_side_can_stop_it_in_the_middle(pair, stopper):
    ana, ben = pair()
    ana.page.evaluate(GATE, 3)
    choose(ana, paper("film.mkv", noise(12 * MIB)))
    press(ben, "Accept", "film.mkv")
    eventually(lambda: moved(ben, "film.mkv") == 0.25)
    expect(row(ben, "film.mkv")).to_contain_text("25% · 3.1 MB of 13 MB")
    expect(row(ben, "film.mkv").get_by_role("progressbar", name="Progress of film.mkv")).to_be_visible()
    me, other = (ana, ben) if stopper == "ana" else (ben, ana)
    press(me, "Cancel", "film.mkv")
    expect(row(me, "film.mkv")).to_contain_text("You cancelled")
    expect(row(other, "film.mkv")).to_contain_text(f"{me.name} cancelled")
    kept = "async () => { const db = await new Promise((ok) => { const r = indexedDB.open('hybrid-chat:ben'); r.onsuccess = () => ok(r.result); });" \
        " const n = await new Promise((ok) => { const r = db.transaction('pieces').objectStore('pieces').count(); r.onsuccess = () => ok(r.result); });" \
        " db.close(); return n; }"
    eventually(lambda: ben.page.evaluate(kept) == 0)


def test_several_at_once_and_messages_go_on_beside_them(pair):
    ana, ben = pair()
    ana.page.evaluate(GATE, 2)
    contents = {f"part{n}.bin": noise(4 * MIB, n) for n in (1, 2)}
    choose(ana, *(paper(name, content) for name, content in contents.items()))
    for name in contents:
        press(ben, "Accept", name)
    # Both have begun and neither has ended.
    for name in contents:
        eventually(lambda name=name: moved(ben, name) == 0.5)
    for n in range(5):
        ana.say(f"note {n}")
        ben.sees(f"note {n}")
        ben.say(f"reply {n}")
        ana.sees(f"reply {n}")
    for name in contents:
        phase(ben, name, "moving")
    ana.page.evaluate("window.__gate.open()")
    for name, content in contents.items():
        stage(ben, name, "done")
        assert saved(ben, name) == content


def test_a_receiver_that_reloads_goes_on_where_it_was(pair):
    ana, ben = pair()
    content = noise(12 * MIB + 5)
    ana.page.evaluate(GATE, 6)
    choose(ana, paper("film.mkv", content))
    press(ben, "Accept", "film.mkv")
    eventually(lambda: moved(ben, "film.mkv") > 0.4999)
    ben.page.reload()
    expect(row(ben, "film.mkv")).to_be_visible()
    # Nobody asks again; it goes on by itself, from what is on the disk.
    expect(row(ben, "film.mkv")).to_have_attribute("data-from", str(6 * MIB))
    expect(row(ana, "film.mkv")).to_have_attribute("data-from", str(6 * MIB))
    expect(row(ben, "film.mkv")).to_contain_text("resumed at 6.3 MB")
    ana.page.evaluate("window.__gate.open()")
    stage(ana, "film.mkv", "done")
    assert saved(ben, "film.mkv") == content


def test_a_link_that_breaks_costs_nothing_but_time(pair):
    ana, ben = pair()
    ana.context.add_init_script(LINKS)
    ana.page.reload()
    content = noise(12 * MIB)
    ana.page.evaluate(GATE, 6)
    choose(ana, paper("film.mkv", content))
    press(ben, "Accept", "film.mkv")
    eventually(lambda: moved(ben, "film.mkv") == 0.5)
    assert ana.page.evaluate("window.__links.map((link) => link.close()).length") > 0
    phase(ana, "film.mkv", "away")
    # The new link carries on, with no word from anybody.
    expect(row(ben, "film.mkv")).to_have_attribute("data-from", str(6 * MIB), timeout=2 * PATIENCE_MS)
    ana.page.evaluate("window.__gate.open()")
    stage(ana, "film.mkv", "done")
    assert saved(ben, "film.mkv") == content


def test_a_sender_that_reloads_chooses_the_file_again_and_goes_on(pair, tmp_path):
    ana, ben = pair()
    film = tmp_path / "film.mkv"
    film.write_bytes(noise(12 * MIB))
    other = tmp_path / "other.mkv"
    other.write_bytes(b"something else")
    ana.page.evaluate(GATE, 6)
    choose(ana, film)
    press(ben, "Accept", "film.mkv")
    eventually(lambda: moved(ben, "film.mkv") == 0.5)
    # The browser warns that files are on their way; the person goes nevertheless.
    ana.page.once("dialog", lambda dialog: dialog.accept())
    ana.page.reload()
    expect(row(ana, "film.mkv")).to_contain_text("Choose the file again")
    expect(row(ben, "film.mkv")).to_contain_text("Waits for ana to go on")
    again = '.file [data-act="choose"]'
    choose(ana, other, button=again)
    expect(ana.page.locator(".toast")).to_contain_text("This is another file than film.mkv")
    choose(ana, film, button=again)
    stage(ben, "film.mkv", "done")
    expect(row(ben, "film.mkv")).to_have_attribute("data-from", str(6 * MIB))
    assert saved(ben, "film.mkv") == film.read_bytes()


def test_a_file_that_changes_while_it_is_sent_is_told(pair, tmp_path):
    ana, ben = pair()
    log = tmp_path / "log.txt"
    log.write_bytes(noise(8 * MIB))
    ana.page.evaluate(GATE, 3)
    choose(ana, log)
    press(ben, "Accept", "log.txt")
    eventually(lambda: moved(ben, "log.txt") > 0.3)
    log.write_bytes(noise(9 * MIB))
    ana.page.evaluate("window.__gate.open()")
    expect(row(ana, "log.txt")).to_contain_text("the file was changed, moved or deleted meanwhile")
    expect(row(ben, "log.txt")).to_contain_text("the file was changed or moved at ana")


def test_someone_who_is_away_is_asked_on_coming_back(pair):
    ana, ben = pair()
    ben.page.goto("about:blank")
    expect(ana.page.locator("#place-note")).not_to_contain_text("Online")
    choose(ana, paper("plan.pdf", b"the plan"))
    expect(row(ana, "plan.pdf")).to_contain_text("Waits until ben is online")
    ben.enter()
    # The list tells of it before the talk is open.
    expect(ben.place("ana").locator(".badge")).to_have_text("1")
    ben.open("ana")
    press(ben, "Accept", "plan.pdf")
    stage(ana, "plan.pdf", "done")
    expect(ben.place("ana").locator(".badge")).to_have_count(0)


def test_files_are_dropped_on_the_talk_and_pasted_into_it(pair):
    ana, ben = pair()
    page = ana.page
    carried = page.evaluate_handle(CARRY, [{"name": "one.txt", "type": "text/plain", "text": "one"}, {"name": "two.txt", "type": "text/plain", "text": "two"}])
    zone = page.locator(".drop-zone")
    page.dispatch_event("#messages", "dragover", {"dataTransfer": carried})
    expect(zone).to_have_text("Drop files here to send them to ben")
    page.dispatch_event("#messages", "drop", {"dataTransfer": carried})
    expect(zone).to_be_hidden()
    carried = page.evaluate_handle(CARRY, [{"name": "image.png", "type": "image/png", "text": "not really"}])
    page.evaluate("(data) => document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))", carried)
    for name, content in (("one.txt", b"one"), ("two.txt", b"two"), ("image.png", b"not really")):
        press(ben, "Accept", name)
        stage(ben, name, "done")
        assert saved(ben, name) == content


def test_a_drag_that_leaves_takes_the_zone_along(pair):
    ana, _ = pair()
    carried = ana.page.evaluate_handle(CARRY, [{"name": "one.txt", "type": "text/plain", "text": "one"}])
    ana.page.dispatch_event("#messages", "dragover", {"dataTransfer": carried})
    expect(ana.page.locator(".drop-zone")).to_be_visible()
    # Nothing more is heard of it.
    expect(ana.page.locator(".drop-zone")).to_be_hidden()


def test_in_a_channel_files_are_not_sent_and_the_page_says_why(pair):
    ana, _ = pair()
    ana.open("general")
    page = ana.page
    expect(page.locator("#attach")).to_be_hidden()
    carried = page.evaluate_handle(CARRY, [{"name": "one.txt", "type": "text/plain", "text": "one"}])
    page.dispatch_event("#messages", "dragover", {"dataTransfer": carried})
    expect(page.locator(".drop-zone")).to_contain_text("Files go from person to person")
    page.dispatch_event("#messages", "drop", {"dataTransfer": carried})
    expect(page.locator(".toast")).to_contain_text("Files go from person to person")
    expect(page.locator("li.file")).to_have_count(0)


def test_all_of_it_works_by_keyboard(pair):
    ana, ben = pair()
    content = noise(MIB)
    ana.box.focus()
    ana.page.keyboard.press("Shift+Tab")
    expect(ana.page.locator("#attach")).to_be_focused()
    with ana.page.expect_file_chooser() as chooser:
        ana.page.keyboard.press("Enter")
    chooser.value.set_files([paper("plan.pdf", content)])
    expect(ana.box).to_be_focused()
    expect(row(ben, "plan.pdf")).to_be_visible()
    ben.scroller.focus()
    ben.page.keyboard.press("Tab")
    expect(ben.page.locator(":focus")).to_have_text("Accept plan.pdf")
    ben.page.keyboard.press("Enter")
    # The button is gone, and what there is to do next has the focus.
    expect(ben.page.locator(":focus")).to_have_text("Save plan.pdf")
    with ben.page.expect_download() as download:
        ben.page.keyboard.press("Enter")
    assert download.value.path().read_bytes() == content
    expect(ben.page.locator(":focus")).to_have_text("Save again plan.pdf")
    ben.page.keyboard.press("Tab")
    expect(ben.page.locator(":focus")).to_have_text("Free the space plan.pdf")
    ben.page.keyboard.press("Enter")
    expect(row(ben, "plan.pdf")).to_contain_text("Received and saved")
    expect(ben.page.locator(":focus")).to_have_accessible_name("Remove plan.pdf from the talk")


def test_what_happens_is_announced_and_the_figures_are_not(pair):
    ana, ben = pair()
    ana.page.evaluate(GATE, 2)
    heard = "window.__heard = []; new MutationObserver((list) => { for (const one of list) for (const node of one.addedNodes) window.__heard.push(node.textContent); })" \
        ".observe(document.getElementById('announcer'), { childList: true })"
    for person in (ana, ben):
        person.page.evaluate(heard)
    choose(ana, paper("film.mkv", noise(4 * MIB)))
    press(ben, "Accept", "film.mkv")
    eventually(lambda: moved(ben, "film.mkv") == 0.5)
    ana.page.evaluate("window.__gate.open()")
    stage(ana, "film.mkv", "done")
    assert ben.page.evaluate("window.__heard") == ["ana would like to send you film.mkv, 4.2 MB", "film.mkv from ana has arrived"]
    assert ana.page.evaluate("window.__heard") == ["film.mkv has arrived at ben"]
    for person in (ana, ben):
        assert row(person, "film.mkv").locator("[aria-live], [role=status], [role=alert]").count() == 0


def test_what_was_not_saved_is_discarded_only_after_a_question(pair):
    ana, ben = pair()
    choose(ana, paper("plan.pdf", noise(MIB)))
    press(ben, "Accept", "plan.pdf")
    expect(row(ben, "plan.pdf")).to_contain_text("It takes 1 MB in this browser until you save or discard it.")
    press(ben, "Discard", "plan.pdf")
    ben.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    stage(ben, "plan.pdf", "done")
    press(ben, "Discard", "plan.pdf")
    ben.page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(row(ben, "plan.pdf")).to_contain_text("Received and discarded")


def test_without_room_an_offer_is_not_taken_and_no_says_why(pair):
    ana, ben = pair()
    ben.page.evaluate("navigator.storage.estimate = async () => ({ quota: 10e6, usage: 9e6 })")
    choose(ana, paper("film.mkv", noise(2 * MIB)))
    press(ben, "Accept", "film.mkv")
    expect(ben.page.locator(".toast")).to_contain_text("film.mkv needs 2.1 MB, and this browser may keep 1 MB more")
    phase(ben, "film.mkv", "offer")
    press(ben, "Decline", "film.mkv")
    expect(row(ana, "film.mkv")).to_contain_text("ben has not enough room for it.")


def test_a_picture_is_shown_from_the_own_copy_and_nothing_else_is(pair):
    ana, ben = pair()
    wide = png(900, 300)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>document.title = "run"</script></svg>'
    choose(ana, paper("wide.png", wide, "image/png"), paper("drawing.svg", svg, "image/svg+xml"), paper("lie.png", b"MZ" + noise(500), "image/png"),
           paper("bomb.png", png(9, 9).replace(struct.pack(">II", 9, 9), struct.pack(">II", 60_000, 60_000)), "image/png"))
    for name in ("wide.png", "drawing.svg", "lie.png", "bomb.png"):
        expect(row(ben, name).locator("img")).to_have_count(0)
        press(ben, "Accept", name)
        stage(ben, name, "done")
    image = row(ben, "wide.png").get_by_role("img", name="Preview of wide.png")
    expect(image).to_be_visible()
    assert image.evaluate("(image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight, image.width])") == [900, 300, 280]
    assert image.get_attribute("src").startswith("blob:")
    for name in ("drawing.svg", "lie.png", "bomb.png"):
        expect(row(ben, name).locator("img")).to_have_count(0)
    expect(ana.page.locator("li.file img")).to_have_count(0)
    assert saved(ben, "wide.png") == wide
    assert saved(ben, "drawing.svg") == svg


def test_a_name_is_only_text_and_leads_nowhere(pair):
    ana, ben = pair()
    names = {
        "<img src=x onerror=document.title=1>.txt": "<img src=x onerror=document.title=1>.txt",
        "photo\u202egpj.exe": "photogpj.exe",
        "..\\..\\evil.bat": "evil.bat",
        f"{'ạ' * 84}.pdf": None,
    }
    carried = ana.page.evaluate_handle(CARRY, [{"name": name, "type": "", "text": name} for name in names])
    ana.page.dispatch_event("#messages", "drop", {"dataTransfer": carried})
    expect(ben.page.locator("li.file")).to_have_count(4)
    for given, safe in names.items():
        if safe is None:
            continue
        press(ben, "Accept", safe)
        stage(ben, safe, "done")
        with ben.page.expect_download() as download:
            press(ben, "Save", safe)
        assert "/" not in download.value.suggested_filename and "\\" not in download.value.suggested_filename
        assert download.value.path().read_text() == given
    fits = "() => document.querySelector('#scroller').scrollWidth <= document.querySelector('#scroller').clientWidth"
    assert ben.page.evaluate(fits)


def test_of_two_devices_the_one_that_accepts_gets_it(pair, visit):
    ana, ben = pair()
    phone = visit(viewport={"width": 390, "height": 844}).login("ben").enter()
    content = noise(2 * MIB)
    choose(ana, paper("plan.pdf", content))
    expect(row(ben, "plan.pdf")).to_be_visible()
    phone.page.goto("/#/d/ana")
    press(phone, "Accept", "plan.pdf")
    expect(row(ben, "plan.pdf")).to_have_count(0)
    stage(ana, "plan.pdf", "done")
    assert saved(phone, "plan.pdf") == content


def test_two_tabs_of_one_person_show_the_same_and_either_can_act(pair):
    ana, ben = pair()
    second = ben.new_page()
    second.goto("/#/d/ana")
    expect(second.locator("#account .dot.online")).to_be_attached()
    content = noise(2 * MIB)
    choose(ana, paper("plan.pdf", content))
    for page in (ben.page, second):
        expect(row(ben, "plan.pdf", page)).to_be_visible()
    press(ben, "Accept", "plan.pdf", page=second)
    for page in (ben.page, second):
        stage(ben, "plan.pdf", "done", page=page)
    with second.expect_download() as download:
        press(ben, "Save", "plan.pdf", page=second)
    assert download.value.path().read_bytes() == content
    # And the other way: chosen in a tab that doesn't hold the links.
    choose(ben, paper("answer.txt", b"yes"), page=second)
    press(ana, "Accept", "answer.txt")
    for page in (ben.page, second):
        stage(ben, "answer.txt", "done", page=page)
    assert saved(ana, "answer.txt") == b"yes"


def test_when_the_tab_with_the_links_is_closed_the_other_one_goes_on(pair):
    ana, ben = pair()
    second = ana.new_page()
    second.goto("/#/d/ben")
    expect(second.locator("#account .dot.online")).to_be_attached()
    content = noise(12 * MIB)
    ana.page.evaluate(GATE, 5)
    # Chosen in the second tab, sent by the first.
    choose(ana, paper("film.mkv", content), page=second)
    press(ben, "Accept", "film.mkv")
    eventually(lambda: moved(ben, "film.mkv") > 0.41)
    ana.page.close(run_before_unload=False)
    stage(ben, "film.mkv", "done", timeout=2 * PATIENCE_MS)
    expect(row(ben, "film.mkv")).to_have_attribute("data-from", str(5 * MIB))
    stage(ana, "film.mkv", "done", page=second)
    assert saved(ben, "film.mkv") == content


def test_it_works_on_plain_http_without_the_browsers_own_hashes(visit, world):
    people = []
    for name, other in (("ana", "ben"), ("ben", "ana")):
        person = visit(base_url=world.url.replace("localhost", "chat.lan"))
        person.page.goto("/register")
        person.page.get_by_label("User name").fill(name)
        person.page.get_by_label("Password", exact=True).fill(PASSWORD)
        person.page.keyboard.press("Enter")
        expect(person.page.locator("#account .dot.online")).to_be_attached()
        person.page.goto(f"/#/d/{other}")
        person.name = name
        people.append(person)
    ana, ben = people
    assert ana.page.evaluate("[isSecureContext, typeof crypto.subtle]") == [False, "undefined"]
    content = noise(3 * MIB + 1)
    choose(ana, paper("plan.pdf", content))
    press(ben, "Accept", "plan.pdf")
    stage(ana, "plan.pdf", "done")
    assert saved(ben, "plan.pdf") == content
    for person in people:
        # Chromium's remarks about a header that it takes on https only, and about saving from such a page.
        person.complaints = [one for one in person.complaints if "Cross-Origin-Opener-Policy" not in one and "insecure connection" not in one]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_rows_fit_and_have_names_roles_and_contrast(pair, width, scheme):
    ana, ben = pair(viewport={"width": width, "height": 844}, color_scheme=scheme)
    ana.page.evaluate(GATE, 3)
    long = "a-very-long-name-without-any-blank-" * 5 + ".tar.gz"
    choose(ana, paper("done.txt", b"done"))
    press(ben, "Accept", "done.txt")
    stage(ana, "done.txt", "done")
    choose(ana, paper("no.txt", b"no"))
    press(ben, "Decline", "no.txt")
    choose(ana, paper("picture.png", png(1200, 500), "image/png"))
    press(ben, "Accept", "picture.png")
    choose(ana, paper("film.mkv", noise(6 * MIB)), paper(long, b"waits"))
    press(ben, "Accept", "film.mkv")
    eventually(lambda: moved(ben, "film.mkv") == 0.5)
    expect(row(ben, long)).to_be_visible()
    fits = "() => document.documentElement.scrollWidth <= innerWidth && document.querySelector('#scroller').scrollWidth <= document.querySelector('#scroller').clientWidth"
    for person in (ana, ben):
        assert person.page.evaluate(fits)
        audit(person.page)
        for button in person.page.locator(".file button").all():
            box = button.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert width > 760 or box["height"] >= 40
    carried = ben.page.evaluate_handle(CARRY, [{"name": "one.txt", "type": "text/plain", "text": "one"}])
    ben.page.dispatch_event("#messages", "dragover", {"dataTransfer": carried})
    expect(ben.page.locator(".drop-zone")).to_be_visible()
    audit(ben.page)


def test_in_vietnamese(pair):
    ana, ben = pair(locale="vi-VN")
    ana.page.evaluate(GATE, 3)
    choose(ana, paper("Bài tập số 1.docx", noise(6 * MIB)))
    expect(row(ben, "Bài tập số 1.docx")).to_contain_text("ana muốn gửi cho bạn tệp này.")
    press(ben, "Nhận", "Bài tập số 1.docx")
    expect(row(ben, "Bài tập số 1.docx")).to_contain_text("50% · 3,1 MB trên 6,3 MB")
    press(ben, "Hủy", "Bài tập số 1.docx")
    expect(row(ana, "Bài tập số 1.docx")).to_contain_text("ben đã hủy")
