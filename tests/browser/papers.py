"""What a test of files says and sees: papers to send, the rows of a talk, and what can be pressed there."""

import random
import re
import struct
import zlib

from playwright.sync_api import expect

from people import PATIENCE_MS

MIB = 1 << 20

# Holds the reading of every chosen file back after so many MiB, until a test lets it go on: a middle to do things in.
GATE = """
(pieces) => {
  const { slice, arrayBuffer } = Blob.prototype;
  const gate = window.__gate = {};
  const opened = new Promise((resolve) => { gate.open = resolve; });
  Blob.prototype.slice = function (start, ...rest) {
    return Object.assign(slice.call(this, start, ...rest), { start });
  };
  Blob.prototype.arrayBuffer = async function () {
    if (this.start >= pieces * 2 ** 20) await opened;
    return arrayBuffer.call(this);
  };
}
"""

# Remembers the page's links, so that a test can break them.
LINKS = """
window.__links = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    window.__links.push(this);
  }
};
"""

# The system's drag or paste as the page sees it.
CARRY = """
(files) => {
  const carried = new DataTransfer();
  for (const { name, type, text } of files) carried.items.add(new File([text], name, { type, lastModified: 1700000000000 }));
  return carried;
}
"""


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def png(width, height):
    """A picture of one colour."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\0" + bytes((14, 106, 91)) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def paper(name, content, mime="application/octet-stream"):
    return {"name": name, "mimeType": mime, "buffer": content}


def choose(person, *papers, page=None, button="#attach"):
    page = page or person.page
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(list(papers))


def row(person, name, page=None):
    page = page or person.page
    return page.locator("li.file", has=page.locator(".file-name", has_text=re.compile(f"^{re.escape(name)}$")))


def press(person, act, name, page=None):
    row(person, name, page).get_by_role("button", name=f"{act} {name}").click()


def stage(person, name, value, page=None, timeout=PATIENCE_MS):
    expect(row(person, name, page)).to_have_attribute("data-stage", value, timeout=timeout)


def phase(person, name, value, page=None):
    expect(row(person, name, page)).to_have_attribute("data-phase", value)


def saved(person, name):
    """The bytes that the person's browser saves."""
    with person.page.expect_download() as download:
        press(person, "Save", name)
    assert download.value.suggested_filename == name
    return download.value.path().read_bytes()


def moved(person, name):
    return float(row(person, name).locator("progress").evaluate("(bar) => bar.value"))
