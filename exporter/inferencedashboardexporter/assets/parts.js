// Parts that the sections are made of: figures with their metric, stacked bars with their legend, tags, notes, code to copy.
import { h, shorten, styled } from './dom.js';
import { age, percent, unknown } from './format.js';
import { metricButton } from './metric.js';
import { state } from './state.js';

/** A figure with its label above and a note below. */
export function fact(label, metric, value, note = '', tone = '') {
  return h('div', { class: 'fact', 'data-key': label },
    h('dt', null, h('span', null, label), metric && metricButton(label, metric)),
    h('dd', { class: ['value', tone].filter(Boolean).join(' ') }, value),
    h('dd', { class: 'note' }, note));
}

/** Figures in a row. Those that nobody tells are left out: what is withheld says so by name. */
export function facts(...all) {
  const known = all.filter((f) => f && f.querySelector('.value').textContent !== unknown);
  return known.length ? h('dl', { class: 'facts' }, ...known) : null;
}

/** The parts that are more than a rounding error of their sum. */
function visible(parts) {
  const sum = parts.reduce((a, p) => a + Math.max(0, p.value), 0);
  return parts.filter((p) => p.value > 1e-6 * sum);
}

/** A bar whose parts add up to a whole. Parts are {name, value, kind}; `kind` is a class that gives the colour. */
export function stack(parts, whole, say, label) {
  const shown = visible(parts);
  const sum = whole ?? shown.reduce((a, p) => a + p.value, 0);
  const words = shown.map((p) => `${p.name} ${say(p.value)}`);
  return h('div', { class: 'stack', role: 'img', 'aria-label': `${label}: ${words.join(', ') || 'nothing'}`, title: words.join('\n') },
    ...shown.map((p) => styled(h('i', { class: p.kind, 'data-key': p.kind }), { width: `${sum > 0 ? 100 * p.value / sum : 0}%` })));
}

/** The legend of a stacked bar with the value of each part. */
export function legend(parts, say, sum) {
  return h('ul', { class: 'legend values' }, ...visible(parts).map((p) =>
    h('li', { class: p.kind, 'data-key': p.kind }, h('span', null, p.name), ' ', h('b', null, say(p.value)), sum > 0 ? ` ${percent(p.value / sum)}` : null)));
}

export const tag = (text, tone = '') => h('span', { class: `badge ${tone}` }, text);

/** Text with a button that copies exactly it. */
export function code(text, label) {
  return h('div', { class: 'code' }, h('pre', { tabindex: '0' }, text), h('button', { class: 'plain copy', type: 'button', 'data-copy': text, 'aria-label': `Copy ${label}` }, 'Copy'));
}

const reasons = {
  warming_up: 'more data is needed', no_data: 'nothing to measure', uncertain: 'the uncertainty is too large', stale: 'its inputs are silent',
  coverage: 'too few of its workers are seen', roles_unknown: 'the role of a worker is not known', mixed_roles: 'some workers serve both phases, others one', one_sided: 'workers of one role are missing',
  overload: 'these GPUs could not serve this load in time whatever were mended', collapsed: 'next to nothing is served in time, and no one defect alone explains it', constant_load: 'the load hardly varies', no_events: 'the engine sends no KV events', events_lost: 'KV events were lost', no_reuse: 'nothing tells how prompts repeat',
  no_pool: 'the size of the pool is not known', no_shape: 'the bytes of a token are not known', no_split: 'prefill and decode cannot be told apart', busy_unknown: 'busy time unknown',
};

/** A reason of the vocabulary in words. */
export const reason = (name) => reasons[name] ?? shorten(name.replaceAll('_', ' '), 60);

/** Says which estimates are withheld, and why: one line for each estimate of however many subjects. */
export function withheldNote(list) {
  const by = new Map();
  for (const w of list) by.set(w.estimate, (by.get(w.estimate) ?? new Set()).add(reason(w.reason)));
  if (!by.size) return null;
  return h('ul', { class: 'withheld' }, ...[...by].slice(0, 8).map(([estimate, why]) =>
    h('li', { 'data-key': estimate }, h('b', null, 'withheld'), ' ', h('code', null, shorten(estimate)), ` – ${[...why].sort().join('; ')}`)));
}

const opened = new Set();

/** The first few items of a list as `make` makes them, and the others behind a summary: they are made only while it is open. */
export function limited(items, make, most, noun, key) {
  const others = items.length - most;
  if (others <= 0) return items.map(make);
  return [...items.slice(0, most).map(make), h('li', { class: 'rest', 'data-key': 'rest' },
    h('details', { 'data-list': key, open: opened.has(key) }, h('summary', null, `${others} more ${noun}${others === 1 ? '' : 's'}`),
      opened.has(key) ? h('ul', null, ...items.slice(most).map(make)) : h('ul')))];
}

/** Calls `again` when a list is opened or closed, so that it is written anew. */
export function onOpened(again) {
  document.addEventListener('toggle', (e) => {
    const { list } = e.target.dataset;
    if (!list || e.target.open === opened.has(list)) return;
    if (e.target.open) opened.add(list); else opened.delete(list);
    again();
  }, true);
}

/** Says that figures of a section have fallen silent: all of them, or those of some subjects. */
export function silentNote(silent, whole, noun) {
  if (!silent) return null;
  const who = whole ? 'These figures' : `${silent.of} ${noun}${silent.of === 1 ? '' : 's'}`;
  return h('p', { class: 'say silent' }, h('b', null, `${who} fell silent`), ` at ${new Date(silent.since).toLocaleTimeString()}, ${age(state.at - silent.since)} ago. What was told before is not shown as if it held.`);
}

/** What a section says while it has nothing to show. */
export const nothing = (...words) => h('p', { class: 'nothing' }, ...words);

/** A value with what it is against, as a horizontal meter. */
export function meter(share, label, kind = '') {
  return h('span', { class: `gauge ${kind}`, role: 'img', 'aria-label': `${label}: ${share === null ? unknown : percent(share)}` },
    styled(h('i'), { width: `${100 * Math.max(0, Math.min(1, share ?? 0))}%` }));
}

document.addEventListener('click', async (e) => {
  const button = e.target.closest?.('[data-copy]');
  if (!button) return;
  try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = 'Copied'; } catch { button.textContent = 'Select it to copy'; }
  setTimeout(() => { button.textContent = 'Copy'; }, 2000);
});
