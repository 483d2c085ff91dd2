import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { withBrowser } from './browser.mjs';
import { many } from './fixture.mjs';
const dir = new URL('../../exporter/inferencedashboardexporter/assets/', import.meta.url);
const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };
const server = createServer(async (q, r) => { let p = new URL(q.url, 'http://x').pathname.slice(1) || 'index.html'; try { const b = await readFile(new URL(p, dir)); r.setHeader('content-type', types[p.split('.').pop()]); r.end(b); } catch { r.statusCode = 404; r.end(); } }).listen(0, '127.0.0.1');
await new Promise(f => server.on('listening', f));
const url = `http://127.0.0.1:${server.address().port}/`;
await withBrowser({ viewport: { width: 1360, height: 900 } }, async (context) => {
  await context.addInitScript((first) => {
    window.EventSource = class extends EventTarget { constructor() { super(); window.stream = this; setTimeout(() => this.dispatchEvent(new MessageEvent('snapshot', { data: first }))); } close() {} };
  }, JSON.stringify(many(200)));
  const page = context.pages()[0];
  await page.goto(url);
  await page.waitForSelector('#kv-body > *');
  const cdp = await context.newCDPSession(page);
  await cdp.send('Performance.enable'); await cdp.send('Profiler.enable'); await cdp.send('Profiler.setSamplingInterval', { interval: 200 });
  const spent = async () => Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map((m) => [m.name, m.value * 1000]));
  const before = await spent();
  await cdp.send('Profiler.start');
  const n = 10;
  for (let i = 0; i < n; i++) {
    const m = many(200);
    for (const x of m.subjects) for (const section of Object.values(x.sections)) for (const points of Object.values(section)) for (const p of points) p.value *= 1 + i / 100;
    for (const w of m.workers) w.load.running = 12 + i;
    await page.evaluate((text) => { window.stream.dispatchEvent(new MessageEvent('update', { data: text })); return new Promise((done) => requestAnimationFrame(() => setTimeout(done))); }, JSON.stringify(m));
  }
  const { profile } = await cdp.send('Profiler.stop');
  const after = await spent();
  console.log(`script ${((after.ScriptDuration - before.ScriptDuration) / n).toFixed(1)} ms, layout+style ${((after.LayoutDuration + after.RecalcStyleDuration - before.LayoutDuration - before.RecalcStyleDuration) / n).toFixed(1)}`);
  const self = new Map(); const total = new Map(); const byId = new Map(profile.nodes.map(x => [x.id, x])); const parent = new Map(); for (const x of profile.nodes) for (const c of x.children ?? []) parent.set(c, x.id);
  profile.samples.forEach((id, i) => { const dt = profile.timeDeltas[i] / 1000 / n; const seen = new Set(); for (let k = id, first = true; k; k = parent.get(k), first = false) { const f = byId.get(k).callFrame; const name = `${f.functionName || '(anon)'} ${f.url.split('/').pop()}:${f.lineNumber + 1}`; if (first) self.set(name, (self.get(name) ?? 0) + dt); if (!seen.has(name)) { seen.add(name); total.set(name, (total.get(name) ?? 0) + dt); } } });
  const top = (m) => [...m].sort((a, b) => b[1] - a[1]).slice(0, 28).map(([k, v]) => `${v.toFixed(1)} ${k}`).join('\n');
  console.log('SELF\n' + top(self)); console.log('TOTAL\n' + top(total));
});
server.close();
