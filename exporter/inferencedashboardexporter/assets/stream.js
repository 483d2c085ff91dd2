// The one connection of the page: server-sent events, taken up again when it breaks.
import { apply, begin, state } from './state.js';

const waits = [1000, 2000, 5000, 10000];

/** Connects and calls `changed` after every message and every change of the connection. `look` gives the query of what is looked at.
 *  Returns a function that asks anew where that has changed, and says whether it did. */
export function connect(changed, look) {
  let failures = 0;
  let source;
  let asked;
  let next; // the timer of the next try

  const open = () => { // the only connection, whoever asks for it
    clearTimeout(next);
    source?.close();
    asked = look();
    source = new EventSource(`api/v1/stream${asked && '?'}${asked}`);
    source.addEventListener('snapshot', (e) => take(begin, e));
    source.addEventListener('update', (e) => take(apply, e));
    source.onerror = retry;
  };
  const take = (how, e) => {
    failures = 0;
    state.heard = Date.now();
    state.link = 'live';
    how(JSON.parse(e.data));
    changed(how === begin);
  };
  const retry = () => {
    source.close();
    state.link = state.connected ? 'lost' : 'connecting';
    clearTimeout(next);
    next = setTimeout(open, waits[Math.min(failures++, waits.length - 1)]);
    changed(false);
  };
  // A connection that died without a word is only noticed by its silence.
  setInterval(() => {
    if (state.link === 'live' && Date.now() - state.heard > 3 * state.meta.heartbeat) retry();
  }, 1000);
  open();
  return () => {
    if (look() === asked) return false;
    open();
    return true;
  };
}
