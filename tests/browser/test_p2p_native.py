"""A browser and a terminal, linked: the browser's page and the program `peer` speak the same protocol."""

import hashlib
import os
import re
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import expect

from capture import Capture, content_bytes
from native import Native
from people import LAUNCH, PATIENCE_MS, eventually
from programs import Port

MIB = 1 << 20
#: How much each side may grow over 200 MiB.
FLAT_KIB = 96 * 1024


@pytest.fixture
def admin():
    """The address of the tracker's metrics."""
    port = Port()
    yield port.address
    port.release()


@pytest.fixture
def world(world_of, admin):
    return world_of(tracker_flags=["--admin", admin, "--rate", "0"])


@pytest.fixture
def terminal(visit, world, tmp_path):
    """Makes accounts that are at their terminals."""
    peers = []

    def make(name, **options):
        visit().register(name)
        peers.append(Native(world.url, name, tmp_path / name, **options).start())
        return peers[-1]

    yield make
    for peer in peers:
        peer.stop()


class OnDisk:
    """A browser with a profile on disk, as people have: a context without one keeps even its databases in memory."""

    def __init__(self, chromium, profile):
        self._chromium, self._profile = chromium, profile

    def new_context(self, **options):
        return self._chromium.browser_type.launch_persistent_context(self._profile, **LAUNCH, **options)


@pytest.fixture
def pair(visit, terminal, chromium, tmp_path):
    """Ana at her browser, Tom at his terminal, linked."""
    tom = terminal("tom")
    ana = visit("ana", browser=OnDisk(chromium, tmp_path / "profile"))
    ana.write_to("tom")
    ana.linked()
    assert tom.linked("ana") == "direct"
    return ana, tom


def test_a_thousand_messages_each_way_arrive_once_in_order_and_the_server_sees_none(pair, world, admin, tmp_path):
    ana, tom = pair
    words = [uuid.uuid4().hex for _ in range(2)]
    from_ana, from_tom = ([f"{word} {number}" for number in range(1000)] for word in words)
    counted, capture = content_bytes(admin), Capture(world, tmp_path)
    ana.say_all(from_ana)
    ids = tom.writes_all("ana", from_tom)
    assert tom.delivered(ids, patience=4 * PATIENCE_MS / 1000) == {"direct"}
    expect(ana.page.locator("li.message.mine.direct")).to_have_count(1000, timeout=4 * PATIENCE_MS)
    expect(ana.page.locator("li.message.got-direct")).to_have_count(1000)
    packets = capture.stop()
    assert [packets.count(word) for word in words] == [0, 0]
    assert content_bytes(admin) == counted

    heard = [one for one in tom.events if one["type"] == "direct"]
    assert [one["message"] for one in heard] == from_ana
    assert {one["route"] for one in heard} == {"direct"}
    texts = ana.texts()
    assert len(texts) == 2000
    assert [one for one in texts if one.startswith(words[0])] == from_ana
    assert [one for one in texts if one.startswith(words[1])] == from_tom


def test_two_browsers_are_linked_and_the_server_sees_no_content(visit, world, admin, tmp_path):
    ana, ben = visit("ana"), visit("ben")
    ana.write_to("ben")
    ben.write_to("ana")
    for person in (ana, ben):
        person.linked()
    words = [uuid.uuid4().hex for _ in range(2)]
    counted, capture = content_bytes(admin), Capture(world, tmp_path)
    for person, word in zip((ana, ben), words):
        person.say_all([f"{word} {number}" for number in range(200)])
    for person in (ana, ben):
        expect(person.page.locator("li.message.got-direct")).to_have_count(200, timeout=2 * PATIENCE_MS)
        expect(person.page.locator("li.message.mine.direct")).to_have_count(200, timeout=2 * PATIENCE_MS)
    packets = capture.stop()
    assert [packets.count(word) for word in words] == [0, 0]
    assert content_bytes(admin) == counted


def test_the_capture_would_see_content_that_passes_the_server(visit, world, admin, tmp_path):
    """The control of the two tests above."""
    ana, ben = visit("ana"), visit("ben")
    ben.page.goto("about:blank")
    word = uuid.uuid4().hex
    counted, capture = content_bytes(admin), Capture(world, tmp_path)
    ana.write_to("ben")
    ana.say(word)
    ana.went(word, "queued")
    assert capture.stop().count(word) >= 2
    assert content_bytes(admin) == counted + len(word)


