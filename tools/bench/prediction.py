#!/usr/bin/env python3
"""The memory that is predicted, beside what the engine's allocator then hands out, over models, sizes and batches.

    prediction.py MODEL.onnx... [--memory 512MiB] [--samples 40] [--result FILE.json --machine TEXT --commit HASH]

Drives `pantile calibrate --format json`, which probes each model with small images and then runs it at sizes that were not probed:
squares, strips and odd ones, of batches 1 to 4. Counts the triples (model, size, batch) that need 16 MiB or more, prints p95 and the
largest of |predicted − measured| / measured for each model and for all, and fails above 2 % and 5 %. Predictions are without the
planner's margin. `attention` as a model is the vision transformer that tools/sample/make_attention.py makes, `unet` the U-Net of the
tests. The cache of the user is left alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
LEAST_BYTES = 16 << 20
P95_LIMIT, LIMIT = 0.02, 0.05


def own_model(name: str, folder: Path) -> Path:
    """A model that is made here."""
    import onnx

    sys.path[:0] = [str(SOURCE / "tools" / "sample"), str(SOURCE / "tests" / "python")]
    file = folder / f"{name}.onnx"
    if name == "attention":
        import make_attention

        onnx.save(make_attention.make(patch=8, width=32, heads=2, blocks=2, seed=1), file)
    else:
        import networks

        onnx.save(networks.unet(), file)
    return file


def p95(errors: list[float]) -> float:
    """What 95 % do not exceed."""
    return sorted(errors)[math.ceil(0.95 * len(errors)) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="files, `attention` or `unet`")
    parser.add_argument("--memory", default="512MiB")
    parser.add_argument("--samples", default="40")
    parser.add_argument("--pantile", default="build/release/pantile")
    parser.add_argument("--result", type=Path)
    parser.add_argument("--machine", default="")
    parser.add_argument("--commit", default="")
    args = parser.parse_args()
    rows, models = [], []
    with tempfile.TemporaryDirectory(prefix="pantile-prediction-") as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        for model in args.models:
            file = own_model(model, Path(folder)) if model in ("attention", "unet") else Path(model)
            command = [args.pantile, "calibrate", str(file), "--memory", args.memory, "--samples", args.samples, "--format", "json"]
            told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
            kept = [s for s in told["samples"] if s["measured_bytes"] >= LEAST_BYTES]
            errors = [abs(s["predicted_bytes"] - s["measured_bytes"]) / s["measured_bytes"] for s in kept]
            models.append({"model": file.stem, "method": told["method"], "probes": told["probes"], "calibration_s": round(told["seconds"], 3),
                           "triples": len(kept), "p95_error": p95(errors), "max_error": max(errors)})  # fmt: skip
            print(f"{file.stem:<28} {told['method']:<8} {told['seconds']:6.2f} s  {len(kept):3} triples  p95 {100 * p95(errors):.3f} %  max {100 * max(errors):.3f} %", flush=True)
            rows += [[file.stem, s["height"], s["width"], s["batch"], s["predicted_bytes"], s["measured_bytes"]] for s in kept]
    errors = [abs(row[4] - row[5]) / row[5] for row in rows]
    strips = sum(max(row[1], row[2]) >= 8 * min(row[1], row[2]) for row in rows)
    print(f"{len(rows)} triples, {strips} strips: p95 {100 * p95(errors):.3f} %, max {100 * max(errors):.3f} %")
    if args.result:
        shown = [os.path.relpath(model) if Path(model).is_relative_to(SOURCE) else Path(model).name for model in args.models]
        head = {
            "bench": "predicted and measured engine memory at held-back sizes",
            "machine": args.machine,
            "commit": args.commit,
            "build": "release",
            "command": f"tools/bench/prediction.py {' '.join(shown)} --memory {args.memory} --samples {args.samples}",
            "triples": len(rows),
            "strips": strips,
            "batches": {str(batch): sum(row[3] == batch for row in rows) for batch in sorted({row[3] for row in rows})},
            "p95_error": p95(errors),
            "max_error": max(errors),
            "models": models,
            "columns": ["model", "height", "width", "batch", "predicted_bytes", "measured_bytes"],
        }
        table = ",\n".join("  " + json.dumps(row) for row in rows)
        args.result.write_text(json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + table + "\n ]\n}\n")
    if p95(errors) > P95_LIMIT or max(errors) > LIMIT:
        raise SystemExit(f"above {100 * P95_LIMIT:.0f} % at p95 or {100 * LIMIT:.0f} % at most")


if __name__ == "__main__":
    main()
