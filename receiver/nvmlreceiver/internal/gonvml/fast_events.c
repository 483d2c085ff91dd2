//go:build cgo && linux

#define _POSIX_C_SOURCE 200809L // clock_nanosleep

#include "fast.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { OK = 0, NOT_SUPPORTED = 3, TIMEOUT = 10 };

struct fast_events {
	void *set;
	int (*wait)(void *, fast_event *, unsigned int);
	int (*release)(void *);
};

typedef struct {
	int (*create)(void **);
	int (*supported)(void *, unsigned long long *);
	int (*add)(void *, unsigned long long, void *);
} event_functions;

static int events_find(fast_events *e, void *library, event_functions *f)
{
	*(void **)&f->create = dlsym(library, "nvmlEventSetCreate");
	*(void **)&f->supported = dlsym(library, "nvmlDeviceGetSupportedEventTypes");
	*(void **)&f->add = dlsym(library, "nvmlDeviceRegisterEvents");
	*(void **)&e->release = dlsym(library, "nvmlEventSetFree");
	*(void **)&e->wait = dlsym(library, "nvmlEventSetWait_v2");
	if (!e->wait)
		*(void **)&e->wait = dlsym(library, "nvmlEventSetWait");
	return f->create && f->supported && f->add && e->release && e->wait ? OK : FAST_FUNCTION_NOT_FOUND;
}

static int events_register(fast_events *e, void *library, const char *uuid, unsigned long long wanted, const char **failed)
{
	event_functions f;
	void *device;
	unsigned long long types = 0;
	*failed = "nvmlEventSetCreate";
	int ret = events_find(e, library, &f);
	if (ret != OK)
		return ret;
	*failed = "nvmlDeviceGetHandleByUUID";
	ret = fast_find_device(library, uuid, &device);
	if (ret != OK)
		return ret;
	*failed = "nvmlDeviceGetSupportedEventTypes";
	ret = f.supported(device, &types);
	if (ret != OK)
		return ret;
	if (!(types & wanted))
		return NOT_SUPPORTED;
	*failed = "nvmlEventSetCreate";
	ret = f.create(&e->set);
	if (ret != OK)
		return ret;
	*failed = "nvmlDeviceRegisterEvents";
	return f.add(device, types & wanted, e->set);
}

int fast_events_open(void *library, const char *uuid, unsigned long long types, fast_events **out, const char **failed)
{
	fast_events *e = calloc(1, sizeof *e);
	if (!e) {
		*failed = "nvmlEventSetCreate";
		return FAST_MEMORY;
	}
	int ret = events_register(e, library, uuid, types, failed);
	if (ret != OK) {
		fast_events_close(e);
		return ret;
	}
	*out = e;
	return OK;
}

static long long monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void sleep_until(long long ns)
{
	struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

int fast_events_wait(fast_events *e, unsigned int step_ms, fast_pulse *pulse, fast_event *out)
{
	for (;;) {
		long long began = monotonic_ns();
		// The first version of the function writes no instances.
		*out = (fast_event){.gpu_instance = ~0u, .compute_instance = ~0u};
		int ret = e->wait(e->set, out, step_ms);
		__atomic_fetch_add(&pulse->beats, 1, __ATOMIC_RELAXED);
		if (ret != TIMEOUT || __atomic_load_n(&pulse->stop, __ATOMIC_RELAXED))
			return ret;
		// A driver that does not wait costs a call each half step, instead of a core.
		long long half = began + step_ms * 500000ll;
		if (monotonic_ns() < half)
			sleep_until(half);
	}
}

void fast_events_close(fast_events *e)
{
	if (e->release && e->set)
		e->release(e->set); // nothing can be done about a failure
	free(e);
}
