// Runs simulated fleets, one for each scenario, and one collector that observes all of them: the real programs, on loopback.
//
//   node fleets.mjs SCENARIO...    runs them until it is told to end, and prints the page's address and the processes' ids as JSON
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '../..');
const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
const program = (name) => join(root, 'bin', name);

/** Starts the fleets and the collector. A fleet is {scenario, set, objectives}, the last as [TTFT, ITL] where the scenario states none; it is
 *  observed under the scenario's name.
 *  Returns {url, stop}; `stop` ends what was started, and only that. */
export async function startFleets(fleets, { window = 1 } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'fleets-'));
  const children = [];
  // A signal would end this process alone: a test runner sends it to those that take too long, and what they started would run on.
  const endBy = (signal) => stop().finally(() => process.exit(128 + signals[signal]));
  for (const signal of Object.keys(signals)) process.on(signal, endBy);
  const stop = async () => {
    for (const signal of Object.keys(signals)) process.off(signal, endBy);
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGINT');
      await Promise.race([once(child, 'exit'), sleep(10_000, null, { ref: false }).then(() => child.kill('SIGKILL'))]);
    }
    await rm(dir, { recursive: true, force: true });
  };
  const run = (name, args) => {
    const child = spawn(program(name), args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
    child.said = '';
    child.stderr.on('data', (text) => { child.said = (child.said + text).slice(-4000); });
    children.push(child);
    return child;
  };
  try {
    const observed = await Promise.all(fleets.map((fleet) => startFleet(fleet, dir, run)));
    const port = await freePort();
    const config = join(dir, 'collector.json');
    await writeFile(config, JSON.stringify(configuration(observed, port, window)));
    const collector = run('otelcol-inference', ['--config', config]);
    const url = `http://localhost:${port}/`;
    await until(`the collector to serve ${url}`, () => fetch(new URL('healthz', url)).then((r) => r.ok, () => false), () => ended(collector));
    return { url, stop, said: () => collector.said, pids: children.map((child) => child.pid) };
  } catch (e) {
    await stop();
    throw e;
  }
}

async function startFleet({ scenario, set = [], objectives = [] }, dir, run) {
  const file = join(dir, `${scenario}.endpoints`);
  const child = run('fleetsim', ['run', scenario, '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--endpoints', file, ...set.flatMap((s) => ['--set', s])]);
  const endpoints = await until(`scenario ${scenario} to listen`, () => readFile(file, 'utf8').then(JSON.parse, () => null), () => ended(child));
  const [, ttft, itl] = /^objectives: \{ttft: (\w+), itl: (\w+)\}$/m.exec(await readFile(join(root, `internal/fleetsim/scenario/ready/${scenario}.yaml`), 'utf8')) ?? ['', ...objectives];
  return { scenario, ttft, itl, endpoints: endpoints.map((e) => ({ ...e, fleet: scenario })) };
}

const ended = (child) => child.exitCode !== null && `it ended with ${child.exitCode}: ${child.said}`;

async function until(what, look, over) {
  for (let i = 0; i < 600; i++) {
    const found = await look();
    if (found) return found;
    const why = over();
    if (why) throw new Error(`waited for ${what}: ${why}`);
    await sleep(100);
  }
  throw new Error(`waited a minute for ${what}`);
}

/** A port that is free now. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** The collector's configuration: as the demo's, with the objectives that fleets state. JSON is YAML. */
function configuration(observed, port, window) {
  const seconds = (n) => `${n}s`;
  const objectives = observed.filter((f) => f.ttft).map((f) => ({ match: { fleet: f.scenario }, ttft: { max: f.ttft }, itl: { max: f.itl } }));
  const windows = { window: seconds(window), allowed_lateness: seconds(window) };
  return {
    receivers: { llm_engine: { collection_interval: seconds(window), endpoints: observed.flatMap((f) => f.endpoints), kv_events: { memory_limit: 512 << 20 } } },
    processors: {
      phase_attribution: { ...windows, objectives },
      kv_fragmentation: windows,
      disaggregation: { ...windows, objectives, evaluate_every: '20s' },
    },
    connectors: { advice: { ...windows, raise_after: Math.ceil(20 / window), clear_after: Math.ceil(40 / window) } },
    exporters: { inference_dashboard: { endpoint: `localhost:${port}` } },
    service: {
      telemetry: { logs: { level: 'warn' }, metrics: { level: 'none' } },
      pipelines: {
        metrics: { receivers: ['llm_engine'], processors: ['phase_attribution', 'kv_fragmentation', 'disaggregation'], exporters: ['inference_dashboard', 'advice'] },
        'metrics/advice': { receivers: ['advice'], exporters: ['inference_dashboard'] },
        'logs/advice': { receivers: ['advice'], exporters: ['inference_dashboard'] },
      },
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const { url, pids } = await startFleets(process.argv.slice(2).map((scenario) => ({ scenario })));
  console.log(JSON.stringify({ url, pids }));
}
