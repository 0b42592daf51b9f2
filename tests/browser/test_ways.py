"""Which way messages go, and that the page says so."""

import socket
import subprocess
import time

import pytest
from playwright.sync_api import expect


from test_links import talk

SECRET = "a secret of the test"


def test_without_udp_messages_go_by_mailbox_and_say_so(visit, walled):
    ana, ben = visit("ana", browser=walled), visit("ben")
    ana.write_to("ben")
    ana.linked("none")
    ana.say("over the wall")
    ben.open("ana")
    ben.went("over the wall", "got-mailbox")
    ana.went("over the wall", "delivered")
    ben.linked("none")
    ben.say("and back")
    ana.went("and back", "got-mailbox")
    ben.went("and back", "delivered")
    for person in (ana, ben):
        expect(person.page.locator("#link-state")).to_contain_text("mailbox")


def test_a_browser_without_links_talks_by_mailbox(visit):
    ana, ben = visit("ana", links=False), visit("ben")
    ana.write_to("ben")
    ana.linked("off")
    ana.say("the old way")
    ana.went("the old way", "delivered")
    ben.open("ana")
    ben.went("the old way", "got-mailbox")
    ben.linked("none")


@pytest.fixture
def turn(tmp_path):
    """coturn on this machine; gives its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: it tells the address that others reach this machine by.
        probe.connect(("192.0.2.1", 9))
        ip = probe.getsockname()[0]
        probe2 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe2.bind((ip, 0))
        port = probe2.getsockname()[1]
        probe2.close()
    log = tmp_path / "turn.log"
    with open(log, "wb") as out:
        server = subprocess.Popen(
            ["turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", "--simple-log", "--verbose", "--realm=test", "--use-auth-secret",
             f"--static-auth-secret={SECRET}", f"--listening-ip={ip}", f"--relay-ip={ip}", f"--listening-port={port}",
             "--pidfile=turn.pid", "--userdb=turn.db"],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )
    deadline = time.monotonic() + 20
    while b"listener opened on" not in log.read_bytes():
        assert server.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    yield f"turn:{ip}:{port}?transport=udp"
    server.terminate()
    server.wait()


@pytest.fixture
def world(world_of, request):
    """With a TURN server where the test asks for one."""
    if "turn" not in request.fixturenames:
        return world_of()
    return world_of(tracker_flags=["--turn-url", request.getfixturevalue("turn"), "--turn-secret", SECRET])


# As in a network where two browsers reach the relay and not each other.
RELAY_ONLY = """
const Plain = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Plain {
  constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }); }
};
"""


def test_where_only_a_relay_helps_messages_are_marked_as_relayed(visit, turn):
    ana, ben = visit("ana", enter=False), visit("ben", enter=False)
    for person in (ana, ben):
        person.context.add_init_script(RELAY_ONLY)
        person.enter()
    ana.write_to("ben")
    ben.write_to("ana")
    for person in (ana, ben):
        person.linked("relayed")
    ana.say("by the relay")
    ben.went("by the relay", "got-relayed")
    ana.went("by the relay", "relayed")
    assert ben.call("GET", "/chat/mailbox")["messages"] == []
