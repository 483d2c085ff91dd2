// The calls that are made many times a second. Each entry point is one crossing from Go, works on memory of its own and allocates
// nothing; functions are found with dlsym, so that one that the library lacks is an answer instead of the end of the process.
#ifndef NVMLRECEIVER_FAST_H
#define NVMLRECEIVER_FAST_H

#include <stdint.h>

enum { FAST_FUNCTION_NOT_FOUND = 13, FAST_MEMORY = 20 }; // of nvmlReturn_t

// The library writes no more than the metrics asked for; the room is that of the largest structure that nvml.h has had.
enum { FAST_GPM_ROOM = 477 };

// Names and layouts are those of nvml.h; a test holds the sizes equal to go-nvml's.
typedef struct {
	unsigned int id;
	int ret;
	double value;
	const char *names[3];
} fast_metric;

typedef struct {
	unsigned long long time; // microseconds since 1970
	union {
		double d;
		unsigned int ui;
		unsigned long ul;
		unsigned long long ull;
		long long sll;
	} value;
} fast_sample;

// fast_call calls a function without arguments by its name.
int fast_call(void *library, const char *symbol);

// fast_gpm samples GPM of a device, or of a GPU instance of it.
typedef struct fast_gpm fast_gpm;

// fast_gpm_open returns nvmlReturn_t; instance is negative for the whole device.
int fast_gpm_open(void *library, const char *uuid, int instance, const unsigned int *ids, unsigned int n, fast_gpm **out);
// fast_gpm_sample takes a sample and computes the metrics since the last one that succeeded. The first one sets every metric to "no
// data". It fails with "no data" when the device has not renewed its counters since.
int fast_gpm_sample(fast_gpm *g);
// fast_gpm_metrics is the array of n metrics.
fast_metric *fast_gpm_metrics(fast_gpm *g);
void fast_gpm_close(fast_gpm *g);

// fast_ring reads a buffer of samples of a device.
typedef struct fast_ring fast_ring;

int fast_ring_open(void *library, const char *uuid, int kind, fast_ring **out);
int fast_ring_read(fast_ring *r, unsigned int *n, unsigned int *type);
fast_sample *fast_ring_samples(fast_ring *r);
void fast_ring_close(fast_ring *r);

// fast_find_device is the handle of a device by its UUID; returns nvmlReturn_t.
int fast_find_device(void *library, const char *uuid, void **device);

// fast_events waits for what a device says by itself.
typedef struct fast_events fast_events;

typedef struct {
	void *device;
	unsigned long long type, data;
	unsigned int gpu_instance, compute_instance; // all ones: of none
} fast_event;

// fast_pulse is what a wait shares with other threads while it lasts.
typedef struct {
	uint32_t stop;  // read
	uint32_t beats; // written
} fast_pulse;

// fast_events_open registers for those of the types that the device supports, or returns "not supported". Where it fails it names the
// function.
int fast_events_open(void *library, const char *uuid, unsigned long long types, fast_events **out, const char **failed);
// fast_events_wait returns the next event, or "timeout" once it is told to stop, at the end of a wait of step_ms. It beats after each.
int fast_events_wait(fast_events *e, unsigned int step_ms, fast_pulse *pulse, fast_event *out);
void fast_events_close(fast_events *e);

#endif
