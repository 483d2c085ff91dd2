// Starts the installed Chromium with an empty profile and no network habits of its own. ASSETS is a directory to take the page's files from
// instead of the binary's, to work on them without building it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium } from 'playwright-core';

const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Calls `use` with a fresh browser context and closes everything afterwards. Options are those of a Playwright context. */
export async function withBrowser(options, use) {
  const profile = await mkdtemp(join(tmpdir(), 'dashboard-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args, ...options,
  });
  if (process.env.ASSETS) await context.route(/\/(\w+\.(js|css|html))?(\?.*)?$/, (route) => route.fulfill({ path: join(process.env.ASSETS, basename(new URL(route.request().url()).pathname) || 'index.html') }));
  try {
    return await use(context);
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10 }); // Chromium's helpers may still write there
  }
}

/** Opens the dashboard and waits until its first message is shown. */
export async function openDashboard(context, url) {
  const page = context.pages()[0] ?? await context.newPage();
  const seen = { errors: [], foreign: [] };
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) seen.errors.push(m.text()); });
  page.on('pageerror', (e) => seen.errors.push(String(e)));
  page.on('request', (r) => {
    const u = new URL(r.url());
    if (!['data:', 'blob:'].includes(u.protocol) && u.origin !== new URL(url).origin) seen.foreign.push(r.url());
  });
  await page.goto(url);
  await page.waitForFunction(() => !document.getElementById('title').textContent.startsWith('Connecting'));
  return { page, seen };
}
