// The page: takes messages from the stream, shows them, and keeps the reader's choices in the address.
import { advance, prepare, rebuild, showRange, showSeries } from './charts.js';
import { $, h, setAttr, setText, shorten } from './dom.js';
import { showAdvice } from './advice.js';
import { showGPUs } from './gpu.js';
import { showKV } from './kv.js';
import { showLinks } from './links.js';
import { closeMetric } from './metric.js';
import { showMixing } from './mixing.js';
import { onOpened } from './parts.js';
import { showCost, showSources } from './sources.js';
import { showSplit } from './split.js';
import { partial, partInWords, state, workersOf, worstFleet } from './state.js';
import { connect } from './stream.js';
import { showTransfers } from './transfer.js';
import { lookQuery, readChoice, writeChoice } from './url.js';
import { showConnecting, showEmpty, showVerdict } from './verdict.js';
import { Visible } from './visible.js';
import { blockOf, clearWorkers, expireWorkers, focusRow, moveFocus, onWorkersInView, showWorkers, workerIn } from './workers.js';

const choice = readChoice();
let fleetID = '';
let paused = false;
let queued = false;
const inView = new Visible(queue);
const sections = ['sections', 'workers', 'phases', 'kv', 'transfer', 'split', 'gpu', 'sources'];

/** The fleet that is told, where it is only one; else the one that the address names, else the one shown so far, else that of the worker in the
 *  address, else the one that is worst off. */
function currentFleet() {
  if (partial()) return state.fleets.get(state.scope.fleet_id);
  const named = [...state.fleets.values()].find((f) => choice.fleet && (f.name === choice.fleet || f.id === choice.fleet));
  return named ?? state.fleets.get(fleetID) ?? state.fleets.get(state.workers.get(choice.worker)?.identity.fleet_id) ?? worstFleet();
}

function render() {
  queued = false;
  showLink();
  const fleet = currentFleet();
  for (const id of sections) $(id).hidden = !fleet;
  showCost();
  $('empty').hidden = Boolean(fleet) || !state.connected;
  if (!state.connected) return showConnecting();
  if (!fleet) { $('advice').hidden = true; return showEmpty(); }
  if (fleet.id !== fleetID) {
    fleetID = fleet.id;
    clearWorkers();
    inView.expire();
  }
  showFleets(fleet);
  showVerdict(fleet);
  const selected = workerIn(choice.worker, fleetID);
  showScope(selected);
  showWorkers(fleet, workersOf(fleetID), { ...choice, apart }, selected?.id);
  showSections(fleet, selected);
  showLinks(fleet, selected, Number(choice.range));
  showRanges();
  prepare();
  showSeries(selected ? 'worker' : 'fleet', selected?.id ?? fleetID);
}

/** Shows what is below the workers: of the fleet, or of the worker chosen. */
function showSections(fleet, worker) {
  showAdvice(fleetID, choice.advice);
  const show = {
    phases: () => showMixing(fleetID, worker, (worker ?? fleet).conditions), kv: () => showKV(fleetID, worker), transfer: () => showTransfers(fleetID, worker),
    split: () => showSplit(fleetID), gpu: () => showGPUs(fleetID, worker), sources: () => showSources(fleetID, worker),
  };
  const now = performance.now();
  for (const [id, write] of Object.entries(show)) if (inView.due($(id), now)) write();
  const part = partInWords();
  for (const e of document.querySelectorAll('.scope')) setText(e, worker ? `of ${shorten(worker.identity.instance, 40)}` : part && `of ${part}`);
}

function queue() {
  if (queued || paused) return;
  queued = true;
  requestAnimationFrame(render);
}

function showFleets(fleet) {
  const fleets = [...state.fleets.values()].sort((a, b) => a.name.localeCompare(b.name));
  const name = (f) => shorten(f.name || 'unnamed fleet', 60);
  $('fleet-pick').hidden = fleets.length < 2;
  $('fleet-name').hidden = fleets.length >= 2;
  setText($('fleet-name'), name(fleet));
  setAttr($('fleet-name'), 'title', fleet.name);
  const labels = fleets.map((f) => `${name(f)} · ${f.verdict.title.replace(/\.$/, '').toLowerCase()}`);
  const select = $('fleet');
  if (select.dataset.labels !== labels.join('\n')) {
    select.dataset.labels = labels.join('\n');
    select.replaceChildren(...fleets.map((f, i) => h('option', { value: f.id }, labels[i])));
  }
  select.value = fleet.id;
}

/** Offers the ranges that the collector's memory reaches. */
function showRanges() {
  for (const o of $('range').options) if ('long' in o.dataset) o.hidden = o.disabled = Number(o.value) * 60000 > state.meta.long_history;
}

function showScope(worker) {
  setText($('scope'), worker ? shorten(worker.identity.instance) : '');
  setAttr($('scope'), 'title', worker?.identity.instance);
  $('scope-back').hidden = !worker;
}

