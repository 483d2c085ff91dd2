// What startFleets starts ends with it, also when a signal ends the process that called it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const runs = (pid) => { try { return process.kill(pid, 0); } catch { return false; } };

for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]]) {
  test(`${signal} ends the fleets and the collector`, { timeout: 90_000 }, async () => {
    const caller = spawn(process.execPath, ['fleets.mjs', 'pd-balanced'], { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface({ input: caller.stdout }), 'line');
    const { pids } = JSON.parse(line);
    assert.equal(pids.length, 2);
    assert.ok(pids.every(runs));
    caller.kill(signal);
    assert.deepEqual(await once(caller, 'exit'), [code, null]);
    assert.deepEqual(pids.filter(runs), []);
  });
}
