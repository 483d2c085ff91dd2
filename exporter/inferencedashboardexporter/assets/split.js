// Is the split worth it: the score as a waterfall of its factors, and the topology that would be better.
import { $, h, morph, styled } from './dom.js';
import { byFirst, confidenceOf, has, points, silence, subjectsOf, valueOf, withheld } from './figures.js';
import { count, figure, percent, seconds, unknown } from './format.js';
import { metricButton } from './metric.js';
import { fact, facts, nothing, reason, silentNote, tag, withheldNote } from './parts.js';
import { nobodyAnswers } from './state.js';

const factors = [['purity', 'prompts on decode', 'decode workers compute prompts'], ['balance', 'balance P : D', 'prefill against decode workers'], ['transfer', 'transfers', 'transfers in the way'], ['locality', 'their path', 'the path that transfers take'], ['slo', 'unexplained', 'objectives missed that these do not explain']];
const gates = {
  recommend: ['Splitting prefill from decode is worth a trial.', 'good'],
  neutral: ['Splitting makes no difference worth the change.', ''],
  against: ['Do not disaggregate this fleet.', 'warning'],
};
// What 'benefit' means, by verdict: 16 situations that might be the true one are rehearsed (docs/disaggregation.md, Gate).
const byBenefit = {
  recommend: 'Over what might be true it wins more than a tenth on average, four times what it may lose or more, and is better in a third of the cases at least.',
  neutral: 'Neither way is better by enough, or surely enough.',
  against: 'Over what might be true more is lost than won.',
};
const why = {
  few_groups: 'There are fewer than three worker groups.', slow_transfer: 'The transfer alone would take a third of the TTFT objective.',
  short_prompts: 'Prompts are short, and tokens may be late.', cached: 'Most prompt tokens come from a cache.', no_interference: 'Prefill hardly delays decode: nothing is to be gained.',
  whole_groups: 'The best split of whole groups loses more than splitting gains.', light_load: 'Either way nearly every request is served in time.', other_split: 'Either way nearly every request could be served in time; the present split is what holds them back.', not_rehearsed: 'It could not be rehearsed.',
};

/** Shows what is known of the split of a fleet. */
export function showSplit(fleetID) {
  const fleet = subjectsOf('fleet', fleetID).find((x) => x.id === fleetID);
  const box = $('split-body');
  if (!fleet || !has(fleet, 'disaggregation')) return morph(box, silentNote(silence([fleet], 'disaggregation'), true) ?? (nobodyAnswers(fleetID) ? nothing('No worker answers. How it should be split is told when they do.') : nothing('Nothing is known of a split yet. The ', h('code', null, 'disaggregation'), ' processor judges fleets of several workers.')));
  morph(box, verdict(fleet),
    h('div', { class: 'pair' }, h('div', null, waterfall(fleet)), h('div', null, topology(fleet))),
    withheldNote([...withheld(fleet, 'llm.disaggregation'), ...withheld(fleet, 'llm.topology')]));
}

/** By how much the forecast of goodput was off where it was held to what was served (docs/disaggregation.md, A6: -5.0 to +2.6 %): a measured
 *  goodput is no surprise within so much of the interval. */
const published = 0.05;

/** How the measured goodput stands to the rehearsed interval of the present split: '' within it, 'near' within the published error of it, else
 *  'off', by which part of what was measured the middle is too high. Null where one of them is not known, and of an overload: how much is
 *  still served then depends on how long it lasts. */
function rehearsal(fleet) {
  const measured = at(fleet, 'llm.disaggregation.goodput');
  const [low, mid, high] = ['low', 'mid', 'high'].map((bound) => at(fleet, 'llm.topology.goodput', 'current', bound));
  if (measured === null || low === null || high === null) return null;
  const score = at(fleet, 'llm.disaggregation.score');
  const possible = score > 0 ? measured / score : 0;
  if (high <= 0 || (measured < possible / 2 && mid < possible / 2)) return null;
  const slack = published * Math.max(measured, mid);
  const stands = measured >= low && measured <= high ? '' : measured >= low - slack && measured <= high + slack ? 'near' : 'off';
  return { measured, mid, stands, by: measured > 0 ? mid / measured - 1 : null };
}

const notes = { '': '', near: ', just outside', off: ', not as rehearsed' };
const marks = { '': '', near: 'near', off: 'miss' };

/** What follows for the reader where the model does not rehearse the present fleet as it is. */
function caution(fleet) {
  const r = rehearsal(fleet);
  if (r?.stands !== 'off') return null;
  return h('p', { class: 'say caution' }, h('b', null, 'The model is off here.'),
    ` It rehearses the present fleet at ${figure(r.mid)}/s, and ${figure(r.measured)}/s are measured${r.by === null ? '' : `: ${percent(Math.abs(r.by))} too ${r.by > 0 ? 'high' : 'low'}`}. ` +
    'What it forecasts of other splits may be off as much: take which is better from it, not by how much, and try before you change all.');
}

