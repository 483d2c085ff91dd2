/* What the files of the library share. */
#ifndef FLEETSIM_NVML_STUB_H
#define FLEETSIM_NVML_STUB_H

#include <nvml.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "functions.h"
#include "state.h"

/* The library is loaded with RTLD_GLOBAL: only nvml* may be seen. */
#pragma GCC visibility push(hidden)

/* A handle is a number, never a pointer to follow: it says which device of which driver load it was given for, so that an old one
 * is known. Bits 56..63 hold a mark that no address of user space has. */
struct handle {
    unsigned device;
    int mig; /* -1: the whole device */
    unsigned mig_generation;
    unsigned driver_generation;
};

/* A call under way: the state, the device and a consistent copy of what most functions answer from. */
struct call {
    struct fleetsim_state *state;
    unsigned index;
    int mig; /* -1: the whole device */
    const struct fleetsim_device *device;
    struct fleetsim_core core;
    struct fleetsim_mig instance; /* where mig >= 0 */
};

nvmlReturn_t library_init(enum fleetsim_function fn);
nvmlReturn_t library_shutdown(void);

/* Count the call, see that the library is initialised and serve the faults set for it. */
nvmlReturn_t system_call(struct call *call, enum fleetsim_function fn);
/* The same for a handle; mig says whether one of a MIG device will do. */
nvmlReturn_t device_call(struct call *call, enum fleetsim_function fn, nvmlDevice_t device, bool mig);
/* The part of device_call after counting, for functions of two devices. */
nvmlReturn_t open_device(struct call *call, enum fleetsim_function fn, nvmlDevice_t device, bool mig);
/* The same for a device by number, as looking it up does. */
nvmlReturn_t index_call(struct call *call, enum fleetsim_function fn, unsigned index);
/* NVML_SUCCESS as long as the driver is the one the library was initialised with. */
nvmlReturn_t initialised(const struct fleetsim_state *state);
/* Copy the device `index` into the call, under its lock. */
nvmlReturn_t read_core(struct call *call, unsigned index);

nvmlDevice_t handle_of(const struct call *call, unsigned device, int mig, unsigned mig_generation);

/* Copy `size` bytes at `from`, which lies in `device`, as they were between two writes. NVML_ERROR_TIMEOUT when the writer does not
 * come to an end: a reader never spins for ever. */
nvmlReturn_t read_locked(const struct fleetsim_device *device, void *to, const void *from, size_t size);

void pause_us(unsigned us);
uint64_t monotonic_us(void);
uint64_t realtime_us(void);

/* Copy a text with its end, or NVML_ERROR_INSUFFICIENT_SIZE. */
nvmlReturn_t put_text(char *to, unsigned size, const char *text);

#pragma GCC visibility pop

/* The beginning of a function: declare the call and return what failed. DEVICE_CALL takes whole devices, ANY_CALL MIG devices too. */
#define BEGIN_CALL_(var, begin)                      \
    struct call var;                                 \
    do {                                             \
        nvmlReturn_t failed_ = begin;                \
        if (failed_ != NVML_SUCCESS) return failed_; \
    } while (0)

#define SYSTEM_CALL(var, name) BEGIN_CALL_(var, system_call(&var, FN_##name))
#define DEVICE_CALL(var, name, handle) BEGIN_CALL_(var, device_call(&var, FN_##name, handle, false))
#define ANY_CALL(var, name, handle) BEGIN_CALL_(var, device_call(&var, FN_##name, handle, true))

/* The answer that a word of the fault table stands for. */
static inline nvmlReturn_t fault_code(uint64_t fault) { return (nvmlReturn_t)(fault & ((1u << FLEETSIM_FAULT_CODE_BITS) - 1)); }

#define REQUIRE(condition)                                     \
    do {                                                       \
        if (!(condition)) return NVML_ERROR_INVALID_ARGUMENT;  \
    } while (0)

/* A function that answers one number of the device. */
#define ANSWER(name, type, value)                      \
    nvmlReturn_t name(nvmlDevice_t device, type *out)  \
    {                                                  \
        DEVICE_CALL(call, name, device);               \
        REQUIRE(out != NULL);                          \
        *out = (type)(value);                          \
        return NVML_SUCCESS;                           \
    }

#endif
