// What to do: the recommendations, their changes to copy, and those of a fleet that has fallen silent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshot } from './fixture.mjs';
import { shown, text } from './shown.mjs';

test('renders the verdict of the adviser and its three first recommendations', () => shown({}, snapshot(), async (page) => {
  assert.equal(await page.textContent('#title'), 'Prefill-bound.');
  assert.match(await page.textContent('#verdict-source'), /since/);
  assert.equal(await page.locator('#advice-cards > .card').count(), 3);
  assert.match(await text(page, '#advice-cards > .rest'), /1 more recommendation/);
  const first = page.locator('#advice-cards > .card').first();
  const words = await first.innerText();
  for (const part of ['critical', 'confidence HIGH', 'fallen back to TCP', 'RDMA adapters', '229 ms', '3.6 ms', '80 %: 2.7 ms to 4.6 ms', 'UCX_TLS=rc', '67 %']) assert.ok(words.includes(part), `${part} in ${words}`);
  assert.equal(await first.locator('[data-copy]').getAttribute('data-copy'), 'UCX_TLS=rc,cuda_copy,cuda_ipc,tcp');
  assert.match(await text(page, '#advice-past'), /within the prediction/);
}));

test('a copied change can be copied again', () => shown({}, snapshot(), async (page) => {
  await page.clock.install();
  const button = page.locator('#advice-cards [data-copy]').first();
  await button.click();
  await button.click();
  await page.waitForFunction(() => document.querySelector('#advice-cards [data-copy]').textContent !== 'Copy');
  let said;
  for (let i = 0; i < 50 && said !== 'Copy'; i++) { // the second copy may end after the first was told
    await page.clock.fastForward(5000);
    said = await button.textContent();
  }
  assert.equal(said, 'Copy');
}));

test('advice of a fleet that fell silent says as of when, and is no alarm', () => {
  const message = snapshot();
  message.advice[0].as_of = message.at - 40000;
  message.fleets[0].workers = { total: 2, ok: 0, stale: 2, down: 0, last_heard: message.at - 40000 };
  return shown({}, message, async (page) => {
    const card = page.locator('#advice-cards > .card').first();
    assert.match(await card.innerText(), /as of .*, no data since/);
    assert.equal(await card.evaluate((e) => e.classList.contains('critical')), false);
    assert.match(await text(page, '#verdict-source'), /as of .*, no data since/);
    await card.locator('[data-advice]').click();
    assert.match(await text(page, '#advice-one'), /It is not known whether it still holds/);
    assert.equal(await page.locator('#advice-cards > .card .warning', { hasText: 'no data since' }).count(), 1, 'the others hold');
  });
});
