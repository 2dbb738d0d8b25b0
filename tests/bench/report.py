"""What the bench found, as a table for a terminal, a page for docs/ and a chart."""

import json

HEADINGS = ["work", "beside", "ratio", "min–max", "floor", "target", ""]


# What is said of each work that was measured; a floor stands beside some of them.
EXPLAINED = {
    "floor": [
        "- **floor**: what a module costs that makes the same calls of Envoy as ours and decides nothing (`filter/examples/floor.rs`):",
        "  the crossings between Envoy and the virtual machine, and what Envoy does in them. What is above it is ours to save.",
    ],
    "hot": [
        "- **hot**: one HS256 token on a route with a role table and an owner. *cached* is Envoy's `jwt_cache_config`; *native* is",
        "  the chain as Istio ships it, without. Of three times as many rounds, as *flood* and *chain* are.",
    ],
    "cold": [
        "- **cold-hs256**, **cold-rs256** (2048 bits), **cold-es256**: every request has a token not seen before.",
    ],
    "flood": [
        "- **flood**: forged tokens only, answered with 401.",
    ],
    "cors": [
        "- **cors**: preflights. Envoy's `cors` answers them before the router, so that most of *native* here is its headers and log.",
    ],
    "chain": [
        "- **chain**: hot, with `audit: {chain: …}` and without: what sealing a record costs a request.",
    ],
    "feed": [
        "- **feed**: hot, with an identity feed of a million revoked tokens and without a feed.",
    ],
    "feed-scale": [
        "- **feed-scale**: a feed of a million revoked tokens and 100,000 API keys; its bytes are what a worker keeps of it.",
    ],
    "routes": [
        "- **routes**: hot, at 10 and at 10,000 routes; the ratio is of our own cost to our own cost.",
    ],
    "memory": [
        "- **memory**: resident memory after a million distinct tokens, less that after ten thousand.",
    ],
    "load": [
        "- **load**: time to start with 10,000 routes, less that with 10, for each VM.",
    ],
}


def rows(whole):
    for result in whole["results"]:
        if result["work"] in ("steps", "inside"):
            continue
        target = result.get("target")
        if "ratio" in result:
            figure = result["ratio"]
            spread = f"{result['ratio_min']:.2f}–{result['ratio_max']:.2f}"
            floor = f"{result['floor']:.2f}" if "floor" in result else ""
            cells = [result["work"], result["beside"], f"{figure:.2f}", spread, floor]
        else:
            figure = result["value"]
            cells = [result["work"], result["unit"], f"{figure:g}", "", ""]
        verdict = "too noisy to quote" if result.get("noisy") else "" if target is None else "met" if figure <= target else "missed"
        if verdict == "missed" and result.get("floor", 0) > target:
            verdict = "missed, as by the floor"
        yield cells + ["" if target is None else f"≤ {target:g}", verdict]


def steps(whole):
    """What each crossing costs, dearest last; nothing where that was not measured."""
    for result in whole["results"]:
        if result["work"] == "steps":
            yield ["a request that is let through", "µs", "too noisy to quote" if result["noisy"] else ""]
            yield from ([what, f"{cost:.1f}", ""] for what, cost in result["costs"].items())


def inside(whole):
    """Where the engine's own time goes, a column a part."""
    profiles = [result for result in whole["results"] if result["work"] == "inside"]
    parts = sorted({part for profile in profiles for part in profile["shares"]})
    times = {"microseconds": "µs", "amid": "µs among other code"}
    times = {time: name for time, name in times.items() if all(time in profile for profile in profiles)}
    if profiles:
        yield ["the engine alone", *times.values(), *parts]
    for profile in profiles:
        yield [profile["kind"], *(f"{profile[time]:.1f}" for time in times), *(f"{profile['shares'].get(part, 0)} %" for part in parts)]


def aligned(body):
    widths = [max(map(len, column)) for column in zip(*body)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in body)


def table(whole):
    tables = [[HEADINGS, *rows(whole)], list(steps(whole)), list(inside(whole))]
    return "\n\n".join(aligned(body) for body in tables if len(body) > 1)


def markdown(body):
    head, *rest = ("| " + " | ".join(row) + " |" for row in body)
    return "\n".join([head, "|" + " --- |" * len(body[0]), *rest])


