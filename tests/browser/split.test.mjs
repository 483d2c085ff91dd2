// Whether the split is worth it: the gate, the waterfall, and what is rehearsed beside what is measured.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshot } from './fixture.mjs';
import { shown, text } from './shown.mjs';

test('what is measured and what is rehearsed are told apart', () => {
  const message = snapshot();
  message.subjects[0].sections.disaggregation['llm.disaggregation.goodput'] = [{ of: [], value: 4.2 }];
  return shown({}, message, async (page) => {
    const words = await text(page, '#split-body');
    for (const part of ['Goodput, measured', 'rehearsed', '4.2/s measured, not as rehearsed', 'best split, if it stays split']) assert.ok(words.includes(part), `${part} in ${words}`);
    assert.equal(await page.locator('.topologies .measured').count(), 1, 'of the present split only');
  });
});

test('a split that is not worth it is told plainly, and the waterfall ends at the score', () => shown({}, snapshot(), async (page) => {
  const words = await text(page, '#split-body');
  for (const part of ['Do not disaggregate this fleet.', 'Prompts are short', '0.82×', '80 %: 0.71× to 0.93×; both rehearsed', '1P', '3D', '2P', '2D', '15/s', '13.5 to 16']) assert.ok(words.includes(part), `${part} in ${words}`);
  const lost = await page.locator('.waterfall .lost').evaluateAll((all) => all.reduce((a, i) => a + parseFloat(i.style.width), 0));
  const score = await page.locator('.waterfall li').last().locator('i').evaluate((i) => parseFloat(i.style.width));
  assert.ok(Math.abs(100 - lost - score) < 0.5, `${lost} lost, ${score} left`);
}));

for (const [measured, mark, words] of [[11, '', /11\/s measured$/m], [9.7, 'near', /9\.7\/s measured, just outside/], [7.6, 'miss', /7\.6\/s measured, not as rehearsed/]]) {
  test(`a goodput of ${measured}/s, rehearsed at 10 to 12.5, is ${mark || 'as it should be'}`, () => {
    const message = snapshot();
    const section = message.subjects[0].sections.disaggregation;
    section['llm.disaggregation.goodput'] = [{ of: [], value: measured }];
    section['llm.disaggregation.gate'] = [{ of: ['recommend', 'benefit'], value: 1 }];
    return shown({}, message, async (page) => {
      assert.match((await text(page, '.topologies .current .figures')).replace(/ *TTFT.*/, ''), words);
      assert.equal(await page.locator('.topologies .current .measured').getAttribute('class'), `measured ${mark}`.trim());
      const said = await text(page, '#split-body');
      // That splitting is worth a trial does not stand beside a model that is off as if nothing were.
      assert.equal(said.includes('is worth a trial'), mark !== 'miss');
      assert.ok(said.includes('four times what it may lose'), 'the rule is told');
      assert.equal(said.includes('The model is off here. It rehearses the present fleet at 11/s, and 7.6/s are measured: 45 % too high.'), mark === 'miss');
    });
  });
}

test('a score without its factors, factors without a score, and a benefit over next to nothing', async () => {
  const message = snapshot();
  const section = message.subjects[0].sections.disaggregation;
  const factors = section['llm.disaggregation.factor'];
  delete section['llm.disaggregation.factor'];
  section['llm.disaggregation.score'] = [{ of: [], value: 0.03 }];
  section['llm.disaggregation.benefit'] = [['low', 0], ['mid', 2.4], ['high', 3e5]].map(([bound, value]) => ({ of: [bound], value }));
  message.subjects[0].sections.estimates['llm.estimate.withheld'] = [{ of: ['llm.disaggregation.factor', 'collapsed'], value: 0.1 }];
  await shown({}, message, async (page) => {
    const words = await text(page, '#split-body');
    for (const part of ['3 % of the goodput', 'What it loses most to cannot be told.', 'next to nothing is served in time', '0.00× to over 100×']) assert.ok(words.includes(part), `${part} in ${words}`);
    assert.ok(!words.includes('No score yet'), words);
  });
  delete section['llm.disaggregation.score'];
  section['llm.disaggregation.factor'] = factors;
  await shown({}, message, async (page) => assert.ok((await text(page, '#split-body')).includes('Most of it is lost to: prefill against decode workers.')));
});
