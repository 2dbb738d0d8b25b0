"""The documentation as its readers use it: fenced blocks, the commands in them, and running those."""

import dataclasses
import functools
import os
import pathlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A make that runs the tests tells those within of itself; whoever follows a page has none around.
UNTOLD = {"MAKEFLAGS": "", "MAKELEVEL": "0", "MFLAGS": ""}
COMMAND = ROOT / "dist" / "portcullis"

MARK = "@@ next block @@"

# What a reader has and no test: a cluster, a registry, a container engine, an issuer.
ELSEWHERE = {"kubectl", "skopeo", "docker"}
# What else a page may call. A name that is not here is a mistake, or belongs here.
PROGRAMS = {
    *("cat", "cd", "cp", "curl", "cut", "diff", "echo", "envoy", "export", "git", "grep", "head", "mkdir", "mv", "python3"),
    *("rm", "sed", "sha256sum", "tail", "tee", "true", "umask", "[", "$EDITOR"),
}


@dataclasses.dataclass(frozen=True)
class Fence:
    page: pathlib.Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences(page: pathlib.Path) -> list[Fence]:
    """The fenced blocks of a page. All begin at the margin: an indented one would be looked at by no test."""
    found: list[Fence] = []
    lines: list[str] | None = None
    language, start = "", 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            if not line.startswith("```"):
                raise ValueError(f"{page.name}:{number}: a fence begins at the margin, with three backticks")
            if lines is None:
                lines, language, start = [], line[3:], number
            else:
                found.append(Fence(page, start, language, "".join(f"{line}\n" for line in lines)))
                lines = None
        elif lines is not None:
            lines.append(line)
    if lines is not None:
        raise ValueError(f"{page.name}:{start}: the fence is never closed")
    return found


