# SPDX-License-Identifier: MIT
"""Compares what the command prints with its schema.

usage: validate.py SCHEMAS OUTPUTS

The schemas of all commands share the definitions of common.json. OUTPUTS is a
folder of files COMMAND.NUMBER, whose first line is the command line. Of the
schemas it is checked, too, that each is one, and that every object in them
refuses members that it does not name.
"""

import json
import pathlib
import sys

import jsonschema

COMMON = "common.json"


def localize(value):
    """References into common.json, as those into one document."""
    if isinstance(value, dict):
        return {
            key: item.removeprefix(COMMON) if key == "$ref" else localize(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [localize(item) for item in value]
    return value


def load(folder, name):
    schema = json.loads((folder / (name + ".json")).read_text())
    common = json.loads((folder / COMMON).read_text())
    schema["$defs"] = {**common["$defs"], **schema.get("$defs", {})}
    return localize(schema)


def open_objects(value, path):
    """Where a schema has an object that takes unknown members."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from open_objects(item, f"{path}/{index}")
    elif isinstance(value, dict):
        if value.get("type") == "object":
            if value.get("additionalProperties") is not False:
                yield path
            if set(value["required"]) - set(value["properties"]):
                yield path
        for key, item in value.items():
            yield from open_objects(item, f"{path}/{key}")


def check_schemas(folder):
    faults = []
    for path in sorted(folder.glob("*.json")):
        schema = load(folder, path.stem)
        jsonschema.Draft202012Validator.check_schema(schema)
        faults += open_objects(schema, path.stem)
    return faults


def check_output(schema, text):
    # Exactly one object: json.loads() refuses what comes after it.
    output = json.loads(text)
    if not isinstance(output, dict):
        yield "not an object"
    for error in jsonschema.Draft202012Validator(schema).iter_errors(output):
        best = jsonschema.exceptions.best_match([error])
        yield f"{best.json_path}: {best.message[:300]}"


def main():
    folder = pathlib.Path(sys.argv[1])
    faults = check_schemas(folder)
    for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
        line, text = path.read_text().split("\n", 1)
        schema = load(folder, path.stem)
        faults += [f"{line}: {why}" for why in check_output(schema, text)]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


sys.exit(main())
