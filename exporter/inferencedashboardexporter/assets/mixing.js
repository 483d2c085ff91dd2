// What prefill costs decode where both share their steps.
import { $, h, morph } from './dom.js';
import { confidenceOf, has, silence, subjectsOf, valueOf, withheld } from './figures.js';
import { figure, percent, seconds, unknown } from './format.js';
import { fact, facts, silentNote, withheldNote } from './parts.js';

const section = 'phases';
const lost = 'llm.interference.decode.lost', without = 'llm.interference.itl.without_prefill', each = 'llm.interference.itl.per_prefill_token';

/** Shows it for a fleet, or for the worker chosen. */
export function showMixing(fleetID, worker, conditions) {
  const chosen = subjectsOf('worker', fleetID).filter((x) => !worker || x.id === worker.id);
  const all = chosen.filter((x) => has(x, section));
  const silent = silence(chosen, section);
  const range = (metric, say) => {
    const values = all.map((x) => valueOf(x, section, metric)).filter((v) => v !== null);
    if (!values.length) return unknown;
    const [low, high] = [say(Math.min(...values)), say(Math.max(...values))];
    const unit = low.slice(low.indexOf(' '));
    return low === high ? low : `${high.endsWith(unit) ? low.slice(0, -unit.length) : low}–${high}`;
  };
  const stalls = all.map((x) => valueOf(x, section, 'llm.interference.stall.count')).filter((v) => v !== null);
  const sure = all.map((x) => confidenceOf(x, lost)).filter((v) => v !== null);
  const share = conditions?.interference ?? null;
  morph($('phases-body'),
    silentNote(silent, !all.length, 'worker'),
    share === null ? null : h('div', null, h('p', { class: 'sub-head' }, h('b', null, 'What mixing the phases costs')),
      facts(
        fact('Decode waits for prefill', 'llm.interference.decode.delay, llm.interference.decode.wait', percent(share), sure.length ? `of its waiting, confidence ${figure(Math.min(...sure), 2)}` : 'of its waiting', share > 0.3 ? 'miss' : ''),
        fact('ITL without prefill', without, range(without, seconds), 'mean, were no prompt in the step'),
        fact('1,000 prompt tokens add', each, range(each, (v) => seconds(1000 * v)), 'to a token in the same step'),
        fact('Stalls', 'llm.interference.stall.count', stalls.length ? `${figure(60 * stalls.reduce((a, v) => a + v, 0))}/min` : unknown, 'steps three times as long as decode alone'))),
    withheldNote(chosen.flatMap((x) => withheld(x, 'llm.interference')).filter((w) => share === null || w.estimate !== lost)));
}
