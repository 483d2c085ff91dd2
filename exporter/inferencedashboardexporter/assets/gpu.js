// What are the GPUs doing: activity by unit, power by phase, what holds clocks down, health.
import { $, h, morph, shorten } from './dom.js';
import { byFirst, has, points, silence, subjectsOf, total, valueOf, withheld } from './figures.js';
import { bytes, count, figure, percent, unknown } from './format.js';
import { metricButton } from './metric.js';
import { legend, limited, meter, nothing, silentNote, stack, tag, withheldNote } from './parts.js';
import { state } from './state.js';

const units = [['sm', 'SM'], ['graphics', 'busy'], ['tensor', 'tensor'], ['dram', 'DRAM'], ['nvlink_rx', 'NVLink in'], ['nvlink_tx', 'NVLink out']];
const phases = ['prefill', 'decode', 'idle', 'unattributed'];
const watts = (v) => v === null || v === undefined ? unknown : v >= 999.5 ? `${figure(v / 1000)} kW` : `${figure(v)} W`;

/** Shows the GPUs of a fleet's workers, or of the one chosen, and those that no worker is known to have. */
export function showGPUs(fleetID, worker) {
  const workers = subjectsOf('worker', fleetID).filter((x) => !worker || x.id === worker.id);
  const ours = new Set(workers.flatMap((x) => points(x, 'gpu', 'llm.engine.gpu.info').map((p) => p.of[0])));
  const taken = new Set([...state.subjects.values()].filter((x) => x.kind === 'worker').flatMap((x) => points(x, 'gpu', 'llm.engine.gpu.info').map((p) => p.of[0])));
  const gpus = subjectsOf('gpu', fleetID).filter((g) => has(g, 'gpu') && (ours.has(g.instance) || (!worker && !taken.has(g.instance))));
  const box = $('gpu-body');
  const silent = silence(subjectsOf('gpu', fleetID), 'gpu');
  const withhold = withheldNote(workers.flatMap((x) => withheld(x, 'llm.phase.energy')));
  if (!gpus.length && !workers.some((x) => points(x, 'gpu', 'llm.phase.energy').length)) {
    return morph(box, silentNote(silent, true) ?? nothing('No GPU reports. The ', h('code', null, 'nvml'), ' receiver on the GPUs’ own host tells what they do; shares of worker time are shown without.'), withhold);
  }
  morph(box, silentNote(silent, false, 'GPU'), energy(workers), gpus.length ? h('ul', { class: 'gpus' }, ...limited(gpus, (g) => row(g, ours.has(g.instance)), 8, 'GPU', 'gpu')) : null, withhold);
}

function energy(workers) {
  const by = total(workers.map((x) => byFirst(x, 'gpu', 'llm.phase.energy')));
  const list = phases.map((name) => ({ name, value: by[name] ?? 0, kind: `k-${name}` })), sum = list.reduce((a, p) => a + p.value, 0);
  if (!sum) return null;
  const each = (phase) => {
    const values = workers.map((x) => valueOf(x, 'gpu', 'llm.phase.energy.per_token', phase)).filter((v) => v !== null);
    return values.length ? `${figure(Math.min(...values))}${values.length > 1 ? ` to ${figure(Math.max(...values))}` : ''} J` : unknown;
  };
  return h('div', { class: 'energy' },
    h('p', { class: 'sub-head' }, h('b', null, `Power ${watts(sum)}`), ' by phase ', metricButton('power by phase', 'llm.phase.energy')),
    stack(list, sum, watts, 'Power by phase'), legend(list, watts, sum),
    h('p', { class: 'hint' }, `A computed prompt token takes ${each('prefill')}, an output token ${each('decode')} `, metricButton('energy per token', 'llm.phase.energy.per_token')));
}

function health(g) {
  const bad = points(g, 'gpu', 'hw.status').find((p) => p.value === 1 && p.of[0] !== 'ok')?.of[0];
  const ok = valueOf(g, 'gpu', 'hw.status', 'ok') === 1;
  const xids = points(g, 'gpu', 'nvidia.gpu.xid.count').filter((p) => p.value > 0);
  const repair = points(g, 'gpu', 'nvidia.gpu.memory.repair').filter((p) => p.value === 1).map((p) => p.of[0]);
  const ecc = valueOf(g, 'gpu', 'hw.errors', 'uncorrected');
  return [bad ? tag(`▲ ${shorten(bad.replaceAll('_', ' '), 30)}`, 'critical') : ok ? tag('ok', 'good') : null,
    ...xids.map((p) => tag(`▲ XID ${shorten(p.of[0], 10)} ×${count(p.value)}`, 'critical')),
    ...repair.map((r) => tag(`memory repair ${shorten(r, 12)}`, 'warning')), ecc > 0 ? tag(`${count(ecc)} ECC errors`, 'critical') : null].filter(Boolean);
}

function row(g, joined) {
  const at = (metric, ...of) => valueOf(g, 'gpu', metric, ...of);
  const activity = byFirst(g, 'gpu', 'nvidia.gpu.activity.time');
  const throttled = points(g, 'gpu', 'nvidia.gpu.throttle.time').filter((p) => p.value > 0.005).sort((a, b) => b.value - a.value);
  const power = at('hw.power'), limit = at('nvidia.gpu.power.limit');
  const clock = at('nvidia.gpu.clock.frequency', 'sm');
  return h('li', { 'data-key': g.id },
    h('div', { class: 'gpu-head' }, h('b', { title: g.instance }, shorten(g.name, 40)), h('span', { class: 'hint', title: g.instance }, `${shorten(g.host, 24)} · ${shorten(g.instance, 20)}${joined ? '' : ' · of no known worker'}`), ...health(g)),
    h('ul', { class: 'units' }, ...units.filter(([u]) => activity[u] !== undefined && !(u === 'graphics' && activity.sm !== undefined)).map(([u, name]) =>
      h('li', { 'data-key': u }, h('span', { class: 'hint' }, name), meter(activity[u], name), h('span', null, percent(activity[u]))))),
    h('p', { class: 'hint' }, [
      power === null ? '' : `${watts(power)}${limit ? ` of ${watts(limit)}` : ''}`,
      at('hw.gpu.memory.usage') === null ? '' : `${bytes(at('hw.gpu.memory.usage'))} of ${bytes(at('hw.gpu.memory.limit'))}`,
      clock === null ? '' : `SM clock ${figure(clock / 1e6)} MHz`,
      at('hw.temperature', 'gpu') === null ? '' : `${figure(at('hw.temperature', 'gpu'))} °C`].filter(Boolean).join(' · '), ' ', metricButton('the activity', 'nvidia.gpu.activity.time')),
    throttled.length ? h('p', { class: 'throttle' }, tag('clocks held down', 'warning'), ' ', throttled.map((p) => `${shorten(p.of[0].replaceAll('_', ' '), 30)} ${percent(Math.min(1, p.value))} of the time`).join(', '), ' ', metricButton('throttling', 'nvidia.gpu.throttle.time')) : null);
}
