/* GPU performance monitoring: a metric is the difference quotient of two samples of the activity integrals. A sample is true at the
 * time the simulator last wrote, as on a device it is at the last refresh of the counters: two samples within one refresh say
 * nothing, and their metrics are NVML_ERROR_NO_DATA. */
#include <pthread.h>

#include "stub.h"

enum { samples_max = 1024 };

struct nvmlGpmSample_st {
    bool used;
    bool filled;
    unsigned device;
    unsigned gpu_instance;
    unsigned links;
    uint64_t driver_generation;
    struct fleetsim_integrals integrals;
};

static struct {
    pthread_mutex_t lock;
    struct nvmlGpmSample_st samples[samples_max];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Only samples of the pool that are in use, so that a wild or freed handle is an error and not a crash. */
static struct nvmlGpmSample_st *sample_of(nvmlGpmSample_t handle)
{
    uintptr_t at = (uintptr_t)handle.handle, first = (uintptr_t)pool.samples;
    if (at < first || at >= first + sizeof pool.samples || (at - first) % sizeof pool.samples[0] != 0) return NULL;
    return handle.handle->used ? handle.handle : NULL;
}

nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *sample)
{
    SYSTEM_CALL(call, nvmlGpmSampleAlloc);
    REQUIRE(sample != NULL);
    nvmlReturn_t result = NVML_ERROR_MEMORY;
    pthread_mutex_lock(&pool.lock);
    for (int i = 0; i < samples_max && result != NVML_SUCCESS; i++) {
        if (pool.samples[i].used) continue;
        pool.samples[i] = (struct nvmlGpmSample_st){.used = true};
        sample->handle = &pool.samples[i];
        result = NVML_SUCCESS;
    }
    pthread_mutex_unlock(&pool.lock);
    return result;
}

nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t handle)
{
    SYSTEM_CALL(call, nvmlGpmSampleFree);
    pthread_mutex_lock(&pool.lock);
    struct nvmlGpmSample_st *sample = sample_of(handle);
    if (sample != NULL) sample->used = false;
    pthread_mutex_unlock(&pool.lock);
    return sample != NULL ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

static nvmlReturn_t fill(const struct call *call, struct nvmlGpmSample_st *sample, unsigned gpu_instance,
                         const struct fleetsim_integrals *integrals)
{
    sample->filled = true;
    sample->device = call->index;
    sample->gpu_instance = gpu_instance;
    sample->links = call->core.nvlinks;
    sample->driver_generation = __atomic_load_n(&call->state->driver_generation, __ATOMIC_ACQUIRE);
    sample->integrals = *integrals;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t handle)
{
    ANY_CALL(call, nvmlGpmSampleGet, device);
    struct nvmlGpmSample_st *sample = sample_of(handle);
    REQUIRE(sample != NULL);
    if (!call.core.gpm_supported) return NVML_ERROR_NOT_SUPPORTED;
    if (call.mig >= 0) return fill(&call, sample, call.instance.gpu_instance, &call.instance.integrals);
    return fill(&call, sample, 0xffffffffu, &call.core.integrals);
}

nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gpu_instance, nvmlGpmSample_t handle)
{
    DEVICE_CALL(call, nvmlGpmMigSampleGet, device);
    struct nvmlGpmSample_st *sample = sample_of(handle);
    REQUIRE(sample != NULL);
    if (!call.core.gpm_supported || !call.core.mig_mode) return NVML_ERROR_NOT_SUPPORTED;
    for (unsigned m = 0; m < call.core.mig_count && m < FLEETSIM_MAX_MIG; m++) {
        nvmlReturn_t result = read_locked(call.device, &call.instance, &call.device->mig[m], sizeof call.instance);
        if (result != NVML_SUCCESS) return result;
        if (call.instance.gpu_instance == gpu_instance) return fill(&call, sample, gpu_instance, &call.instance.integrals);
    }
    return NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *support)
{
    ANY_CALL(call, nvmlGpmQueryDeviceSupport, device);
    REQUIRE(support != NULL);
    if (support->version != NVML_GPM_SUPPORT_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    support->isSupportedDevice = call.core.gpm_supported;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmQueryIfStreamingEnabled(nvmlDevice_t device, unsigned int *state)
{
    DEVICE_CALL(call, nvmlGpmQueryIfStreamingEnabled, device);
    REQUIRE(state != NULL);
    if (!call.core.gpm_supported) return NVML_ERROR_NOT_SUPPORTED;
    *state = NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
}

struct metric {
    unsigned id;
    enum fleetsim_unit unit;
    char *name;
};

static const struct metric activities[] = {
    {NVML_GPM_METRIC_GRAPHICS_UTIL, FLEETSIM_GRAPHICS, "GRAPHICS_UTIL"},
    {NVML_GPM_METRIC_SM_UTIL, FLEETSIM_SM, "SM_UTIL"},
    {NVML_GPM_METRIC_SM_OCCUPANCY, FLEETSIM_SM_OCCUPANCY, "SM_OCCUPANCY"},
    {NVML_GPM_METRIC_ANY_TENSOR_UTIL, FLEETSIM_TENSOR, "ANY_TENSOR_UTIL"},
    {NVML_GPM_METRIC_DFMA_TENSOR_UTIL, FLEETSIM_TENSOR_DFMA, "DFMA_TENSOR_UTIL"},
    {NVML_GPM_METRIC_HMMA_TENSOR_UTIL, FLEETSIM_TENSOR_HMMA, "HMMA_TENSOR_UTIL"},
    {NVML_GPM_METRIC_IMMA_TENSOR_UTIL, FLEETSIM_TENSOR_IMMA, "IMMA_TENSOR_UTIL"},
    {NVML_GPM_METRIC_DRAM_BW_UTIL, FLEETSIM_DRAM, "DRAM_BW_UTIL"},
    {NVML_GPM_METRIC_FP64_UTIL, FLEETSIM_FP64, "FP64_UTIL"},
    {NVML_GPM_METRIC_FP32_UTIL, FLEETSIM_FP32, "FP32_UTIL"},
    {NVML_GPM_METRIC_FP16_UTIL, FLEETSIM_FP16, "FP16_UTIL"},
};

static nvmlReturn_t put_percent(nvmlGpmMetric_t *metric, const struct metric *of, const struct fleetsim_integrals *a,
                                const struct fleetsim_integrals *b, double seconds)
{
    double percent = 100 * (b->activity_s[of->unit] - a->activity_s[of->unit]) / seconds;
    metric->value = percent < 0 ? 0 : percent > 100 ? 100 : percent;
    metric->metricInfo = (nvmlGpmMetricMetricInfo_t){.shortName = of->name, .longName = of->name, .unit = "%"};
    return NVML_SUCCESS;
}

static nvmlReturn_t put_rate(nvmlGpmMetric_t *metric, char *name, double bytes, double seconds)
{
    metric->value = bytes / seconds / (1 << 20);
    metric->metricInfo = (nvmlGpmMetricMetricInfo_t){.shortName = name, .longName = name, .unit = "MiB/s"};
    return NVML_SUCCESS;
}

/* Bytes over the links first..last-1. */
static double link_bytes(const double *a, const double *b, unsigned first, unsigned last)
{
    double sum = 0;
    for (unsigned l = first; l < last && l < FLEETSIM_MAX_LINKS; l++) sum += b[l] - a[l];
    return sum;
}

static nvmlReturn_t put_traffic(nvmlGpmMetric_t *metric, const struct nvmlGpmSample_st *one, const struct nvmlGpmSample_st *two,
                                double seconds)
{
    const struct fleetsim_integrals *a = &one->integrals, *b = &two->integrals;
    unsigned id = metric->metricId;
    if (id == NVML_GPM_METRIC_PCIE_TX_PER_SEC) return put_rate(metric, "PCIE_TX_PER_SEC", b->pcie_tx_bytes - a->pcie_tx_bytes, seconds);
    if (id == NVML_GPM_METRIC_PCIE_RX_PER_SEC) return put_rate(metric, "PCIE_RX_PER_SEC", b->pcie_rx_bytes - a->pcie_rx_bytes, seconds);
    if (id < NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC || id > NVML_GPM_METRIC_NVLINK_L17_TX_PER_SEC || two->links == 0)
        return NVML_ERROR_NOT_SUPPORTED;
    unsigned n = id - NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC; /* 0, 1: all links; from 2 on: two a link; even: received */
    unsigned first = n < 2 ? 0 : n / 2 - 1, last = n < 2 ? two->links : n / 2;
    if (last > two->links) return NVML_ERROR_NOT_SUPPORTED;
    if (n % 2 == 0) return put_rate(metric, "NVLINK_RX_PER_SEC", link_bytes(a->nvlink_rx_bytes, b->nvlink_rx_bytes, first, last), seconds);
    return put_rate(metric, "NVLINK_TX_PER_SEC", link_bytes(a->nvlink_tx_bytes, b->nvlink_tx_bytes, first, last), seconds);
}

static nvmlReturn_t put_metric(nvmlGpmMetric_t *metric, const struct nvmlGpmSample_st *one, const struct nvmlGpmSample_st *two)
{
    if (two->integrals.time_ns == one->integrals.time_ns) return NVML_ERROR_NO_DATA;
    double seconds = (double)(two->integrals.time_ns - one->integrals.time_ns) * 1e-9;
    for (size_t i = 0; i < sizeof activities / sizeof activities[0]; i++)
        if (activities[i].id == metric->metricId) return put_percent(metric, &activities[i], &one->integrals, &two->integrals, seconds);
    return put_traffic(metric, one, two, seconds);
}

nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get)
{
    struct nvmlGpmSample_st *one = get != NULL ? sample_of(get->sample1) : NULL;
    struct nvmlGpmSample_st *two = get != NULL ? sample_of(get->sample2) : NULL;
    struct call call;
    bool known = one != NULL && two != NULL && one->filled && two->filled;
    /* Faults of the device whose samples they are. */
    nvmlReturn_t result = known ? index_call(&call, FN_nvmlGpmMetricsGet, one->device) : system_call(&call, FN_nvmlGpmMetricsGet);
    if (result != NVML_SUCCESS) return result;
    REQUIRE(known && get->numMetrics <= NVML_GPM_METRIC_MAX);
    if (get->version != NVML_GPM_METRICS_GET_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    REQUIRE(one->device == two->device && one->gpu_instance == two->gpu_instance &&
            one->driver_generation == two->driver_generation && one->integrals.time_ns <= two->integrals.time_ns);
    for (unsigned i = 0; i < get->numMetrics; i++) {
        get->metrics[i].value = 0;
        get->metrics[i].nvmlReturn = put_metric(&get->metrics[i], one, two);
    }
    return NVML_SUCCESS;
}
