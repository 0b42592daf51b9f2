"""A small provider of OpenID Connect: discovery, a page with somebody who is signed in there, the exchange of codes (client authentication, PKCE,
each code once), a key (EdDSA)."""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CLIENT = "hybrid-chat"
SECRET = "our client's: secret"

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Staff</title><h1>Staff</h1>
<p>{who} wants to sign in{again}.</p><p><a href="{yes}">Go on</a> <a href="{no}">Cancel</a></p></html>"""


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Provider:
    """`subject` and `username` say who sits before it; `visits` are the queries of its page."""

    def __init__(self):
        self.subject, self.username = "1", "ada"
        self.redirect_uri = None
        self.visits = []
        self._codes = {}
        self._key = Ed25519PrivateKey.generate()
        provider = self

        class Desk(BaseHTTPRequestHandler):
            def do_GET(self):
                provider._get(self)

            def do_POST(self):
                provider._post(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def flags(self, folder, name="Staff"):
        """By which backend-auth knows it; its secret is kept in the folder."""
        secret = folder / "secret"
        secret.write_text(SECRET + "\n")
        return ["--oidc-issuer", self.issuer, "--oidc-client-id", CLIENT, "--oidc-client-secret-file", secret, "--oidc-name", name]

    def serves(self, url):
        """Knows the chat at this address, and no other."""
        self.redirect_uri = f"{url}/auth/oidc/callback"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    # --- what it answers --------------------------------------------------------------------------

    def _get(self, desk):
        address = urllib.parse.urlsplit(desk.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        if address.path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            told = {name: self.issuer + path for name, path in places.items()}
            self._answer(desk, 200, {"issuer": self.issuer, "authorization_response_iss_parameter_supported": True, **told})
        elif address.path == "/keys":
            public = self._key.public_key().public_bytes_raw()
            self._answer(desk, 200, {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "1", "x": b64(public)}]})
        elif address.path == "/authorize":
            self._page(desk, query)
        else:
            self._answer(desk, 404, {})

    def _page(self, desk, query):
        wanted = {"client_id": CLIENT, "redirect_uri": self.redirect_uri, "response_type": "code", "code_challenge_method": "S256"}
        wrong = [name for name, value in wanted.items() if query.get(name) != value]
        if wrong or "openid" not in query["scope"].split(" "):
            return self._answer(desk, 400, {"wrong": wrong})
        self.visits.append(query)
        code = secrets.token_urlsafe(24)
        self._codes[code] = query
        back = lambda **answer: html.escape(f"{self.redirect_uri}?" + urllib.parse.urlencode({"state": query["state"], "iss": self.issuer, **answer}))  # noqa: E731
        again = " again" if query.get("prompt") == "login" else ""
        page = PAGE.format(who=html.escape(self.username), again=again, yes=back(code=code), no=back(error="access_denied"))
        self._answer(desk, 200, page)

    def _post(self, desk):
        form = dict(urllib.parse.parse_qsl(desk.rfile.read(int(desk.headers["content-length"])).decode()))
        pair = base64.b64decode(desk.headers["authorization"].removeprefix("Basic ")).decode().split(":")
        if [urllib.parse.unquote_plus(part) for part in pair] != [CLIENT, SECRET]:
            return self._answer(desk, 401, {"error": "invalid_client"})
        asked = self._codes.pop(form.get("code"), None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or form.get("redirect_uri") != asked["redirect_uri"]:
            return self._answer(desk, 400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": self.subject, "aud": CLIENT, "iat": now, "exp": now + 300, "auth_time": now,
            "nonce": asked["nonce"], "preferred_username": self.username,
        }
        parts = [b64(json.dumps(part).encode()) for part in ({"alg": "EdDSA", "kid": "1"}, claims)]
        signature = self._key.sign(".".join(parts).encode())
        return self._answer(desk, 200, {"token_type": "Bearer", "access_token": secrets.token_urlsafe(), "id_token": ".".join([*parts, b64(signature)])})

    def _answer(self, desk, status, body):
        page = isinstance(body, str)
        data = body.encode() if page else json.dumps(body).encode()
        desk.send_response(status)
        desk.send_header("content-type", "text/html; charset=utf-8" if page else "application/json")
        desk.send_header("content-length", str(len(data)))
        desk.end_headers()
        desk.wfile.write(data)
