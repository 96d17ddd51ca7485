#!/usr/bin/env node
'use strict';
// Draws what a soak measured, as SVG that reads well in light and dark: memory, descriptors and times over time, and below them what
// happened.
//
//   node tests/soak/plot.js build/soak.json docs/soak.svg
const fs = require('fs');

const MB = 1 << 20;
const WIDTH = 1000, LEFT = 70, RIGHT = 160, PANEL = 190, GAP = 46, ROW = 13, COLUMNS = 500;
/** In the light; and in the dark, where a viewer says so. */
const COLOURS = {ink: ['#24292f', '#e6edf3'], faint: ['#d0d7de', '#3d444d'], paper: ['#ffffff', '#0d1117'], blue: ['#0969da', '#4493f8'], orange: ['#bc4c00', '#f0883e'], green: ['#1a7f37', '#3fb950'], purple: ['#8250df', '#ab7df8']};

const text = (x, y, words, more = '') => `<text class="ink" x="${x}" y="${y}" fill="${COLOURS.ink[0]}" ${more}>${words}</text>`;
const right = WIDTH - RIGHT, one = (value) => Math.round(value * 10) / 10;

/** Round numbers up to `most`; or powers of ten and thirds of them, from `least` on. */
function ticks(least, most, log) {
  if (log) return [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000].filter((tick) => tick >= least && tick <= most);
  const rough = most / 4, ten = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= rough);
  return Array.from({length: Math.floor(most / step) + 1}, (_, i) => i * step);
}

/** Of each column of the plot the least, the middle and the most of the values that lie in it. */
function columns(points, seconds, of) {
  const found = new Map();
  for (const point of points) {
    const column = Math.floor(point.at / seconds * COLUMNS);
    if (!found.has(column)) found.set(column, []);
    found.get(column).push(of(point));
  }
  return [...found].map(([column, values]) => {
    values.sort((a, b) => a - b);
    return {at: (column + 0.5) / COLUMNS * seconds, least: values[0], middle: values[values.length >> 1], most: values[values.length - 1]};
  });
}

/** `lines`: [{name, colour, dashed}, with `of` each second (`of`), each part (`ofPart`), or always the same (`level`)]. */
function panel(top, title, lines, {seconds, points, parts}, log) {
  const same = (at, value) => ({at, least: value, middle: value, most: value});
  const drawn = lines.map((line) => ({...line, at: line.level !== undefined ? [0, seconds].map((at) => same(at, line.level)) : line.ofPart ? parts.map((part) => same(part.at, line.ofPart(part))) : columns(points, seconds, line.of)}));
  const most = Math.max(1, ...drawn.flatMap(({at}) => at.map((column) => column.most))) * (log ? 1.3 : 1.05), least = log ? Math.max(0.5, 0.7 * Math.min(...drawn.flatMap(({at}) => at.map((column) => column.least)))) : 0;
  const bottom = top + PANEL, x = (at) => one(LEFT + at / seconds * (right - LEFT));
  const share = (value) => log ? Math.log(Math.max(value, least) / least) / Math.log(most / least) : value / most, y = (value) => one(bottom - share(value) * PANEL);
  const out = [text(LEFT, top - 10, title, 'font-weight="600"')];
  for (const tick of ticks(least, most, log)) {
    out.push(`<line class="faint" x1="${LEFT}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}" stroke="${COLOURS.faint[0]}"/>`);
    out.push(text(LEFT - 8, y(tick) + 4, tick >= 1000 ? `${tick / 1000}k` : tick, 'text-anchor="end"'));
  }
  drawn.forEach(({name, colour, at, dashed}, i) => {
    const band = [...at.map((column) => `${x(column.at)},${y(column.most)}`), ...[...at].reverse().map((column) => `${x(column.at)},${y(column.least)}`)];
    out.push(`<polygon class="fill-${colour}" points="${band.join(' ')}" fill="${COLOURS[colour][0]}" fill-opacity="0.18"/>`);
    out.push(`<polyline class="${colour}" points="${at.map((column) => `${x(column.at)},${y(column.middle)}`).join(' ')}" fill="none" stroke="${COLOURS[colour][0]}" stroke-width="1.5"${dashed ? ' stroke-dasharray="5 3"' : ''}/>`);
    const level = top + 12 + 20 * i;
    out.push(`<line class="${colour}" x1="${right + 14}" x2="${right + 36}" y1="${level - 4}" y2="${level - 4}" stroke="${COLOURS[colour][0]}" stroke-width="2"${dashed ? ' stroke-dasharray="5 3"' : ''}/>`, text(right + 42, level, name));
  });
  return out.join('\n');
}

