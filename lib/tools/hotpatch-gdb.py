# SPDX-License-Identifier: MIT
#
# For gdb, on a live process or a core dump, also of stripped programs:
#
#   info hotpatch      patches, replaced functions, tasks
#   backtrace          marks the frames whose code was superseded or is a patch
#
# Everything is read through the symbol hotpatch_descriptor, whose layout is
# fixed (hotpatch/descriptor.h).

import struct

import gdb
import gdb.FrameDecorator

LAYOUT = 1
FIELD = struct.Struct("<24sQ")
HEAD = struct.Struct("<12sIII")
LIMIT = 1 << 20  # of lists in damaged memory


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def number(address, size=8):
    return int.from_bytes(read(address, size), "little")


def text(address):
    """The NUL-terminated text at an address, "" for NULL."""
    found = b""
    while address and len(found) < 4096 and b"\0" not in found:
        # Never past a page: the next one may not be there.
        room = 4096 - (address + len(found)) % 4096
        found += read(address + len(found), min(room, 64))
    return found.split(b"\0")[0].decode(errors="replace")


class Library:
    """The library in the inferior, as its descriptor tells it."""

    def __init__(self):
        try:
            address = int(gdb.parse_and_eval("(char *)&hotpatch_descriptor"))
        except gdb.error:
            raise gdb.GdbError("this program has no libhotpatch")
        magic, layout, count, _ = HEAD.unpack(read(address, HEAD.size))
        if not magic.startswith(b"hotpatch\0") or layout != LAYOUT:
            raise gdb.GdbError("libhotpatch has a layout that is unknown here")
        raw = read(address + HEAD.size, count * FIELD.size)
        self.facts = {
            name.split(b"\0")[0].decode(): value
            for name, value in FIELD.iter_unpack(raw)
        }

    def member(self, record, name, size=8):
        return number(record + self.facts[name], size)

    def chain(self, head, step):
        record = number(self.facts[head])
        for _ in range(LIMIT):
            if not record:
                return
            yield record
            record = self.member(record, step)

    def patches(self):
        return [Patch(self, record) for record in self.chain("patches", "patch.next")]

    def slots(self):
        for module in self.chain("modules", "module.next"):
            name = text(module + self.facts["module.name"])
            first = self.member(module, "module.slots")
            places = self.member(module, "module.by_name")
            for index in range(min(self.member(module, "module.count"), LIMIT)):
                # Slots of redirected functions were made one by one.
                slot = first + index * self.facts["slot.size"] if first else \
                    number(places + index * 8)
                yield Slot(self, name, slot)

    def tasks(self):
        size = self.facts["task.size"]
        used = min(number(self.facts["tasks.used"]), LIMIT)
        room, chunk = self.facts["tasks.first_chunk"], self.facts["tasks.chunks"]
        while used > 0:
            records = number(chunk)
            for index in range(min(used, room)):
                yield Task(self, records + index * size)
            used, room, chunk = used - room, room * 2, chunk + 8


class Patch:
    def __init__(self, library, record):
        facts = library.facts
        self.record = record
        self.name = text(library.member(record, "patch.name"))
        self.sequence = library.member(record, "patch.sequence")
        self.functions = library.member(record, "patch.replacements")
        self.start = library.member(record, "patch.start")
        self.stop = library.member(record, "patch.stop")
        self.path = text(record + facts["patch.path"])
        self.reason = text(record + facts["patch.reason"])
        state = library.member(record, "patch.state", 4)
        known = state < facts["states.count"]
        self.state = text(number(facts["states"] + 8 * state)) if known else "?"


class Slot:
    def __init__(self, library, module, record):
        self.library = library
        self.module = module
        self.record = record
        self.original = library.member(record, "slot.original")
        self.top = library.member(record, "slot.top")

    @property
    def name(self):
        name = text(self.library.member(self.record, "slot.name"))
        file = text(self.library.member(self.record, "slot.file"))
        return file + ":" + name if file else name

    @property
    def target(self):
        return number(self.library.member(self.record, "slot.target"))

    def runs(self):
        """Whose code new callers get, in words."""
        target, binding = self.target, self.top
        if target == self.original:
            return "original"
        for _ in range(LIMIT):
            if not binding:
                break
            if self.library.member(binding, "binding.function") == target:
                patch = self.library.member(binding, "binding.patch")
                return Patch(self.library, patch).name
            binding = self.library.member(binding, "binding.below")
        return "in transition"


