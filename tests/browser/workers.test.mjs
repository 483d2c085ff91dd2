// Many workers: page by page, the worst first, and of those that are not told the others are asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { many } from './fixture.mjs';
import { inAddress, shown, text } from './shown.mjs';

/** A fleet of which every third worker misses an objective, the later the more. */
function troubled(workers) {
  const message = many(workers);
  message.workers.forEach((w, i) => { w.load.trouble = i % 3 ? 0.5 : 1 + i / 1000; });
  message.workers[7].state = { state: 'down' };
  return message;
}

const first = (page) => text(page, '#rows tr:first-child .who');

test('many workers come in pages, the worst first, and by name where one wants that', () => shown({}, troubled(600), async (page) => {
  assert.equal(await page.locator('#rows tr').count(), 250);
  assert.equal(await first(page), '10.0.0.7:8000', 'one that is down');
  assert.equal(await text(page, '#rows tr:nth-child(2) .who'), '10.0.2.85:8000', 'then the one that misses most');
  assert.match(await text(page, '#more'), /Rows 1 to 250 of 600, the worst first\./);
  await page.click('#page-after');
  await page.click('#page-after');
  await page.waitForFunction(() => document.querySelectorAll('#rows tr').length === 100);
  assert.equal(await inAddress(page, 'page'), '3');
  assert.equal(await page.locator('#page-after').isDisabled(), true);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'page-before', 'the keyboard keeps its place');
  await page.click('#order');
  await page.fill('#filter', '10.0.1.');
  await page.waitForFunction(() => document.querySelector('#rows .who').textContent === '10.0.1.2:8000'); // the first prefill worker there
  assert.equal(await inAddress(page, 'page'), null, 'what is found begins with the first page');
  assert.equal(await page.locator('#pages').isHidden(), false);
}));

test('an order of the worst stands while one reads', () => shown({}, troubled(100), async (page) => {
  const say = (m) => page.evaluate((data) => { window.stream.dispatchEvent(new MessageEvent('update', { data })); return new Promise((done) => requestAnimationFrame(() => setTimeout(done))); }, JSON.stringify(m));
  const { at, workers } = troubled(100);
  const worse = { id: workers[20].id, load: { ...workers[20].load, trouble: 9 } };
  await say({ at: at + 5000, workers: [worse] });
  assert.notEqual(await text(page, '#rows tr:nth-child(2) .who'), '10.0.0.20:8000');
  await say({ at: at + 40000, workers: [worse] });
  assert.equal(await text(page, '#rows tr:nth-child(2) .who'), '10.0.0.20:8000');
}));

test('of more workers than a page is told of, it says which, and asks for the others', () => {
  const message = troubled(1000);
  const fleet = message.fleets[0];
  fleet.workers = { total: 8400, ok: 8399, stale: 0, down: 1 };
  message.scope = { fleet_id: fleet.id, matching: 8400, from: 0, most: 1000 };
  message.fleets.push({ ...fleet, id: 'f1ee700000000002', name: 'other' });
  return shown({}, message, async (page) => {
    const asked = (key) => page.evaluate((k) => new URL(window.asked.at(-1), location).searchParams.get(k), key);
    assert.equal(await asked('fleet'), null, 'which is worst off is the collector\'s to say');
    assert.match(await text(page, '#count'), /8400 workers, 1 down/);
    assert.match(await text(page, '#more'), /Rows 1 to 250 of 8400, the worst first/);
    assert.match(await text(page, '#kv .scope'), /of the 1000 worst of 8400 workers/);
    await page.fill('#filter', 'node-7 decode');
    await page.waitForFunction(() => new URL(window.asked.at(-1), location).searchParams.get('filter') === 'node-7 decode');
    assert.equal(await asked('fleet'), fleet.id);
    await page.fill('#filter', '');
    await page.waitForFunction(() => !new URL(window.asked.at(-1), location).searchParams.has('filter'));
    for (let i = 0; i < 4; i++) await page.click('#page-after');
    await page.waitForFunction(() => new URL(window.asked.at(-1), location).searchParams.get('from') === '1000');
    await page.selectOption('#fleet', 'f1ee700000000002');
    await page.waitForFunction(() => new URL(window.asked.at(-1), location).searchParams.get('fleet') === 'other');
    assert.equal(await asked('from'), null);
  });
});

/** A fleet of 8400 workers of which so many are told. */
function part(workers) {
  const message = troubled(workers);
  message.fleets[0].workers = { total: 8400, ok: 8399, stale: 0, down: 1 };
  message.scope = { fleet_id: message.fleets[0].id, matching: 8400, from: 0, most: 1000 };
  return message;
}

const lastAsked = (page, key, value) => page.waitForFunction(([k, v]) => new URL(window.asked.at(-1), location).searchParams.get(k) === v, [key, value]);

test('a page beyond the last is the last, and what a reader asks for while the page is paused is shown', () => shown({}, part(300), async (page) => {
  await lastAsked(page, 'from', '8000');
  await page.evaluate(() => {
    const whole = JSON.parse(window.answer());
    window.answer = (address) => JSON.stringify({ ...whole, scope: { ...whole.scope, from: Number(new URL(address, location).searchParams.get('from')) } });
  });
  await page.click('#live');
  await page.evaluate(() => { document.querySelector('#page-before').dataset.page = '5'; });
  await page.click('#page-before');
  await lastAsked(page, 'from', '1000');
  await page.waitForFunction(() => document.querySelectorAll('#rows tr').length === 250);
  assert.match(await text(page, '#more'), /Rows 1001 to 1250 of 8400/);
  assert.equal(await text(page, '#live-word'), 'Paused');
}, '?page=40'));

test('a chosen worker that is told no more is asked for, and a lost stream is taken up once', () => shown({}, part(20), async (page) => {
  const id = await page.locator('#rows tr').nth(4).getAttribute('data-id');
  await page.locator('#rows tr').nth(4).click();
  await page.evaluate((gone) => {
    const whole = JSON.parse(window.answer());
    window.answer = () => JSON.stringify(whole);
    window.stream.dispatchEvent(new MessageEvent('update', { data: JSON.stringify({ at: whole.at + 1000, gone: [gone] }) }));
  }, id);
  await lastAsked(page, 'worker', id);
  await page.waitForFunction(() => !document.querySelector('#scope-back').hidden);
  await page.evaluate(() => window.stream.onerror());
  await page.fill('#filter', 'node-1');
  await lastAsked(page, 'filter', 'node-1');
  await page.evaluate(() => new Promise((done) => setTimeout(done, 1500))); // what waits for its next try is due before
  assert.equal(await page.evaluate(() => window.opened.size), 1);
}));
