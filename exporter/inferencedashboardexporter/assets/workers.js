// One row per worker, in a fixed order. Rows are made once and then only their changed cells are written.
import { $, h, setAttr, setText, shorten } from './dom.js';
import { age, bucket, figure, percent, quantile, quantileName, seconds, shares, unknown } from './format.js';
import { withheld } from './figures.js';
import { metricButton } from './metric.js';
import { reason } from './parts.js';
import { partial, partInWords, state, worse } from './state.js';
import { Visible } from './visible.js';

const pageRows = 250;
const orderFrom = 50; // workers from which on the worst come first, where the reader has not said how
const rankedFor = 30000; // ms for which an order of the worst stands: rows that jump cannot be read
const phases = ['prefill', 'decode', 'idle', 'unattributed'];
const percentiles = ['p50', 'p90', 'p99'];
const rows = new Map();
const cells = new WeakMap(); // percentiles by their table cell
let shown = '';
let again = () => {};
let ranking = { of: '', at: 0, place: new Map() };
const inView = new Visible(() => again());

const blockRows = 1000; // as many as the exporter tells at once
const pagesOf = (rows) => Math.max(1, Math.ceil(rows / pageRows));

/** How many of the worst workers are passed over where a page of rows begins that is not told: blocks are told whole. Beyond the last page is
 *  the last one. */
export function blockOf(page) {
  const last = partial() ? pagesOf(state.scope.matching) : page;
  return Math.floor((Math.min(page, last) - 1) * pageRows / blockRows) * blockRows;
}

/** Shows a page of the workers of a fleet that match the filter. */
export function showWorkers(fleet, workers, { filter, order, page, apart }, selected) {
  showHead(fleet);
  const all = fleet.workers.total;
  const worst = order ? order === 'worst' : all >= orderFrom;
  let wanted = workers.filter((w) => matches(w, filter));
  const { matching, from, most } = state.scope;
  if (partial() && wanted.length > Math.min(most, matching - from)) wanted = wanted.filter((w) => w.id !== apart); // told beside the rows
  if (worst) wanted = ranked(wanted, `${fleet.id}\n${filter}\n${from}`);
  const told = partial() ? Math.max(matching, wanted.length) : wanted.length;
  const pages = pagesOf(told);
  const shownPage = Math.min(Number(page), pages);
  const first = (shownPage - 1) * pageRows;
  const visible = first < from ? [] : wanted.slice(first - from, first - from + pageRows);
  setText($('count'), counting(fleet, all, told, filter));
  setText($('more'), told > pageRows ? `Rows ${first + 1} to ${Math.min(first + pageRows, told)} of ${told}${worst ? ', the worst first' : partial() ? `, by name within ${partInWords()}` : ''}.` : wanted.length ? '' : 'No worker matches the filter.');
  $('pages').hidden = pages < 2;
  for (const [id, to] of [['page-before', shownPage - 1], ['page-after', shownPage + 1]]) {
    $(id).disabled = to < 1 || to > pages;
    setAttr($(id), 'data-page', String(to));
  }
  $('order').hidden = all < 8;
  setText($('order'), worst ? 'Order: worst first' : 'Order: by name');
  setAttr($('order'), 'data-order', worst ? 'name' : 'worst');
  $('filter').hidden = workers.length < 8 && !filter && document.activeElement !== $('filter'); // it may have been asked for by a key

  const ids = visible.map((w) => w.id).join();
  if (ids !== shown) place(visible, ids);
  const now = performance.now();
  for (const w of visible) {
    const r = rows.get(w.id);
    if (inView.due(r.tr, now)) showRow(r, w, fleet, w.id === selected);
  }
}

/** Workers in the order of their trouble, which stands for a while. Who has come since is last. */
function ranked(workers, of) {
  if (ranking.of !== of || state.at - ranking.at > rankedFor || state.at < ranking.at) {
    ranking = { of, at: state.at, place: new Map([...workers].sort(worse).map((w, i) => [w.id, i])) };
  }
  const place = (w) => ranking.place.get(w.id) ?? ranking.place.size;
  return [...workers].sort((a, b) => place(a) - place(b));
}

/** Makes all rows due, after a choice of the reader. */
export const expireWorkers = () => inView.expire();

/** Calls `render` when rows come into view that are out of date. */
export function onWorkersInView(render) { again = render; }

