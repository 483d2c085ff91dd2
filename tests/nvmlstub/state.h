/* The state of a simulated GPU machine, shared between the simulator, which writes it, and every process that has loaded this
 * library. Little-endian, natural alignment, no pointers. internal/fleetsim/gpu mirrors it; a test there holds the two equal.
 *
 * Who may write what: the simulator everything; a client only `calls`, by atomic addition. A device is read under its sequence lock:
 * `generation` is odd while the simulator writes. Everything outside a device that changes is one atomic of its own. */
#ifndef FLEETSIM_NVML_STATE_H
#define FLEETSIM_NVML_STATE_H

#include <stdint.h>

#define FLEETSIM_MAGIC 0x314c4d564e534c46ull /* "FLSNVML1" read as a little-endian number */
#define FLEETSIM_VERSION 2

#define FLEETSIM_MAX_DEVICES 16
#define FLEETSIM_MAX_MIG 7
#define FLEETSIM_MAX_PROCESSES 64
#define FLEETSIM_MAX_LINKS 18
#define FLEETSIM_MAX_FUNCTIONS 128
#define FLEETSIM_MAX_EVENTS 256
#define FLEETSIM_MAX_RETIRED 16
#define FLEETSIM_RING 120

/* Rows of the fault table: one a device, then the calls that concern no device. Column 0 is every function of the row, column
 * 1 + n the function n of functions.h. */
#define FLEETSIM_FAULT_ROWS (FLEETSIM_MAX_DEVICES + 1)
#define FLEETSIM_FAULT_COLUMNS (FLEETSIM_MAX_FUNCTIONS + 1)
#define FLEETSIM_FAULT_SYSTEM FLEETSIM_MAX_DEVICES

/* A fault: the low 16 bits are the nvmlReturn_t to answer (0: the true answer), the rest is a delay before it in microseconds; all
 * ones never ends. Changing or clearing the word ends a delay that is going on. */
#define FLEETSIM_FAULT_CODE_BITS 16
#define FLEETSIM_FAULT_FOREVER ((1ull << 48) - 1)

/* Units whose activity is integrated, seconds of full activity. */
enum fleetsim_unit {
    FLEETSIM_GRAPHICS,
    FLEETSIM_SM,
    FLEETSIM_SM_OCCUPANCY,
    FLEETSIM_TENSOR,
    FLEETSIM_TENSOR_DFMA,
    FLEETSIM_TENSOR_HMMA,
    FLEETSIM_TENSOR_IMMA,
    FLEETSIM_DRAM,
    FLEETSIM_FP64,
    FLEETSIM_FP32,
    FLEETSIM_FP16,
    FLEETSIM_UNITS
};

/* Ring buffers behind nvmlDeviceGetSamples. */
enum fleetsim_series {
    FLEETSIM_SERIES_POWER,        /* mW */
    FLEETSIM_SERIES_GPU,          /* percent */
    FLEETSIM_SERIES_MEMORY,       /* percent */
    FLEETSIM_SERIES_SM_CLOCK,     /* MHz */
    FLEETSIM_SERIES_MEMORY_CLOCK, /* MHz */
    FLEETSIM_SERIES_COUNT
};

/* Reasons whose time is summed; the first eight are the NVML_PERF_POLICY_* of the same order, 6 and 7 being APP_CLOCKS (10) and
 * BASE_CLOCKS (11). */
enum fleetsim_violation {
    FLEETSIM_VIOLATION_POWER,
    FLEETSIM_VIOLATION_THERMAL,
    FLEETSIM_VIOLATION_SYNC_BOOST,
    FLEETSIM_VIOLATION_BOARD_LIMIT,
    FLEETSIM_VIOLATION_LOW_UTILIZATION,
    FLEETSIM_VIOLATION_RELIABILITY,
    FLEETSIM_VIOLATION_APP_CLOCKS,
    FLEETSIM_VIOLATION_BASE_CLOCKS,
    FLEETSIM_VIOLATION_SW_THERMAL,
    FLEETSIM_VIOLATION_HW_THERMAL,
    FLEETSIM_VIOLATION_HW_BRAKE,
    FLEETSIM_VIOLATIONS
};

