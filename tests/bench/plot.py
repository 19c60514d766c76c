# SPDX-License-Identifier: MIT
"""A table of run.py as a picture: a bar for each cell, with its middle half."""

import math
from xml.sax.saxutils import escape

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
           "#bbbbbb"]
LEFT = 230
WIDTH = 560
BAR = 11
GAP = 12
TOP = 52


class Scale:
    """From a value to a place; logarithmic where values lie far apart."""

    def __init__(self, values):
        positive = [value for value in values if value > 0] or [1.0]
        self.most = max(positive)
        self.least = min(positive)
        self.is_logarithmic = self.most > 40 * self.least
        if self.is_logarithmic:
            self.least = 10 ** math.floor(math.log10(self.least))

    def place(self, value):
        if not self.is_logarithmic:
            return WIDTH * max(value, 0) / self.most
        if value <= self.least:
            return 0.0
        return WIDTH * (math.log10(value / self.least) /
                        math.log10(self.most / self.least))

    def ticks(self):
        if self.is_logarithmic:
            power = round(math.log10(self.least))
            while 10 ** power <= self.most:
                yield 10.0 ** power
                power += 1
            return
        step = 10 ** math.floor(math.log10(self.most))
        if self.most / step < 3:
            step /= 2
        tick = 0.0
        while tick <= self.most:
            yield tick
            tick += step


def text(x, y, words, anchor="start", size=11):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
            f'text-anchor="{anchor}">{escape(words)}</text>')


def rectangle(x, y, width, height, colour):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" fill="{colour}"/>')


def line(x1, y1, x2, y2, colour):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}"/>')


def legend(columns):
    x = LEFT
    for index, column in enumerate(columns):
        yield rectangle(x, 28, 10, 10, COLOURS[index % len(COLOURS)])
        yield text(x + 14, 37, column)
        x += 26 + 6.2 * len(column)


def bar(cell, scale, y, colour):
    yield rectangle(LEFT, y, max(scale.place(cell["median"]), 1), BAR - 2,
                    colour)
    middle = y + (BAR - 2) / 2
    low = LEFT + scale.place(cell["low"])
    high = LEFT + scale.place(cell["high"])
    yield line(low, middle, high, middle, "#000000")
    yield text(high + 4, y + BAR - 3, f"{cell['median']:.3g}", size=9)


def svg(table):
    """The text of the picture."""
    cells = [cell for row in table["rows"] for cell in row["cells"].values()]
    scale = Scale([cell[key] for cell in cells
                   for key in ("median", "low", "high")])
    parts = [text(10, 18, f"{table['name']} ({table['unit']})", size=14)]
    parts += legend(table["columns"])
    y = TOP
    for row in table["rows"]:
        parts.append(text(LEFT - 8, y + BAR * len(row["cells"]) / 2 + 4,
                          row["name"], "end"))
        for index, column in enumerate(table["columns"]):
            if column in row["cells"]:
                parts += bar(row["cells"][column], scale, y,
                             COLOURS[index % len(COLOURS)])
                y += BAR
        y += GAP
    for tick in scale.ticks():
        x = LEFT + scale.place(tick)
        parts.insert(0, line(x, TOP - 4, x, y, "#dddddd"))
        parts.append(text(x, y + 14, f"{tick:g}", "middle", 10))
    width = max(LEFT + WIDTH + 60,
                LEFT + sum(26 + 6.2 * len(name) for name in table["columns"]))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
            f'height="{y + 24:.0f}" font-family="sans-serif">\n'
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n' +
            "\n".join(parts) + "\n</svg>\n")
