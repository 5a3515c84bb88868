"""The weights a training starts from: random ones, ImageNet's, or those of a file, fitted to the network.

The ImageNet weights are torchvision's IMAGENET1K_V1, as safetensors in the repositories `timm/resnet*.tv_in1k` of the
Hugging Face hub. No file is ever trusted to be a pickle: `.pth` goes through torch's restricted loader alone.
"""

import dataclasses
import hashlib
import json
import os
import re
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import BLOCKS_PER_STAGE, ResNetSpec
from wool_tf.networks.weights import Weights

IMAGENET_CLASSES = 1000
SHA256 = {
    18: "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81",
    50: "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
    152: "15897077afdf4d6334dc0c3f8e6fb483afb3faa9298c139f3c6eb29bca6ae5b2",
}
"""Of the published files, by depth. Those of 34 and 101 are not known here: see `resolve`."""

Progress = Callable[[int, int], None]
"""Called with the bytes so far and the bytes in all (0 where the server does not tell)."""

_HUB = "https://huggingface.co"
# Without a handler for http, neither a URL nor a redirect can leave https. Tests put another transport here.
_TRANSPORT = urllib.request.HTTPSHandler
_TIMEOUT = 30
_BLOCK = 1 << 20
_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def resolve(
    choice: str, spec: ResNetSpec, seed: int, cache: Path | None = None, progress: Progress | None = None
) -> Weights:
    """The weights that `--weights=none | imagenet | FILE` stands for, fitted to a network.

    A file is `.safetensors` (torchvision's keys, or a checkpoint of ours), `.pth` or `.pt` (a plain state dict; needs
    torch), or a `.keras` that holds a `ResNet`. Floating-point weights become float32. They must be exactly those of
    one network of the spec's depth and widths, `num_batches_tracked` aside; then

    - three-channel stems are folded for a spec with one channel, by summing over the input planes. That is exact for
      grey images: one channel then gives what three equal channels gave.
    - the head is replaced by a new one where the number of classes differs.

    ImageNet's file is fetched once into the cache, goes on where an earlier try stopped, and is checked against its
    known SHA-256 at every use. For ResNet-34 and 101 none is known here: a download is checked against the SHA-256 that
    the hub itself announces (the ETag of its large files), then for keys, shapes and finite values; the SHA-256 is
    recorded beside the file and later uses are checked against that.

    Arguments:
        choice: str. `none`, `imagenet`, or the path of a file.
        spec: ResNetSpec. The network to start.
        seed: int. Of the random weights, or of a new head.
        cache: Path. Folder of fetched files. Default: `wool_tf` in `$XDG_CACHE_HOME` or `~/.cache`.
        progress: `Progress`, for the download.

    Returns:
        float32 arrays with exactly the keys and shapes of the spec.

    Raises:
        WoolError: no such file, not readable, or not the weights of this network; no network to fetch them.
    """
    if choice == "none":
        return weights.initial(spec, seed)
    if choice == "imagenet":
        path = _imagenet_file(spec.depth, cache or _default_cache(), progress)
    else:
        path = Path(choice).expanduser()
        if not path.is_file():
            raise WoolError(f"--weights={choice}: no such file; give none, imagenet or a file of weights")
    if path.suffix.lower() not in _READERS:
        raise WoolError(f"--weights={choice}: a file of weights ends in {', '.join(_READERS)}")
    stored, arrays = _READERS[path.suffix.lower()](path)
    return _fit(arrays, stored or _inferred_spec(arrays, spec), spec, seed, str(path))


