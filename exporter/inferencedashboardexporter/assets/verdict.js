// The answer at the top: the verdict in words, how sure it is, and the numbers behind it. The words come from the server.
import { $, h, setAttr, setText } from './dom.js';
import { bucket, figure, percent, quantile, seconds, signed, unbroken, unknown } from './format.js';
import { metricButton } from './metric.js';
import { state } from './state.js';

const patience = 15000; // ms after the start before a missing engine is worth a word
const clock = (ms) => new Date(ms).toLocaleTimeString();
const levels = { LOW: 1, MED: 2, HIGH: 3 };

/** Shows the verdict of a fleet. */
export function showVerdict(fleet) {
  const v = fleet.verdict;
  setAttr($('verdict'), 'data-code', v.code);
  setText($('title'), v.title);
  setText($('detail'), unbroken(v.detail));
  setText($('direction'), v.direction);
  showConfidence(v);
  showStanding(v, fleet.workers.last_heard);
  const also = $('also');
  if (also.dataset.text !== v.also.join('\n')) {
    also.dataset.text = v.also.join('\n');
    also.replaceChildren(...v.also.map((text) => h('li', null, text)));
  }
  showEvidence(v.evidence);
  const silent = fleet.workers.last_heard;
  setText($('verdict-source'), silent ? `as of ${clock(silent)}, no data since` : v.source === 'advice' && v.since ? `since ${clock(v.since)}; its figures are of ${clock(v.told)}, those below of now` : '');
  // Numbers change all the time; a screen reader is told only when the verdict itself does.
  setText($('announce'), `${v.title} ${v.confidence_word ? `Confidence ${v.confidence_word}.` : ''} ${v.standing === 'final' ? '' : v.standing}`.trim());
  document.title = `${v.title.replace(/\.$/, '')} · ${fleet.name || 'inference'}`.slice(0, 120);
}

function showConfidence(v) {
  const e = $('confidence');
  e.hidden = !v.confidence_word;
  if (e.hidden || e.dataset.word === v.confidence_word + v.confidence) return;
  e.dataset.word = v.confidence_word + v.confidence;
  const steps = h('span', { class: 'steps', 'aria-hidden': 'true' }, ...[1, 2, 3].map((i) => h('i', { class: i <= levels[v.confidence_word] && 'on' })));
  e.replaceChildren(h('span', null, 'confidence ', h('strong', null, v.confidence_word)), steps,
    metricButton('the confidence', 'llm.estimate.confidence{llm.estimate="llm.phase.imbalance"}'));
  e.title = `${figure(v.confidence, 2)} of 1: HIGH from 0.8, MED from 0.5`;
}

function showStanding(v, silent) {
  const e = $('standing');
  e.hidden = v.standing !== 'preliminary' || Boolean(silent); // a withheld verdict says so in its first word
  const text = v.waits_for ? ` waits for ${v.waits_for}` : '';
  if (e.hidden || e.dataset.text === text) return;
  e.dataset.text = text;
  e.replaceChildren(h('b', null, 'preliminary'), text);
}

function showEvidence(list) {
  const dl = $('evidence');
  if (dl.childElementCount !== list.length) {
    dl.replaceChildren(...list.map(() => h('div', null, h('dt'), h('dd', { class: 'value' }), h('dd', { class: 'note' }))));
  }
  list.forEach((item, i) => {
    const [dt, value, note] = dl.children[i].children;
    if (dt.dataset.metric !== item.metric + item.label) {
      dt.dataset.metric = item.metric + item.label;
      dt.replaceChildren(h('span', null, item.label), metricButton(item.label, item.metric));
    }
    const miss = item.against !== null && item.value.value !== null && item.value.value > item.against;
    value.classList.toggle('miss', miss);
    value.classList.toggle('full', item.metric === 'llm.engine.kv_cache.utilization' && item.value.value >= 0.9);
    setText(value, evidenceValue(item));
    setAttr(value, 'title', item.unit === 's' ? bucket(item.value) : '');
    setText(note, evidenceNote(item, miss));
  });
}

function evidenceValue({ label, unit, value }) {
  if (value.value === null) return unknown;
  if (unit === 's') return quantile(value);
  if (label === 'Imbalance') return signed(value.value);
  return unit === '1' ? percent(value.value) : figure(value.value);
}

function evidenceNote({ label, unit, value, against, implied }, miss) {
  if (label === 'Imbalance') {
    if (value.value === null) return '';
    return Math.abs(value.value) <= 0.2 ? 'balanced within ±0.2' : value.value > 0 ? 'above 0: prefill' : 'below 0: decode';
  }
  if (label.startsWith('KV') && value.value >= 0.9) return 'no room';
  if (against === null) return unit.startsWith('{') && value.value !== null ? `${unit.slice(1, -1)}s now` : '';
  return `${miss ? 'above' : value.value === null ? 'objective' : 'within'} ${seconds(against)}${implied ? ' (implied)' : ''}`;
}

const example = `receivers:
  llm_engine:
    endpoints:
      - http://localhost:8000

service:
  pipelines:
    metrics:
      receivers: [llm_engine]
      processors: [phase_attribution]
      exporters: [inference_dashboard]`;

/** Shows that no engine has reported, what was looked for, and how to point to one. */
export function showEmpty() {
  setAttr($('verdict'), 'data-code', 'no_engine');
  const young = state.at - state.meta.started < patience;
  const title = young ? 'Listening.' : 'No engine found.';
  setText($('title'), title);
  setText($('detail'), young ? 'The first engine may take a few seconds to report.' : 'No serving engine has reported to this collector yet.');
  setText($('direction'), '');
  setText($('announce'), title);
  document.title = title.replace('.', '');
  $('confidence').hidden = $('standing').hidden = true;
  $('also').replaceChildren();
  $('evidence').replaceChildren();
  const box = $('empty');
  if (box.childElementCount) return;
  const copy = h('button', {
    class: 'plain', type: 'button',
    onclick: async () => {
      try { await navigator.clipboard.writeText(example); copy.textContent = 'Copied'; } catch { copy.textContent = 'Select the text to copy it'; }
    },
  }, 'Copy');
  box.append(
    h('div', null,
      h('h2', null, 'What was looked for'),
      h('ul', null,
        h('li', null, 'metrics named ', h('code', null, 'llm.engine.*'), ' or ', h('code', null, 'gen_ai.server.*')),
        h('li', null, 'on a resource with ', h('code', null, 'llm.engine.name'), ' and ', h('code', null, 'service.instance.id')),
        h('li', null, 'from the llm_engine receiver, or over any other road into this pipeline')),
      h('p', { class: 'hint' }, 'This page appears by itself as soon as the first engine reports.')),
    h('div', null,
      h('h2', null, 'Point to an engine'),
      h('pre', { tabindex: '0' }, example), copy));
}

/** Shows that the first message has not arrived yet. */
export function showConnecting() {
  setText($('title'), 'Connecting…');
  setText($('detail'), Date.now() - state.since > 3000 ? 'The collector does not answer yet. Trying again.' : '');
}
