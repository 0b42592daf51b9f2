"""A native peer: the program `peer`, told what to do line by line."""

import itertools
import json
import os
import subprocess
import threading
import time
from pathlib import Path

from people import PASSWORD, PATIENCE_MS
from programs import binary


class Native:
    """A device of an account at its terminal. The account is made when the peer is."""

    def __init__(self, url, name, home: Path, flags=(), prefix=()):
        self.name, self.home = name, home
        home.mkdir(parents=True, exist_ok=True)
        self._command = [
            *prefix, str(binary("peer")), "listen", "--json", "--commands", "--accept-files", "--log-format", "text", "--server", url,
            "--user", name, "--data-dir", home / "data", "--downloads", home / "downloads", *flags,
        ]
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "CHAT_PASSWORD": PASSWORD, "LOG_LEVEL": os.environ.get("PEER_LOG", "info")}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self.events = []
        self._process = None

    def start(self):
        with open(self.home / "log", "ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in self._command], cwd=self.home, env=self._env, text=True, bufsize=1,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )
        mark = len(self.events)
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        self.told("online", mark=mark)
        return self

    def _read(self, lines):
        for line in lines:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()

    # --- what it tells ----------------------------------------------------------------------------

    def until(self, what, found, mark=0, patience=PATIENCE_MS / 1000):
        """Waits until `found` gives a true value of the events from `mark` on, and gives it back."""
        deadline = time.monotonic() + patience
        with self._changed:
            while True:
                value = found(self.events[mark:])
                if value:
                    return value
                left = deadline - time.monotonic()
                assert left > 0, f"{self.name}: waited in vain: {what}\n{self.account()}"
                self._changed.wait(left)

    def told(self, kind, mark=0, **fields):
        """The first event of a type with these fields."""
        def found(events):
            return next((one for one in events if one["type"] == kind and fields.items() <= one.items()), None)

        return self.until(f"{kind} {fields}", found, mark)

    def hears(self, text):
        return self.told("direct", message=text)

    def linked(self, with_):
        """Waits for a link with a peer: the way that it goes."""
        def found(events):
            ways = [one["way"] for one in events if one["type"] == "link" and one["peer"] == with_]
            return ways[-1] if ways else None

        return self.until(f"a link with {with_}", found)

    def delivered(self, ids, patience=PATIENCE_MS / 1000):
        """Waits until all of these own messages are delivered: the routes."""
        def found(events):
            last = {one["id"]: one for one in events if one["type"] == "delivery"}
            far = [last.get(id_, {}) for id_ in ids]
            return all(one.get("delivery") == "delivered" for one in far) and {one["route"] for one in far}

        return self.until(f"{len(ids)} deliveries", found, patience=patience)

    def has_done(self, file):
        """Whether a file has arrived."""
        with self._changed:
            return any(one["type"] == "file" and one["file"] == file and one["state"] == "done" for one in self.events)

    def account(self):
        log = (self.home / "log").read_text()[-3000:] if (self.home / "log").exists() else ""
        return "\n".join([*(json.dumps(one) for one in self.events[-30:]), log])

    # --- what it is told --------------------------------------------------------------------------

    def ask(self, what, **details):
        number = next(self._numbers)
        self._process.stdin.write(json.dumps({"ref": number, "do": what, **details}) + "\n")
        self._process.stdin.flush()
        return number

    def answer(self, number):
        reply = self.told("reply", ref=number)
        assert reply["ok"], reply
        return reply

    def asks(self, what, **details):
        return self.answer(self.ask(what, **details))

    def writes(self, to, text):
        return self.asks("send", to=to, message=text)["id"]

    def round_trip(self, to, text):
        """Seconds from writing a message until it is said to have arrived."""
        begun = time.monotonic()
        self.delivered([self.writes(to, text)])
        return time.monotonic() - begun

    def writes_all(self, to, texts):
        return [self.answer(number)["id"] for number in [self.ask("send", to=to, message=text) for text in texts]]

    def memory(self):
        """Resident memory in KiB, now and at its highest."""
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines())
        return tuple(int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                assert self._process.wait(timeout=15) == 0
            except subprocess.TimeoutExpired:
                self.kill()
                raise
