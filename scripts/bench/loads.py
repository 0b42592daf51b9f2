"""Load on a front door, and what came of it."""

import asyncio
import re
import statistics
import subprocess
import sys
import time
from collections import Counter

from upstreams import LARGE

#: A credential, for doors that ask.
COOKIE = "Cookie: session=0123456789abcdef0123456789abcdef"


def wrk(program, connections, duration, path="/hello", host=None, scheme="http", headers=()):
    """One round of wrk: requests and CPU seconds."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{duration}s", f"{scheme}://127.0.0.1:{program.port}{path}"]
    for header in [*headers, *([f"Host: {host}"] if host else [])]:
        command += ["-H", header]
    before, switched, begun = program.cpu_seconds(), program.switches(), time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    took = time.monotonic() - begun
    count = int(re.search(r"(\d+) requests in", run.stdout)[1])
    bad = re.search(r"(Non-2xx.*|Socket errors.*)", run.stdout)
    if bad or not count:
        sys.exit(f"{program.name} failed under load:\n{run.stdout}")
    return {
        "rate": count / took,
        "cpu_us": (program.cpu_seconds() - before) / count * 1e6,
        "switches": (program.switches() - switched) / count,
    }


def steady(program, connections, rate, duration, log):
    """Requests at a fixed rate: latencies in milliseconds at 50 and 99 of 100."""
    each = max(1, round(rate / connections))
    subprocess.run(
        ["h2load", "--h1", "-t", "1", "-c", str(connections), "-D", str(duration), "--rps", str(each), f"--log-file={log}",
         f"http://127.0.0.1:{program.port}/hello"],
        capture_output=True, check=True)
    taken = []
    with open(log) as lines:
        for line in lines:
            _, status, micros = line.split()
            if status == "200":
                taken.append(int(micros) / 1e3)
    log.unlink()
    if len(taken) < 100:
        sys.exit(f"{program.name}: hardly anything was answered at {rate} requests a second")
    taken.sort()
    return {"p50_ms": taken[len(taken) // 2], "p99_ms": taken[len(taken) * 99 // 100]}


def streams(program, connections, concurrent, count):
    """HTTP/2 requests over TLS, many at once on each connection."""
    before = program.cpu_seconds()
    run = subprocess.run(
        ["h2load", "-t", "1", "-c", str(connections), "-m", str(concurrent), "-n", str(count), f"https://127.0.0.1:{program.port}/hello"],
        capture_output=True, text=True, check=True)
    done = re.search(r"(\d+) succeeded, (\d+) failed", run.stdout)
    if int(done[1]) != count or "Application protocol: h2\n" not in run.stdout:
        sys.exit(f"{program.name} failed under load:\n{run.stdout}")
    rate = float(re.search(r", ([\d.]+) req/s", run.stdout)[1])
    return {"rate": rate, "cpu_us": (program.cpu_seconds() - before) / count * 1e6}


def download(program):
    """One large answer: MB/s, and CPU milliseconds of the door for each MB."""
    return _transfer(program, ["-o", "/dev/null"], "speed_download", "/large")


def upload(program, file):
    """One large request."""
    return _transfer(program, ["-T", str(file), "-o", "/dev/null"], "speed_upload", "/large-taken")


def _transfer(program, options, speed, path):
    before = program.cpu_seconds()
    run = subprocess.run(
        ["curl", "-sS", "-f", "--noproxy", "*", "-w", f"%{{{speed}}}", *options, f"http://127.0.0.1:{program.port}{path}"],
        capture_output=True, text=True, check=True, timeout=120)
    return {"rate": float(run.stdout) / 1e6, "cpu_ms": (program.cpu_seconds() - before) / (LARGE / 1e6) * 1e3}


def syscalls(program, connections, duration):
    """System calls for each request, counted by strace while wrk runs; and which ones, most frequent first."""
    pids = [str(pid) for pid in program.pids()]
    watch = subprocess.Popen(
        ["strace", "-f", "-c", "-S", "calls", *(word for pid in pids for word in ("-p", pid))], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    time.sleep(0.5)
    run = subprocess.run(
        ["wrk", "-t2", f"-c{connections}", f"-d{duration}s", f"http://127.0.0.1:{program.port}/hello"], capture_output=True, text=True, check=True)
    watch.send_signal(2)
    _, text = watch.communicate(timeout=20)
    count = int(re.search(r"(\d+) requests in", run.stdout)[1])
    calls = Counter()
    for line in text.splitlines():
        row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_0-9]+)$", line)
        if row and row[2] != "total":
            calls[row[2]] += int(row[1])
    return {"calls": sum(calls.values()) / count, "which": [(name, number / count) for name, number in calls.most_common(6)]}


ASKS = {
    "ws": "GET /ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "sse": "GET /events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n",
    "keep-alive": "GET /hello HTTP/1.1\r\nHost: bench\r\n\r\n",
}


def idle(program, count, kind):
    """Memory of the door for each of many connections on which nothing happens, in KiB."""
    async def measure():
        await open_streams(program.port, 20, kind)
        before = program.memory_kib()
        # Kept in a variable: the streams end when their writers are collected.
        streams = await open_streams(program.port, count, kind)
        # What has been idle for some seconds.
        await asyncio.sleep(6)
        after = program.memory_kib()
        for _, writer in streams:
            writer.transport.abort()
        return (after - before) / count

    return {"kib": asyncio.run(measure())}


async def open_streams(port, count, kind):
    """Opens connections and waits for the first word on each: their readers and writers."""
    gate = asyncio.Semaphore(64)

    async def one():
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=8192)
            writer.write(ASKS[kind].encode())
            await asyncio.wait_for(reader.readuntil(b"hello"), 30)
            return reader, writer

    return await asyncio.gather(*(one() for _ in range(count)))


async def echoes(streams):
    """How many of these WebSockets bring back what is sent on them."""
    gate = asyncio.Semaphore(64)

    async def one(number, reader, writer):
        async with gate:
            word = f"{number:08}".encode()
            # A text message, masked with zeros.
            frame = b"\x81\x88\0\0\0\0" + word
            try:
                writer.write(frame)
                return await asyncio.wait_for(reader.readexactly(len(frame)), 30) == frame
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
                return False

    return sum(await asyncio.gather(*(one(number, *stream) for number, stream in enumerate(streams))))


def medians(rounds):
    """Of each number of several rounds."""
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
