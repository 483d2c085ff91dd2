// Charts and strips on one time axis with one crosshair.
import { $, h, setText } from './dom.js';
import { metricButton } from './metric.js';
import { colour, definitions } from './plots.js';
import { Series } from './series.js';
import { state } from './state.js';
import { Visible } from './visible.js';

let library = null; // uPlot, once it is loaded
let series = null;
let charts = [];
let minutes = 15;
let loading = null;
const inView = new Visible(() => draw());

/** Loads the chart library where this binary has it, and says so where it has not. */
export function prepare() {
  if (loading) return;
  if (!state.meta.charts) {
    if (!$('charts').childElementCount) $('charts').append(h('p', { class: 'nocharts' }, 'This build has no charts. ', h('code', null, 'make build'), ' adds them; all figures are on this page without.'));
    return;
  }
  loading = true;
  const policy = window.trustedTypes?.createPolicy('charts', { createScriptURL: () => 'vendor/uPlot.iife.min.js' });
  const script = document.createElement('script');
  script.src = policy ? policy.createScriptURL('') : 'vendor/uPlot.iife.min.js';
  script.onload = () => { library = window.uPlot; rebuild(); };
  document.head.append(h('link', { rel: 'stylesheet', href: 'vendor/uPlot.min.css' }), script);
}

/** Chooses what the charts show. */
export async function showSeries(kind, id) {
  const long = state.meta.long_history > 0 && minutes * 60000 > state.meta.history;
  if (series && series.kind === kind && series.id === id && series.long === long) return;
  series = new Series(kind, id, long);
  await reload();
}

async function reload() {
  const mine = series;
  try { await mine.load(); } catch { /* the stream says when the collector is gone */ }
  if (mine !== series) return;
  inView.expire();
  draw();
}

/** Chooses how far back the charts reach, in minutes. */
export function showRange(value) {
  minutes = Number(value);
  if (series) showSeries(series.kind, series.id);
  draw();
}

/** Carries the charts on after a message. `fresh` says that the connection is new, so that there may be a gap. */
export function advance(fresh) {
  if (!series) return;
  if (fresh || !series.carryOn()) reload();
  else draw();
}

/** Builds the charts anew, for new colours. */
export function rebuild() {
  if (!library) return;
  for (const c of charts) { c.plot?.destroy(); inView.forget(c.figure); }
  for (const id of ['charts', 'kv-strips', 'transfer-strips']) $(id).replaceChildren();
  charts = definitions(() => fleetOf()?.objectives).map(build);
  draw();
}

const fleetOf = () => series && (series.kind === 'fleet' ? state.fleets.get(series.id) : state.fleets.get(state.workers.get(series.id)?.identity.fleet_id));

const text = (x) => typeof x === 'function' ? x() : x;

function build(def) {
  const c = { def, spec: def.make(), name: h('span', { class: 'name' }), about: h('span', { class: 'about hint' }), value: h('b'), when: h('span') };
  c.box = h('div', { class: c.spec.strip ? 'plot strip' : 'plot', role: 'img' });
  c.figure = h('figure', { class: 'chart' },
    h('figcaption', null, c.name, metricButton(text(def.name), def.metric), c.about, h('span', { class: 'read' }, c.value, ' ', c.when)), c.box);
  $(def.host ?? 'charts').append(c.figure);
  const axis = { stroke: colour('ink-2'), font: '12px system-ui, sans-serif', grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
  const size = () => ({ width: Math.max(200, c.box.clientWidth), height: c.box.clientHeight });
  c.plot = new library({
    ...size(),
    padding: c.spec.strip ? [0, 0, 0, 0] : [8, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' }, points: { size: 7 } },
    scales: { x: { range: () => span() }, y: c.spec.scale },
    axes: [
      { ...axis, size: c.spec.strip ? 20 : 26, space: 72, values: (u, ticks) => ticks.map((t) => clock(t, ticks[1] - ticks[0] < 60)), grid: { show: false } },
      { ...axis, show: !c.spec.strip, size: 58, space: 34, values: c.spec.values },
    ],
    series: [{}, ...c.spec.series.map((s) => ({ spanGaps: false, points: { show: false }, ...s }))],
    hooks: { drawAxes: [(u) => c.spec.under?.(u)], draw: [(u) => series && c.spec.over?.(u, series.columns)], setCursor: [() => read(c)] },
  }, [[]].concat(c.spec.series.map(() => [])), c.box);
  new ResizeObserver(() => { const s = size(); if (s.width > 200 && s.width !== c.plot.width) c.plot.setSize(s); }).observe(c.box);
  return c;
}

const clock = (t, fine) => new Date(t * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', ...(fine && { second: '2-digit' }) });

// While there is less history than asked for, the axis begins with it, in whole minutes so that it does not crawl.
function span() {
  const end = state.at / 1000;
  const past = Math.max(2, Math.ceil((end - (series?.first() ?? end)) / 60));
  return [end - 60 * Math.min(minutes, past), end];
}

function draw() {
  if (!series) return;
  for (const c of charts) {
    // A strip of what nobody tells says nothing.
    if (c.spec.strip) c.figure.hidden = !series.columns[c.spec.key].some((v) => v !== null);
    if (c.figure.hidden || !inView.due(c.figure, performance.now())) continue;
    c.plot.setData([series.times, ...c.spec.data(series.columns)]);
    setText(c.name, text(c.def.name));
    setText(c.about, text(c.def.about));
    read(c);
  }
}

/** Writes the value under the crosshair, or the last one, beside the chart's name. */
function read(c) {
  if (!c.plot || !series?.times.length) return;
  const at = c.plot.cursor.idx;
  const i = at ?? series.times.length - 1;
  setText(c.value, c.spec.read(c.spec.data(series.columns).map((col) => col[i]), series.columns, i));
  setText(c.when, at == null ? '' : new Date(series.times[i] * 1000).toLocaleTimeString());
  c.box.setAttribute('aria-label', `${text(c.def.name)} over the last ${minutes} minutes, now ${c.value.textContent}`);
}
