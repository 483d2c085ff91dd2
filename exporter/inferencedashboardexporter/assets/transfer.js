// Is the KV transfer healthy: base latency and tail, bandwidth against the link, transport with its evidence, hiccups with what amplifies them.
import { $, h, morph, shorten } from './dom.js';
import { confidenceOf, has, points, silence, subjectsOf, valueOf, withheld } from './figures.js';
import { bandwidth, count, figure, percent, seconds, unknown } from './format.js';
import { metricButton } from './metric.js';
import { fact, facts, limited, meter, nothing, silentNote, tag, withheldNote } from './parts.js';
import { state } from './state.js';

const evidences = { counters: 'the bytes that links counted', log: 'UCX’s own log', configuration: 'configuration', bandwidth: 'its bandwidth', fd: 'open devices', conflict: 'evidence that contradicts itself' };
const amplifiers = { none: 'nothing', pieces: 'pieces sent in sequence', fan_out: 'fan-out over ranks', retry: 'retries', queue: 'the queue behind it', unknown: 'something unknown' };

/** Shows the KV transfers of a fleet, or of the worker chosen. */
export function showTransfers(fleetID, worker) {
  const box = $('transfer-body');
  const fleet = subjectsOf('fleet', fleetID).find((x) => x.id === fleetID);
  const workers = subjectsOf('worker', fleetID).filter((x) => has(x, 'transfer') && (!worker || x.id === worker.id));
  const agents = subjectsOf('agent', fleetID).filter((x) => has(x, 'transfer'));
  const subject = worker ? workers[0] : fleet;
  const silent = silence(worker ? subjectsOf('worker', fleetID).filter((x) => x.id === worker.id) : [fleet, ...subjectsOf('agent', fleetID)], 'transfer');
  if (!(subject && has(subject, 'transfer')) && !agents.length) return morph(box, silentNote(silent, true) ?? nothing(worker ? 'This worker has no KV transfers.' : 'No KV transfers were seen. They belong to fleets that split prefill from decode.'), withheldNote(withheld(fleet, 'llm.transfer')));
  morph(box, silentNote(silent, false, worker ? 'worker' : 'source'), transport(subject, [...workers, ...agents]), subject && figures(subject, [...workers, ...agents]), subject && hiccups(subject), links(fleetID),
    worker ? null : h('ul', { class: 'subjects' }, ...limited([...workers, ...agents.filter(busy)], row, 8, agents.length ? 'agent' : 'worker', 'transfer')),
    withheldNote(withheld(subject, 'llm.transfer')));
}

const at = (x, metric, ...of) => valueOf(x, 'transfer', metric, ...of);

function transport(x, others) {
  const told = (y) => points(y, 'transfer', 'llm.transfer.transport').filter((p) => p.value === 1).map((p) => p.of);
  const found = told(x).length ? told(x) : others.flatMap(told);
  const back = at(x, 'llm.transfer.fallback.ratio');
  const names = [...new Set(found.map(([name]) => name))];
  const conflict = found.some(([, evidence]) => evidence === 'conflict');
  const how = [...new Set(found.map(([, evidence]) => evidences[evidence] ?? shorten(evidence, 40)))].join(', ');
  return h('p', { class: `say ${back > 0.1 || conflict ? 'critical' : ''}` },
    back > 0.1 ? h('b', null, `▲ ${percent(back)} of transfers fell back to TCP. `) : null,
    names.length || !(back > 0.1) ? 'Transport: ' : 'Told by how long they take; no source names the transport.',
    names.length ? h('span', null, ...names.map((n) => tag(shorten(n, 20).toUpperCase(), n === 'tcp' ? 'critical' : 'good'))) : back > 0.1 ? null : h('b', null, 'not known'),
    names.length ? `, by ${how}` : back > 0.1 ? null : ': nothing tells it but bandwidth', ' ', metricButton('the transport', 'llm.transfer.transport'));
}

/** The tail of transfers: the largest of the subjects' percentiles, which cannot be merged here. */
function tail(all) {
  const values = all.flatMap((x) => ['nixl.transfer.duration', 'llm.engine.kv_transfer.duration'].flatMap((m) => points(x, 'transfer', m).filter((p) => p.of.at(-1) === 'p99').map((p) => p.value)));
  return values.length ? Math.max(...values) : null;
}