class Memory:
    """How much memory all of Chromium's processes hold on to together: measured without the garbage, which it collects when it likes."""

    def __init__(self, page):
        self._devtools = page.context.new_cdp_session(page)
        self.before = self._now()
        assert self.before > 0

    def _now(self):
        """Proportional set sizes in KiB (proc_pid_smaps(5)) of this process's descendants that are Chromium's."""
        self._devtools.send("HeapProfiler.collectGarbage")
        parents, ours, total = {}, {os.getpid()}, 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(") ", 1)[1].split()[1])
            except OSError:
                pass
        for process in sorted(parents):
            chain = process
            while chain in parents and chain not in ours:
                chain = parents[chain]
            if chain not in ours or process == os.getpid():
                continue
            ours.add(process)
            try:
                if "chromium" in os.readlink(f"/proc/{process}/exe"):
                    total += int(re.search(r"^Pss: +(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)[1])
            except OSError:
                pass
        return total

    def growth_until(self, done):
        """By how many KiB it grows, at its highest, until `done` gives a true value."""
        seen = [self.before]
        eventually(lambda: seen.append(self._now()) or done(), patience=8 * PATIENCE_MS / 1000)
        return max(seen) - self.before


def noise(path, size):
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def choose(person, path):
    with person.page.expect_file_chooser() as chooser:
        person.page.locator("#attach").click()
    chooser.value.set_files(path)


def row(person, name):
    return person.page.locator("li.file", has_text=name)


def test_200_mb_go_from_the_browser_to_the_terminal_with_flat_memory(pair, tmp_path):
    ana, tom = pair
    film = noise(tmp_path / "film.mkv", 200 * MIB)
    before, browser = tom.memory()[0], Memory(ana.page)
    choose(ana, film)
    arrived = row(ana, "film.mkv").and_(ana.page.locator("[data-stage=done]"))
    assert browser.growth_until(lambda: arrived.count()) < FLAT_KIB
    assert digest(tom.home / "downloads" / "film.mkv") == digest(film)
    assert tom.memory()[1] < before + FLAT_KIB


def test_200_mb_go_from_the_terminal_to_the_browser_with_flat_memory(pair, tmp_path):
    ana, tom = pair
    film = noise(tmp_path / "film.mkv", 200 * MIB)
    before, browser = tom.memory()[0], Memory(ana.page)
    file = tom.asks("send_file", to="ana", path=str(film))["file"]
    row(ana, "film.mkv").get_by_role("button", name="Accept film.mkv").click()
    assert browser.growth_until(lambda: tom.has_done(file)) < FLAT_KIB
    assert tom.memory()[1] < before + FLAT_KIB
    expect(row(ana, "film.mkv")).to_have_attribute("data-stage", "done")
    with ana.page.expect_download(timeout=2 * PATIENCE_MS) as download:
        row(ana, "film.mkv").get_by_role("button", name="Save film.mkv").click()
    assert digest(download.value.path()) == digest(film)


def test_a_file_goes_on_where_it_was_when_the_terminal_was_killed(pair, tmp_path):
    ana, tom = pair
    film = noise(tmp_path / "film.mkv", 200 * MIB)
    choose(ana, film)
    tom.until("the middle", lambda events: [one for one in events if one["type"] == "file" and (one.get("done") or 0) > 40 * MIB], patience=60)
    tom.kill()
    tom.start()
    expect(row(ana, "film.mkv")).to_have_attribute("data-stage", "done", timeout=8 * PATIENCE_MS)
    assert int(row(ana, "film.mkv").get_attribute("data-from")) >= 32 * MIB
    assert digest(tom.home / "downloads" / "film.mkv") == digest(film)


def test_a_terminal_that_was_killed_and_comes_back_gets_everything_once(pair):
    ana, tom = pair
    ana.say("before")
    tom.hears("before")
    # What the store is asked after it has noted that the line was printed is answered after it: no line comes twice.
    tom.asks("talk", **{"with": "ana", "limit": 1})
    tom.kill()
    ana.say("meanwhile")
    ana.went("meanwhile", "queued")
    mark = len(tom.events)
    tom.start()
    tom.hears("meanwhile")
    ana.went("meanwhile", "delivered")
    # The page may still take the old link for a living one.
    tom.told("link", mark=mark, peer="ana", way="direct")
    ana.linked()
    ana.say("after")
    tom.hears("after")
    ana.went("after", "direct")
    assert [one["message"] for one in tom.asks("talk", **{"with": "ana", "limit": 100})["messages"]] == ["before", "meanwhile", "after"]
    assert len([one for one in tom.events if one["type"] == "direct"]) == 3


def test_both_show_the_same_safety_number(pair):
    ana, tom = pair
    device = eventually(lambda: tom.asks("devices", of="ana")["devices"])[0]
    digits = "".join(filter(str.isdigit, device["safety_number"]))
    assert len(digits) == 60
    ana.page.locator("#link-state").click()
    shown = ana.page.get_by_role("dialog").inner_text()
    assert digits in "".join(filter(str.isdigit, shown))
