// Parts that the sections are made of: figures with their metric, stacked bars with their legend, tags, notes, code to copy.
import { h, shorten, styled } from './dom.js';
import { percent, unknown } from './format.js';
import { metricButton } from './metric.js';

/** A figure with its label above and a note below. */
export function fact(label, metric, value, note = '', tone = '') {
  return h('div', { class: 'fact', 'data-key': label },
    h('dt', null, h('span', null, label), metric && metricButton(label, metric)),
    h('dd', { class: ['value', tone].filter(Boolean).join(' ') }, value),
    h('dd', { class: 'note' }, note));
}

export const facts = (...all) => h('dl', { class: 'facts' }, ...all.filter(Boolean));

/** A bar whose parts add up to a whole. Parts are {name, value, kind}; `kind` is a class that gives the colour. */
export function stack(parts, whole, say, label) {
  const shown = parts.filter((p) => p.value > 0);
  const sum = whole ?? shown.reduce((a, p) => a + p.value, 0);
  const words = shown.map((p) => `${p.name} ${say(p.value)}`);
  return h('div', { class: 'stack', role: 'img', 'aria-label': `${label}: ${words.join(', ') || 'nothing'}`, title: words.join('\n') },
    ...shown.map((p) => styled(h('i', { class: p.kind, 'data-key': p.kind }), { width: `${sum > 0 ? 100 * p.value / sum : 0}%` })));
}

/** The legend of a stacked bar with the value of each part. */
export function legend(parts, say, sum) {
  return h('ul', { class: 'legend values' }, ...parts.filter((p) => p.value > 0).map((p) =>
    h('li', { class: p.kind, 'data-key': p.kind }, h('span', null, p.name), ' ', h('b', null, say(p.value)), sum > 0 ? ` ${percent(p.value / sum)}` : null)));
}

export const tag = (text, tone = '') => h('span', { class: `badge ${tone}` }, text);

/** Text with a button that copies exactly it. */
export function code(text, label) {
  return h('div', { class: 'code' }, h('pre', { tabindex: '0' }, text), h('button', { class: 'plain copy', type: 'button', 'data-copy': text, 'aria-label': `Copy ${label}` }, 'Copy'));
}

const reasons = {
  warming_up: 'more data is needed', no_data: 'nothing to measure', uncertain: 'the uncertainty is too large', stale: 'its inputs are silent',
  coverage: 'not all workers are seen', no_events: 'the engine sends no KV events', events_lost: 'KV events were lost', no_reuse: 'nothing tells how prompts repeat',
  no_pool: 'the size of the pool is not known', no_shape: 'the bytes of a token are not known', no_split: 'prefill and decode cannot be told apart',
};

/** A reason of the vocabulary in words. */
export const reason = (name) => reasons[name] ?? shorten(name.replaceAll('_', ' '), 60);

/** Says which estimates are withheld, and why. Those of several subjects with the same reason are one line. */
export function withheldNote(list) {
  const unique = [...new Map(list.map((w) => [w.estimate + w.reason, w])).values()];
  if (!unique.length) return null;
  return h('ul', { class: 'withheld' }, ...unique.slice(0, 6).map((w) =>
    h('li', null, h('b', null, 'withheld'), ' ', h('code', null, shorten(w.estimate)), ` – ${reason(w.reason)}`)));
}

/** The first few of a list, and the others behind a summary. */
export function limited(nodes, most, noun) {
  if (nodes.length <= most) return nodes;
  return [...nodes.slice(0, most), h('details', { class: 'rest' }, h('summary', null, `${nodes.length - most} more ${noun}`), ...nodes.slice(most))];
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
  const was = button.textContent;
  try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = 'Copied'; } catch { button.textContent = 'Select it to copy'; }
  setTimeout(() => { button.textContent = was; }, 2000);
});
