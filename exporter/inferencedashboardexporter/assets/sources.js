// What can we not see: inputs that are off, with exactly what turns each on; and what looking costs.
import { $, h, morph, setText, shorten } from './dom.js';
import { points, subjectsOf } from './figures.js';
import { bytes, figure, percent, unknown } from './format.js';
import { metricButton } from './metric.js';
import { code, nothing } from './parts.js';
import { nobodyAnswers, state } from './state.js';

const sharpens = {
  kv_events: 'what is cached, why prompts miss, and what another cache size would do', forward_passes: 'prefill and decode told apart step by step',
  kv_residency: 'how long blocks stay', nixl: 'each KV transfer, its transport and its links', traces: 'latencies by phase of single requests',
  effort: 'the work of the engine in floating-point operations', iterations: 'time of steps by phase', requests: 'phases of each request', processes: 'which GPUs an engine has',
};

/** Shows the inputs that the workers of a fleet lack. */
export function showSources(fleetID, worker) {
  const all = [...subjectsOf('worker', fleetID), ...subjectsOf('agent', fleetID), ...subjectsOf('host', fleetID)].filter((x) => !worker || x.id === worker.id);
  const missing = new Map();
  for (const x of all) for (const { of: [source, hint] } of points(x, 'sources', 'llm.source.missing')) {
    const key = source + '\n' + hint;
    const entry = missing.get(key) ?? { source, hint, names: [] };
    entry.names.push(x.name);
    missing.set(key, entry);
  }
  const list = [...missing.values()].sort((a, b) => a.source < b.source ? -1 : a.source > b.source ? 1 : a.hint < b.hint ? -1 : 1);
  morph($('sources-body'), list.length ? h('ul', { class: 'sources' }, ...list.slice(0, 24).map((m) => h('li', { 'data-key': m.source + m.hint },
    h('div', null, h('b', null, shorten(m.source.replaceAll('_', ' '), 40)), ' ', metricButton(m.source, `llm.source.missing{llm.source="${shorten(m.source, 40)}"}`),
      h('p', { class: 'hint' }, sharpens[m.source] ? `would tell ${sharpens[m.source]}` : 'would sharpen an estimate'),
      h('p', { class: 'hint', title: m.names.slice(0, 50).join('\n') }, `off on ${m.names.length} of ${Math.max(m.names.length, all.filter((x) => x.kind === 'worker').length)}`)),
    m.hint ? code(m.hint, `what turns ${shorten(m.source, 40)} on`) : h('span'))))
    : nothing(without(fleetID, worker, all)));
}

/** What is said where no input is known to be missing: also those that do not answer have none. */
function without(fleetID, worker, subjects) {
  if (nobodyAnswers(fleetID, worker)) return 'No worker answers. What is missing is told when one does.';
  return subjects.length ? 'Nothing is missing: every input that the engines can give is on.' : 'No worker has reported yet.';
}

/** Shows what the collector itself takes. */
export function showCost() {
  const { cpu, memory } = state.cost;
  $('cost').hidden = memory === null && cpu === null;
  setText($('cost-text'), `own cost: ${cpu === null ? unknown : cpu < 0.1 ? `${figure(cpu * 100, 2)} % of a core` : cpu < 1 ? `${percent(cpu)} of a core` : `${figure(cpu, 2)} cores`}, ${bytes(memory)}`);
}
