// The past behind the charts: what is asked for, and how often.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshot } from './fixture.mjs';
import { hasCharts, inAddress, shown } from './shown.mjs';

test('a worker that is silent has its past fetched once, and a day back once each step', () => {
  const message = { ...snapshot(), charts: true, long_step: 120000, long_history: 86400000 };
  const values = { unit: '1', values: [0.2] };
  const names = ['imbalance', 'prefill', 'decode', 'idle', 'unattributed', 'ttft_p50', 'ttft_p90', 'ttft_p99', 'itl_p50', 'itl_p90', 'itl_p99', 'running', 'waiting', 'thrash', 'storm', 'hiccup', 'interference'];
  const past = { json: { start: message.at - 600000, step: 5000, series: Object.fromEntries(names.map((n) => [n, values])) } };
  return shown({}, message, async (page) => {
    if (!await hasCharts(page)) return;
    await page.waitForSelector('#charts canvas');
    const asked = [];
    page.on('request', (r) => { if (r.url().includes('/history')) asked.push(new URL(r.url()).searchParams.get('span')); });
    let at = message.at;
    const pass = (ms) => page.evaluate((now) => { window.stream.dispatchEvent(new MessageEvent('update', { data: JSON.stringify({ at: now }) })); return new Promise((done) => setTimeout(done, 50)); }, at += ms);
    for (let i = 0; i < 5; i++) await pass(1000);
    assert.deepEqual(asked, [], 'a past that ends long ago is not asked for again');
    await page.selectOption('#range', '1440');
    for (let i = 0; i < 5; i++) await pass(1000);
    const before = asked.length;
    assert.ok(before >= 1 && before <= 2, `${before} times, at most one of them at a step`);
    await pass(120000);
    for (let i = 0; i < 5; i++) await pass(1000);
    assert.ok(asked.length > before && asked.length <= before + 2, `${asked.length - before} times after a step`);
  }, '', past);
});

test('without a long history an hour is drawn from what there is', () => shown({}, { ...snapshot(), charts: true, history: 900000, long_history: 0 }, async (page) => {
  const asked = [];
  page.on('request', (r) => { if (r.url().includes('/history')) asked.push(r.url()); });
  await page.locator('#rows tr').first().click();
  await page.waitForFunction(() => new URL(location).searchParams.has('worker'));
  await page.waitForTimeout(200);
  assert.ok(asked.length && asked.every((u) => !u.includes('span=long')), asked.join());
}, '?range=60'));

test('a day back is asked for in coarser steps, and strips show what happened', () => {
  const n = 30, flat = (v) => ({ unit: '1', values: Array(n).fill(v) });
  const series = Object.fromEntries(['imbalance', 'prefill', 'decode', 'idle', 'unattributed', 'ttft_p50', 'ttft_p90', 'ttft_p99', 'itl_p50', 'itl_p90', 'itl_p99', 'running', 'waiting', 'interference'].map((k) => [k, flat(0.2)]));
  Object.assign(series, { thrash: flat(0.6), storm: flat(1), hiccup: flat(null) });
  return shown({}, { ...snapshot(), charts: true }, async (page, seen) => {
    if (!await hasCharts(page)) return;
    await page.waitForSelector('#kv-strips canvas');
    const asked = page.waitForRequest((r) => r.url().includes('span=long'));
    await page.selectOption('#range', '1440');
    await asked;
    await page.locator('#kv').scrollIntoViewIfNeeded();
    await page.waitForFunction(() => /60 %, storm/.test(document.querySelector('#kv-strips .read')?.textContent));
    assert.equal(await inAddress(page, 'range'), '1440');
    assert.equal(await page.locator('#transfer-strips .chart').isHidden(), true, 'a strip of what nobody tells is not there');
    assert.deepEqual(seen.errors, []);
  }, '', { json: { start: 1764000000000 - 120000 * n, step: 120000, series } });
});
