/* The driver's utilisation samples and ring buffers. */
#include "stub.h"

/* With MIG on, utilisation is not attributed and these queries are refused (NVML reference). */
nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
    DEVICE_CALL(call, nvmlDeviceGetUtilizationRates, device);
    REQUIRE(utilization != NULL);
    if (call.core.mig_mode) return NVML_ERROR_NOT_SUPPORTED;
    *utilization = (nvmlUtilization_t){.gpu = call.core.gpu_percent, .memory = call.core.memory_percent};
    return NVML_SUCCESS;
}

static nvmlReturn_t codec(const struct call *call, unsigned percent, unsigned int *utilization, unsigned int *period)
{
    REQUIRE(utilization != NULL && period != NULL);
    if (call->core.mig_mode) return NVML_ERROR_NOT_SUPPORTED;
    *utilization = percent;
    *period = call->core.sampling_period_us;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned int *utilization, unsigned int *period)
{
    DEVICE_CALL(call, nvmlDeviceGetEncoderUtilization, device);
    return codec(&call, call.core.encoder_percent, utilization, period);
}

nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned int *utilization, unsigned int *period)
{
    DEVICE_CALL(call, nvmlDeviceGetDecoderUtilization, device);
    return codec(&call, call.core.decoder_percent, utilization, period);
}

/* The ring of a sampling type, or -1. */
static int series_of(nvmlSamplingType_t type)
{
    switch (type) {
    case NVML_TOTAL_POWER_SAMPLES: return FLEETSIM_SERIES_POWER;
    case NVML_GPU_UTILIZATION_SAMPLES: return FLEETSIM_SERIES_GPU;
    case NVML_MEMORY_UTILIZATION_SAMPLES: return FLEETSIM_SERIES_MEMORY;
    case NVML_PROCESSOR_CLK_SAMPLES: return FLEETSIM_SERIES_SM_CLOCK;
    case NVML_MEMORY_CLK_SAMPLES: return FLEETSIM_SERIES_MEMORY_CLOCK;
    default: return -1;
    }
}

/* Copy the samples of the ring after `since`, oldest first, at most `room`. */
static unsigned copy_samples(const struct fleetsim_ring *ring, uint64_t since, unsigned room, nvmlSample_t *out)
{
    uint64_t kept = ring->written < FLEETSIM_RING ? ring->written : FLEETSIM_RING;
    unsigned n = 0;
    for (uint64_t i = ring->written - kept; i < ring->written && n < room; i++) {
        const struct fleetsim_sample *sample = &ring->samples[i % FLEETSIM_RING];
        if (sample->time_us > since) out[n++] = (nvmlSample_t){.timeStamp = sample->time_us, .sampleValue.uiVal = (unsigned)sample->value};
    }
    return n;
}

nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type, unsigned long long since, nvmlValueType_t *value_type,
                                  unsigned int *count, nvmlSample_t *samples)
{
    DEVICE_CALL(call, nvmlDeviceGetSamples, device);
    REQUIRE(value_type != NULL && count != NULL && (unsigned)type < NVML_SAMPLINGTYPE_COUNT && (samples == NULL || *count > 0));
    int series = series_of(type);
    if (series < 0) return NVML_ERROR_NOT_SUPPORTED;
    if (call.core.mig_mode && (series == FLEETSIM_SERIES_GPU || series == FLEETSIM_SERIES_MEMORY)) return NVML_ERROR_NOT_SUPPORTED;
    struct fleetsim_ring ring;
    nvmlReturn_t result = read_locked(call.device, &ring, &call.device->rings[series], sizeof ring);
    if (result != NVML_SUCCESS) return result;
    *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
    /* The bare count is the size of the buffer to bring, as the driver answers it, and so never an error. */
    if (samples == NULL) {
        *count = FLEETSIM_RING;
        return NVML_SUCCESS;
    }
    *count = copy_samples(&ring, since, *count, samples);
    return *count > 0 ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}
