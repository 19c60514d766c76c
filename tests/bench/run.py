#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks of a build in rounds, and makes tables of their samples.

What a table is to have is written down in TABLES: a run that lacks a row or a
column of it fails. What needs something that is not here is left out, with a
line that says so. See run.sh.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import plot
import served

LOOPS = ["empty", "direct", "PLT", "pointer", "entry", "HOTPATCH_CALL"]
PHASES = ["before", "before, in a section", "during", "during, old view",
          "during, new view", "after", "after, in a section"]
OWN = ["hotpatch, enter and leave", "hotpatch, safe point"]
FENCED = [name + ", fenced" for name in OWN]
PLAIN = ["no section", "shared counter", "pthread rwlock"]
PEERS = ["urcu-qsbr", "urcu-memb", "urcu-mb", "urcu-bp", "ck_epoch"]
SHADOW = ["member", "plain hash table", "shadow"]
OBJECTS = ["16", "1024", "65536"]
STEPS = ["open", "apply", "commit", "all moved", "revert", "unmapped"]
FUNCTIONS = ["1", "10", "100", "1000", "10000", "100000"]
THREADS = ["1", "4", "16", "64", "256", "1024"]
MEGABYTES = ["10", "100", "1000", "4000"]
ACTIVE = ["0", "1", "4", "16"]
CYCLES = ["1000", "10000"]
GAPS = ["without patches", "with patches"]
REDIRECTS = ["alone", "10 at once", "100 at once", "1000 at once",
             "1000 at once, again"]
ROUNDTRIPS = ["an echo of another thread", "ping", "status",
              "status, with the connection"]
TAKERS = ["patchable function", "task", "active patch of one function"]
# The rows of such tables that --quick has time for.
QUICK = {
    "a patch, by functions": FUNCTIONS[:4],
    "a patch, by threads": THREADS[:2],
    "a patch, by megabytes of memory": MEGABYTES[:1],
    "a patch, by active patches": ACTIVE[:2],
}


class Table:
    """Samples by row and column, of which some rows may be missing."""

    def __init__(self, name, unit, rows, columns, optional=()):
        self.name = name
        self.unit = unit
        self.rows = rows
        self.columns = columns
        self.optional = optional
        self.samples = {}

    def add(self, row, column, value):
        if row not in self.rows:
            raise KeyError(f"{self.name} has no row {row}")
        if column not in self.columns:
            raise KeyError(f"{self.name} has no column {column}")
        self.samples.setdefault((row, column), []).append(value)

    def lacking(self):
        """Cells that ought to be there."""
        return [(row, column) for row in self.rows for column in self.columns
                if (row, column) not in self.samples and
                not (row in self.optional and
                     not any(known == row for known, _ in self.samples))]

    def summary(self):
        rows = []
        for row in self.rows:
            cells = {column: figures(self.samples[row, column])
                     for column in self.columns
                     if (row, column) in self.samples}
            if cells:
                rows.append({"name": row, "cells": cells})
        return {"name": self.name, "unit": self.unit,
                "columns": self.columns, "rows": rows}


def figures(samples):
    """The median, the middle half around it, and the extremes."""
    ordered = sorted(samples)
    quarters = (statistics.quantiles(ordered, n=4, method="inclusive")
                if len(ordered) > 1 else [ordered[0]] * 3)
    return {"median": quarters[1], "low": quarters[0], "high": quarters[2],
            "least": ordered[0], "most": ordered[-1],
            "samples": len(ordered)}


def thread_counts():
    most = os.cpu_count() or 1
    counts = [str(2 ** i) for i in range(most.bit_length()) if 2 ** i < most]
    return counts + [str(most)]


def tables():
    return [
        Table("calls in the program", "ns", LOOPS, PHASES),
        Table("calls in a shared library", "ns", LOOPS, PHASES),
        Table("calls in the program, by threads", "ns", LOOPS,
              thread_counts()),
        Table("a call in a section", "ns", OWN + FENCED + PLAIN + PEERS,
              thread_counts(), PEERS + FENCED),
        Table("instructions of a call", "instructions",
              [name for name in LOOPS if name != "empty"],
              ["program", "library"], LOOPS),
        Table("instructions of a call in a section", "instructions",
              OWN + PLAIN + PEERS, ["program"], OWN + PLAIN + PEERS),
        Table("a lookup of an object's datum", "ns", SHADOW, OBJECTS),
        Table("a patch, by functions", "us", FUNCTIONS, STEPS),
        Table("a patch, by threads", "us", THREADS,
              [f"{kind}, {step}" for kind in ("asleep", "busy")
               for step in STEPS]),
        Table("a patch, by megabytes of memory", "us", MEGABYTES, STEPS,
              MEGABYTES),
        Table("a patch, by active patches", "us", ACTIVE, STEPS),
        Table("growth by cycles of one patch", "kB", ["heap", "resident"],
              CYCLES),
        Table("pauses of a thread that spins", "us", GAPS,
              ["longest", "99.99 % are shorter"], GAPS),
        Table("redirecting a function", "us", REDIRECTS,
              ["redirect", "release"], REDIRECTS),
        Table("memory for each", "bytes", TAKERS, ["heap", "mapped"], TAKERS),
        Table("a round trip to the control socket", "us", ROUNDTRIPS,
              ["round trip"], ROUNDTRIPS),
        Table(served.COMMAND, "ms", served.RESTING, served.COMMANDS,
              served.RESTING),
        Table(served.THROUGHPUT, "", served.SERVERS,
              ["requests a second", "% of plain calls"], served.SERVERS),
        Table(served.LATENCY, "us", served.PATCHED, served.QUANTILES,
              served.PATCHED),
    ]


