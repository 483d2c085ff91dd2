// What each chart shows: its scale, series, colours, and the words for a value.
import { h } from './dom.js';
import { count, percent, quantileName, seconds, shares as shareText, signed, unknown } from './format.js';

const band = 0.2;

/** A colour of the style sheet as the canvas understands it. */
export function colour(name) {
  const probe = h('span', { hidden: true });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** Stripes for what nobody knows, as the style sheet's. */
function hatch() {
  const size = Math.round(6 * devicePixelRatio), tile = new OffscreenCanvas(size, size), c = tile.getContext('2d');
  c.fillStyle = colour('page');
  c.fillRect(0, 0, size, size);
  c.strokeStyle = colour('idle');
  c.lineWidth = 1.5 * devicePixelRatio;
  for (const x of [-size, 0, size]) { c.moveTo(x, size); c.lineTo(x + size, 0); }
  c.stroke();
  return (u) => u.ctx.createPattern(tile, 'repeat');
}

const nearest = (q) => q >= 0.95 ? 'p99' : q >= 0.7 || !q ? 'p90' : 'p50';

/** The charts in their order. `objectives` gives the latency objectives of what is shown; each has a place on the page. */
export function definitions(objectives) {
  return [
    { name: 'Imbalance', about: 'above the band prefill holds back, below it decode', metric: 'llm.phase.imbalance', make: imbalance },
    latency('TTFT', 'ttft', 'gen_ai.server.time_to_first_token', 'prefill', objectives),
    { name: 'Worker time', about: 'share by phase', metric: 'llm.phase.worker.time', make: shares },
    latency('ITL', 'itl', 'llm.engine.inter_token.latency', 'decode', objectives),
    { name: 'Cost of mixing', about: 'of decode’s waiting, what prefill in the same steps causes', metric: 'llm.interference.decode.delay, llm.interference.decode.wait', make: mixing },
    { name: 'Requests', about: 'running, and waiting above them', metric: 'llm.engine.requests.running, llm.engine.requests.waiting', make: requests },
    { host: 'kv-strips', name: 'Thrash and storms', about: 'of what is stored, what had just been evicted; a storm is marked', metric: 'llm.kv_cache.thrash.ratio, llm.kv_cache.storm', make: () => strip('thrash', 'storm', 'critical', percent) },
    { host: 'transfer-strips', name: 'Hiccups', about: 'when transfers took longer than their bytes explain', metric: 'llm.transfer.hiccup', make: () => strip('hiccup', 'hiccup', 'transfer', (v) => v > 0 ? 'a hiccup' : 'none') },
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
    series: [...order].reverse().map((p) => ({ fill: p === 'unattributed' ? hatch() : colour(p), width: 0, stroke: 'transparent' })),
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

function latency(name, key, metric, hue, objectives) {
  const objective = () => objectives()?.[key] ?? { max: null, quantile: 0.9 };
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

function mixing() {
  const ink = colour('prefill'), pale = colour('raised');
  return {
    scale: { range: [0, 1] },
    values: (u, ticks) => ticks.map(percent),
    series: [{ stroke: ink, fill: pale, width: 2 }],
    data: (c) => [c.interference],
    read: ([v]) => percent(v),
  };
}

function requests() {
  const running = colour('work'), waiting = colour('critical');
  return {
    scale: { range: (u, low, high) => [0, Math.max(4, 1.1 * (high ?? 0))] },
    values: (u, ticks) => ticks.map((v) => count(v)),
    // Waiting ones stand on those that run.
    series: [{ fill: waiting, stroke: 'transparent', width: 0 }, { fill: running, stroke: 'transparent', width: 0 }],
    data: (c) => [c.running.map((v, i) => v === null ? null : v + (c.waiting[i] ?? 0)), c.running],
    read: (_, c, i) => c.running[i] == null ? unknown : `${count(c.running[i])} running, ${count(c.waiting[i] ?? 0)} waiting`,
  };
}

/** A strip of time: how dark says how much, a mark along its foot that something was so. */
function strip(key, mark, hue, say) {
  const ink = colour(hue), back = colour('raised'), foot = colour('ink');
  return {
    strip: true, key,
    scale: { range: [0, 1] },
    values: () => [],
    series: [{ stroke: 'transparent', width: 0 }],
    under: (u) => { u.ctx.fillStyle = back; u.ctx.fillRect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height); },
    over: (u, columns) => {
      const [times, values] = u.data, marks = columns[mark];
      u.ctx.save();
      for (let i = 0; i < times.length; i++) {
        if (!(values[i] > 0) && !(marks[i] > 0)) continue;
        const x0 = Math.round(Math.max(u.bbox.left, u.valToPos(times[i], 'x', true)));
        const x1 = Math.round(Math.min(u.bbox.left + u.bbox.width, u.valToPos(times[i + 1] ?? 2 * times[i] - (times[i - 1] ?? times[i]), 'x', true)));
        if (x1 <= x0) continue;
        u.ctx.fillStyle = ink;
        u.ctx.globalAlpha = values[i] > 0 ? 0.15 + 0.85 * Math.min(1, values[i]) : 0;
        u.ctx.fillRect(x0, u.bbox.top, x1 - x0, u.bbox.height);
        if (mark !== key && marks[i] > 0) {
          u.ctx.globalAlpha = 1;
          u.ctx.fillStyle = foot;
          u.ctx.fillRect(x0, u.bbox.top + u.bbox.height - 3 * devicePixelRatio, x1 - x0, 3 * devicePixelRatio);
        }
      }
      u.ctx.restore();
    },
    data: (c) => [c[key]],
    read: ([v], c, i) => v == null ? unknown : say(v) + (mark !== key && c[mark][i] > 0 ? ', storm' : ''),
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
