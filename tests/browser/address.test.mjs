// What is looked at has an address, and links lead out with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshot } from './fixture.mjs';
import { inAddress, shown, text } from './shown.mjs';

test('an advice and a worker have an address of their own', () => shown({}, snapshot(), async (page) => {
  assert.match(await text(page, '#advice-one'), /33 preemptions\/min/, 'its address opens it');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#advice-one', { state: 'hidden' });
  assert.equal(await inAddress(page, 'advice'), null);
  await page.locator('#advice-cards [data-advice]').first().click();
  assert.equal(await inAddress(page, 'advice'), 'd000000000000001');
  await page.keyboard.press('Escape');
  await page.locator('#kv-body [data-worker]').first().click();
  await page.waitForFunction(() => new URL(location).searchParams.get('worker') === 'a000000000000001');
  assert.equal(await page.locator('#gpu-body .gpus > li').count(), 1, 'only its own GPU');
  assert.match(await text(page, '#kv .scope'), /10\.0\.0\.1:8000/);
}, '?advice=d000000000000002'));

test('the address of a worker is that of its fleet', () => {
  const message = snapshot();
  const [fleet] = message.fleets;
  message.fleets.push({ ...fleet, id: 'f1ee700000000002', name: 'quiet', verdict: { ...fleet.verdict, loss: 0 } });
  Object.assign(message.workers[1].identity, { fleet: 'quiet', fleet_id: 'f1ee700000000002' });
  return shown({}, message, async (page) => {
    assert.equal(await page.locator('#fleet').inputValue(), 'f1ee700000000002');
    assert.match(await text(page, '#kv .scope'), /10\.0\.0\.2:8000/);
  }, `?worker=${message.workers[1].id}`);
});

test('links lead out with what is looked at, and only to pages', () => {
  const message = { ...snapshot({ hostile: '"><img src=x>&a=b' }), links: [
    { name: 'Grafana', url: 'https://grafana.example/d/llm?var-fleet={fleet}&from={from}&to={to}' },
    { name: '<b>Logs</b>', url: 'https://logs.example/search?q={worker}&from={from_seconds}' },
    { name: 'Script', url: 'javascript:window.pwned=1' }] };
  return shown({}, message, async (page) => {
    const links = page.locator('#links a');
    assert.deepEqual(await links.allTextContents(), ['Grafana ↗, in a new tab'], 'one that speaks of a worker needs one; a script is no page');
    const href = new URL(await links.first().getAttribute('href'));
    assert.equal(href.searchParams.get('var-fleet'), '"><img src=x>&a=b', 'labels are encoded');
    assert.equal(Number(href.searchParams.get('to')) - Number(href.searchParams.get('from')), 15 * 60000);
    assert.equal(await links.first().getAttribute('rel'), 'noopener noreferrer');
    await page.locator('#rows tr').first().click();
    await page.waitForFunction(() => document.querySelectorAll('#links a').length === 2);
    assert.match(await links.nth(1).getAttribute('href'), /^https:\/\/logs\.example\/search\?q=%22%3E%3Cimg/);
    assert.equal(await page.locator('#links b').count(), 0, 'names are text');
  });
});
