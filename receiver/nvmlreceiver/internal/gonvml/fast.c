//go:build cgo && linux

#include "fast.h"

#include <dlfcn.h>
#include <stdlib.h>

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, NO_DATA = 21, GPM_VERSION = 1 };

typedef struct {
	unsigned int version, count;
	void *older, *newer;
	fast_metric metrics[FAST_GPM_ROOM];
} gpm_request;

typedef struct {
	unsigned int version, supported;
} gpm_support;

struct fast_gpm {
	void *device;
	int instance, primed, succeeded;
	int (*sample)(void *, void *);
	int (*mig_sample)(void *, unsigned int, void *);
	int (*metrics)(gpm_request *);
	int (*release)(void *);
	gpm_request request;
};

struct fast_ring {
	void *device;
	int kind;
	int (*read)(void *, int, unsigned long long, unsigned int *, unsigned int *, fast_sample *);
	unsigned long long last;
	unsigned int room;
	fast_sample *samples;
};

int fast_call(void *library, const char *symbol)
{
	int (*function)(void);
	*(void **)&function = dlsym(library, symbol);
	return function ? function() : FAST_FUNCTION_NOT_FOUND;
}

int fast_find_device(void *library, const char *uuid, void **device)
{
	int (*by_uuid)(const char *, void **);
	*(void **)&by_uuid = dlsym(library, "nvmlDeviceGetHandleByUUID");
	if (!by_uuid)
		return FAST_FUNCTION_NOT_FOUND;
	return by_uuid(uuid, device);
}

static int gpm_prepare(fast_gpm *g, void *library)
{
	int (*query)(void *, gpm_support *);
	int (*alloc)(void **);
	*(void **)&query = dlsym(library, "nvmlGpmQueryDeviceSupport");
	*(void **)&alloc = dlsym(library, "nvmlGpmSampleAlloc");
	*(void **)&g->release = dlsym(library, "nvmlGpmSampleFree");
	*(void **)&g->metrics = dlsym(library, "nvmlGpmMetricsGet");
	if (g->instance < 0)
		*(void **)&g->sample = dlsym(library, "nvmlGpmSampleGet");
	else
		*(void **)&g->mig_sample = dlsym(library, "nvmlGpmMigSampleGet");
	if (!query || !alloc || !g->release || !g->metrics || (!g->sample && !g->mig_sample))
		return FAST_FUNCTION_NOT_FOUND;

	gpm_support support = {.version = 1};
	int ret = query(g->device, &support);
	if (ret == OK && !support.supported)
		ret = NOT_SUPPORTED;
	if (ret == OK)
		ret = alloc(&g->request.older);
	if (ret == OK)
		ret = alloc(&g->request.newer);
	return ret;
}

int fast_gpm_open(void *library, const char *uuid, int instance, const unsigned int *ids, unsigned int n, fast_gpm **out)
{
	fast_gpm *g = calloc(1, sizeof *g);
	if (!g)
		return FAST_MEMORY;
	g->instance = instance;
	g->request.version = GPM_VERSION;
	g->request.count = n < FAST_GPM_ROOM ? n : FAST_GPM_ROOM;
	for (unsigned int i = 0; i < g->request.count; i++)
		g->request.metrics[i].id = ids[i];
	int ret = fast_find_device(library, uuid, &g->device);
	if (ret == OK)
		ret = gpm_prepare(g, library);
	if (ret != OK) {
		fast_gpm_close(g);
		return ret;
	}
	*out = g;
	return OK;
}

// without_data says whether no metric has data: the device's counters were not renewed between the samples.
static int without_data(const gpm_request *r)
{
	for (unsigned int i = 0; i < r->count; i++)
		if (r->metrics[i].ret != NO_DATA)
			return 0;
	return 1;
}

int fast_gpm_sample(fast_gpm *g)
{
	// After success the newer sample is the base of the next metrics; after a failure the base stays, and the metrics of the next
	// success span the whole time since it.
	if (g->succeeded) {
		void *base = g->request.newer;
		g->request.newer = g->request.older;
		g->request.older = base;
		g->succeeded = 0;
	}
	void *fresh = g->request.newer;
	int ret = g->sample ? g->sample(g->device, fresh) : g->mig_sample(g->device, (unsigned int)g->instance, fresh);
	if (ret != OK)
		return ret;
	if (g->primed) {
		ret = g->metrics(&g->request);
		if (ret == OK && without_data(&g->request))
			ret = NO_DATA;
	} else {
		for (unsigned int i = 0; i < g->request.count; i++)
			g->request.metrics[i].ret = NO_DATA;
		g->primed = 1;
	}
	g->succeeded = ret == OK;
	return ret;
}

fast_metric *fast_gpm_metrics(fast_gpm *g) { return g->request.metrics; }

void fast_gpm_close(fast_gpm *g)
{
	if (g->release && g->request.older)
		g->release(g->request.older);
	if (g->release && g->request.newer)
		g->release(g->request.newer);
	free(g);
}

int fast_ring_open(void *library, const char *uuid, int kind, fast_ring **out)
{
	fast_ring *r = calloc(1, sizeof *r);
	if (!r)
		return FAST_MEMORY;
	r->kind = kind;
	*(void **)&r->read = dlsym(library, "nvmlDeviceGetSamples");
	int ret = r->read ? fast_find_device(library, uuid, &r->device) : FAST_FUNCTION_NOT_FOUND;
	unsigned int type = 0;
	if (ret == OK)
		ret = r->read(r->device, kind, 0, &type, &r->room, NULL); // without a buffer: how many it holds at most
	if (ret == INSUFFICIENT_SIZE || ret == NOT_FOUND) // no sample yet
		ret = OK;
	if (ret == OK) {
		if (r->room < 128)
			r->room = 128;
		r->samples = calloc(r->room, sizeof *r->samples);
		if (!r->samples)
			ret = FAST_MEMORY;
	}
	if (ret != OK) {
		fast_ring_close(r);
		return ret;
	}
	*out = r;
	return OK;
}

int fast_ring_read(fast_ring *r, unsigned int *n, unsigned int *type)
{
	*n = r->room;
	int ret = r->read(r->device, r->kind, r->last, type, n, r->samples);
	if (ret != OK) {
		*n = 0;
		return ret == NOT_FOUND ? OK : ret; // nothing new
	}
	if (*n > r->room)
		*n = r->room;
	for (unsigned int i = 0; i < *n; i++)
		if (r->samples[i].time > r->last)
			r->last = r->samples[i].time;
	return OK;
}

fast_sample *fast_ring_samples(fast_ring *r) { return r->samples; }

void fast_ring_close(fast_ring *r)
{
	free(r->samples);
	free(r);
}
