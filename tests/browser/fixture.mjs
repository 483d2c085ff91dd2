// A message of the stream with everything that the page can show: a split fleet in trouble, with GPUs, agents, links and advice.
// `hostile` replaces every label that comes from the network.

const fleetID = 'f1ee700000000001';
const figure = (of, value) => ({ of, value });
const by = (values) => Object.entries(values).map(([k, v]) => figure([k], v));
const only = (value) => [figure([], value)];
const quantile = (value) => ({ value, over: false, low: value, high: value });
const latency = (p) => ({ p50: quantile(p / 2), p90: quantile(p), p99: quantile(2 * p) });

function worker(id, role, instance, name) {
  return {
    id, identity: { instance, host: name('node-1'), fleet: 'llama', fleet_id: fleetID, model: name('llama-70b'), engine: 'vllm', version: '0.11', role, role_source: 'engine' },
    state: { state: 'ok' }, load: { running: 12, waiting: 3, kv: 0.7, trouble: 1.33 }, phase: { prefill: role === 'prefill' ? 0.8 : 0, decode: role === 'decode' ? 0.7 : 0, idle: 0.1, unattributed: 0.1 },
    ttft: latency(0.4), itl: latency(0.03), estimate: { imbalance: null, confidence: null, pressure_prefill: 1.2, pressure_decode: 0.8, withheld: '' },
    conditions: { thrash: 0.3, storm: 0, hiccup: 0, interference: 0.41 },
  };
}

function workerFigures(id, instance, name, storm) {
  return {
    id, kind: 'worker', name: instance, host: name('node-1'), instance, fleet_id: fleetID,
    sections: {
      kv: {
        'llm.kv_cache.memory': by({ live: 30e9, cached_useful: 10e9, tail_waste: 1e9, reserved: 2e9, pinned: 1e9, cached_dead: 4e9, unattributed: 0, free: 12e9 }),
        'llm.kv_cache.hit.ratio': by({ local: 0.42 }), 'llm.kv_cache.fragmentation': only(0.1), 'llm.kv_cache.thrash.ratio': only(0.3), 'llm.kv_cache.storm': only(storm),
        'llm.kv_cache.eviction.surge': only(8), 'llm.kv_cache.free.lowest': only(0.02), 'llm.kv_cache.waste.tokens': by({ thrash: 900 }),
        'llm.kv_cache.miss.tokens': by({ compulsory: 4000, capacity: 2500, routing: 1200, reset: 0, loaded: 300, partial: 90, unknown: 10 }),
        'llm.kv_cache.hit.ratio.predicted': by({ 0.5: 0.21, 1: 0.42, 2: 0.66, 4: 0.71 }), 'llm.kv_cache.saved.ttft': by({ 2: 0.08 }),
      },
      phases: {
        'llm.interference.decode.lost': only(0.41), 'llm.interference.itl.without_prefill': only(0.0163), 'llm.interference.itl.per_prefill_token': only(9.8e-6),
        'llm.interference.decode.delay': only(4.1), 'llm.interference.decode.wait': only(10), 'llm.interference.stall.count': only(0.02),
      },
      gpu: {
        'llm.engine.gpu.info': by({ [`GPU-${id}`]: 1 }), 'llm.phase.energy': by({ prefill: 320, decode: 180, idle: 60, unattributed: 20 }),
        'llm.phase.energy.per_token': by({ prefill: 0.04, decode: 0.9 }),
      },
      transfer: { 'llm.transfer.fallback.ratio': only(storm), 'llm.engine.kv_transfer.duration': [figure(['nixl', 'receive', 'p50'], 0.02), figure(['nixl', 'receive', 'p99'], 0.3)] },
      sources: { 'llm.source.missing': [figure([name('kv_events'), name("--kv-events-config '{}'")], 1)] },
      estimates: {
        'llm.estimate.withheld': [figure(['llm.kv_cache.duplicate.memory', name('no_shape')], 0.2), figure(['llm.kv_cache.memory', 'stale'], 0.1), figure(['llm.phase.energy', 'shared_gpu'], 0.2)],
        'llm.estimate.confidence': [figure(['llm.kv_cache.hit.ratio.predicted', 'reuse'], 0.85)],
      },
    },
  };
}

