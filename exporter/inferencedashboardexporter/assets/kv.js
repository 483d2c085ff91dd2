// What fills the KV cache: the pool by use, misses by cause, storms, and what another size would do.
import { $, h, morph, s, shorten } from './dom.js';
import { byFirst, confidenceOf, has, points, silence, subjectsOf, total, valueOf, withheld } from './figures.js';
import { bytes, count, figure, percent, seconds, unknown } from './format.js';
import { metricButton } from './metric.js';
import { fact, facts, legend, limited, nothing, silentNote, stack, tag, withheldNote } from './parts.js';

const uses = [['live', 'live'], ['cached_useful', 'cached, will be hit'], ['reserved', 'reserved for KV on its way'], ['pinned', 'pinned until fetched'],
  ['tail_waste', 'tail of last blocks'], ['cached_dead', 'cached, dead'], ['unattributed', 'cached or free: which is not told'], ['free', 'free']];
const causes = [['compulsory', 'never seen'], ['capacity', 'evicted'], ['routing', 'on another worker'], ['reset', 'cache cleared'],
  ['loaded', 'in a lower tier'], ['partial', 'in no full block'], ['unknown', 'unknown']];

/** Shows the KV caches of a fleet's workers, or of the one chosen. */
export function showKV(fleetID, worker) {
  const chosen = subjectsOf('worker', fleetID).filter((x) => !worker || x.id === worker.id);
  const all = chosen.filter((x) => has(x, 'kv')).sort((a, b) => a.name < b.name ? -1 : 1);
  const box = $('kv-body');
  const silent = silence(chosen, 'kv');
  if (!all.length) {
    return morph(box, silentNote(silent, true) ?? nothing('Nothing is known of the KV cache yet. The ', h('code', null, 'kv_fragmentation'), ' processor tells what fills it.'));
  }
  const size = points(all[0], 'kv', 'llm.kv_cache.memory').length ? ['llm.kv_cache.memory', bytes] : ['llm.kv_cache.tokens', (v) => `${count(v)} tokens`];
  const focus = [...all].sort((a, b) => gain(b) - gain(a))[0];
  morph(box,
    silentNote(silent, false, 'worker'),
    pool(all, size),
    h('div', { class: 'pair' }, h('div', null, misses(all)), h('div', null, whatIf(focus, all.length > 1))),
    all.length > 1 ? h('ul', { class: 'subjects' }, ...limited(all, (x) => row(x, size), 8, 'worker', 'kv')) : null,
    withheldNote(all.flatMap((x) => withheld(x, 'llm.kv_cache'))));
}

const parts = (by, table, stem) => table.map(([key, name]) => ({ name, value: by[key] ?? 0, kind: `${stem}-${key}` }));

function pool(all, [metric, say]) {
  const known = all.filter((x) => points(x, 'kv', metric).length);
  const list = parts(total(known.map((x) => byFirst(x, 'kv', metric))), uses, 'u');
  const sum = list.reduce((a, p) => a + p.value, 0);
  const storm = all.filter((x) => valueOf(x, 'kv', 'llm.kv_cache.storm') === 1);
  const thrash = most(all, 'llm.kv_cache.thrash.ratio'), waste = most(all, 'llm.kv_cache.fragmentation');
  const lowest = all.map((x) => valueOf(x, 'kv', 'llm.kv_cache.free.lowest')).filter((v) => v !== null);
  const hit = most(all, 'llm.kv_cache.hit.ratio', Math.min);
  return h('div', null,
    known.length ? h('p', { class: 'sub-head' }, h('b', null, `Pool of ${say(sum)}`), ` by use${all.length > 1 ? `, ${known.length} of ${all.length} workers` : ''} `, metricButton('the pool by use', metric)) : null,
    known.length ? stack(list, sum, say, 'KV pool by use') : nothing('What the pool is used for is not known.'),
    known.length ? legend(list, say, sum) : null,
    facts(
      fact('Serves no tokens', 'llm.kv_cache.fragmentation', percent(waste), all.length > 1 ? 'of the pool, worst worker' : 'of the pool', waste > 0.3 ? 'miss' : ''),
      fact('Hit ratio', 'llm.kv_cache.hit.ratio', percent(hit), all.length > 1 ? 'of prompt tokens, lowest worker' : 'of prompt tokens'),
      fact('Thrash', 'llm.kv_cache.thrash.ratio', percent(thrash), 'of stored tokens had just been evicted', thrash > 0.2 ? 'miss' : ''),
      fact('Eviction storm', 'llm.kv_cache.storm', storm.length ? '▲ now' : all.some((x) => valueOf(x, 'kv', 'llm.kv_cache.storm') === 0) ? 'none' : unknown,
        storm.length ? (all.length > 1 ? `${storm.length} of ${all.length} workers` : surge(storm[0])) : 'evictions against calm times', storm.length ? 'miss' : ''),
      fact('Computed again', 'llm.kv_cache.waste.tokens', sumOf(all, 'llm.kv_cache.waste.tokens') === null ? unknown : `${count(sumOf(all, 'llm.kv_cache.waste.tokens'))}/s`, 'tokens that had been computed before'),
      fact('Least free', 'llm.kv_cache.free.lowest', lowest.length ? percent(Math.min(...lowest)) : unknown, 'in the last hour')));
}

