/* MIG: a device cut into instances. */
#include "stub.h"

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    DEVICE_CALL(call, nvmlDeviceGetMigMode, device);
    REQUIRE(current != NULL && pending != NULL);
    if (!call.core.mig_supported) return NVML_ERROR_NOT_SUPPORTED;
    *current = call.core.mig_mode;
    *pending = call.core.mig_pending;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    DEVICE_CALL(call, nvmlDeviceGetMaxMigDeviceCount, device);
    REQUIRE(count != NULL);
    *count = call.core.mig_supported ? call.core.mig_max : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig)
{
    DEVICE_CALL(call, nvmlDeviceGetMigDeviceHandleByIndex, device);
    REQUIRE(mig != NULL);
    if (!call.core.mig_supported || !call.core.mig_mode) return NVML_ERROR_NOT_SUPPORTED;
    REQUIRE(index < call.core.mig_max);
    if (index >= call.core.mig_count) return NVML_ERROR_NOT_FOUND;
    *mig = handle_of(&call, call.index, (int)index, call.core.mig_generation);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is)
{
    ANY_CALL(call, nvmlDeviceIsMigDeviceHandle, device);
    REQUIRE(is != NULL);
    *is = call.mig >= 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig, nvmlDevice_t *device)
{
    ANY_CALL(call, nvmlDeviceGetDeviceHandleFromMigDeviceHandle, mig);
    REQUIRE(device != NULL && call.mig >= 0);
    *device = handle_of(&call, call.index, -1, 0);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)
{
    ANY_CALL(call, nvmlDeviceGetGpuInstanceId, device);
    REQUIRE(id != NULL && call.mig >= 0);
    *id = call.instance.gpu_instance;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)
{
    ANY_CALL(call, nvmlDeviceGetComputeInstanceId, device);
    REQUIRE(id != NULL && call.mig >= 0);
    *id = call.instance.compute_instance;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
    ANY_CALL(call, nvmlDeviceGetAttributes_v2, device);
    REQUIRE(attributes != NULL);
    if (call.mig < 0) return NVML_ERROR_NOT_SUPPORTED;
    *attributes = (nvmlDeviceAttributes_t){
        .multiprocessorCount = call.instance.multiprocessors,
        .sharedCopyEngineCount = call.instance.copy_engines,
        .sharedDecoderCount = call.instance.decoders,
        .sharedEncoderCount = call.instance.encoders,
        .gpuInstanceSliceCount = call.instance.gpu_slices,
        .computeInstanceSliceCount = call.instance.compute_slices,
        .memorySizeMB = call.instance.memory_total >> 20,
    };
    return NVML_SUCCESS;
}