const gpu = (id, name) => ({
  id: `9${id.slice(1)}`, kind: 'gpu', name: name('NVIDIA H100 80GB HBM3'), host: name('node-1'), instance: `GPU-${id}`, fleet_id: '',
  sections: {
    gpu: {
      'nvidia.gpu.activity.time': by({ sm: 0.82, tensor: 0.31, dram: 0.64, nvlink_rx: 0.1, nvlink_tx: 0.12 }), 'nvidia.gpu.throttle.time': by({ sw_power: 0.23, sw_thermal: 0 }),
      'hw.power': only(640), 'nvidia.gpu.power.limit': only(700), 'hw.temperature': by({ gpu: 71, memory: 80 }), 'hw.status': by({ ok: 0, degraded: 1, failed: 0, predicted_failure: 0 }),
      'hw.gpu.memory.usage': only(72e9), 'hw.gpu.memory.limit': only(85e9), 'nvidia.gpu.clock.frequency': by({ sm: 1.755e9, mem: 2.6e9 }), 'nvidia.gpu.xid.count': by({ 48: 2, 13: 0 }),
    },
  },
});

function fleetFigures(name) {
  const t = (topology, low, mid, high) => [figure([topology, 'low'], low), figure([topology, 'mid'], mid), figure([topology, 'high'], high)];
  return {
    id: fleetID, kind: 'fleet', name: 'llama', host: '', instance: 'llama', fleet_id: fleetID,
    sections: {
      disaggregation: {
        'llm.disaggregation.score': only(0.512), 'llm.disaggregation.factor': by({ purity: 0.95, balance: 0.7, transfer: 0.9, locality: 0.9, slo: 0.95 }),
        'llm.disaggregation.benefit': by({ low: 0.71, mid: 0.82, high: 0.93 }), 'llm.disaggregation.gate': [figure(['against', 'short_prompts'], 1)],
        'llm.disaggregation.bottleneck': by({ prefill: 1, decode: 0, balanced: 0 }), 'llm.disaggregation.goodput': only(11.2), 'llm.disaggregation.leak.ratio': only(0.03),
        'llm.topology.workers': [figure(['current', 'prefill'], 1), figure(['current', 'decode'], 3), figure(['recommended', 'prefill'], 2), figure(['recommended', 'decode'], 2)],
        'llm.topology.goodput': [...t('current', 10, 11, 12.5), ...t('recommended', 13.5, 15, 16)], 'llm.topology.gain': by({ prefill: 0.24, decode: -0.01 }),
        'llm.topology.ttft': [figure(['current', '0.9', 'mid'], 0.9), figure(['recommended', '0.9', 'mid'], 0.4)], 'llm.topology.forecast.coverage': only(0.85),
        'llm.fleet.expected_workers': only(4), 'llm.fleet.observed_workers': only(4),
      },
      transfer: {
        'llm.transfer.latency.base': only(0.0042), 'llm.transfer.bandwidth': only(0.39e9), 'llm.transfer.latency.base.ratio': only(0.2), 'llm.transfer.utilization': only(0.7),
        'llm.transfer.concurrency': only(1.9), 'llm.transfer.exposed.ratio': only(0.36), 'llm.transfer.hiccup.count': only(3), 'llm.transfer.hiccup': only(1), 'llm.transfer.hiccup.stall': only(0.01),
        'llm.transfer.hiccup.excess': only(0.02), 'llm.transfer.amplification': by({ fan_out: 14 }), 'llm.transfer.transport': [figure(['tcp', 'counters'], 1)], 'llm.transfer.fallback.ratio': only(1),
        'llm.transfer.expired': only(0.2),
      },
      estimates: { 'llm.estimate.withheld': [figure(['llm.topology.itl', name('uncertain')], 0.1)], 'llm.estimate.confidence': [figure(['llm.topology.goodput', 'rehearsal'], 0.8)] },
    },
  };
}

const link = (name) => ({
  id: '7000000000000001', kind: 'host', name: name('node-1'), host: name('node-1'), instance: name('node-1'), fleet_id: '',
  sections: { transfer: { 'nixl.link.limit': [figure(['', 'mlx5_0:1', 'infiniband'], 50e9)], 'nixl.link.up': [figure(['', 'mlx5_0:1', 'infiniband'], 1)], 'nixl.link.utilization': [figure(['', 'mlx5_0:1', 'infiniband', 'receive'], 0.02)] } },
});

