/* The state file, initialisation, faults and consistent reading. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stub.h"

_Static_assert(FLEETSIM_FUNCTION_COUNT <= FLEETSIM_MAX_FUNCTIONS, "the state has too few counters");

enum {
    yields = 64,     /* retries of a reader that only give the processor away */
    retries = 4096,  /* all retries; the rest sleep, so a reader gives up after some 400 ms */
    retry_us = 100,
    fault_poll_us = 2000,
};

/* A mapping is never undone: another thread may be inside a call (a hang lasts as long as it likes). A process maps each state file
 * it meets once. */
static struct {
    pthread_mutex_t lock;
    struct fleetsim_state *state; /* atomic */
    dev_t device;
    ino_t inode;
    unsigned users;            /* inits without their shutdown; atomic */
    uint64_t driver_generation; /* at the first of them; atomic */
} library = {.lock = PTHREAD_MUTEX_INITIALIZER};

void pause_us(unsigned us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }
uint64_t realtime_us(void) { return clock_us(CLOCK_REALTIME); }

nvmlReturn_t put_text(char *to, unsigned size, const char *text)
{
    REQUIRE(to != NULL);
    size_t n = strlen(text) + 1;
    if (n > size) return NVML_ERROR_INSUFFICIENT_SIZE;
    memcpy(to, text, n);
    return NVML_SUCCESS;
}

static nvmlReturn_t map_state(int file)
{
    struct stat info;
    if (fstat(file, &info) != 0) return NVML_ERROR_OPERATING_SYSTEM;
    if (library.state != NULL && info.st_dev == library.device && info.st_ino == library.inode) return NVML_SUCCESS;
    if (info.st_size != (off_t)sizeof(struct fleetsim_state)) return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    void *at = mmap(NULL, sizeof(struct fleetsim_state), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) return NVML_ERROR_OPERATING_SYSTEM;
    struct fleetsim_state *state = at;
    if (__atomic_load_n(&state->magic, __ATOMIC_ACQUIRE) != FLEETSIM_MAGIC || state->version != FLEETSIM_VERSION ||
        state->size != sizeof(struct fleetsim_state)) {
        munmap(at, sizeof(struct fleetsim_state));
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    }
    library.device = info.st_dev;
    library.inode = info.st_ino;
    __atomic_store_n(&library.users, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&library.state, state, __ATOMIC_RELEASE);
    return NVML_SUCCESS;
}

static nvmlReturn_t open_state(void)
{
    const char *path = getenv("FLEETSIM_NVML_STATE");
    if (path == NULL) return NVML_ERROR_DRIVER_NOT_LOADED;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return errno == EACCES ? NVML_ERROR_NO_PERMISSION : NVML_ERROR_DRIVER_NOT_LOADED;
    nvmlReturn_t result = map_state(file);
    close(file);
    return result;
}

/* Wait out the delay of the fault at `at` and say what it answers. A fault that changes meanwhile is read anew. */
static nvmlReturn_t serve_fault(const uint64_t *at)
{
    for (;;) {
        uint64_t fault = __atomic_load_n(at, __ATOMIC_ACQUIRE);
        uint64_t delay = fault >> FLEETSIM_FAULT_CODE_BITS;
        uint64_t begin = monotonic_us();
        bool same = true;
        while (same && (delay == FLEETSIM_FAULT_FOREVER || monotonic_us() - begin < delay)) {
            uint64_t passed = monotonic_us() - begin;
            uint64_t left = delay == FLEETSIM_FAULT_FOREVER ? fault_poll_us : delay > passed ? delay - passed : 0;
            pause_us(left < fault_poll_us ? (unsigned)left : fault_poll_us);
            same = __atomic_load_n(at, __ATOMIC_ACQUIRE) == fault;
        }
        if (same) return fault_code(fault);
    }
}

/* The fault of the function goes before the one of its whole row. */
static nvmlReturn_t serve_faults(const struct fleetsim_state *state, unsigned row, enum fleetsim_function fn)
{
    nvmlReturn_t result = serve_fault(&state->faults[row][1 + fn]);
    return result != NVML_SUCCESS ? result : serve_fault(&state->faults[row][0]);
}

static void count(struct fleetsim_state *state, enum fleetsim_function fn)
{
    __atomic_fetch_add(&state->calls[fn], 1, __ATOMIC_RELAXED);
}

nvmlReturn_t library_init(enum fleetsim_function fn)
{
    pthread_mutex_lock(&library.lock);
    nvmlReturn_t result = open_state();
    struct fleetsim_state *state = library.state;
    pthread_mutex_unlock(&library.lock);
    if (result != NVML_SUCCESS) return result;
    count(state, fn);
    result = serve_faults(state, FLEETSIM_FAULT_SYSTEM, fn); /* without the lock: it may hang */
    if (result != NVML_SUCCESS) return result;

    uint64_t generation = __atomic_load_n(&state->driver_generation, __ATOMIC_ACQUIRE);
    if (generation == 0) return NVML_ERROR_DRIVER_NOT_LOADED;
    pthread_mutex_lock(&library.lock);
    /* Only the first user initialises: one that is left from before a reload keeps the library from meeting the new driver. */
    if (library.users == 0) __atomic_store_n(&library.driver_generation, generation, __ATOMIC_RELAXED);
    __atomic_store_n(&library.users, library.users + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&library.lock);
    return NVML_SUCCESS;
}

