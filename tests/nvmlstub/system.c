/* Initialisation, versions, and how devices are found. */
#include <stdio.h>

#include "stub.h"

nvmlReturn_t nvmlInit(void) { return library_init(FN_nvmlInit); }
nvmlReturn_t nvmlInit_v2(void) { return library_init(FN_nvmlInit_v2); }

nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    return library_init(FN_nvmlInitWithFlags);
}

nvmlReturn_t nvmlShutdown(void)
{
    struct call call;
    nvmlReturn_t result = system_call(&call, FN_nvmlShutdown);
    /* After a driver reload the library is no longer initialised, and yet must let go of its users. */
    if (result != NVML_SUCCESS && result != NVML_ERROR_UNINITIALIZED) return result;
    return library_shutdown();
}

const char *nvmlErrorString(nvmlReturn_t result)
{
    switch (result) {
    case NVML_SUCCESS: return "Success";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT: return "Timeout";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_RESET_REQUIRED: return "GPU requires reset";
    case NVML_ERROR_OPERATING_SYSTEM: return "The operating system has refused the call";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
    case NVML_ERROR_MEMORY: return "Insufficient Memory";
    case NVML_ERROR_NO_DATA: return "No data";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH: return "The version of a structure is not known";
    case NVML_ERROR_NOT_READY: return "Not ready";
    case NVML_ERROR_GPU_NOT_FOUND: return "No GPUs were found";
    default: return "Unknown Error";
    }
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    SYSTEM_CALL(call, nvmlSystemGetDriverVersion);
    return put_text(version, length, call.state->driver_version);
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
    SYSTEM_CALL(call, nvmlSystemGetNVMLVersion);
    return put_text(version, length, call.state->nvml_version);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    SYSTEM_CALL(call, nvmlSystemGetCudaDriverVersion);
    REQUIRE(version != NULL);
    *version = (int)call.state->cuda_version;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    SYSTEM_CALL(call, nvmlSystemGetCudaDriverVersion_v2);
    REQUIRE(version != NULL);
    *version = (int)call.state->cuda_version;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t *state)
{
    SYSTEM_CALL(call, nvmlSystemGetConfComputeState);
    REQUIRE(state != NULL);
    return NVML_ERROR_NOT_SUPPORTED;
}

static unsigned device_count(const struct fleetsim_state *state)
{
    return __atomic_load_n(&state->device_count, __ATOMIC_ACQUIRE);
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    SYSTEM_CALL(call, nvmlDeviceGetCount_v2);
    REQUIRE(count != NULL);
    *count = device_count(call.state);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    struct call call;
    nvmlReturn_t result = index_call(&call, FN_nvmlDeviceGetHandleByIndex_v2, index);
    if (result != NVML_SUCCESS) return result;
    REQUIRE(device != NULL);
    *device = handle_of(&call, index, -1, 0);
    return NVML_SUCCESS;
}

/* The MIG device of the call's device with this UUID, or -1. */
static int find_mig(struct call *call, const char *uuid)
{
    for (unsigned m = 0; m < call->core.mig_count; m++) {
        const struct fleetsim_mig *instance = &call->device->mig[m];
        if (read_locked(call->device, &call->instance, instance, sizeof call->instance) == NVML_SUCCESS &&
            strcmp(call->instance.uuid, uuid) == 0)
            return (int)m;
    }
    return -1;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    SYSTEM_CALL(call, nvmlDeviceGetHandleByUUID);
    REQUIRE(uuid != NULL && device != NULL);
    for (unsigned i = 0; i < device_count(call.state); i++) {
        nvmlReturn_t result = read_core(&call, i);
        if (result != NVML_SUCCESS) return result;
        bool whole = strcmp(call.core.uuid, uuid) == 0;
        int mig = whole ? -1 : find_mig(&call, uuid);
        if (!whole && mig < 0) continue;
        *device = handle_of(&call, i, mig, whole ? 0 : call.core.mig_generation);
        return NVML_SUCCESS;
    }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *id, nvmlDevice_t *device)
{
    SYSTEM_CALL(call, nvmlDeviceGetHandleByPciBusId_v2);
    REQUIRE(id != NULL && device != NULL);
    unsigned domain, bus, slot;
    REQUIRE(sscanf(id, "%x:%x:%x", &domain, &bus, &slot) == 3);
    for (unsigned i = 0; i < device_count(call.state); i++) {
        nvmlReturn_t result = read_core(&call, i);
        if (result != NVML_SUCCESS) return result;
        if (call.core.pci_domain != domain || call.core.pci_bus != bus || call.core.pci_device != slot) continue;
        *device = handle_of(&call, i, -1, 0);
        return NVML_SUCCESS;
    }
    return NVML_ERROR_NOT_FOUND;
}
