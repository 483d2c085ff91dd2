//go:build unix

// Package gpu is a simulated machine with NVIDIA GPUs: it writes the state that the library of tests/nvmlstub answers NVML calls from,
// so that a program that reads GPUs through NVML can be run and measured where there are none. It knows nothing of the rest of the
// simulator: what the GPUs do comes in as plain figures.
//
// The quirks of real sensors are kept here, in the writer (see sensors): the energy counter moves every 100 ms, power is the mean of
// the last second, utilisation is in whole percent of a sixth of a second.
package gpu
