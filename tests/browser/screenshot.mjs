// Writes a screenshot of a running dashboard: node screenshot.mjs URL OUT.png [--dark] [--width=1360] [--height=900] [--scale=2] [--viewport]
import { parseArgs } from 'node:util';
import { openDashboard, withBrowser } from './browser.mjs';

const { values, positionals: [url, out] } = parseArgs({
  allowPositionals: true,
  options: {
    dark: { type: 'boolean' }, width: { type: 'string', default: '1360' }, height: { type: 'string', default: '900' }, scale: { type: 'string', default: '2' },
    viewport: { type: 'boolean' }, wait: { type: 'string', default: '1500' }, keys: { type: 'string', default: '' },
  },
});
if (!url || !out) {
  console.error('usage: node screenshot.mjs URL OUT.png [--dark] [--width=1360] [--height=900] [--scale=2] [--viewport]');
  process.exit(2);
}
const options = {
  viewport: { width: Number(values.width), height: Number(values.height) },
  colorScheme: values.dark ? 'dark' : 'light', deviceScaleFactor: Number(values.scale), locale: 'en-GB',
};
await withBrowser(options, async (context) => {
  const { page, seen } = await openDashboard(context, url);
  await page.waitForTimeout(Number(values.wait)); // for the charts and one or two updates
  for (const key of values.keys.split(',').filter(Boolean)) await page.keyboard.press(key);
  if (values.keys) await page.waitForTimeout(500);
  await page.screenshot({ path: out, fullPage: !values.viewport });
  if (seen.errors.length) console.error(seen.errors.join('\n'));
});
