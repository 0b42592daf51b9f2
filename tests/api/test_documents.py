"""What the services say of themselves holds: `/chat/openapi.json` and `/auth/openapi.json`, tried call by call with fitting
and unfitting input. No answer is a 5xx, and each is one that the document names, in the shape that it names."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "browser"))

from people import PASSWORD  # noqa: E402
from programs import World  # noqa: E402

LOGIN = {"username": "ana", "password": PASSWORD}
#: Inputs of each call beside those at the edges of what its document allows.
TRIES = os.environ.get("API_TRIES", "5")


@pytest.fixture
def world():
    world = World(tracker_flags=["--rate", "0", "--signal-rate", "0"])
    yield world
    world.close()


@pytest.mark.parametrize(
    "service, path, unchecked",
    [
        ("tracker", "/chat/openapi.json", []),
        # No schema says which passwords are too common and which codes are wrong; some calls share their address with a page.
        ("auth", "/auth/openapi.json", ["positive_data_acceptance", "unsupported_method"]),
    ],
)
def test_every_call_does_what_the_document_says(world, service, path, unchecked, tmp_path):
    address = {name: f"http://{getattr(world, name).port.address}" for name in ("auth", "tracker")}
    register = urllib.request.Request(address["auth"] + "/register", json.dumps(LOGIN).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(register).close()
    command = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml", "run", address[service] + path,
        "--phases", "coverage,fuzzing", "--max-examples", TRIES, "--seed", "1", "--warnings", "off",
        "--exclude-checks", ",".join(["allow_header_conformance", *unchecked]),
        # Neither a WebSocket nor a stream without an end is a call to this client: test_streams has them.
        "--exclude-path", "/chat/ws", "--exclude-path", "/chat/events",
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "AUTH_URL": address["auth"], "LOGIN": json.dumps(LOGIN), "NO_COLOR": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280)
    assert ran.returncode == 0, ran.stdout
