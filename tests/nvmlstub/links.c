/* PCIe and NVLink. */
#include "stub.h"

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int *kbps)
{
    DEVICE_CALL(call, nvmlDeviceGetPcieThroughput, device);
    REQUIRE(kbps != NULL && (unsigned)counter < NVML_PCIE_UTIL_COUNT);
    *kbps = counter == NVML_PCIE_UTIL_TX_BYTES ? call.core.pcie_tx_kbps : call.core.pcie_rx_kbps;
    return NVML_SUCCESS;
}

ANSWER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, call.core.pcie_generation)
ANSWER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, call.core.pcie_max_generation)
ANSWER(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned int, call.core.pcie_max_generation)
ANSWER(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, call.core.pcie_width)
ANSWER(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, call.core.pcie_max_width)
ANSWER(nvmlDeviceGetPcieReplayCounter, unsigned int, call.core.pcie_replays)

/* What of a link is asked for: NVML_ERROR_NOT_SUPPORTED for a device without NVLink, NVML_ERROR_INVALID_ARGUMENT past its last one. */
static nvmlReturn_t check_link(const struct call *call, unsigned link)
{
    if (call->core.nvlinks == 0) return NVML_ERROR_NOT_SUPPORTED;
    REQUIRE(link < call->core.nvlinks && link < FLEETSIM_MAX_LINKS);
    return NVML_SUCCESS;
}

#define ANSWER_LINK(name, type, value)                                       \
    nvmlReturn_t name(nvmlDevice_t device, unsigned int link, type *out)     \
    {                                                                        \
        DEVICE_CALL(call, name, device);                                     \
        REQUIRE(out != NULL);                                                \
        nvmlReturn_t result = check_link(&call, link);                       \
        if (result == NVML_SUCCESS) *out = (type)(value);                    \
        return result;                                                       \
    }

ANSWER_LINK(nvmlDeviceGetNvLinkState, nvmlEnableState_t, (call.core.nvlink_down >> link & 1) == 0)
ANSWER_LINK(nvmlDeviceGetNvLinkVersion, unsigned int, call.core.nvlink_version)
ANSWER_LINK(nvmlDeviceGetNvLinkRemoteDeviceType, nvmlIntNvLinkDeviceType_t, call.core.nvlink_remote)

nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link, nvmlNvLinkErrorCounter_t counter,
                                             unsigned long long *value)
{
    DEVICE_CALL(call, nvmlDeviceGetNvLinkErrorCounter, device);
    REQUIRE(value != NULL && (unsigned)counter < NVML_NVLINK_ERROR_COUNT);
    nvmlReturn_t result = check_link(&call, link);
    if (result == NVML_SUCCESS) *value = call.core.nvlink_errors[link][counter];
    return result;
}