const at = (fleet, metric, ...of) => valueOf(fleet, 'disaggregation', metric, ...of);

/** Whether workers of the fleet serve both phases. */
const together = (fleet) => points(fleet, 'disaggregation', 'llm.topology.workers').some((p) => p.of[0] === 'current' && p.of[1] === 'aggregated' && p.value > 0);

/** A ratio of goodputs. Over next to nothing it has no size. */
const times = (ratio) => (ratio > 100 ? 'over 100×' : `${ratio.toFixed(2)}×`);

function verdict(fleet) {
  const [gate, because] = points(fleet, 'disaggregation', 'llm.disaggregation.gate').find((p) => p.value === 1)?.of ?? [];
  const doubted = gate === 'recommend' && rehearsal(fleet)?.stands === 'off';
  const [text, tone] = doubted ? ['Splitting prefill from decode looks worth a trial.', ''] : gates[gate] ?? [null, ''];
  const benefit = byFirst(fleet, 'disaggregation', 'llm.disaggregation.benefit');
  const side = points(fleet, 'disaggregation', 'llm.disaggregation.bottleneck').find((p) => p.value === 1)?.of[0];
  const seen = at(fleet, 'llm.fleet.observed_workers'), expected = at(fleet, 'llm.fleet.expected_workers');
  const record = at(fleet, 'llm.topology.forecast.coverage');
  return h('div', null,
    text ? h('p', { class: `say ${tone}` }, h('b', null, text), ' ', (because === 'benefit' ? byBenefit[gate] : why[because]) ?? (because ? `Reason: ${reason(because)}.` : ''), ' ', metricButton('the verdict on splitting', 'llm.disaggregation.gate')) : null,
    caution(fleet),
    facts(
      fact('Benefit of splitting', 'llm.disaggregation.benefit', benefit.mid === undefined ? unknown : times(benefit.mid), benefit.low === undefined ? 'goodput, split over together' : `80 %: ${times(benefit.low)} to ${times(benefit.high)}; ${together(fleet) ? 'together as measured, split as rehearsed' : 'both rehearsed'}`),
      fact('Goodput, measured', 'llm.disaggregation.goodput', at(fleet, 'llm.disaggregation.goodput') === null ? unknown : `${count(at(fleet, 'llm.disaggregation.goodput'))}/s`, 'requests within both objectives'),
      fact('Held back by', 'llm.disaggregation.bottleneck', side ?? unknown, side === 'balanced' ? 'neither phase' : 'the phase that limits', side === 'prefill' || side === 'decode' ? `ink-${side}` : ''),
      fact('Prompts on decode', 'llm.disaggregation.leak.ratio', percent(at(fleet, 'llm.disaggregation.leak.ratio')), 'of computed prompt tokens'),
      fact('Workers seen', 'llm.fleet.observed_workers', seen === null ? unknown : `${figure(seen)} of ${figure(expected)}`, 'expected', seen < 0.9 * expected ? 'miss' : ''),
      fact('Forecasts that held', 'llm.topology.forecast.coverage', percent(record), record === null ? 'none could be verified yet' : 'of the last 20, within 80 %')));
}

/** What is said in place of the waterfall: how much is lost may be known without what to, and the other way round. */
function unscored(fleet, score, values) {
  if (score !== null) return 'What it loses most to cannot be told.';
  const [most] = factors.filter(([name]) => values[name] < 0.999).sort(([a], [b]) => values[a] - values[b]);
  if (most) return `How much is lost is not known well enough. Most of it is lost to: ${most[2]}.`;
  return together(fleet) ? 'A score is for fleets that are split; this one is not.' : 'No score yet.';
}

/** From 100 % down by each factor to the score. Steps are in points of the product, so that they add up. */
function waterfall(fleet) {
  const score = at(fleet, 'llm.disaggregation.score');
  const head = h('p', { class: 'sub-head' }, h('b', null, 'Score'), score === null ? ' ' : ` ${percent(score)} of the goodput that these GPUs could have `, metricButton('the score', 'llm.disaggregation.score'));
  const values = byFirst(fleet, 'disaggregation', 'llm.disaggregation.factor');
  if (score === null || !Object.keys(values).length) return h('div', null, head, nothing(unscored(fleet, score, values)));
  const step = (name, from, to, note, kind) => h('li', { 'data-key': name },
    h('span', { class: 'step-name', title: note }, name), h('span', { class: 'track' }, styled(h('i', { class: kind }), { left: `${100 * Math.min(from, to)}%`, width: `${100 * Math.abs(from - to)}%` })),
    h('span', { class: 'step-value' }, kind === 'lost' ? (from - to < 0.005 ? '0' : `−${Math.round(100 * (from - to))}`) : percent(to)));
  let left = 1;
  const steps = factors.filter(([name]) => values[name] !== undefined).map(([name, words, note]) => {
    const from = left;
    left *= values[name];
    return step(words, from, left, `${name}, ${note}: leaves ${percent(values[name])}`, 'lost');
  });
  return h('div', null, head, h('ol', { class: 'waterfall', 'aria-label': `Score ${percent(score)}: ${factors.map(([n, words]) => `${words} leaves ${percent(values[n] ?? null)}`).join(', ')}` },
    step('possible', 0, 1, 'the same GPUs if nothing were wrong', 'whole'), ...steps, step('score', 0, score, 'what is left', 'whole')));
}

