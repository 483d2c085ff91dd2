// The address of the page holds what the reader chose, so that it can be sent to somebody else.

const defaults = { fleet: '', worker: '', advice: '', filter: '', range: '15', theme: 'auto' };

/** Reads the choices from the address. */
export function readChoice() {
  const q = new URLSearchParams(location.search);
  const choice = {};
  for (const [key, value] of Object.entries(defaults)) choice[key] = q.get(key) ?? value;
  if (!['5', '15', '60', '360', '1440'].includes(choice.range)) choice.range = defaults.range;
  if (!['auto', 'light', 'dark'].includes(choice.theme)) choice.theme = defaults.theme;
  return choice;
}

/** Writes the choices into the address, leaving out what is as by default. */
export function writeChoice(choice) {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(choice)) if (value !== defaults[key]) q.set(key, value);
  const text = q.toString();
  history.replaceState(null, '', text ? '?' + text : location.pathname);
}
