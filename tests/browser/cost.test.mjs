// What the page weighs, and what an update costs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { withBrowser } from './browser.mjs';
import { many } from './fixture.mjs';
import { hasCharts, shown, url } from './shown.mjs';
import { traced } from './tracing.mjs';

test('the whole page is under 150 kB compressed', () => withBrowser({}, async (context) => {
  const page = context.pages()[0];
  const files = [];
  page.on('response', (r) => { if (!r.url().includes('/api/')) files.push(r); });
  await page.goto(url);
  const charts = await hasCharts(page);
  if (charts) await page.waitForSelector('#charts canvas'); // the library comes after the first message
  const sum = (await Promise.all(files.map((r) => r.body()))).reduce((all, body) => all + gzipSync(body).length, 0);
  assert.ok(sum > 10000 && sum < 150000, `${sum} bytes`);
  console.log(`bundle: ${sum} bytes compressed`);
}));

test('200 workers with their figures are shown, and what an update costs is reported', () => shown({}, many(200), async (page, seen) => {
  assert.equal(await page.locator('#rows tr').count(), 200);
  await page.locator('#workers').scrollIntoViewIfNeeded(); // a screen full of rows
  const updates = 10;
  const spent = await traced(page, async () => {
    for (let i = 0; i < updates; i++) {
      const m = many(200);
      for (const x of m.subjects) for (const section of Object.values(x.sections)) for (const points of Object.values(section)) for (const p of points) p.value *= 1 + i / 100;
      for (const w of m.workers) w.load.running = 12 + i;
      await page.evaluate((text) => { window.stream.dispatchEvent(new MessageEvent('update', { data: text })); return new Promise((done) => requestAnimationFrame(() => setTimeout(done))); }, JSON.stringify(m));
    }
  });
  const each = (kind) => `${(spent[kind] / updates).toFixed(1)} ms of ${kind}`;
  console.log(`an update of 200 workers, processor time: ${each('scripting')}, ${each('layout')}, ${each('paint')}`);
  assert.ok(spent.scripting > 0, 'something was measured');
  assert.match(await page.locator('#rows tr td.count').first().innerText(), /21/);
  assert.deepEqual(seen.errors.filter((e) => !e.includes('404')), []);
}));
