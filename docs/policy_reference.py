"""Write docs/policy-reference.md from the policy's JSON Schema.

The schema is what editors complete from and what `portcullis policy schema` prints, so the
page cannot say anything else. `--check` writes nothing and fails when the page is not what
the schema makes it. A keyword that is not rendered here is an error, not an omission.
"""

import json
import pathlib
import re
import sys
import textwrap
from collections.abc import Iterator

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parent / "tools" / "src" / "policy.schema.json"
TARGET = HERE / "policy-reference.md"

HEAD = """\
# Policy reference

<!-- Made from tools/src/policy.schema.json by docs/policy_reference.py; change those. -->

Every field of a policy, from the JSON Schema that `portcullis policy schema` prints. A field that is not listed is an
error. One that is left out takes its default; where there is none, the feature is off. [policy.md](policy.md) is the
guide: how the parts work together, and the rules that a schema cannot say.
"""

# What a reader need not decipher. A pattern that is not here fails, so that a new one gets its words.
PATTERNS = {
    "^/": "text that begins with `/`",
    "^[A-Za-z0-9_]{1,64}$": "1 to 64 letters, digits and `_`",
}
# Definitions that have words instead of a section.
PLAIN = {"text": "text"}

RENDERED = {
    *("$ref", "title", "description", "type", "const", "enum", "default", "examples", "pattern", "format"),
    *("minimum", "maximum", "minLength", "minItems", "maxItems", "items", "propertyNames"),
    *("required", "properties", "additionalProperties", "oneOf", "anyOf", "allOf", "$schema", "$id", "$defs"),
}


