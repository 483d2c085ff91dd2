// Figures in words: at most three significant digits and a unit. Unknown is an en dash.

export const unknown = '–';

/** Writes a number with at most `digits` significant digits and no exponent. */
export function figure(v, digits = 3) {
  if (v === null || v === undefined) return unknown;
  if (v === 0) return '0';
  const text = String(Number(v.toPrecision(digits))); // an Intl.NumberFormat takes several times as long, and figures are written by the thousand
  return text.includes('e') ? Number(text).toFixed(12).replace(/0+$/, '') : text;
}

/** Seconds in the unit that reads best. */
export function seconds(s) {
  if (s === null || s === undefined) return unknown;
  if (s === 0) return '0 ms';
  if (s < 1e-3) return figure(s * 1e6) + ' µs';
  if (s < 0.9995) return figure(s * 1e3) + ' ms';
  return figure(s) + ' s';
}

/** A share of 0..1 in percent. */
export function percent(v) {
  if (v === null || v === undefined) return unknown;
  const p = v * 100;
  if (p > 0 && p < 0.095) return '< 0.1 %';
  return (p > 0 && p < 1 ? figure(p, 1) : Math.round(p)) + ' %';
}

/** A number with its sign, for the imbalance. */
export function signed(v) {
  if (v === null || v === undefined) return unknown;
  const text = Math.abs(v) < 0.005 ? '0' : Math.abs(v).toFixed(2);
  return (text === '0' ? '' : v > 0 ? '+' : '−') + text;
}

/** A percentile of the API: "812 ms", or "> 10 s" where it lies above the last bound of its histogram. */
export function quantile(q) {
  if (!q || q.value === null) return unknown;
  return (q.over ? '> ' : '') + seconds(q.value);
}

/** Where the true percentile lies, for a tooltip. */
export function bucket(q) {
  if (!q || q.value === null) return 'No samples in the last minute';
  if (q.over) return `Above the last bound of the histogram, ${seconds(q.value)}`;
  return `Between ${seconds(q.low)} and ${seconds(q.high)}: the bucket it was interpolated in`;
}

/** A span of milliseconds: "23 s", "4 min". */
export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 100) return `${s} s`;
  const min = Math.round(s / 60);
  return min < 100 ? `${min} min` : `${Math.round(min / 60)} h`;
}

/** Shares of time in words: prefill and decode, or what there is instead while neither has any. */
export function shares(phase) {
  const pair = phase.prefill + phase.decode > 0.005 ? ['prefill', 'decode'] : ['idle', 'unattributed'].filter((p) => phase[p] > 0.005);
  return pair.map((p) => `${percent(phase[p])} ${p}`).join(' · ');
}

/** A percentile's name: 0.9 is p90. */
export const quantileName = (q) => 'p' + +(q * 100).toFixed(2);

/** Keeps a figure and its unit, and a percentile and its figure, on one line. */
export const unbroken = (text) => text.replace(/(\d) (?=(?:ms|s|µs)\b)/g, '$1\u00a0').replace(/\b(p[\d.]+) /g, '$1\u00a0');

const scaled = (v, step, names) => {
  let i = 0;
  while (Math.abs(v) >= 0.9995 * step && i < names.length - 1) { v /= step; i++; }
  return [v, names[i]];
};

/** Bytes in binary units, as memory is sold. */
export function bytes(v) {
  if (v === null || v === undefined) return unknown;
  const [n, unit] = scaled(v, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
  return `${figure(n)} ${unit}`;
}

/** Bytes a second in decimal units, as links are sold. */
export function bandwidth(v) {
  if (v === null || v === undefined) return unknown;
  const [n, unit] = scaled(v, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s']);
  return `${figure(n)} ${unit}`;
}

/** A count with k and M. */
export function count(v) {
  if (v === null || v === undefined) return unknown;
  const [n, unit] = scaled(v, 1000, ['', ' k', ' M', ' G']);
  return figure(n) + unit;
}

/** A quantity by its UCUM unit. Shares are percent. */
export function quantity(v, unit) {
  if (v === null || v === undefined) return unknown;
  switch (unit) {
    case 's': return seconds(v);
    case '1': return v >= 0 && v <= 1.0005 ? percent(v) : figure(v);
    case 'By': return bytes(v);
    case 'By/s': return bandwidth(v);
    case 's/{token}': return `${seconds(v)}/token`;
    default: return `${count(v)} ${unit.replace(/^\{(\w+)\}/, (_, word) => v === 1 ? word : word + 's').replace(/\{(\w+)\}/g, '$1')}`.trim();
  }
}
