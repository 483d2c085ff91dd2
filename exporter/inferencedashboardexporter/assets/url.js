// The address of the page holds what the reader chose, so that it can be sent to somebody else.

const defaults = { fleet: '', worker: '', advice: '', filter: '', order: '', page: '1', range: '15', theme: 'auto' };

/** Reads the choices from the address. */
export function readChoice() {
  const q = new URLSearchParams(location.search);
  const choice = {};
  for (const [key, value] of Object.entries(defaults)) choice[key] = q.get(key) ?? value;
  if (!['5', '15', '60', '360', '1440'].includes(choice.range)) choice.range = defaults.range;
  if (!['auto', 'light', 'dark'].includes(choice.theme)) choice.theme = defaults.theme;
  if (!['', 'worst', 'name'].includes(choice.order)) choice.order = defaults.order;
  choice.filter = choice.filter.slice(0, 200); // as long as the field takes
  if (!/^[1-9]\d{0,2}$/.test(choice.page)) choice.page = defaults.page;
  return choice;
}

const longest = 900; // bytes of a query that the exporter takes, and something to spare

/** The query of the stream: what of many workers is looked at. What is too long to be asked for is left to the page. */
export function lookQuery({ fleet, worker, filter, from }) {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries({ fleet, worker, filter, from: from || '' })) {
    if (!value) continue;
    q.set(key, value);
    if (q.toString().length > longest) q.delete(key);
  }
  return q.toString();
}

/** Writes the choices into the address, leaving out what is as by default. */
export function writeChoice(choice) {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(choice)) if (value !== defaults[key]) q.set(key, value);
  const text = q.toString();
  history.replaceState(null, '', text ? '?' + text : location.pathname);
}