function place(visible, ids) {
  shown = ids;
  const keep = new Set(visible.map((w) => w.id));
  for (const [id, row] of rows) if (!keep.has(id)) drop(id, row);
  for (const w of visible) if (!rows.has(w.id)) rows.set(w.id, makeRow(w.id));
  $('rows').append(...visible.map((w) => rows.get(w.id).tr));
  if (!document.querySelector('#rows tr[tabindex="0"]')) document.querySelector('#rows tr')?.setAttribute('tabindex', '0');
}

function drop(id, row) {
  inView.forget(row.tr);
  row.tr.remove();
  rows.delete(id);
}

function counting(fleet, all, wanted, filter) {
  const noun = all === 1 ? 'worker' : 'workers';
  if (filter) return `${wanted} of ${all} ${noun} match`;
  const { stale, down } = fleet.workers;
  return `${all} ${noun}` + (down ? `, ${down} down` : '') + (stale ? `, ${stale} silent` : '');
}

function matches(w, filter) {
  if (!filter) return true;
  const i = w.identity;
  const text = [i.instance, i.host, i.model, i.engine, i.version, i.role, w.state.state].join(' ').toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

let headFor = '';

function showHead(fleet) {
  const o = fleet.objectives;
  const title = (x) => x.max === null ? 'No objective is known' : `Objective: ${quantileName(x.quantile)} at most ${seconds(x.max)}${x.implied ? ', implied: none was configured' : ''}`;
  const limit = (x) => x.max === null ? '' : ` ${quantileName(x.quantile)} ≤ ${seconds(x.max)}`;
  const text = title(o.ttft) + title(o.itl);
  if (headFor === text && $('table-head').childElementCount) return;
  headFor = text;
  const th = (cls, ...c) => h('th', { scope: 'col', class: cls, rowspan: '2' }, ...c);
  $('table-head').replaceChildren(
    h('tr', null,
      th('c-worker left', 'Worker'), th('c-role left', 'Role'), th('c-count', 'Running'), th('c-count', 'Waiting'),
      th('c-time left', 'Worker time ', metricButton('worker time', 'llm.phase.worker.time{llm.phase}')),
      h('th', { scope: 'colgroup', colspan: '3', title: title(o.ttft) }, 'TTFT', h('small', null, limit(o.ttft)), metricButton('TTFT', 'gen_ai.server.time_to_first_token')),
      h('th', { scope: 'colgroup', colspan: '3', title: title(o.itl) }, 'ITL', h('small', null, limit(o.itl)), metricButton('ITL', 'llm.engine.inter_token.latency')),
      th('c-kv', 'KV usage ', metricButton('KV usage', 'llm.engine.kv_cache.utilization'))),
    h('tr', null, ...[...percentiles, ...percentiles].map((p) => h('th', { scope: 'col', class: 'c-q' }, p))));
}

function makeRow(id) {
  const cell = (cls, label) => h('td', { class: cls, 'data-label': label, role: 'cell' });
  const r = { who: h('span', { class: 'who' }), sub: h('span', { class: 'sub' }), role: cell('left role') };
  r.running = cell('count', 'Running');
  r.waiting = cell('count', 'Waiting');
  r.segments = phases.map((p) => h('i', { class: 'k-' + p }));
  r.bar = h('div', { class: 'bar', role: 'img' }, ...r.segments);
  r.split = h('span', { class: 'split', 'aria-hidden': 'true' });
  r.q = {};
  for (const kind of ['ttft', 'itl']) for (const p of percentiles) {
    const span = h('span');
    r.q[kind + p] = { td: cell('q', `${kind.toUpperCase()} ${p}`), span };
    r.q[kind + p].td.append(span);
    cells.set(r.q[kind + p].td, r.q[kind + p]);
  }
  r.fill = h('i');
  r.kvText = h('span');
  r.kv = cell('kv', 'KV usage');
  r.kv.append(h('span', { class: 'meter', 'aria-hidden': 'true' }, r.fill), r.kvText);
  const time = cell('left time');
  time.append(r.bar, r.split);
  r.tr = h('tr', { 'data-id': id, tabindex: '-1', role: 'row' }, h('th', { scope: 'row', role: 'rowheader' }, r.who, r.sub), r.role, r.running, r.waiting, time,
    ...Object.values(r.q).map((x) => x.td), r.kv);
  return r;
}

function showRow(r, w, fleet, selected) {
  const quiet = w.state.state !== 'ok';
  r.tr.classList.toggle('quiet', quiet);
  setAttr(r.tr, 'aria-current', selected ? 'true' : '');
  showIdentity(r, w);
  setText(r.running, figure(w.load.running));
  setText(r.waiting, figure(w.load.waiting));
  showBar(r, w.phase, quiet, w.id);
  for (const kind of ['ttft', 'itl']) for (const p of percentiles) showQuantile(r.q[kind + p], w[kind][p], fleet.objectives[kind], p);
  r.fill.style.width = `${100 * (w.load.kv ?? 0)}%`;
  setText(r.kvText, percent(w.load.kv) + (w.load.kv >= 0.9 ? ' !' : ''));
  r.kv.classList.toggle('full', w.load.kv >= 0.9);
}

function showIdentity(r, w) {
  const i = w.identity;
  setText(r.who, shorten(i.instance));
  setAttr(r.who, 'title', i.instance);
  const facts = [i.engine ? `${i.engine} ${i.version}`.trim() : w.state.state === 'down' ? 'has not answered yet' : 'engine not recognised', i.host, i.model !== i.fleet && i.model].filter(Boolean);
  const tag = { stale: `silent ${age(Date.now() - w.state.last_heard)}`, down: '✕ down' }[w.state.state];
  const text = (tag ?? '') + facts.join(' · ');
  if (r.sub.dataset.text !== text) {
    r.sub.dataset.text = text;
    r.sub.replaceChildren(...(tag ? [h('span', { class: `tag ${w.state.state}` }, tag), facts.length ? ' · ' : ''] : []), facts.map((f) => shorten(f, 40)).join(' · '));
    r.sub.title = facts.join('\n');
  }
  setText(r.role, shorten(i.role || unknown, 16));
  setAttr(r.role, 'title', i.role_source && `${i.role}, by ${i.role_source}`);
}

function showBar(r, phase, quiet, id) {
  const none = quiet ? unknown : 'no estimate yet';
  const known = phase.prefill !== null;
  r.bar.classList.toggle('none', !known);
  phases.forEach((p, k) => { r.segments[k].style.width = `${(phase[p] ?? 0) * 100}%`; });
  const unsaid = known && phase.unattributed > 0.5 ? withheld(state.subjects.get(id), 'llm.phase.worker.time')[0] : null;
  const why = unsaid ? `unattributed: ${reason(unsaid.reason)}` : '';
  setText(r.split, !known ? none : why && phase.unattributed > 0.995 ? why : shares(phase));
  setAttr(r.bar, 'aria-label', known ? phases.map((p) => `${p} ${percent(phase[p])}`).join(', ') : none);
  setAttr(r.bar, 'title', known ? phases.map((p) => `${p} ${percent(phase[p])}`).concat(why || []).join('\n') : '');
}

function showQuantile(cell, q, objective, p) {
  if (cell.shown === q && cell.against === objective) return;
  Object.assign(cell, { shown: q, against: objective });
  const { span } = cell;
  const over = p === quantileName(objective.quantile) && objective.max !== null && q.value !== null && q.value > objective.max;
  span.classList.toggle('over', over);
  setText(span, quantile(q));
  cell.over = over;
}

/** What a percentile's tooltip says. It is written when it is asked for: a fleet has a thousand of them. */
const explain = ({ shown: q, against, over }) => q ? bucket(q) + (over ? `\nAbove the objective of ${seconds(against.max)}` : '') : '';

$('rows').addEventListener('pointerover', (e) => {
  const cell = cells.get(e.target.closest?.('td'));
  if (cell) setAttr(cell.span, 'title', explain(cell));
});

/** Moves the focus by `step` rows from the one that has it. */
export function moveFocus(step) {
  const all = [...document.querySelectorAll('#rows tr')];
  const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(document.activeElement) + step))];
  focusRow(next);
}

/** Gives a row the focus and the one place in the tab order. */
export function focusRow(tr) {
  document.querySelector('#rows tr[tabindex="0"]')?.setAttribute('tabindex', '-1');
  tr?.setAttribute('tabindex', '0');
  tr?.focus();
}

/** Drops all rows, for another fleet. */
export function clearWorkers() {
  for (const [id, row] of rows) drop(id, row);
  shown = '';
  $('rows').replaceChildren();
}

/** The worker with an id, where it is of the fleet. */
export const workerIn = (id, fleetID) => {
  const w = state.workers.get(id);
  return w && w.identity.fleet_id === fleetID ? w : undefined;
};
