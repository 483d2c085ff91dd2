// What the page's main thread did, by Chromium's tracing: milliseconds of processor time, which a busy machine does not lengthen.
const kinds = {
  scripting: ['v8.callFunction', 'FunctionCall', 'EvaluateScript', 'FireAnimationFrame', 'TimerFire', 'EventDispatch', 'MinorGC', 'MajorGC'],
  layout: ['UpdateLayoutTree', 'Layout', 'PrePaint', 'Layerize'],
  paint: ['Paint'],
};

/** Runs `use` and returns {scripting, layout, paint}. What happens inside something else of its kind counts once. */
export async function traced(page, use) {
  const cdp = await page.context().newCDPSession(page);
  const events = [];
  cdp.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'v8', '__metadata'] } });
  await use();
  const complete = new Promise((done) => { cdp.once('Tracing.tracingComplete', done); });
  await cdp.send('Tracing.end');
  await complete;
  const main = events.find((e) => e.name === 'thread_name' && e.args.name === 'CrRendererMain');
  const own = events.filter((e) => e.ph === 'X' && e.pid === main.pid && e.tid === main.tid && e.tdur !== undefined).sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  return Object.fromEntries(Object.entries(kinds).map(([kind, names]) => {
    let end = 0, sum = 0;
    for (const e of own) {
      if (!names.includes(e.name) || e.ts < end) continue;
      end = e.ts + e.dur;
      sum += e.tdur / 1000;
    }
    return [kind, sum];
  }));
}
