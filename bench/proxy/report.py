"""Tables and plots of what compare.py, figures.py and instructions.py found."""
import pathlib
import statistics
import subprocess

PUMP_TOLERANCE = 0.15


def median_ratio(rounds, name, base):
    return statistics.median(one[name]["processor"] / one[base]["processor"] for one in rounds)


def spread(rounds, name, base):
    ratios = sorted(one[name]["processor"] / one[base]["processor"] for one in rounds)
    return f"{ratios[0]:.2f} to {ratios[-1]:.2f}"


def median_of(rounds, name, *path):
    values = []
    for one in rounds:
        value = one[name]
        for key in path:
            value = value[key]
        values.append(value)
    return statistics.median(values)


def ratio_table(group):
    lines = ["| scenario | reach | router | spread | router over pump (reach over the quiet pump) | pump (quiet machine) | nginx | router µs | HAProxy µs | router/s | HAProxy/s | counts |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for name, found in group.items():
        rounds = found["rounds"]
        pump = median_ratio(rounds, "pump", "haproxy")
        counts = abs(pump / found["pump"] - 1) <= PUMP_TOLERANCE if found["pump"] else None
        over_pump = f"{median_ratio(rounds, 'router', 'pump'):.2f}" + (f" ({found['reach'] / found['pump']:.2f})" if found["pump"] else "")
        lines.append(f"| {name} | {found['reach'] or '–'} | **{median_ratio(rounds, 'router', 'haproxy'):.2f}** | {spread(rounds, 'router', 'haproxy')} | "
                     f"{over_pump} | {pump:.2f} ({found['pump'] or '–'}) | {median_ratio(rounds, 'nginx', 'haproxy'):.2f} | "
                     f"{median_of(rounds, 'router', 'processor'):.2f} | {median_of(rounds, 'haproxy', 'processor'):.2f} | "
                     f"{median_of(rounds, 'router', 'rate'):,.0f} | {median_of(rounds, 'haproxy', 'rate'):,.0f} | "
                     f"{'–' if counts is None else 'yes' if counts else 'no'} |")
    return "\n".join(lines)


def own_table(group):
    lines = ["| load | over the first | ratio of processor time | spread | µs |", "|---|---|---|---|---|"]
    for name, found in group.items():
        first, *others = found["rounds"][0]
        lines.append(f"| {name} | {first} | 1 | – | {median_of(found['rounds'], first, 'processor'):.2f} |")
        for other in others:
            lines.append(f"| | {other} | **{median_ratio(found['rounds'], other, first):.2f}** | {spread(found['rounds'], other, first)} | "
                         f"{median_of(found['rounds'], other, 'processor'):.2f} |")
    return "\n".join(lines)


def load_table(group):
    lines = ["| requests a second | direct p50, p99 | HAProxy p50, p99 | nginx p50, p99 | router p50, p99 | added by the router |", "|---|---|---|---|---|---|"]
    for name, found in group.items():
        cells = []
        for system in ("direct", "haproxy", "nginx", "router"):
            cells.append(f"{median_of(found['rounds'], system, 'latency', 'p50'):.0f}, {median_of(found['rounds'], system, 'latency', 'p99'):.0f}")
        added = [statistics.median(one["router"]["latency"][part] - one["direct"]["latency"][part] for one in found["rounds"]) for part in ("p50", "p99")]
        lines.append(f"| {int(name):,} | " + " | ".join(cells) + f" | {added[0]:.0f}, {added[1]:.0f} |")
    return "\n".join(lines)


def gnuplot(commands):
    subprocess.run(["gnuplot"], input=commands, text=True, check=True)


STYLE = """set terminal svg size 900,420 font 'sans-serif,13' background '#ffffff'
set border 3 lc rgb '#666666'
set tics nomirror
set grid ytics lc rgb '#dddddd'
"""
COLOURS = {"direct": "#999999", "pump": "#bbbbbb", "haproxy": "#c2410c", "nginx": "#15803d", "router": "#1d4ed8"}
NAMES = {"direct": "no proxy", "pump": "minimal pump", "haproxy": "HAProxy", "nginx": "nginx", "router": "moray-router"}


def plot_latency(group, path):
    """Latency by load: median and 99th percentile of each."""
    systems = ("direct", "haproxy", "nginx", "router")
    blocks, plots = [], []
    for index, system in enumerate(systems):
        rows = [f"{name} {median_of(found['rounds'], system, 'latency', 'p50')} {median_of(found['rounds'], system, 'latency', 'p99')}"
                for name, found in group.items()]
        blocks.append(f"$d{index} << EOD\n" + "\n".join(rows) + "\nEOD")
        colour = COLOURS[system]
        plots.append(f"$d{index} using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb '{colour}' title '{NAMES[system]}, median'")
        plots.append(f"$d{index} using 1:3 with linespoints lw 2 dt 2 pt 6 ps 0.5 lc rgb '{colour}' title '99th percentile'")
    gnuplot("\n".join(blocks) + "\n" + STYLE + f"set output '{path}'\nset title 'Latency by load, 32 connections, open loop'\n"
            "set logscale xy\nset xlabel 'requests a second'\nset ylabel 'microseconds'\nset format x '%.0f'\nset key outside right\n"
            "set xtics (2000, 5000, 10000, 20000, 40000, 80000)\nplot " + ", ".join(plots) + "\n")


def plot_processor(group, path):
    """Processor time a request, each scenario over HAProxy's."""
    systems = ("pump", "haproxy", "nginx", "router")
    rows = ["scenario " + " ".join(systems)]
    for name, found in group.items():
        rows.append(f'"{name}" ' + " ".join(f"{median_ratio(found['rounds'], system, 'haproxy'):.3f}" for system in systems))
    plots = [f"$d using {column + 2}:xtic(1) title '{NAMES[system]}' lc rgb '{COLOURS[system]}'" for column, system in enumerate(systems)]
    gnuplot("$d << EOD\n" + "\n".join(rows[1:]) + "\nEOD\n" + STYLE + f"set output '{path}'\n"
            "set title 'Processor time of the proxy for a request, over HAProxy (one thread)'\n"
            "set style data histograms\nset style histogram clustered gap 1\nset style fill solid border -1\nset boxwidth 0.9\n"
            "set yrange [0:*]\nset xtics rotate by -20 scale 0\nset key outside right\nplot " + ", ".join(plots) + "\n")


def replace_section(path: pathlib.Path, name, text):
    """Puts a text between a file's markers of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    whole = path.read_text(encoding="utf-8")
    if begin not in whole:
        whole += f"\n{begin}\n{end}\n"
    before, rest = whole.split(begin)
    after = rest.split(end)[1]
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
