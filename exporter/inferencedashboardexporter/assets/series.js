// The history behind the charts: fetched once for what is shown, then carried on from the stream.
import { state } from './state.js';

const names = ['imbalance', 'prefill', 'decode', 'idle', 'unattributed',
  'ttft_p50', 'ttft_p90', 'ttft_p99', 'itl_p50', 'itl_p90', 'itl_p99', 'running', 'waiting', 'thrash', 'storm', 'hiccup', 'interference'];

/** The series of a fleet or worker: one time axis in seconds and one column per name, null where there is a gap. A long one reaches further
 *  back in coarser steps. */
export class Series {
  constructor(kind, id, long = false) {
    this.kind = kind;
    this.id = id;
    this.long = long;
    this.clear();
  }

  clear() {
    this.times = [];
    this.step = this.long ? state.meta.long_step : state.meta.step; // ms; that of a worker may be longer than a fleet's
    this.asked = 0; // server time when the past was fetched last, ms
    this.columns = Object.fromEntries(names.map((n) => [n, []]));
  }

  /** Fetches the past. What the stream says afterwards is added by `carryOn`. */
  async load() {
    this.asked = state.at;
    const answer = await fetch(`api/v1/history?${this.kind}=${this.id}&metric=${names.join()}${this.long ? '&span=long' : ''}`);
    if (!answer.ok) return;
    const { start, step, series } = await answer.json();
    if (step > 0) this.step = step;
    const length = series[names[0]].values.length;
    this.times = Array.from({ length }, (_, i) => (start + i * step) / 1000);
    for (const n of names) this.columns[n] = series[n].values;
  }

  /** Writes the present into its slot. Returns false after a longer silence: then the past has to be fetched anew. */
  carryOn() {
    const { step } = this;
    if (this.long) return Math.floor(state.at / step) === Math.floor(this.asked / step); // folded by the collector
    const slot = Math.floor(state.at / step) * step / 1000;
    const last = this.times.at(-1);
    // What is silent has a past that ends long ago, and no other to fetch.
    if (last !== undefined && slot - Math.max(last, this.asked / 1000) > 3 * step / 1000) return false;
    if (last === undefined || slot > last) {
      for (let t = last === undefined ? slot : last + step / 1000; t <= slot + 1e-6; t += step / 1000) this.push(t);
    }
    const now = present(this.kind, this.id);
    for (const n of names) this.columns[n][this.times.length - 1] = now?.[n] ?? null;
    const surplus = this.times.length - Math.floor(state.meta.history / step);
    if (surplus > 0) {
      this.times.splice(0, surplus);
      for (const n of names) this.columns[n].splice(0, surplus);
    }
    return true;
  }

  /** The time of the first value, in seconds; undefined while there is none. */
  first() {
    return this.times.find((_, i) => names.some((n) => this.columns[n][i] != null));
  }

  push(t) {
    this.times.push(t);
    for (const n of names) this.columns[n].push(null);
  }
}

function present(kind, id) {
  const x = kind === 'fleet' ? state.fleets.get(id) : state.workers.get(id);
  if (!x || (kind === 'worker' && x.state.state !== 'ok')) return null;
  const imbalance = kind === 'fleet' ? x.verdict.evidence.find((e) => e.label === 'Imbalance')?.value.value : x.estimate.imbalance;
  const told = (label) => x.verdict.evidence.find((e) => e.label === label)?.value.value ?? null;
  const load = kind === 'fleet' ? { running: told('Running'), waiting: told('Waiting') } : x.load;
  const out = { imbalance, ...x.phase, running: load.running, waiting: load.waiting, ...x.conditions };
  for (const p of ['p50', 'p90', 'p99']) {
    out[`ttft_${p}`] = x.ttft[p].value;
    out[`itl_${p}`] = x.itl[p].value;
  }
  return out;
}
