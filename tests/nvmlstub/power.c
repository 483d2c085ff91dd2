/* Energy, power, heat, clocks and what holds them down. */
#include "stub.h"

/* The counter moves with the sensor's refresh, about every 100 ms; the writer keeps to that. */
ANSWER(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, call.core.energy_mj)
/* Ampere and later, GA100 apart, answer the mean over the last second (NVML reference, nvmlDeviceGetPowerUsage). */
ANSWER(nvmlDeviceGetPowerUsage, unsigned int, call.core.power_is_average ? call.core.power_average_mw : call.core.power_now_mw)
ANSWER(nvmlDeviceGetPowerManagementMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
ANSWER(nvmlDeviceGetPowerManagementLimit, unsigned int, call.core.power_limit_mw)
ANSWER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, call.core.power_default_mw)
ANSWER(nvmlDeviceGetEnforcedPowerLimit, unsigned int, call.core.power_limit_mw)

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *least, unsigned int *most)
{
    DEVICE_CALL(call, nvmlDeviceGetPowerManagementLimitConstraints, device);
    REQUIRE(least != NULL && most != NULL);
    *least = call.core.power_min_mw;
    *most = call.core.power_max_mw;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *celsius)
{
    DEVICE_CALL(call, nvmlDeviceGetTemperature, device);
    REQUIRE(celsius != NULL && sensor == NVML_TEMPERATURE_GPU);
    *celsius = call.core.temperature_c;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature)
{
    DEVICE_CALL(call, nvmlDeviceGetTemperatureV, device);
    REQUIRE(temperature != NULL);
    if (temperature->version != nvmlTemperature_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    REQUIRE(temperature->sensorType == NVML_TEMPERATURE_GPU);
    temperature->temperature = (int)call.core.temperature_c;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t threshold, unsigned int *celsius)
{
    DEVICE_CALL(call, nvmlDeviceGetTemperatureThreshold, device);
    REQUIRE(celsius != NULL && (unsigned)threshold < NVML_TEMPERATURE_THRESHOLD_COUNT);
    if (threshold > NVML_TEMPERATURE_THRESHOLD_GPU_MAX) return NVML_ERROR_NOT_SUPPORTED;
    *celsius = call.core.temperature_thresholds_c[threshold];
    return NVML_SUCCESS;
}

ANSWER(nvmlDeviceGetNumFans, unsigned int, call.core.fans)

nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *percent)
{
    DEVICE_CALL(call, nvmlDeviceGetFanSpeed, device);
    REQUIRE(percent != NULL);
    if (call.core.fans == 0) return NVML_ERROR_NOT_SUPPORTED;
    *percent = call.core.fan_percent;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *percent)
{
    DEVICE_CALL(call, nvmlDeviceGetFanSpeed_v2, device);
    REQUIRE(percent != NULL);
    if (call.core.fans == 0) return NVML_ERROR_NOT_SUPPORTED;
    REQUIRE(fan < call.core.fans);
    *percent = call.core.fan_percent;
    return NVML_SUCCESS;
}

#define ANSWER_CLOCK(name, field)                                                  \
    nvmlReturn_t name(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz) \
    {                                                                              \
        DEVICE_CALL(call, name, device);                                           \
        REQUIRE(mhz != NULL && (unsigned)type < NVML_CLOCK_COUNT);                 \
        *mhz = call.core.field[type];                                              \
        return NVML_SUCCESS;                                                       \
    }

/* No application clocks are set: they are the maximum, as on a new machine. */
ANSWER_CLOCK(nvmlDeviceGetClockInfo, clocks_mhz)
ANSWER_CLOCK(nvmlDeviceGetMaxClockInfo, max_clocks_mhz)
ANSWER_CLOCK(nvmlDeviceGetApplicationsClock, max_clocks_mhz)
ANSWER_CLOCK(nvmlDeviceGetDefaultApplicationsClock, max_clocks_mhz)

nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t type, nvmlClockId_t id, unsigned int *mhz)
{
    DEVICE_CALL(call, nvmlDeviceGetClock, device);
    REQUIRE(mhz != NULL && (unsigned)type < NVML_CLOCK_COUNT && (unsigned)id < NVML_CLOCK_ID_COUNT);
    *mhz = id == NVML_CLOCK_ID_CURRENT ? call.core.clocks_mhz[type] : call.core.max_clocks_mhz[type];
    return NVML_SUCCESS;
}

ANSWER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, call.core.throttle_reasons)
ANSWER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, call.core.throttle_reasons)
ANSWER(nvmlDeviceGetSupportedClocksEventReasons, unsigned long long, call.core.throttle_supported)
ANSWER(nvmlDeviceGetSupportedClocksThrottleReasons, unsigned long long, call.core.throttle_supported)
ANSWER(nvmlDeviceGetPerformanceState, nvmlPstates_t, call.core.performance_state)
ANSWER(nvmlDeviceGetPowerState, nvmlPstates_t, call.core.performance_state)

nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device, nvmlPerfPolicyType_t policy, nvmlViolationTime_t *violation)
{
    DEVICE_CALL(call, nvmlDeviceGetViolationStatus, device);
    REQUIRE(violation != NULL);
    enum fleetsim_violation v;
    switch (policy) {
    case NVML_PERF_POLICY_TOTAL_APP_CLOCKS: v = FLEETSIM_VIOLATION_APP_CLOCKS; break;
    case NVML_PERF_POLICY_TOTAL_BASE_CLOCKS: v = FLEETSIM_VIOLATION_BASE_CLOCKS; break;
    default:
        REQUIRE((unsigned)policy <= NVML_PERF_POLICY_RELIABILITY);
        v = (enum fleetsim_violation)policy;
    }
    violation->referenceTime = call.core.integrals.time_ns / 1000;
    violation->violationTime = call.core.violation_ns[v];
    return NVML_SUCCESS;
}
