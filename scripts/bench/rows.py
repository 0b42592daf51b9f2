"""The rows of the table: what is measured, on which setup."""

import subprocess
from dataclasses import dataclass
from typing import Callable

import loads
from upstreams import LARGE


@dataclass
class Row:
    """One measurement on every door."""

    name: str
    #: From the run: what the setup has beside the usual.
    setup: Callable = lambda run: {}
    #: (program, run) to numbers by column.
    measure: Callable = None
    #: Column: what it is called in the table.
    columns: dict = None
    #: Seconds of warm-up, with as many connections.
    warm: int = 0
    rounds: int | None = None
    #: Nothing is forwarded to the usual upstream, but to one that keeps quiet.
    quiet: bool = False


COST = {"cpu_us": "CPU us a request", "rate": "requests a second"}


def plain(connections):
    return Row(
        f"{connections} connections", warm=connections,
        measure=lambda program, run: loads.wrk(program, connections, run.duration),
        columns={**COST, "switches": "context switches a request"})


def half_load(connections):
    def measure(program, run):
        rate = run.results[f"{connections} connections"]["nginx"]["rate"] / 2
        return loads.steady(program, connections, rate, run.duration, run.folder / "steady.log")

    return Row(
        f"{connections} connections, half of nginx's rate", warm=connections, measure=measure,
        columns={"p50_ms": "p50 ms", "p99_ms": "p99 ms"})


def calls(connections):
    return Row(
        f"system calls, {connections} connections", warm=connections, rounds=1,
        measure=lambda program, run: loads.syscalls(program, connections, 2), columns={"calls": "system calls a request"})


def idle(kind, name):
    return Row(
        f"idle {name}", rounds=1, quiet=True,
        measure=lambda program, run: loads.idle(program, run.idle, kind), columns={"kib": "KiB each"})


def large(direction):
    def measure(program, run):
        if direction == "download":
            return loads.download(program)
        file = run.folder / "sent"
        if not file.exists():
            file.write_bytes(bytes(LARGE))
        return loads.upload(program, file)

    return Row(f"{direction} of 100 MB", measure=measure, columns={"rate": "MB/s", "cpu_ms": "CPU ms a MB"})


def secure(name, measure):
    return Row(name, setup=lambda run: {"tls": certificate(run.folder)}, measure=measure, columns=COST)


def handshakes(program, run):
    return loads.wrk(program, 32, run.duration, scheme="https", headers=["Connection: close"])


def certificate(folder):
    """A self-signed one of the kind that most sites have now: ECDSA P-256."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    if not cert.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
            check=True, capture_output=True)
        cert.chmod(0o644)
        key.chmod(0o644)
    return cert, key


def many(what, count):
    def setup(run):
        if what == "hosts":
            return {"hosts": [f"site-{number}.test" for number in range(count)]}
        return {"paths": [f"/app-{number}" for number in range(count)]}

    def measure(program, run):
        if what == "hosts":
            return loads.wrk(program, 64, run.duration, host=f"site-{count - 1}.test")
        return loads.wrk(program, 64, run.duration, path=f"/app-{count - 1}/hello")

    return Row(f"{count:,} {what}", setup=setup, measure=measure, columns=COST)


ROWS = {
    "plain": [plain(64), plain(512)],
    "half": [half_load(64), half_load(512)],
    "calls": [calls(64), calls(512)],
    "idle": [idle("ws", "WebSockets"), idle("sse", "event streams"), idle("keep-alive", "keep-alive connections")],
    "large": [large("download"), large("upload")],
    "tls": [
        secure("TLS handshakes, 32 connections", handshakes),
        secure("TLS requests, 64 connections", lambda program, run: loads.wrk(program, 64, run.duration, scheme="https")),
        secure("HTTP/2, 8 connections with 100 streams", lambda program, run: loads.streams(program, 8, 100, 40_000 * run.duration // 4)),
    ],
    "auth": [
        Row("forward-auth for each request, 64 connections", setup=lambda run: {"auth": run.upstream.port},
            measure=lambda program, run: loads.wrk(program, 64, run.duration, headers=[loads.COOKIE]), columns=COST),
    ],
    "routes": [many("hosts", 1), many("hosts", 1000), many("routes", 10), many("routes", 10_000)],
}
