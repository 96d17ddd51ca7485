'use strict';
// Writes what recorded seeds came to into docs/reliability.md, from the lines that sites.js or chains.js has printed; of a seed that
// was run twice, the last one's.
// chains-stay: chains.js with --servers-stay, whose slowest write counts, too.
//   node bench/reshard/record.js sites|chains|chains-stay COMMIT FILE...
const fs = require('fs');
const path = require('path');

const {KINDS} = require('./site_catalogue');
const [what, commit, ...files] = process.argv.slice(2);
const all = files.flatMap((file) => fs.readFileSync(file, 'utf8').split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)));
const lines = [...new Map(all.map((line) => [line.seed, line])).values()];
const count = (some, of) => some.reduce((counts, each) => { for (const name of [of(each)].flat()) counts[name] = (counts[name] || 0) + 1; return counts; }, {});
const sum = (some, of) => some.reduce((total, each) => total + (of(each) || 0), 0);
const numbers = lines.map(({seed}) => seed).sort((a, b) => a - b);
const ranges = numbers.reduce((text, seed, i) => (i > 0 && numbers[i - 1] === seed - 1 ? text.replace(/(-\d+)?$/, `-${seed}`) : `${text}${text && ', '}${seed}`), '');
const broken = lines.filter((line) => line.broken.length > 0);
const COMMANDS = {sites: 'sites.js --first N --seeds M', chains: 'chains.js --first N --seeds M --hops 2 --blocks', 'chains-stay': 'chains.js --first N --seeds M --hops 2 --servers-stay --blocks'};
const head = [`Command: \`node bench/reshard/${COMMANDS[what]}\`; commit ${commit}; seeds ${ranges} (${lines.length}).`, ''];

function sites() {
  const ended = ['moved', 'refused', 'stopped'], row = (name, some) => `| ${name} | ${some.length} | ${ended.map((end) => some.filter((line) => line.ended === end).length).join(' | ')} |`;
  const by = (of, names) => names.map((name) => row(name, lines.filter((line) => [of(line)].flat().includes(name))));
  const names = (of) => Object.keys(count(lines, of)).sort();
  const never = Object.keys(KINDS).filter((name) => !lines.some((line) => line.ended === 'moved' && line.kinds.includes(name)));
  return [...head, `${sum(lines, ({acknowledged}) => acknowledged)} acknowledged operations; lost, changed or left where it must not be: ${broken.length === 0 ? 'nothing' : `${broken.length} seeds (${broken.map(({seed}) => seed)})`}. ` +
    `Moved: ${Math.round(100 * lines.filter(({ended: end}) => end === 'moved').length / lines.length)} %. Kinds that moved in no seed: ${never.map((name) => `${name}${lines.some((line) => line.ended !== 'refused' && line.kinds.includes(name)) ? '' : ' (a plan refuses it)'}`).join(', ') || 'none'}.`, '',
    '| | seeds | moved | refused | stopped |', '|---|---|---|---|---|', row('all', lines), ...by(({mode}) => `target: ${mode}`, names(({mode}) => `target: ${mode}`)),
    ...by(({event}) => event ? `in the middle: ${event}` : [], names(({event}) => event ? `in the middle: ${event}` : [])), ...by(({kinds}) => kinds, names(({kinds}) => kinds)),
    ...by(({settings}) => settings.map((name) => `setting ${name}`), names(({settings}) => settings.map((name) => `setting ${name}`)))];
}

function chains() {
  const total = (of) => Object.entries(lines.reduce((all, line) => { for (const [name, n] of Object.entries(of(line) || {})) all[name] = (all[name] || 0) + n; return all; }, {})).sort().map(([name, n]) => `${name}: ${n}`).join(', ');
  const block = (kind) => `${sum(lines, ({blocks}) => blocks && blocks[kind].count)}, the longest ${Math.max(...lines.map(({blocks}) => blocks ? blocks[kind].longest : 0))} ms`;
  return [...head, '| | |', '|---|---|', `| plans | ${total(({plans}) => plans)} |`, `| faults beside those of coordinators | ${total(({faults}) => faults)} |`,
    `| acknowledged through routers, past them | ${sum(lines, ({acknowledged}) => acknowledged)}, ${sum(lines, ({past}) => past && past.acknowledged)} |`, `| checked reads | ${sum(lines, ({reads}) => reads)} |`,
    ...[['uninterrupted', 'coordinators and routers that went on'], ['interrupted', 'coordinators or routers that were stopped or killed']].flatMap(([kind, whose]) => [
      `| blocks of ${whose} | ${block(kind)} |`, `| and, where a server was away, up to the commit | ${block(`${kind}, to the commit`)} |`]),
    ...what === 'chains-stay' ? [`| the slowest acknowledged write through the router that is left alone | ${Math.max(...lines.map(({slowest}) => slowest || 0)).toFixed(0)} ms |`] : [],
    `| seeds that broke a promise | ${broken.map(({seed, broken: why}) => `${seed}: ${why[0].slice(0, 200)}`).join('; ') || 'none'} |`];
}

const file = path.join(__dirname, '..', '..', 'docs', 'reliability.md'), text = fs.readFileSync(file, 'utf8');
const begin = `<!-- ${what}: begin -->`, end = `<!-- ${what}: end -->`;
if (!text.includes(begin) || !text.includes(end)) throw new Error(`${file} has no place for it: ${begin} and ${end} are missing`);
fs.writeFileSync(file, `${text.slice(0, text.indexOf(begin) + begin.length)}\n${{sites, chains, 'chains-stay': chains}[what]().join('\n')}\n${text.slice(text.indexOf(end))}`);
