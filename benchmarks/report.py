"""Make ``results/README.md`` and its plots from the results that are kept there, so that no figure is copied.

Run after the others; it measures nothing.
"""

from __future__ import annotations

import json
from typing import Any

from record import RESULTS

COLORS = ["#0b7a75", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#e6ab02", "#a6761d", "#666666"]


def main() -> None:
    parts = [
        "# Results\n\nMade by `python benchmarks/report.py` from the files of this folder. Every part says "
        "on what it was measured; machines are noisy, so trust the ratios more than the seconds.\n"
    ]
    for path in sorted(RESULTS.glob("speed-*.json")):
        parts.append(speed(json.loads(path.read_text(encoding="utf-8"))))
    for path in sorted((RESULTS / "two-threads").glob("speed-*.json")):
        parts.append(quickest(json.loads(path.read_text(encoding="utf-8"))))
    for name, section in (
        ("own", own),
        ("models", models),
        ("quality-gowalla", gowalla),
        ("growth", growth),
        ("large", large),
        ("recall", recall),
        ("start", start),
    ):
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(section(json.loads(path.read_text(encoding="utf-8"))))
    (RESULTS / "README.md").write_text("\n".join(parts), encoding="utf-8")


def measured(kept: dict[str, Any]) -> str:
    """Say on what, with what and by which command."""
    there, of = kept["machine"], kept["versions"]
    names = ", ".join(f"{name} {of[name]}" for name in of if of[name] != "absent")
    return (
        f"{there['cores']} cores of {there['processor']}, {there['memory_gib']} GiB; {names}; commit "
        f"{kept['commit']}; {kept['when'][:10]}; `{kept['command']}`.\n"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def speed(kept: dict[str, Any]) -> str:
    """Return the table of a data set: a row a tool, seconds and how many times ours."""
    data, rows = kept["data"], kept["rows"]
    lines, cannot = [], {}
    for row in rows:
        asked = [row["of"], row["measure"], str(row["threads"]), row["tool"]]
        if "cannot" in row:
            cannot.setdefault((row["tool"], row["cannot"]), []).append(
                f"{row['of']} {row['measure']} {row['threads']}"
            )
            continue
        times = f"{row['times_ours']:.2f}" if "times_ours" in row else ""
        lines.append([*asked, f"{row['median']:.3f}", f"{row['peak_mb']:.0f}", times])
    head = ["of", "measure", "threads", "tool", "median s", "peak MB", "times ours"]
    reasons = "".join(
        f"- {tool} cannot: {why} ({len(where)} cases)\n" for (tool, why), where in cannot.items()
    )
    draw_speed(data["name"], rows)
    return (
        f"## {data['name']}\n\n{data['users']:,} users, {data['items']:,} items, {data['ratings']:,} "
        f"ratings, Σc² {data['events_users']:.2e} (users) and {data['events_items']:.2e} (items); "
        f"40 nearest neighbors of all; Pearson with three in common at least, others with one. LensKit's "
        f"cosine is of who rated, since it centers ratings.\n\n{measured(kept)}\n"
        f"![speed](speed-{data['name']}.svg)\n\n{table(head, lines)}\n{reasons}"
    )


def quickest(kept: dict[str, Any]) -> str:
    """Return the table of one data set in two threads, beside the quickest peers, as measured last."""
    data, lines = kept["data"], []
    for row in kept["rows"]:
        if "median" in row:
            times = f"{row['times_ours']:.2f}" if "times_ours" in row else ""
            lines.append([row["of"], row["measure"], row["tool"], f"{row['median']:.3f}", times])
    head = ["of", "measure", "tool", "median s", "times ours"]
    return f"## {data['name']}, two threads, the quickest peers\n\n{measured(kept)}\n{table(head, lines)}"


def gowalla(kept: dict[str, Any]) -> str:
    """Return the ladder of Gowalla."""
    lines = [
        [
            row["name"],
            f"{row['recall']:.4f}",
            f"{row['ndcg']:.4f}",
            f"{row['seconds']:.0f}",
            f"{row['peak_mb']:.0f}",
        ]
        for row in kept["rows"]
    ]
    head = ["model", "recall@20", "NDCG@20", "fit and answer, s", "peak MB so far"]
    return (
        "## Gowalla, what is recommended\n\nNo gradient training; how settings were found is told in "
        f"`quality/gowalla.py`. Other work ran on the machine.\n\n{measured(kept)}\n{table(head, lines)}"
    )


def draw_speed(name: str, rows: list[dict[str, Any]]) -> None:
    """Draw bars: seconds in two threads (one, where a tool has no more), a panel for users and for items."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "corated"
    import matplotlib.pyplot as plt

    most = {}
    for row in rows:
        if "median" in row:
            key = row["of"], row["measure"], row["tool"]
            most[key] = min(most.get(key, float("inf")), row["median"])
    sides = list(dict.fromkeys(row["of"] for row in rows))
    tools = list(dict.fromkeys(tool for _, _, tool in most))
    figure, axes = plt.subplots(1, len(sides), figsize=(5.5 * len(sides), 3.6), squeeze=False)
    for axis, of in zip(axes[0], sides, strict=True):
        measures = list(dict.fromkeys(m for o, m, _ in most if o == of))
        width = 0.8 / max(len(tools), 1)
        for place, tool in enumerate(tools):
            found = [(i, most[of, m, tool]) for i, m in enumerate(measures) if (of, m, tool) in most]
            axis.bar(
                [i + place * width for i, _ in found],
                [seconds for _, seconds in found],
                width,
                label=tool,
                color=COLORS[place % len(COLORS)],
            )
        axis.set_xticks([i + 0.4 - width / 2 for i in range(len(measures))], measures)
        axis.set_yscale("log")
        axis.set_title(f"{name}, {of}")
        axis.set_ylabel("seconds, best of 1 and 2 threads")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][-1].legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(RESULTS / f"speed-{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def own(kept: dict[str, Any]) -> str:
    """Return the table of measures of the caller's own."""
    lines = [
        [row["form"], str(row["threads"]), f"{row['median']:.3f}", f"{row['times']:.2f}"]
        for row in kept["rows"]
    ]
    same = (
        "The three give the same neighbors." if kept["same_neighbors"] else "They differ in the last digits."
    )
    return (
        "## A measure of one's own\n\nCo-rated Pearson, built in and as a function, on the notebook's size. "
        f"{same}\n\n{measured(kept)}\n{table(['form', 'threads', 'median s', 'times built in'], lines)}"
    )


def models(kept: dict[str, Any]) -> str:
    """Return the table of models: fits, predictions and lists."""
    lines, notes = [], []
    for row in kept["rows"]:
        case = kept["cases"].get(row["case"], row["case"])
        if "cannot" in row:
            notes.append(f"- {row['tool']} cannot in {row['threads']} threads: {row['cannot']}\n")
            continue
        times = [f"{row[name]:.1f}" if name in row else "" for name in ("times_ours", "times_our_best")]
        error = f"{row['rmse']:.4f}" if "rmse" in row else ""
        peak = f"{row['peak_mb']:.0f}" if "peak_mb" in row else ""
        tool = row["tool"] + (" (extrapolated)" if "extrapolated_from" in row else "")
        lines.append([case, str(row["threads"]), tool, f"{row['median']:.3f}", peak, *times, error])
        if "extrapolated_from" in row:
            notes.append(
                f"- {row['tool']}: lists for {row['extrapolated_from']:,} users, extrapolated to all\n"
            )
        if "declared_gib" in row:
            notes.append(
                f"- EASE of Gowalla's 40,981 items declares {row['declared_gib']:.1f} GiB and is refused "
                "where there is less\n"
            )
    head = ["case", "threads", "tool", "median s", "peak MB", "times ours", "times our quickest", "RMSE"]
    return (
        "## Models\n\nFit and answer. Surprise runs in one thread; ours is beside it in one and in two.\n\n"
        f"{measured(kept)}\n{table(head, lines)}\n{''.join(dict.fromkeys(notes))}"
    )


def growth(kept: dict[str, Any]) -> str:
    """Return the growth series and draw it."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "corated"
    import matplotlib.pyplot as plt

    rows = kept["rows"]
    figure, axis = plt.subplots(figsize=(5.5, 3.6))
    axis.loglog([row["events_users"] for row in rows], [row["median"] for row in rows], "o-", color=COLORS[0])
    for row in rows:
        axis.annotate(
            f" ×{row['times']}", (row["events_users"], row["median"]), va="top", color="#444", fontsize=8
        )
    axis.set_xlabel("Σc², pairs of ratings of one item")
    axis.set_ylabel("seconds")
    axis.set_title(f"exact Pearson of all users: seconds ~ (Σc²)^{kept['exponent']:.2f}")
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "growth.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    head = ["×", "ratings", "users", "Σc²", "median s", "ns per pair event", "peak MB"]
    lines = [
        [
            f"{row['times']}",
            f"{row['ratings']:,}",
            f"{row['users']:,}",
            f"{row['events_users']:.2e}",
            f"{row['median']:.3f}",
            f"{row['median'] / row['events_users'] * 2e9:.2f}",
            f"{row['peak_mb']:.0f}",
        ]
        for row in rows
    ]
    return (
        f"## Growth\n\nThe ratings of the notebook's shape grown, users and items with the root; exact "
        f"Pearson of all users in {rows[0]['threads']} threads. Seconds grow with Σc² to the power of "
        f"{kept['exponent']:.2f}.\n\n{measured(kept)}\n![growth](growth.svg)\n\n{table(head, lines)}"
    )


def large(kept: dict[str, Any]) -> str:
    """Return the table of what is large."""
    head = [
        "case",
        "foreseen by plan, s",
        "seconds",
        "pair events",
        "rows",
        "peak MB",
        "of it before the search",
    ]
    lines = [
        [
            row["case"],
            f"{row['planned']:.1f}",
            f"{row['seconds']:.1f}",
            f"{row['events']:.2e}",
            f"{row['rows']:,}",
            f"{row['peak_mb']:.0f}",
            f"{row['before_mb']:.0f}",
        ]
        for row in kept["rows"]
    ]
    return (
        "## Large\n\n20 million ratings of 138,493 users and 26,744 items, at least three in common, and a "
        "million users with five ratings each. The plan is for everyone, also where some were chosen; the "
        f"peak is the whole process's.\n\n{measured(kept)}\n{table(head, lines)}"
    )


def recall(kept: dict[str, Any]) -> str:
    """Return the table of the approximate mode."""
    head = ["data", "measure", "max_raters", "seconds", f"recall@{kept['k']}"]
    lines = [
        [
            row["data"],
            row["measure"],
            str(row["max_raters"] or "all (exact)"),
            f"{row['seconds']:.3f}",
            f"{row['recall']:.3f}",
        ]
        for row in kept["rows"]
    ]
    return f"## At most so many raters\n\n{measured(kept)}\n{table(head, lines)}"


def start(kept: dict[str, Any]) -> str:
    """Return the table of starting."""
    lines = [[row["case"], f"{row['seconds']:.3f}"] for row in kept["rows"]]
    return (
        "## Starting\n\nWhole processes; the first compiles its kernels, the next ones find them.\n\n"
        f"{measured(kept)}\n{table(['what', 'seconds'], lines)}"
    )


if __name__ == "__main__":
    main()
