/* Processes on a device and what they use. */
#include "stub.h"

enum { compute, graphics, mps };

static nvmlReturn_t read_processes(const struct call *call, struct fleetsim_processes *out)
{
    nvmlReturn_t result = read_locked(call->device, out, &call->device->processes, sizeof *out);
    if (out->count > FLEETSIM_MAX_PROCESSES) out->count = FLEETSIM_MAX_PROCESSES;
    return result;
}

/* A MIG handle sees the processes of its own instance, the device's all of them. */
static bool listed(const struct call *call, const struct fleetsim_process *process, uint32_t kind)
{
    if (process->kind != kind) return false;
    return call->mig < 0 || (process->gpu_instance == call->instance.gpu_instance &&
                             process->compute_instance == call->instance.compute_instance);
}

static nvmlReturn_t list(const struct call *call, uint32_t kind, unsigned int *count, nvmlProcessInfo_v2_t *out)
{
    REQUIRE(count != NULL && (out != NULL || *count == 0));
    struct fleetsim_processes processes;
    nvmlReturn_t result = read_processes(call, &processes);
    if (result != NVML_SUCCESS) return result;
    unsigned room = *count, found = 0;
    for (unsigned i = 0; i < processes.count; i++) {
        const struct fleetsim_process *process = &processes.list[i];
        if (!listed(call, process, kind)) continue;
        if (found < room)
            out[found] = (nvmlProcessInfo_v2_t){
                .pid = process->pid,
                .usedGpuMemory = process->memory_bytes,
                .gpuInstanceId = process->gpu_instance,
                .computeInstanceId = process->compute_instance,
            };
        found++;
    }
    *count = found;
    return found > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

#define ANSWER_PROCESSES(name, kind)                                                       \
    nvmlReturn_t name(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v2_t *out) \
    {                                                                                      \
        ANY_CALL(call, name, device);                                                      \
        return list(&call, kind, count, out);                                              \
    }

/* Versions 2 and 3 have one layout. */
ANSWER_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, compute)
ANSWER_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, compute)
ANSWER_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, graphics)
ANSWER_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, graphics)
ANSWER_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, mps)
ANSWER_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, mps)

/* Keep the processes that did something in a sample newer than `since`; one sample each. */
static nvmlReturn_t read_busy(const struct call *call, uint64_t since, struct fleetsim_processes *out)
{
    if (call->core.mig_mode) return NVML_ERROR_NOT_SUPPORTED;
    nvmlReturn_t result = read_processes(call, out);
    if (result != NVML_SUCCESS) return result;
    unsigned found = 0;
    for (unsigned i = 0; i < out->count; i++) {
        struct fleetsim_process process = out->list[i];
        if (process.time_us > since && (process.sm_percent > 0 || process.memory_percent > 0)) out->list[found++] = process;
    }
    out->count = found;
    return found > 0 ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *samples, unsigned int *count,
                                             unsigned long long since)
{
    DEVICE_CALL(call, nvmlDeviceGetProcessUtilization, device);
    REQUIRE(count != NULL);
    struct fleetsim_processes busy;
    nvmlReturn_t result = read_busy(&call, since, &busy);
    if (result != NVML_SUCCESS) return result;
    bool fits = samples != NULL && *count >= busy.count;
    *count = busy.count;
    if (!fits) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < busy.count; i++)
        samples[i] = (nvmlProcessUtilizationSample_t){
            .pid = busy.list[i].pid,
            .timeStamp = busy.list[i].time_us,
            .smUtil = busy.list[i].sm_percent,
            .memUtil = busy.list[i].memory_percent,
        };
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_t *info)
{
    DEVICE_CALL(call, nvmlDeviceGetProcessesUtilizationInfo, device);
    REQUIRE(info != NULL);
    if (info->version != nvmlProcessesUtilizationInfo_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    struct fleetsim_processes busy;
    nvmlReturn_t result = read_busy(&call, info->lastSeenTimeStamp, &busy);
    if (result != NVML_SUCCESS) return result;
    bool fits = info->procUtilArray != NULL && info->processSamplesCount >= busy.count;
    info->processSamplesCount = busy.count;
    if (!fits) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < busy.count; i++)
        info->procUtilArray[i] = (nvmlProcessUtilizationInfo_v1_t){
            .timeStamp = busy.list[i].time_us,
            .pid = busy.list[i].pid,
            .smUtil = busy.list[i].sm_percent,
            .memUtil = busy.list[i].memory_percent,
        };
    return NVML_SUCCESS;
}
