"""What the tests in the browser are given: the running programs, and people."""

import pytest
from playwright.sync_api import sync_playwright

from people import LAUNCH, WHOLE_CHROMIUM, Person
from programs import World


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright):
    browser = playwright.chromium.launch(**LAUNCH)
    yield browser
    browser.close()


@pytest.fixture
def walled(playwright):
    """A browser that sends no UDP, as behind a strict firewall. Only the whole Chromium has that policy."""
    flags = [*LAUNCH["args"], "--webrtc-ip-handling-policy=disable_non_proxied_udp"]
    browser = playwright.chromium.launch(**{**LAUNCH, "executable_path": WHOLE_CHROMIUM, "args": flags})
    yield browser
    browser.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture
def world_of(request):
    """Makes worlds with flags of their own; all end with the test."""
    worlds = []

    def make(**flags):
        world = World(**flags)
        worlds.append(world)
        return world

    yield make
    failed = getattr(request.node, "report_call", None) is None or request.node.report_call.failed
    for world in worlds:
        if failed:
            print(world.logs())
        world.close()


@pytest.fixture
def world(world_of):
    """Fresh programs with empty data."""
    return world_of()


@pytest.fixture
def visit(request, chromium, world):
    """Makes people: `visit()` is a stranger, `visit("alice")` has an account and is in the chat.

    `again=True` is the same person at another device; `browser` is one of one's own, `host` another name of the server.
    """
    people = []

    def make(name=None, enter=True, again=False, browser=None, host="localhost", **context):
        person = Person(browser or chromium, world.url.replace("localhost", host), **context)
        people.append(person)
        if name:
            if again:
                person.login(name)
            else:
                person.register(name)
            if enter:
                person.enter()
        return person

    yield make
    passed = getattr(request.node, "report_call", None) is not None and request.node.report_call.passed
    try:
        if passed:
            for person in people:
                person.check()
    finally:
        for person in people:
            person.close()
