"""Polls GPUs by nvidia-ml-py as small exporters do, and counts what it read. Usage: nvml_poll.py SECONDS"""

import signal
import sys
import time

import pynvml

# What is asked of each GPU, and how a number comes out of the answer.
QUESTIONS = [
    (pynvml.nvmlDeviceGetUtilizationRates, lambda answer: answer.gpu + answer.memory),
    (pynvml.nvmlDeviceGetMemoryInfo, lambda answer: answer.used),
    (pynvml.nvmlDeviceGetPowerUsage, float),
    (pynvml.nvmlDeviceGetTotalEnergyConsumption, float),
    (lambda gpu: pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU), float),
    (lambda gpu: pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_SM), float),
    (lambda gpu: pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_MEM), float),
    (pynvml.nvmlDeviceGetComputeRunningProcesses, len),
]


def main():
    interval = float(sys.argv[1])
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    pynvml.nvmlInit()
    gpus = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
    values, due = {}, time.monotonic()
    while not stopped:
        for i, gpu in enumerate(gpus):
            for j, (ask, number) in enumerate(QUESTIONS):
                values[i, j] = number(ask(gpu))
        due += interval
        time.sleep(max(0, due - time.monotonic()))
    pynvml.nvmlShutdown()


if __name__ == "__main__":
    main()
