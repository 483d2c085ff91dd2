// What is withheld, missing, silent or unknown says so, and is not drawn as if it were there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshot } from './fixture.mjs';
import { shown, text } from './shown.mjs';

test('a reason is told in words', () => {
  const message = snapshot();
  const worker = message.subjects.find((x) => x.kind === 'worker'), fleet = message.subjects.find((x) => x.kind === 'fleet');
  delete worker.sections.kv['llm.kv_cache.fragmentation'];
  worker.sections.estimates['llm.estimate.withheld'] = [{ of: ['llm.kv_cache.fragmentation', 'warming_up'], value: 0.2 }];
  delete fleet.sections.disaggregation['llm.topology.goodput'];
  fleet.sections.estimates = { 'llm.estimate.withheld': [{ of: ['llm.topology.goodput', 'coverage'], value: 0.2 }] };
  return shown({}, message, async (page) => {
    assert.match(await text(page, '#kv-body .withheld'), /llm\.kv_cache\.fragmentation – more data is needed/);
    assert.match(await text(page, '#split-body .withheld'), /llm\.topology\.goodput – too few of its workers are seen/);
  });
});

test('a worker whose time is unattributed says why', () => {
  const message = snapshot();
  message.workers[0].phase = { prefill: 0, decode: 0, idle: 0, unattributed: 1 };
  message.subjects.find((x) => x.kind === 'worker').sections.estimates['llm.estimate.withheld'] = [{ of: ['llm.phase.worker.time', 'busy_unknown'], value: 0.9 }];
  return shown({}, message, async (page) => assert.match(await text(page, '#rows tr:first-child'), /unattributed: busy time unknown/));
});

test('what fell silent is not shown as if it held', () => {
  const message = snapshot();
  const [first, second] = message.subjects.filter((x) => x.kind === 'worker');
  for (const x of [first, message.subjects[0]]) Object.assign(x, { silent: { kv: message.at - 120000, disaggregation: message.at - 120000 }, sections: { ...x.sections, kv: undefined, disaggregation: undefined } });
  delete second.silent;
  return shown({}, message, async (page) => {
    assert.match(await text(page, '#kv-body'), /1 worker fell silent at .*, 2 min ago/);
    assert.match(await text(page, '#kv-body'), /Pool of/, 'the others are shown');
    assert.match(await text(page, '#split-body'), /These figures fell silent/);
  });
});

test('of workers that do not answer nothing is said to be on, and not that it was never known', () => {
  const message = snapshot();
  delete message.subjects[0].sections.disaggregation;
  for (const w of message.workers) w.state = { state: 'down', since: message.at - 60000 };
  for (const x of message.subjects) delete x.sections?.sources;
  return shown({}, message, async (page) => {
    assert.match(await text(page, '#sources-body'), /No worker answers\. What is missing is told when one does\./);
    assert.match(await text(page, '#split-body'), /No worker answers\./);
  });
});

test('what did not arrive is said, not drawn', () => {
  const bare = { ...snapshot(), subjects: [], advice: [], cost: { cpu: null, memory: null } };
  return shown({}, bare, async (page) => {
    for (const [id, words] of [['kv', /Nothing is known of the KV cache/], ['transfer', /No KV transfers/], ['split', /Nothing is known of a split/], ['gpu', /No GPU reports/]]) assert.match(await text(page, `#${id}-body`), words);
    assert.equal(await page.locator('#advice').isHidden(), true);
    assert.equal(await page.locator('#cost').isHidden(), true);
  });
});
