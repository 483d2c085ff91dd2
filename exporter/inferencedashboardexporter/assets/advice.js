// What to do: the three recommendations that matter most, the others, and one of them with everything that is known of it.
import { $, h, morph, shorten } from './dom.js';
import { age, count, percent, quantity } from './format.js';
import { metricButton } from './metric.js';
import { code, limited, tag } from './parts.js';
import { state } from './state.js';

const tones = { critical: 'critical', warning: 'warning', info: '' };
const results = { inside: 'within the prediction', outside: 'outside the prediction', not_comparable: 'not comparable: demand changed' };
const endings = { condition_over: 'what it spoke of is over', subject_gone: 'its subject is gone', poor_record: 'its predictions did not hold', cannot_be_judged: 'it can no longer be judged' };
/** That nothing has been heard since of what an advice speaks of. */
const asOf = (a) => a.as_of && h('span', { class: 'badge warning' }, `as of ${new Date(a.as_of).toLocaleTimeString()}, no data since`);
const kinds = { worker: 'worker', fleet: 'the fleet', agent: 'KV transfer agent' };

/** Shows the advice of a fleet, and the one that the reader chose. */
export function showAdvice(fleetID, chosen) {
  const all = state.advice.filter((a) => a.fleet_id === fleetID);
  const standing = all.filter((a) => a.state === 'standing');
  const past = all.filter((a) => a.state !== 'standing' && (a.observed || a.state === 'verified')).slice(0, 5);
  $('advice').hidden = !all.length && !chosen;
  const cards = together(standing);
  morph($('advice-cards'), ...(cards.length ? limited(cards, card, 3, 'recommendation', 'advice') : [h('li', { class: 'nothing' }, 'No advice stands.')]));
  morph($('advice-past'), past.length ? h('h3', null, 'What became of earlier advice') : null, past.length ? h('ul', null, ...past.map(outcome)) : null);
  showOne(all.find((a) => a.id === chosen), chosen);
}

/** One card for what is said alike of several workers. */
function together(standing) {
  const by = new Map();
  for (const a of standing) {
    const key = a.subject === 'worker' ? `${a.rule}\n${a.change}` : a.id;
    if (by.has(key)) by.get(key).others.push(a.subject_name);
    else by.set(key, { ...a, others: [] });
  }
  return [...by.values()];
}

const name = (a) => a.title || a.rule.replaceAll('-', ' ');
const subject = (a) => a.subject === 'fleet' ? '' : `${kinds[a.subject] ?? ''} ${shorten(a.subject_name, 40)}`;

function card(a) {
  return h('li', { class: `card ${a.as_of ? 'silent' : tones[a.severity] ?? ''}`, 'data-key': a.id, 'data-rule': a.rule },
    h('p', { class: 'card-head' }, tag(shorten(a.severity || 'info', 20), a.as_of ? '' : tones[a.severity]), asOf(a) || null, a.confidence_word && h('span', { class: 'hint' }, `confidence ${a.confidence_word}`), h('span', { class: 'hint', title: [a.subject_name, ...a.others.slice(0, 50)].join('\n') }, subject(a), a.others.length ? ` and ${a.others.length} more` : '')),
    h('h3', null, shorten(name(a), 300)),
    h('p', { class: 'action' }, a.action ? shorten(a.action, 600) : 'Its words were told before this page listened; the collector’s log has them.'),
    prediction(a),
    a.change ? code(a.change, 'the change') : null,
    h('p', { class: 'card-foot' }, record(a), h('button', { class: 'plain link', type: 'button', 'data-advice': a.id }, 'Evidence')));
}

function prediction({ predicted: p }) {
  if (!p) return null;
  return h('p', { class: 'predicted' }, h('span', { class: 'hint' }, `predicted ${shorten(p.name, 80)}`), h('br'),
    h('span', null, quantity(p.from, p.unit)), ' ', h('span', { class: 'to', 'aria-label': 'to' }, '→'), ' ', h('b', null, quantity(p.to, p.unit)), ' ',
    h('span', { class: 'hint' }, `80 %: ${interval(p)}`));
}

