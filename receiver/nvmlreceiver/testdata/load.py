"""A load for one GPU: `load.py gemm|copy|idle SECONDS` prints how many rounds it made per second.

gemm multiplies matrices that fit the tensor cores, copy moves memory inside the device. Needs torch with CUDA.
"""

import sys
import time

import torch


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    if not torch.cuda.is_available():
        sys.exit("torch sees no GPU")
    if kind == "gemm":
        a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
        b = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
        out = torch.empty_like(a)

        def work() -> None:
            torch.mm(a, b, out=out)

    elif kind == "copy":
        a = torch.empty(1 << 30, device="cuda", dtype=torch.float32)
        b = torch.empty_like(a)

        def work() -> None:
            b.copy_(a)

    elif kind == "idle":
        time.sleep(seconds)
        print(0.0)
        return
    else:
        sys.exit(f"kind must be gemm, copy or idle (got {kind})")

    for _ in range(10):
        work()
    torch.cuda.synchronize()
    begin = time.monotonic()
    rounds = 0
    while time.monotonic() - begin < seconds:
        for _ in range(20):
            work()
        torch.cuda.synchronize()
        rounds += 20
    print(rounds / (time.monotonic() - begin))


if __name__ == "__main__":
    main()
