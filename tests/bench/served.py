# SPDX-License-Identifier: MIT
"""The example server under load, and the command beside a process at rest.

Two servers of the same sources: one as it is, one with plain functions and
without sections. Each yields samples: table, row, column, value.
"""

import contextlib
import os
import subprocess
import tempfile
import threading
import time

THROUGHPUT = "the example server under full load"
SERVERS = ["plain calls", "entries and sections"]
LATENCY = "requests of the example server, while patches come and go"
PATCHED = ["in another process", "in this one"]
QUANTILES = ["p50", "p99", "p99.9", "longest"]
COMMAND = "the command, by threads of the process"
COMMANDS = ["--version", "status", "apply", "revert"]
RESTING = ["1", "65", "257"]


class Files:
    """Where a build has what is needed here."""

    def __init__(self, build):
        self.examples = os.path.join(build, "examples")
        self.bench = os.path.join(build, "tests", "bench")
        self.command = os.path.join(build, "bin", "hotpatch")
        self.servers = [os.path.join(self.bench, "bench_served_plain"),
                        os.path.join(self.examples, "server")]
        self.load = os.path.join(self.examples, "load")
        self.fix = os.path.join(self.examples, "fix-two.so")

    def are_there(self):
        return all(map(os.path.exists,
                       self.servers + [self.load, self.fix, self.command]))


@contextlib.contextmanager
def process(*arguments, processor=None):
    """A process that is told to end by the end of its input, or a signal."""
    pin = ["taskset", "-c", str(processor)] if processor is not None else []
    child = subprocess.Popen([*pin, *map(str, arguments)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield child
    finally:
        child.stdin.close()
        child.terminate()
        child.wait()
        child.stdout.close()


@contextlib.contextmanager
def serving(program, threads, processor=None):
    """A server; its port and its socket."""
    with tempfile.TemporaryDirectory() as folder:
        with process(program, "--port", 0, "--threads", threads, "--socket",
                     os.path.join(folder, "control", "socket"),
                     processor=processor) as server:
            port = server.stdout.readline().split()[1]
            yield port, server.stdout.readline().split()[1]


def loaded(files, port, seconds, *options, processor=None):
    """Facts of one phase of load: a word and a number each."""
    with process(files.load, "--port", port, *options,
                 processor=processor) as load:
        time.sleep(0.2)
        print("measured", file=load.stdin, flush=True)
        time.sleep(seconds)
        load.stdin.close()
        lines = load.stdout.read().splitlines()
    words = next(line.split() for line in lines
                 if line.startswith("measured"))
    facts = {key: float(value) for key, value in
             (word.split("=") for word in words[1:])}
    if facts["failed"] or facts["mixed"]:
        raise RuntimeError(f"wrong answers: {lines}")
    return facts


def in_turn(things, number):
    """Which is first changes from round to round."""
    return things[::-1] if number % 2 else things


def throughput(files, seconds, number):
    """The two servers in turn, each with a processor of its own."""
    rates = {}
    first, last = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)
    for name, program in in_turn(list(zip(SERVERS, files.servers)), number):
        with serving(program, 1, first) as (port, _):
            facts = loaded(files, port, seconds, "--connections", 16,
                           processor=last)
        rates[name] = facts["rate"]
        yield THROUGHPUT, name, "requests a second", facts["rate"]
    for name in SERVERS:
        yield THROUGHPUT, name, "% of plain calls", \
            100 * rates[name] / rates[SERVERS[0]]


def command(files, socket, *arguments):
    subprocess.run([files.command, "--socket", socket, *arguments],
                   stdout=subprocess.DEVNULL, check=True, close_fds=False)


def patch_until(stop, files, socket):
    while not stop.is_set():
        command(files, socket, "apply", files.fix)
        command(files, socket, "revert", "fix-two")


def latency(files, seconds, number):
    """One server has the load; the patches are its own, or the other's."""
    with serving(files.servers[1], 2) as (port, own), \
            serving(files.servers[1], 2) as (_, other):
        for name, socket in in_turn(list(zip(PATCHED, [other, own])), number):
            stop = threading.Event()
            patching = threading.Thread(target=patch_until,
                                        args=(stop, files, socket))
            patching.start()
            try:
                facts = loaded(files, port, seconds, "--connections", 16,
                               "--rate", 2000)
            finally:
                stop.set()
                patching.join()
            for column, key in zip(QUANTILES, ["p50_us", "p99_us", "p999_us",
                                               "max_us"]):
                yield LATENCY, name, column, facts[key]


def commands(files, times):
    """Whole commands, from their start to their end."""
    host = os.path.join(files.bench, "bench_control")
    bundle = os.path.join(files.bench, "bench_control_bundle.so")
    for threads in RESTING:
        with tempfile.TemporaryDirectory() as folder:
            socket = os.path.join(folder, "control", "socket")
            with process(host, "serve", socket, threads) as child:
                child.stdout.readline()
                for _ in range(times):
                    for name, arguments in zip(COMMANDS, [
                            ["--version"], ["status"], ["apply", bundle],
                            ["revert", "control-version"]]):
                        since = time.perf_counter()
                        command(files, socket, *arguments)
                        yield COMMAND, threads, name, \
                            (time.perf_counter() - since) * 1e3