def chart(whole):
    """Microseconds of CPU added a request: a bar a listener, a group a kind of work."""
    groups = []
    for result in whole["results"]:
        figures = result.get("microseconds")
        if isinstance(figures, dict) and result["work"] != "feed" and not result["work"].endswith("no cache"):
            added = {kind: max(value - figures["none"], 0) for kind, value in figures.items() if kind != "none"}
            groups.append((result["work"], added))
    names = {"ours": "Portcullis", "native": "Envoy's own filters", "cached": "the same with a token cache"}
    colours = {"ours": "#2563eb", "native": "#9ca3af", "cached": "#d1a054"}
    most = max((value for _, added in groups for value in added.values()), default=1)
    left, width, bar, gap = 110, 480, 16, 22
    parts, y = [], 64
    for work, added in groups:
        parts.append(f'<text x="{left - 10}" y="{y + bar * len(added) / 2 + 4:.0f}" text-anchor="end">{work}</text>')
        for kind in ("ours", "native", "cached"):
            if kind in added:
                length = added[kind] / most * width
                parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 3}" fill="{colours[kind]}"/>')
                parts.append(f'<text x="{left + length + 6:.1f}" y="{y + bar - 6}" class="figure">{added[kind]:.1f} µs</text>')
                y += bar
        y += gap
    legend, x = [], left
    for kind, name in names.items():
        legend.append(f'<rect x="{x}" y="34" width="12" height="12" fill="{colours[kind]}"/><text x="{x + 18}" y="44">{name}</text>')
        x += 36 + 7 * len(name)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {y}" role="img" aria-labelledby="title">'
        "<title id=\"title\">CPU added to a request, in microseconds, by Portcullis and by Envoy's own filters</title>"
        "<style>text{font:12px sans-serif;fill:#374151}.figure{font-size:11px}.head{font-size:14px;font-weight:bold}"
        "@media(prefers-color-scheme:dark){text{fill:#d1d5db}}</style>"
        f'<text x="{left}" y="18" class="head">CPU added to a request (less is better)</text>{"".join(legend)}{"".join(parts)}</svg>\n'
    )


def floor(whole):
    """Why the floor is where it is; nothing where that was not measured, or not well enough to quote."""
    if any(result.get("noisy") for result in whole["results"] if result["work"] == "steps"):
        return []
    if not (costs := list(steps(whole))) or not (parts := list(inside(whole))):
        return []
    # Of another run, where this one's are too noisy.
    where = next((f", {result['where']}" for result in whole["results"] if result["work"] == "steps" and "where" in result), "")
    return [
        "## What cannot be saved",
        "",
        "A request crosses into the virtual machine and back for every callback and every call, and the host allocates inside the",
        "machine to answer. The floor is what these crossings cost; no way of deciding makes it less. One crossing more at a time,",
        f"in modules that do nothing else{where}:",
        "",
        markdown(costs),
        "",
        "Without the record a request would cost less, and without the client's address in it; so would a response without security",
        "headers. They are what the filter is for. Filters of Envoy's own call functions where ours crosses.",
        "",
        "What is above the floor is the engine's. Alone in the same kind of virtual machine (V8 in Node, whose profiler sees into",
        "WebAssembly), without a host, it spends:",
        "",
        markdown(parts),
        "",
        "A token that was not seen before must be hashed, decoded and read, by code that V8 makes of WebAssembly instead of the",
        "hand-written kind that Envoy links; RSA and ECDSA are verified by Envoy itself, and are part of the floor.",
        "",
    ]