function topology(fleet) {
  const rows = ['current', 'recommended'].filter((t) => points(fleet, 'disaggregation', 'llm.topology.workers').some((p) => p.of[0] === t && p.value > 0));
  const goodput = (t, bound) => at(fleet, 'llm.topology.goodput', t, bound);
  const against = points(fleet, 'disaggregation', 'llm.disaggregation.gate').some((p) => p.value === 1 && p.of[0] === 'against');
  const held = rehearsal(fleet);
  const measured = at(fleet, 'llm.disaggregation.goodput');
  const most = Math.max(1e-9, measured ?? 0, ...rows.map((t) => goodput(t, 'high') ?? goodput(t, 'mid') ?? 0));
  const sure = confidenceOf(fleet, 'llm.topology.goodput');
  const gains = byFirst(fleet, 'disaggregation', 'llm.topology.gain');
  const head = h('p', { class: 'sub-head' }, h('b', null, 'Topology'), ' with the goodput that rehearsals at this load give ', metricButton('the forecast', 'llm.topology.goodput'));
  if (!rows.length) return h('div', null, head, nothing('No topology is known.'));
  return h('div', null, head,
    h('ul', { class: 'topologies' }, ...rows.map((t) => {
      const low = goodput(t, 'low'), mid = goodput(t, 'mid'), high = goodput(t, 'high');
      const ttft = at(fleet, 'llm.topology.ttft', t, '0.9', 'mid'), itl = at(fleet, 'llm.topology.itl', t, '0.99', 'mid');
      return h('li', { 'data-key': t, class: t },
        h('span', { class: 'who' }, shape(fleet, t), ' ', t === 'current' ? tag(t) : tag(against ? 'best split, if it stays split' : t, 'good')),
        h('span', { class: 'interval', role: 'img', 'aria-label': `goodput ${figure(mid)} requests a second, 80 %: ${figure(low)} to ${figure(high)}` },
          low === null ? null : styled(h('i', { class: 'range' }), { left: `${100 * low / most}%`, width: `${Math.max(0.6, 100 * (high - low) / most)}%` }),
          mid === null ? null : styled(h('i', { class: 'mid' }), { left: `${100 * mid / most}%` }),
          t === 'current' && measured !== null ? styled(h('i', { class: `measured ${marks[held?.stands ?? '']}`.trim(), title: `measured: ${figure(measured)}/s` }), { left: `${100 * measured / most}%` }) : null),
        h('span', { class: 'figures' }, mid === null ? 'no forecast' : h('span', null, h('b', null, `${figure(mid)}/s`), ` ${figure(low)} to ${figure(high)} rehearsed`),
          t === 'current' && measured !== null && mid !== null ? h('span', { class: marks[held?.stands ?? ''] }, ` · ${figure(measured)}/s measured${notes[held?.stands ?? '']}`) : null,
          ttft === null ? null : h('span', { class: 'hint' }, ` TTFT p90 ${seconds(ttft)}`), itl === null ? null : h('span', { class: 'hint' }, ` · ITL p99 ${seconds(itl)}`)));
    })),
    h('p', { class: 'hint' }, [
      rows.includes('recommended') ? '' : 'Nothing is recommended: no other split is better enough, for long enough.',
      Object.entries(gains).map(([role, g]) => `one more ${role} worker: ${g >= 0 ? '+' : '−'}${percent(Math.abs(g))}`).join(', '),
      sure === null || held?.stands === 'off' ? '' : `confidence ${figure(sure, 2)} of 1`].filter(Boolean).join(' · ')));
}

/** How many workers of each role: 6P 2D. */
function shape(fleet, topologyName) {
  const roles = points(fleet, 'disaggregation', 'llm.topology.workers').filter((p) => p.of[0] === topologyName && p.value > 0).sort((a, b) => b.of[1] < a.of[1] ? -1 : 1);
  const letter = { prefill: 'P', decode: 'D', aggregated: ' aggregated' };
  return h('span', { class: 'shape' }, ...roles.map((p) => h('b', { class: `ink-${p.of[1]}` }, `${figure(p.value)}${letter[p.of[1]] ?? ' ' + p.of[1]} `)));
}
