"""What the services say of themselves holds: `/chat/openapi.json` and `/auth/openapi.json`, tried call by call with fitting
and unfitting input. No answer is a 5xx, and each is one that the document names, in the shape that it names."""

import json
import os
import secrets
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "browser"))

from people import PASSWORD  # noqa: E402
from programs import World  # noqa: E402
from provider import Provider  # noqa: E402

LOGIN = {"username": "ana", "password": PASSWORD}
#: Inputs of each call beside those at the edges of what its document allows.
TRIES = os.environ.get("API_TRIES", "5")
SEED = os.environ.get("API_SEED", "1")


class Crowd(Provider):
    """Somebody else sits before it each time, and the name of all of them is taken here."""

    subject = property(lambda _: secrets.token_hex(8), lambda *_: None)
    username = property(lambda _: LOGIN["username"], lambda *_: None)


@pytest.fixture
def world():
    world = World(tracker_flags=["--rate", "0", "--signal-rate", "0"])
    yield world
    world.close()


@pytest.fixture
def told_world(tmp_path):
    """Its backend-auth was told where people open the chat, so that there are passkeys, and by which provider they may sign in."""
    provider = Crowd()
    # The one caller of these tests goes half-way, and adds passkeys, more often than anyone does.
    often = ["--second-factor-open", "100000", "--passkeys-per-account", "1000"]
    world = World(named=True, auth_flags=[*provider.flags(tmp_path), *often])
    provider.serves(world.url)
    yield world
    world.close()
    provider.close()


def tried(world, folder, document, *options, config="schemathesis.toml"):
    """Tries the calls of a document."""
    address = {name: f"http://{getattr(world, name).port.address}" for name in ("auth", "tracker")}
    register = urllib.request.Request(address["auth"] + "/register", json.dumps(LOGIN).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(register).close()
    service, path = document
    command = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / config, "run", address[service] + path,
        "--phases", "coverage,fuzzing", "--max-examples", TRIES, "--seed", SEED, "--warnings", "off", *options,
    ]
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "PYTHONPATH": str(HERE), "NO_COLOR": "1",
        "AUTH_URL": address["auth"], "ORIGIN": world.url, "LOGIN": json.dumps(LOGIN),
    }
    ran = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280)
    assert ran.returncode == 0, ran.stdout


AUTH = ("auth", "/auth/openapi.json")


def test_every_call_of_the_tracker_does_what_the_document_says(world, tmp_path):
    # Neither a WebSocket nor a stream without an end is a call to this client: test_streams has them.
    tried(world, tmp_path, ("tracker", "/chat/openapi.json"), "--exclude-path", "/chat/ws", "--exclude-path", "/chat/events")


def test_every_call_of_backend_auth_does_what_the_document_says(world, tmp_path):
    tried(world, tmp_path, AUTH)


def test_so_do_passkeys_and_the_provider_where_there_are_some(told_world, tmp_path):
    ways = "^/(auth/(oidc|passkeys|factors|info)|login/(code|name|passkey|second))"
    tried(told_world, tmp_path, AUTH, "--include-path-regex", ways, config="ways.toml")
