"""Who makes the calls that are tried: an administrator, with a browser's cookies and an authenticator (WebAuthn) in software."""

import base64
import functools
import hashlib
import http.client
import itertools
import json
import secrets
import urllib.parse
import urllib.request
from http.cookies import SimpleCookie

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Passkey:
    """One that its authenticator made, and which it shows: a P-256 key, and its owner is always verified."""

    PRESENT_AND_VERIFIED, WITH_KEY = 0b101, 0b100_0000

    def __init__(self, asked, origin):
        """`asked` are the options for `navigator.credentials.create`."""
        self._key, self._id, self._uses = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16), 0
        self._origin, self._host, self._owner = origin, asked["rp"]["id"], asked["user"]["id"]
        point = self._key.public_key().public_numbers()
        # COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        public = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + point.x.to_bytes(32) + b"\x22\x58\x20" + point.y.to_bytes(32)
        data = self._data(self.WITH_KEY) + bytes(16) + len(self._id).to_bytes(2) + self._id + public
        # CBOR: {"fmt": "none", "attStmt": {}, "authData": data}
        attestation = b"\xa3cfmtdnonegattStmt\xa0hauthData\x58" + bytes([len(data)]) + data
        #: What `create` gives.
        self.made = self._credential(asked, "webauthn.create", attestationObject=b64(attestation), transports=["internal"])

    def shown(self, asked):
        """What `navigator.credentials.get` gives."""
        self._uses += 1
        data = self._data(0)
        signed = data + hashlib.sha256(self._client(asked, "webauthn.get")).digest()
        signature = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._credential(asked, "webauthn.get", authenticatorData=b64(data), signature=b64(signature), userHandle=self._owner)

    def _data(self, flags):
        return hashlib.sha256(self._host.encode()).digest() + bytes([flags | self.PRESENT_AND_VERIFIED]) + self._uses.to_bytes(4)

    def _client(self, asked, kind):
        return json.dumps({"type": kind, "challenge": asked["challenge"], "origin": self._origin, "crossOrigin": False}).encode()

    def _credential(self, asked, kind, **response):
        response["clientDataJSON"] = b64(self._client(asked, kind))
        name = b64(self._id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}


def device(peer):
    """A device's key, as `POST /chat/devices` wants it."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    name = hashlib.sha256(public).hexdigest()[:32]
    signature = key.sign(f"hybrid-chat device 1\n{peer.lower()}\n{name}".encode())
    return {"peer_id": peer, "device": name, "public_key": b64(public), "signature": b64(signature)}


class Caller:
    """Asks backend-auth, and signs in anew when a call that was tried ended the session."""

    def __init__(self, auth, login, origin):
        self._place, self.login, self._origin = urllib.parse.urlsplit(auth).netloc, login, origin
        self.cookies = {}
        self._passkey = None
        self._codes = []
        self._addresses = itertools.count(1)
        about = self.get("/auth/info")
        #: Whether these ways to sign in are there.
        self.has_passkeys, self.has_provider = about["passkeys"], "oidc" in about

    # --- asking -----------------------------------------------------------------------------------

    def ask(self, method, path, body=None):
        # Each time from another address, so that what the calls that are tried do wrong is not held against these.
        address = f"198.18.{next(self._addresses) // 256 % 256}.{next(self._addresses) % 256}"
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"content-type": "application/json", "cookie": cookies, "x-forwarded-for": address}
        connection = http.client.HTTPConnection(self._place, timeout=30)
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        for line in answer.headers.get_all("set-cookie", []):
            for name, cookie in SimpleCookie(line).items():
                self.cookies[name] = cookie.value
        return answer.status, answer.read(), answer.headers

    def get(self, path):
        return self._good(*self.ask("GET", path))

    def post(self, path, body=None):
        return self._good(*self.ask("POST", path, body or {}))

    @staticmethod
    def _good(status, body, _):
        assert status == 200, body
        return json.loads(body)

    @functools.cached_property
    def colleague(self):
        """The id of somebody else, who forgets their password."""
        told = self.post("/register", {**self.login, "username": "a-colleague"})
        self.sign_in()
        return told["user_id"]

    def reset_code(self):
        return self.post("/auth/admin/users/reset-link", {"user_id": self.colleague})["code"]

    # --- sessions ---------------------------------------------------------------------------------

    def signed_in(self):
        if self.ask("GET", "/auth/sessions")[0] == 401:
            self.sign_in()
        if self.has_passkeys and self._passkey is None:
            # Before a call that is tried adds one: with the first, a password is no longer enough.
            self._passkey = self.keep_passkey()

    def sign_in(self):
        status, body, _ = self.ask("POST", "/login", self.login)
        if status == 403:
            self.post("/login/second/passkey/finish", {"credential": self.shown("/login/second/passkey")})
        else:
            assert status == 200, body

    def half_way(self):
        """The password was shown, and nothing else."""
        status, body, _ = self.ask("POST", "/login", self.login)
        assert status == 403, body

    # --- ways to sign in --------------------------------------------------------------------------

    def made(self):
        """A new passkey, as `POST /auth/passkeys` wants it."""
        return self._new_passkey().made

    def _new_passkey(self):
        if self.has_passkeys:
            return Passkey(self.post("/auth/passkeys/begin")["options"]["publicKey"], self._origin)
        unasked = {"challenge": b64(bytes(16)), "rp": {"id": "localhost"}, "user": {"id": b64(bytes(16))}}
        return Passkey(unasked, self._origin)

    def keep_passkey(self):
        passkey = self._new_passkey()
        self._codes += self.post("/auth/passkeys", {"name": "mine", "credential": passkey.made})["recovery_codes"]
        return passkey

    def passkeys(self):
        """Ids of those that are kept, besides the one with which the caller signs in."""
        return [passkey["id"] for passkey in self.get("/auth/factors")["passkeys"][1:]]

    def shown(self, begin):
        """A passkey, shown for what was begun by this call."""
        if self.has_passkeys:
                return self._passkey.shown(self.post(begin)["options"]["publicKey"])
        return self._new_passkey().shown({"challenge": b64(bytes(16))})

    def recovery_code(self):
        if not self._codes:
            self._codes = self.post("/auth/recovery-codes")["recovery_codes"]
        return self._codes.pop()

    def from_provider(self, begin):
        """What the provider sends someone back with who says yes there."""
        status, body, headers = begin
        there = headers["location"] if status == 303 else self._good(*begin)["location"]
        with urllib.request.urlopen(there) as page:
            back = page.read().decode().split('href="')[1].split('"')[0].replace("&amp;", "&")
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))

    def come_back(self, begin):
        query = urllib.parse.urlencode(self.from_provider(begin))
        return self.ask("GET", f"/auth/oidc/callback?{query}")

    def linked(self):
        """The id of who the caller is at the provider."""
        told = self.get("/auth/factors")["linked"]
        if not told:
            self.come_back(self.ask("POST", "/auth/oidc/link", {}))
            told = self.get("/auth/factors")["linked"]
        return told[0]["id"]