nvmlReturn_t library_shutdown(void)
{
    pthread_mutex_lock(&library.lock);
    bool initialised = library.users > 0;
    if (initialised) __atomic_store_n(&library.users, library.users - 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&library.lock);
    return initialised ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

nvmlReturn_t initialised(const struct fleetsim_state *state)
{
    if (__atomic_load_n(&library.users, __ATOMIC_ACQUIRE) == 0) return NVML_ERROR_UNINITIALIZED;
    uint64_t now = __atomic_load_n(&state->driver_generation, __ATOMIC_ACQUIRE);
    return now == __atomic_load_n(&library.driver_generation, __ATOMIC_RELAXED) ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

static nvmlReturn_t begin(struct call *call, enum fleetsim_function fn)
{
    call->state = __atomic_load_n(&library.state, __ATOMIC_ACQUIRE);
    call->mig = -1;
    call->device = NULL;
    if (call->state == NULL) return NVML_ERROR_UNINITIALIZED;
    count(call->state, fn);
    return initialised(call->state);
}

nvmlReturn_t system_call(struct call *call, enum fleetsim_function fn)
{
    nvmlReturn_t result = begin(call, fn);
    return result != NVML_SUCCESS ? result : serve_faults(call->state, FLEETSIM_FAULT_SYSTEM, fn);
}

nvmlReturn_t index_call(struct call *call, enum fleetsim_function fn, unsigned index)
{
    nvmlReturn_t result = begin(call, fn);
    if (result != NVML_SUCCESS) return result;
    REQUIRE(index < __atomic_load_n(&call->state->device_count, __ATOMIC_ACQUIRE));
    result = serve_faults(call->state, index, fn);
    return result != NVML_SUCCESS ? result : read_core(call, index);
}

nvmlReturn_t read_core(struct call *call, unsigned index)
{
    call->index = index;
    call->device = &call->state->devices[index];
    return read_locked(call->device, &call->core, &call->device->core, sizeof call->core);
}

/* Layout of a handle: mark 8 | driver generation 16 | MIG generation 16 | MIG index + 1, 8 | device + 1, 8. */
nvmlDevice_t handle_of(const struct call *call, unsigned device, int mig, unsigned mig_generation)
{
    uint64_t driver = __atomic_load_n(&call->state->driver_generation, __ATOMIC_ACQUIRE);
    uint64_t bits = 0x4eull << 56 | (driver & 0xffff) << 40 | (uint64_t)(mig_generation & 0xffff) << 16 |
                    (uint64_t)(mig + 1) << 8 | (device + 1);
    return (nvmlDevice_t){.handle = (struct nvmlDevice_st *)(uintptr_t)bits};
}

static bool parse_handle(nvmlDevice_t device, struct handle *out)
{
    uint64_t bits = (uint64_t)(uintptr_t)device.handle;
    *out = (struct handle){
        .device = (unsigned)(bits & 0xff) - 1,
        .mig = (int)(bits >> 8 & 0xff) - 1,
        .mig_generation = (unsigned)(bits >> 16 & 0xffff),
        .driver_generation = (unsigned)(bits >> 40 & 0xffff),
    };
    return bits >> 56 == 0x4e && out->device < FLEETSIM_MAX_DEVICES && out->mig < FLEETSIM_MAX_MIG;
}

nvmlReturn_t device_call(struct call *call, enum fleetsim_function fn, nvmlDevice_t device, bool mig)
{
    nvmlReturn_t result = begin(call, fn);
    return result != NVML_SUCCESS ? result : open_device(call, fn, device, mig);
}

nvmlReturn_t open_device(struct call *call, enum fleetsim_function fn, nvmlDevice_t device, bool mig)
{
    struct handle handle;
    REQUIRE(parse_handle(device, &handle));
    uint64_t driver = __atomic_load_n(&call->state->driver_generation, __ATOMIC_ACQUIRE);
    REQUIRE(handle.driver_generation == (unsigned)(driver & 0xffff));
    if (handle.device >= __atomic_load_n(&call->state->device_count, __ATOMIC_ACQUIRE)) return NVML_ERROR_GPU_IS_LOST;
    nvmlReturn_t result = serve_faults(call->state, handle.device, fn);
    if (result == NVML_SUCCESS) result = read_core(call, handle.device);
    if (result != NVML_SUCCESS || handle.mig < 0) return result;

    if (!mig) return NVML_ERROR_NOT_SUPPORTED;
    call->mig = handle.mig;
    const struct fleetsim_mig *instance = &call->device->mig[handle.mig];
    result = read_locked(call->device, &call->instance, instance, sizeof call->instance);
    bool stale = call->core.mig_generation % 0x10000 != handle.mig_generation || (unsigned)handle.mig >= call->core.mig_count;
    return result == NVML_SUCCESS && stale ? NVML_ERROR_INVALID_ARGUMENT : result;
}

nvmlReturn_t read_locked(const struct fleetsim_device *device, void *to, const void *from, size_t size)
{
    for (int n = 0; n < retries; n++) {
        uint64_t before = __atomic_load_n(&device->generation, __ATOMIC_ACQUIRE);
        if (before % 2 == 0) {
            memcpy(to, from, size);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(&device->generation, __ATOMIC_RELAXED) == before) return NVML_SUCCESS;
        }
        if (n < yields)
            sched_yield();
        else
            pause_us(retry_us);
    }
    return NVML_ERROR_TIMEOUT;
}
