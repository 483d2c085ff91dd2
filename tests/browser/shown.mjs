// The page with a message of one's own instead of the stream's.
import { openDashboard, withBrowser } from './browser.mjs';

export const url = process.env.DASHBOARD_URL;
if (!url) throw new Error('set DASHBOARD_URL to the address of a running dashboard');

/** Opens the page with `message` as the first of a stream that stays open. `window.stream` is the stream, `window.asked` are the addresses that
 *  streams were asked for at, `window.opened` are those that are open. `window.answer` may make another first message of an address. */
export async function shown(options, message, use, query = '', past = { json: { error: 'no such fleet' }, status: 404 }) {
  await withBrowser({ viewport: { width: 1360, height: 900 }, ...options }, async (context) => {
    await context.addInitScript((first) => {
      window.asked = [];
      window.opened = new Set();
      window.answer = () => first;
      window.EventSource = class extends EventTarget {
        constructor(address) { super(); window.stream = this; window.asked.push(address); window.opened.add(this); setTimeout(() => this.dispatchEvent(new MessageEvent('snapshot', { data: window.answer(address) }))); }
        close() { window.opened.delete(this); }
      };
    }, JSON.stringify(message));
    await context.pages()[0].route('**/api/v1/history**', (route) => route.fulfill(past));
    const { page, seen } = await openDashboard(context, new URL(query, url).href);
    await page.waitForSelector('#kv-body > *');
    await use(page, seen);
  });
}

export const text = (page, selector) => page.locator(selector).innerText();

/** What the page says its address is: the driver is told of a change some time later. */
export const inAddress = (page, key) => page.evaluate((k) => new URL(location).searchParams.get(k), key);

/** Whether the chart library is in the binary. */
export const hasCharts = async (page) => (await page.request.get(new URL('vendor/uPlot.iife.min.js', url).href)).ok();
