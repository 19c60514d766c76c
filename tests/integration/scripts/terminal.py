# SPDX-License-Identifier: MIT
"""Repeats recorded terminal sessions and tells what differs.

usage: terminal.py [--update] COMMAND TESTS RECORDING...

A recording is the text of a session at a terminal of 80 columns and 24 lines:

    # for the reader
    [serve HOST]    test_integration_HOST runs, with its bundles in the folder
    [tell WORD]     HOST obeys a word
    $ COMMAND       typed; its output follows
    ~ TEXT          a line of the output that was shown in place, until the
                    next replaced or erased it
    [exit CODE]     the end of each command

A [tell] before a command's [exit] happens while it runs, once the ~ lines
above it were seen. Other lines may be shown in place, too: which of them are
is a matter of time. Whatever is not the same in each run, such as numbers of
processes, times, sizes and hashes, may differ. --update writes into each
recording what was seen; "~" alone asks for a line shown in place.
"""

import difflib
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

LINES, COLUMNS = 24, 80
LIMIT_S = 60
# After so long without a byte, what stands on a line is taken to be whole.
QUIET_S = 0.05

VARIABLE = [
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+"), "TIME"),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "HASH"),
    (re.compile(r"\b\d+(\.\d+)+"), "N"),
    (re.compile(r"\b\d+( ?(?:ms|us|s|KiB|bytes)\b)"), r"N\1"),
    (re.compile(r"\b(process|tid|pid|generation) \d+"), r"\1 N"),
    (re.compile(r"\b\d{3,}\b"), "N"),
    (re.compile(r" +"), " "),
]
# What only some machines and builds say of themselves is left out.
MACHINE = re.compile(r"sections cost a fence: ")
ESCAPE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")


def normal(line):
    for pattern, text in VARIABLE:
        line = pattern.sub(text, line)
    return line.rstrip()


class Screen:
    """Makes lines of what a program writes to its terminal."""

    def __init__(self):
        self.lines = []
        self.current = ""
        self.column = 0
        self.in_place = False

    def put(self, text):
        """Escape sequences are never cut: programs write them at once."""
        position = 0
        while position < len(text):
            escape = ESCAPE.match(text, position)
            if escape:
                self.obey(escape[2])
                position = escape.end()
                continue
            self.put_one(text[position])
            position += 1

    def obey(self, letter):
        if letter == "K":
            self.settle()
            self.current = self.current[: self.column]
            self.in_place = True
        elif letter != "m":
            raise ValueError(f"the terminal is told to do {letter}")

    def put_one(self, letter):
        if letter == "\n":
            self.lines.append(self.current)
            self.current, self.column, self.in_place = "", 0, False
        elif letter == "\r":
            self.column = 0
        else:
            self.current = self.current[: self.column] + letter
            self.column += 1

    def settle(self):
        """What stands on the line now has been shown."""
        if self.in_place and self.current:
            if len(self.current) >= COLUMNS:
                raise ValueError(f"wraps: {self.current}")
            shown = "~ " + self.current
            last = self.lines[-1] if self.lines else ""
            if normal(last) != normal(shown):
                self.lines.append(shown)