class Task:
    def __init__(self, library, record):
        self.seen = library.member(record, "task.seen")
        self.thread = library.member(record, "task.thread", 4)
        kind = library.member(record, "task.kind", 4)
        self.kind = {
            library.facts["task.kind.thread"]: "thread",
            library.facts["task.kind.fiber"]: "fiber",
        }.get(kind)


def table(head, rows):
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths))
        gdb.write("  " + line.rstrip() + "\n")


class InfoHotpatch(gdb.Command):
    """Patches, replaced functions and tasks of libhotpatch in this program."""

    def __init__(self):
        super().__init__("info hotpatch", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        library = Library()
        generation = number(library.facts["generation"])
        going = number(library.facts["transition"], 1)
        gdb.write("Generation %d%s\n" % (generation, ", in transition" if going else ""))
        self.patches(library)
        self.functions(library)
        self.tasks(library, generation)

    @staticmethod
    def patches(library):
        patches = library.patches()
        gdb.write("Patches: %d\n" % len(patches))
        if patches:
            table(
                ["name", "state", "sequence", "functions", "code", "reason"],
                [
                    [p.name, p.state, p.sequence, p.functions,
                     "%#x-%#x" % (p.start, p.stop), p.reason]
                    for p in patches
                ],
            )

    @staticmethod
    def functions(library):
        slots = list(library.slots())
        replaced = [slot for slot in slots if slot.top]
        gdb.write("Patchable functions: %d, replaced: %d\n" % (len(slots), len(replaced)))
        if replaced:
            table(
                ["module", "function", "runs"],
                [[slot.module, slot.name, slot.runs()] for slot in replaced],
            )

    @staticmethod
    def tasks(library, generation):
        tasks = [task for task in library.tasks() if task.kind]
        gdb.write("Tasks: %d\n" % len(tasks))
        if tasks:
            table(
                ["kind", "thread", "view"],
                [[t.kind, t.thread or "-", t.seen or "at rest"] for t in tasks],
            )


class Marked(gdb.FrameDecorator.FrameDecorator):
    def __init__(self, frame, mark):
        super().__init__(frame)
        self.mark = mark

    def function(self):
        name = super().function()
        if isinstance(name, int):
            name = "%#x" % name
        return "%s [%s]" % (name or "??", self.mark)


class Marks:
    """What a frame's code is, by its address."""

    def __init__(self):
        library = Library()
        self.patches = library.patches()
        self.originals = {
            slot.original: slot for slot in library.slots() if slot.top
        }

    @staticmethod
    def function_start(pc):
        """Where the symbol around an address begins, or None."""
        answer = gdb.execute("info symbol %#x" % pc, to_string=True)
        words = answer.split()
        if len(words) < 2 or words[0] == "No":
            return None
        return pc - int(words[2]) if words[1] == "+" else pc

    def of(self, pc):
        for patch in self.patches:
            if patch.start <= pc < patch.stop:
                return "%s, %s" % (patch.name, patch.state)
        slot = self.originals.get(self.function_start(pc))
        if slot and slot.target != slot.original:
            return "superseded, new calls run " + slot.runs()
        return None


class MarkFrames:
    """The frame filter: marks what was superseded and what is a patch."""

    def __init__(self):
        self.name = "hotpatch"
        self.priority = 50
        self.enabled = True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        try:
            marks = Marks()
        except (gdb.error, gdb.GdbError):
            return frames
        return (self.marked(frame, marks) for frame in frames)

    @staticmethod
    def marked(frame, marks):
        mark = marks.of(frame.inferior_frame().pc())
        return Marked(frame, mark) if mark else frame


InfoHotpatch()
MarkFrames()