def _fit(arrays: Weights, stored: ResNetSpec, spec: ResNetSpec, seed: int, source: str) -> Weights:
    """The weights of a stored network as those of another that differs in nothing but image and head."""
    if stored.depth != spec.depth:
        raise WoolError(f"{source}: holds a ResNet-{stored.depth}, but the network is a ResNet-{spec.depth}")
    for group, width in stored.by_group().items():
        if width != spec.width(group):
            raise WoolError(
                f"{source}: its channel group {group} has {width} channels, but the network needs "
                f"{spec.width(group)}: weights of a network pruned otherwise cannot start this one"
            )
    if stored.width("input") < spec.width("input"):
        raise WoolError(f"{source}: reads images of one channel, but the network reads three")
    weights.check(arrays, stored, source)
    fitted = dict(arrays)
    if stored.width("input") > spec.width("input"):
        fitted["conv1.weight"] = fitted["conv1.weight"].sum(axis=1, keepdims=True)
    if stored.classes != spec.classes:
        fresh = weights.initial(spec, seed)
        fitted |= {key: fresh[key] for key in fresh if key.startswith(f"{weights.HEAD}.")}
    return {key: fitted[key] for key in weights.shapes(spec)}


def _inferred_spec(arrays: Weights, spec: ResNetSpec) -> ResNetSpec:
    """The network a file without a spec holds: the one wanted, but for the depth, classes and channels that show."""
    depth = next((depth for depth in BLOCKS_PER_STAGE if set(weights.shapes(_full(depth))) == set(arrays)), None)
    if depth not in (None, spec.depth):
        return _full(depth)
    bias, stem = arrays.get("fc.bias"), arrays.get("conv1.weight")
    classes = bias.size if bias is not None and bias.size else spec.classes
    channels = stem.shape[1] if stem is not None and stem.ndim == 4 and stem.shape[1] in (1, 3) else 3
    return dataclasses.replace(spec, classes=classes, input_shape=(*spec.input_shape[:2], channels))


def _full(depth: int) -> ResNetSpec:
    return ResNetSpec.full(depth, IMAGENET_CLASSES, (224, 224, 3))


