// What the product has to say of each ready scenario of the simulated fleet, once it has seen minutes of it: the verdict, and the first
// recommendation ('' for none). More than one is listed where both are true and traffic decides; docs/scenarios.md says why.

const kvEvents = ['protocols.kv_events.port=0', 'protocols.kv_events.replay_port=0'];
const none = '';

export const scenarios = [
  { scenario: 'aggregated-mixed', verdict: ['interference'], first: ['interference'] },
  { scenario: 'interference-burst', verdict: ['balanced', 'interference'], first: ['decode-stalls', 'interference'] },
  { scenario: 'which-side-prefill', verdict: ['prefill_bound'], first: ['prefill-bound'] },
  { scenario: 'which-side-decode', verdict: ['decode_bound'], first: ['decode-bound'] },
  { scenario: 'which-side-balanced', verdict: ['balanced', 'interference'], first: [none, 'interference'] },
  { scenario: 'pd-balanced', verdict: ['balanced'], first: [none] },
  { scenario: 'pd-prefill-bound', verdict: ['prefill_bound'], first: ['prefill-bound', 'topology'] },
  { scenario: 'pd-decode-bound', verdict: ['decode_bound'], first: ['decode-bound', 'topology'] },
  { scenario: 'advice-topology', verdict: ['prefill_bound'], first: ['prefill-bound', 'topology'] },
  { scenario: 'short-prompts-do-not-disaggregate', verdict: ['balanced'], first: ['do-not-disaggregate'] },
  { scenario: 'tcp-fallback', verdict: ['tcp_fallback'], first: ['tcp-fallback'] },
  { scenario: 'hiccup-cascade', verdict: ['balanced'], first: ['transfer-hiccups'] },
  { scenario: 'hiccup-fifo', verdict: ['balanced'], first: ['transfer-hiccups'] },
  { scenario: 'hiccups', verdict: ['balanced'], first: [none, 'transfer-hiccups'] },
  { scenario: 'advice-coalesce', verdict: ['balanced'], first: ['transfer-coalesce'] },
  { scenario: 'advice-overlap', verdict: ['balanced'], first: ['transfer-overlap'] },
  { scenario: 'advice-rails', verdict: ['balanced'], first: ['transfer-rails'] },
  { scenario: 'advice-lease', verdict: ['decode_bound'], first: ['kv-lease'], set: ['workload.custom.requests_per_second=6'] },
  { scenario: 'kv-thrash', verdict: ['kv_storm'], first: ['kv-prefix-routing'] },
  { scenario: 'kv-dead-cache', verdict: ['balanced', 'interference'], first: [none, 'interference'] },
  { scenario: 'kv-sliding-window', verdict: ['balanced', 'kv_storm', 'interference'], first: [none, 'kv-larger-cache', 'interference'], objectives: ['1s', '60ms'] },
  { scenario: 'lora-adapters', verdict: ['balanced'], first: [none], objectives: ['1s', '60ms'] },
  { scenario: 'advice-larger-cache', verdict: ['kv_storm'], first: ['kv-larger-cache'], set: kvEvents },
  { scenario: 'advice-prefix-routing', verdict: ['kv_storm'], first: ['kv-prefix-routing'], set: kvEvents },
  { scenario: 'advice-prefix-caching', verdict: ['prefill_bound'], first: ['prefill-bound'], set: kvEvents },
  { scenario: 'advice-dead-cache', verdict: ['decode_bound'], first: ['kv-dead-cache'], set: [...kvEvents, 'pools[0].kv_blocks=4500', 'pools[0].max_model_tokens=4096'] },
  { scenario: 'advice-block-size', verdict: ['decode_bound'], first: ['kv-block-size'], set: kvEvents },
  { scenario: 'advice-paged-attention', verdict: ['decode_bound'], first: ['kv-paging', 'kv-max-length'], set: kvEvents },
  { scenario: 'advice-max-model-len', verdict: ['decode_bound'], first: ['kv-max-length'], set: kvEvents },
  { scenario: 'advice-memory-share', verdict: ['decode_bound'], first: ['preemptions'] },
  { scenario: 'advice-preemptions', verdict: ['decode_bound'], first: ['preemptions'] },
  { scenario: 'advice-idle-pool', verdict: ['balanced'], first: [none] },
];