/** A row for each kind of what happened, a mark from its begin to its end: operators and shards first, then hostile clients. */
function marks(top, {seconds, events, hostile}) {
  const place = (kind) => `${hostile.includes(kind) ? 1 : 0} ${kind}`, kinds = [...new Set(events.map(({kind}) => kind))].sort((a, b) => place(a) < place(b) ? -1 : 1), x = (at) => LEFT + Math.min(at, seconds) / seconds * (right - LEFT);
  const rows = kinds.map((kind, i) => {
    const colour = hostile.includes(kind) ? 'purple' : 'orange', y = top + i * ROW, own = events.filter((event) => event.kind === kind);
    return own.map(({from, until = from}) => `<rect class="fill-${colour}" x="${one(x(from))}" y="${y}" width="${one(Math.max(1.2, x(until) - x(from)))}" height="${ROW - 4}" fill="${COLOURS[colour][0]}"/>`).join('')
      + text(right + 14, y + ROW - 4, kind.replaceAll('_', ' '), 'font-size="10.5"');
  });
  return {height: kinds.length * ROW, svg: rows.join('\n')};
}

function timeAxis(y, seconds) {
  const minutes = seconds >= 300, step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((each) => seconds / each <= 12) || 3600;
  return Array.from({length: Math.floor(seconds / step) + 1}, (_, i) => text(one(LEFT + i * step / seconds * (right - LEFT)), y, minutes ? `${one(i * step / 60)}` : `${i * step}`, 'text-anchor="middle"')).join('\n')
    + text(right + 14, y, minutes ? 'minutes' : 'seconds');
}

function style() {
  const classes = (i) => Object.entries(COLOURS).map(([name, colours]) => {
    if (name === 'ink') return `.ink{fill:${colours[i]}}`;
    return name === 'paper' ? `.paper{fill:${colours[i]}}` : `.${name}{stroke:${colours[i]}}.fill-${name}{fill:${colours[i]}}`;
  }).join('');
  return `<style>${classes(0)}@media (prefers-color-scheme: dark){${classes(1)}}</style>`;
}

/** `run`: {seconds, points, parts, events, hostile: which kinds of those are, boundMB, rate, seed}. */
function plot(run) {
  const panels = [
    ['Memory, MB', [{name: 'RSS', colour: 'orange', of: ({resident}) => resident / MB}, {name: 'RssAnon', colour: 'blue', of: ({own}) => own / MB}, {name: 'held for clients', colour: 'green', of: ({held}) => held / MB, dashed: true}, {name: 'bound of RssAnon', colour: 'purple', level: run.boundMB, dashed: true}], false],
    ['Descriptors (logarithmic)', [{name: 'descriptors', colour: 'blue', of: ({descriptors}) => descriptors}], true],
    ['Time of a request of the open loop from when it was due, ms (logarithmic)', [{name: 'p99 of a second', colour: 'orange', of: ({p99}) => p99}, {name: `p99 of ${one(run.seconds / 60)} s`, colour: 'purple', ofPart: ({p99}) => p99}, {name: 'p50 of a second', colour: 'blue', of: ({p50}) => p50}], true],
  ];
  const bodies = panels.map(([title, lines, log], i) => panel(70 + i * (PANEL + GAP), title, lines, run, log));
  const below = 70 + panels.length * (PANEL + GAP) - 14, {height, svg} = marks(below + 12, run), whole = below + height + 30;
  const head = text(LEFT, 28, `A soak of ${run.seconds} s: ${run.rate} requests a second, seed ${run.seed}; bands: least and most, lines: median`, 'font-size="14"');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${whole}" font-family="sans-serif" font-size="12">\n${style()}\n`
    + `<rect class="paper" width="${WIDTH}" height="${whole}" fill="${COLOURS.paper[0]}"/>\n${[head, ...bodies, timeAxis(below, run.seconds), svg].join('\n')}\n</svg>\n`;
}

if (require.main === module) fs.writeFileSync(process.argv[3], plot(JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))));

module.exports = {plot};
