// Figures of subjects: workers, fleets, agents, GPUs and hosts, each with sections, metrics and attributes as the stream tells them.
import { state } from './state.js';

/** The subjects of a kind that belong to a fleet, and those that belong to none. */
export const subjectsOf = (kind, fleetID) =>
  [...state.subjects.values()].filter((x) => x.kind === kind && (!x.fleet_id || x.fleet_id === fleetID));

/** The points of a metric: [{of, value}], empty where it did not arrive. */
export const points = (subject, section, metric) => subject?.sections[section]?.[metric] ?? [];

/** The value of a metric at the attributes given, the first ones of the metric; null where there is none. */
export function valueOf(subject, section, metric, ...of) {
  return points(subject, section, metric).find((p) => of.every((x, i) => p.of[i] === x))?.value ?? null;
}

/** A metric with one attribute as an object, {attribute: value}. */
export const byFirst = (subject, section, metric) =>
  Object.fromEntries(points(subject, section, metric).map((p) => [p.of[0], p.value]));

/** Whether a subject has anything in a section. */
export const has = (subject, section) => Object.keys(subject?.sections[section] ?? {}).length > 0;

/** Adds objects of numbers up by key. */
export function total(objects) {
  const sum = {};
  for (const o of objects) for (const [k, v] of Object.entries(o)) sum[k] = (sum[k] ?? 0) + v;
  return sum;
}

/** What was withheld in the last minute of the estimates whose names begin so, and is not there by now: [{estimate, reason}], the most
 *  frequent reason of each. */
export function withheld(subject, prefix) {
  const most = new Map();
  for (const { of: [estimate, reason], value } of points(subject, 'estimates', 'llm.estimate.withheld')) {
    if (!estimate.startsWith(prefix) || Object.values(subject.sections).some((section) => section[estimate]?.length) || !(value > 0) || value < (most.get(estimate)?.value ?? 0)) continue;
    most.set(estimate, { estimate, reason, value });
  }
  return [...most.values()].sort((a, b) => a.estimate < b.estimate ? -1 : 1);
}

/** How sure an estimate is, 0..1, null where nobody tells. */
export function confidenceOf(subject, estimate) {
  const all = points(subject, 'estimates', 'llm.estimate.confidence').filter((p) => p.of[0] === estimate).map((p) => p.value);
  return all.length ? Math.max(...all) : null;
}

/** When a section of subjects was last heard of where it has fallen silent, in ms, and of how many; null where none has. */
export function silence(subjects, section) {
  const all = subjects.map((x) => x?.silent?.[section]).filter(Boolean);
  return all.length ? { since: Math.max(...all), of: all.length } : null;
}
