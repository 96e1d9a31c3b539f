"""What ran beside what in one run, as an SVG picture without anything from outside."""

from collections.abc import Sequence
from html import escape

from benchmarks.boot.boot import Span

WIDTH, LEFT, RIGHT, ROW, TOP = 980, 90, 20, 22, 46
COLOURS = {"agent": "#4c78a8", "prefetch": "#f58518", "tasks": "#54a24b", "runner": "#b279a2"}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #222 } .line { stroke: #8884 } rect.back { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } rect.back { fill: #111 } }
"""


def timeline(title: str, spans: Sequence[Span], until: float) -> str:
    """The picture.

    Args:
        title: stands above it.
        spans: a bar each; what ends later is cut.
        until: the last second shown.
    """
    shown = sorted((s for s in spans if s.began < until), key=lambda s: (s.began, s.ended))
    height = TOP + ROW * len(shown) + 30
    per_second = (WIDTH - LEFT - RIGHT) / until
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    step = 0.5 if until <= 6 else 1.0
    for tick in range(int(until / step) + 1):
        x = LEFT + tick * step * per_second
        parts.append(f'<line class="line" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 22}"/>')  # fmt: skip
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{tick * step:g} s</text>')  # fmt: skip
    for row, span in enumerate(shown):
        parts += _bar(span, TOP + row * ROW, per_second, until)
    return "\n".join([*parts, "</svg>", ""])


def _bar(span: Span, y: float, per_second: float, until: float) -> list[str]:
    x = LEFT + span.began * per_second
    width = max(2.0, (min(span.ended, until) - span.began) * per_second)
    label = f"{span.name}  {span.ended - span.began:.2f} s"
    fits = x + width + 8 * len(label) < WIDTH
    at, anchor = (x + width + 5, "start") if fits else (x - 5, "end")
    return [
        f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end" opacity="0.7">{escape(span.lane)}</text>',
        f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW - 6}" rx="2" fill="{COLOURS[span.lane]}"/>',
        f'<text x="{at:.1f}" y="{y + 13}" text-anchor="{anchor}">{escape(label)}</text>',
    ]
