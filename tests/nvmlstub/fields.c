/* nvmlDeviceGetFieldValues: many values in one call, each with a result of its own. */
#include "stub.h"

/* scopeId of the NVLink fields that means all links together. */
#define ALL_LINKS 0xffffffffu

static nvmlReturn_t put_u32(nvmlFieldValue_t *field, uint32_t value)
{
    field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
    field->value.uiVal = value;
    return NVML_SUCCESS;
}

static nvmlReturn_t put_u64(nvmlFieldValue_t *field, uint64_t value)
{
    field->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
    field->value.ullVal = value;
    return NVML_SUCCESS;
}

/* Fields 3..28: totals, then by location, corrected before uncorrected; the last of each group counts uncorrected only. */
static nvmlReturn_t put_ecc(const struct fleetsim_core *core, nvmlFieldValue_t *field)
{
    if (!core->ecc_mode) return NVML_ERROR_NOT_SUPPORTED;
    static const nvmlMemoryLocation_t locations[] = {
        NVML_MEMORY_LOCATION_L1_CACHE,      NVML_MEMORY_LOCATION_L2_CACHE,       NVML_MEMORY_LOCATION_DEVICE_MEMORY,
        NVML_MEMORY_LOCATION_REGISTER_FILE, NVML_MEMORY_LOCATION_TEXTURE_MEMORY,
    };
    unsigned id = field->fieldId;
    if (id <= NVML_FI_DEV_ECC_DBE_AGG_TOTAL) {
        unsigned n = id - NVML_FI_DEV_ECC_SBE_VOL_TOTAL;
        uint64_t sum = 0;
        for (int l = 0; l < NVML_MEMORY_LOCATION_COUNT; l++) sum += core->ecc_errors[n % 2][n / 2][l];
        return put_u64(field, sum);
    }
    unsigned counter = id >= NVML_FI_DEV_ECC_SBE_AGG_L1;
    if (id == NVML_FI_DEV_ECC_DBE_VOL_CBU || id == NVML_FI_DEV_ECC_DBE_AGG_CBU)
        return put_u64(field, core->ecc_errors[1][counter][NVML_MEMORY_LOCATION_CBU]);
    unsigned n = id - (counter ? NVML_FI_DEV_ECC_SBE_AGG_L1 : NVML_FI_DEV_ECC_SBE_VOL_L1);
    return put_u64(field, core->ecc_errors[n % 2][counter][locations[n / 2]]);
}

static nvmlReturn_t put_retired(const struct fleetsim_core *core, nvmlFieldValue_t *field)
{
    if (!core->retired_supported) return NVML_ERROR_NOT_SUPPORTED;
    if (field->fieldId == NVML_FI_DEV_RETIRED_PENDING) return put_u32(field, core->retired_pending);
    uint32_t cause = field->fieldId == NVML_FI_DEV_RETIRED_DBE ? NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR
                                                               : NVML_PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS;
    uint64_t n = 0;
    for (unsigned i = 0; i < core->retired_count && i < FLEETSIM_MAX_RETIRED; i++) n += core->retired[i].cause == cause;
    return put_u64(field, n);
}

static double link_bytes(const struct fleetsim_core *core, unsigned link, bool transmit)
{
    const double *now = transmit ? core->integrals.nvlink_tx_bytes : core->integrals.nvlink_rx_bytes;
    const uint64_t *base = transmit ? core->nvlink_base_tx : core->nvlink_base_rx;
    return now[link] - (double)base[link];
}

/* Bytes of the link in scopeId, or of all; per as many bytes as make a unit. */
static nvmlReturn_t put_traffic(const struct fleetsim_core *core, nvmlFieldValue_t *field, bool transmit, double per)
{
    double bytes = 0;
    for (unsigned l = 0; l < core->nvlinks && l < FLEETSIM_MAX_LINKS; l++)
        if (field->scopeId == ALL_LINKS || field->scopeId == l) bytes += link_bytes(core, l, transmit);
    REQUIRE(field->scopeId == ALL_LINKS || field->scopeId < core->nvlinks);
    return put_u64(field, (uint64_t)(bytes / per));
}

static uint64_t link_errors(const struct fleetsim_core *core, unsigned scope, nvmlNvLinkErrorCounter_t counter)
{
    uint64_t sum = 0;
    for (unsigned l = 0; l < core->nvlinks && l < FLEETSIM_MAX_LINKS; l++)
        if (scope == ALL_LINKS || scope == l) sum += core->nvlink_errors[l][counter];
    return sum;
}