def commands(script: str) -> list[list[str]]:
    """Every simple command of a script, as its words; those inside `$(…)` too."""
    script = re.sub(r"<<-?'?(\w+)'?\n.*?^\1$", "", script, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
    found: list[list[str]] = []
    for inner in re.findall(r"\$\(([^()]*)\)", script):
        found += commands(inner)
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>()")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";|&()"):
                found.append(words)
                words = []
            else:
                words.append(word)
    return [words for words in map(without_assignments, found) if words]


def without_assignments(words: list[str]) -> list[str]:
    while words and re.match(r"[A-Za-z_]+=", words[0]):
        words = words[1:]
    return words


def why_not_run(fence: Fence) -> str | None:
    """What keeps a test from running a block as it stands; `None` if nothing does."""
    for words in commands(fence.text):
        match words:
            case [program, *_] if program in ELSEWHERE:
                return f"{program} is not ours to call"
            case ["$EDITOR", *_]:
                return "somebody edits"
            case ["make", *rest] if {"demo", "test", "bench", "fuzz", "fuzz-smoke"} & set(rest):
                return "it takes minutes, or `make test` runs it"
            case ["tail", *rest] if "-f" in rest:
                return "it does not end"
            case ["envoy", *rest] if "validate" not in rest:
                return "it does not end"
            case ["curl", *rest] if any("://" in word and "://127.0.0.1" not in word for word in rest):
                return "it needs the network"
    return None


def mistakes(fence: Fence, made: set[str]) -> Iterator[str]:
    """What is wrong with a block that can be told without running it. `made` has the files of earlier blocks."""
    parsed = subprocess.run(["bash", "-n"], input=fence.text, capture_output=True, text=True)
    if parsed.returncode != 0:
        yield parsed.stderr
        return
    made |= set(re.findall(r"> *([\w./-]+)", fence.text))
    if re.search(r"^portcullis init ", fence.text, re.MULTILINE):
        made |= {"portcullis.db", "portcullis.keys", "secret.key"}
    for words in commands(fence.text):
        program, rest = words[0], [word for word in words[1:] if word not in ("<", ">", "2>")]
        if program in ("tee", "cp", "mv"):
            made |= set(rest)
        if program in ("portcullis", "dist/portcullis"):
            for option, value in zip(rest, [*rest[1:], ""]):
                if option in ("--out", "--junit", "--secret-file") or option == "--jwks" and "rotate" in rest:
                    made.add(value)
            yield from unknown_words(rest)
            yield from missing_files(rest, made)
        elif program == "make":
            yield from unknown_targets(rest)
        elif program not in PROGRAMS | ELSEWHERE:
            yield f"`{program}`: pages.py does not know it"
        if program in ("kubectl", "docker", "cat", "sed", "diff") or program == "envoy":
            yield from missing_files(rest, made)


@functools.cache
def help_of(*subcommand: str) -> str:
    done = subprocess.run([COMMAND, *subcommand, "--help"], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def unknown_words(words: list[str]) -> Iterator[str]:
    """Subcommands and options of `portcullis` that its help does not have."""
    subcommand: list[str] = []
    for word in words:
        _, _, listed = help_of(*subcommand).partition("\nCommands:\n")
        if not listed or word.startswith("-"):
            break
        if not re.search(rf"^  {re.escape(word)}\b", listed.partition("\n\n")[0], re.MULTILINE):
            yield f"`portcullis {' '.join(subcommand)}` has no `{word}`"
            return
        subcommand.append(word)
    known = set(re.findall(r"--[a-z0-9-]+", help_of(*subcommand).partition("\nExamples:\n")[0]))
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in known:
            yield f"`portcullis {' '.join(subcommand)}` has no `{word}`"


FILE = re.compile(r"(?:[\w-]+/)*[\w.-]+\.(?:yaml|json|jsonl|wasm|jwt|pem|key|xml|txt)")
# What the reader has: a policy and a token.
THEIRS = {"policy.yaml", "token.jwt"}


def missing_files(words: list[str], made: set[str]) -> Iterator[str]:
    for word in words:
        name = word.rpartition("=")[2]
        if not FILE.fullmatch(name) or name in made | THEIRS or name.startswith((".run/", "dist/")):
            continue
        if not (ROOT / name).exists():
            yield f"`{name}` is not in the tree, and nothing above makes it"


@functools.cache
def makefile() -> tuple[set[str], set[str]]:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", text, re.MULTILINE))
    variables = set(re.findall(r"^(\w+) \?=", text, re.MULTILINE)) | set(re.findall(r"\$\(or \$\((\w+)\)", text))
    return targets, variables


def unknown_targets(words: list[str]) -> Iterator[str]:
    targets, variables = makefile()
    for word in words:
        name, equals, _ = word.partition("=")
        if equals and name not in variables:
            yield f"`make` knows no variable `{name}`"
        if not equals and word not in targets:
            yield f"`make` has no target `{word}`"


def fits(pattern: str, text: str) -> bool:
    """Whether a text is what a page shows, where `…` is any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), text, re.DOTALL) is not None


def run(
    found: list[Fence], directory: pathlib.Path, environment: Mapping[str, str], swap: Mapping[str, str]
) -> list[str]:
    """Runs the `sh` blocks of a page in one shell, in order, and compares what the `text` blocks after them show."""
    scripts = [fence for fence in found if fence.language == "sh" and why_not_run(fence) is None]
    bodies = [replaced(fence.text, swap) for fence in scripts]
    script = "set -eu\nexec 2>&1\n" + f"echo '{MARK}'\n".join(bodies)
    path = f"{directory / 'bin'}:{directory / 'dist'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={**os.environ, **UNTOLD, **environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    printed = done.stdout.split(f"{MARK}\n")
    if done.returncode != 0:
        last = len(printed) - 1
        return [f"{scripts[last]}: exit code {done.returncode}\n{bodies[last]}printed\n{printed[last]}"]
    problems = []
    for fence, output in zip(scripts, printed, strict=True):
        after = found[found.index(fence) + 1 :]
        if after and after[0].language == "text" and not fits(replaced(after[0].text, swap), output):
            problems.append(f"{fence}: {fence.text}printed\n{output}not\n{after[0].text}")
    return problems


def replaced(text: str, swap: Mapping[str, str]) -> str:
    for before, after in swap.items():
        text = text.replace(before, after)
    return text


def scratch(directory: pathlib.Path, envoy: str) -> None:
    """A copy of the tree to work in, with what was built and fetched. With CARGO=true, `make` compiles nothing."""
    left = shutil.ignore_patterns(".git", "target", "dist", ".venv", ".tools", ".run", "node_modules", "__pycache__")
    shutil.copytree(ROOT, directory, ignore=left, dirs_exist_ok=True)
    for name in (".venv", ".tools"):
        (directory / name).symlink_to(ROOT / name)
    for name in ("bin", "dist", "target/release", "target/wasm32-wasip1/wasm"):
        (directory / name).mkdir(parents=True)
    for name, built in (("portcullis", "target/release"), ("portcullis.wasm", "target/wasm32-wasip1/wasm")):
        for place in ("dist", built):
            shutil.copy2(ROOT / "dist" / name, directory / place / name)
    (directory / "bin" / "envoy").symlink_to(envoy)
    git = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@example.com"]
    for arguments in (["init", "-q"], ["add", "envoy"], ["commit", "-q", "-m", "As it was"]):
        subprocess.run([*git, *arguments], cwd=directory, check=True)
