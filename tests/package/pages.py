#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does what a page of the documentation says, from top to bottom.

usage: pages.py PAGE SOURCE-FOLDER WORK-FOLDER

Each block of code in the page has a comment in front of it that tells what it
is, so that none can be forgotten:

    <!-- file: NAME -->     the contents of NAME in the work folder
    <!-- run -->            run by one shell for the whole page, has to succeed
    <!-- run: exits N -->   the same, and has to end with that status
    <!-- prints -->         what the last block that was run prints, from
                            somewhere on; an ellipsis stands for anything
    <!-- in: PATH -->       its lines are lines of that file of the tree, in
                            this order; an ellipsis alone stands for others
    <!-- not run: WHY -->   only shown
"""
import pathlib
import re
import subprocess
import sys

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
LIMIT_S = 240


class Block:
    def __init__(self, line, word, argument, text):
        self.line = line
        self.word = word
        self.argument = argument
        self.text = text


def read_blocks(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    blocks = []
    at = 0
    while at < len(lines):
        if not lines[at].startswith("```"):
            at += 1
            continue
        said = re.fullmatch(r"<!-- ([a-z ]+?)(?:: (.*))? -->", lines[at - 1])
        if not at or not said:
            sys.exit(f"{page}:{at + 1}: nothing tells what this block is")
        end = lines.index("```", at + 1)
        text = "\n".join(lines[at + 1 : end]) + "\n"
        blocks.append(Block(at + 1, said[1], said[2] or "", text))
        at = end + 1
    return blocks


def compare_with_source(page, block, source):
    """The block's lines, in their order, among those of the file."""
    path = source / block.argument
    rest = iter([x.strip() for x in path.read_text().splitlines()])
    for line in map(str.strip, block.text.splitlines()):
        if line and line != ELLIPSIS and line not in rest:
            sys.exit(f"{page}:{block.line}: {block.argument} has no line "
                     f"{line!r} there")


def script_of(blocks):
    """One script that writes what each block prints to a file of its own."""
    parts = ["set -u", "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT"]
    for number, block in enumerate(blocks):
        if block.word != "run":
            continue
        wanted = re.fullmatch(r"(?:exits (\d+))?", block.argument)
        # A function would hide what the block sets; braces do not.
        parts.append(f"set -e\n{{\n{block.text}}} >out.{number} 2>&1"
                     if not wanted[1] else
                     f"set +e\n{{\n{block.text}}} >out.{number} 2>&1\n"
                     f"[ $? = {wanted[1]} ] || exit 1")
        parts.append(f"echo {number} >reached")
    return "\n".join(parts) + "\n"


def run(page, blocks, work):
    (work / "script").write_text(script_of(blocks), encoding="utf-8")
    (work / "reached").write_text("-1")
    try:
        status = subprocess.run(["bash", "script"], cwd=work, timeout=LIMIT_S,
                                stdin=subprocess.DEVNULL).returncode
    except subprocess.TimeoutExpired:
        status = "none in time"
    if status == 0:
        return
    reached = int((work / "reached").read_text())
    number, block = next((n, b) for n, b in enumerate(blocks)
                         if b.word == "run" and n > reached)
    print((work / f"out.{number}").read_text(errors="replace"))
    sys.exit(f"{page}:{block.line}: status {status}")


def compare_with_output(page, block, output):
    wanted = re.escape(block.text.rstrip()).replace(ELLIPSIS, ".*")
    if not re.search(r"(?m)^" + wanted + r"\s*$", output):
        print(output)
        sys.exit(f"{page}:{block.line}: not what was printed")


def main():
    page, source, work = map(pathlib.Path, sys.argv[1:])
    blocks = read_blocks(page)
    last = None
    for block in blocks:
        if block.word == "file":
            (work / block.argument).write_text(block.text, encoding="utf-8")
        elif block.word == "in":
            compare_with_source(page, block, source)
        elif block.word not in ("run", "prints", "not run"):
            sys.exit(f"{page}:{block.line}: {block.word!r} means nothing")
    run(page, blocks, work)
    for number, block in enumerate(blocks):
        if block.word == "run":
            last = number
        elif block.word == "prints":
            compare_with_output(
                page, block, (work / f"out.{last}").read_text(errors="replace"))
    print(f"{page.name}: {len(blocks)} blocks")


main()
