"""What `schemathesis` runs before each call: the caller is an administrator, who signs in anew when a call ended the session."""

import json
import os
import time
import urllib.error
import urllib.request

import schemathesis

AUTH = os.environ["AUTH_URL"]
LOGIN = json.loads(os.environ["LOGIN"])
cookie = ""


def ask(path, body=None):
    # From another address than the calls that are tried, whose wrong passwords are held back.
    headers = {"content-type": "application/json", "cookie": cookie, "x-forwarded-for": "192.0.2.1"}
    request = urllib.request.Request(AUTH + path, None if body is None else json.dumps(body).encode(), headers)
    return urllib.request.urlopen(request)


def sign_in():
    global cookie
    try:
        with ask("/login", LOGIN) as answer:
            cookie = answer.headers["set-cookie"].split(";")[0]
    except urllib.error.HTTPError as error:
        # The calls that are tried have shown this account many wrong passwords.
        assert error.code == 429, error
        time.sleep(int(error.headers["retry-after"]))
        sign_in()


def signed_in(path, body=None):
    """The answer to a call of someone who is signed in."""
    try:
        answer = ask(path, body)
    except urllib.error.HTTPError as error:
        assert error.code == 401, error
        sign_in()
        answer = ask(path, body)
    with answer:
        return json.load(answer)


@schemathesis.hook
def before_call(context, case, kwargs):
    if AUTH in case.operation.base_url:
        signed_in("/auth/sessions")
        case.headers["Cookie"] = cookie
    else:
        case.headers["Authorization"] = f"Bearer {signed_in('/token', {})['access_token']}"


@schemathesis.hook
def map_body(context, body):
    """JSON Schema calls 1.0 an integer; no client writes one like that."""
    if isinstance(body, dict):
        return {name: map_body(context, value) for name, value in body.items()}
    if isinstance(body, list):
        return [map_body(context, value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body
