// The "{ }" beside a figure: the name under which the same figure is exported.
import { $, h, setText } from './dom.js';

/** Makes the button that shows a metric's name. One listener serves them all, so that a button may be written anew at any time. */
export function metricButton(label, name) {
  return h('button', { class: 'm', type: 'button', 'aria-label': `Metric behind ${label}`, 'aria-expanded': 'false', 'data-metric': name }, '{ }');
}

let open = null;

function show(button) {
  const again = open === button;
  closeMetric();
  if (again) return;
  const pop = $('metric');
  setText(pop, button.dataset.metric);
  pop.hidden = false;
  const at = button.getBoundingClientRect();
  pop.style.top = `${at.bottom + scrollY + 4}px`;
  pop.style.left = `${Math.max(8, Math.min(at.left + scrollX, scrollX + document.documentElement.clientWidth - pop.offsetWidth - 8))}px`;
  button.setAttribute('aria-expanded', 'true');
  button.setAttribute('aria-describedby', 'metric');
  open = button;
}

/** Hides the name. Returns whether one was shown. */
export function closeMetric() {
  if (!open) return false;
  $('metric').hidden = true;
  open.setAttribute('aria-expanded', 'false');
  open.removeAttribute('aria-describedby');
  open = null;
  return true;
}

document.addEventListener('click', (e) => {
  const button = e.target.closest?.('button.m');
  if (button) show(button);
  else if (!$('metric').contains(e.target)) closeMetric();
});
