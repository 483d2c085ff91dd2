// Every ready scenario at once, each a fleet of its own, observed by the real collector in real time: the API and the page have to say of each
// what scenarios.mjs says. It has minutes to settle, and has to hold for several looks in a row; what traffic makes of it afterwards is not
// held against it, nor is one scenario kept from passing by another that takes longer.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDashboard, withBrowser } from './browser.mjs';
import { startFleets } from './fleets.mjs';
import { scenarios } from './scenarios.mjs';

const patience = Number(process.env.PATIENCE_SECONDS ?? 480); // on a machine that is busy with other things
const every = 5000;
const looks = 5; // in a row
let fleets;
let told = new Map(); // by scenario: what the API says last
const right = new Map(); // by scenario: for how many looks, since when in s, and with which confidence

before(async () => {
  fleets = await startFleets(scenarios);
  const began = Date.now();
  while (Date.now() - began < patience * 1000) {
    await sleep(every);
    told = await look();
    for (const want of scenarios) judge(want, (Date.now() - began) / 1000);
    if (scenarios.every(({ scenario }) => settled(scenario))) break;
  }
}, { timeout: (patience + 120) * 1000 });
after(() => fleets?.stop());

async function look() {
  const get = async (path) => (await fetch(new URL(path, fleets.url))).json();
  const [{ fleets: all }, { advice }] = await Promise.all([get('api/v1/verdict'), get('api/v1/advice')]);
  return new Map(all.map((f) => [f.name, { id: f.id, verdict: f.verdict, standing: advice.filter((a) => a.fleet_id === f.id && a.state === 'standing') }]));
}

const settled = (scenario) => right.get(scenario)?.looks >= looks;

function judge(want, at) {
  if (settled(want.scenario)) return;
  const said = told.get(want.scenario);
  if (wrong(want, said)) right.delete(want.scenario);
  else {
    const { at: since, looks: before } = right.get(want.scenario) ?? { at, looks: 0 };
    right.set(want.scenario, { at: since, looks: before + 1, confidence: said.verdict.confidence_word });
  }
}

/** What is not as it should be, '' where all is. */
function wrong({ verdict, first }, said) {
  if (!said) return 'nothing is said of it';
  const v = said.verdict, rules = said.standing.map((a) => a.rule);
  if (v.standing !== 'final' || v.source !== 'advice') return `the verdict is ${v.standing}, of the ${v.source}`;
  if (!verdict.includes(v.code)) return `the verdict is ${v.code} (${v.title} ${v.detail})`;
  if (!first.includes(rules[0] ?? '')) return `first comes ${rules.join(', ') || 'nothing'}`;
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
    const { at, confidence } = right.get(want.scenario);
    t.diagnostic(`${want.scenario}: right after ${Math.round(at)} s, confidence ${confidence}`);
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
