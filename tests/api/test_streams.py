"""The two calls that end when the client wants: `/chat/events` and `/chat/ws`. What they refuse, and how a stream begins, by hand, against
what the tracker's document says of them."""

import http.client
import json
import urllib.request

import jsonschema_rs
import pytest

from test_documents import world  # noqa: F401

UPGRADE = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="}


def ask(port, path, headers):
    """The answer. Its headers are ours alone: urllib would say that the connection ends."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def of(world, path):
    """What the document says that a call answers, by status; and the document."""
    document = json.load(urllib.request.urlopen(f"http://{world.tracker.port.address}/chat/openapi.json"))
    return document["paths"][path]["get"]["responses"], document


def has_its_headers(answers, answer):
    """Those that the document says are always there."""
    headers = answers[str(answer.status)].get("headers", {})
    assert [name for name, header in headers.items() if header.get("required") and name not in answer.headers] == []


def fits(document, schema, value):
    jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}).validate(value)


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("/chat/events?peer_id=", {}, 400),
        ("/chat/events?peer_id=a%20b", {}, 400),
        ("/chat/events?peer_id=bob", {"authorization": "Bearer wrong"}, 401),
        ("/chat/events", {}, 400),
        ("/chat/ws?peer_id=bob", {}, 426),
        ("/chat/ws?peer_id=a%20b", UPGRADE, 400),
        ("/chat/ws?peer_id=bob", {**UPGRADE, "authorization": "Bearer wrong"}, 401),
        ("/chat/ws?peer_id=bob", {**UPGRADE, "origin": "http://evil.example"}, 403),
    ],
)
def test_a_refusal_is_one_that_the_document_names(world, path, headers, status):  # noqa: F811
    answers, document = of(world, path.partition("?")[0])
    answer = ask(world.tracker.port.number, path, headers)
    body = answer.read()
    assert (answer.status, answer.headers.get_content_type()) == (status, "application/json"), body
    assert str(status) in answers, sorted(answers)
    has_its_headers(answers, answer)
    # A refusal that stands alone names no shape of its own: it is the one that all have.
    shapes = answers[str(status)].get("content", {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}})
    fits(document, shapes["application/json"]["schema"], json.loads(body))


def test_a_stream_begins_as_the_document_says(world):  # noqa: F811
    base, bob = f"http://{world.tracker.port.address}", {"peer_id": "bob", "ip": "192.0.2.1", "port": 5001}
    submit = urllib.request.Request(base + "/submit-info", json.dumps(bob).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(submit).close()
    answers, _ = of(world, "/chat/events")
    answer = ask(world.tracker.port.number, "/chat/events?peer_id=bob", {})
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/event-stream")
    assert "text/event-stream" in answers["200"]["content"]
    has_its_headers(answers, answer)
    line = next(line for line in iter(answer.readline, b"") if line.startswith(b"data:"))
    assert json.loads(line.removeprefix(b"data:"))["type"] == "hello"
    answer.close()
    answers, _ = of(world, "/chat/ws")
    answer = ask(world.tracker.port.number, "/chat/ws?peer_id=bob", UPGRADE)
    assert answer.status == 101
    has_its_headers(answers, answer)
