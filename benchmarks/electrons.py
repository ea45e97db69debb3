"""The likelihood of single electrons: unmixel's loss kl beside scikit-learn's, on sparse counts that are never dense.

    python benchmarks/electrons.py --side 256 --counts 40 --components 16 --runs 1 --out electrons.json

scikit-learn: NMF, beta_loss 'kullback-leibler', solver 'mu', init 'nndsvda', 200 iterations, float32 CSR. unmixel:
`NMF(k, loss="kl")` with its defaults, whole, and until its divergence is scikit-learn's last one. Every fit is a
process of its own; divergences are formed afresh in float64.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from child import run

ITERATIONS = 200


def draw(side: int, counts: float, k: int, seed: int = 0) -> Any:
    """Return counts drawn from a planted model as compressed rows: domains, and spots on a halo with a direct beam."""
    import numpy as np
    import scipy.sparse

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    centres = rng.random((k, 2))
    maps = np.array([np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * 0.12**2)) + 1e-3 for v, u in centres])
    maps *= counts / maps.sum(axis=0)
    y, x = y - 0.5, x - 0.5
    wide, narrow = (np.exp(-(y**2 + x**2) / (2 * width**2)) for width in (0.18, 0.015))
    rows, columns = [], []
    for light in maps.reshape(k, -1):
        spots = np.zeros((side, side))
        for _ in range(12):
            radius, angle = 0.08 + 0.35 * rng.random(), 2 * np.pi * rng.random()
            v, u = radius * np.cos(angle), radius * np.sin(angle)
            spots += rng.random() * np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * 0.012**2))
        pattern = 0.45 * spots / spots.sum() + 0.4 * wide / wide.sum() + 0.15 * narrow / narrow.sum()
        drawn = rng.poisson(light)
        rows.append(np.repeat(np.arange(side**2, dtype=np.int32), drawn))
        places = np.searchsorted(np.cumsum(pattern)[:-1], rng.random(len(rows[-1])))
        columns.append(places.astype(np.int32))
    ones = np.ones(sum(map(len, rows)), np.float32)
    where = np.concatenate(rows), np.concatenate(columns)
    return scipy.sparse.coo_matrix((ones, where), shape=(side**2, side**2)).tocsr()


def divergence(X: Any, W: Any, H: Any) -> float:
    """Return the generalised Kullback-Leibler divergence from the entries and the sums of the factors, in float64."""
    import numpy as np

    W, table = np.asarray(W, np.float64), np.ascontiguousarray(np.asarray(H, np.float64).T)
    lines = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    x, value = X.data.astype(np.float64), float(W.sum(axis=0) @ table.sum(axis=0)) - float(X.data.sum())
    for start in range(0, X.nnz, 2**17):
        part = slice(start, start + 2**17)
        model = np.einsum("ek,ek->e", W[lines[part]], table[X.indices[part]])
        value += float(np.sum(x[part] * np.log(x[part] / np.maximum(model, 1e-300))))
    return value


def theirs(X: Any, k: int) -> dict[str, Any]:
    """Return the record of a fit by scikit-learn."""
    import warnings

    from sklearn.decomposition import NMF

    warnings.simplefilter("ignore")
    wall, cpu = time.perf_counter(), time.process_time()
    model = NMF(
        k,
        beta_loss="kullback-leibler",
        solver="mu",
        init="nndsvda",
        max_iter=ITERATIONS,
        tol=0,
        random_state=0,
    )
    W = model.fit_transform(X)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"wall_s": wall, "cpu_s": cpu, "divergence": divergence(X, W, model.components_)}


def ours(X: Any, k: int, target: float) -> dict[str, Any]:
    """Return the record of a fit by unmixel, and when its divergence was `target`."""
    from unmixel import NMF
    from unmixel.factorize.fit import fit

    passed: list[tuple[float, float, int]] = []
    wall, cpu = time.perf_counter(), time.process_time()

    def tell(state: Any) -> None:
        if not passed and state.objective and state.objective[-1] <= target:
            passed.append((time.perf_counter() - wall, time.process_time() - cpu, state.sweep))

    model = NMF(k, loss="kl")
    matrix = model.matrix_of(X)
    found = fit(matrix, model.plan_for(matrix), on_sweep=tell)
    whole_wall, whole_cpu = time.perf_counter() - wall, time.process_time() - cpu
    there = passed[0] if passed else (float("inf"), float("inf"), -1)
    return {
        "wall_s": there[0], "cpu_s": there[1], "sweeps": there[2],
        "whole_wall_s": whole_wall, "whole_cpu_s": whole_cpu, "whole_sweeps": found.convergence.n_sweeps,
        "divergence": divergence(X, found.maps.T, found.patterns),
    }  # fmt: skip


def child(words: argparse.Namespace) -> None:
    """Draw the counts, or fit them and print the record."""
    import scipy.sparse

    if words.child == "draw":
        scipy.sparse.save_npz(words.file, draw(words.side, words.counts, words.components), compressed=False)
        return
    from fit_once import PeakMemory

    X = scipy.sparse.load_npz(words.file)
    warm = X[:300, :].astype("float32")
    theirs(warm[:, :50], 2) if words.child == "theirs" else ours(warm, 2, 0.0)
    meter = PeakMemory()
    meter.start()
    record = (
        theirs(X, words.components) if words.child == "theirs" else ours(X, words.components, words.target)
    )
    input_mb = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 1e6
    print(json.dumps({**record, "peak_mb": meter.above(), "entries": X.nnz, "input_mb": input_mb}))


def main() -> int:
    """Measure pairs in turn and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=128, help="positions and pixels along each axis")
    parser.add_argument("--counts", type=float, default=40.0, help="electrons per pattern")
    parser.add_argument("--components", type=int, default=16)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--child", choices=("draw", "theirs", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=float, default=0.0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked)
        return 0
    pairs = []
    with tempfile.TemporaryDirectory(prefix="unmixel-bench-") as folder:
        words = [sys.executable, __file__, "--components", str(asked.components), "--side", str(asked.side)]
        words += ["--counts", str(asked.counts), "--file", str(Path(folder) / "counts.npz"), "--child"]
        run([*words, "draw"])
        for _ in range(asked.runs):
            one, cost = run([*words, "theirs"])
            peer = {**json.loads(one), "others": cost.others}
            two, cost = run([*words, "ours", "--target", repr(peer["divergence"])])
            pairs.append({"theirs": peer, "ours": {**json.loads(two), "others": cost.others}})
            print(json.dumps(pairs[-1]), file=sys.stderr, flush=True)
            if asked.out:
                asked.out.write_text(
                    json.dumps({"asked": vars(asked) | {"out": None}, "pairs": pairs}, default=str)
                )
    for key, meaning in (("wall_s", "wall"), ("cpu_s", "CPU")):
        ratios = [pair["theirs"][key] / pair["ours"][key] for pair in pairs]
        middle = [statistics.median(pair[side][key] for pair in pairs) for side in ("theirs", "ours")]
        print(f"{meaning:5} seconds to their divergence: {middle[0]:.1f} and {middle[1]:.1f}, "
              f"{statistics.median(ratios):.1f} times faster")  # fmt: skip
    middle = [statistics.median(pair[side]["peak_mb"] for pair in pairs) for side in ("theirs", "ours")]
    print(f"MB above the input of {pairs[0]['ours']['input_mb']:.0f} MB ({pairs[0]['ours']['entries']} entries): "
          f"{middle[0]:.0f} and {middle[1]:.0f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
