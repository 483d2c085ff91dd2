/* Event sets: XIDs and the like, from the ring of events in the state. */
#include <pthread.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "stub.h"

enum { sets_max = 64 };

struct nvmlEventSet_st {
    bool used;
    uint64_t cursor;                          /* the next event to look at */
    uint64_t types[FLEETSIM_MAX_DEVICES];     /* registered; 0: not this device */
    uint64_t beginning[FLEETSIM_MAX_DEVICES]; /* the first event after the registration */
};

static struct {
    pthread_mutex_t lock;
    struct nvmlEventSet_st sets[sets_max];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct nvmlEventSet_st *set_of(nvmlEventSet_t handle)
{
    uintptr_t at = (uintptr_t)handle.handle, first = (uintptr_t)pool.sets;
    if (at < first || at >= first + sizeof pool.sets || (at - first) % sizeof pool.sets[0] != 0) return NULL;
    return handle.handle->used ? handle.handle : NULL;
}

static uint64_t head_of(const struct fleetsim_state *state) { return __atomic_load_n(&state->event_head, __ATOMIC_ACQUIRE); }

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
    SYSTEM_CALL(call, nvmlEventSetCreate);
    REQUIRE(set != NULL);
    nvmlReturn_t result = NVML_ERROR_MEMORY;
    pthread_mutex_lock(&pool.lock);
    for (int i = 0; i < sets_max && result != NVML_SUCCESS; i++) {
        if (pool.sets[i].used) continue;
        pool.sets[i] = (struct nvmlEventSet_st){.used = true, .cursor = head_of(call.state)};
        set->handle = &pool.sets[i];
        result = NVML_SUCCESS;
    }
    pthread_mutex_unlock(&pool.lock);
    return result;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t handle)
{
    SYSTEM_CALL(call, nvmlEventSetFree);
    pthread_mutex_lock(&pool.lock);
    struct nvmlEventSet_st *set = set_of(handle);
    if (set != NULL) set->used = false;
    pthread_mutex_unlock(&pool.lock);
    return set != NULL ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

static const uint64_t supported = nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError | nvmlEventTypePState |
                                  nvmlEventTypeXidCriticalError | nvmlEventTypeClock | nvmlEventMigConfigChange;

ANSWER(nvmlDeviceGetSupportedEventTypes, unsigned long long, supported)

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t handle)
{
    DEVICE_CALL(call, nvmlDeviceRegisterEvents, device);
    struct nvmlEventSet_st *set = set_of(handle);
    REQUIRE(set != NULL && (types & ~(unsigned long long)nvmlEventTypeAll) == 0);
    if ((types & ~supported) != 0) return NVML_ERROR_NOT_SUPPORTED;
    if (set->types[call.index] == 0) set->beginning[call.index] = head_of(call.state);
    set->types[call.index] |= types;
    return NVML_SUCCESS;
}

/* The next event the set asked for. Events that the ring has already overwritten are lost, as in a driver's queue. */
static bool next_event(const struct fleetsim_state *state, struct nvmlEventSet_st *set, struct fleetsim_event *out)
{
    while (set->cursor < head_of(state)) {
        uint64_t head = head_of(state);
        if (head - set->cursor >= FLEETSIM_MAX_EVENTS) set->cursor = head - FLEETSIM_MAX_EVENTS + 1;
        *out = state->events[set->cursor % FLEETSIM_MAX_EVENTS];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (head_of(state) - set->cursor >= FLEETSIM_MAX_EVENTS) continue; /* overwritten while it was copied */
        uint64_t at = set->cursor++;
        if (out->device < FLEETSIM_MAX_DEVICES && (set->types[out->device] & out->type) != 0 && at >= set->beginning[out->device])
            return true;
    }
    return false;
}

static bool lost_device(const struct fleetsim_state *state, const struct nvmlEventSet_st *set)
{
    for (int d = 0; d < FLEETSIM_MAX_DEVICES; d++)
        if (set->types[d] != 0 && fault_code(__atomic_load_n(&state->faults[d][0], __ATOMIC_ACQUIRE)) == NVML_ERROR_GPU_IS_LOST)
            return true;
    return false;
}

/* Sleep until the simulator wakes who waits, as a driver does, at once if it did so after `wakes` was read; at most `us`. */
static void wait_beyond(const struct fleetsim_state *state, uint64_t wakes, uint64_t us)
{
#ifdef __linux__
    /* A futex has 32 bits: the low half. It lies in a shared file, so it is none of this process alone. */
    struct timespec t = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    syscall(SYS_futex, &state->wakes, FUTEX_WAIT, (uint32_t)wakes, &t, NULL, 0);
#else
    const unsigned look_us = 2000;
    (void)state;
    (void)wakes;
    pause_us(us < look_us ? (unsigned)us : look_us);
#endif
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t handle, nvmlEventData_t *data, unsigned int timeout_ms)
{
    SYSTEM_CALL(call, nvmlEventSetWait_v2);
    struct nvmlEventSet_st *set = set_of(handle);
    REQUIRE(set != NULL && data != NULL);
    uint64_t begin = monotonic_us();
    struct fleetsim_event event;
    for (;;) {
        uint64_t wakes = __atomic_load_n(&call.state->wakes, __ATOMIC_ACQUIRE);
        if (next_event(call.state, set, &event)) break;
        nvmlReturn_t alive = initialised(call.state);
        if (alive != NVML_SUCCESS) return alive;
        if (lost_device(call.state, set)) return NVML_ERROR_GPU_IS_LOST;
        uint64_t passed = monotonic_us() - begin;
        if (passed >= (uint64_t)timeout_ms * 1000) return NVML_ERROR_TIMEOUT;
        wait_beyond(call.state, wakes, (uint64_t)timeout_ms * 1000 - passed);
    }
    *data = (nvmlEventData_t){
        .device = handle_of(&call, event.device, -1, 0),
        .eventType = event.type,
        .eventData = event.data,
        .gpuInstanceId = event.gpu_instance,
        .computeInstanceId = event.compute_instance,
    };
    return NVML_SUCCESS;
}
