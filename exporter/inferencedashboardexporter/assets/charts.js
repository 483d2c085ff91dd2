// Four charts on one time axis with one crosshair: the imbalance, where worker time goes, and both latencies with their objectives.
import { $, h, setText } from './dom.js';
import { percent, quantileName, seconds, shares as shareText, signed, unknown } from './format.js';
import { metricButton } from './metric.js';
import { Series } from './series.js';
import { state } from './state.js';

const band = 0.2;
let library = null; // uPlot, once it is loaded
let series = null;
let charts = [];
let minutes = 15;
let loading = null;

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
  if (series && series.kind === kind && series.id === id) return;
  series = new Series(kind, id);
  await reload();
}

async function reload() {
  const mine = series;
  try { await mine.load(); } catch { /* the stream says when the collector is gone */ }
  if (mine === series) draw();
}

/** Chooses how far back the charts reach, in minutes. */
export function showRange(value) {
  minutes = Number(value);
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
  for (const c of charts) c.plot?.destroy();
  $('charts').replaceChildren();
  charts = definitions().map(build);
  draw();
}

/** A colour of the style sheet as the canvas understands it. */
function colour(name) {
  const probe = h('span', { hidden: true });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const fleetOf = () => series && (series.kind === 'fleet' ? state.fleets.get(series.id) : state.fleets.get(state.workers.get(series.id)?.identity.fleet_id));
const nearest = (q) => q >= 0.95 ? 'p99' : q >= 0.7 || !q ? 'p90' : 'p50';

function definitions() {
  return [
    { name: 'Imbalance', about: 'above the band prefill holds back, below it decode', metric: 'llm.phase.imbalance', make: imbalance },
    latency('TTFT', 'ttft', 'gen_ai.server.time_to_first_token', 'prefill'),
    { name: 'Worker time', about: 'share by phase', metric: 'llm.phase.worker.time', make: shares },
    latency('ITL', 'itl', 'llm.engine.inter_token.latency', 'decode'),
  ];
}

function imbalance() {
  const ink = { prefill: colour('prefill'), decode: colour('decode'), band: colour('raised'), zero: colour('ink-2') };
  const limit = (u, low, high) => { const m = Math.max(0.6, 1.15 * Math.max(Math.abs(low ?? 0), Math.abs(high ?? 0))); return [-m, m]; };
  const byside = (alpha) => (u) => {
    const zero = u.valToPos(0, 'y', true), top = u.bbox.top, height = u.bbox.height;
    const at = Math.min(1, Math.max(0, (zero - top) / height));
    const g = u.ctx.createLinearGradient(0, top, 0, top + height);
    const tint = (c) => c.replace('rgb(', 'rgba(').replace(')', `, ${alpha})`);
    g.addColorStop(0, tint(ink.prefill)); g.addColorStop(at, tint(ink.prefill));
    g.addColorStop(at, tint(ink.decode)); g.addColorStop(1, tint(ink.decode));
    return g;
  };
  return {
    scale: { range: limit },
    values: (u, ticks) => ticks.map(signed),
    series: [{ stroke: byside(1), fill: byside(0.16), fillTo: () => 0, width: 2 }],
    under: (u) => {
      const y0 = u.valToPos(band, 'y', true), y1 = u.valToPos(-band, 'y', true);
      u.ctx.fillStyle = ink.band;
      u.ctx.fillRect(u.bbox.left, y0, u.bbox.width, y1 - y0);
      line(u, 0, ink.zero, []);
    },
    data: (c) => [c.imbalance],
    read: ([v]) => signed(v),
  };
}

function shares() {
  const order = ['prefill', 'decode', 'idle', 'unattributed'];
  const ink = { prefill: colour('on-prefill'), decode: colour('on-decode'), idle: colour('ink'), unattributed: colour('ink') };
  return {
    scale: { range: [0, 1] },
    values: (u, ticks) => ticks.map(percent),
    // The tallest is drawn first and the others over it.
    series: [...order].reverse().map((p) => ({ fill: colour(p), width: 0, stroke: 'transparent' })),
    over: (u) => {
      const i = u.data[0].length - 1;
      let below = 0;
      order.forEach((p, k) => {
        const top = u.data[order.length - k][i];
        if (top == null) return;
        const y0 = u.valToPos(top, 'y', true), y1 = u.valToPos(below, 'y', true);
        below = top;
        if (y1 - y0 < 18 * devicePixelRatio) return;
        u.ctx.save();
        u.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
        u.ctx.textAlign = 'right';
        u.ctx.textBaseline = 'middle';
        u.ctx.fillStyle = ink[p];
        u.ctx.fillText(p, Math.min(u.valToPos(u.data[0][i], 'x', true), u.bbox.left + u.bbox.width) - 8 * devicePixelRatio, (y0 + y1) / 2);
        u.ctx.restore();
      });
    },
    data: (c) => {
      const tops = order.map(() => []);
      for (let i = 0; i < c.prefill.length; i++) {
        let sum = 0;
        order.forEach((p, k) => { sum += c[p][i] ?? 0; tops[k][i] = c.prefill[i] === null ? null : sum; });
      }
      return tops.reverse();
    },
    read: (_, c, i) => c.prefill[i] == null ? unknown : shareText(Object.fromEntries(order.map((p) => [p, c[p][i]]))),
  };
}

function latency(name, key, metric, hue) {
  const objective = () => fleetOf()?.objectives[key] ?? { max: null, quantile: 0.9 };
  const column = () => `${key}_${nearest(objective().quantile)}`;
  return {
    name: () => `${name} ${nearest(objective().quantile)}`, metric,
    about: () => { const o = objective(); return o.max === null ? 'no objective known' : `dashed: objective ${quantileName(o.quantile)} ≤ ${seconds(o.max)}${o.implied ? ' (implied)' : ''}`; },
    make: () => {
      const ink = colour(hue), dashed = colour('ink');
      return {
        scale: { range: (u, low, high) => [0, 1.15 * Math.max(high ?? 0, objective().max ?? 0, 1e-3)] },
        values: (u, ticks) => ticks.map(seconds),
        series: [{ stroke: ink, width: 2 }],
        over: (u) => { const o = objective(); if (o.max !== null) line(u, o.max, dashed, [5, 4]); },
        data: (c) => [c[column()]],
        read: ([v]) => seconds(v),
      };
    },
  };
}

function line(u, value, stroke, dash) {
  const y = Math.round(u.valToPos(value, 'y', true)) + 0.5;
  u.ctx.save();
  u.ctx.strokeStyle = stroke;
  u.ctx.lineWidth = devicePixelRatio;
  u.ctx.setLineDash(dash.map((d) => d * devicePixelRatio));
  u.ctx.beginPath();
  u.ctx.moveTo(u.bbox.left, y);
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
  u.ctx.stroke();
  u.ctx.restore();
}

const text = (x) => typeof x === 'function' ? x() : x;

function build(def) {
  const c = { def, spec: def.make(), name: h('span', { class: 'name' }), about: h('span', { class: 'about hint' }), value: h('b'), when: h('span') };
  c.box = h('div', { class: 'plot', role: 'img' });
  $('charts').append(h('figure', { class: 'chart' },
    h('figcaption', null, c.name, metricButton(text(def.name), def.metric), c.about, h('span', { class: 'read' }, c.value, ' ', c.when)), c.box));
  const axis = { stroke: colour('ink-2'), font: '12px system-ui, sans-serif', grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
  const size = () => ({ width: Math.max(200, c.box.clientWidth), height: c.box.clientHeight });
  c.plot = new library({
    ...size(),
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' }, points: { size: 7 } },
    scales: { x: { range: () => span() }, y: c.spec.scale },
    axes: [
      { ...axis, size: 26, space: 72, values: (u, ticks) => ticks.map((t) => clock(t, ticks[1] - ticks[0] < 60)), grid: { show: false } },
      { ...axis, size: 58, space: 34, values: c.spec.values },
    ],
    series: [{}, ...c.spec.series.map((s) => ({ spanGaps: false, points: { show: false }, ...s }))],
    hooks: { drawAxes: [(u) => c.spec.under?.(u)], draw: [(u) => c.spec.over?.(u)], setCursor: [() => read(c)] },
  }, [[]].concat(c.spec.series.map(() => [])), c.box);
  new ResizeObserver(() => { const s = size(); if (s.width !== c.plot.width) c.plot.setSize(s); }).observe(c.box);
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