/** The interval of a prediction. A unit in words is not said again. */
const interval = ({ low, high, unit }) => unit.startsWith('{') ? `${count(low)} to ${count(high)}` : `${quantity(low, unit)} to ${quantity(high, unit)}`;

function record(a) {
  if (a.record === null) return h('span', { class: 'hint' }, 'no track record yet');
  return h('span', { class: 'hint' }, `track record: ${percent(a.record)} of its predictions held `, metricButton('the track record', 'llm.advice.track_record'));
}

function outcome(a) {
  const o = a.observed;
  return h('li', { 'data-key': a.id }, tag(a.state === 'verified' ? 'followed' : 'over'), ' ', h('b', null, shorten(name(a), 120)), ' ',
    o ? `${quantity(o.value, a.predicted?.unit ?? '1')}, ${results[o.result] ?? shorten(o.result, 40)}` : '', ' ',
    h('button', { class: 'plain link', type: 'button', 'data-advice': a.id }, 'Evidence'));
}

function showOne(a, chosen) {
  const box = $('advice-one');
  box.hidden = !chosen;
  if (!chosen) return;
  const close = h('button', { class: 'plain', type: 'button', 'data-advice': '' }, 'Close (Esc)');
  if (!a) {
    morph(box, h('div', { class: 'head' }, h('h3', null, 'This advice is no more.'), close), h('p', { class: 'hint' }, 'It ended more than an hour ago, or this page has begun anew since.'));
    return;
  }
  const since = a.since ? `since ${new Date(a.since).toLocaleTimeString()}, ${age(state.at - a.since)}` : '';
  const ended = a.reason ? `, ${endings[a.reason] ?? shorten(a.reason, 60)}` : '';
  morph(box,
    h('div', { class: 'head' }, h('h3', null, shorten(name(a), 300)), h('span', { class: 'spring' }), close),
    asOf(a) ? h('p', null, asOf(a), ' It is not known whether it still holds.') : null,
    h('p', { class: 'hint' }, `rule ${shorten(a.rule, 60)} · ${a.state}${ended} · ${since} · ${kinds[a.subject] ?? ''} ${shorten(a.subject_name, 200)} `, metricButton('the advice', `llm.advice{llm.advice.id="${shorten(a.rule, 60)}"}`),
      a.subject === 'worker' ? h('button', { class: 'plain link', type: 'button', 'data-worker': a.subject_id }, 'Show the worker') : null),
    h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Evidence' }, h('table', { class: 'plain-table' },
      h('thead', null, h('tr', null, h('th', { class: 'left', scope: 'col' }, 'Evidence'), h('th', { scope: 'col' }, 'Value'), h('th', { scope: 'col' }, 'Limit'), h('th', { class: 'left', scope: 'col' }, 'Metric'))),
      h('tbody', null, ...a.evidence.map((q) => h('tr', null, h('td', { class: 'left' }, shorten(q.name, 120)), h('td', null, h('b', null, quantity(q.value, q.unit))), h('td', null, q.limit === null ? '' : quantity(q.limit, q.unit)), h('td', { class: 'left' }, h('code', null, shorten(q.metric, 80)))))))),
    h('p', { class: 'action' }, shorten(a.action, 600)),
    a.where ? h('p', { class: 'hint' }, `for ${shorten(a.where, 80)}`) : null,
    prediction(a),
    a.change ? code(a.change, 'the change') : null,
    observed(a),
    h('p', null, record(a)));
}

function observed({ observed: o, predicted }) {
  if (!o) return h('p', { class: 'hint' }, 'No change that follows it has been seen. When one is, its effect is measured and shown here.');
  return h('p', null, `After ${shorten(o.lever, 80)} went from ${shorten(o.from, 40)} to ${shorten(o.to, 40)}: `, h('b', null, quantity(o.value, predicted?.unit ?? '1')), `, ${results[o.result] ?? shorten(o.result, 40)}.`);
}
