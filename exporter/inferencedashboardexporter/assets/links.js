// Links to other tools, with what the reader looks at. The addresses come from the configuration, what is put into them from labels.
import { $, h, morph } from './dom.js';
import { state } from './state.js';

/** Shows the links that fit what is looked at: one that speaks of a worker needs one. */
export function showLinks(fleet, worker, minutes) {
  morph($('links'), ...state.meta.links.map((link) => {
    const href = address(link.url, fleet, worker, minutes);
    return href && h('a', { href, target: '_blank', rel: 'noopener noreferrer', 'data-key': link.name }, link.name, h('span', { 'aria-hidden': 'true' }, ' ↗'), h('span', { class: 'unseen' }, ', in a new tab'));
  }));
}

function address(template, fleet, worker, minutes) {
  // Whole minutes, so that the links do not change with every message.
  const to = Math.ceil(state.at / 60000) * 60000, from = to - 60000 * minutes;
  const identity = worker?.identity;
  const values = { fleet: fleet.name, worker: identity?.instance, host: identity?.host, model: identity?.model, from, to, from_seconds: from / 1000, to_seconds: to / 1000 };
  let missing = false;
  const text = template.replace(/\{(\w+)\}/g, (_, place) => {
    missing ||= values[place] === undefined;
    return encodeURIComponent(values[place] ?? '');
  });
  if (missing) return null;
  try {
    const url = new URL(text);
    return ['http:', 'https:'].includes(url.protocol) ? url.href : null;
  } catch { return null; }
}