const surge = (x) => { const v = valueOf(x, 'kv', 'llm.kv_cache.eviction.surge'); return v === null ? 'evictions far above calm times' : `${figure(v)} times the calm rate`; };

function most(all, metric, pick = Math.max) {
  const values = all.map((x) => metric.endsWith('hit.ratio') ? valueOf(x, 'kv', metric, 'local') : valueOf(x, 'kv', metric)).filter((v) => v !== null);
  return values.length ? pick(...values) : null;
}

const sumOf = (all, metric) => {
  const values = all.flatMap((x) => points(x, 'kv', metric).map((p) => p.value));
  return values.length ? values.reduce((a, v) => a + v, 0) : null;
};

function misses(all) {
  const by = total(all.map((x) => byFirst(x, 'kv', 'llm.kv_cache.miss.tokens')));
  const list = parts(by, causes, 'm'), sum = list.reduce((a, p) => a + p.value, 0);
  const say = (v) => `${count(v)}/s`;
  return h('div', null,
    h('p', { class: 'sub-head' }, h('b', null, 'Misses by cause'), sum > 0 ? ` ${say(sum)} prompt tokens not found ` : ' ', metricButton('misses by cause', 'llm.kv_cache.miss.tokens')),
    sum > 0 ? stack(list, sum, say, 'Misses by cause') : nothing('No cause is known. KV events of the engine tell why a prompt was not found.'),
    sum > 0 ? legend(list, say, sum) : null);
}

const scales = ['0.5', '1', '2', '4'];
const curve = (x) => scales.map((k) => valueOf(x, 'kv', 'llm.kv_cache.hit.ratio.predicted', k));
const gain = (x) => { const [, now, twice] = curve(x); return now === null || twice === null ? -1 : twice - now; };

function whatIf(x, several) {
  const head = h('p', { class: 'sub-head' }, h('b', null, 'If the cache were …'), several && gain(x) >= 0 ? ` ${shorten(x.name, 30)}, which would gain most ` : ' ', metricButton('the predicted hit ratio', 'llm.kv_cache.hit.ratio.predicted'));
  const values = curve(x);
  if (values.filter((v) => v !== null).length < 2) return h('div', null, head, nothing('No forecast: it follows from how far apart prompts repeat, which KV events tell.'));
  const sure = confidenceOf(x, 'llm.kv_cache.hit.ratio.predicted');
  const at = scales.map((_, i) => [56 + i * 96, values[i] === null ? null : 120 - 96 * values[i]]);
  const drawn = at.filter(([, y]) => y !== null);
  const saved = valueOf(x, 'kv', 'llm.kv_cache.saved.ttft', '2');
  return h('div', null, head,
    s('svg', { class: 'drawn curve', viewBox: '0 0 400 152', role: 'img', 'aria-label': scales.map((k, i) => `${k} times the size: ${percent(values[i])} hit`).join(', ') },
      s('line', { class: 'axis', x1: 28, x2: 372, y1: 120, y2: 120 }),
      s('polyline', { class: 'line', points: drawn.map((p) => p.join()).join(' ') }),
      ...at.flatMap(([px, y], i) => [
        y === null ? null : s('circle', { class: scales[i] === '1' ? 'now' : 'dot', cx: px, cy: y, r: scales[i] === '1' ? 6 : 4 }),
        y === null ? null : s('text', { x: px, y: Math.max(14, y - 12), class: 'value' }, percent(values[i])),
        s('text', { x: px, y: 142, class: 'tick' }, scales[i] === '1' ? 'as it is' : `${scales[i]}×`)])),
    h('p', { class: 'hint' }, [saved !== null && Math.abs(saved) >= 5e-4 ? `Twice the size would take ${seconds(saved)} off the mean time to first token.` : '', sure !== null ? `Confidence ${figure(sure, 2)} of 1.` : ''].filter(Boolean).join(' ')));
}

function row(x, [metric, say]) {
  const list = parts(byFirst(x, 'kv', metric), uses, 'u'), sum = list.reduce((a, p) => a + p.value, 0);
  return h('li', { 'data-key': x.id },
    h('button', { class: 'plain link name', type: 'button', 'data-worker': x.id, title: x.name }, shorten(x.name, 34)),
    sum > 0 ? stack(list, sum, say, `KV pool of ${shorten(x.name, 40)}`) : h('span', { class: 'hint' }, 'pool not known'),
    h('span', { class: 'figures' }, `hit ${percent(valueOf(x, 'kv', 'llm.kv_cache.hit.ratio', 'local'))}`, valueOf(x, 'kv', 'llm.kv_cache.fragmentation') === null ? '' : ` · serves nothing ${percent(valueOf(x, 'kv', 'llm.kv_cache.fragmentation'))}`),
    valueOf(x, 'kv', 'llm.kv_cache.storm') === 1 ? tag('▲ storm', 'critical') : h('span'));
}