class Session:
    """A folder with bundles, the server that runs, and the terminal."""

    def __init__(self, command, tests):
        self.tests = pathlib.Path(tests).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hotpatch-"))
        self.host = None
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "hotpatch").symlink_to(pathlib.Path(command).resolve())
        (self.folder / "work").mkdir()
        self.environment = dict(
            os.environ,
            PATH=f"{programs}:{os.environ['PATH']}",
            HOTPATCH_RUNTIME_DIR=str(self.folder / "run"),
            TERM="xterm",
            LC_ALL="C.UTF-8",
        )
        self.environment.pop("NO_COLOR", None)

    def serve(self, host):
        bundles = self.tests / "bundles" / f"integration-{host}"
        for bundle in bundles.glob("*.so"):
            shutil.copy(bundle, self.folder / "work")
        self.host = subprocess.Popen(
            [self.tests / f"test_integration_{host}", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.folder / "work",
            env=self.environment,
            text=True,
        )
        if not self.host.stdout.readline():
            raise ValueError(f"{host} does not start")

    def tell(self, word):
        self.host.stdin.write(word + "\n")
        self.host.stdin.flush()
        if not self.host.stdout.readline():
            raise ValueError(f"the server does not obey: {word}")

    def run(self, line, during):
        """The lines of a command's output, its exit code at the end."""
        screen = Screen()
        child, terminal = pty.fork()
        if not child:
            size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.chdir(self.folder / "work")
            os.execvpe("sh", ["sh", "-c", line], self.environment)
        waiting = list(during)
        end = time.monotonic() + LIMIT_S
        while self.read(terminal, screen):
            if waiting and any(l.startswith("~") for l in screen.lines):
                screen.lines.append(f"[tell {waiting[0]}]")
                self.tell(waiting.pop(0))
            if time.monotonic() > end:
                raise ValueError(f"does not end: {line}")
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if screen.current and not screen.in_place:
            screen.lines.append(screen.current)
        return screen.lines + [f"[exit {code}]"]

    @staticmethod
    def read(terminal, screen):
        if not select.select([terminal], [], [], QUIET_S)[0]:
            screen.settle()
            return True
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how a terminal tells that nobody has it open
            return False
        screen.put(data.decode(errors="replace"))
        return bool(data)

    def close(self):
        if self.host:
            try:
                self.host.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                self.host.kill()
                self.host.communicate()
        shutil.rmtree(self.folder)


def is_place(line):
    return line == "~" or line.startswith("~ ")


def choose(seen, recorded):
    """What was seen, less the lines in place that were not asked for."""
    wanted = [line for line in recorded if is_place(line)]
    chosen = []
    for line in seen:
        if MACHINE.match(line):
            continue
        if not is_place(line):
            chosen.append(line)
        elif wanted and wanted[0] in ("~", line):
            wanted.pop(0)
            chosen.append(line)
        elif wanted and normal(wanted[0]) == normal(line):
            chosen.append(wanted.pop(0))
    return chosen


def commands(lines):
    """Each line that is no output, with the output that follows it."""
    result = []
    inside = False
    for line in lines:
        if inside:
            result[-1][1].append(line)
            inside = not line.startswith("[exit ")
        else:
            result.append((line, []))
            inside = line.startswith("$ ")
    return result


def repeat(session, lines):
    seen = []
    for line, recorded in commands(lines):
        seen.append(line)
        word = line[1:-1].split() if line.startswith("[") else []
        if line.startswith("$ "):
            during = [l[6:-1] for l in recorded if l.startswith("[tell ")]
            seen += choose(session.run(line[2:], during), recorded)
        elif word and word[0] == "serve":
            session.serve(word[1])
        elif word and word[0] == "tell":
            session.tell(word[1])
        elif line and not line.startswith("#"):
            raise ValueError(f"not understood: {line}")
    return seen


def judge(command, tests, path, update):
    lines = path.read_text().splitlines()
    session = Session(command, tests)
    try:
        seen = repeat(session, lines)
    finally:
        session.close()
    if update:
        path.write_text("\n".join(seen) + "\n")
        return True
    difference = list(
        difflib.unified_diff(
            [normal(line) for line in lines],
            [normal(line) for line in seen],
            "recorded",
            "seen",
            lineterm="",
        )
    )
    if difference:
        print(f"{path}:", *difference, "as it was seen:", *seen, sep="\n")
    return not difference


def main(arguments):
    update = arguments[:1] == ["--update"]
    command, tests, *paths = arguments[update:]
    good = True
    for path in paths:
        good = judge(command, tests, pathlib.Path(path), update) and good
    return 0 if good and paths else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
