/* Memory, and what goes wrong with it. */
#include "stub.h"

struct memory {
    unsigned long long total, reserved, used;
};

static struct memory memory_of(const struct call *call)
{
    if (call->mig < 0) return (struct memory){call->core.memory_total, call->core.memory_reserved, call->core.memory_used};
    return (struct memory){call->instance.memory_total, call->instance.memory_reserved, call->instance.memory_used};
}

/* The first version knows no reserved memory and counts it as used. */
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    ANY_CALL(call, nvmlDeviceGetMemoryInfo, device);
    REQUIRE(memory != NULL);
    struct memory m = memory_of(&call);
    *memory = (nvmlMemory_t){.total = m.total, .free = m.total - m.reserved - m.used, .used = m.reserved + m.used};
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    ANY_CALL(call, nvmlDeviceGetMemoryInfo_v2, device);
    REQUIRE(memory != NULL);
    if (memory->version != nvmlMemory_v2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    struct memory m = memory_of(&call);
    memory->total = m.total;
    memory->reserved = m.reserved;
    memory->free = m.total - m.reserved - m.used;
    memory->used = m.used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *memory)
{
    ANY_CALL(call, nvmlDeviceGetBAR1MemoryInfo, device);
    REQUIRE(memory != NULL);
    *memory = (nvmlBAR1Memory_t){
        .bar1Total = call.core.bar1_total,
        .bar1Free = call.core.bar1_total - call.core.bar1_used,
        .bar1Used = call.core.bar1_used,
    };
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending)
{
    DEVICE_CALL(call, nvmlDeviceGetEccMode, device);
    REQUIRE(current != NULL && pending != NULL);
    *current = (nvmlEnableState_t)call.core.ecc_mode;
    *pending = (nvmlEnableState_t)call.core.ecc_pending;
    return NVML_SUCCESS;
}

static bool ecc_arguments(nvmlMemoryErrorType_t error, nvmlEccCounterType_t counter)
{
    return (unsigned)error < NVML_MEMORY_ERROR_TYPE_COUNT && (unsigned)counter < NVML_ECC_COUNTER_TYPE_COUNT;
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t error, nvmlEccCounterType_t counter,
                                         unsigned long long *count)
{
    DEVICE_CALL(call, nvmlDeviceGetTotalEccErrors, device);
    REQUIRE(count != NULL && ecc_arguments(error, counter));
    if (!call.core.ecc_mode) return NVML_ERROR_NOT_SUPPORTED;
    *count = 0;
    for (int l = 0; l < NVML_MEMORY_LOCATION_COUNT; l++) *count += call.core.ecc_errors[error][counter][l];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDetailedEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t error, nvmlEccCounterType_t counter,
                                            nvmlEccErrorCounts_t *counts)
{
    DEVICE_CALL(call, nvmlDeviceGetDetailedEccErrors, device);
    REQUIRE(counts != NULL && ecc_arguments(error, counter));
    if (!call.core.ecc_mode) return NVML_ERROR_NOT_SUPPORTED;
    const uint64_t *errors = call.core.ecc_errors[error][counter];
    *counts = (nvmlEccErrorCounts_t){
        .l1Cache = errors[NVML_MEMORY_LOCATION_L1_CACHE],
        .l2Cache = errors[NVML_MEMORY_LOCATION_L2_CACHE],
        .deviceMemory = errors[NVML_MEMORY_LOCATION_DEVICE_MEMORY],
        .registerFile = errors[NVML_MEMORY_LOCATION_REGISTER_FILE],
    };
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t error, nvmlEccCounterType_t counter,
                                             nvmlMemoryLocation_t location, unsigned long long *count)
{
    DEVICE_CALL(call, nvmlDeviceGetMemoryErrorCounter, device);
    REQUIRE(count != NULL && ecc_arguments(error, counter) && (unsigned)location < NVML_MEMORY_LOCATION_COUNT);
    if (!call.core.ecc_mode) return NVML_ERROR_NOT_SUPPORTED;
    *count = call.core.ecc_errors[error][counter][location];
    return NVML_SUCCESS;
}

static nvmlReturn_t retired_pages(const struct call *call, nvmlPageRetirementCause_t cause, unsigned int *count,
                                  unsigned long long *addresses, unsigned long long *times)
{
    REQUIRE(count != NULL && (unsigned)cause < NVML_PAGE_RETIREMENT_CAUSE_COUNT && (addresses != NULL || *count == 0));
    if (!call->core.retired_supported) return NVML_ERROR_NOT_SUPPORTED;
    unsigned room = *count, found = 0;
    for (unsigned i = 0; i < call->core.retired_count && i < FLEETSIM_MAX_RETIRED; i++) {
        const struct fleetsim_retired *page = &call->core.retired[i];
        if (page->cause != (uint32_t)cause) continue;
        if (found < room) {
            addresses[found] = page->address;
            if (times != NULL) times[found] = page->time_us;
        }
        found++;
    }
    *count = found;
    return found > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                       unsigned long long *addresses)
{
    DEVICE_CALL(call, nvmlDeviceGetRetiredPages, device);
    return retired_pages(&call, cause, count, addresses, NULL);
}

nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                          unsigned long long *addresses, unsigned long long *times)
{
    DEVICE_CALL(call, nvmlDeviceGetRetiredPages_v2, device);
    return retired_pages(&call, cause, count, addresses, times);
}

nvmlReturn_t nvmlDeviceGetRetiredPagesPendingStatus(nvmlDevice_t device, nvmlEnableState_t *pending)
{
    DEVICE_CALL(call, nvmlDeviceGetRetiredPagesPendingStatus, device);
    REQUIRE(pending != NULL);
    if (!call.core.retired_supported) return NVML_ERROR_NOT_SUPPORTED;
    *pending = (nvmlEnableState_t)call.core.retired_pending;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected, unsigned int *uncorrected, unsigned int *pending,
                                       unsigned int *failure)
{
    DEVICE_CALL(call, nvmlDeviceGetRemappedRows, device);
    REQUIRE(corrected != NULL && uncorrected != NULL && pending != NULL && failure != NULL);
    if (call.core.mig_mode) return NVML_ERROR_NOT_SUPPORTED;
    *corrected = call.core.remapped_corrected;
    *uncorrected = call.core.remapped_uncorrected;
    *pending = call.core.remapped_pending;
    *failure = call.core.remapped_failure;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t *values)
{
    DEVICE_CALL(call, nvmlDeviceGetRowRemapperHistogram, device);
    REQUIRE(values != NULL);
    const uint32_t *banks = call.core.remap_histogram;
    *values = (nvmlRowRemapperHistogramValues_t){.max = banks[0], .high = banks[1], .partial = banks[2], .low = banks[3], .none = banks[4]};
    return NVML_SUCCESS;
}
