// Tests the page at DASHBOARD_URL in a real browser. WORKERS is the number of rows to expect, by default any.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDashboard, withBrowser } from './browser.mjs';

const url = process.env.DASHBOARD_URL;
if (!url) throw new Error('set DASHBOARD_URL to the address of a running dashboard');
const at = (query) => new URL(query, url).href;

for (const theme of ['light', 'dark']) {
  test(`shows the verdict, workers and charts in the ${theme} theme without errors or foreign requests`, () =>
    withBrowser({ viewport: { width: 1360, height: 900 }, colorScheme: theme }, async (context) => {
      const { page, seen } = await openDashboard(context, url);
      assert.ok((await page.textContent('#title')).trim().length > 3, 'a verdict');
      const answer = await (await page.request.get(at('api/v1/workers'))).json();
      const fleet = await (await page.request.get(at('api/v1/verdict'))).json();
      if (fleet.fleets.length === 1) {
        const expected = Number(process.env.WORKERS ?? answer.workers.length);
        await page.waitForFunction((n) => document.querySelectorAll('#rows tr').length === Math.min(n, 250), expected);
        const words = fleet.fleets[0].verdict.confidence_word;
        if (words) assert.match(await page.textContent('#confidence'), /HIGH|MED|LOW/);
      }
      const vendored = (await page.request.get(at('vendor/uPlot.iife.min.js'))).ok();
      if (vendored && fleet.fleets.length) {
        await page.waitForFunction(() => document.querySelectorAll('#charts canvas').length === 6);
        assert.ok(await page.evaluate(drawn), 'something is drawn on each canvas');
      } else if (fleet.fleets.length) {
        assert.match(await page.textContent('#charts'), /make build/);
      }
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(/rgb\(255, 255, 255\)/.test(background), theme === 'light', background);
      await page.waitForTimeout(2500); // two updates
      assert.deepEqual(seen.errors, []);
      assert.deepEqual(seen.foreign, []);
    }));
}

function drawn() {
  return [...document.querySelectorAll('#charts canvas')].every((c) => {
    const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    return pixels.some((v, i) => i % 4 === 3 && v > 0);
  });
}

test('shows the verdict and the advice that the API gives', () =>
  withBrowser({ viewport: { width: 1360, height: 900 } }, async (context) => {
    const { page } = await openDashboard(context, url);
    // Both move on with time: they have to be the same at one of several looks.
    for (let i = 0; ; i++) {
      const { fleets: [fleet] } = await (await page.request.get(at('api/v1/verdict'))).json();
      if (!fleet) return;
      const { advice } = await (await page.request.get(at(`api/v1/advice?fleet=${fleet.id}`))).json();
      const standing = advice.filter((a) => a.state === 'standing').length;
      const same = await page.textContent('#title') === fleet.verdict.title && await page.locator('#advice-cards .card').count() === Math.min(3, standing);
      if (same) return;
      assert.ok(i < 20, `${await page.textContent('#title')} is not ${fleet.verdict.title}, or not ${standing} advice`);
      await page.waitForTimeout(500);
    }
  }));

test('has no horizontal scroll on a phone', () =>
  withBrowser({ viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, hasTouch: true }, async (context) => {
    const { page, seen } = await openDashboard(context, url);
    await page.waitForTimeout(800);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(content <= screen, `content is ${content} px wide on a screen of ${screen} px`);
    assert.deepEqual(seen.errors, []);
  }));

test('is usable by keyboard and keeps the choice in the address', () =>
  withBrowser({ viewport: { width: 1360, height: 900 } }, async (context) => {
    const { page, seen } = await openDashboard(context, url);
    await page.waitForTimeout(500);
    if (process.env.WORKERS) await page.waitForFunction(() => document.querySelector('#rows tr'));
    else if (!(await page.locator('#rows tr').count())) return; // no engine: nothing to walk through
    await page.locator('#rows tr[tabindex="0"]').focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => new URL(location).searchParams.get('worker')?.length === 16);
    assert.equal(await page.locator('#rows tr[aria-current="true"]').count(), 1);
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !new URL(location).searchParams.has('worker'));
    await page.keyboard.press('/');
    await page.waitForTimeout(2500); // two updates: the field stays also where there are few workers
    assert.equal(await page.evaluate(() => document.activeElement.id), 'filter');
    await page.keyboard.type('no-such-worker');
    await page.waitForFunction(() => document.querySelectorAll('#rows tr').length === 0 && new URL(location).searchParams.get('filter') === 'no-such-worker');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.querySelectorAll('#rows tr').length > 0);
    await page.locator('main .m').first().click();
    assert.match(await page.textContent('#metric'), /^(llm|gen_ai)\./);
    assert.deepEqual(seen.errors, []);
  }));

test('labels are text, never markup', () =>
  withBrowser({ viewport: { width: 1360, height: 900 } }, async (context) => {
    const { page } = await openDashboard(context, url);
    await page.waitForTimeout(500);
    const intruders = await page.evaluate(() => document.querySelectorAll('main img, main svg:not(.drawn), main iframe, main script, #rows b').length);
    assert.equal(intruders, 0);
  }));

test('says so when the connection is lost', () =>
  withBrowser({ viewport: { width: 1360, height: 900 } }, async (context) => {
    const page = context.pages()[0];
    // A stream that ends after its first message, and then does not come back.
    let first = true;
    await page.route('**/api/v1/stream', (route) => {
      if (!first) return route.abort();
      first = false;
      return route.fulfill({
        contentType: 'text/event-stream',
        body: 'event: snapshot\ndata: {"at":1,"fleets":[],"workers":[],"step":5000,"history":3600000,"window":60000,"heartbeat":5000,"charts":false}\n\n',
      });
    });
    await page.goto(url);
    await page.waitForSelector('#banner:not([hidden])');
    assert.match(await page.textContent('#banner'), /connection to the collector is lost/);
  }));