/* Cumulative since the machine was made; true at time_ns (CLOCK_REALTIME). Bytes and seconds are f64: exact far beyond need. */
struct fleetsim_integrals {
    uint64_t time_ns;
    double energy_j;
    double activity_s[FLEETSIM_UNITS];
    double pcie_rx_bytes;
    double pcie_tx_bytes;
    double nvlink_rx_bytes[FLEETSIM_MAX_LINKS];
    double nvlink_tx_bytes[FLEETSIM_MAX_LINKS];
};

struct fleetsim_sample {
    uint64_t time_us;
    uint64_t value;
};

struct fleetsim_ring {
    uint64_t written; /* samples ever; the newest lies at (written - 1) % FLEETSIM_RING */
    struct fleetsim_sample samples[FLEETSIM_RING];
};

struct fleetsim_process {
    uint64_t memory_bytes;
    uint64_t time_us; /* of the utilisation */
    uint32_t pid;
    uint32_t kind; /* 0 compute, 1 graphics, 2 MPS compute */
    uint32_t sm_percent;
    uint32_t memory_percent;
    uint32_t gpu_instance; /* 0xFFFFFFFF outside MIG, as NVML has it */
    uint32_t compute_instance;
};

struct fleetsim_processes {
    uint32_t count;
    uint32_t reserved;
    struct fleetsim_process list[FLEETSIM_MAX_PROCESSES];
};

struct fleetsim_mig {
    struct fleetsim_integrals integrals;
    uint64_t memory_total;
    uint64_t memory_reserved;
    uint64_t memory_used;
    char name[96];
    char uuid[80];
    uint32_t gpu_instance;
    uint32_t compute_instance;
    uint32_t multiprocessors;
    uint32_t gpu_slices;
    uint32_t compute_slices;
    uint32_t copy_engines;
    uint32_t decoders;
    uint32_t encoders;
};

struct fleetsim_retired {
    uint64_t address;
    uint64_t time_us;
    uint32_t cause;
    uint32_t reserved;
};

