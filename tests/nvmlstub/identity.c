/* What a device is and how it is set up. */
#include <stdio.h>

#include "stub.h"

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
    ANY_CALL(call, nvmlDeviceGetName, device);
    return put_text(name, length, call.mig < 0 ? call.core.name : call.instance.name);
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
    ANY_CALL(call, nvmlDeviceGetUUID, device);
    return put_text(uuid, length, call.mig < 0 ? call.core.uuid : call.instance.uuid);
}

nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned int length)
{
    DEVICE_CALL(call, nvmlDeviceGetSerial, device);
    return put_text(serial, length, call.core.serial);
}

nvmlReturn_t nvmlDeviceGetVbiosVersion(nvmlDevice_t device, char *version, unsigned int length)
{
    DEVICE_CALL(call, nvmlDeviceGetVbiosVersion, device);
    return put_text(version, length, call.core.vbios);
}

nvmlReturn_t nvmlDeviceGetBoardPartNumber(nvmlDevice_t device, char *number, unsigned int length)
{
    DEVICE_CALL(call, nvmlDeviceGetBoardPartNumber, device);
    return put_text(number, length, call.core.board_part);
}

ANSWER(nvmlDeviceGetBrand, nvmlBrandType_t, call.core.brand)
ANSWER(nvmlDeviceGetMinorNumber, unsigned int, call.core.minor_number)
ANSWER(nvmlDeviceGetModuleId, unsigned int, call.core.module_id)
ANSWER(nvmlDeviceGetNumGpuCores, unsigned int, call.core.cores)
ANSWER(nvmlDeviceGetNumaNodeId, unsigned int, call.core.numa_node)
ANSWER(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, call.core.persistence_mode)
ANSWER(nvmlDeviceGetComputeMode, nvmlComputeMode_t, call.core.compute_mode)
ANSWER(nvmlDeviceGetDisplayMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
ANSWER(nvmlDeviceGetDisplayActive, nvmlEnableState_t, NVML_FEATURE_DISABLED)
ANSWER(nvmlDeviceGetVirtualizationMode, nvmlGpuVirtualizationMode_t, NVML_GPU_VIRTUALIZATION_MODE_NONE)

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
    ANY_CALL(call, nvmlDeviceGetIndex, device);
    REQUIRE(index != NULL);
    *index = call.mig < 0 ? call.index : (unsigned)call.mig;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *architecture)
{
    ANY_CALL(call, nvmlDeviceGetArchitecture, device);
    REQUIRE(architecture != NULL);
    *architecture = call.core.architecture;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    ANY_CALL(call, nvmlDeviceGetCudaComputeCapability, device);
    REQUIRE(major != NULL && minor != NULL);
    *major = (int)call.core.compute_major;
    *minor = (int)call.core.compute_minor;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    DEVICE_CALL(call, nvmlDeviceGetPciInfo_v3, device);
    REQUIRE(pci != NULL);
    *pci = (nvmlPciInfo_t){
        .domain = call.core.pci_domain,
        .bus = call.core.pci_bus,
        .device = call.core.pci_device,
        .pciDeviceId = call.core.pci_device_id,
        .pciSubSystemId = call.core.pci_subsystem_id,
    };
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT, pci->domain & 0xffff, pci->bus & 0xff,
             pci->device & 0xff);
    snprintf(pci->busId, sizeof pci->busId, NVML_DEVICE_PCI_BUS_ID_FMT, NVML_DEVICE_PCI_BUS_ID_FMT_ARGS(pci));
    return NVML_SUCCESS;
}

/* Devices of one NUMA node share its host bridges, others only the links between sockets. */
nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t one, nvmlDevice_t other, nvmlGpuTopologyLevel_t *level)
{
    DEVICE_CALL(a, nvmlDeviceGetTopologyCommonAncestor, one);
    struct call b = {.state = a.state, .mig = -1};
    nvmlReturn_t result = open_device(&b, FN_nvmlDeviceGetTopologyCommonAncestor, other, false);
    if (result != NVML_SUCCESS) return result;
    REQUIRE(level != NULL);
    *level = a.index == b.index                        ? NVML_TOPOLOGY_INTERNAL
             : a.core.numa_node == b.core.numa_node ? NVML_TOPOLOGY_NODE
                                                    : NVML_TOPOLOGY_SYSTEM;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *info)
{
    DEVICE_CALL(call, nvmlDeviceGetGpuFabricInfo, device);
    REQUIRE(info != NULL);
    if (!call.core.fabric_supported) return NVML_ERROR_NOT_SUPPORTED;
    *info = (nvmlGpuFabricInfo_t){
        .status = (nvmlReturn_t)call.core.fabric_status,
        .cliqueId = call.core.fabric_clique,
        .state = (nvmlGpuFabricState_t)call.core.fabric_state,
    };
    memcpy(info->clusterUuid, call.core.fabric_cluster, sizeof info->clusterUuid);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *info)
{
    DEVICE_CALL(call, nvmlDeviceGetGpuFabricInfoV, device);
    REQUIRE(info != NULL);
    if (info->version != nvmlGpuFabricInfo_v2 && info->version != nvmlGpuFabricInfo_v3) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (!call.core.fabric_supported) return NVML_ERROR_NOT_SUPPORTED;
    memcpy(info->clusterUuid, call.core.fabric_cluster, sizeof info->clusterUuid);
    info->status = (nvmlReturn_t)call.core.fabric_status;
    info->cliqueId = call.core.fabric_clique;
    info->state = (nvmlGpuFabricState_t)call.core.fabric_state;
    info->healthMask = call.core.fabric_health_mask;
    if (info->version == nvmlGpuFabricInfo_v3) info->healthSummary = (unsigned char)call.core.fabric_health_summary;
    return NVML_SUCCESS;
}