class Runner:
    """The programs of one build, and where their samples go."""

    def __init__(self, build, quick):
        self.build = build
        self.folder = os.path.join(build, "tests", "bench")
        self.quick = quick
        self.tables = {table.name: table for table in tables()}
        self.missing = []

    def run(self, program, *arguments):
        done = subprocess.run([os.path.join(self.folder, program),
                               *map(str, arguments)],
                              stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def leave_out(self, line):
        if line not in self.missing:
            self.missing.append(line)

    def take(self, text):
        for line in text.splitlines():
            sample = json.loads(line)
            self.tables[sample["table"]].add(sample["row"], sample["column"],
                                             sample["value"])

    def round(self, number):
        count = 1000 if self.quick else 1000000
        self.take(self.run("bench_calls", count, os.path.join(
            self.folder, "bench_calls_bundle.so")))
        for threads in thread_counts():
            self.take(self.run("bench_calls", "threads", count, threads))
        self.take(self.run("bench_sections", count))
        try:
            self.take(self.run("bench_sections", count, "fenced"))
        except subprocess.CalledProcessError:
            self.leave_out("sections without membarrier: no seccomp filter")
        # Before hundreds of busy threads, which the scheduler remembers.
        self.tests()
        self.serve(number)
        self.apply()
        for objects in [] if self.quick else OBJECTS:
            words = self.run("bench_shadow", "times", objects).split()
            for row, value in zip(SHADOW, words[1:]):
                self.tables["a lookup of an object's datum"].add(
                    row, objects, float(value))

    def chosen(self, table):
        return QUICK[table] if self.quick else self.tables[table].rows

    def apply(self):
        program = "bench_apply" if self.quick else "bench_apply_many"
        one = os.path.join(self.folder, program + "_1.so")
        for count in self.chosen("a patch, by functions"):
            self.take(self.run(program, "functions", count, os.path.join(
                self.folder, f"{program}_{count}.so")))
        for count in self.chosen("a patch, by threads"):
            for kind in ("asleep", "busy"):
                self.take(self.run(program, "threads", kind, count, one))
        for megabytes in self.chosen("a patch, by megabytes of memory"):
            if int(megabytes) * 1024 > available_kilobytes() / 2:
                self.leave_out(f"{megabytes} MB: not half of what is free")
            else:
                self.take(self.run(program, "memory", megabytes, one))

        one = os.path.join(self.folder, "bench_apply_1.so")
        for count in self.chosen("a patch, by active patches"):
            self.take(self.run("bench_apply", "active", one,
                               *self.others()[:int(count)]))

    def grow(self):
        one = os.path.join(self.folder, "bench_apply_1.so")
        for count in [] if self.quick else CYCLES:
            self.take(self.run("bench_apply", "cycles", count, one))
        if not self.quick:
            self.take(self.run("bench_apply_many", "taken"))
            self.take(self.run("bench_apply", "taken", *self.others()))

    def others(self):
        return [os.path.join(self.folder, f"bench_apply_other_{i + 1}.so")
                for i in range(16)]

    def tests(self):
        """Programs that are tests by themselves, and tell times."""
        if self.quick:
            return
        gap = os.path.join("..", "test_stress_gap")
        if os.path.exists(os.path.join(self.folder, gap)):
            for found in re.finditer(
                    r"^(with\S* patches) .*? ([\d.]+) us \(.*p99.99 +([\d.]+)",
                    self.run(gap, 1, 3), re.MULTILINE):
                self.take_row("pauses of a thread that spins", *found.groups())
        if os.path.exists(os.path.join(self.folder, "bench_redirect")):
            for row, found in zip(REDIRECTS, re.finditer(
                    r"^(?:alone|\d+ at once.*?) +([\d.]+) +([\d.]+)$",
                    self.run("bench_redirect", "libcrypto.so.3"),
                    re.MULTILINE)):
                self.take_row("redirecting a function", row, *found.groups())

    def serve(self, number):
        """The command, and the example server, where they were built."""
        if self.quick:
            return
        files = served.Files(self.build)
        if os.path.exists(os.path.join(self.folder, "bench_control")):
            self.take(self.run("bench_control", "rounds"))
            self.take_all(served.commands(files, 20))
        if not files.are_there():
            self.leave_out("the example server was not built")
            return
        self.take_all(served.throughput(files, 2, number))
        self.take_all(served.latency(files, 4, number))

    def take_all(self, samples):
        for table, row, column, value in samples:
            self.tables[table].add(row, column, value)

    def take_row(self, name, row, *values):
        for column, value in zip(self.tables[name].columns, values):
            self.tables[name].add(row, column, float(value))

    def count_instructions(self):
        if self.quick:
            return
        if not shutil.which("valgrind"):
            self.leave_out("instructions: valgrind is missing")
            return
        table = self.tables["instructions of a call"]
        for place in table.columns:
            empty = self.instructions("bench_calls", place, "empty")
            for loop in table.rows:
                table.add(loop, place, self.instructions(
                    "bench_calls", place, loop) - empty)
        empty = self.instructions("bench_calls", "program", "empty")
        table = self.tables["instructions of a call in a section"]
        sections = self.tables["a call in a section"]
        for row in table.rows:
            if any(known == row for known, _ in sections.samples):
                table.add(row, "program", self.instructions(
                    "bench_sections", row) - empty)

    def instructions(self, program, *arguments):
        """Of one round: two runs that differ only in how many there are."""
        return round((self.total(program, *arguments, 20000) -
                      self.total(program, *arguments, 10000)) / 10000)

    def total(self, program, *arguments):
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run(["valgrind", "--tool=callgrind",
                            "--callgrind-out-file=" + out.name,
                            os.path.join(self.folder, program),
                            *map(str, arguments)],
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=True)
            with open(out.name, encoding="utf-8") as report:
                return int(re.search(r"^summary: (\d+)", report.read(),
                                     re.MULTILINE).group(1))

    def lacking(self):
        """What ought to be there and is not; rows of peers are told of."""
        lines = []
        for table in self.tables.values():
            # What --quick has no time for is judged by tests of its own.
            if self.quick and not table.samples:
                continue
            lines += [f"{table.name}: no {row}, {column}"
                      for row, column in table.lacking()
                      if not self.quick or row in QUICK.get(table.name, [row])]
            for row in table.optional:
                if self.quick and table.name != "a call in a section":
                    continue
                if not any(known == row for known, _ in table.samples):
                    self.leave_out(f"{table.name}: {row} is not here")
        return lines


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True,
                              check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""


def field(path, name):
    """The value of the first line of a file of /proc that has this name."""
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return ""


def available_kilobytes():
    return int(field("/proc/meminfo", "MemAvailable").split()[0])


def machine(build):
    compiler = ""
    with open(os.path.join(build, "CMakeCache.txt"),
              encoding="utf-8") as cache:
        for line in cache:
            if line.startswith("CMAKE_C_COMPILER:"):
                compiler = line.partition("=")[2].strip()
    return {
        "processor": field("/proc/cpuinfo", "model name") or
        platform.machine(),
        "processors": os.cpu_count(),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "compiler": first_line(compiler, "--version") if compiler else "",
        "load": os.getloadavg()[0],
    }


def number(value):
    """Three digits, and no fraction from a hundred on."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cell_text(cell):
    if cell["samples"] == 1:
        return number(cell["median"])
    return (f"{number(cell['median'])} "
            f"[{number(cell['low'])}-{number(cell['high'])}]")


def print_table(table):
    head = [table["unit"]] + table["columns"]
    body = [[row["name"]] + [
        cell_text(row["cells"][column]) if column in row["cells"] else "-"
        for column in table["columns"]] for row in table["rows"]]
    widths = [max(len(line[i]) for line in [head] + body)
              for i in range(len(head))]
    print(f"\n{table['name']}\n")
    for line in [head] + body:
        print("  ".join([line[0].ljust(widths[0])] +
                        [word.rjust(width) for word, width
                         in zip(line[1:], widths[1:])]))


def file_name(table):
    return re.sub(r"[^a-z]+", "-", table["name"].lower()).strip("-") + ".svg"


def write(results, folder):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "results.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)
        out.write("\n")
    with open(path, encoding="utf-8") as again:
        json.load(again)
    for table in results["tables"]:
        picture = plot.svg(table)
        xml.etree.ElementTree.fromstring(picture)
        with open(os.path.join(folder, file_name(table)), "w",
                  encoding="utf-8") as out:
            out.write(picture)
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    runner = Runner(options.build, options.quick)
    rounds = 2 if options.quick else options.rounds
    for number in range(rounds):
        runner.round(number)
    runner.grow()
    runner.count_instructions()
    lacking = runner.lacking()
    results = {
        "machine": machine(options.build),
        "rounds": rounds,
        "left_out": runner.missing,
        "tables": [summary for summary in
                   (table.summary() for table in runner.tables.values())
                   if summary["rows"]],
    }
    path = write(results, options.output)
    for name, value in results["machine"].items():
        print(f"{name}: {value}")
    for table in results["tables"]:
        print_table(table)
    print()
    for line in runner.missing:
        print(f"left out: {line}")
    for line in lacking:
        print(f"FAIL {line}")
    print(f"medians of {rounds} rounds, and the middle half of them; {path}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
