// What the page knows: fleets and workers as the stream tells them. Messages carry only the groups that changed.

export const state = {
  connected: false, // whether the first message has arrived
  link: 'connecting', // connecting, live, lost
  heard: 0, // local time of the last message, ms
  since: Date.now(),
  at: 0, // server time of the last message, ms
  meta: { started: 0, step: 5000, history: 3600000, long_step: 0, long_history: 0, window: 60000, heartbeat: 5000, charts: false, links: [] },
  fleets: new Map(),
  workers: new Map(),
  subjects: new Map(), // what sections show as it arrives, by id
  advice: [],
  // Which workers are told: of many, those of one fleet, the worst of them that match the filter. An empty id is all of all fleets.
  scope: { fleet_id: '', matching: 0, from: 0, most: 0 },
  cost: { cpu: null, memory: null },
};

/** Takes the first message: everything, and what the page has to know of the exporter. */
export function begin(m) {
  state.fleets = new Map((m.fleets ?? []).map((f) => [f.id, f]));
  state.workers = new Map((m.workers ?? []).map((w) => [w.id, w]));
  const { started, step, history, long_step = 0, long_history = 0, window, heartbeat, charts, links = [] } = m;
  state.meta = { started, step, history, long_step, long_history, window, heartbeat, charts, links };
  state.subjects = new Map((m.subjects ?? []).map((x) => [x.id, x]));
  state.advice = m.advice ?? [];
  state.scope = m.scope ?? { fleet_id: '', matching: state.workers.size, from: 0, most: 0 };
  state.cost = m.cost ?? state.cost;
  state.connected = true;
  state.at = m.at;
}

/** Takes a later message. */
export function apply(m) {
  state.at = m.at;
  for (const f of m.fleets ?? []) merge(state.fleets, f);
  for (const w of m.workers ?? []) merge(state.workers, w);
  for (const x of m.subjects ?? []) {
    const before = state.subjects.get(x.id);
    state.subjects.set(x.id, { ...before, ...x, sections: { ...before?.sections, ...x.sections } });
  }
  for (const id of m.gone_subjects ?? []) state.subjects.delete(id);
  state.advice = m.advice ?? state.advice;
  state.scope = m.scope ?? state.scope;
  state.cost = m.cost ?? state.cost;
  for (const id of m.gone ?? []) {
    state.fleets.delete(id);
    state.workers.delete(id);
  }
}

function merge(map, patch) {
  map.set(patch.id, { ...map.get(patch.id), ...patch });
}

const roles = ['prefill', 'decode', 'aggregated', 'encode', 'router'];
const collator = new Intl.Collator('en', { numeric: true });

/** Workers of a fleet in their fixed order: by role, then by name with numbers in order. */
export function workersOf(fleetID) {
  const rank = (w) => (roles.indexOf(w.identity.role) + roles.length + 1) % (roles.length + 1);
  return [...state.workers.values()]
    .filter((w) => w.identity.fleet_id === fleetID)
    .sort((a, b) => rank(a) - rank(b) || collator.compare(a.identity.instance, b.identity.instance) || (a.id < b.id ? -1 : 1));
}

const states = ['down', 'stale', 'ok'];

/** Puts those that are down first, then the silent, then the others by how far they miss what is asked of them. */
export const worse = (a, b) => states.indexOf(a.state.state) - states.indexOf(b.state.state) || (b.load.trouble ?? 0) - (a.load.trouble ?? 0);

/** Whether only a part of the workers is told. */
export const partial = () => state.scope.fleet_id !== '';

/** Which workers the sections speak of, where that is not all of them: "the 1000 worst of 8400 workers". */
export function partInWords() {
  const { matching, from, most } = state.scope;
  if (!partial() || matching <= most) return '';
  const last = Math.min(from + most, matching);
  return from ? `workers ${from + 1} to ${last} of ${matching}, from the worst on` : `the ${most} worst of ${matching} workers`;
}

/** Whether a fleet, or a worker of it, is known and nobody answers. */
export function nobodyAnswers(fleetID, worker) {
  const asked = worker ? [worker] : workersOf(fleetID);
  return asked.length > 0 && asked.every((w) => w.state.state !== 'ok');
}

const loss = (f) => f.verdict.loss * (f.verdict.confidence ?? 0);

/** The fleet that is worst off, where the reader has not chosen one. One without a name holds endpoints that never answered. */
export function worstFleet() {
  return [...state.fleets.values()].sort((a, b) => !a.name - !b.name || loss(b) - loss(a) || collator.compare(a.name, b.name))[0];
}
