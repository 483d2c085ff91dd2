// Labels from the network are text, whatever they hold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corpus, snapshot } from './fixture.mjs';
import { shown } from './shown.mjs';

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
