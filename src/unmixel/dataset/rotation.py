"""By how much a detector is turned against the scan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScanRotation:
    """Rotation between scan and detector.

    Parameters
    ----------
    angle_deg : float, -90 to 90
        What lies along x in the scan lies so far counter-clockwise of u on the detector, as displayed (y and v down);
        or by 180 degrees more, which the curl cannot tell.
    error_deg : float
        Standard error; infinite where nothing is seen.
    curl_share : float, 0 to 0.5
        Squared curl over squared curl and divergence after the rotation: 0 for a thin object without noise, 0.5 for
        noise alone.
    mirrored : bool
        Whether there is much less curl with one axis reversed: then scan and detector differ in handedness.
    words : str
    """

    angle_deg: float
    error_deg: float
    curl_share: float
    mirrored: bool
    words: str
