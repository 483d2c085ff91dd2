// Every ready scenario at once, each a fleet of its own, observed by the real collector in real time: the API and the page have to say of each
// what scenarios.mjs says. It has minutes to settle, which is to hold for several looks in a row. From then on it is looked at until the end, for a
// minute at least: one look in three may differ, as traffic comes and goes, and none for two minutes on end.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDashboard, withBrowser } from './browser.mjs';
import { startFleets } from './fleets.mjs';
import { scenarios } from './scenarios.mjs';

const patience = Number(process.env.PATIENCE_SECONDS ?? 480); // on a machine that is busy with other things
const every = 5000;
const looks = 5; // in a row until it has settled
const watch = 12; // looks at least from then on
const tolerance = { share: 1 / 3, run: 24 }; // of these, the share that may differ, and how many in a row are too many
let fleets;
let told = new Map(); // by scenario: what the API says last
const right = new Map(); // by scenario: for how many looks, since when in s, and with which confidence
const since = new Map(); // by scenario that has settled: looks, those that differed, how many of them in a row at most and by now, and the last

before(async () => {
  fleets = await startFleets(scenarios);
  const began = Date.now();
  while (Date.now() - began < patience * 1000) {
    await sleep(every);
    told = await look();
    for (const want of scenarios) judge(want, (Date.now() - began) / 1000);
    if (scenarios.every(({ scenario }) => since.get(scenario)?.looks >= watch)) break;
  }
}, { timeout: (patience + 120) * 1000 });
after(() => fleets?.stop());

async function look() {
  const get = async (path) => (await fetch(new URL(path, fleets.url))).json();
  const [{ fleets: all }, { advice }] = await Promise.all([get('api/v1/verdict'), get('api/v1/advice')]);
  return new Map(all.map((f) => [f.name, { id: f.id, verdict: f.verdict, standing: advice.filter((a) => a.fleet_id === f.id && a.state === 'standing'),
    cleared: advice.filter((a) => a.fleet_id === f.id && a.state === 'cleared') }]));
}

const settled = (scenario) => right.get(scenario)?.looks >= looks;

function judge(want, at) {
  if (settled(want.scenario)) return keepLooking(want, at);
  const said = told.get(want.scenario);
  if (wrong(want, said)) right.delete(want.scenario);
  else {
    const { at: begun, looks: before } = right.get(want.scenario) ?? { at, looks: 0 };
    right.set(want.scenario, { at: begun, looks: before + 1, confidence: said.verdict.confidence_word });
  }
}

function keepLooking(want, at) {
  const s = since.get(want.scenario) ?? { looks: 0, differed: 0, run: 0, longest: 0, last: '' };
  since.set(want.scenario, s);
  const why = wrong(want, told.get(want.scenario));
  s.looks++;
  s.run = why ? s.run + 1 : 0;
  s.longest = Math.max(s.longest, s.run);
  if (why) { s.differed++; s.last = `after ${Math.round(at)} s ${why}`; }
}

/** Why a scenario did not stay right, '' where it did. */
function unsteady(scenario) {
  const { looks: all, differed, longest, last } = since.get(scenario) ?? { looks: 0, differed: 0, longest: 0 };
  return differed > tolerance.share * all && differed > 1 || longest >= tolerance.run ? `${differed} of ${all} looks differed once it had settled, ${longest} in a row at most; ${last}` : '';
}

/** What is not as it should be, '' where all is. */
function wrong({ verdict, first }, said) {
  if (!said) return 'nothing is said of it';
  const v = said.verdict, rules = said.standing.map((a) => a.rule);
  if (v.standing !== 'final' || v.source !== 'advice') return `the verdict is ${v.standing}, of the ${v.source}`;
  if (!verdict.includes(v.code)) return `the verdict is ${v.code} (${v.title} ${v.detail})`;
  if (!first.includes(rules[0] ?? '')) return `first comes ${rules.join(', ') || 'nothing'}, cleared: ${said.cleared.map((a) => `${a.rule} (${a.reason})`).join(', ') || 'nothing'}`;
  return '';
}

test('every ready scenario has its expectation, and a row in the documentation', async () => {
  const ready = (await readdir(new URL('../../internal/fleetsim/scenario/ready/', import.meta.url))).map((f) => f.replace('.yaml', '')).sort();
  assert.deepEqual(scenarios.map((s) => s.scenario).sort(), ready);
  const doc = await readFile(new URL('../../docs/scenarios.md', import.meta.url), 'utf8');
  const either = (list) => list.map((x) => x ? `\`${x}\`` : 'none').join(' or ');
  for (const { scenario, verdict, first } of scenarios) {
    assert.ok(doc.includes(`| \`${scenario}\` | ${either(verdict)} | ${either(first)} |`), `a row | \`${scenario}\` | ${either(verdict)} | ${either(first)} |`);
  }
});

for (const want of scenarios) {
  test(`${want.scenario}: verdict ${want.verdict.join(' or ')}, first ${want.first.map((x) => x || 'nothing').join(' or ')}`, (t) => {
    if (!settled(want.scenario)) assert.fail(wrong(want, told.get(want.scenario)) || `right for ${right.get(want.scenario).looks} looks only`);
    assert.equal(unsteady(want.scenario), '');
    const { at, confidence } = right.get(want.scenario);
    const { looks: all, differed, last } = since.get(want.scenario);
    t.diagnostic(`${want.scenario}: right after ${Math.round(at)} s, confidence ${confidence}; ${differed} of ${all} later looks differed${differed ? `, the last ${last}` : ''}`);
  });
}

/** The rules of the cards: what is said alike of several workers has one. */
const cards = (standing) => [...new Map(standing.map((a) => [a.subject === 'worker' ? `${a.rule}\n${a.change}` : a.id, a.rule])).values()];

test('the page says the same of each fleet', () =>
  withBrowser({ viewport: { width: 1360, height: 900 } }, async (context) => {
    const { page, seen } = await openDashboard(context, fleets.url);
    await page.waitForFunction((n) => document.querySelectorAll('#fleet option').length === n, scenarios.length);
    for (const want of scenarios) {
      await page.selectOption('#fleet', told.get(want.scenario).id);
      // Both move on with time: they have to be the same at one of several looks.
      for (let i = 0; ; i++) {
        const { verdict, standing } = (await look()).get(want.scenario);
        const shown = await page.evaluate(() => ({
          code: document.getElementById('verdict').dataset.code, title: document.getElementById('title').textContent,
          rules: [...document.querySelectorAll('#advice-cards > .card')].map((c) => c.dataset.rule),
        }));
        const expected = { code: verdict.code, title: verdict.title, rules: cards(standing).slice(0, 3) };
        if (JSON.stringify(shown) === JSON.stringify(expected)) break;
        assert.ok(i < 20, `${want.scenario}: the page shows ${JSON.stringify(shown)}, the API ${JSON.stringify(expected)}`);
        await page.waitForTimeout(500);
      }
    }
    assert.deepEqual(seen.errors, []);
    assert.deepEqual(seen.foreign, []);
  }));
