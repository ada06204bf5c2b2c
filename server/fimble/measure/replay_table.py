"""The report of a replay on the screen."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text


def replay_table(report: dict[str, Any]) -> Group:
    """Return everything a replay found, as tables."""
    typing = report["typing"]
    latencies = latency_table("Milliseconds to the first suggestion line")
    for name, figures in typing["first_line_ms"].items():
        add_latency(latencies, name, figures)
    add_latency(latencies, "typed along, in the server", typing["typed_along_server_ms"])
    add_latency(latencies, "to the first token", typing["first_token_ms"])
    for name, figures in report.get("preemption", {}).items():
        add_latency(latencies, f"waits {words(name)}", figures)
    if switch := report.get("switch"):
        add_latency(latencies, "file switch", switch["total_ms"])
        add_latency(latencies, "file switch, first token", switch["first_token_ms"])
    sentences = (Text(line) for line in _sentences(report))
    return Group(latencies, Text(), *sentences, *_course(report.get("course")))


def _course(course: dict[str, Any] | None) -> list[Table | Text]:
    """What was seen on the way, if anybody looked."""
    if course is None:
        return []
    table = Table(title="On the way (megabytes)", title_justify="left", box=None)
    for heading in course["looks"][0]:
        table.add_column(words(heading), justify="right")
    for one in course["looks"]:
        table.add_row(*(f"{value}" for value in one.values()))
    sentence = f"grown by {course['growth_mb']} MB without KV state in {course['growth_keys']} keys"
    return [Text(), table, Text(sentence)]


def latency_table(title: str) -> Table:
    """Return an empty table for `add_latency`."""
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("")
    for heading in ("keys", "p50", "p95", "p99"):
        table.add_column(heading, justify="right")
    return table


def add_latency(table: Table, name: str, figures: dict[str, float]) -> None:
    """Add a row unless there is nothing to say."""
    if figures["count"]:
        shares = (f"{figures[share]:.1f}" for share in ("p50", "p95", "p99"))
        table.add_row(name, str(figures["count"]), *shares)


def words(name: str) -> str:
    """Turn a name of the JSON report into words."""
    return name.removesuffix("_ms").replace("_", " ")


def _sentences(report: dict[str, Any]) -> list[str]:
    typing, memory = report["typing"], report["memory"]
    share = {name: f"{part:.1%}" for name, part in typing["share"].items() if part is not None}
    lines = [
        f"{report['file']}: {report['keys']} keys; first touch {report['first_touch_ms']:.0f} ms",
        f"answers: {', '.join(f'{name} {part}' for name, part in share.items())}",
        f"memory: {memory['rss_mb']:.0f} MB, at most {memory['peak_rss_mb']:.0f} MB",
    ]
    if typing["evaluated"]["count"]:
        lines.insert(
            2,
            "tokens read before the first new one:"
            f" median {typing['evaluated']['median']}, mean {typing['evaluated']['mean']};"
            f" reused {typing['reuse_ratio']:.1%}; decode step {typing['decode_step_ms']} ms",
        )
    if restart := report.get("restart"):
        cold, warm = restart["cold"], restart["warm"]
        lines.append(
            f"opening the file: cold {cold['first_answer_ms']:.0f} ms, after a restart"
            f" {warm['first_answer_ms']:.0f} ms; to the first token"
            f" {cold['first_token_ms']:.0f} and {warm['first_token_ms']:.0f} ms"
        )
    load = report["machine"]
    lines.append(f"machine: load {load['load_before']} before and {load['load_after']} after")
    return lines
