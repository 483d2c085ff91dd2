"""Polls GPUs by nvidia-ml-py as small exporters do, with a thread that waits for XIDs where asked to.
Usage: nvml_poll.py SECONDS [xids]"""

import signal
import sys
import threading
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


def wait_for_xids(gpus, stopped):
    events = pynvml.nvmlEventSetCreate()
    for gpu in gpus:
        pynvml.nvmlDeviceRegisterEvents(gpu, pynvml.nvmlEventTypeXidCriticalError, events)
    while not stopped:
        try:
            pynvml.nvmlEventSetWait_v2(events, 1000)
        except pynvml.NVMLError_Timeout:
            pass
    pynvml.nvmlEventSetFree(events)


def main():
    interval = float(sys.argv[1])
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    pynvml.nvmlInit()
    gpus = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
    waiting = threading.Thread(target=wait_for_xids, args=(gpus, stopped))
    if "xids" in sys.argv[2:]:
        waiting.start()
    values, due = {}, time.monotonic()
    while not stopped:
        for i, gpu in enumerate(gpus):
            for j, (ask, number) in enumerate(QUESTIONS):
                values[i, j] = number(ask(gpu))
        due += interval
        time.sleep(max(0, due - time.monotonic()))
    if waiting.is_alive():
        waiting.join()
    pynvml.nvmlShutdown()


if __name__ == "__main__":
    main()