def apart(whole):
    """Why the engine costs more in Envoy than it does alone; nothing where one of the two was not measured."""
    hot = next((result["microseconds"] for result in whole["results"] if result["work"] == "hot" and not result["noisy"]), None)
    engine = {result["kind"]: result["microseconds"] for result in whole["results"] if result["work"] == "inside"}
    alone = engine.get("hot")
    if hot is None or alone is None:
        return []
    warm = [["at that speed", "ratio", "target", "the target leaves, µs", "the engine alone, µs", "in Envoy, µs"]]
    for result in whole["results"]:
        figures, kind = result.get("microseconds"), result["work"].split(",")[0]
        if isinstance(figures, dict) and "floor" in figures and kind in engine and not result["noisy"]:
            crossings, beside = figures["floor"] - figures["none"], figures[result["beside"]] - figures["none"]
            ratio = (crossings + engine[kind]) / beside
            left = result["target"] * beside - crossings
            warm.append([result["work"], f"{ratio:.2f}", f"≤ {result['target']:g}", f"{left:.1f}", f"{engine[kind]:.1f}",
                         f"{figures['ours'] - figures['floor']:.1f}"])
    return [
        "## What is above the floor",
        "",
        f"A hot request costs {hot['ours'] - hot['floor']:.1f} µs more than the floor. The engine that decides it takes {alone:.1f} µs by",
        "itself, over and over, in Node's V8.",
        "",
        "V8 first compiles a function quickly, and well only once it has run often: one that runs once a request, after up to a",
        "quarter of a million of them. A worker that has just started costs more until then (2026-11-29, cold-rs256, medians):",
        "",
        markdown([["requests answered before", "µs above the floor"], ["8,000 to 24,000", "16.8"], ["120,000 to 170,000", "10.8"],
                  ["800,000", "9.1"]]),
        "",
        "So every listener with a module answers 400,000 requests before it is timed. What is left of the difference comes of what",
        "runs between two requests: the proxy and the system go through hundreds of pages of code of their own, and what the processor",
        "remembers of the engine's is gone when the next request comes: translations of addresses, or where branches go; the machine",
        "does not tell which. (Data and code that only fill its caches, 256 KiB of one and 1 MiB of the other, change nothing.) In Node, with",
        "800 pages of other code between two requests, the engine takes half as long again, in some runs twice as long. Modules compare",
        "only in turns: before and after what seldom runs was put apart from what every request runs (2026-11-29, another,",
        "slower machine; µs, three runs each, in turns):",
        "",
        markdown([["", "alone, before", "alone, now", "among other code, before", "now"], ["hot", "2.1", "1.9", "3.7 to 4.9", "2.7 to 3.2"],
                  ["cold-hs256", "6.9", "6.7", "11.4 to 13.6", "9.3 to 10.5"], ["flood", "2.9", "2.8", "4.5 to 5.7", "3.6 to 4.1"]]),
        "",
        "In Envoy on that machine, both modules in one process, most of it brought cold-hs256 from 59.7 µs to 56.7 (± 1.4), flood from 35.5",
        "to 33.7 (± 1.8) and hot from 39.7 to 39.3 (± 0.6). `perf` has 6.3 µs of a hot request there in code that V8 made, where the floor",
        "has 1.7; and 4 µs more in Envoy's own code than beside the floor, spread over all of it: the engine pushes out what the processor",
        "remembers of Envoy, too. Likely both go by how much code a request executes, which putting code apart does not change.",
        "",
        "Hints change it, which tell V8 which branches are seldom taken (`filter/hints/`), so that it puts what seldom runs behind everything",
        "else of a function: of 982 lines of 64 bytes that a hot request executes in Node, callbacks and all, 793 are left. The system's",
        "allocator had 12 % of the time of a hot request there and 18 % of a new token's; the lists in front of it (`filter/memory/`) are",
        "too few instructions to show (2026-11-30; with them 728 to 819 lines in six runs of one module: so far do runs differ). Then the",
        "client's address, the time and the record were passed without the SDK's calls, a record was put together from two pieces, a",
        "token split without the standard library's searches: of 752 lines of a hot request (746 to 768) 670 are left (666, 675), of 830 of",
        "a forged token's (824 to 840) 785 (778, 791). In Envoy that was not seen: of the two modules in one process, the one that was named",
        "second cost 5 to 10 µs more in three starts of three, whichever it was. Comparisons that do not change the order, as those below,",
        "say little about a few microseconds.",
        "",
        "Memory counts as code does. A module that keeps what each request had, so that the next gets memory that none had before, costs 4.0",
        "and 4.6 µs more of two starts of Envoy. So what responses, replies and callers have in common is made once now, and lent; names of",
        "headers are looked out for by a few bits; and requests are found without the SDK's dispatcher. Of 690 lines of 64 bytes that a hot request",
        "executes in Node (679 to 702) 590 are left (581 to 602), of 207 that it reads and writes 177; of a forged token's 785 lines 688 (679,",
        "697). In Envoy, with most of that, both modules in one process and in turns, a hot request went from 38.8 µs to 37.2 in one start; another",
        "was too noisy. Ratios of two runs of the bench on that machine, before (2026-11-30) and after (2026-12-01):",
        "",
        markdown([["work", "before", "after"], ["hot", "1.12, 1.16", "1.14, 0.98"], ["hot, no cache", "0.58, 0.61", "0.53, 0.60"],
                  ["flood", "0.79, 0.80", "0.71, 0.69"], ["cors", "4.13", "2.68"]]),
        "",
        "What two starts of one module differ by is more than what is left to a target: of hot and flood neither \"met\" nor \"missed\" is",
        "to be had from one run there. (Between the two runs of flood after, refusals that are the same for everybody came to be kept whole.)",
        "",
        "The machine of the table at the top is faster, and Node's profiler tells there what a request takes to within a tenth. Names, ids,",
        "paths, hosts and the dots of tokens were looked at byte by byte; what is usual is told by vectors of sixteen bytes now. A token",
        "is bytes until it is verified; what was decided stands in records as it was put together once; and of a token's claims only",
        "those are kept that a condition asks for again, so that the next token finds the memory of all others at hand. Microseconds",
        "of the module's own code in Node, and what a request adds in Envoy, both modules in one process and in changing order:",
        "",
        markdown([["", "in Node, before", "now", "in Envoy, before", "now"],
                  ["hot", "1.66", "1.32 to 1.44", "10.3, 10.9, 11.2", "10.0, 9.7, 10.2"],
                  ["flood", "2.25", "2.03", "10.0", "9.5"],
                  ["cold-hs256", "5.0, 5.1", "4.3", "16.4 (vectors already)", "15.2"],
                  ["cold-es256", "4.62", "3.84", "62.8, 60.6", "56.5, 58.9"]]),
        "",
        "Since then claims stand where they were decoded, without a piece of memory for each; names of headers are bytes; a record is put",
        "together of thirteen pieces instead of eighteen, each of which V8 copies by a call out of the virtual machine; and identity",
        "headers, addresses and hosts are told sooner. Microseconds of the module's own code in Node, two runs each, on a machine three",
        "times as slow, which was busy with something else in some (four runs more of hot had 2.99 to 3.11 now):",
        "",
        markdown([["", "before", "now"], ["hot", "3.50, 3.58", "3.12, 3.69"], ["flood", "5.04, 5.10", "5.00, 5.28"],
                  ["cold-hs256", "13.3, 13.5", "10.9, 11.0"], ["cold-es256", "11.9, 13.7", "10.0, 13.3"]]),
        "",
        "In Envoy on that machine none of it is sure: what the filter adds is 70 to 80 µs of a request there, and of two modules in one",
        "process the one that was named first cost some 5 µs more, whichever it was. Hot, in three starts: 72.1 (82.3 before, named first),",
        "73.4 (72.8 before, named second), 78.4 (76.9 before, named second). A new HS256 token in one: 102.6 (96.3 before, named second).",
        "The floor alone has 0.50 to 0.59 of hot without a cache there, where the target is 0.5.",
        "",
        "In Envoy, on another machine as slow as the second, hints brought what a hot request adds from 37.4–43.0 µs (five modules without, in",
        "four starts of Envoy) to 32.4–36.5 (eight of nine modules with them; the ninth had 42.3). A new HS256 token went from 60.4 to",
        "49.4 in one start, a forged one from 36.5 to 30.3 in one and from 32.2 to 32.5 in another. What the same module costs differs",
        "by 5 µs and more from start to start there: only several starts tell anything. Beside Envoy's own filters, in one start with hints",
        "and the system's allocator: 32.5 µs, 27.6 with their cache and 50.9 without, 28.6 the floor. `perf` has 11.0 µs of a hot request in V8's code without hints and 8.6 with them (it slows",
        "down what it measures), and Envoy's own code is quicker, too.",
        "",
        "Were the engine as quick in Envoy as it is alone, and Envoy as quick beside it as beside the floor, the ratios of the run",
        "above would be:",
        "",
        markdown(warm),
        "",
        "Floors move between runs by up to 0.15 of what is beside them, and a target that leaves nearly what the engine takes is not",
        "decided by that: on the machine of the table three runs of one module, one after the other, had 0.96, 1.05 and 1.00 of hot,",
        "0.52, 0.54 and 0.51 of hot without a cache, 0.64, 0.75 and 0.68 of flood; the last, of three times as many rounds, is in the",
        "table. Two targets are out of reach of this engine. Of cold-hs256 no run on any machine left what the engine takes alone:",
        "hashing in the virtual machine has a third of what is left. Of cold-es256 the floor alone, that is the crossings and the",
        "verification that Envoy does, has the target but for a hundredth, now that it verifies other signatures each time; Envoy reads the",
        "public key anew for every signature that it is asked about, which its own filter does once. Hot without a cache is missed by",
        "about as much as two runs differ by. In two other starts of Envoy, on slower machines, the floor alone missed both targets of hot",
        "(1.08 and 0.58, 1.03 and 0.56). On the slowest, two runs on one day, of modules that decide a hot request by nearly the same code, had 1.07",
        "and 1.03 of hot, 0.57 and 0.63 of hot without a cache, of which the floors alone had 0.50 and 0.57, and 0.77 and 0.73 of flood.",
        "",
        "What helped: vectors of 128 bits, for hashing; a token's header that is parsed once; comparing tokens many bytes at a time;",
        "code that seldom runs put apart, and left there by `wasm-opt`; hints about branches; lists of small pieces of memory.",
        "Nothing came, beyond the microsecond or two that two starts of Envoy differ by, of a module a fifth smaller",
        "(`opt-level = \"s\"`), copies without bulk memory, functions in the order of their use, fewer allocations, what a response",
        "needs worked out when the policy is loaded (a twelfth less for the engine alone), tokens kept only when they come for the",
        "second time.",
        "With hints there is nothing to choose between `opt-level` 2 and 3, nor between more and less inlining by `wasm-opt`; `s` takes half",
        "as long again in Node since texts are looked at by vectors (hot: 4.9 µs, not 3.2). That a record is put together by one copy of the",
        "code spares a hot request 50 of 818 lines of code (with what Node runs around the module), and no time in Node. To copy its pieces",
        "by vectors, where V8 calls out of the virtual machine, would save 3 % of hot there and 4 % of a new HS256 token, and take another",
        "rewriting of the finished module: it is left out.",
        "Another allocator (`talc`) was tried in Node alone: 4 % of hot, and nothing sure for new tokens. Writing a response's headers",
        "in one call, those that are there included, was dearer in three starts of three (0.3 to 2 µs) than a call for each.",
        "",
    ]