function figures(x, all) {
  const base = at(x, 'llm.transfer.latency.base'), rate = at(x, 'llm.transfer.bandwidth'), exposed = at(x, 'llm.transfer.exposed.ratio');
  const sure = confidenceOf(x, 'llm.transfer.bandwidth');
  const worst = tail(all);
  return facts(
    fact('Base latency', 'llm.transfer.latency.base', seconds(base), at(x, 'llm.transfer.latency.base.ratio') === null ? 'whatever the bytes' : `${percent(at(x, 'llm.transfer.latency.base.ratio'))} of a transfer`, at(x, 'llm.transfer.latency.base.ratio') > 0.5 ? 'miss' : ''),
    fact('Tail, p99', 'nixl.transfer.duration', seconds(worst), 'last minute, worst of all'),
    fact('Bandwidth', 'llm.transfer.bandwidth', bandwidth(rate), sure === null ? 'of one transfer' : `of one transfer, confidence ${figure(sure, 2)}`),
    fact('Links busy', 'llm.transfer.utilization', percent(at(x, 'llm.transfer.utilization')), `${figure(at(x, 'llm.transfer.concurrency'), 2)} transfers under way`),
    fact('Waits in TTFT', 'llm.transfer.exposed.ratio', percent(exposed), 'of time to first token', exposed > 0.2 ? 'miss' : ''),
    fact('Given up', 'llm.transfer.expired', at(x, 'llm.transfer.expired') === null ? unknown : `${count(at(x, 'llm.transfer.expired'))}/s`, 'prompts never fetched', at(x, 'llm.transfer.expired') > 0 ? 'miss' : ''));
}

function hiccups(x) {
  const n = at(x, 'llm.transfer.hiccup.count'), now = at(x, 'llm.transfer.hiccup') === 1;
  if (n === null) return null;
  const stall = at(x, 'llm.transfer.hiccup.stall'), excess = at(x, 'llm.transfer.hiccup.excess');
  const amplified = points(x, 'transfer', 'llm.transfer.amplification').filter((p) => p.value > 0).sort((a, b) => b.value - a.value);
  return h('p', { class: `say ${now ? 'warning' : ''}` },
    h('b', null, now ? '▲ A hiccup lasts. ' : n > 0 ? `${count(n)} hiccups so far. ` : 'No hiccups. '),
    stall !== null ? `Stalls of ${seconds(stall)}. ` : '', excess !== null ? `A transfer takes ${seconds(excess)} longer. ` : '',
    ...amplified.map((p) => h('span', null, 'TTFT p99 rises by ', h('b', null, `${figure(p.value, 2)}×`), ` the stall, by ${amplifiers[p.of[0]] ?? shorten(p.of[0], 40)}. `)),
    metricButton('hiccups', 'llm.transfer.hiccup.count, llm.transfer.amplification'));
}

function links(fleetID) {
  const hosts = new Set([...state.workers.values()].filter((w) => w.identity.fleet_id === fleetID).map((w) => w.identity.host));
  const all = subjectsOf('host', fleetID).filter((x) => hosts.has(x.name)).flatMap((x) => points(x, 'transfer', 'nixl.link.limit').map((p) => ({ x, p })));
  if (!all.length) return null;
  return h('div', null, h('p', { class: 'sub-head' }, h('b', null, 'Links'), ' used against their rate ', metricButton('link utilization', 'nixl.link.utilization')),
    h('ul', { class: 'subjects links' }, ...limited(all, ({ x, p }) => {
      const uses = points(x, 'transfer', 'nixl.link.utilization').filter((u) => p.of.every((o, i) => u.of[i] === o)).map((u) => u.value);
      const use = uses.length ? Math.max(...uses) : null;
      const name = p.of[0] || p.of[1];
      const down = valueOf(x, 'transfer', 'nixl.link.up', ...p.of) === 0;
      return h('li', { 'data-key': x.id + p.of.join() }, h('span', { class: 'name', title: x.name }, `${shorten(x.name, 20)} ${shorten(name, 24)}`), meter(use, `use of ${name}`, 'k-transfer'),
        h('span', { class: 'figures' }, `${use === null ? 'use not known' : percent(use)} of ${bandwidth(p.value)} ${shorten(p.of[2], 20)}`), down ? tag('✕ down', 'critical') : h('span'));
    }, 6, 'link', 'links')));
}

/** Whether an agent moved anything in the last minute. */
const busy = (x) => tail([x]) !== null || points(x, 'transfer', 'nixl.transfer.io').some((p) => p.value > 0) || at(x, 'llm.transfer.hiccup') === 1;

function row(x) {
  const back = at(x, 'llm.transfer.fallback.ratio'), rate = at(x, 'llm.transfer.bandwidth');
  const moved = points(x, 'transfer', 'nixl.transfer.io').reduce((a, p) => a + p.value, 0);
  return h('li', { 'data-key': x.id },
    x.kind === 'worker' ? h('button', { class: 'plain link name', type: 'button', 'data-worker': x.id, title: x.name }, shorten(x.name, 34)) : h('span', { class: 'name', title: x.name }, `agent ${shorten(x.name, 28)}`),
    h('span', { class: 'figures wide' }, [at(x, 'llm.transfer.latency.base') === null ? '' : `base ${seconds(at(x, 'llm.transfer.latency.base'))}`, tail([x]) === null ? '' : `p99 ${seconds(tail([x]))}`, rate === null ? '' : bandwidth(rate), moved > 0 ? `moves ${bandwidth(moved)}` : ''].filter(Boolean).join(' · ')),
    back > 0.1 ? tag('▲ TCP', 'critical') : at(x, 'llm.transfer.hiccup') === 1 ? tag('▲ hiccup', 'warning') : h('span'));
}
