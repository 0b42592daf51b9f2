"""What `schemathesis` runs before each call: the caller is an administrator, and what a call needs first has happened.

Input that fits its schema gets what no schema can make up: the code of a sign-in at the provider, what an authenticator signed."""

import functools
import json
import os
import random

import schemathesis
from caller import Caller, device

AUTH = os.environ["AUTH_URL"]
caller = Caller(AUTH, json.loads(os.environ["LOGIN"]), os.environ["ORIGIN"])


def begun_at_the_provider():
    return caller.from_provider(caller.ask("GET", "/auth/oidc/login"))


def newcomer():
    """Somebody who came back from the provider, and whose name there is taken here."""
    caller.come_back(caller.ask("GET", "/auth/oidc/login"))


def another_passkey():
    caller.keep_passkey()
    return caller.passkeys()[-1]


def new_password():
    """One that nobody guesses, and the one so far."""
    return {"current_password": caller.login["password"], "new_password": caller.login["password"]}


def at_random():
    """Right or not."""
    return random.choice([caller.login, {}])


#: For these calls: the cookie that they are about, what gives it, and fields.
ALWAYS = {
    "POST /register": ("session", None, lambda: {"password": caller.login["password"], "invite": None}),
    "POST /login": ("session", None, at_random),
    "POST /auth/reauth": ("session", None, at_random),
    "POST /password": ("session", None, new_password),
    "POST /reset": ("session", None, lambda: {"code": caller.reset_code(), "new_password": caller.login["password"]}),
    "POST /auth/passkeys": ("session", None, lambda: {"credential": caller.made()}),
    "POST /login/passkey/finish": ("passkey", None, lambda: {"credential": caller.shown("/login/passkey")}),
    "POST /login/second/passkey/finish": ("half", None, lambda: {"credential": caller.shown("/login/second/passkey")}),
    "POST /chat/devices": (None, None, lambda: device(caller.login["username"])),
}
#: The same, where a passkey is kept, so that the caller has a second factor.
SECOND = {
    "POST /auth/passkeys/rename": ("session", None, lambda: {"id": another_passkey()}),
    "POST /auth/passkeys/remove": ("session", None, lambda: {"id": another_passkey()}),
    "POST /login/second/passkey": ("half", caller.half_way, None),
    "POST /login/second/passkey/finish": ("half", caller.half_way, lambda: {"credential": caller.shown("/login/second/passkey")}),
    "POST /login/code": ("half", caller.half_way, lambda: {"code": caller.recovery_code()}),
}
PROVIDER = {
    "GET /auth/oidc/callback": ("oidc", None, begun_at_the_provider),
    "POST /auth/oidc/unlink": ("session", None, lambda: {"id": caller.linked()}),
    "POST /login/name": ("newcomer", newcomer, None),
}
PREPARED = {**ALWAYS, **(SECOND if caller.has_passkeys else {}), **(PROVIDER if caller.has_provider else {})}


@functools.cache
def token():
    """Nothing that the tracker is asked ends the session behind it."""
    caller.signed_in()
    return caller.post("/token")["access_token"]


@schemathesis.hook
def before_call(context, case, kwargs):
    cookie, prepare, fields = PREPARED.get(case.operation.label, ("session", None, None))
    if AUTH in case.operation.base_url:
        caller.signed_in()
        if prepare:
            prepare()
    if fields and case.meta.generation.mode.is_positive:
        (case.query if case.operation.method == "get" else case.body).update(fields())
    if AUTH in case.operation.base_url:
        case.headers["Cookie"] = f"{cookie}={caller.cookies.get(cookie, '')}"
    else:
        case.headers["Authorization"] = f"Bearer {token()}"


@schemathesis.hook
def map_body(context, body):
    """JSON Schema calls 1.0 an integer; no client writes one like that."""
    if isinstance(body, dict):
        return {name: map_body(context, value) for name, value in body.items()}
    if isinstance(body, list):
        return [map_body(context, value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body