static nvmlReturn_t put_nvlink(const struct fleetsim_core *core, nvmlFieldValue_t *field)
{
    if (core->nvlinks == 0) return NVML_ERROR_NOT_SUPPORTED;
    /* One header of 16 bytes goes with up to 256 bytes of data. */
    const double kib = 1024, raw = kib * 16 / 17;
    switch (field->fieldId) {
    case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX: return put_traffic(core, field, true, kib);
    case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX: return put_traffic(core, field, false, kib);
    case NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_TX: return put_traffic(core, field, true, raw);
    case NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX: return put_traffic(core, field, false, raw);
    case NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL:
        return put_u64(field, link_errors(core, ALL_LINKS, NVML_NVLINK_ERROR_DL_CRC_FLIT));
    case NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL:
        return put_u64(field, link_errors(core, ALL_LINKS, NVML_NVLINK_ERROR_DL_CRC_DATA));
    case NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL:
        return put_u64(field, link_errors(core, ALL_LINKS, NVML_NVLINK_ERROR_DL_REPLAY));
    case NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL:
        return put_u64(field, link_errors(core, ALL_LINKS, NVML_NVLINK_ERROR_DL_RECOVERY));
    case NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY: return put_u64(field, link_errors(core, field->scopeId, NVML_NVLINK_ERROR_DL_REPLAY));
    case NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY: return put_u64(field, link_errors(core, field->scopeId, NVML_NVLINK_ERROR_DL_RECOVERY));
    case NVML_FI_DEV_NVLINK_ERROR_DL_CRC: return put_u64(field, link_errors(core, field->scopeId, NVML_NVLINK_ERROR_DL_CRC_FLIT));
    case NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON:
    case NVML_FI_DEV_NVLINK_GET_SPEED: return put_u32(field, core->nvlink_mbps);
    case NVML_FI_DEV_NVLINK_LINK_COUNT: return put_u32(field, core->nvlinks);
    case NVML_FI_DEV_NVLINK_GET_STATE:
        REQUIRE(field->scopeId < core->nvlinks);
        return put_u32(field, (core->nvlink_down >> field->scopeId & 1) == 0);
    case NVML_FI_DEV_NVLINK_GET_VERSION: return put_u32(field, core->nvlink_version);
    /* These came with the fifth NVLink. */
    case NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES:
        return core->nvlink_version < 5 ? NVML_ERROR_NOT_SUPPORTED : put_traffic(core, field, true, 1);
    case NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES:
        return core->nvlink_version < 5 ? NVML_ERROR_NOT_SUPPORTED : put_traffic(core, field, false, 1);
    default: return NVML_ERROR_NOT_SUPPORTED;
    }
}

static nvmlReturn_t put_power(const struct fleetsim_core *core, nvmlFieldValue_t *field)
{
    switch (field->fieldId) {
    case NVML_FI_DEV_POWER_AVERAGE: return core->power_is_average ? put_u32(field, core->power_average_mw) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_POWER_INSTANT: return put_u32(field, core->power_now_mw);
    case NVML_FI_DEV_POWER_MIN_LIMIT: return put_u32(field, core->power_min_mw);
    case NVML_FI_DEV_POWER_MAX_LIMIT: return put_u32(field, core->power_max_mw);
    case NVML_FI_DEV_POWER_DEFAULT_LIMIT: return put_u32(field, core->power_default_mw);
    case NVML_FI_DEV_POWER_CURRENT_LIMIT:
    case NVML_FI_DEV_POWER_REQUESTED_LIMIT: return put_u32(field, core->power_limit_mw);
    case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
    case NVML_FI_DEV_ENERGY: return put_u64(field, core->energy_mj);
    default: return NVML_ERROR_NOT_SUPPORTED;
    }
}

static nvmlReturn_t put_other(const struct fleetsim_core *core, nvmlFieldValue_t *field)
{
    switch (field->fieldId) {
    case NVML_FI_DEV_ECC_CURRENT: return put_u32(field, core->ecc_mode);
    case NVML_FI_DEV_ECC_PENDING: return put_u32(field, core->ecc_pending);
    case NVML_FI_DEV_MEMORY_TEMP: return put_u32(field, core->memory_temperature_c);
    case NVML_FI_DEV_PCIE_REPLAY_COUNTER: return put_u32(field, core->pcie_replays);
    case NVML_FI_DEV_PCIE_COUNT_TX_BYTES: return put_u64(field, (uint64_t)core->integrals.pcie_tx_bytes);
    case NVML_FI_DEV_PCIE_COUNT_RX_BYTES: return put_u64(field, (uint64_t)core->integrals.pcie_rx_bytes);
    case NVML_FI_DEV_REMAPPED_COR: return put_u32(field, core->remapped_corrected);
    case NVML_FI_DEV_REMAPPED_UNC: return put_u32(field, core->remapped_uncorrected);
    case NVML_FI_DEV_REMAPPED_PENDING: return put_u32(field, core->remapped_pending);
    case NVML_FI_DEV_REMAPPED_FAILURE: return put_u32(field, core->remapped_failure);
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN: return put_u64(field, core->violation_ns[FLEETSIM_VIOLATION_SW_THERMAL]);
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN: return put_u64(field, core->violation_ns[FLEETSIM_VIOLATION_HW_THERMAL]);
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN: return put_u64(field, core->violation_ns[FLEETSIM_VIOLATION_HW_BRAKE]);
    default: return NVML_ERROR_NOT_SUPPORTED;
    }
}

static nvmlReturn_t put_field(const struct fleetsim_core *core, nvmlFieldValue_t *field)
{
    unsigned id = field->fieldId;
    if (id >= NVML_FI_DEV_ECC_SBE_VOL_TOTAL && id <= NVML_FI_DEV_ECC_DBE_AGG_CBU) return put_ecc(core, field);
    if (id >= NVML_FI_DEV_RETIRED_SBE && id <= NVML_FI_DEV_RETIRED_PENDING) return put_retired(core, field);
    if (id >= NVML_FI_DEV_PERF_POLICY_POWER && id <= NVML_FI_DEV_PERF_POLICY_TOTAL_BASE_CLOCKS)
        return put_u64(field, core->violation_ns[id - NVML_FI_DEV_PERF_POLICY_POWER]);
    nvmlReturn_t result = put_other(core, field);
    if (result == NVML_ERROR_NOT_SUPPORTED) result = put_power(core, field);
    return result == NVML_ERROR_NOT_SUPPORTED ? put_nvlink(core, field) : result;
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    DEVICE_CALL(call, nvmlDeviceGetFieldValues, device);
    REQUIRE(values != NULL && count > 0);
    long long now = (long long)realtime_us();
    for (int i = 0; i < count; i++) {
        values[i].timestamp = now;
        values[i].latencyUsec = 0;
        values[i].nvmlReturn = values[i].fieldId < NVML_FI_MAX ? put_field(&call.core, &values[i]) : NVML_ERROR_INVALID_ARGUMENT;
    }
    return NVML_SUCCESS;
}
