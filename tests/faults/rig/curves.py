"""Small curves as SVG, one below the other."""

from __future__ import annotations

WIDTH, HEIGHT, LEFT, GAP = 720, 90, 60, 34


def svg(rows: list[dict[str, float]], across: str, wanted: list[tuple[str, str]]) -> str:
    """A panel for each wanted column with its title; `across` is the column of the horizontal axis, in seconds."""
    last = max(row[across] for row in rows) or 1
    panels = []
    for number, (key, title) in enumerate(wanted):
        top = number * (HEIGHT + GAP) + GAP
        values = [(row[across], row[key]) for row in rows if row[key] == row[key]]
        high = max((value for _, value in values), default=0) * 1.05 or 1
        points = " ".join(f"{LEFT + x / last * WIDTH:.1f},{top + HEIGHT - y / high * HEIGHT:.1f}" for x, y in values)
        panels.append(
            f'<text x="{LEFT}" y="{top - 6}">{title}</text>'
            f'<text x="{LEFT - 4}" y="{top + 10}" text-anchor="end">{high:.4g}</text>'
            f'<text x="{LEFT - 4}" y="{top + HEIGHT}" text-anchor="end">0</text>'
            f'<path d="M{LEFT} {top}V{top + HEIGHT}H{LEFT + WIDTH}" fill="none" stroke="#999"/>'
            f'<polyline points="{points}" fill="none" stroke="#2563eb"/>')
    total = len(wanted) * (HEIGHT + GAP) + GAP
    foot = f'<text x="{LEFT + WIDTH}" y="{total - 8}" text-anchor="end">{last / 60:.0f} min</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{total}" '
            f'font-family="sans-serif" font-size="11">{"".join(panels)}{foot}</svg>\n')
