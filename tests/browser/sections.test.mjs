// What each section shows of a message with everything in it, and in which order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshot } from './fixture.mjs';
import { shown, text } from './shown.mjs';

test('the KV pool adds up, misses have causes, and other sizes a forecast', () => shown({}, snapshot(), async (page) => {
  const widths = await page.locator('#kv-body .stack').first().evaluate((bar) => [...bar.children].map((i) => parseFloat(i.style.width)));
  assert.ok(Math.abs(widths.reduce((a, w) => a + w, 0) - 100) < 0.01, `the parts add up to ${widths}`);
  const words = await text(page, '#kv-body');
  for (const part of ['Pool of 112 GiB', '▲ now', '1 of 2 workers', 'evicted', 'on another worker', '66 %', '80 ms off', 'llm.kv_cache.duplicate.memory', 'the bytes of a token are not known']) assert.ok(words.includes(part), part);
  assert.equal(words.includes('silent'), false, 'what is there by now is not called withheld');
}));

test('transfers name transport, evidence and what amplifies a hiccup', () => shown({}, snapshot(), async (page) => {
  const words = await text(page, '#transfer-body');
  for (const part of ['100 % of transfers fell back to TCP', 'bytes that links counted', '4.2 ms', '300 ms', '390 MB/s', '14×', 'fan-out over ranks', '2 % of 50 GB/s']) assert.ok(words.includes(part), `${part} in ${words}`);
}));

test('a link whose use nobody counts has no 0 %', () => {
  const message = snapshot();
  delete message.subjects.find((x) => x.kind === 'host').sections.transfer['nixl.link.utilization'];
  return shown({}, message, async (page) => {
    const links = page.locator('#transfer-body .links');
    assert.match(await links.innerText(), /use not known of 50 GB\/s/);
    assert.equal(await links.locator('.gauge').getAttribute('aria-label'), 'use of mlx5_0:1: –');
  });
});

test('what is unattributed, idle and free is told apart without looking at how grey it is', () => {
  const message = snapshot();
  for (const x of message.subjects.filter((s) => s.kind === 'worker')) x.sections.kv['llm.kv_cache.memory'].find((p) => p.of[0] === 'unattributed').value = 5e9;
  return shown({}, message, async (page) => {
    const look = (selector) => page.locator(selector).first().evaluate((i) => { const s = getComputedStyle(i); return { hatched: s.backgroundImage !== 'none', outlined: s.boxShadow !== 'none' }; });
    assert.deepEqual(await look('#rows .k-unattributed'), { hatched: true, outlined: false });
    assert.deepEqual(await look('#rows .k-idle'), { hatched: false, outlined: false });
    assert.deepEqual(await look('#kv-body .stack .u-unattributed'), { hatched: true, outlined: false });
    assert.deepEqual(await look('#kv-body .stack .u-free'), { hatched: false, outlined: true });
  });
});

test('GPUs show activity, power by phase, throttling and health; sources the flag', () => shown({}, snapshot(), async (page) => {
  const words = await text(page, '#gpu-body');
  for (const part of ['Power 1.16 kW', '640 W of 700 W', 'sw power 23 %', 'degraded', 'XID 48', '0.04 J']) assert.ok(words.includes(part), `${part} in ${words}`);
  assert.equal(words.includes('XID 13'), false, 'a code that never came is not shown');
  const prefill = await page.locator('#gpu-body .stack .k-prefill').evaluate((i) => getComputedStyle(i).backgroundColor);
  assert.equal(prefill, 'rgb(110, 64, 170)');
  assert.match(await text(page, '#sources-body'), /--kv-events-config '\{\}'/);
  assert.match(await text(page, '#cost'), /4\.1 % of a core, 96 MiB/);
}));

test('mixing the phases has a price', () => shown({}, snapshot(), async (page) => {
  const words = await text(page, '#phases-body');
  for (const part of ['41 %', '16.3 ms', '9.8 ms', '2.4/min']) assert.ok(words.includes(part), `${part} in ${words}`);
}));

test('questions come in the order in which one asks them', () => shown({}, snapshot(), async (page) => {
  const order = await page.locator('main > section').evaluateAll((all) => all.map((s) => s.id));
  assert.deepEqual(order, ['verdict', 'workers', 'phases', 'kv', 'transfer', 'split', 'gpu', 'sources']);
  assert.deepEqual(await page.locator('#sections a[href^="#"]').evaluateAll((all) => all.map((a) => a.hash.slice(1))), order);
}));
