// The page in the eyes of axe-core, in both themes and on a phone.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { snapshot } from './fixture.mjs';
import { shown } from './shown.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

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
