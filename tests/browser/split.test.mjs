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
  for (const part of ['Do not disaggregate this fleet.', 'Prompts are short', '0.82×', '80 %: 0.71 to 0.93', '1P', '3D', '2P', '2D', '15/s', '13.5 to 16']) assert.ok(words.includes(part), `${part} in ${words}`);
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
      // That splitting is worth it does not stand beside a model that is off as if nothing were.
      assert.equal(said.includes('is worth it'), mark !== 'miss');
      assert.equal(said.includes('The model is off here. It rehearses the present fleet at 11/s, and 7.6/s are measured: 45 % too high.'), mark === 'miss');
    });
  });
}
