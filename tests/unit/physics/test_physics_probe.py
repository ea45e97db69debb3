from __future__ import annotations

import numpy as np
import pytest
from scipy.special import j1

from unmixel.core.errors import InputError
from unmixel.physics.kernels import gaussian_kernel
from unmixel.physics.probe import FWHM_PER_SIGMA, aperture_cutoff, convergence_for, gaussian_limit, probe_fwhm
from unmixel.physics.wavelength import wavelength


def test_probe_width_is_that_of_the_airy_disk() -> None:
    r = np.linspace(1e-6, 20, 400_001)
    x = 2 * np.pi * 1.5e-3 * r / wavelength(200)
    half = r[np.argmax((2 * j1(x) / x) ** 2 < 0.5)]
    assert probe_fwhm(1.5, 200) == pytest.approx(2 * half, rel=1e-4)


def test_convergence_undoes_width() -> None:
    assert probe_fwhm(convergence_for(18.8, 300), 300) == pytest.approx(18.8)


def test_nothing_passes_beyond_the_cutoff_of_an_aperture() -> None:
    n, radius = 256, 20
    v, u = np.indices((n, n)) - n // 2
    aperture = (np.hypot(v, u) <= radius).astype(float)
    probe = np.abs(np.fft.fft2(np.fft.ifftshift(aperture))) ** 2
    transfer = np.abs(np.fft.fftshift(np.fft.ifft2(probe)))
    beyond = np.hypot(v, u) > 2 * radius
    assert transfer[beyond].max() < 1e-12 * transfer.max()
    # in the formula's units: aperture radius alpha / lambda, cutoff twice that
    assert aperture_cutoff(1.0, 300) == pytest.approx(2e-3 / wavelength(300))


@pytest.mark.parametrize("transfer", [0.5, 0.1, 0.01])
def test_gaussian_limit_is_where_the_transfer_has_fallen(transfer: float) -> None:
    kernel = gaussian_kernel((3.0,), truncate=8)
    x = np.arange(kernel.size) - kernel.size // 2
    f = gaussian_limit(3.0, transfer=transfer)
    assert np.sum(kernel * np.cos(2 * np.pi * f * x)) == pytest.approx(transfer, rel=1e-6)


def test_width_of_a_gaussian() -> None:
    assert pytest.approx(1.884, abs=1e-3) == FWHM_PER_SIGMA * 0.8


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan")])
def test_widths_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="mrad"):
        probe_fwhm(bad, 300)
    with pytest.raises(InputError, match="angstrom"):
        convergence_for(bad, 300)
    with pytest.raises(InputError, match="mrad"):
        aperture_cutoff(bad, 300)
    with pytest.raises(InputError, match="sigma"):
        gaussian_limit(bad)
    with pytest.raises(InputError, match="transfer"):
        gaussian_limit(1.0, transfer=bad)