def _read_safetensors(path: Path) -> tuple[ResNetSpec | None, Weights]:
    from safetensors import SafetensorError, deserialize, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
        # Not through NumPy, which has no bfloat16.
        stored = dict(deserialize(path.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise WoolError(f"{path}: cannot be read as safetensors ({_line(error)})") from None
    arrays = {key: _float32(path, key, **stored[key]) for key in sorted(stored) if not _is_counter(key)}
    return _header_spec(path, header["spec"]) if "spec" in header else None, arrays


def _header_spec(path: Path, text: str) -> ResNetSpec:
    try:
        return ResNetSpec.from_json(text)
    except (WoolError, TypeError, ValueError) as error:
        raise WoolError(f"{path}: the spec in its header is damaged ({_line(error)})") from None


def _float32(path: Path, key: str, dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    if dtype == "BF16":
        # The upper half of a float32.
        array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    elif dtype in _FLOATS:
        # What is too large becomes infinite, and is then refused as such.
        with np.errstate(over="ignore"):
            array = np.frombuffer(data, _FLOATS[dtype]).astype(np.float32)
    else:
        raise _not_floating(path, key, dtype)
    return array.reshape(shape)


def _read_torch(path: Path) -> tuple[None, Weights]:
    try:
        import torch
    except ImportError:
        raise WoolError(f"{path}: needs torch, which is not installed; install it or convert to safetensors") from None
    # Before 2.6 even the restricted loader could be made to run code (CVE-2025-32434).
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        raise WoolError(f"{path}: needs torch 2.6 or newer, found {torch.__version__}; or convert to safetensors")
    # A damaged file raises whatever the loader stumbles over, here and with Keras.
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WoolError(f"{path}: torch does not load it as plain weights ({_line(error)})") from None
    if not isinstance(state, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise WoolError(f"{path}: is no plain state dict; save model.state_dict() and nothing else")
    arrays = {}
    for key, tensor in state.items():
        if _is_counter(str(key)):
            continue
        if not tensor.is_floating_point() or tensor.layout != torch.strided:
            raise _not_floating(path, key, tensor.dtype)
        arrays[str(key)] = tensor.detach().to(torch.float32).numpy()
    return None, arrays


def _read_keras(path: Path) -> tuple[ResNetSpec, Weights]:
    try:
        with zipfile.ZipFile(path) as archive:
            kind = json.loads(archive.read("config.json"))["registered_name"]
    except Exception as error:
        raise WoolError(f"{path}: cannot be read as a Keras model ({_line(error)})") from None
    # Looked up before anything is loaded, so that a foreign model never is.
    if kind != "wool_tf>ResNet":
        raise WoolError(f"{path}: holds the Keras model {kind}, but must hold a plain ResNet of wool_tf")
    import keras

    from wool_tf.networks.resnet import ResNet

    try:
        model = keras.saving.load_model(path, custom_objects={kind: ResNet}, compile=False, safe_mode=True)
    except Exception as error:
        raise WoolError(f"{path}: cannot be read as a Keras model ({_line(error)})") from None
    return model.spec, weights.read(model)


_READERS = {".safetensors": _read_safetensors, ".pth": _read_torch, ".pt": _read_torch, ".keras": _read_keras}


def _is_counter(key: str) -> bool:
    return key.endswith(".num_batches_tracked")


def _not_floating(path: Path, key: str, dtype) -> WoolError:
    return WoolError(f"{path}: {key} holds {dtype}, but weights must be floating-point numbers")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wool_tf"


def _imagenet_file(depth: int, cache: Path, progress: Progress | None) -> Path:
    path = cache / f"resnet{depth}.tv_in1k.safetensors"
    record, part = path.with_suffix(".sha256"), path.with_suffix(".part")
    if path.exists():
        expected = SHA256.get(depth) or (record.exists() and record.read_text()[:64])
        _check_content(path, depth, expected, f"delete {path} and run again")
        return path
    announced = _download(f"{_HUB}/timm/resnet{depth}.tv_in1k/resolve/main/model.safetensors", part, path, progress)
    try:
        _check_content(part, depth, SHA256.get(depth, announced), "the download was deleted, so run again")
    except WoolError:
        part.unlink()
        raise
    if depth not in SHA256:
        # The format of `sha256sum --check`. Written first, so that no fetched file is ever without its record.
        record.write_text(f"{announced}  {path.name}\n")
    os.replace(part, path)
    return path


def _check_content(file: Path, depth: int, expected: str | None, remedy: str) -> None:
    if expected and (found := _sha256(file)) != expected:
        raise WoolError(f"{file}: is not the published file (SHA-256 {found}, not {expected}); {remedy}")
    weights.check(_read_safetensors(file)[1], _full(depth), str(file))


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _download(url: str, part: Path, path: Path, progress: Progress | None) -> str:
    """Fetches a URL into a partial file, and gives the SHA-256 that the hub announces for it."""
    redirects = _Redirects()
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        redirects,
        _TRANSPORT(),
    ):
        opener.add_handler(handler)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            # The last byte is asked for again, since no server can give the range behind the end of a file.
            done = max(0, file.tell() - 1)
            request = urllib.request.Request(url, headers={"User-Agent": "wool_tf", "Range": f"bytes={done}-"})
            with opener.open(request, timeout=_TIMEOUT) as response:
                done = done if response.status == 206 else 0
                file.truncate(done)
                _copy(response, file, done, progress)
        announced = redirects.announced or _announced(response.headers)
        if not announced:
            raise ConnectionError("the server announces no SHA-256, as the hub would")
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
            if error.code == 416:
                # The partial file is longer than the whole.
                part.unlink()
        raise WoolError(
            f"--weights=imagenet: cannot fetch {url} ({_line(error)}); run again to go on from where it stopped, "
            f"put that file at {path}, or use --weights=FILE or --weights=none"
        ) from None
    return announced


def _copy(response, file, done: int, progress: Progress | None) -> None:
    total = done + int(response.headers.get("Content-Length", -done))
    while block := response.read(_BLOCK):
        file.write(block)
        done += len(block)
        if progress:
            progress(done, total)
    if done < total:
        raise ConnectionError(f"the connection broke after {done} of {total} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects and remembers the SHA-256 that the hub announces on the way to its storage."""

    announced = None

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        self.announced = self.announced or _announced(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _announced(headers: Mapping[str, str]) -> str | None:
    etag = headers.get("X-Linked-ETag") or headers.get("ETag") or ""
    return match[0] if (match := re.search(r"\b[0-9a-f]{64}\b", etag)) else None
