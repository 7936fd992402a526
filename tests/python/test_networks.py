"""Networks as current exporters write them: what `pantile model` says of them, and that `pantile run` keeps its word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import networks
import reference
from runs import PAGES, TEST_DATA, Job, digest, needs_test_data, pantile, run

VERSIONS = [networks.OLDEST, (13, 7), networks.PLAIN, (21, 10), networks.NEWEST]


def facts_of(path: Path) -> dict:
    done = pantile("model", path, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def engine_opens(path: Path) -> bool:
    """False for what is newer than the engine that is installed; nothing of ours is asked."""
    try:
        reference.open_model(path)
    except Exception as error:  # noqa: BLE001  (onnxruntime's own types differ between releases)
        assert "opset" in str(error) or "IR version" in str(error), error
        return False
    return True


def newest_that_runs(make: Callable, folder: Path) -> Path:
    for version in [networks.NEWEST, (26, 13), (21, 10), networks.PLAIN]:
        path = networks.save(make(version), folder / "model.onnx")
        if engine_opens(path):
            return path
    pytest.fail("the engine opens no network at all")


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: f"opset{v[0]}-ir{v[1]}")
@pytest.mark.parametrize(
    ("make", "scale", "halo", "alignment"),
    [(networks.unet, 1, 17, 4), (networks.pixel_shuffle, 2, 6, 1), (networks.resized_by_shape, 2, 2, 1)],
    ids=["unet", "pixel_shuffle", "resized_by_shape"],
)
def test_a_network_of_any_exporter_is_understood_and_measured(make, scale, halo, alignment, version, tmp_path: Path) -> None:  # noqa: ANN001
    path = networks.save(make(version), tmp_path / "model.onnx")
    facts = facts_of(path)
    assert facts["local"], facts["why_not_local"]
    assert (facts["scale"], facts["halo_px"], facts["alignment_px"]) == (scale, halo, alignment)
    assert facts["opsets"]["ai.onnx"] == version[0]
    assert facts["ir_version"] == version[1]
    assert facts["runs"]
    checked = pantile("model", path, "--check")
    if not engine_opens(path):
        assert checked.returncode == 2
        assert "too old" in checked.stderr
        return
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "as its graph says" in checked.stdout, checked.stdout


def run_with(tmp_path: Path, model: Path, name: str, *keys: str, code: int = 0) -> Path:
    job = Job(tmp_path / name, model=model, include=["page-0[1-2]*"] if name.startswith("few") else [], keys=list(keys)).write()
    run(job, tmp_path / name / "out", code=code)
    return tmp_path / name / "out"


def whole_images(model: Path, align: int) -> dict[str, np.ndarray]:
    """The model on each page at once, extended to a multiple by its last pixels; as bytes, by ONNX Runtime itself."""
    session = reference.open_model(model)
    results = {}
    for page in sorted(PAGES.iterdir()):
        pixels = reference.decode(page)
        height, width = pixels.shape[:2]
        pixels = np.pad(pixels, ((0, -height % align), (0, -width % align), (0, 0)), mode="edge")
        values = (pixels * (1 / 255)).astype(np.float32).transpose(2, 0, 1)[None]
        output = session.run(None, {"input": values})[0][0].transpose(1, 2, 0)
        scale = output.shape[0] // pixels.shape[0]
        results[page.stem] = np.rint(np.clip(output[: height * scale, : width * scale] * np.float32(255), 0, 255)).astype(np.uint8)
    return results


@pytest.mark.parametrize("make", [networks.unet, networks.pixel_shuffle, networks.resized_by_shape], ids=lambda m: m.__name__)
def test_tiles_of_any_size_give_what_the_whole_image_gives(make, tmp_path: Path) -> None:  # noqa: ANN001
    model = newest_that_runs(make, tmp_path)
    runs = {size: run_with(tmp_path, model, f"tiles-{size}", f"tiles: {{size: {size}}}") for size in (33, 64, 150, "whole", "auto")}
    digests = {size: digest(output) for size, output in runs.items()}
    assert len(set(digests.values())) == 1, digests
    assert pantile("export", runs[33], tmp_path / "pngs").returncode == 0
    expected = whole_images(model, facts_of(model)["alignment_px"])
    for stem, pixels in expected.items():
        found = np.asarray(Image.open(tmp_path / "pngs" / f"{stem}.png"))
        assert np.array_equal(found, pixels), stem


def test_what_is_not_local_needs_one_of_two_words(tmp_path: Path) -> None:
    model = networks.save(networks.squeeze_and_excite(), tmp_path / "model.onnx")
    job = Job(tmp_path / "refused", model=model).write()
    refused = pantile("run", job)
    assert refused.returncode == 2
    for word in ("GlobalAveragePool", "tiles.size: whole", "tiles.allow_inexact: true", "2 px"):
        assert word in refused.stderr
    whole = run_with(tmp_path, model, "whole", "tiles: {size: whole}")
    assert pantile("export", whole, tmp_path / "pngs").returncode == 0
    for stem, pixels in whole_images(model, 1).items():
        assert np.array_equal(np.asarray(Image.open(tmp_path / "pngs" / f"{stem}.png")), pixels), stem
    tiled = run_with(tmp_path, model, "tiled", "tiles: {size: 64, allow_inexact: true}")
    assert digest(tiled) != digest(whole), "tiles that do not see the whole image differ, and that is what was asked for"
    # Whoever allows inexact tiles and asks for whole images gets whole images, also where the output has several blocks.
    assert digest(run_with(tmp_path, model, "both", "tiles: {size: whole, allow_inexact: true}")) == digest(whole)
    # Where results depend on the tiles, their size is part of the run: another one in the same folder is refused.
    refused = pantile("run", tmp_path / "tiled" / "job.yaml", "--output", tiled, "--set", "tiles.size=128")
    assert refused.returncode == 2
    assert "inexact_tiles: 128" in refused.stderr


def test_a_whole_image_that_does_not_fit_is_in_quarantine_alone(tmp_path: Path) -> None:
    model = networks.save(networks.squeeze_and_excite(), tmp_path / "model.onnx")
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (100, 80), (10, 90, 200)).save(images / "small.png")
    Image.new("RGB", (2600, 2600), (10, 90, 200)).save(images / "large.png")
    keys = ["tiles: {size: whole}", "devices: {memory: {cap: 260MiB}, jobs_per_device: 1}", "on_error: {retries: 0}"]
    output = tmp_path / "out"
    run(Job(tmp_path, model=model, inputs=[images], keys=keys).write(), output, code=3)
    listed = (output / "quarantine.csv").read_text()
    assert "large.png" in listed
    assert "does_not_fit" in listed
    assert "small.png" not in listed


def test_weights_in_another_file_are_part_of_the_model(tmp_path: Path) -> None:
    together = networks.save(networks.pixel_shuffle(), tmp_path / "together.onnx")
    apart = tmp_path / "apart" / "model.onnx"
    apart.parent.mkdir()
    onnx.save(onnx.load(together), apart, save_as_external_data=True, location="weights.bin", size_threshold=64)
    facts = facts_of(apart)
    assert facts["weight_files"] == [{"file": "weights.bin", "bytes": (apart.parent / "weights.bin").stat().st_size, "is_there": True}]
    assert facts["weights_bytes"] == facts_of(together)["weights_bytes"]
    assert pantile("model", apart, "--check").returncode == 0
    one = run_with(tmp_path, together, "few-together", "tiles: {size: 64}")
    other = run_with(tmp_path, apart, "few-apart", "tiles: {size: 64}")
    assert digest(one) == digest(other)
    weights = bytearray((apart.parent / "weights.bin").read_bytes())
    weights[10] ^= 1
    (apart.parent / "weights.bin").write_bytes(weights)
    job = tmp_path / "few-apart" / "job.yaml"
    assert pantile("run", job, "--output", other).returncode == 2, "other weights are another model"
    (apart.parent / "weights.bin").unlink()
    missing = pantile("run", job, "--output", tmp_path / "new")
    assert missing.returncode == 2
    assert "weights.bin" in missing.stderr
    assert not facts_of(apart)["weight_files"][0]["is_there"]


def test_a_path_that_leads_out_of_the_models_folder_is_refused(tmp_path: Path) -> None:
    model = networks.pixel_shuffle()
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    path = networks.save(model, tmp_path / "model.onnx")
    done = pantile("model", path)
    assert done.returncode == 2
    assert "'../../etc/passwd'" in done.stderr


def test_what_cannot_be_run_is_said_in_one_sentence(tmp_path: Path) -> None:
    path = networks.save(networks.fixed_size(), tmp_path / "fixed.onnx")
    facts = facts_of(path)
    assert facts["local"]
    assert facts["fixed_size"] == [64, 96]
    assert not facts["runs"]
    refused = pantile("run", Job(tmp_path / "a", model=path).write())
    assert refused.returncode == 2
    assert "fixed size [1, 3, 64, 96]" in refused.stderr
    assert pantile("model", path, "--check").returncode == 0, "it can be measured all the same"


def test_an_engine_that_is_too_old_is_named(tmp_path: Path) -> None:
    model = networks.pixel_shuffle()
    model.ir_version = 99
    refused = pantile("run", Job(tmp_path, model=networks.save(model, tmp_path / "model.onnx")).write())
    assert refused.returncode == 2
    assert "too old" in refused.stderr


def test_fields_of_a_later_format_do_not_hinder(tmp_path: Path) -> None:
    """A tag that no release has yet: kept by the parser, and of no consequence."""
    data = networks.pixel_shuffle().SerializeToString() + b"\xca\x3e\x05later"
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    assert facts_of(path)["local"]


def test_the_text_detector_runs_whole_and_not_in_tiles(tmp_path: Path) -> None:
    needs_test_data()
    model = TEST_DATA / "models" / "ppocrv3_det.onnx"
    facts = facts_of(model)
    assert (facts["local"], facts["alignment_px"], facts["scale"]) == (False, 32, 1)
    assert "GlobalAveragePool" in facts["why_not_local"]
    image = "{color: BGR, scale: 1/255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"
    common = {"model": model, "image": image, "include": ["page-0[1-3]*"]}
    refused = pantile("run", Job(tmp_path / "refused", **common).write())
    assert refused.returncode == 2
    assert "GlobalAveragePool" in refused.stderr
    outputs = []
    for lanes in (1, 2):
        keys = ["tiles: {size: whole}", f"devices: {{jobs_per_device: {lanes}}}"]
        run(Job(tmp_path / f"whole-{lanes}", keys=keys, **common).write(), tmp_path / f"whole-{lanes}" / "out")
        outputs.append(digest(tmp_path / f"whole-{lanes}" / "out"))
    assert outputs[0] == outputs[1]
