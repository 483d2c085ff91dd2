// Tests what the page makes of a message with everything in it: each section, drill-downs, hostile labels, accessibility, bundle size.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openDashboard, withBrowser } from './browser.mjs';
import { corpus, many, snapshot } from './fixture.mjs';
import { traced } from './tracing.mjs';

const url = process.env.DASHBOARD_URL;
if (!url) throw new Error('set DASHBOARD_URL to the address of a running dashboard');
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Opens the page with `message` as the first of a stream that stays open. */
async function shown(options, message, use, query = '', past = { json: { error: 'no such fleet' }, status: 404 }) {
  await withBrowser({ viewport: { width: 1360, height: 900 }, ...options }, async (context) => {
    await context.addInitScript((first) => {
      window.EventSource = class extends EventTarget {
        constructor() { super(); window.stream = this; setTimeout(() => this.dispatchEvent(new MessageEvent('snapshot', { data: first }))); }
        close() {}
      };
    }, JSON.stringify(message));
    await context.pages()[0].route('**/api/v1/history**', (route) => route.fulfill(past));
    const { page, seen } = await openDashboard(context, new URL(query, url).href);
    await page.waitForSelector('#kv-body > *');
    await use(page, seen);
  });
}

const text = (page, selector) => page.locator(selector).innerText();

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

// What the page says its address is: the driver is told of a change some time later.
const inAddress = (page, key) => page.evaluate((k) => new URL(location).searchParams.get(k), key);

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

test('the KV pool adds up, misses have causes, and other sizes a forecast', () => shown({}, snapshot(), async (page) => {
  const widths = await page.locator('#kv-body .stack').first().evaluate((bar) => [...bar.children].map((i) => parseFloat(i.style.width)));
  assert.ok(Math.abs(widths.reduce((a, w) => a + w, 0) - 100) < 0.01, `the parts add up to ${widths}`);
  const words = await text(page, '#kv-body');
  for (const part of ['Pool of 112 GiB', '▲ now', '1 of 2 workers', 'evicted', 'on another worker', '66 %', '80 ms off', 'llm.kv_cache.duplicate.memory', 'the bytes of a token are not known']) assert.ok(words.includes(part), part);
  assert.equal(words.includes('silent'), false, 'what is there by now is not called withheld');
}));

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

test('a worker that is silent has its past fetched once, and a day back once each step', () => {
  const message = { ...snapshot(), charts: true, long_step: 120000, long_history: 86400000 };
  const values = { unit: '1', values: [0.2] };
  const names = ['imbalance', 'prefill', 'decode', 'idle', 'unattributed', 'ttft_p50', 'ttft_p90', 'ttft_p99', 'itl_p50', 'itl_p90', 'itl_p99', 'running', 'waiting', 'thrash', 'storm', 'hiccup', 'interference'];
  const past = { json: { start: message.at - 600000, step: 5000, series: Object.fromEntries(names.map((n) => [n, values])) } };
  return shown({}, message, async (page) => {
    if (!(await page.request.get(new URL('vendor/uPlot.iife.min.js', url).href)).ok()) return;
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

test('a worker whose time is unattributed says why', () => {
  const message = snapshot();
  message.workers[0].phase = { prefill: 0, decode: 0, idle: 0, unattributed: 1 };
  message.subjects.find((x) => x.kind === 'worker').sections.estimates['llm.estimate.withheld'] = [{ of: ['llm.phase.worker.time', 'busy_unknown'], value: 0.9 }];
  return shown({}, message, async (page) => assert.match(await text(page, '#rows tr:first-child'), /unattributed: busy time unknown/));
});

test('what is measured and what is rehearsed are told apart', () => {
  const message = snapshot();
  message.subjects[0].sections.disaggregation['llm.disaggregation.goodput'] = [{ of: [], value: 4.2 }];
  return shown({}, message, async (page) => {
    const words = await text(page, '#split-body');
    for (const part of ['Goodput, measured', 'rehearsed', '4.2/s measured, outside of it', 'best split, if it stays split']) assert.ok(words.includes(part), `${part} in ${words}`);
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

test('a day back is asked for in coarser steps, and strips show what happened', () => {
  const n = 30, flat = (v) => ({ unit: '1', values: Array(n).fill(v) });
  const series = Object.fromEntries(['imbalance', 'prefill', 'decode', 'idle', 'unattributed', 'ttft_p50', 'ttft_p90', 'ttft_p99', 'itl_p50', 'itl_p90', 'itl_p99', 'running', 'waiting', 'interference'].map((k) => [k, flat(0.2)]));
  Object.assign(series, { thrash: flat(0.6), storm: flat(1), hiccup: flat(null) });
  return shown({}, { ...snapshot(), charts: true }, async (page, seen) => {
    if (!(await page.request.get(new URL('vendor/uPlot.iife.min.js', url).href)).ok()) return;
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

test('questions come in the order in which one asks them', () => shown({}, snapshot(), async (page) => {
  const order = await page.locator('main > section').evaluateAll((all) => all.map((s) => s.id));
  assert.deepEqual(order, ['verdict', 'workers', 'phases', 'kv', 'transfer', 'split', 'gpu', 'sources']);
  assert.deepEqual(await page.locator('#sections a[href^="#"]').evaluateAll((all) => all.map((a) => a.hash.slice(1))), order);
}));

test('what did not arrive is said, not drawn', () => {
  const bare = { ...snapshot(), subjects: [], advice: [], cost: { cpu: null, memory: null } };
  return shown({}, bare, async (page) => {
    for (const [id, words] of [['kv', /Nothing is known of the KV cache/], ['transfer', /No KV transfers/], ['split', /Nothing is known of a split/], ['gpu', /No GPU reports/]]) assert.match(await text(page, `#${id}-body`), words);
    assert.equal(await page.locator('#advice').isHidden(), true);
    assert.equal(await page.locator('#cost').isHidden(), true);
  });
});

for (const [i, hostile] of corpus.entries()) {
  test(`hostile label ${i} is text in every section`, () => shown({}, snapshot({ hostile }), async (page, seen) => {
    for (const summary of await page.locator('summary').all()) await summary.click();
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.equal(await page.evaluate(() => document.querySelectorAll('main img, main iframe, main script, main svg:not(.drawn), main a').length), 0);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(content <= screen, `${content} px wide on ${screen} px`);
    assert.deepEqual(seen.errors.filter((e) => !e.includes('404')), []);
    assert.deepEqual(seen.foreign, []);
  }, '?advice=d000000000000005'));
}

for (const [theme, width] of [['light', 1360], ['dark', 1360], ['light', 360]]) {
  test(`has no serious accessibility violation, ${theme}, ${width} px`, () => shown({ viewport: { width, height: 900 }, colorScheme: theme, bypassCSP: true }, snapshot(), async (page) => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document));
    const serious = violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 5).join(', ')}`);
    assert.deepEqual(serious, []);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(content <= screen, `${content} px wide on ${screen} px`);
  }, '?advice=d000000000000002'));
}

test('the whole page is under 150 kB compressed', () => withBrowser({}, async (context) => {
  const page = context.pages()[0];
  const files = [];
  page.on('response', (r) => { if (!r.url().includes('/api/')) files.push(r); });
  await page.goto(url);
  const charts = (await page.request.get(new URL('vendor/uPlot.iife.min.js', url).href)).ok();
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