class Reference:
    def __init__(self, schema: dict) -> None:
        self.schema = schema
        # In the order in which a reader of the schema meets them: the section's name, its schema, where it stands.
        self.objects: dict[str, tuple[dict, list[str]]] = {}
        self.values: dict[str, dict] = {}
        self.gather("policy", schema, "")

    def target(self, schema: dict) -> tuple[str | None, dict]:
        """The definition that is meant, by name, or the schema itself."""
        if "$ref" not in schema:
            return None, schema
        name = schema["$ref"].removeprefix("#/$defs/")
        return name, self.schema["$defs"][name]

    def gather(self, name: str, schema: dict, place: str) -> None:
        if unknown := set(schema) - RENDERED:
            raise ValueError(f"{name}: nothing here renders {', '.join(sorted(unknown))}")
        if not structured(schema):
            if schema is self.schema["$defs"].get(name) and name not in PLAIN:
                self.values[name] = schema
            for inner, where in ((schema.get("items"), "[]"), (rows(schema), ".*")):
                if inner:
                    self.visit(name, inner, place + where)
            if "propertyNames" in schema:
                self.visit(name, schema["propertyNames"], place)
            return
        if name in self.objects:
            self.objects[name][1].append(place)
            return
        self.objects[name] = (schema, [place])
        for variant in variants(schema):
            for field, inner in variant.get("properties", {}).items():
                self.visit(field, inner, f"{place}.{field}".lstrip("."))

    def visit(self, field: str, schema: dict, place: str) -> None:
        if unknown := set(schema) - RENDERED:
            raise ValueError(f"{place}: nothing here renders {', '.join(sorted(unknown))}")
        name, target = self.target(schema)
        self.gather(name or field, target, place)

    def page(self) -> str:
        parts = [HEAD, self.contents()]
        parts += [self.section(name, *found) for name, found in self.objects.items()]
        parts += ["## Kinds of values\n", self.kinds()]
        return "\n".join(parts)

    def contents(self) -> str:
        return filled(", ".join([*map(link, self.objects), "[kinds of values](#kinds-of-values)."])) + "\n"

    def section(self, name: str, schema: dict, places: list[str]) -> str:
        where = " and ".join(f"`{place}`" for place in sorted(places, key=len) if place)
        words = [f"In {where}." if where else "", schema["description"], *counted(schema)]
        lines = [f"## {name}", "", filled(" ".join(filter(None, words))), ""]
        if rules := [*conditional(schema)]:
            lines += [*(f"- {rule}" for rule in rules), ""]
        found = variants(schema)
        if found != [schema]:
            lines += ["It is one of these.", ""]
        for variant in found:
            if found != [schema]:
                lines += [filled(f"- {variant['description']}"), ""]
            if fields := variant.get("properties"):
                lines += ["| field | type | default | meaning |", "| --- | --- | --- | --- |"]
                lines += [self.row(field, inner, variant) for field, inner in fields.items()]
                lines.append("")
        for example in schema.get("examples", []):
            lines += ["```yaml", yaml_of(example), "```", ""]
        return "\n".join(lines)

    def row(self, field: str, schema: dict, owner: dict) -> str:
        _, target = self.target(schema)
        description = schema.get("description") or target.get("description")
        if not description:
            raise ValueError(f"`{field}` has no description")
        default = schema.get("default", target.get("default"))
        if field in owner.get("required", []):
            default = "required"
        elif default is not None:
            default = f"`{flow(default)}`"
        if example := None if structured(target) else self.example(schema, target):
            description += f" Such as `{flow(example)}`."
        cells = [f"`{field}`", self.kind(schema, field), default or "", description]
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

    def example(self, schema: dict, target: dict) -> object:
        """What a row shows: nothing where the type or the default says it already."""
        known = target.get("enum") or target.get("const") or target.get("type") == "boolean"
        if known or "default" in schema and "examples" not in schema:
            return None
        for place in (schema, target):
            if place.get("examples"):
                return place["examples"][0]
        # A list or a map of objects: their own section shows one.
        inner = target.get("items") or rows(target)
        if inner and structured(self.target(inner)[1]) or target.get("type") == "integer":
            return None
        raise ValueError(f"give an example of {json.dumps(schema)[:120]}")

    def kind(self, schema: dict, field: str) -> str:
        name, target = self.target(schema)
        if name in PLAIN:
            return PLAIN[name]
        if name or structured(target):
            return link(name or field)
        return self.words(target, field)

    def words(self, schema: dict, field: str) -> str:
        if "const" in schema:
            return f"`{flow(schema['const'])}`"
        if "enum" in schema:
            return " or ".join(f"`{value}`" for value in schema["enum"])
        match schema.get("type"):
            case "boolean":
                return "`true` or `false`"
            case "number":
                return "a number"
            case "integer" if "maximum" not in schema:
                return f"a whole number, {schema['minimum']} or more"
            case "integer":
                return f"a whole number from {schema['minimum']} to {schema['maximum']}"
            case "string" if schema.get("pattern") in PATTERNS:
                return PATTERNS[schema["pattern"]]
            case "string" if "pattern" not in schema:
                return "text"
            case "array" if "items" not in schema:
                return "a list"
            case "array":
                limits = [f"at least {schema['minItems']}"] if schema.get("minItems") else []
                limits += [f"at most {schema['maxItems']}"] if "maxItems" in schema else []
                return ", ".join([f"a list of {self.kind(schema['items'], field)}", *limits])
            case "object":
                key = self.kind(schema["propertyNames"], field)
                return f"a map from {key} to {self.kind(rows(schema), field)}"
            case list() as types:
                known = {"string": "text", "number": "a number", "boolean": "`true` or `false`", "object": "a mapping"}
                return ", ".join(known[each] for each in types)
        raise ValueError(f"`{field}`: no words for {json.dumps(schema)[:120]}")

    def kinds(self) -> str:
        lines = []
        for name, schema in self.values.items():
            words = [schema["description"]]
            if "enum" in schema:
                words.append("One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".")
            elif schema.get("examples"):
                words.append("Such as " + ", ".join(f"`{flow(value)}`" for value in schema["examples"]) + ".")
            lines += [f"### {name}", "", filled(" ".join(words)), ""]
        return "\n".join(lines)


def structured(schema: dict) -> bool:
    """Whether a schema is an object with fields, which gets a section."""
    return any("properties" in variant for variant in variants(schema))


def variants(schema: dict) -> list[dict]:
    """The shapes an object may have: itself, or those of its `oneOf`."""
    return [schema] if "properties" in schema or "oneOf" not in schema else schema["oneOf"]


def rows(schema: dict) -> dict | None:
    """What a map has under each of its names."""
    more = schema.get("additionalProperties")
    return more if isinstance(more, dict) else None


def counted(schema: dict) -> Iterator[str]:
    """`oneOf` and `anyOf` over fields, in words."""
    for keyword in ("oneOf", "anyOf"):
        if keyword not in schema or "properties" not in schema:
            continue
        if any(set(choice) != {"required"} for choice in schema[keyword]):
            raise ValueError(f"no words for {schema[keyword]}")
        choices = [" with ".join(f"`{field}`" for field in choice["required"]) for choice in schema[keyword]]
        if keyword == "oneOf":
            yield f"It has exactly one of {listed(choices, 'and')}."
        else:
            yield f"It has {listed(choices, 'or')}, or {'both' if len(choices) == 2 else 'more than one'}."


def conditional(schema: dict) -> Iterator[str]:
    """`if` and `then` over fields, in words."""
    for rule in schema.get("allOf", []):
        match rule:
            case {
                "if": {"required": [field], "properties": {**wanted}},
                "then": {"required": [*needed]},
                "else": {"properties": {**refused}},
            } if wanted[field].keys() == {"const"} and refused == {each: False for each in needed}:
                fields = listed([f"`{each}`" for each in needed], "and")
                yield f"{fields} where `{field}` is `{wanted[field]['const']}`, and only then."
            case {
                "if": {"required": [field]},
                "then": {"properties": {**wanted}},
            } if len(wanted) == 1 and len(rule) == 2:
                (other, said), = wanted.items()
                values = [said["const"]] if "const" in said else said["enum"]
                yield f"`{field}` only where `{other}` is {listed([f'`{value}`' for value in values], 'or')}."
            case _:
                raise ValueError(f"no words for {json.dumps(rule)}")


def listed(words: list[str], last: str) -> str:
    """a, b and c."""
    *front, end = words
    return f"{', '.join(front)} {last} {end}" if front else end


def filled(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def link(name: str) -> str:
    return f"[{name}](#{name})"


def flow(value: object) -> str:
    """A value on one line, as YAML has it in a policy."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("...\n").strip()


def yaml_of(value: object) -> str:
    """An example, in lines for whatever has parts of its own."""
    text = yaml.safe_dump(value, default_flow_style=None, sort_keys=False, allow_unicode=True, width=110)
    return text.removesuffix("...\n").strip()


def render() -> str:
    text = Reference(json.loads(SCHEMA.read_text())).page()
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if TARGET.exists() and TARGET.read_text() == render():
            return 0
        print(f"{TARGET.name} is not what the schema makes it: run docs/policy_reference.py", file=sys.stderr)
        return 1
    if arguments:
        print("usage: policy_reference.py [--check]", file=sys.stderr)
        return 2
    TARGET.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