def write_docs(whole, folder):
    (folder / "benchmarks.svg").write_text(chart(whole))
    (folder / "benchmarks.json").write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    routes = next((result["added_microseconds"] for result in whole["results"] if "added_microseconds" in result), None)
    machine = whole["machine"]
    page = [
        "# Benchmarks",
        "",
        "What Portcullis costs beside Envoy's own `cors` + `jwt_authn` + `rbac` + `header_mutation` doing the same job. Figures are",
        "CPU of the whole Envoy process per request, over that of a listener with no filter: a ratio of 0.5 is half the cost.",
        "All listeners are in one process with one worker and take turns, so that a busy machine disturbs them alike. Both sides",
        "write a record of every request to a file. Statuses and headers are compared before anything is timed, and each listener",
        "with a module has answered 400,000 requests.",
        "",
        f"Measured {whole['measured']} with Envoy {whole['envoy']} on {machine['system']}, {machine['cores']} cores"
        f" ({machine['processor']}): {whole['rounds']} rounds of {whole['seconds']} s each, medians.",
        *([f"Figures of the newest module are below: these are of {whole['of']}."] if "of" in whole else []),
        "",
        "![CPU added to a request](benchmarks.svg)",
        "",
        markdown([HEADINGS, *rows(whole)]),
        "",
    ]
    older = {result["work"].split()[0]: result for result in whole["results"]
             if "where" not in result and result.get("measured", whole["measured"]) != whole["measured"]}
    if older:
        where = "".join(sorted({f", on {result['on']}" for result in older.values() if "on" in result}))
        page += [f"With an older module{where}, on {max(result['measured'] for result in older.values())}: {', '.join(older)}.", ""]
    for run in whole.get("also", []):
        page += [f"The same on another machine, {run['where']}, {run['measured']}:", "", markdown([HEADINGS, *rows(run)]), ""]
    if routes:
        page += ["CPU added to a request by the number of routes, in microseconds:", "",
                 "| routes | Portcullis | Envoy's own filters |", "| --- | --- | --- |"]
        page += [f"| {int(count):,} | {added['ours']:.1f} | {f'''{added['native']:.1f}''' if 'native' in added else 'not run'} |"
                 for count, added in routes.items()]
        page.append("")
    page += [
        *(line for work, lines in EXPLAINED.items() if any(work in result["work"] or work in result for result in whole["results"])
          for line in lines),
        "",
        *floor(whole),
        *apart(whole),
        "To repeat it, on Linux with `wrk` installed:",
        "",
        "```sh",
        "make bench",
        "```",
        "",
        "Raw figures are in [benchmarks.json](benchmarks.json).",
    ]
    (folder / "benchmarks.md").write_text("\n".join(page) + "\n")