struct fleetsim_core {
    struct fleetsim_integrals integrals;
    uint64_t memory_total;
    uint64_t memory_reserved;
    uint64_t memory_used; /* without the reserved part */
    uint64_t bar1_total;
    uint64_t bar1_used;
    uint64_t energy_mj;  /* since the driver was loaded, as of the sensor's last refresh */
    uint64_t nvlink_base_rx[FLEETSIM_MAX_LINKS]; /* bytes when the driver was loaded: its counters begin at 0 */
    uint64_t nvlink_base_tx[FLEETSIM_MAX_LINKS];
    uint64_t throttle_reasons;
    uint64_t throttle_supported;
    uint64_t violation_ns[FLEETSIM_VIOLATIONS];
    uint64_t ecc_errors[2][2][8]; /* [corrected, uncorrected][volatile, aggregate][nvmlMemoryLocation_t] */
    uint64_t nvlink_errors[FLEETSIM_MAX_LINKS][5]; /* nvmlNvLinkErrorCounter_t */
    struct fleetsim_retired retired[FLEETSIM_MAX_RETIRED];
    char name[96];
    char uuid[80];
    char serial[32];
    char vbios[32];
    char board_part[32];
    unsigned char fabric_cluster[16];
    uint32_t brand;
    uint32_t architecture;
    uint32_t compute_major;
    uint32_t compute_minor;
    uint32_t minor_number;
    uint32_t module_id;
    uint32_t cores;
    uint32_t numa_node;
    uint32_t pci_domain;
    uint32_t pci_bus;
    uint32_t pci_device;
    uint32_t pci_device_id;
    uint32_t pci_subsystem_id;
    uint32_t persistence_mode;
    uint32_t compute_mode;
    uint32_t performance_state;
    uint32_t power_now_mw;
    uint32_t power_average_mw;  /* over the last second */
    uint32_t power_is_average;  /* nvmlDeviceGetPowerUsage answers the average */
    uint32_t power_limit_mw;
    uint32_t power_default_mw;
    uint32_t power_min_mw;
    uint32_t power_max_mw;
    uint32_t temperature_c;
    uint32_t memory_temperature_c;
    uint32_t temperature_thresholds_c[4]; /* shutdown, slowdown, memory max, GPU max */
    uint32_t fans;
    uint32_t fan_percent;
    uint32_t clocks_mhz[4]; /* nvmlClockType_t: graphics, SM, memory, video */
    uint32_t max_clocks_mhz[4];
    uint32_t gpu_percent;
    uint32_t memory_percent;
    uint32_t decoder_percent;
    uint32_t sampling_period_us;
    uint32_t pcie_generation;
    uint32_t pcie_max_generation;
    uint32_t pcie_width;
    uint32_t pcie_max_width;
    uint32_t pcie_replays;
    uint32_t pcie_rx_kbps; /* kB/s */
    uint32_t pcie_tx_kbps;
    uint32_t nvlinks;
    uint32_t nvlink_version;
    uint32_t nvlink_mbps; /* line rate of one link */
    uint32_t nvlink_down; /* bit n: link n is down */
    uint32_t nvlink_remote; /* nvmlIntNvLinkDeviceType_t of every link */
    uint32_t ecc_mode;
    uint32_t ecc_pending;
    uint32_t retired_supported;
    uint32_t retired_count;
    uint32_t retired_pending;
    uint32_t remapped_corrected;
    uint32_t remapped_uncorrected;
    uint32_t remapped_pending;
    uint32_t remapped_failure;
    uint32_t remap_histogram[5]; /* banks by spare rows left: max, high, partial, low, none */
    uint32_t gpm_supported;
    uint32_t mig_supported;
    uint32_t mig_mode;
    uint32_t mig_pending;
    uint32_t mig_max;
    uint32_t mig_generation; /* changes with every reconfiguration: older handles are invalid */
    uint32_t fabric_supported;
    uint32_t fabric_state;
    uint32_t fabric_status;
    uint32_t fabric_clique;
    uint32_t fabric_health_mask;
    uint32_t fabric_health_summary;
    uint32_t mig_count;
    uint32_t encoder_percent;
};

struct fleetsim_device {
    uint64_t generation; /* sequence lock of all that follows */
    struct fleetsim_core core;
    struct fleetsim_processes processes;
    struct fleetsim_mig mig[FLEETSIM_MAX_MIG];
    struct fleetsim_ring rings[FLEETSIM_SERIES_COUNT];
};

struct fleetsim_event {
    uint64_t type; /* nvmlEventType* */
    uint64_t data; /* of an XID event: its number */
    uint32_t device;
    uint32_t gpu_instance;
    uint32_t compute_instance;
    uint32_t reserved;
};

struct fleetsim_state {
    uint64_t magic; /* written last when the file is made */
    uint32_t version;
    uint32_t size; /* of this structure */
    char driver_version[80];
    char nvml_version[80];
    uint32_t cuda_version; /* 1000 * major + 10 * minor */
    uint32_t device_count; /* atomic */
    uint64_t driver_generation; /* atomic; 0: no driver is loaded */
    uint64_t event_head;        /* atomic; events ever */
    uint64_t wakes;             /* atomic; moves after all that those who wait for events shall see */
    struct fleetsim_event events[FLEETSIM_MAX_EVENTS];
    uint64_t calls[FLEETSIM_MAX_FUNCTIONS]; /* atomics */
    uint64_t faults[FLEETSIM_FAULT_ROWS][FLEETSIM_FAULT_COLUMNS]; /* atomics */
    struct fleetsim_device devices[FLEETSIM_MAX_DEVICES];
};

#endif