/** Shows whether the figures are live. */
function showLink() {
  const lost = state.link === 'lost';
  document.body.classList.toggle('lost', lost);
  const what = paused ? 'paused' : state.link;
  setAttr($('live'), 'data-state', what);
  setAttr($('live'), 'aria-pressed', String(paused));
  setText($('live-word'), { paused: 'Paused', live: 'Live', lost: 'Lost', connecting: 'Connecting' }[what]);
  $('banner').hidden = !lost;
  if (lost) setText($('banner'), `The connection to the collector is lost. These figures are from ${new Date(state.heard).toLocaleTimeString()}. Trying again.`);
}

let asking; // the timer of a reader who types
let owed = false; // what was asked for by a choice has to be shown, though the page may be paused
let apart = choice.worker; // the worker that was chosen last without being told: it is asked for by its id

/** Asks by its id for a worker that is chosen and not told: another was meant first, it may have got better, or the rows are others. */
function keepTold() {
  if (choice.worker && !state.workers.has(choice.worker)) apart = choice.worker;
}

function choose(changes) {
  Object.assign(choice, changes);
  writeChoice(choice);
  keepTold();
  if (partial()) { // of many workers others have to be asked for
    clearTimeout(asking);
    asking = setTimeout(() => { owed = lookAgain(); }, 'filter' in changes ? 300 : 0);
  }
  inView.expire();
  expireWorkers();
  render();
}

function setTheme(theme) {
  choice.theme = theme;
  setAttr(document.documentElement, 'data-theme', theme === 'auto' ? '' : theme);
  setText($('theme'), `Theme: ${theme}`);
  rebuild();
}

function pause(on = !paused) {
  paused = on;
  if (on) showLink();
  else { render(); advance(true); }
}

function select(row) {
  if (row) choose({ worker: row.dataset.id === choice.worker ? '' : row.dataset.id });
}

function onKey(e) {
  const typing = e.target.matches('input, select, textarea');
  if (e.metaKey || e.ctrlKey || e.altKey || $('help').open) return;
  if (e.key === 'Escape') {
    if (closeMetric()) return;
    if (e.target === $('filter')) { e.target.value = ''; e.target.blur(); choose({ filter: '', page: '1' }); } else if (choice.advice) choose({ advice: '' }); else if (choice.worker) choose({ worker: '' });
    return;
  }
  if (typing) return;
  const row = e.target.closest?.('#rows tr');
  if (e.key === '/' && !$('workers').hidden) { $('filter').hidden = false; $('filter').focus(); } else if (e.key === '?') $('help').showModal();
  else if (e.key === ' ' && !e.target.matches('button, a, pre, summary, [role="region"]')) pause();
  else if (row && e.key === 'Enter') select(row);
  else if (row && e.key === 'ArrowDown') moveFocus(1);
  else if (row && e.key === 'ArrowUp') moveFocus(-1);
  else return;
  e.preventDefault();
}

$('filter').value = choice.filter;
$('range').value = choice.range;
$('filter').addEventListener('input', (e) => choose({ filter: e.target.value, page: '1' }));
$('order').addEventListener('click', (e) => choose({ order: e.target.dataset.order }));
$('pages').addEventListener('click', (e) => {
  if (!e.target.dataset.page) return;
  choose({ page: e.target.dataset.page });
  if (e.target.disabled) document.querySelector('#pages button:enabled')?.focus(); // at the end, the keyboard's place stays
  $('workers').scrollIntoView();
});
$('range').addEventListener('change', (e) => { showRange(e.target.value); choose({ range: e.target.value }); });
$('fleet').addEventListener('change', (e) => {
  const f = state.fleets.get(e.target.value);
  const unique = [...state.fleets.values()].filter((x) => x.name === f.name).length === 1 && f.name.length <= 100;
  choose({ fleet: unique && f.name ? f.name : f.id, worker: '', advice: '', page: '1' });
});
$('theme').addEventListener('click', () => {
  setTheme({ auto: 'light', light: 'dark', dark: 'auto' }[choice.theme]);
  writeChoice(choice);
});
$('live').addEventListener('click', () => pause());
$('help-open').addEventListener('click', () => $('help').showModal());
$('help-close').addEventListener('click', () => $('help').close());
$('scope-back').addEventListener('click', () => choose({ worker: '' }));
$('rows').addEventListener('click', (e) => {
  const row = e.target.closest('tr');
  if (!getSelection().isCollapsed || !row) return;
  focusRow(row);
  select(row);
});
document.addEventListener('click', (e) => {
  const to = e.target.closest?.('[data-advice], [data-worker]');
  if (!to) return;
  if (to.dataset.advice !== undefined) choose({ advice: to.dataset.advice });
  else choose({ worker: to.dataset.worker });
  if (to.dataset.advice) $('advice-one').scrollIntoView({ block: 'nearest' });
});
document.addEventListener('keydown', onKey);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', rebuild);

onOpened(() => { inView.expire(); render(); });
onWorkersInView(queue);
setTheme(choice.theme);
showRange(choice.range);
setInterval(queue, 1000); // ages move on without messages
const lookAgain = connect((fresh) => {
  if (fresh && owed) {
    owed = false;
    requestAnimationFrame(render);
  } else queue();
  if (!paused && state.connected) advance(fresh);
  if (!partial()) return;
  keepTold();
  lookAgain(); // there may have been few when it was asked first
}, () => lookQuery({ fleet: choice.fleet || fleetID, worker: apart, filter: choice.filter, from: blockOf(Number(choice.page)) }));