const advice = (id, severity, name, more = {}) => ({
  id, rule: name('tcp-fallback'), severity, state: 'standing', subject: 'fleet', subject_id: fleetID, subject_name: name('llama'), fleet_id: fleetID, since: 1,
  title: name('KV transfers have fallen back to TCP.'), confidence: 0.8, confidence_word: 'HIGH',
  evidence: [{ name: name('Share of transfers over TCP'), value: 1, unit: '1', metric: name('llm.transfer.fallback.ratio'), limit: 0.1 }, { name: 'Preemptions', value: 33, unit: '{preemption}/min', metric: 'llm.engine.preemptions', limit: null }],
  action: name('Let UCX use the RDMA adapters again.'), change: name('UCX_TLS=rc,cuda_copy,cuda_ipc,tcp'), where: name('vllm 0.11'),
  predicted: { name: name('mean transfer'), unit: 's', from: 0.229, to: 0.0036, low: 0.0027, high: 0.0046 }, observed: null, reason: '', record: 0.67, ...more,
});

/** The message. */
export function snapshot({ hostile } = {}) {
  const name = (text) => hostile ?? text;
  const ids = ['a000000000000001', 'a000000000000002'];
  const instances = hostile ? [hostile, `${hostile} 2`] : ['10.0.0.1:8000', '10.0.0.2:8000'];
  const objective = (max) => ({ max, quantile: 0.9, implied: false });
  return {
    at: 1764000000000, started: 1763999000000, step: 5000, history: 3600000, long_step: 120000, long_history: 86400000, window: 60000, heartbeat: 5000, charts: false,
    fleets: [{
      id: fleetID, name: name('llama'), workers: { total: 2, ok: 2, stale: 0, down: 0 }, phase: { prefill: 0.4, decode: 0.35, idle: 0.15, unattributed: 0.1 }, ttft: latency(0.4), itl: latency(0.03),
      objectives: { ttft: objective(0.3), itl: objective(0.05) }, conditions: { thrash: 0.3, storm: 1, hiccup: 1, interference: 0.41 },
      verdict: {
        code: 'prefill_bound', standing: 'final', title: name('Prefill-bound.'), detail: name('TTFT p90 is 400 ms against 300 ms.'), direction: name('Relief has to come from the prefill side.'), confidence: 0.84,
        confidence_word: 'HIGH', basis: 'pool_pressure', loss: 0.3, waits_for: '', also: [name('one worker is silent')], source: 'advice', since: 1763999900000, told: 1763999950000,
        evidence: [{ label: 'TTFT p90', metric: 'gen_ai.server.time_to_first_token', unit: 's', value: quantile(0.4), against: 0.3, implied: false }],
      },
    }],
    workers: [worker(ids[0], 'prefill', instances[0], name), worker(ids[1], 'decode', instances[1], name)],
    subjects: [fleetFigures(name), workerFigures(ids[0], instances[0], name, 0), workerFigures(ids[1], instances[1], name, 1), gpu(ids[0], name), gpu(ids[1], name), link(name)],
    advice: [advice('d000000000000001', 'critical', name), advice('d000000000000002', 'warning', name), advice('d000000000000003', 'info', name), advice('d000000000000004', 'info', name),
      advice('d000000000000005', 'warning', name, { state: 'verified', observed: { value: 0.004, result: 'inside', lever: name('transport'), from: name('tcp'), to: name('rdma'), record: 0.67, records: 3 } })],
    cost: { cpu: 0.041, memory: 100663296 },
  };
}

/** Label values that must be shown as text. */
export const corpus = [
  '<img src=x onerror="window.pwned=1">', '"><svg onload=window.pwned=1>', '</script><script>window.pwned=1</script>', "javascript:window.pwned=1", "'-window.pwned=1-'",
  '{{constructor.constructor("window.pwned=1")()}}', '\u202egnp.exe', 'x'.repeat(4000), '<b>bold</b>&amp;',
];

/** The same fleet with as many workers, each with its figures: about 50 series a worker. */
export function many(workers) {
  const message = snapshot();
  const name = (text) => text;
  const id = (i) => `b${String(i).padStart(15, '0')}`;
  message.fleets[0].workers = { total: workers, ok: workers, stale: 0, down: 0 };
  const all = Array.from({ length: workers }, (_, i) => ({ id: id(i), instance: `10.0.${i >> 8}.${i & 255}:8000` }));
  message.workers = all.map(({ id: x, instance }, i) => worker(x, i % 3 ? 'decode' : 'prefill', instance, name));
  message.subjects = [message.subjects[0], ...all.map(({ id: x, instance }, i) => workerFigures(x, instance, name, i % 7 ? 0 : 1)), ...all.map(({ id: x }) => gpu(x, name))];
  return message;
}
